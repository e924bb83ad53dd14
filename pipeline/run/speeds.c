/* Small contrasts and rankings of random vectors, and a product of made-up histories, on all
 * threads of the pool. The shapes are those of a batch of training and of a block of ranking over a
 * middling catalogue. */
#include "run/speeds.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "contrast/contrast.h"
#include "pairs/item_pairs.h"
#include "ranking/ranking.h"

#include <math.h>

enum {
    N_ANCHORS = 512,
    N_CANDIDATES = 8192,
    N_VARIANTS = 4, /* biases ranked over the same products */
    TOP = 20,
    ROUNDS = 3, /* the fastest counts: the first one touches the memory */
    DEFAULT_DIMENSION = 64,
    N_USERS = 1000, /* of the histories: items often meet the same, so that additions count */
    N_PER_USER = 64,
    N_ITEMS = 512
};

struct probe {
    size_t d, n_anchors; /* of the rankings: a block for each thread */
    float *anchors;      /* (n_anchors, d) */
    float *candidates;   /* (N_CANDIDATES, d) */
    float *gradients;    /* (N_ANCHORS + N_CANDIDATES, d) */
    float *bias;         /* (N_CANDIDATES) zeros */
    int32_t *items;      /* (N_VARIANTS, n_anchors, TOP) */
    float *scores;       /* the same shape */
    struct sparse positives;
    struct contrast *contrast;
    struct history histories;
};

static enum status_code fill(float **out, size_t n, const char *purpose, size_t d,
                             struct status *status)
{
    enum status_code code = STATUS_OK;
    struct rng rng;
    const double scale = sqrt(12.0 / (double)d); /* unit length on average */

    TRY(MEM_NEW(out, n, status));
    rng_init(&rng, 1, purpose, 0, 0);
    for (size_t i = 0; i < n; i++) {
        (*out)[i] = (float)(scale * (rng_double(&rng) - 0.5));
    }
done:
    return code;
}

/* Different items at about equal distances, elsewhere for each user. */
static enum status_code fill_histories(struct history *histories, struct status *status)
{
    enum status_code code;
    struct rng rng;
    const size_t distance = N_ITEMS / N_PER_USER;
    struct sparse *matrix = &histories->matrix;
    TRY(sparse_init(matrix, N_USERS, N_ITEMS, N_USERS * N_PER_USER, true, status));
    rng_init(&rng, 1, "speed.histories", 0, 0);
    for (size_t e = 0; e < N_USERS * N_PER_USER; e++) {
        matrix->columns[e] = (int32_t)(e % N_PER_USER * distance + rng_below(&rng, distance));
        matrix->values[e] = 1;
        matrix->offsets[e / N_PER_USER + 1] = (int64_t)e + 1;
    }
done:
    return code;
}

/* One positive an anchor: what a batch's positives cost is another matter. */
static enum status_code probe_init(struct probe *probe, size_t d, size_t n_threads,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;

    *probe = (struct probe){.d = d, .n_anchors = N_ANCHORS * n_threads};
    TRY(fill(&probe->anchors, probe->n_anchors * d, "speed.anchors", d, status));
    TRY(fill(&probe->candidates, N_CANDIDATES * d, "speed.candidates", d, status));
    TRY(MEM_NEW(&probe->gradients, (N_ANCHORS + N_CANDIDATES) * d, status));
    TRY(MEM_NEW(&probe->bias, N_CANDIDATES, status));
    TRY(MEM_NEW(&probe->items, N_VARIANTS * probe->n_anchors * TOP, status));
    TRY(MEM_NEW(&probe->scores, N_VARIANTS * probe->n_anchors * TOP, status));
    TRY(sparse_init(&probe->positives, N_ANCHORS, N_CANDIDATES, N_ANCHORS, true, status));
    for (size_t a = 0; a < N_ANCHORS; a++) {
        probe->positives.offsets[a + 1] = (int64_t)a + 1;
        probe->positives.columns[a] = (int32_t)a;
        probe->positives.values[a] = 1;
    }
    TRY(contrast_new(&probe->contrast, status));
    TRY(fill_histories(&probe->histories, status));
done:
    return code;
}

