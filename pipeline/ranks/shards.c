/* Shards, and sums along their tree. */
#include "ranks/shards.h"

#include "base/mem.h"
#include "base/tree_sum.h"

size_t shard_of_key(uint64_t key)
{
    /* the finaliser of splitmix64: ids that count up fall everywhere */
    key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9u;
    key = (key ^ (key >> 27)) * 0x94d049bb133111ebu;
    return (size_t)((key ^ (key >> 31)) % SHARDS);
}

void shards_of_keys(const uint64_t *keys, size_t n, uint8_t *shards)
{
    for (size_t i = 0; i < n; i++) {
        shards[i] = (uint8_t)shard_of_key(keys == NULL ? i : keys[i]);
    }
}

size_t shard_items_below(size_t n, size_t rank, size_t item)
{
    const size_t first = rank * SHARDS / n, width = SHARDS / n, rest = item % SHARDS;
    const size_t partly = rest < first ? 0 : rest - first;
    return item / SHARDS * width + (partly < width ? partly : width);
}

size_t shard_nth_item(size_t n, size_t rank, size_t place)
{
    const size_t first = rank * SHARDS / n, width = SHARDS / n;
    return place / width * SHARDS + first + place % width;
}

enum status_code shard_rows_init(struct shard_rows *by_shard, const uint8_t *shards, size_t n,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t next[SHARDS];
    *by_shard = (struct shard_rows){0};
    TRY(MEM_NEW(&by_shard->rows, n, status));
    for (size_t i = 0; i < n; i++) {
        by_shard->first[shards[i] + 1]++;
    }
    for (size_t s = 0; s < SHARDS; s++) {
        by_shard->first[s + 1] += by_shard->first[s];
        next[s] = by_shard->first[s];
    }
    for (size_t i = 0; i < n; i++) {
        by_shard->rows[next[shards[i]]++] = (int32_t)i;
    }
done:
    return code;
}

void shard_rows_release(struct shard_rows *by_shard)
{
    mem_free(by_shard->rows);
    *by_shard = (struct shard_rows){0};
}

_Static_assert((int)TREE_LEAVES_MAX == (int)SHARDS, "a tree has a leaf for each shard");

static void add(const double *from, double *into, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        into[i] += from[i];
    }
}

enum status_code shard_sum(struct ranks *ranks, size_t n,
                           void (*fill)(void *data, size_t shard, double *leaf), void *data,
                           double *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t mine = ranks_mine(ranks), first = ranks_first_shard(ranks, mine);
    const size_t count = ranks_first_shard(ranks, mine + 1) - first;
    double *levels = NULL;
    TRY(MEM_NEW(&levels, TREE_LEVELS * n, status));
    for (size_t i = 0; i < count; i++) {
        double *sum = levels + tree_level(i) * n;
        memset(sum, 0, n * sizeof *sum);
        fill(data, first + i, sum);
        for (size_t carry = tree_carries(i); carry > 0; carry--, sum -= n) {
            add(sum, sum - n, n);
        }
    }
    TRY(ranks_tree_sum(ranks, levels, n, status));
    memcpy(out, levels, n * sizeof *out);
done:
    mem_free(levels);
    return code;
}

struct value_job {
    const struct shard_rows *by_shard;
    const double *values;
};

static void fill_values(void *data, size_t shard, double *leaf)
{
    const struct value_job *job = data;
    for (size_t i = job->by_shard->first[shard]; i < job->by_shard->first[shard + 1]; i++) {
        *leaf += job->values[job->by_shard->rows[i]];
    }
}

enum status_code shard_sum_values(struct ranks *ranks, const struct shard_rows *by_shard,
                                  const double *values, double *out, struct status *status)
{
    struct value_job job = {by_shard, values};
    return shard_sum(ranks, 1, fill_values, &job, out, status);
}

enum status_code shard_share_rows(struct ranks *ranks, const int64_t *offsets, size_t n_items,
                                  void *values, size_t size, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct ranks_bytes all = {0};
    const char *theirs[RANKS_MAX];
    char *data = values, *mine = NULL;
    size_t n = 0;
    if (ranks_n(ranks) == 1) {
        goto done;
    }
    TRY(MEM_NEW(&mine, (size_t)offsets[n_items] * size, status));
    for (size_t i = 0; i < n_items; i++) {
        if (shard_item_is_own(ranks, i)) {
            const size_t bytes = (size_t)(offsets[i + 1] - offsets[i]) * size;
            memcpy(mine + n, data + (size_t)offsets[i] * size, bytes);
            n += bytes;
        }
    }
    TRY(ranks_gather(ranks, mine, n, &all, status));
    for (size_t r = 0; r < ranks_n(ranks); r++) {
        theirs[r] = all.data + all.first[r];
    }
    for (size_t i = 0; i < n_items; i++) {
        const size_t bytes = (size_t)(offsets[i + 1] - offsets[i]) * size;
        memcpy(data + (size_t)offsets[i] * size, theirs[shard_item_owner(ranks, i)], bytes);
        theirs[shard_item_owner(ranks, i)] += bytes;
    }
done:
    mem_free(mine);
    ranks_bytes_release(&all);
    return code;
}
