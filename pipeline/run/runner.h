/* Runs a plan: decides what is unchanged, runs the rest in order, keeps artifacts and history.
 *
 *     struct plan *plan = NULL;
 *     struct run_result result = {0};
 *     TRY(plan_load("shop.yaml", &stage_registry, NULL, 0, &plan, status));
 *     const struct run_request request = {.plan = plan, .version = "0.2.0", .log = &log};
 *     TRY(runner_check(&request, report, NULL, status));     what `nightjar check` asks
 *     TRY(runner_run(&request, &result, status));
 *     result.generation is what people read now
 *
 * Under the pipeline's lock, for each stage in turn: cache_key and cache_decide say whether it is
 * as it was; else its run() is called with a context (context.h), context_save_outputs keeps what
 * it made, cache_remember what that was made from, run_record_stage how it went.
 *
 * Files: runner.c the order; cache.c what need not be redone; context*.c what a stage may ask and
 * tell; agreement.c and ranks_alike.c what ranks decide together and must have alike; run_record.c
 * the history; estimate.c, speeds.c and disk_space.c whether there is room and time; source_log.c
 * how far the source's log goes; metrics_file.c the same for monitoring; written_files.h every file
 * that nightjar writes. */
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
    struct ranks_summary ranks; /* what it sent, and who was slowest */
};

/* What would stop a stage later and can be seen now, without a run: `report` hears how each stage
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
