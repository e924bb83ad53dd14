/* Which column of a query is what, by its name and never by its place; and the query that stands
 * for a table and its columns. */
#ifndef NIGHTJAR_EVENTS_EVENT_COLUMNS_H
#define NIGHTJAR_EVENTS_EVENT_COLUMNS_H

#include "config/plan.h"
#include "events/event_rules.h"

enum event_column {
    COLUMN_USER,
    COLUMN_ITEM,
    COLUMN_EVENT,
    COLUMN_WEIGHT,
    COLUMN_TIME,
    COLUMN_ROWID,
    N_EVENT_COLUMNS
};

/* Place of each column in the query, -1 = not there. */
struct event_columns {
    int index[N_EVENT_COLUMNS];
    int key; /* of event_query.key, -1: there is none; may be one of the others, too */
};

/* The query that the configuration names: source.interactions, or source.table and its columns.
 * Both or neither is STATUS_CONFIG. Texts stay the source's. */
MUST_CHECK enum status_code event_query_of_source(const struct plan_source *source,
                                                  struct event_query *query, struct status *status);
/* Adds a SELECT of the least and the greatest key of the rows from key `from` on. query->key is
 * given. */
void event_query_keys(const struct event_query *query, int64_t from, struct buf *sql);
/* Prepares the query, cut to the keys that are asked for, and finds its columns. Errors:
 * STATUS_CONFIG for an unknown or doubled column, a missing user, item or key, a rule of `rules`
 * without its column. */
MUST_CHECK enum status_code event_columns_open(struct db *db, const struct event_query *query,
                                               const struct event_rules *rules,
                                               struct db_query **statement,
                                               struct event_columns *columns,
                                               struct status *status);

#endif
