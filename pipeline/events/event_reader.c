/* Reading interaction rows. Each row ends with exactly one verdict: accepted, left out by a rule,
 * or rejected with a reason. A REAL id that is a whole number counts as that INTEGER, because SQL
 * compares the two as equal; any other REAL is rejected. */
#include "events/event_reader.h"

#include "base/clock.h"
#include "base/num.h"
#include "events/event_columns.h"
#include "events/unique_keys.h"

#include <assert.h>
#include <math.h>

/* Weights beyond these would leave the range of a float when they are multiplied or decayed. */
static const double least_weight = 1e-30, greatest_weight = 1e30;

static const char *const id_type_names[] = {"nothing", "INTEGER", "TEXT"};
static const char *const id_column_names[] = {"user_id", "item_id"};

struct reader {
    struct db_query *statement;
    struct event_columns columns;
    const struct event_query *query;
    const struct event_rules *rules;
    struct event_log *log;
    struct row_report *report;
    struct event_clock clock;
    struct row_place place;  /* of the current row */
    size_t event;            /* of event_weights: the last one found, likely the next one too */
    struct unique_keys keys; /* of the rows that are new */
    struct buf mixed;        /* where ids of two types met first */
    int64_t n_mixed_before, n_rows_before; /* of other queries, which their own ids belong to */
};

/* What the row holds, as far as it was read. */
struct row {
    struct row_id user, item;
    double weight;
    int64_t time;
    bool is_dislike;
};

enum verdict { ROW_ACCEPTED, ROW_LEFT_OUT };

static void describe_text(const char *text, size_t length, char out[ROW_VALUE_MAX])
{
    size_t n = length < ROW_VALUE_MAX - 6 ? length : ROW_VALUE_MAX - 6;
    char shown[ROW_VALUE_MAX] = "";

    while (n > 0 && n < length && ((unsigned char)text[n] & 0xc0) == 0x80) {
        n--; /* not within a character of several bytes */
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        shown[i] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
    }
    snprintf(out, ROW_VALUE_MAX, "'%.*s%s'", (int)n, shown, n < length ? "..." : "");
}

/* The value of a cell for a message. */
static void describe_cell(struct db_query *statement, int column, char out[ROW_VALUE_MAX])
{
    size_t length;
    const char *text;
    char number[NUM_TEXT_MAX];

    out[0] = '\0';
    switch (db_column_type(statement, column)) {
    case DB_INTEGER:
        snprintf(out, ROW_VALUE_MAX, "%lld", (long long)db_column_int64(statement, column));
        break;
    case DB_FLOAT:
        if (isinf(db_column_double(statement, column))) {
            snprintf(out, ROW_VALUE_MAX, "infinity");
        } else {
            num_format_double(db_column_double(statement, column), number);
            snprintf(out, ROW_VALUE_MAX, "%s", number);
        }
        break;
    case DB_TEXT:
        text = db_column_text(statement, column, &length);
        describe_text(text, length, out);
        break;
    case DB_NULL:
    case DB_BLOB:
        break;
    }
}

static enum status_code too_many_bad_rows(const struct reader *reader, struct status *status)
{
    const struct event_rules *rules = reader->rules;
    struct buf text = {0};
    char limit[NUM_TEXT_MAX + 2];

    if (rules->max_bad_share > 0) {
        snprintf(limit, sizeof limit, "%g%%", 100 * rules->max_bad_share);
    } else {
        snprintf(limit, sizeof limit, "%lld", (long long)rules->max_bad_rows);
    }
    row_report_add(reader->report, &text);
    enum status_code code = status_set(
        status, STATUS_DATA,
        "%s: more bad rows than max_bad_rows (%s) after %lld rows: %s; leave such rows out in the "
        "query (%s), or raise max_bad_rows",
        reader->query->what, limit, (long long)reader->report->n_rows, buf_text(&text),
        reader->report->faults[FAULT_ITEM_NULL] > reader->report->faults[FAULT_USER_NULL]
            ? "WHERE item_id IS NOT NULL"
        : reader->report->faults[FAULT_USER_NULL] > 0 ? "WHERE user_id IS NOT NULL"
                                                      : "WHERE ...");
    buf_release(&text);
    return code;
}

