/* Evidence on top of inverted lists. An anchor has thousands of entries at random places of large
 * arrays, and waiting for memory is what they cost: loops prefetch, what an entry needs of its item
 * stands in one place, and only entries whose rest leaves them a chance get a product.
 *
 *   rest(c)  = bias[c] + all evidence of gamma norm c(a, c) powers[c]
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

/* The most entries of an anchor, of one kind of evidence or of all together. */
static size_t longest_row_bound(const struct ranking *ranking, size_t n_items)
{
    size_t longest_bound = 0;
    for (size_t a = 0; a < ranking->anchors.rows; a++) {
        size_t bound = 0;
        for (size_t t = 0; t < ranking->n_evidence; t++) {
            size_t n;
            const int32_t *history = ranking_history(ranking, a, &n);
            bound += evidence_row_bound(ranking->evidence[t].evidence, history, n);
        }
        longest_bound = bound > longest_bound ? bound : longest_bound;
    }
    return longest_bound < n_items ? longest_bound : n_items;
}

void inverted_evidence_init(struct inverted_evidence *evidence, const struct ranking *ranking)
{
    const size_t n_items = ranking->evidence[0].evidence->pairs.n_rows;
    for (size_t t = 0; t < ranking->n_evidence; t++) {
        assert(ranking->evidence[t].gammas[0] >= 0);
        assert(ranking->evidence[t].evidence->pairs.n_rows == n_items);
    }
    assert(n_items <= ranking->candidates.rows && ranking->n_biases == 1);
    evidence->ranking = ranking;
    evidence->n_items = n_items;
    evidence->n_entries_max = longest_row_bound(ranking, n_items);
    /* candidates have unit length; a little more, for what rounding adds */
    evidence->product_max =
        (float)(fabs((double)ranking->scale) * longest(ranking->anchors) * (1.0 + 1e-5));
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
    TRY(MEM_NEW(&scratch->sums, evidence->n_items, status));
    TRY(index_set_init(&scratch->touched, evidence->n_items, status));
    TRY(evidence_scratch_init(&scratch->row, ranking->evidence[0].evidence, status));
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
    mem_free(scratch->sums);
    index_set_release(&scratch->touched);
    evidence_scratch_release(&scratch->row);
    *scratch = (struct inverted_scratch){0};
}

/* ---- one anchor ---- */

/* scratch->sums += what one kind of evidence gives to each candidate. */
static void add_evidence(const struct ranking *ranking, const struct ranking_evidence *request,
                         struct inverted_scratch *scratch, size_t anchor)
{
    const float *powers = request->powers[0];
    const int32_t *columns = scratch->columns;
    float *values = scratch->rests;
    const size_t n =
        ranking_evidence_row(ranking, request, &scratch->row, anchor, scratch->columns, values);
    for (size_t e = 0; e < n; e++) {
        const size_t ahead = e + ITEMS_AHEAD < n ? e + ITEMS_AHEAD : n - 1;
        mem_prefetch(&powers[columns[ahead]], sizeof *powers);
        values[e] *= powers[columns[e]];
    }
    const float factor = (float)request->gammas[0] *
                         ranking_evidence_norm(ranking, request, anchor, columns, values, n, NULL);
    for (size_t e = 0; factor != 0.0f && e < n; e++) {
        scratch->sums[columns[e]] += factor * values[e];
        index_set_add(&scratch->touched, columns[e]);
    }
}

/* Columns and rests of the anchor's entries; returns their number, 0 where evidence adds nothing.
 */
static size_t weigh_entries(const struct inverted_evidence *evidence,
                            struct inverted_scratch *scratch, size_t anchor)
{
    const struct ranking *ranking = evidence->ranking;
    const float *biases = ranking->biases[0];
    for (size_t t = 0; t < ranking->n_evidence; t++) {
        add_evidence(ranking, &ranking->evidence[t], scratch, anchor);
    }
    const size_t n = index_set_drain(&scratch->touched, scratch->columns);
    for (size_t e = 0; e < n; e++) {
        const size_t ahead = e + ITEMS_AHEAD < n ? e + ITEMS_AHEAD : n - 1;
        mem_prefetch(&biases[scratch->columns[ahead]], sizeof *biases);
        const int32_t c = scratch->columns[e];
        scratch->rests[e] = biases[c] + scratch->sums[c];
        scratch->sums[c] = 0;
    }
    return n;
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
    topk_offer_all(&best, scratch->rests, n);
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
