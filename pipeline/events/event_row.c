/* Each row ends with exactly one verdict: accepted, left out by a rule, or rejected with a reason.
 */
#include "events/event_row.h"

#include "base/num.h"

#include <math.h>

/* Weights beyond these would leave the range of a float when they are multiplied or decayed. */
static const double least_weight = 1e-30, greatest_weight = 1e30;

static const char *const id_type_names[] = {"nothing", "INTEGER", "TEXT"};
static const char *const id_column_names[] = {"user_id", "item_id"};

/* What the row holds, as far as it was read. */
struct row {
    struct row_id user, item;
    double weight;
    int64_t time;
    bool is_dislike;
    bool counts; /* nothing so far left it out */
};

/* ---- rows that do not count ---- */

static enum status_code leave_out(struct row_reader *reader, struct row *row,
                                  enum row_filter filter)
{
    reader->report->filtered[filter]++;
    row->counts = false;
    return STATUS_OK;
}

/* How a query would leave out most of the bad rows. */
static const char *filter_hint(const struct row_report *report)
{
    const int64_t *n = report->faults;
    if (n[FAULT_ITEM_NULL] > n[FAULT_USER_NULL]) {
        return "WHERE item_id IS NOT NULL";
    }
    if (n[FAULT_USER_NULL] > 0) {
        return "WHERE user_id IS NOT NULL";
    }
    return n[FAULT_TIME_NULL] > 0 ? "WHERE ... IS NOT NULL, or no column of times at all"
                                  : "WHERE ...";
}

enum status_code row_reader_refuse(const struct row_reader *reader, struct status *status)
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
        filter_hint(reader->report));
    buf_release(&text);
    return code;
}

/* Rejects the current row for what stands in `column`, or fails, as the rules say. */
static enum status_code reject(struct row_reader *reader, struct row *row, enum row_fault fault,
                               int column, struct status *status)
{
    enum status_code code;
    char value[ROW_VALUE_MAX];
    const bool is_event = fault == FAULT_EVENT_UNKNOWN;
    const bool is_type = fault == FAULT_USER_TYPE || fault == FAULT_ITEM_TYPE;

    row->counts = false;
    row_value_describe(reader->statement, column, value);
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
    } else if (reader->rules->max_bad_share == 0 && !reader->query->in_parts &&
               reader->report->n_rejected > reader->rules->max_bad_rows) {
        code = row_reader_refuse(reader, status);
    }
done:
    return code;
}

/* The current row has an id of another type than the rows before. */
static enum status_code reject_mixed(struct row_reader *reader, struct row *row, int which,
                                     const struct id_column *ids, enum id_type type,
                                     struct status *status)
{
    struct buf *text = &reader->mixed;
    const bool is_user = which == COLUMN_USER;

    if (text->length == 0) {
        char value[ROW_VALUE_MAX];
        row_value_describe(reader->statement, reader->columns.index[which], value);
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
    return reject(reader, row, is_user ? FAULT_USER_TYPE : FAULT_ITEM_TYPE,
                  reader->columns.index[which], status);
}

bool row_id_is_outvoted(const struct row_report *report, enum row_fault fault,
                        struct id_column *ids)
{
    const bool is = report->faults[fault] * 2 > report->n_rows;
    if (is) {
        *ids = (struct id_column){.type = ids->type == ID_TEXT ? ID_INTEGER : ID_TEXT,
                                  .is_settled = true,
                                  .decided_by = report->first[fault].place};
    } else if (!ids->is_settled) {
        *ids = (struct id_column){0};
    }
    return is;
}

enum status_code row_reader_check(const struct row_reader *reader, struct status *status)
{
    const struct row_report *report = reader->report;
    const double share = reader->rules->max_bad_share;
    const int64_t n_mixed = row_report_mixed(report) - reader->n_mixed_before;

    if (n_mixed * 20 > report->n_rows - reader->n_rows_before) {
        return status_set(status, STATUS_DATA, "%s",
                          reader->mixed.length > 0
                              ? buf_text(&reader->mixed)
                              : "ids of two types; all ids of a column must be of one type");
    }
    if (share > 0 && report->n_rejected > MAX_BAD_ROWS_LEAST &&
        (double)report->n_rejected > share * (double)report->n_rows) {
        return row_reader_refuse(reader, status);
    }
    return STATUS_OK;
}

/* ---- columns ---- */

/* `which` is COLUMN_USER or COLUMN_ITEM. */
static enum status_code read_id(struct row_reader *reader, struct row *row, int which,
                                struct status *status)
{
    const bool is_user = which == COLUMN_USER;
    struct id_column *ids = is_user ? &reader->log->user_ids : &reader->log->item_ids;
    struct row_id *id = is_user ? &row->user : &row->item;
    const int column = reader->columns.index[which];
    const enum row_id_fault fault = row_id_read(reader->statement, column, id);

