/* The history of runs in the work database: tables run, stage_run and run_metric. */
#ifndef NIGHTJAR_RUN_RUN_RECORD_H
#define NIGHTJAR_RUN_RUN_RECORD_H

#include "run/context_internal.h"

/* Starts the record: context->run gets its number. A run that was left `running` is marked as
 * killed: the caller holds the lock, so its process is gone. *unfinished = the number of the run
 * before when that one did not finish (killed, failed, interrupted), else 0. */
MUST_CHECK enum status_code run_record_begin(struct context *context, int64_t *unfinished,
                                             struct status *status);
/* One stage: state "done", "skipped" or "failed". Its metrics of this run are written too. */
MUST_CHECK enum status_code run_record_stage(struct context *context, const char *state,
                                             double seconds, double cpu_seconds,
                                             struct status *status);
/* An unchanged stage: its metrics of run `from` become this run's too. */
MUST_CHECK enum status_code run_record_carry_metrics(struct context *context, int64_t from,
                                                     struct status *status);
/* The end, good or bad, as `outcome` says. */
MUST_CHECK enum status_code run_record_end(struct context *context, const struct status *outcome,
                                           struct status *status);

#endif
