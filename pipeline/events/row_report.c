/* Counts and examples of rows that were left out, and the sentences made of them. */
#include "events/row_report.h"

#include "base/mem.h"
#include "base/num.h"

#include <math.h>

const char *const row_filter_names[N_ROW_FILTERS] = {
    [FILTER_EVENT] = "event_weights", [FILTER_RATING] = "min_rating", [FILTER_SINCE] = "since",
    [FILTER_UNTIL] = "until",         [FILTER_FORGOTTEN] = "forget",
};

const char *const row_fault_names[N_ROW_FAULTS] = {
    [FAULT_USER_NULL] = "user_id is NULL",
    [FAULT_USER_BLOB] = "user_id is a BLOB",
    [FAULT_USER_EMPTY] = "user_id is an empty text",
    [FAULT_USER_FRACTION] = "user_id is not a whole number",
    [FAULT_USER_TYPE] = "user_id is of another type than those before",
    [FAULT_ITEM_NULL] = "item_id is NULL",
    [FAULT_ITEM_BLOB] = "item_id is a BLOB",
    [FAULT_ITEM_EMPTY] = "item_id is an empty text",
    [FAULT_ITEM_FRACTION] = "item_id is not a whole number",
    [FAULT_ITEM_TYPE] = "item_id is of another type than those before",
    [FAULT_EVENT] = "event is NULL or a BLOB",
    [FAULT_EVENT_UNKNOWN] = "unknown event type",
    [FAULT_WEIGHT_NULL] = "weight is NULL (or NaN, which SQLite stores as NULL)",
    [FAULT_WEIGHT_TYPE] = "weight is not a number",
    [FAULT_WEIGHT_RANGE] = "weight is not a finite number above 0",
    [FAULT_TIME_NULL] = "time is NULL",
    [FAULT_TIME_TYPE] = "time is neither a number nor an ISO-8601 text",
    [FAULT_TIME_RANGE] = "time is outside 1980..2200",
};

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

void row_value_describe(struct db_query *query, int column, char out[ROW_VALUE_MAX])
{
    struct db_cell cell;

    out[0] = '\0';
    db_column_cell(query, column, &cell);
    if (cell.type == DB_INTEGER) {
        snprintf(out, ROW_VALUE_MAX, "%lld", (long long)cell.integer);
    } else if (cell.type == DB_TEXT) {
        describe_text(cell.text, cell.length, out);
    } else if (cell.type == DB_FLOAT && isinf(cell.real)) {
        snprintf(out, ROW_VALUE_MAX, "infinity");
    } else if (cell.type == DB_FLOAT) {
        num_format_double(cell.real, out);
    }
}

enum status_code row_report_fault(struct row_report *report, enum row_fault fault,
                                  const struct row_place *place, const char *value,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct rejected_rows *rejected = report->rejected;
    struct rejected_row row = {.fault = fault, .place = *place};
    int64_t seen = report->faults[fault]++;

    report->n_rejected++;
    snprintf(row.value, sizeof row.value, "%s", value);
    if (seen == 0) {
        report->first[fault] = row;
    }
    if (rejected == NULL || seen >= ROW_KEPT_MAX) {
        goto done;
    }
    if (rejected->n == rejected->capacity) {
        size_t wider = rejected->capacity == 0 ? 64 : 2 * rejected->capacity;
        TRY(MEM_RESIZE(&rejected->rows, rejected->n, wider, status));
        rejected->capacity = wider;
    }
    rejected->rows[rejected->n++] = row;
done:
    return code;
}

void rejected_rows_release(struct rejected_rows *rejected)
{
    mem_free(rejected->rows);
    *rejected = (struct rejected_rows){0};
}

void row_place_add(const struct row_place *place, struct buf *out)
{
    const bool is_named = place->has_rowid || place->has_key;

    buf_addf(out, "%s %lld of %s", place->has_rowid ? "rowid" : (place->has_key ? "key" : "row"),
             (long long)(is_named ? place->rowid : place->number), place->query);
    if (place->part > 0) {
        buf_addf(out, " in the part of rank %d", place->part - 1);
    }
}

void row_report_join(struct row_report *report, const struct row_report *other)
{
    for (size_t f = 0; f < N_ROW_FAULTS; f++) {
        if (report->faults[f] == 0) {
            report->first[f] = other->first[f];
        }
        report->faults[f] += other->faults[f];
    }
    for (size_t f = 0; f < N_ROW_FILTERS; f++) {
        report->filtered[f] += other->filtered[f];
    }
    report->n_rows += other->n_rows;
    report->n_accepted += other->n_accepted;
    report->n_rejected += other->n_rejected;
    report->n_dislikes += other->n_dislikes;
}

enum status_code row_report_unite(struct ranks *ranks, const char *query, struct row_report *report,
                                  struct status *status)
{
    enum status_code code;
    struct ranks_bytes all = {0};
    struct rejected_rows *rejected = report->rejected;

    TRY(ranks_gather(ranks, report, sizeof *report, &all, status));
    const struct row_report *reports = (const void *)all.data;
    memset(report, 0, sizeof *report);
    for (size_t r = 0; r < ranks_n(ranks); r++) {
        row_report_join(report, &reports[r]);
    }
    report->rejected = rejected;
    for (size_t f = 0; f < N_ROW_FAULTS; f++) {
        report->first[f].place.query = query; /* not another process's pointer */
    }
done:
    ranks_bytes_release(&all);
    return code;
}

int64_t row_report_mixed(const struct row_report *report)
{
    return report->faults[FAULT_USER_TYPE] + report->faults[FAULT_ITEM_TYPE];
}

void row_report_add(const struct row_report *report, struct buf *out)
{
    const char *separator = "";

    if (report->n_dislikes > 0) {
        buf_addf(out, "%lld dislikes", (long long)report->n_dislikes);
        separator = ", ";
    }
    for (size_t f = 0; f < N_ROW_FILTERS; f++) {
        if (report->filtered[f] > 0) {
            buf_addf(out, "%s%s took %lld", separator, row_filter_names[f],
                     (long long)report->filtered[f]);
            separator = ", ";
        }
    }
    if (report->n_rejected == 0) {
        return;
    }
    buf_addf(out, "%s%lld rejected", separator, (long long)report->n_rejected);
    separator = ": ";
    for (size_t f = 0; f < N_ROW_FAULTS; f++) {
        if (report->faults[f] > 0) {
            const struct rejected_row *example = &report->first[f];
            buf_addf(out, "%s%lld x %s (first: ", separator, (long long)report->faults[f],
                     row_fault_names[f]);
            row_place_add(&example->place, out);
            buf_addf(out, "%s" PRIVATE_BEGIN "%s" PRIVATE_END ")",
                     example->value[0] == '\0' ? "" : ", value ", example->value);
            separator = "; ";
        }
    }
}
