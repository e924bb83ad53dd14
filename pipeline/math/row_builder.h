/* A sparse matrix written row by row into a workspace.
 *
 *     workspace_begin(&workspace);
 *     row_builder_memory(&builder, n_rows, n_entries, &workspace);    at the most
 *     TRY(workspace_reserve(&workspace, status));
 *     row_builder_clear(&builder);
 *     for each row: row_builder_add(&builder, column, value); ... row_builder_end_row(&builder);
 *     builder.matrix is it, until the workspace begins again */
#ifndef NIGHTJAR_MATH_ROW_BUILDER_H
#define NIGHTJAR_MATH_ROW_BUILDER_H

#include "base/workspace.h"
#include "math/sparse.h"

/* Zero-initialise. */
struct row_builder {
    struct sparse matrix; /* in the workspace; its n_columns is the caller's to set */
    size_t n_entries;
};

/* Names the memory of at most so many rows and entries. */
static inline void row_builder_memory(struct row_builder *builder, size_t rows, size_t entries,
                                      struct workspace *workspace)
{
    WORKSPACE_ADD(workspace, &builder->matrix.offsets, rows + 1);
    WORKSPACE_ADD(workspace, &builder->matrix.columns, entries);
    WORKSPACE_ADD(workspace, &builder->matrix.values, entries);
}

static inline void row_builder_clear(struct row_builder *builder)
{
    builder->n_entries = builder->matrix.n_rows = builder->matrix.n_columns = 0;
    builder->matrix.offsets[0] = 0;
}

static inline void row_builder_add(struct row_builder *builder, int32_t column, float value)
{
    builder->matrix.columns[builder->n_entries] = column;
    builder->matrix.values[builder->n_entries] = value;
    builder->n_entries++;
}

static inline void row_builder_end_row(struct row_builder *builder)
{
    builder->matrix.n_rows++;
    builder->matrix.offsets[builder->matrix.n_rows] = (int64_t)builder->n_entries;
}

#endif
