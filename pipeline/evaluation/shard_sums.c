/* One row of sums a shard. */
#include "evaluation/shard_sums.h"

#include "base/mem.h"

#include <string.h>

enum status_code shard_sums_init(struct shard_sums *sums, size_t n, struct status *status)
{
    enum status_code code;
    TRY(MEM_NEW(&sums->values, SHARDS * n, status));
    sums->n = n;
done:
    return code;
}

void shard_sums_clear(struct shard_sums *sums)
{
    memset(sums->values, 0, SHARDS * sums->n * sizeof *sums->values);
}

static void fill(void *data, size_t shard, double *leaf)
{
    const struct shard_sums *sums = data;
    memcpy(leaf, shard_sums_of(sums, shard), sums->n * sizeof *leaf);
}

enum status_code shard_sums_total(struct shard_sums *sums, struct ranks *ranks, double *totals,
                                  struct status *status)
{
    return shard_sum(ranks, sums->n, fill, sums, totals, status);
}

void shard_sums_release(struct shard_sums *sums)
{
    mem_free(sums->values);
    *sums = (struct shard_sums){0};
}
