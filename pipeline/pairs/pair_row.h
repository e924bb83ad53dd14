/* What a row of an item-by-item product is made with: sums over users in a scratch, by whoever
 * knows what stands in them (pair_rows.h). */
#ifndef NIGHTJAR_PAIRS_PAIR_ROW_H
#define NIGHTJAR_PAIRS_PAIR_ROW_H

#include "base/watch.h"
#include "math/index_set.h"
#include "pairs/pair_windows.h"
#include "ranks/shards.h"

/* One thread's memory; counts, sums and touched are zero between rows. Additions go anywhere in
 * them, and that is what a product takes its time for: only what is asked for is there. */
struct row_scratch {
    int32_t *counts; /* (n_items) or NULL */
    int64_t *sums;   /* (n_items) or NULL */
    struct index_set touched;
    int32_t *partners;       /* (n_items) ascending */
    float *weights;          /* (n_items) theirs, > 0 */
    float *selected, *spare; /* (n_items) for the strongest */
};

/* Adds what the users of the windows have of the row `item`: this rank's, or those of all ranks. */
typedef void pair_row_adder(const void *product, const struct pair_windows *windows, size_t item,
                            struct row_scratch *scratch);
/* scratch->partners are the n_touched of the row, with their counts and sums over all users: leaves
 * the candidates among them and their weights, and what was touched zero; returns how many. */
typedef size_t pair_row_weigher(const void *product, size_t item, struct row_scratch *scratch,
                                size_t n_touched);

struct pair_rows {
    struct ranks *ranks;
    pair_row_adder *add;
    pair_row_weigher *weigh;
    const void *product;
    size_t n_items;
    const struct pair_windows *windows; /* of this rank's users */
    const int64_t *additions;           /* (n_items) of all ranks; a row has no more entries */
    size_t top;                /* entries kept of a row; of equal ones those of lower column */
    bool counts, sums;         /* what the scratch must have */
    const struct watch *watch; /* told in additions */
};

#endif
