/* Dense float matrices, row-major, as shapes over memory that someone else owns. */
#ifndef NIGHTJAR_MATH_MATRIX_H
#define NIGHTJAR_MATH_MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* (rows, columns); element (i, j) is data[i * stride + j], stride >= columns. */
struct matrix {
    float *data;
    size_t rows, columns, stride;
};

struct const_matrix {
    const float *data;
    size_t rows, columns, stride;
};

static inline struct matrix matrix_of(float *data, size_t rows, size_t columns)
{
    return (struct matrix){data, rows, columns, columns};
}

static inline struct const_matrix const_matrix_of(const float *data, size_t rows, size_t columns)
{
    return (struct const_matrix){data, rows, columns, columns};
}

static inline struct const_matrix matrix_view(struct matrix m)
{
    return (struct const_matrix){m.data, m.rows, m.columns, m.stride};
}

static inline const float *matrix_row(struct const_matrix m, size_t row)
{
    return m.data + row * m.stride;
}

/* out (n, m.columns), packed: row i is row rows[i] of m. */
static inline void matrix_gather(struct const_matrix m, const int32_t *rows, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        memcpy(out + i * m.columns, matrix_row(m, (size_t)rows[i]), m.columns * sizeof *out);
    }
}

/* Rows [first, first + count) of m. */
static inline struct const_matrix matrix_rows(struct const_matrix m, size_t first, size_t count)
{
    return (struct const_matrix){m.data + first * m.stride, count, m.columns, m.stride};
}

#endif
