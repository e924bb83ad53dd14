/* Reading interaction rows: the keys, the pace, the loop. What becomes of a row is event_row.c's.
 */
#include "events/event_reader.h"

#include "base/clock.h"
#include "base/mem.h"
#include "events/event_row.h"
#include "events/part_agreement.h"
#include "events/unique_keys.h"

#include <assert.h>

static void place_row(struct row_reader *reader)
{
    const int rowid = reader->columns.index[COLUMN_ROWID], key = reader->columns.key;
    struct row_place *place = &reader->place;

    reader->report->n_rows++;
    place->number++;
    place->has_rowid = rowid >= 0 && db_column_type(reader->statement, rowid) == DB_INTEGER;
    place->has_key = !place->has_rowid && reader->query->range.is_given &&
                     db_column_type(reader->statement, key) == DB_INTEGER;
    if (place->has_rowid || place->has_key) {
        place->rowid = db_column_int64(reader->statement, place->has_rowid ? rowid : key);
    }
}

static enum status_code refuse_keys(const struct row_reader *reader, const char *rows,
                                    struct status *status)
{
    return status_set(status, STATUS_DATA,
                      "source.key: %s of %s have the same %s; a key is unique: where the query "
                      "joins two tables, make one of their ids, such as 2 * id and 2 * id + 1",
                      rows, reader->query->what, reader->query->key);
}

/* Keeps the greatest key. One that is no INTEGER would never be found again. *is_known: the row was
 * read earlier. */
