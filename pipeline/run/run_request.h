/* What is asked of a run. */
#ifndef NIGHTJAR_RUN_RUN_REQUEST_H
#define NIGHTJAR_RUN_RUN_REQUEST_H

#include "base/log.h"
#include "config/plan.h"
#include "ranks/ranks.h"

struct run_request {
    const struct plan *plan;
    const char *version; /* of nightjar */
    struct log *log;
    bool show_progress;
    bool force;                      /* redo everything */
    bool keep_source;                /* take what was extracted from the source as it is, however
                                        old, where nothing but the source may have changed */
    bool publish_anyway;             /* a gate that refuses is a warning */
    const char *from;                /* redo from this stage on; NULL */
    const char *only;                /* run this stage alone, on the artifacts at hand; NULL */
    double wait;                     /* seconds to wait for another run's end */
    double max_time;                 /* seconds after which training stops; 0: no limit */
    const volatile int *stop_signal; /* set by the signal handler in main.c; may be NULL */
    struct ranks *ranks;             /* who carry it out together; NULL: this process alone */
    /* told once the run has its number, before the first stage; may be NULL */
    void (*started)(void *data, int64_t run);
    /* told after each stage, for the command to show; may be NULL */
    void (*stage_done)(void *data, const char *label, bool skipped, double seconds, int64_t rows);
    void *data;
};

#endif
