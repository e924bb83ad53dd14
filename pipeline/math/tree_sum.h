/* The sum of values along the binary tree of their places,
 *
 *     ((v0 + v1) + (v2 + v3)) + ((v4 + v5) + ...
 *
 * so that what is summed apart, subtree by subtree, gives the same bytes. */
#ifndef NIGHTJAR_MATH_TREE_SUM_H
#define NIGHTJAR_MATH_TREE_SUM_H

#include <stddef.h>

/* n is a power of two; the values are used up. */
static inline double tree_sum(double *values, size_t n)
{
    for (; n > 1; n /= 2) {
        for (size_t i = 0; i < n / 2; i++) {
            values[i] = values[2 * i] + values[2 * i + 1];
        }
    }
    return values[0];
}

#endif
