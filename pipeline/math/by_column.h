/* The entries of a sparse matrix by column, or by runs of 2^bits columns, so that threads can add
 * to different columns; in a workspace.
 *
 *     workspace_begin(&workspace);
 *     by_column_memory(&columns, &m, 0, &workspace);
 *     TRY(workspace_reserve(&workspace, status));
 *     by_column_fill(&columns, &m, 0);
 *     column c has columns.entry[columns.first[c] .. columns.first[c + 1]) */
#ifndef NIGHTJAR_MATH_BY_COLUMN_H
#define NIGHTJAR_MATH_BY_COLUMN_H

#include "base/workspace.h"
#include "math/sparse.h"

struct by_column {
    int64_t *first; /* (runs + 2): entries of run r are [first[r], first[r + 1]) */
    int32_t *row;   /* (entries) */
    int64_t *entry; /* (entries) position in the row-wise arrays */
};

/* Names the memory. The columns themselves are not looked at. */
void by_column_memory(struct by_column *out, const struct sparse *m, unsigned bits,
                      struct workspace *workspace);
/* Rows stay ascending within a run. */
void by_column_fill(struct by_column *out, const struct sparse *m, unsigned bits);

#endif
