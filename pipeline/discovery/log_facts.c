/* Queries over a log, each within a time limit. */
#include "discovery/log_facts.h"

#include "base/clock.h"
#include "base/num.h"
#include "discovery/yaml_text.h"

#include <math.h>

enum { SAMPLE_ROWS = 1000 };
static const double patience = 20;                                 /* seconds a query */
static const double time_first = 315532800, time_end = 7258118400; /* 1980 and 2200, as a run */

const char *const log_time_names[N_LOG_TIMES] = {
    [LOG_TIME_NONE] = "no times",
    [LOG_TIME_SECONDS] = "Unix seconds",
    [LOG_TIME_MILLISECONDS] = "Unix milliseconds",
    [LOG_TIME_MICROSECONDS] = "Unix microseconds",
    [LOG_TIME_NANOSECONDS] = "Unix nanoseconds",
    [LOG_TIME_ISO] = "ISO-8601",
    [LOG_TIME_JULIAN] = "Julian days",
    [LOG_TIME_DAY] = "days as YYYYMMDD",
    [LOG_TIME_UNKNOWN] = "times of an unknown form",
};

const int log_window_days[N_LOG_WINDOWS] = {7, 14, 30, 90, 3, 2, 1};

/* ---- asking ---- */

enum status_code log_facts_first_row(struct db *db, const struct buf *sql, struct db_query **query,
                                     struct status *status)
{
    struct status slow = {0};
    bool has_row = false;
    enum status_code code;
    TRY(buf_check(sql, status));
    TRY(db_prepare_user(db, "init", buf_text(sql), patience, query, status));
    code = db_step(*query, &has_row, &slow);
    if (code != STATUS_OK && code != STATUS_CONFIG) {
        *status = slow;
        goto done;
    }
    code = STATUS_OK;
    if (!has_row) {
        db_finalize(*query);
        *query = NULL;
    }
done:
    return code;
}

enum status_code log_facts_numbers(struct db *db, const struct buf *sql, double *out, size_t n,
                                   bool *known, struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    TRY(log_facts_first_row(db, sql, &query, status));
    *known = query != NULL;
    for (size_t i = 0; i < n && *known; i++) {
        out[i] = db_column_type(query, (int)i) == DB_NULL ? (double)NAN
                                                          : db_column_double(query, (int)i);
    }
done:
    db_finalize(query);
    return code;
}

enum status_code log_facts_count(struct db *db, const struct schema *schema,
                                 const struct log_candidate *candidate, double *n_rows,
                                 struct status *status)
{
    struct buf sql = {0};
    bool known;
    enum status_code code;
    *n_rows = (double)NAN;
    buf_add_text(&sql, "SELECT count(*) FROM ");
    log_candidate_add_from(schema, candidate, &sql);
    TRY(log_facts_numbers(db, &sql, n_rows, 1, &known, status));
done:
    buf_release(&sql);
    return code;
}

void log_facts_add_text(const char *text, struct buf *sql)
{
    buf_add_char(sql, '\'');
    for (; *text != '\0'; text++) {
        buf_addf(sql, "%s%c", *text == '\'' ? "'" : "", *text);
    }
    buf_add_char(sql, '\'');
}

/* ---- times ---- */

static bool within(double seconds)
{
    return seconds >= time_first && seconds < time_end;
}

enum log_time log_time_of(double number)
{
    static const struct {
        enum log_time unit;
        double in_second;
    } units[] = {{LOG_TIME_SECONDS, 1},
                 {LOG_TIME_MILLISECONDS, 1e3},
                 {LOG_TIME_MICROSECONDS, 1e6},
                 {LOG_TIME_NANOSECONDS, 1e9}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (within(number / units[i].in_second)) {
            return units[i].unit;
        }
    }
    if (number >= 2444239 && number < 2524594) {
        return LOG_TIME_JULIAN;
    }
    const double month = fmod(floor(number / 100), 100), day = fmod(number, 100);
    return number >= 19800101 && number < 22000101 && month >= 1 && month <= 12 && day >= 1 &&
                   day <= 31
               ? LOG_TIME_DAY
               : LOG_TIME_UNKNOWN;
}

