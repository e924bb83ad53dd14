/* Titles, principal components, Lorenz curves. */
#include "stages/report/report_items.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>

/* ---- names ---- */

static int column_of(const struct db_query *query, const char *name)
{
    for (int i = 0; i < db_column_count(query); i++) {
        if (strcasecmp(db_column_name(query, i), name) == 0) {
            return i;
        }
    }
    return -1;
}

/* Rows of the query by served code: titles[code], categories[code] hold 1 + their index in `texts`.
 */
struct name_rows {
    struct strings texts;
    size_t *titles, *categories;
};

static void name_rows_release(struct name_rows *rows)
{
    strings_release(&rows->texts);
    mem_free(rows->titles);
    mem_free(rows->categories);
}

static enum status_code take_text(struct name_rows *rows, struct db_query *query, int column,
                                  size_t *place, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (column >= 0 && db_column_type(query, column) != DB_NULL) {
        size_t length;
        const char *text = db_column_text(query, column, &length);
        TRY(strings_add(&rows->texts, text, length, status));
        *place = rows->texts.n;
    }
done:
    return code;
}

static int32_t find_item(const struct vocabulary *ids, struct db_query *query, int column)
{
    const enum db_type type = db_column_type(query, column);
    if (type == DB_INTEGER && ids->type == ID_INTEGER) {
        return vocabulary_find_integer(ids, db_column_int64(query, column));
    }
    if (type == DB_TEXT && ids->type == ID_TEXT) {
        size_t length;
        const char *text = db_column_text(query, column, &length);
        return vocabulary_find_text(ids, text, length);
    }
    return -1;
}

/* Where the columns stand; -1: there is none. */
struct name_columns {
    int id, title, category;
};

static enum status_code open_names(struct db *db, const char *sql, double timeout_seconds,
                                   struct db_query **query, struct name_columns *columns,
                                   struct status *status)
{
    enum status_code code;
    TRY(db_prepare_user(db, "report.items", sql, timeout_seconds, query, status));
    *columns = (struct name_columns){column_of(*query, "item_id"), column_of(*query, "title"),
                                     column_of(*query, "category")};
    if (columns->id < 0 || (columns->title < 0 && columns->category < 0)) {
        code = status_set(status, STATUS_CONFIG,
                          "report.items: the query needs a column item_id, and title or category: "
                          "name them with AS");
    }
done:
    return code;
}

enum status_code item_names_check(struct db *db, const char *sql, double timeout_seconds,
                                  struct status *status)
{
    struct db_query *query = NULL;
    struct name_columns columns;
    const enum status_code code = open_names(db, sql, timeout_seconds, &query, &columns, status);
    db_finalize(query);
    return code;
}

static enum status_code read_rows(struct name_rows *rows, struct db *db, const char *sql,
                                  double timeout_seconds, const struct vocabulary *ids,
                                  struct status *status)
{
    struct db_query *query = NULL;
    struct name_columns columns;
    bool has_row = true;
    enum status_code code;
    TRY(open_names(db, sql, timeout_seconds, &query, &columns, status));
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        const int32_t item = find_item(ids, query, columns.id);
        if (item >= 0) {
            TRY(take_text(rows, query, columns.title, &rows->titles[item], status));
            TRY(take_text(rows, query, columns.category, &rows->categories[item], status));
        }
    }
done:
    db_finalize(query);
    return code;
}

enum status_code item_names_read(struct item_names *names, struct db *db, const char *sql,
                                 double timeout_seconds, struct served_ids *items,
                                 struct status *status)
{
    const size_t n = items->ids.n;
    struct name_rows rows = {0};
    struct buf id = {0};
    enum status_code code;
    TRY(MEM_NEW(&rows.titles, n, status));
    TRY(MEM_NEW(&rows.categories, n, status));
    if (sql != NULL) {
        TRY(vocabulary_build_index(&items->ids, status));
        TRY(read_rows(&rows, db, sql, timeout_seconds, &items->ids, status));
    }
    for (size_t i = 0; i < n; i++) {
        size_t title_length = 0, category_length = 0;
        const char *title = rows.titles[i] == 0
                                ? NULL
                                : strings_get(&rows.texts, rows.titles[i] - 1, &title_length);
        const char *category =
            rows.categories[i] == 0
                ? ""
                : strings_get(&rows.texts, rows.categories[i] - 1, &category_length);
        if (title == NULL) {
            buf_clear(&id);
            vocabulary_format(&items->ids, (int32_t)i, &id);
            title = buf_text(&id);
            title_length = id.length;
        }
        TRY(strings_add(&names->titles, title, title_length, status));
        TRY(strings_add(&names->categories, category, category_length, status));
    }
done:
    buf_release(&id);
    name_rows_release(&rows);
    return code;
}

