/* Compressed sparse rows. Within a row, columns are strictly ascending.
 *
 *     struct sparse bought = {0}, buyers = {0};
 *     TRY(sparse_init(&bought, n_users, n_items, n_entries, false, status));
 *     row by row: bought.columns[to++] = item; ... bought.offsets[user + 1] = to;
 *     TRY(sparse_transpose(&bought, &buyers, status));   (n_items, n_users)
 *     const int32_t *items = sparse_row(&bought, user, &n);
 *     sparse_release(&bought);
 *     sparse_release(&buyers); */
#ifndef NIGHTJAR_MATH_SPARSE_H
#define NIGHTJAR_MATH_SPARSE_H

#include "base/status.h"

/* Row r holds entries [offsets[r], offsets[r + 1]). Zero-initialise; a zeroed one has no rows.
 * Arrays belong to the struct when made by sparse_*; a struct filled by hand over someone else's
 * arrays is a view and is not released. */
struct sparse {
    size_t n_rows, n_columns;
    int64_t *offsets; /* (n_rows + 1) */
    int32_t *columns; /* (entries), in [0, n_columns) */
    float *values;    /* (entries), or NULL: every value is 1 */
};

static inline size_t sparse_entries(const struct sparse *m)
{
    return m->n_rows == 0 ? 0 : (size_t)m->offsets[m->n_rows];
}

static inline size_t sparse_row_length(const struct sparse *m, size_t row)
{
    return (size_t)(m->offsets[row + 1] - m->offsets[row]);
}

/* The columns of a row, *n of them. */
static inline const int32_t *sparse_row(const struct sparse *m, size_t row, size_t *n)
{
    *n = sparse_row_length(m, row);
    return m->columns + m->offsets[row];
}

/* Allocates for n_rows x n_columns with `entries` entries (offsets zeroed). */
MUST_CHECK enum status_code sparse_init(struct sparse *m, size_t n_rows, size_t n_columns,
                                        size_t entries, bool with_values, struct status *status);
/* out = the transpose of m; within a row of out, columns ascend. out must be zeroed. */
MUST_CHECK enum status_code sparse_transpose(const struct sparse *m, struct sparse *out,
                                             struct status *status);
/* out = the entries that a or b has (equal extents), without values. out must be zeroed. */
MUST_CHECK enum status_code sparse_union(const struct sparse *a, const struct sparse *b,
                                         struct sparse *out, struct status *status);
/* out (n, n) = m, which is square, under other numbers: row and column i are map[i] there; -1:
 * gone. Where they are not gone the numbers ascend. out must be zeroed. */
MUST_CHECK enum status_code sparse_renumber(const struct sparse *m, const int32_t *map, size_t n,
                                            struct sparse *out, struct status *status);
/* out (n, n_columns): row i is row rows[i] of m, an empty one where that is below 0. out must be
 * zeroed. */
MUST_CHECK enum status_code sparse_gather(const struct sparse *m, const int32_t *rows, size_t n,
                                          struct sparse *out, struct status *status);
/* counts[c] = number of entries in column c; counts is (n_columns). */
void sparse_column_counts(const struct sparse *m, int64_t *counts);
/* The place of `column` among the ascending `columns` (n); n: it is not there. Binary search. */
size_t columns_find(const int32_t *columns, size_t n, int32_t column);
/* Whether `column` is among the ascending `columns` (n), those of a row for one. */
bool columns_hold(const int32_t *columns, size_t n, int32_t column);
/* columns (n) in ascending order. */
void columns_sort(int32_t *columns, size_t n);
/* True when (row, column) is an entry. */
bool sparse_has(const struct sparse *m, size_t row, int32_t column);
/* Whether m, whose columns and values are arrays of n_entries, is what it should be: offsets that
 * begin at 0, never fall and end at n_entries, columns that ascend within each row and are in
 * range. For what was read from a file. */
bool sparse_is_sound(const struct sparse *m, size_t n_entries);
/* Whether codes (n) ascend and are in [0, limit). */
bool codes_are_sound(const int32_t *codes, size_t n, size_t limit);
void sparse_release(struct sparse *m);

#endif