static enum log_time unit_of_cell(const struct db_cell *cell)
{
    double number;
    int64_t seconds;
    if (cell->type == DB_INTEGER || cell->type == DB_FLOAT) {
        return log_time_of(cell->type == DB_INTEGER ? (double)cell->integer : cell->real);
    }
    if (cell->type != DB_TEXT) {
        return LOG_TIME_UNKNOWN;
    }
    if (num_parse_double(cell->text, cell->length, &number)) {
        return log_time_of(number);
    }
    return num_parse_iso8601(cell->text, cell->length, &seconds) && within((double)seconds)
               ? LOG_TIME_ISO
               : LOG_TIME_UNKNOWN;
}

/* The unit of nine in ten of the first rows: one column has one unit. */
static enum status_code find_unit(struct db *db, const struct schema *schema,
                                  const struct log_candidate *candidate, enum log_time *unit,
                                  struct status *status)
{
    struct db_query *query = NULL;
    struct buf sql = {0};
    size_t n_of[N_LOG_TIMES] = {0}, n = 0;
    bool has_row = true;
    enum status_code code;
    *unit = LOG_TIME_NONE;
    buf_add_text(&sql, "SELECT ");
    log_candidate_add_field(schema, candidate, candidate->time, &sql);
    buf_add_text(&sql, " FROM ");
    log_candidate_add_from(schema, candidate, &sql);
    buf_add_text(&sql, " WHERE ");
    log_candidate_add_field(schema, candidate, candidate->time, &sql);
    buf_addf(&sql, " IS NOT NULL LIMIT %d", SAMPLE_ROWS);
    TRY(log_facts_first_row(db, &sql, &query, status));
    for (; query != NULL && has_row; n++) {
        struct db_cell cell;
        db_column_cell(query, 0, &cell);
        n_of[unit_of_cell(&cell)]++;
        TRY(db_step(query, &has_row, status));
    }
    for (int u = 0; u < N_LOG_TIMES && n > 0; u++) {
        *unit = n_of[u] * 10 >= n * 9 ? (enum log_time)u : *unit;
    }
    *unit = n > 0 && *unit == LOG_TIME_NONE ? LOG_TIME_UNKNOWN : *unit;
done:
    db_finalize(query);
    buf_release(&sql);
    return code;
}

void log_facts_add_seconds(const struct schema *schema, const struct log_candidate *candidate,
                           enum log_time unit, struct buf *sql)
{
    static const char *const around[N_LOG_TIMES][2] = {
        [LOG_TIME_NONE] = {"", ""},
        [LOG_TIME_SECONDS] = {"", ""},
        [LOG_TIME_MILLISECONDS] = {"", " / 1000"},
        [LOG_TIME_MICROSECONDS] = {"", " / 1000000"},
        [LOG_TIME_NANOSECONDS] = {"", " / 1000000000"},
        [LOG_TIME_ISO] = {"unixepoch(", ")"},
        [LOG_TIME_JULIAN] = {"unixepoch(", ", 'julianday')"},
        [LOG_TIME_DAY] = {"unixepoch(format('%d-%02d-%02d', ", ""},
        [LOG_TIME_UNKNOWN] = {"", ""}};
    buf_add_text(sql, around[unit][0]);
    log_candidate_add_field(schema, candidate, candidate->time, sql);
    if (unit == LOG_TIME_DAY) {
        buf_add_text(sql, " / 10000, ");
        log_candidate_add_field(schema, candidate, candidate->time, sql);
        buf_add_text(sql, " / 100 % 100, ");
        log_candidate_add_field(schema, candidate, candidate->time, sql);
        buf_add_text(sql, " % 100))");
    }
    buf_add_text(sql, around[unit][1]);
}

