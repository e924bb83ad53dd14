/* Runs a plan: decides what is unchanged, runs the rest in order, keeps artifacts and history. */
#ifndef NIGHTJAR_RUN_RUNNER_H
#define NIGHTJAR_RUN_RUNNER_H

#include "run/run_request.h"

struct run_result {
    int64_t run;        /* number in the work database */
    int64_t generation; /* published by this run; 0: none */
    /* What failed when the generation was published already: it stands, and the run has ended well.
       STATUS_OK: nothing. */
    struct status afterwards;
    double seconds;
    size_t n_run, n_skipped;
};

/* What would stop a stage later and can be seen now, without a run: `told` hears how each stage
 * that looks fares. Changes nothing. */
MUST_CHECK enum status_code runner_check(const struct run_request *request,
                                         void (*report)(void *data, const char *label,
                                                        struct status *outcome),
                                         void *data, struct status *status);

/* On error `result` is filled only when a generation was published. Once a generation is published
 * nothing but a signal is an error any more: see run_result.afterwards. */
MUST_CHECK enum status_code runner_run(const struct run_request *request, struct run_result *result,
                                       struct status *status);

#endif