static void probe_release(struct probe *probe)
{
    contrast_free(probe->contrast);
    sparse_release(&probe->positives);
    sparse_release(&probe->histories.matrix);
    mem_free(probe->anchors);
    mem_free(probe->candidates);
    mem_free(probe->gradients);
    mem_free(probe->bias);
    mem_free(probe->items);
    mem_free(probe->scores);
}

static enum status_code contrast_once(struct probe *probe, struct pool *pool, struct status *status)
{
    const size_t d = probe->d;
    const struct contrast_settings settings = {.loss = &loss_table[0],
                                               .loss_settings = {.t2 = 1},
                                               .temperature = 0.12,
                                               .strip_bytes = (size_t)256 << 20};
    const struct contrast_batch batch = {.anchors = const_matrix_of(probe->anchors, N_ANCHORS, d),
                                         .candidates =
                                             const_matrix_of(probe->candidates, N_CANDIDATES, d),
                                         .positives = probe->positives,
                                         .n_negatives = N_CANDIDATES,
                                         .offsets = probe->bias};
    struct contrast_result result = {
        .anchors = matrix_of(probe->gradients, N_ANCHORS, d),
        .candidates = matrix_of(probe->gradients + N_ANCHORS * d, N_CANDIDATES, d)};

    return contrast_run(probe->contrast, &settings, &batch, pool, &result, status);
}

static enum status_code ranking_once(struct probe *probe, size_t n_variants, struct pool *pool,
                                     struct status *status)
{
    const float *biases[N_VARIANTS] = {probe->bias, probe->bias, probe->bias, probe->bias};
    const struct ranking ranking = {
        .anchors = const_matrix_of(probe->anchors, probe->n_anchors, probe->d),
        .candidates = const_matrix_of(probe->candidates, N_CANDIDATES, probe->d),
        .scale = 1,
        .n_biases = n_variants,
        .biases = biases,
        .k = TOP};

    return ranking_run(&ranking, pool, probe->items, probe->scores, status);
}

static enum status_code product_once(struct probe *probe, struct pool *pool, struct status *status)
{
    const struct pair_settings settings = {
        .window = PAIR_WHOLE_HISTORY, .min_count = 1, .top = TOP};
    struct sparse pairs = {0};
    const enum status_code code =
        pairs_item_item(&probe->histories, &settings, pool, &pairs, status);
    sparse_release(&pairs);
    return code;
}

enum status_code speeds_measure(size_t dimension, struct pool *pool, struct stage_speeds *out,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    struct probe probe;
    double least[4] = {(double)INFINITY, (double)INFINITY, (double)INFINITY, (double)INFINITY};

    TRY(probe_init(&probe, dimension > 0 ? dimension : DEFAULT_DIMENSION, pool_threads(pool),
                   status));
    for (size_t round = 0; round < ROUNDS; round++) {
        const double began = clock_cpu();
        TRY(contrast_once(&probe, pool, status));
        const double contrasted = clock_cpu();
        TRY(ranking_once(&probe, 1, pool, status));
        const double ranked = clock_cpu();
        TRY(ranking_once(&probe, N_VARIANTS, pool, status));
        least[0] = fmin(least[0], contrasted - began);
        least[1] = fmin(least[1], ranked - contrasted);
        const double varied = clock_cpu();
        TRY(product_once(&probe, pool, status));
        least[2] = fmin(least[2], varied - ranked);
        least[3] = fmin(least[3], clock_cpu() - varied);
    }
    const double n_threads = (double)pool_threads(pool);
    const double scores = n_threads * (double)probe.n_anchors * N_CANDIDATES;
    *out =
        (struct stage_speeds){.contrast = least[0] / (n_threads * N_ANCHORS * N_CANDIDATES),
                              .ranking = least[1] / scores,
                              .variant = fmax(least[2] - least[1], 0) / ((N_VARIANTS - 1) * scores),
                              .addition = least[3] / (N_USERS * N_PER_USER * N_PER_USER)};
done:
    probe_release(&probe);
    return code;
}
