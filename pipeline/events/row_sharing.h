/* Rows of the source on their way to the rank of their user (ranks/ranks.h). Either all ranks read
 * all rows, and each lets those of others go; or each reads a part that no other reads, and sends
 * on what is not its own, a block at a time.
 *
 *     struct row_sharing sharing = {.ranks = ranks, .in_parts = true, .logs = {...}};
 *     for each row      if (row_sharing_is_own(&sharing, &user)) { into the log, as ever }
 *                       else { TRY(row_sharing_send(&sharing, ...)); }
 *     now and then      TRY(row_sharing_deliver(&sharing, status));           on all ranks
 *     row_sharing_release(&sharing);
 */
#ifndef NIGHTJAR_EVENTS_ROW_SHARING_H
#define NIGHTJAR_EVENTS_ROW_SHARING_H

#include "events/event_log.h"
#include "ranks/outbox.h"

enum { SHARED_LOGS = 3 };

struct row_sharing {
    struct ranks *ranks;
    bool in_parts;
    struct event_log *logs[SHARED_LOGS]; /* where rows of others go, too; NULL: there is none */
    struct outbox outbox;                /* rows that were not delivered yet */
};
void row_sharing_release(struct row_sharing *sharing);

bool row_sharing_is_own(const struct row_sharing *sharing, const struct row_id *user);
/* A row of a user of another rank, for the log of that rank that `log` is here. */
MUST_CHECK enum status_code row_sharing_send(struct row_sharing *sharing,
                                             const struct event_log *log, const struct row_id *user,
                                             const struct row_id *item, float weight, int64_t time,
                                             enum event_part part, struct status *status);
MUST_CHECK enum status_code row_sharing_deliver(struct row_sharing *sharing, struct status *status);

#endif