/* Rejects the current row for what stands in `column`, or fails, as the rules say. */
static enum status_code reject(struct reader *reader, enum row_fault fault, int column,
                               struct status *status)
{
    enum status_code code;
    char value[ROW_VALUE_MAX];
    const bool is_event = fault == FAULT_EVENT_UNKNOWN;
    const bool is_type = fault == FAULT_USER_TYPE || fault == FAULT_ITEM_TYPE;

    describe_cell(reader->statement, column, value);
    TRY(row_report_fault(reader->report, fault, &reader->place, value, status));
    if (reader->rules->on_bad_row == BAD_ROW_FAIL && is_type) {
        TRY(status_set(status, STATUS_DATA, "%s", buf_text(&reader->mixed)));
    }
    if (reader->rules->on_bad_row == BAD_ROW_FAIL ||
        (is_event && reader->rules->other_events == OTHER_EVENTS_FAIL)) {
        struct buf text = {0};
        row_place_add(&reader->place, &text);
        buf_addf(&text, ": %s%s" PRIVATE_BEGIN "%s" PRIVATE_END, row_fault_names[fault],
                 value[0] != '\0' ? ": " : "", value);
        if (is_event) {
            buf_add_text(&text, " is not listed in event_weights");
        }
        code = status_set(status, STATUS_DATA, "%s", buf_text(&text));
        buf_release(&text);
    } else if (reader->rules->max_bad_share == 0 &&
               reader->report->n_rejected > reader->rules->max_bad_rows) {
        code = too_many_bad_rows(reader, status);
    }
done:
    return code;
}

static int64_t count_mixed(const struct row_report *report)
{
    return report->faults[FAULT_USER_TYPE] + report->faults[FAULT_ITEM_TYPE];
}

/* What can be told only when all rows are read. A stray id of the other type is a bad row; a column
 * in which one id in twenty is, is two columns that were put together. */
static enum status_code check_report(const struct reader *reader, struct status *status)
{
    const struct row_report *report = reader->report;
    const double share = reader->rules->max_bad_share;
    const int64_t n_mixed = count_mixed(report) - reader->n_mixed_before;

    if (n_mixed * 20 > report->n_rows - reader->n_rows_before) {
        return status_set(status, STATUS_DATA, "%s",
                          reader->mixed.length > 0
                              ? buf_text(&reader->mixed)
                              : "ids of two types; all ids of a column must be of one type");
    }
    if (share > 0 && report->n_rejected > MAX_BAD_ROWS_LEAST &&
        (double)report->n_rejected > share * (double)report->n_rows) {
        return too_many_bad_rows(reader, status);
    }
    return STATUS_OK;
}

/* The current row has an id of another type than the rows before. */
static enum status_code reject_mixed(struct reader *reader, int which, const struct id_column *ids,
                                     enum id_type type, struct status *status)
{
    struct buf *text = &reader->mixed;
    const bool is_user = which == COLUMN_USER;

    if (text->length == 0) {
        char value[ROW_VALUE_MAX];
        describe_cell(reader->statement, reader->columns.index[which], value);
        row_place_add(&reader->place, text);
        /* who it is stays out of messages and logs; where the row stands is told */
        buf_addf(text, ": %s%s%s is %s, but ", id_column_names[which], is_user ? "" : " ",
                 is_user ? "" : value, id_type_names[type]);
        row_place_add(&ids->decided_by, text);
        buf_addf(text, " has %s; all ids of a column must be of one type: use CAST in the query",
                 id_type_names[ids->type]);
        enum status_code code = buf_check(text, status);
        if (code != STATUS_OK) {
            return code;
        }
    }
    return reject(reader, is_user ? FAULT_USER_TYPE : FAULT_ITEM_TYPE, reader->columns.index[which],
                  status);
}

