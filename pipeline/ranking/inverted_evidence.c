/* Evidence on top of inverted lists. An anchor has thousands of entries at random places of large
 * arrays, and waiting for memory is what they cost: loops prefetch, what an entry needs of its item
 * stands in one place, and only entries whose rest leaves them a chance get a product.
 *
 *   rest(c)  = bias[c] + gamma norm c(a, c) powers[c]
 *   score(c) = scale <anchor, c> + rest(c) <= product_max + rest(c) */
#include "ranking/inverted_internal.h"

#include "base/mem.h"
#include "math/vec.h"

#include <assert.h>
#include <math.h>

enum {
    ITEMS_AHEAD = 32,  /* entries whose item is prefetched */
    VECTORS_AHEAD = 8, /* and whose vector */
};

/* What an entry needs of its item. */
struct evidence_item {
    float power, bias;
};

/* ---- preparation ---- */

static double longest(struct const_matrix m)
{
    const struct vec_ops *ops = vec_ops();
    double squares = 0.0;
    for (size_t i = 0; i < m.rows; i++) {
        const float *row = m.data + i * m.stride;
        squares = fmax(squares, (double)ops->dot(row, row, m.columns));
    }
    return sqrt(squares);
}

static size_t longest_row_bound(const struct ranking *ranking)
{
    size_t longest_bound = 0;
    for (size_t a = 0; a < ranking->anchors.rows; a++) {
        size_t n;
        const int32_t *history = ranking_history(ranking->evidence, a, &n);
        const size_t bound = evidence_row_bound(ranking->evidence->evidence, history, n);
        longest_bound = bound > longest_bound ? bound : longest_bound;
    }
    return longest_bound;
}

enum status_code inverted_evidence_init(struct inverted_evidence *evidence,
                                        const struct ranking *ranking, struct status *status)
{
    const size_t n_items = ranking->evidence->evidence->pairs.n_rows;
    enum status_code code;
    assert(ranking->evidence->gammas[0] >= 0 && n_items <= ranking->candidates.rows);
    assert(ranking->n_biases == 1);
    TRY(MEM_NEW(&evidence->items, n_items, status));
    for (size_t i = 0; i < n_items; i++) {
        evidence->items[i].power = ranking->evidence->powers[0][i];
        evidence->items[i].bias = ranking->biases[0][i];
    }
    evidence->ranking = ranking;
    evidence->n_entries_max = longest_row_bound(ranking);
    /* candidates have unit length; a little more, for what rounding adds */
    evidence->product_max =
        (float)(fabs((double)ranking->scale) * longest(ranking->anchors) * (1.0 + 1e-5));
done:
    return code;
}

void inverted_evidence_release(struct inverted_evidence *evidence)
{
    mem_free(evidence->items);
    *evidence = (struct inverted_evidence){0};
}

enum status_code inverted_scratch_init(struct inverted_scratch *scratch,
                                       const struct inverted_evidence *evidence,
                                       struct status *status)
{
    const struct ranking *ranking = evidence->ranking;
    enum status_code code;
    TRY(MEM_NEW(&scratch->met, ranking->k, status));
    TRY(MEM_NEW(&scratch->met_scores, ranking->k, status));
    TRY(MEM_NEW(&scratch->best, ranking->k, status));
    TRY(MEM_NEW(&scratch->best_rests, ranking->k, status));
    TRY(MEM_NEW(&scratch->columns, evidence->n_entries_max, status));
    TRY(MEM_NEW(&scratch->rests, evidence->n_entries_max, status));
    TRY(MEM_NEW(&scratch->biases, evidence->n_entries_max, status));
    TRY(evidence_scratch_init(&scratch->row, ranking->evidence->evidence, status));
done:
    return code;
}

void inverted_scratch_release(struct inverted_scratch *scratch)
{
    mem_free(scratch->met);
    mem_free(scratch->met_scores);
    mem_free(scratch->best);
    mem_free(scratch->best_rests);
    mem_free(scratch->columns);
    mem_free(scratch->rests);
    mem_free(scratch->biases);
    evidence_scratch_release(&scratch->row);
    *scratch = (struct inverted_scratch){0};
}

/* ---- one anchor ---- */

/* Columns and rests of the anchor's entries; returns their number, 0 where evidence adds nothing.
 */
static size_t weigh_entries(const struct inverted_evidence *evidence,
                            struct inverted_scratch *scratch, size_t anchor)
{
    const struct ranking_evidence *request = evidence->ranking->evidence;
    const int32_t *columns = scratch->columns;
    float *rests = scratch->rests;
    size_t n_history;
    const int32_t *history = ranking_history(request, anchor, &n_history);
    const size_t n =
        evidence_row(request->evidence, &scratch->row, history, n_history, scratch->columns, rests);
    for (size_t e = 0; e < n; e++) {
        const size_t ahead = e + ITEMS_AHEAD < n ? e + ITEMS_AHEAD : n - 1;
        mem_prefetch(&evidence->items[columns[ahead]], sizeof *evidence->items);
        const struct evidence_item *item = &evidence->items[columns[e]];
        rests[e] *= item->power;
        scratch->biases[e] = item->bias;
    }
    const float factor =
        (float)request->gammas[0] * evidence_norm(columns, rests, n, history, n_history, NULL);
    for (size_t e = 0; e < n; e++) {
        rests[e] = scratch->biases[e] + factor * rests[e];
    }
    return factor == 0.0f ? 0 : n;
}

