/* What `backtest` compares: the log, and the lists that an evening's run has published. Definitions
 * as evaluation/rolling.h: asked are the distinct items of the 24 hours behind the evening that the
 * user had not before, by any row of the log (all, where repeats count), and whose last word is no
 * dislike; items that the lists cannot have are misses. Judged is who is asked and has a list. */
#ifndef NIGHTJAR_COMMANDS_BACKTEST_JUDGE_H
#define NIGHTJAR_COMMANDS_BACKTEST_JUDGE_H

#include "config/plan.h"
#include "evaluation/metrics.h"
#include "events/event_log.h"
#include "publishing/forgotten.h"

/* Zero-initialise; released with event_log_release. */
struct backtest_log {
    struct event_log events; /* sorted, rows that are no choices among them */
    bool repeats;            /* they count: what the user had is asked and listed, too */
    int64_t newest;          /* choice; Unix seconds */
};
/* The whole log of the plan's source, under the rules of its interactions stage. A log without
 * times is STATUS_CONFIG. */
MUST_CHECK enum status_code backtest_log_read(const struct plan *plan,
                                              const struct forgotten *forgotten,
                                              const struct watch *watch, struct backtest_log *out,
                                              struct status *status);

/* The published lists; the popular items as published; items by the number of users so far. The
 * baselines leave out what the list of a user may not show, and end where published lists do. */
enum backtest_model { NIGHTJAR, RECENT_POPULARITY, POPULARITY, N_BACKTEST_MODELS };
struct backtest_column {
    char name[64]; /* "ndcg@20:nightjar" */
    enum backtest_model model;
    const struct metric *metric;
    size_t k;
};
/* means (n_columns) over the *n_users that are judged of what `database` (without prefix) has
 * published on the evening at `time`. */
MUST_CHECK enum status_code backtest_judge(const struct backtest_log *log, const char *database,
                                           int64_t time, const struct backtest_column *columns,
                                           size_t n_columns, double *means, size_t *n_users,
                                           struct status *status);

#endif
