/* Sums over users who come block by block, in ascending order of their rows, and are spread over
 * ranks: kept by shard, and added along the tree of the shards at the end (ranks/shards.h).
 *
 *     TRY(shard_sums_init(&sums, n, status));
 *     shard_sums_of(&sums, shard)[i] += value;    of a user of that shard, for every user
 *     TRY(shard_sums_total(&sums, ranks, totals, status));
 *     shard_sums_release(&sums); */
#ifndef NIGHTJAR_EVALUATION_SHARD_SUMS_H
#define NIGHTJAR_EVALUATION_SHARD_SUMS_H

#include "ranks/shards.h"

/* Zero-initialise. */
struct shard_sums {
    size_t n;
    double *values; /* (SHARDS, n) */
};

MUST_CHECK enum status_code shard_sums_init(struct shard_sums *sums, size_t n,
                                            struct status *status);
void shard_sums_clear(struct shard_sums *sums);
static inline double *shard_sums_of(const struct shard_sums *sums, size_t shard)
{
    return sums->values + shard * sums->n;
}
/* totals (n), over the users of all ranks. A collective. */
MUST_CHECK enum status_code shard_sums_total(struct shard_sums *sums, struct ranks *ranks,
                                             double *totals, struct status *status);
void shard_sums_release(struct shard_sums *sums);

#endif
