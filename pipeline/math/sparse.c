/* Compressed sparse rows: memory, transpose, lookups. */
#include "math/sparse.h"

#include "base/mem.h"

#include <assert.h>

enum status_code sparse_init(struct sparse *m, size_t n_rows, size_t n_columns, size_t entries,
                             bool with_values, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sparse made = {.n_rows = n_rows, .n_columns = n_columns};

    if (n_columns > (size_t)INT32_MAX + 1 || n_rows == SIZE_MAX) {
        code = status_set(status, STATUS_DATA,
                          "a sparse matrix of %zu x %zu is too large: at most %lld columns", n_rows,
                          n_columns, (long long)INT32_MAX + 1);
        goto done;
    }
    TRY(MEM_NEW(&made.offsets, n_rows + 1, status));
    TRY(MEM_NEW(&made.columns, entries, status));
    if (with_values) {
        TRY(MEM_NEW(&made.values, entries, status));
    }
    *m = made;
    made = (struct sparse){0};
done:
    sparse_release(&made);
    return code;
}

enum status_code sparse_renumber(const struct sparse *m, const int32_t *map, size_t n,
                                 struct sparse *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sparse made = {0};
    int64_t kept = 0;
    size_t next = 0; /* first row of `made` that is not there yet */

    TRY(sparse_init(&made, n, n, sparse_entries(m), m->values != NULL, status));
    for (size_t r = 0; r < m->n_rows; r++) {
        for (; map[r] >= 0 && next <= (size_t)map[r]; next++) {
            made.offsets[next] = kept;
        }
        for (int64_t e = m->offsets[r]; map[r] >= 0 && e < m->offsets[r + 1]; e++) {
            if (map[m->columns[e]] >= 0) {
                made.columns[kept] = map[m->columns[e]];
                if (m->values != NULL) {
                    made.values[kept] = m->values[e];
                }
                kept++;
            }
        }
    }
    for (; next <= n; next++) {
        made.offsets[next] = kept;
    }
    *out = made;
    made = (struct sparse){0};
done:
    sparse_release(&made);
    return code;
}

enum status_code sparse_gather(const struct sparse *m, const int32_t *rows, size_t n,
                               struct sparse *out, struct status *status)
{
    enum status_code code;
    size_t entries = 0;
    for (size_t i = 0; i < n; i++) {
        entries += rows[i] < 0 ? 0 : sparse_row_length(m, (size_t)rows[i]);
    }
    TRY(sparse_init(out, n, m->n_columns, entries, m->values != NULL, status));
    for (size_t i = 0; i < n; i++) {
        const int64_t from = rows[i] < 0 ? 0 : m->offsets[rows[i]], to = out->offsets[i];
        const size_t length = rows[i] < 0 ? 0 : sparse_row_length(m, (size_t)rows[i]);
        out->offsets[i + 1] = to + (int64_t)length;
        if (length > 0) {
            memcpy(out->columns + to, m->columns + from, length * sizeof *out->columns);
        }
        if (length > 0 && m->values != NULL) {
            memcpy(out->values + to, m->values + from, length * sizeof *out->values);
        }
    }
done:
    return code;
}

void sparse_column_counts(const struct sparse *m, int64_t *counts)
{
    size_t entries = sparse_entries(m);
    memset(counts, 0, m->n_columns * sizeof *counts);
    for (size_t e = 0; e < entries; e++) {
        counts[m->columns[e]]++;
    }
}

/* A counting sort by column. Rows are walked in order, so columns of the result ascend. */
enum status_code sparse_transpose(const struct sparse *m, struct sparse *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sparse made = {0};
    int64_t *next = NULL; /* (n_columns) the next free place of each row of the result */

    TRY(MEM_NEW(&next, m->n_columns, status));
    TRY(sparse_init(&made, m->n_columns, m->n_rows, sparse_entries(m), m->values != NULL, status));
    sparse_column_counts(m, next);
    for (size_t c = 0; c < m->n_columns; c++) {
        made.offsets[c + 1] = made.offsets[c] + next[c];
        next[c] = made.offsets[c];
    }
    for (size_t r = 0; r < m->n_rows; r++) {
        for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
            int64_t place = next[m->columns[e]]++;
            made.columns[place] = (int32_t)r;
            if (m->values != NULL) {
                made.values[place] = m->values[e];
            }
        }
    }
    *out = made;
    made = (struct sparse){0};
