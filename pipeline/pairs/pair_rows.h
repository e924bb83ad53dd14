/* The rows of an item-by-item product: made one by one by whoever knows what stands in them, in
 * blocks of items on all threads; of each the strongest entries are kept. */
#ifndef NIGHTJAR_PAIRS_PAIR_ROWS_H
#define NIGHTJAR_PAIRS_PAIR_ROWS_H

#include "base/pool.h"
#include "base/watch.h"
#include "math/index_set.h"
#include "math/sparse.h"

/* One thread's memory; counts, sums and touched are zero between rows. Additions go anywhere in
 * them, and that is what a product takes its time for: only what is asked for is there. */
struct row_scratch {
    int32_t *counts; /* (n_items) or NULL */
    double *sums;    /* (n_items) or NULL */
    struct index_set touched;
    int32_t *partners;       /* (n_items) candidates, ascending */
    float *weights;          /* (n_items) theirs, > 0 */
    float *selected, *spare; /* (n_items) for the strongest */
};

/* Leaves the candidates of the row `item` in scratch->partners and weights; returns how many. */
typedef size_t pair_row_maker(const void *product, size_t item, struct row_scratch *scratch);

struct pair_rows {
    pair_row_maker *make;
    const void *product;
    size_t n_items;
    const int64_t *additions;  /* (n_items) that a row takes; it has no more entries */
    size_t top;                /* entries kept of a row; of equal ones those of lower column */
    bool counts, sums;         /* what the scratch must have */
    const struct watch *watch; /* told in additions */
};

/* out (n_items, n_items), zeroed before. */
MUST_CHECK enum status_code pair_rows_run(const struct pair_rows *rows, struct pool *pool,
                                          struct sparse *out, struct status *status);

#endif
