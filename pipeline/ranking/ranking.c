/* Exact top-k by blocked products: a block of anchors against one tile of candidates after another,
 * each product tile consumed while it is still in the cache. It knows nothing of users and items;
 * what is excluded and what the biases mean is the caller's business.
 *
 *   for each block of anchors (parallel)
 *     for each tile of candidates, packed once for the block
 *       products (some anchors, tile) = scale * anchors candidates^T      for all bias variants
 *       excluded entries become NaN, which no selection takes
 *       for each anchor and variant: products + evidence + bias -> bounded heap in the outputs */
#include "ranking/ranking.h"

#include "base/mem.h"
#include "base/num.h"
#include "math/topk.h"
#include "math/vec.h"

#include <assert.h>
#include <float.h>
#include <limits.h>
#include <math.h>

enum {
    ANCHOR_BLOCK = 480,   /* anchors that share a packed tile of candidates */
    PRODUCT_BLOCK = 60,   /* of them at a time: 0.13 MB of products, a part of an L2 */
    CANDIDATE_TILE = 512, /* candidates */
    PRODUCT_STRIDE = CANDIDATE_TILE + 16
};

/* The evidence of a block of anchors: anchor s has the entries [starts[s], starts[s + 1]). */
struct block_evidence {
    struct evidence_scratch scratch;
    int32_t *columns; /* (n_entries_max of the job) */
    float *values;    /* (n_entries_max) */
    size_t starts[ANCHOR_BLOCK + 1];
    size_t at[ANCHOR_BLOCK]; /* next entry for the tile to come */
    float *norms;            /* (n_variants, ANCHOR_BLOCK) */
};

/* One thread's memory. */
struct ranking_worker {
    float *packed;                   /* packed (d, CANDIDATE_TILE): scale * candidates^T */
    float *products;                 /* (PRODUCT_BLOCK, PRODUCT_STRIDE) */
    float *scores;                   /* (CANDIDATE_TILE) one row with its evidence */
    struct topk *heaps;              /* (n_variants, ANCHOR_BLOCK) */
    size_t *exclude_at;              /* (ANCHOR_BLOCK) next of the anchor's excluded candidates */
    struct block_evidence *evidence; /* (n_evidence) */
};

struct ranking_job {
    const struct ranking *ranking;
    const struct vec_ops *ops;
    size_t n_variants;
    const float **biases;  /* (n_variants) NULL: no bias; NaN where a candidate is not eligible */
    float *masked;         /* (n_variants, n_candidates) the biases with that NaN, or NULL */
    size_t *n_entries_max; /* (n_evidence) entries of any block of anchors */
    int32_t *items;        /* (n_variants, n_anchors, k) */
    float *scores;         /* the same shape */
    size_t n_workers;
    struct ranking_worker *workers;
};

/* Largest magnitude of m's elements; +infinity when one is not finite. */
static double magnitude(struct const_matrix m)
{
    double largest = 0.0;
    for (size_t i = 0; i < m.rows; i++) {
        const float *row = m.data + i * m.stride;
        for (size_t j = 0; j < m.columns; j++) {
            if (!isfinite(row[j])) {
                return (double)INFINITY;
            }
            largest = fmax(largest, fabs((double)row[j]));
        }
    }
    return largest;
}

/* Bounds every score from its parts, so that the inner loops need not look for infinities. */
static enum status_code check_finite(const struct ranking *ranking, struct status *status)
{
    double anchors = magnitude(ranking->anchors);
    double candidates = magnitude(ranking->candidates);
    double bias = 0.0;
    for (size_t v = 0; v < ranking->n_biases; v++) {
        bias =
            fmax(bias, magnitude(const_matrix_of(ranking->biases[v], 1, ranking->candidates.rows)));
    }
    double gamma = 0.0;
    for (size_t t = 0; t < ranking->n_evidence; t++) {
        double most = 0.0;
        for (size_t v = 0; v < ranking->n_biases; v++) {
            most = fmax(most, fabs(ranking->evidence[t].gammas[v]));
        }
        gamma += most;
    }
    double bound =
        fabs((double)ranking->scale) * anchors * candidates * (double)ranking->anchors.columns +
        bias + gamma;
    /* NaN (0 * infinity) fails the comparison too */
    if (!(bound < (double)FLT_MAX)) {
        return status_set(status, STATUS_INTERNAL,
                          "ranking: scores are not finite: largest anchor element %g, candidate "
                          "element %g, scale %g, bias %g, evidence weight %g",
                          anchors, candidates, (double)ranking->scale, bias, gamma);
    }
    return STATUS_OK;
}

