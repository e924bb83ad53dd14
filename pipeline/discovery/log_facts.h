/* What the rows of a log say: how many, of how many users and items, in which unit its times are,
 * which events and ratings there are. All by queries with a time limit: what a huge table does not
 * tell in time stays unknown. */
#ifndef NIGHTJAR_DISCOVERY_LOG_FACTS_H
#define NIGHTJAR_DISCOVERY_LOG_FACTS_H

#include "discovery/log_candidates.h"

enum { LOG_EVENTS_MAX = 40, LOG_EVENT_NAME_MAX = 64 };

enum log_time {
    LOG_TIME_NONE, /* no column, or hardly a row has one */
    LOG_TIME_SECONDS,
    LOG_TIME_MILLISECONDS,
    LOG_TIME_MICROSECONDS,
    LOG_TIME_NANOSECONDS,
    LOG_TIME_ISO,
    LOG_TIME_JULIAN,
    LOG_TIME_DAY,     /* 20261130 */
    LOG_TIME_UNKNOWN, /* nightjar cannot read it, nor can SQLite make it a time */
    N_LOG_TIMES
};
extern const char *const log_time_names[N_LOG_TIMES];

/* Newest parts that a log may be judged on. */
enum { N_LOG_WINDOWS = 7 };
extern const int log_window_days[N_LOG_WINDOWS];

struct log_event {
    char name[LOG_EVENT_NAME_MAX];
    double n_rows;
};

struct log_facts {
    double n_rows, n_users, n_items; /* NAN: not known */
    double n_no_user, n_no_item;     /* NULL */
    double n_nobody;                 /* the user is 0 or '', who has far more rows than others */
    enum log_time time;
    double n_no_time, n_future; /* without a time in 1980..2200; more than a day ahead */
    double first, last;         /* Unix seconds, of the others; NAN: not known */
    double n_before[N_LOG_WINDOWS], n_within[N_LOG_WINDOWS]; /* see log_facts_windows */
    size_t n_events;
    struct log_event events[LOG_EVENTS_MAX];
    bool lacks_events; /* some rows have none */
    double n_ratings, rating_min, rating_max;
};

/* What a number is the time of something in: years from 1980 to 2199 do not overlap. */
enum log_time log_time_of(double number);

/* Only n_rows, for a first look. */
MUST_CHECK enum status_code log_facts_count(struct db *db, const struct schema *schema,
                                            const struct log_candidate *candidate, double *n_rows,
                                            struct status *status);
/* All of it but the windows. */
MUST_CHECK enum status_code log_facts_read(struct db *db, const struct schema *schema,
                                           const struct log_candidate *candidate, double now,
                                           struct log_facts *facts, struct status *status);
/* Of each window: the rows of its days up to `last` (n_within) and of as many days before them. The
 * time is known. */
MUST_CHECK enum status_code log_facts_windows(struct db *db, const struct schema *schema,
                                              const struct log_candidate *candidate, double last,
                                              struct log_facts *facts, struct status *status);
/* The time as Unix seconds in SQL. */
void log_facts_add_seconds(const struct schema *schema, const struct log_candidate *candidate,
                           enum log_time unit, struct buf *sql);
/* *query: stepped once, NULL when it took too long or has no row. */
MUST_CHECK enum status_code log_facts_first_row(struct db *db, const struct buf *sql,
                                                struct db_query **query, struct status *status);
/* The text as a literal of SQL. */
void log_facts_add_text(const char *text, struct buf *sql);
/* n numbers, the columns of a query's one row; *known false when it took too long. */
MUST_CHECK enum status_code log_facts_numbers(struct db *db, const struct buf *sql, double *out,
                                              size_t n, bool *known, struct status *status);

#endif
