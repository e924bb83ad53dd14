/* The lists: spherical k-means on a sample, then every candidate to its nearest centroid. Nearest
 * is a top-1, so ranking.c does the products. */
#include "ranking/inverted_lists.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/rng.h"

#include <math.h>

/* More sampled candidates per list, or more rounds, moved recall by less than a thousandth. */
enum { SAMPLE_PER_LIST = 64, ROUNDS = 10 };

struct clustering {
    struct const_matrix points;
    struct matrix centroids;
    int32_t *nearest; /* (points) */
    float *closeness; /* (points) */
    double *sums;     /* (centroids, d) */
    int64_t *counts;  /* (centroids) */
};

static void clustering_release(struct clustering *c)
{
    mem_free(c->nearest);
    mem_free(c->closeness);
    mem_free(c->sums);
    mem_free(c->counts);
}

static enum status_code assign(struct clustering *c, struct pool *pool, struct status *status)
{
    const struct ranking ranking = {
        .anchors = c->points, .candidates = matrix_view(c->centroids), .scale = 1.0f, .k = 1};
    return ranking_run(&ranking, pool, c->nearest, c->closeness, status);
}

/* The centroid becomes the direction of its points' sum; without points, or where they cancel out,
 * the direction of a point drawn anew. */
static void move_centroid(struct clustering *c, size_t list, struct rng *rng)
{
    const size_t d = c->points.columns;
    float *centroid = c->centroids.data + list * d;
    const double *sum = c->sums + list * d;
    double squares = 0.0;
    for (size_t j = 0; j < d; j++) {
        squares += sum[j] * sum[j];
    }
    if (c->counts[list] == 0 || squares < 1e-12) {
        const size_t point = rng_below(rng, c->points.rows);
        memcpy(centroid, c->points.data + point * c->points.stride, d * sizeof *centroid);
        return;
    }
    for (size_t j = 0; j < d; j++) {
        centroid[j] = (float)(sum[j] / sqrt(squares));
    }
}

static void move_centroids(struct clustering *c, struct rng *rng)
{
    const size_t d = c->points.columns, n_lists = c->centroids.rows;
    memset(c->sums, 0, n_lists * d * sizeof *c->sums);
    memset(c->counts, 0, n_lists * sizeof *c->counts);
    for (size_t p = 0; p < c->points.rows; p++) {
        const size_t list = (size_t)c->nearest[p];
        const float *point = c->points.data + p * c->points.stride;
        c->counts[list]++;
        for (size_t j = 0; j < d; j++) {
            c->sums[list * d + j] += (double)point[j];
        }
    }
    for (size_t list = 0; list < n_lists; list++) {
        move_centroid(c, list, rng);
    }
}

/* sample (n, d) = n different candidates in random order. */
static enum status_code draw_sample(struct const_matrix candidates, size_t n, struct rng *rng,
                                    float **sample, struct status *status)
{
    const size_t d = candidates.columns;
    uint32_t *order = NULL;
    enum status_code code;
    TRY(MEM_NEW(&order, candidates.rows, status));
    TRY(MEM_NEW(sample, n * d, status));
    rng_permutation(rng, candidates.rows, order);
    for (size_t i = 0; i < n; i++) {
        memcpy(*sample + i * d, candidates.data + order[i] * candidates.stride,
               d * sizeof **sample);
    }
done:
    mem_free(order);
    return code;
}

static enum status_code find_centroids(struct inverted_lists *lists, uint64_t seed,
                                       struct pool *pool, struct status *status)
{
    const size_t d = lists->candidates.columns, n_lists = lists->n_lists;
    const size_t most = n_lists * SAMPLE_PER_LIST;
    const size_t n = lists->candidates.rows < most ? lists->candidates.rows : most;
    struct clustering c = {.centroids = matrix_of(lists->centroids, n_lists, d)};
    float *sample = NULL;
    struct rng rng;
    enum status_code code;
    rng_init(&rng, seed, "inverted_lists", 0, 0);
    TRY(draw_sample(lists->candidates, n, &rng, &sample, status));
    c.points = const_matrix_of(sample, n, d);
    memcpy(lists->centroids, sample, n_lists * d * sizeof *sample);
    TRY(MEM_NEW(&c.nearest, n, status));
    TRY(MEM_NEW(&c.closeness, n, status));
    TRY(MEM_NEW(&c.sums, n_lists * d, status));
    TRY(MEM_NEW(&c.counts, n_lists, status));
    for (size_t round = 0; round < ROUNDS; round++) {
        TRY(assign(&c, pool, status));
        move_centroids(&c, &rng);
    }
done:
    clustering_release(&c);
    mem_free(sample);
    return code;
}

static enum status_code fill_lists(struct inverted_lists *lists, struct pool *pool,
                                   struct status *status)
{
    const struct const_matrix candidates = lists->candidates;
    const size_t n = candidates.rows, d = candidates.columns;
    struct clustering c = {.points = candidates,
                           .centroids = matrix_of(lists->centroids, lists->n_lists, d)};
    int64_t *next = NULL;
    enum status_code code;
    TRY(MEM_NEW(&c.nearest, n, status));
    TRY(MEM_NEW(&c.closeness, n, status));
    TRY(MEM_NEW(&next, lists->n_lists, status));
    TRY(assign(&c, pool, status));
    for (size_t i = 0; i < n; i++) {
        lists->starts[c.nearest[i] + 1]++;
    }
    for (size_t list = 0; list < lists->n_lists; list++) {
        lists->starts[list + 1] += lists->starts[list];
        next[list] = lists->starts[list];
    }
    for (size_t i = 0; i < n; i++) {
        const size_t at = (size_t)next[c.nearest[i]]++;
        lists->members[at] = (int32_t)i;
        memcpy(lists->vectors + at * d, candidates.data + i * candidates.stride,
               d * sizeof *lists->vectors);
    }
done:
    clustering_release(&c);
    mem_free(next);
    return code;
}

enum status_code inverted_lists_build(struct const_matrix candidates, uint64_t seed,
                                      struct pool *pool, struct inverted_lists *lists,
                                      struct status *status)
{
    const size_t n = candidates.rows, d = candidates.columns;
    struct inverted_lists made = {.candidates = candidates,
                                  .n_lists = (size_t)lround(sqrt((double)n))};
    size_t total;
    enum status_code code;
    if (!num_multiply(n, d, &total)) {
        return status_set(status, STATUS_NO_MEMORY, "inverted lists: %zu vectors of dimension %zu",
                          n, d);
    }
    TRY(MEM_NEW(&made.centroids, made.n_lists * d, status));
    TRY(MEM_NEW(&made.starts, made.n_lists + 1, status));
    TRY(MEM_NEW(&made.members, n, status));
    TRY(MEM_NEW(&made.vectors, total, status));
    if (n > 0) {
        TRY(find_centroids(&made, seed, pool, status));
        TRY(fill_lists(&made, pool, status));
    }
    *lists = made;
    made = (struct inverted_lists){0};
done:
    inverted_lists_release(&made);
    return code;
}

void inverted_lists_release(struct inverted_lists *lists)
{
    mem_free(lists->centroids);
    mem_free(lists->starts);
    mem_free(lists->members);
    mem_free(lists->vectors);
    *lists = (struct inverted_lists){0};
}