/* Candidates that are not eligible get a NaN bias: no cost in the inner loops. */
static enum status_code mask_biases(struct ranking_job *job, struct status *status)
{
    const struct ranking *ranking = job->ranking;
    size_t n = ranking->candidates.rows;
    size_t total;
    enum status_code code;
    if (!num_multiply(job->n_variants, n, &total)) {
        return status_set(status, STATUS_NO_MEMORY, "ranking: %zu biases of %zu candidates",
                          job->n_variants, n);
    }
    TRY(MEM_NEW(&job->masked, total, status));
    for (size_t v = 0; v < job->n_variants; v++) {
        float *masked = job->masked + v * n;
        for (size_t c = 0; c < n; c++) {
            float bias = job->biases[v] == NULL ? 0.0f : job->biases[v][c];
            masked[c] = ranking->eligible[c] ? bias : NAN;
        }
        job->biases[v] = masked;
    }
done:
    return code;
}

/* ---- evidence ---- */

/* The largest sum of row bounds over the blocks of anchors, so that no task has to allocate. */
static size_t count_entries(const struct ranking *ranking, const struct evidence *evidence)
{
    size_t most = 0, sum = 0;
    for (size_t a = 0; a < ranking->anchors.rows; a++) {
        size_t n;
        const int32_t *history = ranking_history(ranking, a, &n);
        sum = a % ANCHOR_BLOCK == 0 ? 0 : sum;
        sum += evidence_row_bound(evidence, history, n);
        most = sum > most ? sum : most;
    }
    return most;
}

static enum status_code block_evidence_init(struct block_evidence *block,
                                            const struct ranking_job *job, size_t t,
                                            struct status *status)
{
    enum status_code code;
    TRY(evidence_scratch_init(&block->scratch, job->ranking->evidence[t].evidence, status));
    TRY(MEM_NEW(&block->columns, job->n_entries_max[t], status));
    TRY(MEM_NEW(&block->values, job->n_entries_max[t], status));
    TRY(MEM_NEW(&block->norms, job->n_variants * ANCHOR_BLOCK, status));
done:
    return code;
}

static void block_evidence_release(struct block_evidence *block)
{
    evidence_scratch_release(&block->scratch);
    mem_free(block->columns);
    mem_free(block->values);
    mem_free(block->norms);
}

/* The rows of n anchors and their norms under every variant. */
static void block_evidence_start(struct block_evidence *block, const struct ranking_job *job,
                                 const struct ranking_evidence *request, size_t first_anchor,
                                 size_t n)
{
    block->starts[0] = 0;
    for (size_t slot = 0; slot < n; slot++) {
        size_t start = block->starts[slot];
        size_t n_entries =
            ranking_evidence_row(job->ranking, request, &block->scratch, first_anchor + slot,
                                 block->columns + start, block->values + start);
        block->starts[slot + 1] = start + n_entries;
        block->at[slot] = start;
        for (size_t v = 0; v < job->n_variants; v++) {
            float *norm = &block->norms[v * ANCHOR_BLOCK + slot];
            if (v > 0 && request->powers[v] == request->powers[v - 1]) {
                *norm = block->norms[(v - 1) * ANCHOR_BLOCK + slot];
            } else {
                *norm = ranking_evidence_norm(job->ranking, request, first_anchor + slot,
                                              block->columns + start, block->values + start,
                                              n_entries, request->powers[v]);
            }
        }
    }
}

/* Where the slot's entries for candidates below `end` stop. */
static size_t entries_below(const struct block_evidence *block, size_t slot, size_t end)
{
    size_t entry = block->at[slot];
    while (entry < block->starts[slot + 1] && (size_t)block->columns[entry] < end) {
        entry++;
    }
    return entry;
}