/* The fault of an id, or N_ROW_FAULTS. `first_fault` is FAULT_USER_NULL or FAULT_ITEM_NULL; the
 * others follow in the order of row_id_fault. */
static enum row_fault read_raw_id(struct db_query *statement, int column,
                                  enum row_fault first_fault, struct row_id *id)
{
    const enum row_id_fault fault = row_id_read(statement, column, id);

    return fault == ROW_ID_SOUND ? N_ROW_FAULTS : first_fault + (enum row_fault)fault;
}

/* `which` is COLUMN_USER or COLUMN_ITEM. */
static enum status_code read_id(struct reader *reader, int which, struct id_column *ids,
                                struct row_id *id, enum verdict *verdict, struct status *status)
{
    int column = reader->columns.index[which];
    enum row_fault fault = read_raw_id(
        reader->statement, column, which == COLUMN_USER ? FAULT_USER_NULL : FAULT_ITEM_NULL, id);

    if (fault != N_ROW_FAULTS) {
        *verdict = ROW_LEFT_OUT;
        return reject(reader, fault, column, status);
    }
    const enum id_type type = id->is_text ? ID_TEXT : ID_INTEGER;
    if (ids->type == ID_NONE) {
        ids->type = type;
        ids->decided_by = reader->place;
    } else if (ids->type != type) {
        *verdict = ROW_LEFT_OUT;
        return reject_mixed(reader, which, ids, type, status);
    }
    *verdict = ROW_ACCEPTED;
    return STATUS_OK;
}

/* Names are a few bytes long: shorter than the calls of strlen and memcmp. */
static bool text_is(const char *text, size_t length, const char *name)
{
    size_t i = 0;

    while (i < length && name[i] != '\0' && name[i] == text[i]) {
        i++;
    }
    return i == length && name[i] == '\0';
}

/* Index of the event type in event_weights, or its n. */
static size_t find_event(struct reader *reader, const char *text, size_t length)
{
    const struct option_numbers *weights = &reader->rules->event_weights;
    size_t event = reader->event;

    for (size_t i = 0; i < weights->n; i++) {
        if (text_is(text, length, weights->names[event])) {
            reader->event = event;
            return event;
        }
        event = event + 1 < weights->n ? event + 1 : 0;
    }
    return weights->n;
}

static bool is_dislike_type(const struct event_rules *rules, const char *text, size_t length)
{
    for (size_t i = 0; i < rules->dislikes.n; i++) {
        if (text_is(text, length, rules->dislikes.values[i])) {
            return true;
        }
    }
    return false;
}

/* The weight of an event type that is no dislike. */
static enum status_code apply_event_weight(struct reader *reader, const char *text, size_t length,
                                           struct row *row, enum verdict *verdict,
                                           struct status *status)
{
    const struct option_numbers *weights = &reader->rules->event_weights;
    size_t event = find_event(reader, text, length);

    if (weights->n == 0) {
        *verdict = ROW_ACCEPTED;
    } else if (event == weights->n) {
        if (reader->rules->other_events != OTHER_EVENTS_IGNORE) {
            return reject(reader, FAULT_EVENT_UNKNOWN, reader->columns.index[COLUMN_EVENT], status);
        }
        reader->report->filtered[FILTER_EVENT]++;
    } else if (weights->values[event] == 0) {
        reader->report->filtered[FILTER_EVENT]++;
    } else {
        row->weight *= weights->values[event];
        *verdict = ROW_ACCEPTED;
    }
    return STATUS_OK;
}

/* Multiplies the row's weight by that of its event type, or makes it a dislike. An INTEGER type is
 * compared as text. */
