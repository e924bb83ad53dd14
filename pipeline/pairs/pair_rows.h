/* The rows of an item-by-item product: sums over users, made one by one by whoever knows what
 * stands in them, in blocks of items on all threads; of each the strongest entries are kept.
 *
 * Under several ranks each makes the rows of the items that it owns (shard_of_item), slice by
 * slice, of what window_parts.h brings of all ranks' users; at the end every rank has all rows.
 * Sums are integers, of PAIR_UNIT, so neither the ranks nor the threads nor the order of users
 * changes them. */
#ifndef NIGHTJAR_PAIRS_PAIR_ROWS_H
#define NIGHTJAR_PAIRS_PAIR_ROWS_H

#include "base/pool.h"
#include "base/watch.h"
#include "math/index_set.h"
#include "math/sparse.h"
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

/* Additions of a slice for each of several ranks, who at the most get 4 bytes for one (12 with
 * steps). */
enum { SLICE_RANK_ADDITIONS = 12500000 };

/* out (n_items, n_items), zeroed before. */
MUST_CHECK enum status_code pair_rows_run(const struct pair_rows *rows, struct pool *pool,
                                          struct sparse *out, struct status *status);

#endif