/* The row of products with all evidence of a variant on top, for the tile from `first` on: in
 * worker->scores, or `products` themselves where there is nothing to add. */
static const float *add_evidence(const struct ranking_job *job, struct ranking_worker *worker,
                                 size_t variant, size_t slot, size_t first, size_t count)
{
    const float *products = worker->products + slot % PRODUCT_BLOCK * PRODUCT_STRIDE;
    bool is_copied = false;
    for (size_t t = 0; t < job->ranking->n_evidence; t++) {
        const struct ranking_evidence *request = &job->ranking->evidence[t];
        const struct block_evidence *block = &worker->evidence[t];
        const float *powers = request->powers[variant];
        const float factor =
            (float)request->gammas[variant] * block->norms[variant * ANCHOR_BLOCK + slot];
        const size_t end = entries_below(block, slot, first + count);
        if (factor == 0.0f || block->at[slot] == end) {
            continue;
        }
        if (!is_copied) {
            memcpy(worker->scores, products, count * sizeof *products);
            is_copied = true;
        }
        for (size_t e = block->at[slot]; e < end; e++) {
            size_t candidate = (size_t)block->columns[e];
            worker->scores[candidate - first] += factor * (block->values[e] * powers[candidate]);
        }
    }
    return is_copied ? worker->scores : products;
}

/* Whether a variant's evidence is that of the one before it. */
static bool same_evidence(const struct ranking *ranking, size_t variant)
{
    for (size_t t = 0; t < ranking->n_evidence; t++) {
        const struct ranking_evidence *request = &ranking->evidence[t];
        if (variant == 0 || request->gammas[variant] != request->gammas[variant - 1] ||
            request->powers[variant] != request->powers[variant - 1]) {
            return false;
        }
    }
    return true;
}

/* ---- memory ---- */

static void job_release(struct ranking_job *job)
{
    for (size_t w = 0; job->workers != NULL && w < job->n_workers; w++) {
        for (size_t t = 0; job->workers[w].evidence != NULL && t < job->ranking->n_evidence; t++) {
            block_evidence_release(&job->workers[w].evidence[t]);
        }
        mem_free(job->workers[w].evidence);
        mem_free(job->workers[w].products);
        mem_free(job->workers[w].scores);
        mem_free(job->workers[w].packed);
        mem_free(job->workers[w].heaps);
        mem_free(job->workers[w].exclude_at);
    }
    mem_free(job->workers);
    mem_free(job->n_entries_max);
    mem_free(job->masked);
    mem_free(job->biases);
}

static enum status_code job_prepare(struct ranking_job *job, size_t n_workers,
                                    struct status *status)
{
    const struct ranking *ranking = job->ranking;
    size_t d = ranking->anchors.columns;
    enum status_code code;
    TRY(MEM_NEW(&job->biases, job->n_variants, status));
    for (size_t v = 0; v < ranking->n_biases; v++) {
        job->biases[v] = ranking->biases[v];
    }
    if (ranking->eligible != NULL) {
        TRY(mask_biases(job, status));
    }
    TRY(MEM_NEW(&job->n_entries_max, ranking->n_evidence, status));
    for (size_t t = 0; t < ranking->n_evidence; t++) {
        job->n_entries_max[t] = count_entries(ranking, ranking->evidence[t].evidence);
    }
    TRY(MEM_NEW(&job->workers, n_workers, status));
    job->n_workers = n_workers;
    for (size_t w = 0; w < n_workers; w++) {
        struct ranking_worker *worker = &job->workers[w];
        TRY(MEM_NEW(&worker->packed, product_packed_size(job->ops->product, d, CANDIDATE_TILE),
                    status));
        TRY(MEM_NEW(&worker->products, (size_t)PRODUCT_BLOCK * PRODUCT_STRIDE, status));
        TRY(MEM_NEW(&worker->scores, CANDIDATE_TILE, status));
        TRY(MEM_NEW(&worker->heaps, job->n_variants * ANCHOR_BLOCK, status));
        TRY(MEM_NEW(&worker->exclude_at, ANCHOR_BLOCK, status));
        TRY(MEM_NEW(&worker->evidence, ranking->n_evidence, status));
        for (size_t t = 0; t < ranking->n_evidence; t++) {
            TRY(block_evidence_init(&worker->evidence[t], job, t, status));
        }
    }
done:
    return code;
}

