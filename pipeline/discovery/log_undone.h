/* Rows of a log that were taken back: orders that were cancelled, payments that were refunded. A
 * column of the log's table, or of the one that it is joined with, says so:
 *
 *     status: paid, shipped, cancelled       coalesce(orders.status, '') NOT IN ('cancelled')
 *     is_cancelled: 0, 1                     coalesce(orders.is_cancelled, 0) = 0
 *     cancelled_at: a time, or NULL          orders.cancelled_at IS NULL */
#ifndef NIGHTJAR_DISCOVERY_LOG_UNDONE_H
#define NIGHTJAR_DISCOVERY_LOG_UNDONE_H

#include "discovery/log_facts.h"

enum { LOG_UNDONE_MAX = 8 };

enum log_undone_how { LOG_UNDONE_NONE, LOG_UNDONE_STATES, LOG_UNDONE_FLAG, LOG_UNDONE_TIME };

struct log_undone {
    enum log_undone_how how;
    struct log_field field;
    size_t n_states;
    char states[LOG_UNDONE_MAX][LOG_EVENT_NAME_MAX];
    double n_rows; /* that were taken back */
};

/* `returns`: what was given back counts, too; a book from a library does not. */
MUST_CHECK enum status_code log_undone_find(struct db *db, const struct schema *schema,
                                            const struct log_candidate *candidate, bool returns,
                                            struct log_undone *out, struct status *status);
/* The condition that leaves them out. */
void log_undone_add(const struct schema *schema, const struct log_candidate *candidate,
                    const struct log_undone *undone, struct buf *sql);

#endif
