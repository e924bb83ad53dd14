/* A sparse matrix written row by row into memory that is reused from batch to batch. */
#ifndef NIGHTJAR_MATH_ROW_BUILDER_H
#define NIGHTJAR_MATH_ROW_BUILDER_H

#include "base/mem.h"
#include "math/sparse.h"

/* Zero-initialise. */
struct row_builder {
    struct scratch offsets, columns, values;
    struct sparse matrix; /* a view over them; its n_columns is the caller's to set */
    size_t n_entries;
};

/* Empties it and makes room. */
MUST_CHECK enum status_code row_builder_start(struct row_builder *builder, size_t rows,
                                              size_t entries, struct status *status);
void row_builder_release(struct row_builder *builder);

/* Within the room of row_builder_start. */
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
