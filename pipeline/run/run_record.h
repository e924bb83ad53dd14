/* The history of runs in the work database: tables run, stage_run, run_metric and run_warning. */
#ifndef NIGHTJAR_RUN_RUN_RECORD_H
#define NIGHTJAR_RUN_RUN_RECORD_H

#include "base/buf.h"
#include "base/strings.h"
#include "store/db.h"

struct context;

/* How a run ended whose end could not be recorded, for want of room: run_record_end makes a word of
 * it, which is left in the lock file. */
struct run_word {
    int64_t run, exit_code, generation; /* run 0: there is none */
    char state[16];
    const char *message; /* within the word */
};
struct run_word run_word_read(const char *word);

/* Why a run has no end. */
#define RUN_RECORD_KILLED                                                                          \
    "ended without a word: killed, the machine went down, or there was no room to write it"

/* Starts the record: context->run gets its number, which is the same on all ranks. A run that was
 * left `running` is marked as killed, or as its word says (""; of the lock): the caller holds the
 * lock, so its process is gone.
 * *unfinished = the number of the run before when that one did not finish (killed, failed,
 * interrupted), else 0. */
MUST_CHECK enum status_code run_record_begin(struct context *context, const char *word,
                                             int64_t *unfinished, struct status *status);
/* What the log was warned of (struct log: warnings) and is not on record yet, as of no stage. */
MUST_CHECK enum status_code run_record_warnings(struct context *context, struct status *status);
/* One stage: state "done", "skipped" or "failed". Its metrics of this run are written too, and what
 * it warned of. */
MUST_CHECK enum status_code run_record_stage(struct context *context, const char *state,
                                             double seconds, double cpu_seconds,
                                             struct status *status);
/* An unchanged stage: its metrics and warnings of run `from` become this run's too. */
MUST_CHECK enum status_code run_record_carry_on(struct context *context, int64_t from,
                                                struct status *status);
/* The end, good or bad, as `outcome` says; a run that has published is on record as published,
 * whatever came after. `afterwards` is noted with it. Adds a
 * word of it to `word`, recorded or not. */
MUST_CHECK enum status_code run_record_end(struct context *context, const struct status *outcome,
                                           const struct status *afterwards, struct buf *word,
                                           struct status *status);

/* Adds the warnings of a run, in the order in which they were said. */
MUST_CHECK enum status_code run_record_read_warnings(struct db *work, int64_t run,
                                                     struct strings *out, struct status *status);

/* How a run ended that has published `generation` (0: none): "published", "finished", "refused",
 * "interrupted", "failed". */
const char *run_record_state(int64_t generation, enum status_code outcome);

/* What the stage took when it was last done, on the clock; NAN: it never was. */
MUST_CHECK enum status_code history_stage_seconds(struct db *work, const char *label,
                                                  double *seconds, struct status *status);

/* How long the history lasts: *n_known runs are recorded, *n_beyond of them are older than the
 * newest `keep`. The newest run that published, which the gate compares with, and those whose
 * results unchanged stages still stand for are never beyond. */
MUST_CHECK enum status_code history_count(struct db *work, int64_t keep, int64_t *n_known,
                                          int64_t *n_beyond, struct status *status);
/* Drops those, with their stages, metrics, curves and trials, and metrics of groups that are older
 * than NIGHTS_WITH_GROUPS runs. One transaction. */
MUST_CHECK enum status_code history_prune(struct db *work, int64_t keep, struct status *status);

#endif
