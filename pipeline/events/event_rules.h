/* Which rows of the user's database are read, and what counts of them. */
#ifndef NIGHTJAR_EVENTS_EVENT_RULES_H
#define NIGHTJAR_EVENTS_EVENT_RULES_H

#include "config/option.h"
#include "events/event_log.h"
#include "events/event_time.h"
#include "publishing/forgotten.h"

enum other_events { OTHER_EVENTS_REJECT, OTHER_EVENTS_IGNORE, OTHER_EVENTS_FAIL };
enum { MAX_BAD_ROWS_LEAST = 1000 };
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
    int64_t as_of;        /* rows from then on do not exist, not even as seen; 0: all do */
    enum time_unit time_unit;
    enum bad_row on_bad_row;
    int64_t max_bad_rows;              /* more rejected rows than these: STATUS_DATA */
    double max_bad_share;              /* above 0, instead: than this share of the rows, and more
                                          than MAX_BAD_ROWS_LEAST */
    const struct forgotten *forgotten; /* people whose rows do not exist; NULL: none */
    const char *times_needed; /* the option that needs times, for the message; NULL: none does */
};

/* The rows that one of several ranks reads, from <= key < until. The first rank has no `from`, and
 * rows without a key; the last has no `until`. */
struct key_range {
    bool is_given, has_from, has_until;
    int64_t from, until;
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
    /* Under several ranks, which each read their part: its rows are sent to the ranks of their
       users. False: every rank reads all rows, and keeps those of its own users. */
    bool in_parts;
    struct key_range range; /* of a part that is cut by `key` */
    /* A split's given table: event types do not apply, since and until neither. */
    bool is_given_part;
    enum event_part part; /* of every row */
};

#endif