static enum status_code read_event(struct reader *reader, struct row *row, enum verdict *verdict,
                                   struct status *status)
{
    int column = reader->columns.index[COLUMN_EVENT];
    struct db_cell cell;
    char number[NUM_TEXT_MAX];

    *verdict = ROW_LEFT_OUT;
    db_column_cell(reader->statement, column, &cell);
    switch (cell.type) {
    case DB_TEXT:
        break;
    case DB_INTEGER:
        cell.length = (size_t)snprintf(number, sizeof number, "%lld", (long long)cell.integer);
        cell.text = number;
        break;
    case DB_FLOAT:
    case DB_NULL:
    case DB_BLOB:
        return reject(reader, FAULT_EVENT, column, status);
    }
    if (is_dislike_type(reader->rules, cell.text, cell.length)) {
        row->is_dislike = true;
        *verdict = ROW_ACCEPTED;
        return STATUS_OK;
    }
    return apply_event_weight(reader, cell.text, cell.length, row, verdict, status);
}

/* Multiplies the row's weight by its number, or compares it as a rating. */
static enum status_code read_weight(struct reader *reader, struct row *row, enum verdict *verdict,
                                    struct status *status)
{
    int column = reader->columns.index[COLUMN_WEIGHT];
    struct db_cell cell;
    double value = 0;

    *verdict = ROW_LEFT_OUT;
    db_column_cell(reader->statement, column, &cell);
    if (cell.type == DB_NULL) {
        return reject(reader, FAULT_WEIGHT_NULL, column, status);
    }
    if (cell.type == DB_BLOB ||
        (cell.type == DB_TEXT && !num_parse_double(cell.text, cell.length, &value))) {
        return reject(reader, FAULT_WEIGHT_TYPE, column, status);
    }
    if (cell.type != DB_TEXT) {
        value = cell.type == DB_INTEGER ? (double)cell.integer : cell.real;
    }
    if (reader->rules->min_rating > 0) {
        if (!isfinite(value)) {
            return reject(reader, FAULT_WEIGHT_RANGE, column, status);
        }
        if (reader->rules->has_dislike_rating && reader->log->dislikes != NULL &&
            value <= reader->rules->dislike_rating) {
            row->is_dislike = true;
            *verdict = ROW_ACCEPTED;
            return STATUS_OK;
        }
        if (value < reader->rules->min_rating) {
            reader->report->filtered[FILTER_RATING]++;
            return STATUS_OK;
        }
        value = 1;
    }
    row->weight *= value;
    if (!(row->weight >= least_weight && row->weight <= greatest_weight)) {
        return reject(reader, FAULT_WEIGHT_RANGE, column, status);
    }
    *verdict = ROW_ACCEPTED;
    return STATUS_OK;
}

/* The time of the current row, or its fault; N_ROW_FAULTS: there is none. */
static enum status_code read_clock(struct reader *reader, int64_t *time, enum row_fault *fault,
                                   struct status *status)
{
    struct db_cell cell;
    struct raw_time raw = {0};
    enum time_verdict verdict = TIME_OK;

    db_column_cell(reader->statement, reader->columns.index[COLUMN_TIME], &cell);
    *fault = cell.type == DB_NULL ? FAULT_TIME_NULL : FAULT_TIME_TYPE;
    switch (cell.type) {
    case DB_INTEGER:
        raw = (struct raw_time){.type = RAW_INTEGER, .integer = cell.integer};
        break;
    case DB_FLOAT:
        raw = (struct raw_time){.type = RAW_REAL, .real = cell.real};
        break;
    case DB_TEXT:
        raw = (struct raw_time){.type = RAW_TEXT, .text = cell.text, .length = cell.length};
        break;
    case DB_NULL:
    case DB_BLOB:
        return STATUS_OK;
    }
    enum status_code code =
        event_clock_read(&reader->clock, &raw, &reader->place, &verdict, time, status);
    *fault = verdict == TIME_OK         ? N_ROW_FAULTS
             : verdict == TIME_BAD_TYPE ? FAULT_TIME_TYPE
                                        : FAULT_TIME_RANGE;
    return code;
}