done:
    sparse_release(&made);
    mem_free(next);
    return code;
}

/* Row r of both, merged, to `out` (NULL: only counted); returns how many. */
static size_t merge_row(const struct sparse *a, const struct sparse *b, size_t r, int32_t *out)
{
    int64_t x = a->offsets[r], y = b->offsets[r];
    size_t n = 0;
    while (x < a->offsets[r + 1] || y < b->offsets[r + 1]) {
        bool has_x = x < a->offsets[r + 1], has_y = y < b->offsets[r + 1];
        bool take_x = has_x && (!has_y || a->columns[x] <= b->columns[y]);
        bool take_y = has_y && (!has_x || b->columns[y] <= a->columns[x]);
        if (out != NULL) {
            out[n] = take_x ? a->columns[x] : b->columns[y];
        }
        x += take_x;
        y += take_y;
        n++;
    }
    return n;
}

enum status_code sparse_union(const struct sparse *a, const struct sparse *b, struct sparse *out,
                              struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sparse made = {0};
    size_t entries = 0;

    assert(a->n_rows == b->n_rows && a->n_columns == b->n_columns);
    for (size_t r = 0; r < a->n_rows; r++) {
        entries += merge_row(a, b, r, NULL);
    }
    TRY(sparse_init(&made, a->n_rows, a->n_columns, entries, false, status));
    for (size_t r = 0; r < a->n_rows; r++) {
        size_t n = merge_row(a, b, r, made.columns + made.offsets[r]);
        made.offsets[r + 1] = made.offsets[r] + (int64_t)n;
    }
    *out = made;
done:
    return code;
}

static int compare_columns(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

void columns_sort(int32_t *columns, size_t n)
{
    qsort(columns, n, sizeof *columns, compare_columns);
}

size_t columns_find(const int32_t *columns, size_t n, int32_t column)
{
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (columns[middle] < column) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < n && columns[low] == column ? low : n;
}

bool columns_hold(const int32_t *columns, size_t n, int32_t column)
{
    return columns_find(columns, n, column) < n;
}

bool sparse_has(const struct sparse *m, size_t row, int32_t column)
{
    size_t n;
    assert(row < m->n_rows);
    const int32_t *columns = sparse_row(m, row, &n);
    return columns_hold(columns, n, column);
}

bool codes_are_sound(const int32_t *codes, size_t n, size_t limit)
{
    for (size_t i = 0; i < n; i++) {
        if (codes[i] < 0 || (size_t)codes[i] >= limit || (i > 0 && codes[i] <= codes[i - 1])) {
            return false;
        }
    }
    return true;
}

bool sparse_is_sound(const struct sparse *m, size_t n_entries)
{
    if (m->n_rows == 0) {
        return n_entries == 0;
    }
    if (m->offsets[0] != 0 || m->offsets[m->n_rows] != (int64_t)n_entries) {
        return false;
    }
    for (size_t r = 0; r < m->n_rows; r++) { /* all of them before a column is looked at */
        if (m->offsets[r + 1] < m->offsets[r]) {
            return false;
        }
    }
    for (size_t r = 0; r < m->n_rows; r++) {
        if (!codes_are_sound(m->columns + m->offsets[r], sparse_row_length(m, r), m->n_columns)) {
            return false;
        }
    }
    return true;
}

void sparse_release(struct sparse *m)
{
    mem_free(m->offsets);
    mem_free(m->columns);
    mem_free(m->values);
    *m = (struct sparse){0};
}