static enum status_code read_key(struct row_reader *reader, struct unique_keys *keys,
                                 bool *is_known, struct status *status)
{
    const int key = reader->columns.key;

    *is_known = false;
    if (key < 0) {
        return STATUS_OK;
    }
    if (db_column_type(reader->statement, key) != DB_INTEGER) {
        struct buf text = {0};
        char value[ROW_VALUE_MAX];
        row_value_describe(reader->statement, key, value);
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
    return *is_known ? STATUS_OK : unique_keys_add(keys, value, status);
}

/* Rows of one key: the night after, those of them that are new would lie behind a key that was
 * read, and never be seen. */
static enum status_code check_keys(const struct row_reader *reader, const struct unique_keys *keys,
                                   struct status *status)
{
    bool collide = false;
    size_t first, second;
    enum status_code code = unique_keys_end(keys, &collide, &first, &second, status);

    if (code == STATUS_OK && collide) {
        char rows[64] = "two rows"; /* of a part, whose numbers say nothing */
        if (!reader->query->in_parts) {
            snprintf(rows, sizeof rows, "rows %zu and %zu", first + 1, second + 1);
        }
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

/* ---- with other ranks ---- */

/* Rows that a rank reads before it sends on those of others. */
enum { ROWS_BETWEEN_MEETINGS = 1 << 16 };
/* A rank has fewer rows than these. */
enum { PART_ORDINAL_BITS = 48 };

/* reader->report is of all ranks, and has more bad rows than it may. Either the first id of all was
 * the odd one, and everything is read again with the type of the others, or it is an error. */
static enum status_code refuse_parts(struct row_reader *reader, struct part_agreement *agreed,
                                     struct status *status)
{
    const struct row_report *report = reader->report;
    const bool odd_user = row_id_is_outvoted(report, FAULT_USER_TYPE, &agreed->users);
    const bool odd_item = row_id_is_outvoted(report, FAULT_ITEM_TYPE, &agreed->items);
    enum status_code code = STATUS_OK;

    agreed->differs = reader->rules->on_bad_row == BAD_ROW_REJECT && (odd_user || odd_item);
    if (!agreed->differs && reader->mixed.length == 0) { /* who has seen such ids says it for all */
        TRY(ranks_agree(reader->log->ranks, status));
    }
    if (!agreed->differs) {
        TRY(row_reader_check(reader, status));
        TRY(row_reader_refuse(reader, status));
    }
done:
    return code;
}

static bool has_too_many(const struct row_reader *reader, int64_t n_rejected)
{
    return reader->rules->max_bad_share == 0 && n_rejected > reader->rules->max_bad_rows;
}

/* What ranks do together while each reads its part: agree, then send on. */
static enum status_code meet(struct row_reader *reader, bool is_done, struct part_agreement *agreed,
                             struct status *status)
{
    enum status_code code;
    const struct event_log *log = reader->log;
    const struct part_state state = {.n_rejected = reader->report->n_rejected,
                                     .is_done = is_done,
                                     .has_times = log->has_times,
                                     .users = log->user_ids,
                                     .items = log->item_ids,
                                     .clock = reader->clock};

    TRY(part_agreement_reach(log->ranks, reader->query->what, &state, agreed, status));
    if (!agreed->differs && has_too_many(reader, agreed->n_rejected)) {
        TRY(row_report_unite(log->ranks, reader->query->what, reader->report, status));
        TRY(refuse_parts(reader, agreed, status));
    } else if (!agreed->differs) {
        TRY(row_sharing_deliver(reader->sharing, status));
    }
done:
    return code;
}

/* The last rows are sent on; what all parts come to together. */
static enum status_code finish_parts(struct row_reader *reader, struct part_agreement *agreed,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    struct event_log *log = reader->log;
    struct status *ignored = NULL; /* on the heap: a status is large */

    while (!agreed->differs && !agreed->is_done) {
        TRY(meet(reader, true, agreed, status));
    }
    if (!agreed->differs) {
        TRY(row_report_unite(log->ranks, reader->query->what, reader->report, status));
        TRY(MEM_NEW(&ignored, 1, status));
        if (row_reader_check(reader, ignored) != STATUS_OK) {
            TRY(refuse_parts(reader, agreed, status));
        }
    }
    log->user_ids = agreed->users;
    log->item_ids = agreed->items;
    log->reads_again = agreed->differs;
done:
    mem_free(ignored);
    return code;
}

static enum status_code read_rows(struct row_reader *reader, struct unique_keys *keys,
                                  struct part_agreement *agreed, const struct watch *watch,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct pace pace = {clock_monotonic(), clock_monotonic(), 1, reader->report->n_rows};
    const bool in_parts = reader->query->in_parts;
    bool has_row = false, is_known = false;

    TRY(db_step(reader->statement, &has_row, status));
    while (has_row && !agreed->differs) {
        TRY(read_key(reader, keys, &is_known, status));
        if (!is_known) {
            place_row(reader);
            TRY(row_reader_take(reader, status));
        }
        if (watch != NULL && reader->report->n_rows >= pace.next) {
            TRY(keep_pace(&pace, watch, reader->report->n_rows, status));
        }
        if (in_parts && reader->report->n_rows % ROWS_BETWEEN_MEETINGS == 0) {
            TRY(meet(reader, false, agreed, status));
        }
        TRY(db_step(reader->statement, &has_row, status));
    }
done:
    return code;
}

/* Reads what this rank is to read, with the others. `report` gets what all have come to. */
static enum status_code read_shared(struct row_reader *reader, struct unique_keys *keys,
                                    const struct watch *watch, struct status *status)
{
    enum status_code code;
    struct event_log *log = reader->log;
    struct row_report *report = reader->report;
    struct row_report own = {.rejected = report->rejected};
    struct row_sharing sharing = {.ranks = log->ranks,
                                  .in_parts = reader->query->in_parts,
                                  .logs = {log, log->dislikes, log->seen}};
    struct part_agreement agreed = {0};

    reader->sharing = ranks_n(log->ranks) == 1 ? NULL : &sharing;
    if (!sharing.in_parts) {
        TRY(read_rows(reader, keys, &agreed, watch, status));
        TRY(row_reader_check(reader, status));
        goto done;
    }
    reader->report = &own;
    reader->n_mixed_before = reader->n_rows_before = 0;
    /* rows of a later rank are later where there are no times, and given ones later still */
    log->first_ordinal = (int64_t)ranks_mine(log->ranks) << PART_ORDINAL_BITS;
    TRY(read_rows(reader, keys, &agreed, watch, status));
    TRY(finish_parts(reader, &agreed, status));
    log->first_ordinal = (int64_t)ranks_n(log->ranks) << PART_ORDINAL_BITS;
    row_report_join(report, &own);
done:
    row_sharing_release(&sharing);
    reader->sharing = NULL;
    reader->report = report;
    return code;
}

enum status_code event_reader_run(struct db *db, const struct event_query *query,
                                  const struct event_rules *rules, const struct watch *watch,
                                  struct event_log *log, struct row_report *report,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct unique_keys keys = {0}; /* of the rows that are new */
    struct row_reader reader = {
        .query = query,
        .rules = rules,
        .log = log,
        .report = report,
        .clock = {.unit = rules->time_unit, .is_declared = rules->time_unit != TIME_AUTO},
        .place = {.query = query->what,
                  .part = (uint8_t)(query->in_parts && !query->range.is_given
                                        ? ranks_mine(log->ranks) + 1
                                        : 0),
                  .number = query->n_before}};

    assert(log->user_start == NULL);
    if (query->is_given_part) {
        reader.n_mixed_before = row_report_mixed(report);
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
    TRY(read_shared(&reader, &keys, watch, status));
    TRY(check_keys(&reader, &keys, status));
    log->time_unit = (int)reader.clock.unit;
done:
    db_finalize(reader.statement);
    buf_release(&reader.mixed);
    unique_keys_release(&keys);
    return code;
}
