/* All users of all ranks (ranks/ranks.h), of whom this rank has some as rows of its own: keys that
 * say who they are, samples of all of them, and arrays that have a place for each.
 *
 *     const struct crowd crowd = crowd_of(ranks, &interactions, fit);
 *     TRY(crowd_sample(&crowd, rows, &n, 10000, seed, "evaluation.users", status));
 *     TRY(crowd_places(&crowd, rows, n, places, &n_all, status));
 *     values (n_all, zeroed)[places[a]] = what row rows[a] is worth, for all a
 *     TRY(crowd_join(&crowd, values, n_all, status));     the same on every rank
 *
 * Zeroed: all users there are are rows of this process, and a row's number is its key. */
#ifndef NIGHTJAR_DATASET_CROWD_H
#define NIGHTJAR_DATASET_CROWD_H

#include "dataset/dataset.h"
#include "ranks/shards.h"

struct crowd {
    struct ranks *ranks;
    const struct vocabulary *ids; /* of users; NULL: a row's number is its key */
    const int32_t *codes;         /* (rows) in ids; NULL: they are the rows */
};

/* Rows are those of the dataset, a basis of the interactions. Both are borrowed. */
struct crowd crowd_of(struct ranks *ranks, const struct interactions *interactions,
                      const struct dataset *dataset);
/* What keys a row's random streams, and says its shard. */
uint64_t crowd_key(const struct crowd *crowd, size_t row);
/* The rows [0, n) by shard. */
MUST_CHECK enum status_code crowd_shard_rows(const struct crowd *crowd, size_t n,
                                             struct shard_rows *by_shard, struct status *status);
/* The rows (n, ascending): leaves those that are among `most` of all ranks', drawn uniformly by
 * (seed, purpose), ascending; all of them when they are no more. A collective. */
MUST_CHECK enum status_code crowd_sample(const struct crowd *crowd, int32_t *rows, size_t *n,
                                         size_t most, uint64_t seed, const char *purpose,
                                         struct status *status);
/* What a sample draws for an entity with that key: who draws least is in it. */
struct lot {
    uint64_t drawn, key;
};
struct lot lot_draw(uint64_t seed, const char *purpose, uint64_t key);
int lot_compare(const void *a, const void *b); /* for qsort and bsearch */
/* out: the `most` smallest of all ranks' lots, ascending, *n_drawn of them; lots (n), this rank's,
 * are sorted. A collective. */
MUST_CHECK enum status_code lots_smallest(struct ranks *ranks, struct lot *lots, size_t n,
                                          size_t most, struct ranks_bytes *out, size_t *n_drawn,
                                          struct status *status);
/* places (n) in [0, *n_all): of the rows (n, ascending) among all ranks', in the order of shards
 * and within a shard of rows. More than INT32_MAX are STATUS_DATA. A collective. */
MUST_CHECK enum status_code crowd_places(const struct crowd *crowd, const int32_t *rows, size_t n,
                                         int32_t *places, size_t *n_all, struct status *status);
/* values (n): what one rank has filled in, and is zero in all others, on every rank. A collective.
 */
MUST_CHECK enum status_code crowd_join(const struct crowd *crowd, double *values, size_t n,
                                       struct status *status);
/* popularity (n_columns): p_i(h) = sum over the pairs of item i, of all ranks, of 2^(-age / h), the
 * age of a pair counted from the newest of all; h in days. h = 0, or a history without times: every
 * pair counts 1. Rows of `history` are those of the crowd; user by user in a shard, along the tree
 * of the shards. A collective. */
MUST_CHECK enum status_code crowd_popularity(const struct crowd *crowd,
                                             const struct history *history, double half_life_days,
                                             double *popularity, struct status *status);

#endif
