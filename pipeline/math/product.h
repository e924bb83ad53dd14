/* Matrix products of small depth with one operand packed, for kernels that use a tile of products
 * while it is still in the cache: at depths of 64 a library's own packing and edges cost more than
 * what they save. Compiled once per instruction set from product_kernels.c and reached through
 * vec_ops()->product.
 *
 * A packed (depth, columns) matrix is a row of panels: panel p holds columns [p w, (p + 1) w), w
 * the set's panel width, `depth` rows of w floats each, zeros behind the last column. Every element
 * of a product is one sum in ascending depth, so it does not depend on its neighbours or on the
 * shape it is computed in; `add` with `factors` adds a rounded product to the sum so far. */
#ifndef NIGHTJAR_MATH_PRODUCT_H
#define NIGHTJAR_MATH_PRODUCT_H

#include "math/matrix.h"

/* out(i, j) = or += factors[i] * sum_p x(i, p) packed(p, j); sums[0..n_sums) are added to that, one
 * after the other. */
struct product {
    const float *x; /* x(i, p) = x[i * row_step + p * depth_step] */
    size_t row_step, depth_step;
    const float *panels;
    size_t depth;
    const float *factors; /* (out.rows), NULL: 1 */
    bool add;             /* to what `out` holds */
    struct matrix out;
    /* Laid out as `out`, and may be it. Every sum begins with its element of `start`, as if the
       terms that gave it stood before those of this product; NULL: with 0. */
    const float *start;
    size_t n_sums;
    const float *const *sums; /* each as `start`; NULL where n_sums is 0 */
};

struct product_ops {
    size_t panel; /* w */
    /* packed(p, j) = factors[p] * rows(p, j); factors (rows.rows), NULL: 1. `out` has
     * product_packed_size floats. */
    void (*pack)(struct const_matrix rows, const float *factors, float *out);
    /* packed(p, j) = factor * rows(j, p) */
    void (*pack_transposed)(struct const_matrix rows, float factor, float *out);
    void (*run)(const struct product *product);
};

/* Floats of a packed (depth, columns) matrix. */
static inline size_t product_packed_size(const struct product_ops *ops, size_t depth,
                                         size_t columns)
{
    return (columns + ops->panel - 1) / ops->panel * ops->panel * depth;
}

#endif