    if (fault != ROW_ID_SOUND) { /* the faults of a column are in the order of row_id_fault */
        const enum row_fault first = is_user ? FAULT_USER_NULL : FAULT_ITEM_NULL;
        return reject(reader, row, first + (enum row_fault)fault, column, status);
    }
    const enum id_type type = id->is_text ? ID_TEXT : ID_INTEGER;
    if (ids->type == ID_NONE) {
        ids->type = type;
        ids->decided_by = reader->place;
    }
    return ids->type == type ? STATUS_OK : reject_mixed(reader, row, which, ids, type, status);
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
static size_t find_event(struct row_reader *reader, const char *text, size_t length)
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

/* Multiplies the row's weight by that of its event type, or makes it a dislike. An INTEGER type is
 * compared as text. */
static enum status_code read_event(struct row_reader *reader, struct row *row,
                                   struct status *status)
{
    const struct event_rules *rules = reader->rules;
    const struct option_numbers *weights = &rules->event_weights;
    const int column = reader->columns.index[COLUMN_EVENT];
    struct db_cell cell;
    char number[NUM_TEXT_MAX];

    db_column_cell(reader->statement, column, &cell);
    if (cell.type == DB_INTEGER) {
        cell.length = (size_t)snprintf(number, sizeof number, "%lld", (long long)cell.integer);
        cell.text = number;
    } else if (cell.type != DB_TEXT) {
        return reject(reader, row, FAULT_EVENT, column, status);
    }
    for (size_t i = 0; i < rules->dislikes.n; i++) {
        if (text_is(cell.text, cell.length, rules->dislikes.values[i])) {
            row->is_dislike = true;
            return STATUS_OK;
        }
    }
    if (weights->n == 0) {
        return STATUS_OK;
    }
    const size_t event = find_event(reader, cell.text, cell.length);
    if (event == weights->n && rules->other_events != OTHER_EVENTS_IGNORE) {
        return reject(reader, row, FAULT_EVENT_UNKNOWN, column, status);
    }
    if (event == weights->n || weights->values[event] == 0) {
        return leave_out(reader, row, FILTER_EVENT);
    }
    row->weight *= weights->values[event];
    return STATUS_OK;
}

/* Multiplies the row's weight by its number, or compares it as a rating. */
static enum status_code read_weight(struct row_reader *reader, struct row *row,
                                    struct status *status)
{
    const struct event_rules *rules = reader->rules;
    const int column = reader->columns.index[COLUMN_WEIGHT];
    struct db_cell cell;
    double value = 0;

    db_column_cell(reader->statement, column, &cell);
    if (cell.type == DB_NULL) {
        return reject(reader, row, FAULT_WEIGHT_NULL, column, status);
    }
    if (cell.type == DB_BLOB ||
        (cell.type == DB_TEXT && !num_parse_double(cell.text, cell.length, &value))) {
        return reject(reader, row, FAULT_WEIGHT_TYPE, column, status);
    }
    if (cell.type != DB_TEXT) {
        value = cell.type == DB_INTEGER ? (double)cell.integer : cell.real;
    }
    if (rules->min_rating > 0) {
        if (!isfinite(value)) {
            return reject(reader, row, FAULT_WEIGHT_RANGE, column, status);
        }
        if (rules->has_dislike_rating && reader->log->dislikes != NULL &&
            value <= rules->dislike_rating) {
            row->is_dislike = true;
            return STATUS_OK;
        }
        if (value < rules->min_rating) {
            return leave_out(reader, row, FILTER_RATING);
        }
        value = 1;
    }
    row->weight *= value;
    if (!(row->weight >= least_weight && row->weight <= greatest_weight)) {
        return reject(reader, row, FAULT_WEIGHT_RANGE, column, status);
    }
    return STATUS_OK;
}

static enum status_code read_time(struct row_reader *reader, struct row *row, struct status *status)
{
    const struct event_rules *rules = reader->rules;
    const int column = reader->columns.index[COLUMN_TIME];
    struct db_cell cell;
    enum row_fault fault;

