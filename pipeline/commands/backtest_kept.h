/* Leaves what a backtest found in the pipeline's work database, from which the report draws it. */
#ifndef NIGHTJAR_COMMANDS_BACKTEST_KEPT_H
#define NIGHTJAR_COMMANDS_BACKTEST_KEPT_H

#include "commands/backtest_judge.h"

/* The judged evenings: their times and how many users were judged (n), means (n, n_columns). They
 * take the place of those of an earlier backtest. A pipeline that has not run has no work database,
 * and gets none: then nothing is done. A run that goes on is STATUS_BUSY. */
MUST_CHECK enum status_code backtest_keep(const struct plan *plan, const int64_t *evenings,
                                          const int64_t *users, const double *means, size_t n,
                                          const struct backtest_column *columns, size_t n_columns,
                                          struct status *status);

#endif
