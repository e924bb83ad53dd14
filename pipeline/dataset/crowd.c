/* Keys, samples, places, sums. */
#include "dataset/crowd.h"

#include "base/mem.h"
#include "base/rng.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

struct crowd crowd_of(struct ranks *ranks, const struct interactions *interactions,
                      const struct dataset *dataset)
{
    return (struct crowd){ranks, &interactions->users, dataset->users};
}

uint64_t crowd_key(const struct crowd *crowd, size_t row)
{
    const size_t code = crowd->codes == NULL ? row : (size_t)crowd->codes[row];
    return crowd->ids == NULL ? row : vocabulary_key(crowd->ids, code);
}

enum status_code crowd_shard_rows(const struct crowd *crowd, size_t n, struct shard_rows *by_shard,
                                  struct status *status)
{
    uint8_t *shards = NULL;
    enum status_code code;
    TRY(MEM_NEW(&shards, n, status));
    for (size_t row = 0; row < n; row++) {
        shards[row] = (uint8_t)shard_of_key(crowd_key(crowd, row));
    }
    TRY(shard_rows_init(by_shard, shards, n, status));
done:
    mem_free(shards);
    return code;
}

/* ---- a sample: those whose lots are smallest ---- */

int lot_compare(const void *a, const void *b)
{
    const struct lot *x = a, *y = b;
    if (x->drawn != y->drawn) {
        return x->drawn < y->drawn ? -1 : 1;
    }
    return (x->key > y->key) - (x->key < y->key);
}

struct lot lot_draw(uint64_t seed, const char *purpose, uint64_t key)
{
    struct rng rng;
    rng_init(&rng, seed, purpose, 0, key);
    return (struct lot){rng_u64(&rng), key};
}

enum status_code lots_smallest(struct ranks *ranks, struct lot *lots, size_t n, size_t most,
                               struct ranks_bytes *out, size_t *n_drawn, struct status *status)
{
    enum status_code code;
    qsort(lots, n, sizeof *lots, lot_compare);
    TRY(ranks_gather(ranks, lots, (n < most ? n : most) * sizeof *lots, out, status));
    *n_drawn = out->first[ranks_n(ranks)] / sizeof *lots;
    qsort(out->data, *n_drawn, sizeof *lots, lot_compare);
    *n_drawn = *n_drawn < most ? *n_drawn : most;
done:
    return code;
}

/* *last: the greatest lot of the `most` smallest of all ranks, who hold more. */
static enum status_code find_last(const struct crowd *crowd, const int32_t *rows, size_t n,
                                  size_t most, uint64_t seed, const char *purpose, struct lot *last,
                                  struct status *status)
{
    struct lot *lots = NULL;
    struct ranks_bytes all = {0};
    size_t n_drawn;
    enum status_code code;
    TRY(MEM_NEW(&lots, n, status));
    for (size_t i = 0; i < n; i++) {
        lots[i] = lot_draw(seed, purpose, crowd_key(crowd, (size_t)rows[i]));
    }
    TRY(lots_smallest(crowd->ranks, lots, n, most, &all, &n_drawn, status));
    *last = ((const struct lot *)(const void *)all.data)[n_drawn - 1];
done:
    mem_free(lots);
    ranks_bytes_release(&all);
    return code;
}

enum status_code crowd_sample(const struct crowd *crowd, int32_t *rows, size_t *n, size_t most,
                              uint64_t seed, const char *purpose, struct status *status)
{
    enum status_code code;
    struct lot last;
    size_t kept = 0, n_all = *n;
    TRY(ranks_sum_count(crowd->ranks, &n_all, status));
    if (n_all <= most) {
        goto done;
    }
    if (most > 0) {
        TRY(find_last(crowd, rows, *n, most, seed, purpose, &last, status));
    }
    for (size_t i = 0; i < *n && most > 0; i++) {
        const struct lot lot = lot_draw(seed, purpose, crowd_key(crowd, (size_t)rows[i]));
        if (lot_compare(&lot, &last) <= 0) {
            rows[kept++] = rows[i];
        }
    }
    *n = kept;
done:
    return code;
}

/* ---- places ---- */

enum status_code crowd_places(const struct crowd *crowd, const int32_t *rows, size_t n,
                              int32_t *places, size_t *n_all, struct status *status)
{
    enum status_code code;
    int64_t counts[SHARDS] = {0}, before = 0;
    for (size_t i = 0; i < n; i++) {
        places[i] = (int32_t)shard_of_key(crowd_key(crowd, (size_t)rows[i]));
        counts[places[i]]++;
    }
    TRY(ranks_sum_int64(crowd->ranks, counts, SHARDS, status));
    for (size_t s = 0; s < SHARDS; s++) {
        const int64_t count = counts[s];
        counts[s] = before;
        before += count;
    }
    if (before > INT32_MAX) {
        code = status_set(status, STATUS_DATA,
                          "%" PRId64 " users; at most %" PRId32 " can be asked", before, INT32_MAX);
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        places[i] = (int32_t)counts[places[i]]++;
    }
    *n_all = (size_t)before;
done:
    return code;
}

enum status_code crowd_join(const struct crowd *crowd, double *values, size_t n,
                            struct status *status)
{
    /* bits, so that a sum with zeros changes none of them */
    _Static_assert(sizeof(double) == sizeof(int64_t), "a double has the bits of an int64_t");
    return ranks_sum_int64(crowd->ranks, (void *)values, n, status);
}

/* ---- popularity ---- */

/* Whole numbers, so in any order. */
static enum status_code count_users(const struct crowd *crowd, const struct sparse *matrix,
                                    double *popularity, struct status *status)
{
    int64_t *counts = NULL;
    enum status_code code;
    TRY(MEM_NEW(&counts, matrix->n_columns, status));
    sparse_column_counts(matrix, counts);
    TRY(ranks_sum_int64(crowd->ranks, counts, matrix->n_columns, status));
    for (size_t i = 0; i < matrix->n_columns; i++) {
        popularity[i] = (double)counts[i];
    }
done:
    mem_free(counts);
    return code;
}

struct decay {
    const struct history *history;
    struct shard_rows by_shard;
    double half_life;
    int64_t newest;
};

static void add_decayed(void *data, size_t shard, double *leaf)
{
    const struct decay *decay = data;
    const struct history *history = decay->history;
    for (size_t i = decay->by_shard.first[shard]; i < decay->by_shard.first[shard + 1]; i++) {
        const size_t row = (size_t)decay->by_shard.rows[i];
        for (int64_t e = history->matrix.offsets[row]; e < history->matrix.offsets[row + 1]; e++) {
            const double days = (double)(decay->newest - history->times[e]) / 86400.0;
            leaf[history->matrix.columns[e]] += exp2(-days / decay->half_life);
        }
    }
}

enum status_code crowd_popularity(const struct crowd *crowd, const struct history *history,
                                  double half_life_days, double *popularity, struct status *status)
{
    struct decay decay = {.history = history, .half_life = half_life_days};
    enum status_code code;
    decay.newest = history_newest(history);
    TRY(ranks_max_int64(crowd->ranks, &decay.newest, 1, status));
    if (half_life_days <= 0 || decay.newest == INT64_MIN) {
        TRY(count_users(crowd, &history->matrix, popularity, status));
        goto done;
    }
    TRY(crowd_shard_rows(crowd, history->matrix.n_rows, &decay.by_shard, status));
    TRY(shard_sum(crowd->ranks, history->matrix.n_columns, add_decayed, &decay, popularity,
                  status));
done:
    shard_rows_release(&decay.by_shard);
    return code;
}
