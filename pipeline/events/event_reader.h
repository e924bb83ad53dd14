/* Reads interaction rows out of the user's database into an event_log: columns by name, ids and
 * values by type, the rules that decide row by row which rows count. Every row is read once. */
#ifndef NIGHTJAR_EVENTS_EVENT_READER_H
#define NIGHTJAR_EVENTS_EVENT_READER_H

#include "base/watch.h"
#include "events/event_log.h"
#include "events/event_rules.h"

/* Adds the rows of the query to `log`, which may hold those of another query already, and dislikes
 * to log->dislikes, and the pairs of rows that are
 * left out for anything but their ids to log->seen; counts them in `report`. The number of a row
 * whose type is a dislike is not looked at. log->has_times is set by the first query; a later one
 * must have times when the log has. Errors: STATUS_CONFIG (columns, missing table, a rule without
 * its column), STATUS_DATA (mixed id types, wrong time unit, bad rows as the rules say), what db.h
 * says. `watch` (NULL allowed) is told at least ten times a second how many rows were read, as long
 * as rows arrive at that rate. */
MUST_CHECK enum status_code event_reader_run(struct db *db, const struct event_query *query,
                                             const struct event_rules *rules,
                                             const struct watch *watch, struct event_log *log,
                                             struct row_report *report, struct status *status);

#endif