static enum status_code read_time(struct reader *reader, struct row *row, enum verdict *verdict,
                                  struct status *status)
{
    enum row_fault fault = N_ROW_FAULTS;

    *verdict = ROW_LEFT_OUT;
    enum status_code code = read_clock(reader, &row->time, &fault, status);
    if (code != STATUS_OK) {
        return code;
    }
    if (fault != N_ROW_FAULTS) {
        return reject(reader, fault, reader->columns.index[COLUMN_TIME], status);
    }
    if (!reader->query->is_given_part) {
        const struct event_rules *rules = reader->rules;
        if (rules->since != INT64_MIN && row->time < rules->since) {
            reader->report->filtered[FILTER_SINCE]++;
            return STATUS_OK;
        }
        if (rules->until != INT64_MIN && row->time >= rules->until) {
            reader->report->filtered[FILTER_UNTIL]++;
            return STATUS_OK;
        }
    }
    *verdict = ROW_ACCEPTED;
    return STATUS_OK;
}

/* A row that counts for nothing, whose user has seen its item all the same: since it came, or,
 * where it has no sound time, since ever. */
static enum status_code note_seen(struct reader *reader, const struct row *row,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct event_log *log = reader->log;
    struct event_log *seen = log->seen;
    const struct event_clock clock = reader->clock; /* a row that does not count decides no unit */
    enum row_fault fault = N_ROW_FAULTS;
    /* without times it came with the row that counts before it */
    int64_t time = (int64_t)(log->n + (log->dislikes != NULL ? log->dislikes->n : 0)) - 1;
    int32_t user = 0, item = 0;

    if (seen == NULL || reader->query->is_given_part) {
        goto done;
    }
    if (log->has_times) {
        code = read_clock(reader, &time, &fault, status);
        reader->clock = clock;
        if (code == STATUS_DATA) {
            status_clear(status);
            fault = FAULT_TIME_RANGE;
        }
    }
    TRY(vocabulary_add(&seen->users, &row->user, &user, status));
    TRY(vocabulary_add(&seen->items, &row->item, &item, status));
    TRY(event_log_add(seen, user, item, 1, fault == N_ROW_FAULTS ? time : TIME_FIRST,
                      reader->query->part, status));
done:
    return code;
}

static enum status_code accept(struct reader *reader, const struct row *row, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct event_log *dislikes = reader->log->dislikes;
    struct event_log *log = row->is_dislike ? dislikes : reader->log;
    /* positive rows and dislikes are counted together, so that their order can be told */
    size_t ordinal = reader->log->n + (dislikes != NULL ? dislikes->n : 0);
    int32_t user = 0, item = 0;

    if (log == NULL) {
        reader->report->filtered[FILTER_EVENT]++;
        TRY(note_seen(reader, row, status));
        goto done;
    }
    TRY(vocabulary_add(&log->users, &row->user, &user, status));
    TRY(vocabulary_add(&log->items, &row->item, &item, status));
    TRY(event_log_add(log, user, item, (float)row->weight,
                      reader->log->has_times ? row->time : (int64_t)ordinal, reader->query->part,
                      status));
    reader->report->n_dislikes += row->is_dislike;
    reader->report->n_accepted += !row->is_dislike;
done:
    return code;
}

/* A user that the log has already is not: the hash is taken once for each. */
static bool is_forgotten(const struct reader *reader, const struct row_id *id)
{
    const struct vocabulary *known = &reader->log->users;
    if (reader->rules->forgotten == NULL || reader->rules->forgotten->n == 0) {
        return false;
    }
    return vocabulary_find(known, id) < 0 && forgotten_has(reader->rules->forgotten, id);
}

