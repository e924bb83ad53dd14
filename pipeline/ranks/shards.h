/* The shards that users and items are cut into, whatever the number of ranks, and sums over them
 * that come out the same at every number.
 *
 * A user's shard comes from the id, so that a row of the log alone says whose it is; an item's from
 * its number, which all ranks know. What is summed over users is summed user by user within a
 * shard, in ascending order of ids, and then along one binary tree of the shards:
 *
 *     ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + ...
 *
 * of which a rank's shards are a whole subtree. */
#ifndef NIGHTJAR_RANKS_SHARDS_H
#define NIGHTJAR_RANKS_SHARDS_H

#include "ranks/ranks.h"

/* The shard of an entity whose random streams are keyed by `key` (vocabulary_key of a user). */
size_t shard_of_key(uint64_t key);
/* shards (n): those of entities with the keys (n); NULL: their numbers are the keys. */
void shards_of_keys(const uint64_t *keys, size_t n, uint8_t *shards);
static inline size_t shard_of_item(size_t item)
{
    return item % SHARDS;
}
/* Whose item it is. */
static inline size_t shard_item_owner(const struct ranks *ranks, size_t item)
{
    return ranks_owner(ranks, shard_of_item(item));
}
static inline bool shard_item_is_own(const struct ranks *ranks, size_t item)
{
    return shard_item_owner(ranks, item) == ranks_mine(ranks);
}
/* What one of n ranks has of an array by item: its items ascending. How many are below `item`, and
 * which is the one at `place`. */
size_t shard_items_below(size_t n, size_t rank, size_t item);
size_t shard_nth_item(size_t n, size_t rank, size_t place);

/* Rows by shard: those of shard s are rows[first[s]] to rows[first[s + 1]], ascending. Shards of
 * other ranks are empty. Zero-initialise. */
struct shard_rows {
    size_t first[SHARDS + 1];
    int32_t *rows;
};
/* shards (n): of each row, all of them this rank's own. */
MUST_CHECK enum status_code shard_rows_init(struct shard_rows *by_shard, const uint8_t *shards,
                                            size_t n, struct status *status);
void shard_rows_release(struct shard_rows *by_shard);

/* out (n) = the sum over all shards of all ranks of what `fill` puts into `leaf` (n, zeroed before)
 * for one of them; called for this rank's shards, ascending. The same bytes at every number of
 * ranks. Memory: (1 + log2(SHARDS)) n doubles. */
MUST_CHECK enum status_code shard_sum(struct ranks *ranks, size_t n,
                                      void (*fill)(void *data, size_t shard, double *leaf),
                                      void *data, double *out, struct status *status);
/* The sum of one value a row: values (rows of by_shard, by row). */
MUST_CHECK enum status_code shard_sum_values(struct ranks *ranks, const struct shard_rows *by_shard,
                                             const double *values, double *out,
                                             struct status *status);

/* values: those of item i are [offsets[i], offsets[i + 1]), `size` bytes each. On every rank what
 * each has of its own items. A collective. */
MUST_CHECK enum status_code shard_share_rows(struct ranks *ranks, const int64_t *offsets,
                                             size_t n_items, void *values, size_t size,
                                             struct status *status);

#endif