    db_column_cell(reader->statement, column, &cell);
    enum status_code code =
        event_clock_read(&reader->clock, &cell, &reader->place, &fault, &row->time, status);
    if (code != STATUS_OK) {
        return code;
    }
    if (fault != N_ROW_FAULTS) {
        return reject(reader, row, fault, column, status);
    }
    if (reader->query->is_given_part) {
        return STATUS_OK;
    }
    if (rules->since != INT64_MIN && row->time < rules->since) {
        return leave_out(reader, row, FILTER_SINCE);
    }
    if ((rules->until != INT64_MIN && row->time >= rules->until) ||
        (rules->as_of != 0 && row->time >= rules->as_of)) {
        return leave_out(reader, row, FILTER_UNTIL);
    }
    return STATUS_OK;
}

/* ---- into the log ---- */

/* Into the log of the rank whose user it is. */
static enum status_code put(struct row_reader *reader, struct event_log *log, const struct row *row,
                            float weight, int64_t time, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct row_sharing *sharing = reader->sharing;
    int32_t user = 0, item = 0;

    if (sharing != NULL && !row_sharing_is_own(sharing, &row->user)) {
        return sharing->in_parts ? row_sharing_send(sharing, log, &row->user, &row->item, weight,
                                                    time, reader->query->part, status)
                                 : STATUS_OK;
    }
    TRY(vocabulary_add(&log->users, &row->user, &user, status));
    TRY(vocabulary_add(&log->items, &row->item, &item, status));
    TRY(event_log_add(log, user, item, weight, time, reader->query->part, status));
done:
    return code;
}

/* Positive rows and dislikes are counted together, so that their order can be told. */
static int64_t next_ordinal(const struct row_reader *reader)
{
    return reader->log->first_ordinal + reader->report->n_accepted + reader->report->n_dislikes;
}

/* A row that counts for nothing, whose user has seen its item all the same: since it came, or,
 * where it has no sound time, since ever. */
static enum status_code note_seen(struct row_reader *reader, const struct row *row,
                                  struct status *status)
{
    struct event_log *seen = reader->log->seen;
    struct event_clock clock = reader->clock; /* a row that does not count decides no unit */
    enum row_fault fault = N_ROW_FAULTS;
    /* without times it came with the row that counts before it */
    int64_t time = next_ordinal(reader) - 1;

    if (seen == NULL || reader->query->is_given_part) {
        return STATUS_OK;
    }
    if (reader->log->has_times) {
        struct db_cell cell;
        db_column_cell(reader->statement, reader->columns.index[COLUMN_TIME], &cell);
        if (event_clock_read(&clock, &cell, &reader->place, &fault, &time, status) != STATUS_OK) {
            status_clear(status);
            fault = FAULT_TIME_RANGE;
        }
        if (fault == N_ROW_FAULTS && reader->rules->as_of != 0 && time >= reader->rules->as_of) {
            return STATUS_OK;
        }
    }
    return put(reader, seen, row, 1, fault == N_ROW_FAULTS ? time : TIME_FIRST, status);
}

static enum status_code accept(struct row_reader *reader, const struct row *row,
                               struct status *status)
{
    enum status_code code = STATUS_OK;
    struct event_log *log = row->is_dislike ? reader->log->dislikes : reader->log;

    if (log == NULL) {
        reader->report->filtered[FILTER_EVENT]++;
        TRY(note_seen(reader, row, status));
        goto done;
    }
    TRY(put(reader, log, row, (float)row->weight,
            reader->log->has_times ? row->time : next_ordinal(reader), status));
    reader->report->n_dislikes += row->is_dislike;
    reader->report->n_accepted += !row->is_dislike;
done:
    return code;
}

enum status_code row_reader_take(struct row_reader *reader, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct event_rules *rules = reader->rules;
    const int *index = reader->columns.index;
    struct row row; /* the ids follow; clearing them here would be felt */

    row.weight = 1;
    row.time = 0;
    row.is_dislike = false;
    row.counts = true;
    TRY(read_id(reader, &row, COLUMN_USER, status));
    /* a user that the log has already is not forgotten: the hash is taken once for each */
    if (row.counts && rules->forgotten != NULL && rules->forgotten->n > 0 &&
        vocabulary_find(&reader->log->users, &row.user) < 0 &&
        forgotten_has(rules->forgotten, &row.user)) {
        TRY(leave_out(reader, &row, FILTER_FORGOTTEN));
    }
    if (row.counts) {
        TRY(read_id(reader, &row, COLUMN_ITEM, status));
    }
    const bool has_pair = row.counts;
    if (row.counts && index[COLUMN_EVENT] >= 0 &&
        (rules->event_weights.n > 0 || rules->dislikes.n > 0)) {
        TRY(read_event(reader, &row, status));
    }
    if (row.counts && index[COLUMN_WEIGHT] >= 0 && !row.is_dislike) {
        TRY(read_weight(reader, &row, status));
    }
    if (row.counts && reader->log->has_times) {
        TRY(read_time(reader, &row, status));
    }
    if (row.counts) {
        TRY(accept(reader, &row, status));
    } else if (has_pair) {
        TRY(note_seen(reader, &row, status));
    }
done:
    return code;
}
