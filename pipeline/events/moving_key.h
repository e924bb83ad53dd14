/* A key that does not stay with its row: SQLite's rowid, where no column is named for it. */
#ifndef NIGHTJAR_EVENTS_MOVING_KEY_H
#define NIGHTJAR_EVENTS_MOVING_KEY_H

#include "base/buf.h"
#include "events/event_reader.h"

/* Adds the name of a table whose rows VACUUM may number anew while query->key is their rowid: what
 * came since would lie below the last key, and not be read. Nothing where there is no such. Told
 * by the words of the query, as far as they go. */
MUST_CHECK enum status_code moving_key_find(struct db *db, const struct event_query *query,
                                            struct buf *table, struct status *status);

#endif
