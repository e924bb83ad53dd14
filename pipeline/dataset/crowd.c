/* Keys, samples, places. */
#include "dataset/crowd.h"

#include "base/mem.h"
#include "base/rng.h"

#include <inttypes.h>
#include <stdlib.h>

struct crowd crowd_of(struct ranks *ranks, const struct interactions *interactions,
                      const struct dataset *dataset)
{
    return (struct crowd){ranks, &interactions->users, dataset->users};
}

uint64_t crowd_key(const struct crowd *crowd, size_t row)
{
    return crowd->ids == NULL ? row : vocabulary_key(crowd->ids, (size_t)crowd->codes[row]);
}

/* ---- a sample: those whose lots are smallest ---- */

struct lot {
    uint64_t drawn, key;
};

static int compare_lots(const void *a, const void *b)
{
    const struct lot *x = a, *y = b;
    if (x->drawn != y->drawn) {
        return x->drawn < y->drawn ? -1 : 1;
    }
    return (x->key > y->key) - (x->key < y->key);
}

static struct lot draw_lot(const struct crowd *crowd, size_t row, uint64_t seed,
                           const char *purpose)
{
    struct rng rng;
    const uint64_t key = crowd_key(crowd, row);
    rng_init(&rng, seed, purpose, 0, key);
    return (struct lot){rng_u64(&rng), key};
}

/* *last: the greatest lot of the `most` smallest of all ranks, who hold more. */
static enum status_code find_last(const struct crowd *crowd, const int32_t *rows, size_t n,
                                  size_t most, uint64_t seed, const char *purpose, struct lot *last,
                                  struct status *status)
{
    struct lot *lots = NULL;
    struct ranks_bytes all = {0};
    enum status_code code;
    TRY(MEM_NEW(&lots, n, status));
    for (size_t i = 0; i < n; i++) {
        lots[i] = draw_lot(crowd, (size_t)rows[i], seed, purpose);
    }
    qsort(lots, n, sizeof *lots, compare_lots);
    TRY(ranks_gather(crowd->ranks, lots, (n < most ? n : most) * sizeof *lots, &all, status));
    struct lot *drawn = (void *)all.data;
    qsort(drawn, all.first[ranks_n(crowd->ranks)] / sizeof *drawn, sizeof *drawn, compare_lots);
    *last = drawn[most - 1];
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
    size_t kept = 0;
    int64_t n_all = (int64_t)*n;
    TRY(ranks_sum_int64(crowd->ranks, &n_all, 1, status));
    if ((uint64_t)n_all <= most) {
        goto done;
    }
    if (most > 0) {
        TRY(find_last(crowd, rows, *n, most, seed, purpose, &last, status));
    }
    for (size_t i = 0; i < *n && most > 0; i++) {
        const struct lot lot = draw_lot(crowd, (size_t)rows[i], seed, purpose);
        if (compare_lots(&lot, &last) <= 0) {
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
