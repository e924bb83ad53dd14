/* The sum of values along the binary tree of their places,
 *
 *     ((v0 + v1) + (v2 + v3)) + ((v4 + v5) + ...
 *
 * so that what is summed apart, subtree by subtree, gives the same bytes.
 *
 * Leaf by leaf it needs a place for each level alone, as a binary counter carries:
 *
 *     place[tree_level(leaf)] = the leaf, leaves ascending from 0
 *     tree_carries(leaf) times the uppermost place is added to the one below it */
#ifndef NIGHTJAR_BASE_TREE_SUM_H
#define NIGHTJAR_BASE_TREE_SUM_H

#include <stddef.h>

/* Leaves at the most, and levels of their sums with the leaf itself. */
enum { TREE_LEVELS = 7, TREE_LEAVES_MAX = 1 << (TREE_LEVELS - 1) };

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

/* How many sums wait when the leaf comes. */
static inline size_t tree_level(size_t leaf)
{
    return (size_t)__builtin_popcountll(leaf);
}
static inline size_t tree_carries(size_t leaf)
{
    return (size_t)__builtin_ctzll(~(unsigned long long)leaf);
}

#endif
