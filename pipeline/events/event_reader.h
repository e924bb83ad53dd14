/* Reads interaction rows out of the user's database into an event_log: columns by name, ids and
 * values by type, the rules that decide row by row which rows count. Every row is read once. */
#ifndef NIGHTJAR_EVENTS_EVENT_READER_H
#define NIGHTJAR_EVENTS_EVENT_READER_H

#include "base/watch.h"
#include "config/option.h"
#include "events/event_log.h"
#include "events/event_time.h"
#include "publishing/forgotten.h"

enum other_events { OTHER_EVENTS_REJECT, OTHER_EVENTS_IGNORE, OTHER_EVENTS_FAIL };
enum bad_row { BAD_ROW_REJECT, BAD_ROW_FAIL };

/* The rules of one row. Texts are the caller's. */
struct event_rules {
    struct option_numbers event_weights; /* none: event types are not told apart */
    enum other_events other_events;      /* types that event_weights does not list */
    double min_rating; /* > 0: the number of a row is a rating; rows below are no positives, the
                          others weigh 1 */
    struct option_texts dislikes; /* event types that are dislikes; not in event_weights */
    bool has_dislike_rating;      /* with min_rating: a rating of at most dislike_rating, which is
                                     lower than min_rating, is a dislike */
    double dislike_rating;
    int64_t since, until; /* since <= time < until; INT64_MIN = not given */
    enum time_unit time_unit;
    enum bad_row on_bad_row;
    int64_t max_bad_rows;              /* more rejected rows than these: STATUS_DATA */
    const struct forgotten *forgotten; /* people whose rows do not exist; NULL: none */
    const char *times_needed; /* the option that needs times, for the message; NULL: none does */
};

/* Where the rows come from: a query, or a table and its columns (`event`, `weight`, `time` NULL
 * where there is none). `what` names it in messages: "source.interactions". */
struct event_query {
    const char *what;
    const char *sql;
    const char *table, *user, *item, *event, *weight, *time;
    double timeout_seconds;
    /* Where n_before rows of the same query were read earlier, only rows whose `key` (an INTEGER
       column) is greater than `after`, the greatest then. key NULL: all rows. */
    const char *key;
    int64_t after, n_before;
    /* A split's given table: event types do not apply, since and until neither. */
    bool is_given_part;
    enum event_part part; /* of every row */
};

/* Adds the rows of the query to `log`, which may hold those of another query already, and dislikes
 * to log->dislikes; counts them in `report`. The number of a row whose type is a dislike is not
 * looked at. log->has_times is set by the first query; a later one must have times when the log
 * has. Errors: STATUS_CONFIG (columns, missing table, a rule without its column), STATUS_DATA
 * (mixed id types, wrong time unit, bad rows as the rules say), what db.h says. `watch`
 * (NULL allowed) is told at least ten times a second how many rows were read, as long as rows
 * arrive at that rate. */
MUST_CHECK enum status_code event_reader_run(struct db *db, const struct event_query *query,
                                             const struct event_rules *rules,
                                             const struct watch *watch, struct event_log *log,
                                             struct row_report *report, struct status *status);

#endif
