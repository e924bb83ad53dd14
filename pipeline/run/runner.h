/* Runs a plan: decides what is unchanged, runs the rest in order, keeps artifacts and history. */
#ifndef NIGHTJAR_RUN_RUNNER_H
#define NIGHTJAR_RUN_RUNNER_H

#include "run/context.h"

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
    /* told after each stage, for the command to show; may be NULL */
    void (*stage_done)(void *data, const char *label, bool skipped, double seconds, int64_t rows);
    void *data;
};

struct run_result {
    int64_t run;        /* number in the work database */
    int64_t generation; /* published by this run; 0: none */
    double seconds;
    size_t n_run, n_skipped;
};

MUST_CHECK enum status_code runner_run(const struct run_request *request, struct run_result *result,
                                       struct status *status);

#endif