/* The span of the times, and those that are none. */
static enum status_code read_times(struct db *db, const struct schema *schema,
                                   const struct log_candidate *candidate, double now,
                                   struct log_facts *facts, struct status *status)
{
    const double soon = now + CLOCK_DAY;
    struct buf sql = {0};
    double found[4] = {(double)NAN, (double)NAN, 0, 0};
    bool known;
    enum status_code code;
    TRY(find_unit(db, schema, candidate, &facts->time, status));
    if (facts->time == LOG_TIME_NONE || facts->time == LOG_TIME_UNKNOWN) {
        goto done;
    }
    buf_addf(&sql,
             "SELECT min(s) FILTER (WHERE s BETWEEN %.0f AND %.0f), max(s) FILTER (WHERE s BETWEEN"
             " %.0f AND %.0f), total(coalesce(s NOT BETWEEN %.0f AND %.0f, 1)), total(s > %.0f)"
             " FROM (SELECT ",
             time_first, soon, time_first, soon, time_first, time_end - 1, soon);
    log_facts_add_seconds(schema, candidate, facts->time, &sql);
    buf_add_text(&sql, " + 0 AS s FROM ");
    log_candidate_add_from(schema, candidate, &sql);
    buf_add_char(&sql, ')');
    TRY(log_facts_numbers(db, &sql, found, 4, &known, status));
    facts->first = found[0];
    facts->last = found[1];
    facts->n_no_time = found[2];
    facts->n_future = found[3];
    if (facts->n_no_time * 2 > facts->n_rows) {
        facts->time = LOG_TIME_NONE;
    }
done:
    buf_release(&sql);
    return code;
}

enum status_code log_facts_windows(struct db *db, const struct schema *schema,
                                   const struct log_candidate *candidate, double last,
                                   struct log_facts *facts, struct status *status)
{
    struct buf sql = {0};
    double found[2 * N_LOG_WINDOWS];
    bool known = false;
    enum status_code code;
    for (size_t w = 0; w < N_LOG_WINDOWS; w++) {
        const double middle = last - (double)log_window_days[w] * CLOCK_DAY;
        buf_addf(&sql, "%s total(s > %.0f AND s <= %.0f), total(s > %.0f AND s <= %.0f)",
                 w == 0 ? "SELECT" : ",", 2 * middle - last, middle, middle, last);
    }
    buf_add_text(&sql, " FROM (SELECT ");
    log_facts_add_seconds(schema, candidate, facts->time, &sql);
    buf_add_text(&sql, " + 0 AS s FROM ");
    log_candidate_add_from(schema, candidate, &sql);
    buf_add_char(&sql, ')');
    TRY(log_facts_numbers(db, &sql, found, 2 * N_LOG_WINDOWS, &known, status));
    for (size_t w = 0; w < N_LOG_WINDOWS && known; w++) {
        facts->n_before[w] = found[2 * w];
        facts->n_within[w] = found[2 * w + 1];
    }
done:
    buf_release(&sql);
    return code;
}

/* ---- ids, events, ratings ---- */

static enum status_code read_ids(struct db *db, const struct schema *schema,
                                 const struct log_candidate *candidate, struct log_facts *facts,
                                 struct status *status)
{
    struct buf sql = {0}, user = {0}, item = {0};
    double found[4], distinct[2] = {(double)NAN, (double)NAN};
    bool known;
    enum status_code code;
    log_candidate_add_field(schema, candidate, candidate->user, &user);
    log_candidate_add_field(schema, candidate, candidate->item, &item);
    buf_addf(&sql, "SELECT count(*), total(%s IS NULL), total(%s IS NULL), total(%s IN (0, ''))",
             buf_text(&user), buf_text(&item), buf_text(&user));
    buf_add_text(&sql, " FROM ");
    log_candidate_add_from(schema, candidate, &sql);
    TRY(log_facts_numbers(db, &sql, found, 4, &known, status));
    if (known) {
        facts->n_rows = found[0];
        facts->n_no_user = found[1];
        facts->n_no_item = found[2];
        facts->n_nobody = found[3];
    }
    buf_clear(&sql);
    buf_addf(&sql, "SELECT count(DISTINCT %s), count(DISTINCT %s) FROM ", buf_text(&user),
             buf_text(&item));
    log_candidate_add_from(schema, candidate, &sql);
    TRY(log_facts_numbers(db, &sql, distinct, 2, &known, status));
    facts->n_users = distinct[0];
    /* a user 0 like others is one; who has far more rows than others is all whom nobody knows */
    if (!(facts->n_nobody * facts->n_users > 10 * facts->n_rows &&
          facts->n_nobody > 0.05 * facts->n_rows)) {
        facts->n_nobody = 0;
    }
    facts->n_items = distinct[1];
done:
    buf_release(&sql);
    buf_release(&user);
    buf_release(&item);
    return code;
}