static enum status_code read_row(struct reader *reader, struct status *status)
{
    enum status_code code = STATUS_OK;
    enum verdict verdict = ROW_ACCEPTED;
    bool has_pair = false;
    struct row row; /* the ids follow; clearing them here would be felt */
    const int *index = reader->columns.index;
    const bool types_count = reader->rules->event_weights.n > 0 || reader->rules->dislikes.n > 0;

    row.weight = 1;
    row.time = 0;
    row.is_dislike = false;
    TRY(read_id(reader, COLUMN_USER, &reader->log->user_ids, &row.user, &verdict, status));
    if (verdict == ROW_ACCEPTED && is_forgotten(reader, &row.user)) {
        reader->report->filtered[FILTER_FORGOTTEN]++;
        verdict = ROW_LEFT_OUT;
    }
    if (verdict == ROW_ACCEPTED) {
        TRY(read_id(reader, COLUMN_ITEM, &reader->log->item_ids, &row.item, &verdict, status));
    }
    has_pair = verdict == ROW_ACCEPTED;
    if (verdict == ROW_ACCEPTED && index[COLUMN_EVENT] >= 0 && types_count) {
        TRY(read_event(reader, &row, &verdict, status));
    }
    if (verdict == ROW_ACCEPTED && index[COLUMN_WEIGHT] >= 0 && !row.is_dislike) {
        TRY(read_weight(reader, &row, &verdict, status));
    }
    if (verdict == ROW_ACCEPTED && reader->log->has_times) {
        TRY(read_time(reader, &row, &verdict, status));
    }
    if (verdict == ROW_ACCEPTED) {
        TRY(accept(reader, &row, status));
    } else if (has_pair) {
        TRY(note_seen(reader, &row, status));
    }
done:
    return code;
}

static void place_row(struct reader *reader)
{
    int rowid = reader->columns.index[COLUMN_ROWID];

    reader->report->n_rows++;
    reader->place.number++;
    reader->place.has_rowid = rowid >= 0 && db_column_type(reader->statement, rowid) == DB_INTEGER;
    if (reader->place.has_rowid) {
        reader->place.rowid = db_column_int64(reader->statement, rowid);
    }
}

static enum status_code refuse_keys(const struct reader *reader, const char *rows,
                                    struct status *status)
{
    return status_set(status, STATUS_DATA,
                      "source.key: %s of %s have the same %s; a key is unique: where the query "
                      "joins two tables, make one of their ids, such as 2 * id and 2 * id + 1",
                      rows, reader->query->what, reader->query->key);
}

/* Keeps the greatest key. One that is no INTEGER would never be found again. *is_known: the row was
 * read earlier. */
static enum status_code read_key(struct reader *reader, bool *is_known, struct status *status)
{
    const int key = reader->columns.key;

    *is_known = false;
    if (key < 0) {
        return STATUS_OK;
    }
    if (db_column_type(reader->statement, key) != DB_INTEGER) {
        struct buf text = {0};
        char value[ROW_VALUE_MAX];
        describe_cell(reader->statement, key, value);
        place_row(reader);
        row_place_add(&reader->place, &text);
        enum status_code code = status_set(
            status, STATUS_DATA,
            "source.key: %s: %s is " PRIVATE_BEGIN "%s" PRIVATE_END "; a key is an INTEGER",
            buf_text(&text), reader->query->key, value[0] != '\0' ? value : "NULL");
        buf_release(&text);
        return code;
    }
    const int64_t value = db_column_int64(reader->statement, key);
    *is_known = reader->query->n_before > 0 && value == reader->query->after;
    if (*is_known && reader->log->has_last) {
        return refuse_keys(reader, "the last row that was read, and a new one,", status);
    }
    reader->log->has_last = reader->log->has_last || *is_known;
    reader->log->last_key = value > reader->log->last_key ? value : reader->log->last_key;
    return *is_known ? STATUS_OK : unique_keys_add(&reader->keys, value, status);
}

