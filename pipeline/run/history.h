/* How long the history of runs in the work database lasts. */
#ifndef NIGHTJAR_RUN_HISTORY_H
#define NIGHTJAR_RUN_HISTORY_H

#include "store/db.h"

/* *n_known runs are recorded, *n_beyond of them are older than the newest `keep`. The newest run
 * that published, which the gate compares with, and those whose results unchanged stages still
 * stand for are never beyond. */
MUST_CHECK enum status_code history_count(struct db *work, int64_t keep, int64_t *n_known,
                                          int64_t *n_beyond, struct status *status);
/* Drops those, with their stages, metrics, curves and trials. One transaction. */
MUST_CHECK enum status_code history_prune(struct db *work, int64_t keep, struct status *status);

#endif
