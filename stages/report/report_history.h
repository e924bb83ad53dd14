/* What the work database tells of this run and of those before, as sections of the page. */
#ifndef NIGHTJAR_STAGES_REPORT_REPORT_HISTORY_H
#define NIGHTJAR_STAGES_REPORT_REPORT_HISTORY_H

#include "base/buf.h"
#include "store/db.h"

/* Which runs are looked at. */
struct report_history {
    struct db *work;
    int64_t run;    /* the one that is running */
    int64_t n_runs; /* shown, at most */
};

/* Each adds a section, or nothing where there is nothing to show. */
MUST_CHECK enum status_code history_stages(const struct report_history *history, struct buf *out,
                                           struct status *status);
MUST_CHECK enum status_code history_nights(const struct report_history *history,
                                           const char *overruled, struct buf *out,
                                           struct status *status);
MUST_CHECK enum status_code history_metrics(const struct report_history *history, struct buf *out,
                                            struct status *status);
MUST_CHECK enum status_code history_curves(const struct report_history *history, struct buf *out,
                                           struct status *status);
MUST_CHECK enum status_code history_groups(const struct report_history *history, struct buf *out,
                                           struct status *status);
MUST_CHECK enum status_code history_data(const struct report_history *history, struct buf *out,
                                         struct status *status);

#endif