/* Rows of one key: the night after, those of them that are new would lie behind a key that was
 * read, and never be seen. */
static enum status_code check_keys(const struct reader *reader, struct status *status)
{
    bool collide = false;
    size_t first, second;
    enum status_code code = unique_keys_end(&reader->keys, &collide, &first, &second, status);

    if (code == STATUS_OK && collide) {
        char rows[64];
        snprintf(rows, sizeof rows, "rows %zu and %zu", first + 1, second + 1);
        code = refuse_keys(reader, rows, status);
    }
    return code;
}

/* Asking the time costs as much as reading a row, so it is asked every `interval` rows, which grows
 * while rows come fast and shrinks when they come slowly. */
struct pace {
    double asked, told;
    int64_t interval, next;
};

static enum status_code keep_pace(struct pace *pace, const struct watch *watch, int64_t n_rows,
                                  struct status *status)
{
    enum { MOST_ROWS = 8192 };
    double now = clock_monotonic();

    if (now - pace->asked < 0.01 && pace->interval < MOST_ROWS) {
        pace->interval *= 2;
    } else if (now - pace->asked > 0.1 && pace->interval > 1) {
        pace->interval /= 2;
    }
    pace->asked = now;
    pace->next = n_rows + pace->interval;
    if (now - pace->told < 0.05) {
        return STATUS_OK;
    }
    pace->told = now;
    return watch_step(watch, (double)n_rows, 0.0, status);
}

static enum status_code read_rows(struct reader *reader, const struct watch *watch,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct pace pace = {clock_monotonic(), clock_monotonic(), 1, reader->report->n_rows};
    bool has_row = false, is_known = false;

    TRY(db_step(reader->statement, &has_row, status));
    while (has_row) {
        TRY(read_key(reader, &is_known, status));
        if (!is_known) {
            place_row(reader);
            TRY(read_row(reader, status));
        }
        if (watch != NULL && reader->report->n_rows >= pace.next) {
            TRY(keep_pace(&pace, watch, reader->report->n_rows, status));
        }
        TRY(db_step(reader->statement, &has_row, status));
    }
done:
    return code;
}

enum status_code event_reader_run(struct db *db, const struct event_query *query,
                                  const struct event_rules *rules, const struct watch *watch,
                                  struct event_log *log, struct row_report *report,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct reader reader = {
        .query = query,
        .rules = rules,
        .log = log,
        .report = report,
        .clock = {.unit = rules->time_unit, .is_declared = rules->time_unit != TIME_AUTO},
        .place = {.query = query->what, .number = query->n_before}};

    assert(log->user_start == NULL);
    if (query->is_given_part) {
        reader.n_mixed_before = count_mixed(report);
        reader.n_rows_before = report->n_rows;
    }
    if (query->n_before > 0) { /* the rows before have said it */
        reader.clock.unit = (enum time_unit)log->time_unit;
        reader.clock.is_declared = reader.clock.unit != TIME_AUTO;
    } else if (query->key != NULL) {
        log->last_key = INT64_MIN;
    }
    log->has_last = false;
    TRY(event_columns_open(db, query, rules, &reader.statement, &reader.columns, status));
    bool has_times = reader.columns.index[COLUMN_TIME] >= 0;
    if (query->is_given_part && query->part == PART_VALID) {
        if (log->has_times && !has_times) {
            code = status_set(status, STATUS_CONFIG,
                              "%s: source.interactions has times, so this query needs a column "
                              "named time, too",
                              query->what);
            goto done;
        }
    } else {
        log->has_times = has_times;
    }
    TRY(read_rows(&reader, watch, status));
    TRY(check_report(&reader, status));
    TRY(check_keys(&reader, status));
    log->time_unit = (int)reader.clock.unit;
done:
    db_finalize(reader.statement);
    buf_release(&reader.mixed);
    unique_keys_release(&reader.keys);
    return code;
}