/* Entries that are never recommended, own items first of all, get NaN, which no comparison passes.
 */
static void strike_out(const struct ranking *ranking, struct inverted_scratch *scratch, size_t n,
                       size_t anchor)
{
    size_t n_excluded, x = 0;
    const int32_t *excluded = ranking_excluded(ranking, anchor, &n_excluded);
    for (size_t e = 0; e < n; e++) {
        const int32_t c = scratch->columns[e];
        while (x < n_excluded && excluded[x] < c) {
            x++;
        }
        if ((x < n_excluded && excluded[x] == c) || !inverted_is_eligible(ranking, c)) {
            scratch->rests[e] = NAN;
        }
    }
}

/* The heap with what it holds, but for candidates that have evidence. */
static void keep_others(struct inverted_scratch *scratch, size_t n, struct topk *heap)
{
    const size_t n_met = heap->n;
    memcpy(scratch->met, heap->indices, n_met * sizeof *scratch->met);
    memcpy(scratch->met_scores, heap->scores, n_met * sizeof *scratch->met_scores);
    topk_init(heap, heap->k, heap->scores, heap->indices, heap->tie_rank);
    for (size_t m = 0; m < n_met; m++) {
        if (!columns_hold(scratch->columns, n, scratch->met[m])) {
            topk_offer(heap, scratch->met_scores[m], scratch->met[m]);
        }
    }
}

/* Entries of an anchor that wait for their product. */
struct entries {
    const int32_t *columns; /* (n) */
    const float *rests;     /* (n) */
    size_t n;
};

static void score_entries(const struct inverted_evidence *evidence, const struct entries *entries,
                          size_t anchor, struct topk *heap)
{
    const struct vec_ops *ops = vec_ops();
    const struct ranking *ranking = evidence->ranking;
    const struct const_matrix candidates = ranking->candidates;
    const size_t d = candidates.columns;
    const float *vector = ranking->anchors.data + anchor * ranking->anchors.stride;
    for (size_t e = 0; e < entries->n; e++) {
        const size_t ahead = e + VECTORS_AHEAD < entries->n ? e + VECTORS_AHEAD : entries->n - 1;
        mem_prefetch(candidates.data + (size_t)entries->columns[ahead] * candidates.stride,
                     d * sizeof *candidates.data);
        if (evidence->product_max + entries->rests[e] >= topk_threshold(heap)) {
            const int32_t c = entries->columns[e];
            const float *candidate = candidates.data + (size_t)c * candidates.stride;
            topk_offer(heap, ranking->scale * ops->dot(vector, candidate, d) + entries->rests[e],
                       c);
        }
    }
}

/* Takes the k entries with the greatest rests out; NaN stays in their place. */
static struct entries take_best(struct inverted_scratch *scratch, size_t n, size_t k)
{
    struct topk best;
    topk_init(&best, k, scratch->best_rests, scratch->best, NULL);
    topk_offer_range(&best, scratch->rests, n, 0);
    for (size_t b = 0; b < best.n; b++) {
        const size_t place = (size_t)scratch->best[b];
        scratch->best[b] = scratch->columns[place];
        scratch->rests[place] = NAN;
    }
    return (struct entries){scratch->best, scratch->best_rests, best.n};
}

/* Those that can still reach the threshold. */
static struct entries keep_hopeful(struct inverted_scratch *scratch, size_t n, float product_max,
                                   float threshold)
{
    size_t kept = 0;
    for (size_t e = 0; e < n; e++) {
        const float rest = scratch->rests[e];
        scratch->columns[kept] = scratch->columns[e];
        scratch->rests[kept] = rest;
        kept += product_max + rest >= threshold ? 1 : 0;
    }
    return (struct entries){scratch->columns, scratch->rests, kept};
}

void inverted_evidence_add(const struct inverted_evidence *evidence,
                           struct inverted_scratch *scratch, size_t anchor, struct topk *heap)
{
    const size_t n = weigh_entries(evidence, scratch, anchor);
    if (n == 0) {
        return;
    }
    keep_others(scratch, n, heap);
    strike_out(evidence->ranking, scratch, n, anchor);
    /* the best first: their scores are a threshold that most of the others do not reach */
    const struct entries best = take_best(scratch, n, heap->k);
    score_entries(evidence, &best, anchor, heap);
    const struct entries others =
        keep_hopeful(scratch, n, evidence->product_max, topk_threshold(heap));
    score_entries(evidence, &others, anchor, heap);
}