/* Writes NaN over the excluded products of one tile row; tiles come in ascending order. */
static void mask_excluded(const struct ranking *ranking, size_t anchor, size_t *at, size_t first,
                          size_t count, float *products)
{
    size_t n;
    const int32_t *excluded = ranking_excluded(ranking, anchor, &n);
    size_t entry = *at;
    for (; entry < n && (size_t)excluded[entry] < first + count; entry++) {
        products[(size_t)excluded[entry] - first] = NAN;
    }
    *at = entry;
}

/* A score that k candidates of this tile have at least: the least of those that another variant has
 * found best here. -INFINITY where its best are not k, or not all of this tile. */
static float reached_by_all(const struct topk *best, const float *row, const float *bias,
                            size_t first, size_t count)
{
    float least = INFINITY;
    for (size_t r = 0; r < best->n; r++) {
        const size_t at = (size_t)best->indices[r] - first;
        if (at >= count) {
            return -INFINITY;
        }
        const float score = bias == NULL ? row[at] : row[at] + bias[at];
        least = score < least ? score : least;
    }
    return best->n < best->k ? -INFINITY : least;
}

/* Offers row + bias (NULL: none) to a heap. Few scores reach the threshold of a full heap, or
 * `least`, and only those are looked at one by one. */
static void offer_row(const struct ranking_job *job, struct topk *heap, const float *row,
                      const float *bias, float least, size_t first, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        const float *rest = bias == NULL ? NULL : bias + at;
        const float full = topk_threshold(heap), threshold = full > least ? full : least;
        at += job->ops->first_reaching(row + at, rest, count - at, threshold);
        if (at < count) {
            float score = bias == NULL ? row[at] : row[at] + bias[at];
            topk_offer(heap, score, (int32_t)(first + at));
        }
    }
}

/* Offers one row of products to the anchor's heap of every variant. The order of the additions is
 * the same for one variant and for many, so a variant has the same scores alone and beside others.
 */
static void select_row(const struct ranking_job *job, struct ranking_worker *worker, size_t slot,
                       size_t first, size_t count)
{
    const float *row = worker->products + slot % PRODUCT_BLOCK * PRODUCT_STRIDE;
    for (size_t v = 0; v < job->n_variants; v++) {
        if (!same_evidence(job->ranking, v)) {
            row = add_evidence(job, worker, v, slot, first, count);
        }
        const float *bias = job->biases[v] == NULL ? NULL : job->biases[v] + first;
        struct topk *heap = &worker->heaps[v * ANCHOR_BLOCK + slot];
        /* variants are much alike: what the one before found saves filling the heap with others */
        const float least = v > 0 && heap->n < heap->k
                                ? reached_by_all(heap - ANCHOR_BLOCK, row, bias, first, count)
                                : -INFINITY;
        offer_row(job, heap, row, bias, least, first, count);
    }
    for (size_t t = 0; t < job->ranking->n_evidence; t++) {
        struct block_evidence *block = &worker->evidence[t];
        block->at[slot] = entries_below(block, slot, first + count);
    }
}

/* Heaps over the output arrays, and each anchor at the first of its excluded candidates. */
static void start_block(const struct ranking_job *job, struct ranking_worker *worker,
                        size_t first_anchor, size_t n)
{
    const struct ranking *ranking = job->ranking;
    for (size_t slot = 0; slot < n; slot++) {
        worker->exclude_at[slot] = 0;
        for (size_t v = 0; v < job->n_variants; v++) {
            size_t list = (v * ranking->anchors.rows + first_anchor + slot) * ranking->k;
            topk_init(&worker->heaps[v * ANCHOR_BLOCK + slot], ranking->k, job->scores + list,
                      job->items + list, ranking->tie_rank);
        }
    }
}