/* None when there are too many kinds to be kinds. */
static enum status_code read_events(struct db *db, const struct schema *schema,
                                    const struct log_candidate *candidate, struct log_facts *facts,
                                    struct status *status)
{
    struct db_query *query = NULL;
    struct buf sql = {0};
    bool has_row = true, are_kinds = true;
    enum status_code code;
    buf_add_text(&sql, "SELECT ");
    log_candidate_add_field(schema, candidate, candidate->event, &sql);
    buf_add_text(&sql, ", count(*) FROM ");
    log_candidate_add_from(schema, candidate, &sql);
    buf_addf(&sql, " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %d", LOG_EVENTS_MAX + 2);
    TRY(log_facts_first_row(db, &sql, &query, status));
    while (query != NULL && has_row) {
        size_t length;
        const char *name = db_column_text(query, 0, &length);
        if (name == NULL) {
            facts->lacks_events = true;
        } else if (length >= LOG_EVENT_NAME_MAX || facts->n_events == LOG_EVENTS_MAX ||
                   strlen(name) != length || !yaml_can_hold(name)) {
            are_kinds = false;
        } else {
            struct log_event *event = &facts->events[facts->n_events++];
            memcpy(event->name, name, length + 1);
            event->n_rows = db_column_double(query, 1);
        }
        TRY(db_step(query, &has_row, status));
    }
    facts->n_events = are_kinds ? facts->n_events : 0;
done:
    db_finalize(query);
    buf_release(&sql);
    return code;
}

static enum status_code read_ratings(struct db *db, const struct schema *schema,
                                     const struct log_candidate *candidate, struct log_facts *facts,
                                     struct status *status)
{
    struct buf sql = {0}, rating = {0};
    double found[3];
    bool known;
    enum status_code code;
    log_candidate_add_field(schema, candidate, candidate->rating, &rating);
    buf_addf(&sql, "SELECT count(*), min(%s), max(%s) FROM ", buf_text(&rating), buf_text(&rating));
    log_candidate_add_from(schema, candidate, &sql);
    buf_addf(&sql, " WHERE typeof(%s) IN ('integer', 'real')", buf_text(&rating));
    TRY(log_facts_numbers(db, &sql, found, 3, &known, status));
    if (known) {
        facts->n_ratings = found[0];
        facts->rating_min = found[1];
        facts->rating_max = found[2];
    }
done:
    buf_release(&sql);
    buf_release(&rating);
    return code;
}

enum status_code log_facts_read(struct db *db, const struct schema *schema,
                                const struct log_candidate *candidate, double now,
                                struct log_facts *facts, struct status *status)
{
    enum status_code code;
    *facts = (struct log_facts){.n_rows = (double)NAN, .first = (double)NAN, .last = (double)NAN};
    TRY(read_ids(db, schema, candidate, facts, status));
    if (candidate->time.column >= 0) {
        TRY(read_times(db, schema, candidate, now, facts, status));
    }
    if (candidate->event.column >= 0) {
        TRY(read_events(db, schema, candidate, facts, status));
    }
    if (candidate->rating.column >= 0) {
        TRY(read_ratings(db, schema, candidate, facts, status));
    }
done:
    return code;
}
