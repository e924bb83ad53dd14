/* In which order the rows of a pass are summed: by the shards of their entities (ranks/shards.h),
 * within one by their numbers, so that sums along the tree of the shards depend neither on the
 * order in which a pass has them nor on the number of ranks. */
#ifndef NIGHTJAR_TOWERS_ROW_ORDER_H
#define NIGHTJAR_TOWERS_ROW_ORDER_H

#include "base/tree_sum.h"
#include "base/workspace.h"
#include "ranks/shards.h"

/* Zero-initialise; used again from pass to pass. */
struct row_order {
    struct workspace workspace;
    size_t n;
    int32_t *places; /* (n) in the pass; of shard s those from first[s] to first[s + 1] */
    size_t first[SHARDS + 1];
    uint64_t *keys; /* (n) work memory */
};

/* Of a pass over rows (n, distinct; NULL: 0 to n - 1) of entities with these shards (by row; NULL:
 * all in the first). */
MUST_CHECK enum status_code row_order_make(struct row_order *order, const int32_t *rows, size_t n,
                                           const uint8_t *shards, struct status *status);
void row_order_release(struct row_order *order);

/* ---- sums along the tree ---- */

/* Vectors of at most SUM_MOST numbers, the greatest dimension of `train`, shard by shard, those
 * without any left out. */
enum { SUM_MOST = 512 };
struct shard_tree {
    size_t n, d;
    size_t shards[TREE_LEVELS]; /* the first of each sum that waits */
    float sums[TREE_LEVELS][SUM_MOST];
};
void shard_tree_begin(struct shard_tree *tree, size_t d);
/* Zeros, to be filled with the sum of a shard; shards ascend. */
float *shard_tree_leaf(struct shard_tree *tree, size_t shard);
/* The sum of all; NULL: there was nothing. */
const float *shard_tree_end(struct shard_tree *tree);

#endif