static void finish_block(const struct ranking_job *job, struct ranking_worker *worker, size_t n)
{
    for (size_t v = 0; v < job->n_variants; v++) {
        for (size_t slot = 0; slot < n; slot++) {
            struct topk *heap = &worker->heaps[v * ANCHOR_BLOCK + slot];
            topk_finish(heap);
            for (size_t r = heap->n; r < heap->k; r++) {
                heap->indices[r] = -1;
                heap->scores[r] = 0.0f;
            }
        }
    }
}

/* Products and selection of anchors first_anchor + [slot, slot + n) of a block with a tile. */
static void rank_tile(const struct ranking_job *job, struct ranking_worker *worker,
                      size_t first_anchor, size_t slot, size_t n, size_t first, size_t count)
{
    const struct ranking *ranking = job->ranking;
    const struct const_matrix anchors = matrix_rows(ranking->anchors, first_anchor + slot, n);
    job->ops->product->run(&(struct product){.x = anchors.data,
                                             .row_step = anchors.stride,
                                             .depth_step = 1,
                                             .panels = worker->packed,
                                             .depth = anchors.columns,
                                             .out = {worker->products, n, count, PRODUCT_STRIDE}});
    for (size_t i = 0; i < n; i++) {
        mask_excluded(ranking, first_anchor + slot + i, &worker->exclude_at[slot + i], first, count,
                      worker->products + i * PRODUCT_STRIDE);
        select_row(job, worker, slot + i, first, count);
    }
}

static void rank_block(void *data, size_t block, size_t worker_index)
{
    const struct ranking_job *job = data;
    const struct ranking *ranking = job->ranking;
    struct ranking_worker *worker = &job->workers[worker_index];
    size_t first_anchor = block * ANCHOR_BLOCK;
    size_t left = ranking->anchors.rows - first_anchor;
    size_t n = left < ANCHOR_BLOCK ? left : ANCHOR_BLOCK;
    start_block(job, worker, first_anchor, n);
    for (size_t t = 0; t < ranking->n_evidence; t++) {
        block_evidence_start(&worker->evidence[t], job, &ranking->evidence[t], first_anchor, n);
    }
    for (size_t first = 0; first < ranking->candidates.rows; first += CANDIDATE_TILE) {
        size_t rest = ranking->candidates.rows - first;
        size_t count = rest < CANDIDATE_TILE ? rest : CANDIDATE_TILE;
        job->ops->product->pack_transposed(matrix_rows(ranking->candidates, first, count),
                                           ranking->scale, worker->packed);
        for (size_t slot = 0; slot < n; slot += PRODUCT_BLOCK) {
            size_t some = n - slot < PRODUCT_BLOCK ? n - slot : PRODUCT_BLOCK;
            rank_tile(job, worker, first_anchor, slot, some, first, count);
        }
    }
    finish_block(job, worker, n);
}

enum status_code ranking_run(const struct ranking *ranking, struct pool *pool, int32_t *items,
                             float *scores, struct status *status)
{
    struct ranking_job job = {.ranking = ranking,
                              .ops = vec_ops(),
                              .n_variants = ranking->n_biases > 0 ? ranking->n_biases : 1,
                              .items = items,
                              .scores = scores};
    enum status_code code;
    assert(ranking->anchors.columns == ranking->candidates.columns && ranking->k > 0);
    assert(ranking->anchors.columns > 0 && ranking->anchors.columns <= INT_MAX);
    assert(ranking->candidates.rows <= INT32_MAX);
    assert(ranking->n_evidence == 0 ||
           (ranking->n_biases > 0 &&
            ranking->evidence[0].evidence->pairs.n_rows <= ranking->candidates.rows));
    TRY(check_finite(ranking, status));
    TRY(job_prepare(&job, pool_threads(pool), status));
    size_t n_blocks = (ranking->anchors.rows + ANCHOR_BLOCK - 1) / ANCHOR_BLOCK;
    pool_run(pool, n_blocks, rank_block, &job);
done:
    job_release(&job);
    return code;
}