void item_names_release(struct item_names *names)
{
    strings_release(&names->titles);
    strings_release(&names->categories);
}

/* ---- a map ---- */

enum { POWER_STEPS = 60 };

/* direction (d) becomes C direction, of unit length; C = X^T X of the centred vectors. Orthogonal
 * to `other` (NULL: none). */
static void power_step(struct const_matrix vectors, const double *mean, const double *other,
                       double *direction, double *next)
{
    const size_t d = vectors.columns;
    double squares = 0, along = 0;
    memset(next, 0, d * sizeof *next);
    for (size_t i = 0; i < vectors.rows; i++) {
        const float *row = vectors.data + i * vectors.stride;
        double dot = 0;
        for (size_t j = 0; j < d; j++) {
            dot += ((double)row[j] - mean[j]) * direction[j];
        }
        for (size_t j = 0; j < d; j++) {
            next[j] += dot * ((double)row[j] - mean[j]);
        }
    }
    for (size_t j = 0; j < d && other != NULL; j++) {
        along += next[j] * other[j];
    }
    for (size_t j = 0; j < d; j++) {
        next[j] -= other == NULL ? 0 : along * other[j];
        squares += next[j] * next[j];
    }
    for (size_t j = 0; j < d; j++) {
        direction[j] = squares > 0 ? next[j] / sqrt(squares) : 0;
    }
}

enum status_code item_map(struct const_matrix vectors, double *out, struct status *status)
{
    const size_t d = vectors.columns;
    double *room = NULL; /* mean, two directions, work: (4, d) */
    enum status_code code;
    TRY(MEM_NEW(&room, 4 * d, status));
    double *mean = room, *next = room + 3 * d;
    for (size_t i = 0; i < vectors.rows; i++) {
        for (size_t j = 0; j < d; j++) {
            mean[j] += (double)vectors.data[i * vectors.stride + j] / (double)vectors.rows;
        }
    }
    for (size_t c = 0; c < 2; c++) {
        double *direction = room + (1 + c) * d;
        for (size_t j = 0; j < d; j++) {
            direction[j] = 1 + 0.01 * (double)(j % 7) * (c == 0 ? 1 : -1);
        }
        for (int step = 0; step < POWER_STEPS; step++) {
            power_step(vectors, mean, c == 0 ? NULL : room + d, direction, next);
        }
        for (size_t i = 0; i < vectors.rows; i++) {
            out[2 * i + c] = 0;
            for (size_t j = 0; j < d; j++) {
                out[2 * i + c] +=
                    ((double)vectors.data[i * vectors.stride + j] - mean[j]) * direction[j];
            }
        }
    }
done:
    mem_free(room);
    return code;
}

/* ---- an even spread ---- */

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double lorenz_curve(double *counts, size_t n, double *share, size_t points)
{
    double sum = 0, so_far = 0, area = 0;
    size_t at = 0;
    qsort(counts, n, sizeof *counts, compare_doubles);
    for (size_t i = 0; i < n; i++) {
        sum += counts[i];
    }
    for (size_t p = 0; p < points; p++) {
        const size_t until = p * n / (points - 1);
        for (; at < until; at++) {
            so_far += counts[at];
        }
        share[p] = sum > 0 ? so_far / sum : 0;
    }
    so_far = 0;
    for (size_t i = 0; i < n && sum > 0; i++) {
        area += (so_far + counts[i] / 2) / sum / (double)n;
        so_far += counts[i];
    }
    return sum > 0 ? 1 - 2 * area : 0;
}
