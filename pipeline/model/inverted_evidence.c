/* Evidence on top of inverted lists. An anchor has thousands of entries at random places of large
 * arrays, and waiting for these is what it costs: so each loop reads of one array and asks for its
 * lines ahead, and only candidates whose bias and evidence leave them a chance get a product.
 *
 *   rest(c) = bias[c] + gamma norm c(a, c) powers[c]
 *   score   = scale <anchor, c> + rest(c) <= most + rest(c) */
#include "model/inverted_internal.h"

#include "base/mem.h"
#include "math/vec.h"

#include <assert.h>
#include <math.h>

enum {
    ITEMS_AHEAD = 32,  /* entries whose item is asked for ahead */
    VECTORS_AHEAD = 8, /* and whose vector */
};

/* What an entry needs of its item, in one place. */
struct late_item {
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

static size_t count_entries(const struct ranking *ranking)
{
    size_t most = 0;
    for (size_t a = 0; a < ranking->anchors.rows; a++) {
        size_t n;
        const int32_t *history = ranking_history(ranking->evidence, a, &n);
        const size_t bound = evidence_row_bound(ranking->evidence->evidence, history, n);
        most = bound > most ? bound : most;
    }
    return most;
}

enum status_code late_evidence_init(struct late_evidence *late, const struct ranking *ranking,
                                    struct status *status)
{
    const size_t n_items = ranking->evidence->evidence->pairs.n_rows;
    enum status_code code;
    assert(ranking->evidence->gammas[0] >= 0 && n_items <= ranking->candidates.rows);
    TRY(MEM_NEW(&late->items, n_items, status));
    for (size_t i = 0; i < n_items; i++) {
        late->items[i].power = ranking->evidence->powers[0][i];
        late->items[i].bias = ranking->n_biases == 0 ? 0.0f : ranking->biases[0][i];
    }
    late->ranking = ranking;
    late->n_entries_max = count_entries(ranking);
    late->most = (float)(fabs((double)ranking->scale) * longest(ranking->anchors) *
                         longest(ranking->candidates) * (1.0 + 1e-5));
done:
    return code;
}

void late_evidence_release(struct late_evidence *late)
{
    mem_free(late->items);
    *late = (struct late_evidence){0};
}

enum status_code late_worker_init(struct late_worker *worker, const struct late_evidence *late,
                                  struct status *status)
{
    const struct ranking *ranking = late->ranking;
    enum status_code code;
    TRY(MEM_NEW(&worker->met, ranking->k, status));
    TRY(MEM_NEW(&worker->met_scores, ranking->k, status));
    TRY(MEM_NEW(&worker->columns, late->n_entries_max, status));
    TRY(MEM_NEW(&worker->rests, late->n_entries_max, status));
    TRY(MEM_NEW(&worker->biases, late->n_entries_max, status));
    TRY(evidence_scratch_init(&worker->scratch, ranking->evidence->evidence, status));
done:
    return code;
}

void late_worker_release(struct late_worker *worker)
{
    mem_free(worker->met);
    mem_free(worker->met_scores);
    mem_free(worker->columns);
    mem_free(worker->rests);
    mem_free(worker->biases);
    evidence_scratch_release(&worker->scratch);
    *worker = (struct late_worker){0};
}

/* ---- one anchor ---- */

/* columns and rests of the anchor's evidence; 0 where it adds nothing. */
static size_t weigh_entries(const struct late_evidence *late, struct late_worker *worker,
                            size_t anchor)
{
    const struct ranking_evidence *evidence = late->ranking->evidence;
    float *rests = worker->rests;
    size_t n_history;
    const int32_t *history = ranking_history(evidence, anchor, &n_history);
    const size_t n = evidence_row(evidence->evidence, &worker->scratch, history, n_history,
                                  worker->columns, rests);
    for (size_t e = 0; e < n; e++) {
        const size_t ahead = e + ITEMS_AHEAD < n ? e + ITEMS_AHEAD : n - 1;
        mem_prefetch(&late->items[worker->columns[ahead]], sizeof *late->items);
        const struct late_item *item = &late->items[worker->columns[e]];
        rests[e] *= item->power;
        worker->biases[e] = item->bias;
    }
    const float factor = (float)evidence->gammas[0] *
                         evidence_norm(worker->columns, rests, n, history, n_history, NULL);
    for (size_t e = 0; e < n; e++) {
        rests[e] = worker->biases[e] + factor * rests[e];
    }
    return factor == 0.0f ? 0 : n;
}

/* The heap with what it holds, but for candidates that have evidence. */
static void keep_others(struct late_worker *worker, size_t n, struct topk *heap)
{
    const size_t n_met = heap->n;
    memcpy(worker->met, heap->indices, n_met * sizeof *worker->met);
    memcpy(worker->met_scores, heap->scores, n_met * sizeof *worker->met_scores);
    topk_init(heap, heap->k, heap->scores, heap->indices, heap->tie_rank);
    for (size_t m = 0; m < n_met; m++) {
        if (!sparse_holds(worker->columns, n, worker->met[m])) {
            topk_offer(heap, worker->met_scores[m], worker->met[m]);
        }
    }
}

/* Entries of an anchor that wait for their product. */
struct entries {
    const int32_t *columns; /* (n) */
    const float *rests;     /* (n) */
    size_t n;
};

static void score_entries(const struct ranking *ranking, const struct entries *entries, float most,
                          size_t anchor, struct topk *heap)
{
    const struct vec_ops *ops = vec_ops();
    const struct const_matrix candidates = ranking->candidates;
    const size_t d = candidates.columns;
    const float *vector = ranking->anchors.data + anchor * ranking->anchors.stride;
    for (size_t e = 0; e < entries->n; e++) {
        const size_t ahead = e + VECTORS_AHEAD < entries->n ? e + VECTORS_AHEAD : entries->n - 1;
        mem_prefetch(candidates.data + (size_t)entries->columns[ahead] * candidates.stride,
                     d * sizeof *candidates.data);
        const int32_t c = entries->columns[e];
        if (most + entries->rests[e] < topk_threshold(heap) || !inverted_is_eligible(ranking, c) ||
            inverted_is_excluded(ranking, anchor, c)) {
            continue;
        }
        const float *candidate = candidates.data + (size_t)c * candidates.stride;
        topk_offer(heap, ranking->scale * ops->dot(vector, candidate, d) + entries->rests[e], c);
    }
}

/* Takes the entries with the greatest rests out, into met and met_scores; their rests are NaN. */
static struct entries take_best(struct late_worker *worker, size_t n, size_t k)
{
    struct topk best;
    topk_init(&best, k, worker->met_scores, worker->met, NULL);
    topk_offer_range(&best, worker->rests, n, 0);
    for (size_t b = 0; b < best.n; b++) {
        const size_t place = (size_t)worker->met[b];
        worker->met[b] = worker->columns[place];
        worker->rests[place] = NAN;
    }
    return (struct entries){worker->met, worker->met_scores, best.n};
}

/* Those that can still reach the threshold. */
static struct entries keep_hopeful(struct late_worker *worker, size_t n, float most,
                                   float threshold)
{
    size_t kept = 0;
    for (size_t e = 0; e < n; e++) {
        const float rest = worker->rests[e];
        worker->columns[kept] = worker->columns[e];
        worker->rests[kept] = rest;
        kept += most + rest >= threshold ? 1 : 0;
    }
    return (struct entries){worker->columns, worker->rests, kept};
}

void late_evidence_add(const struct late_evidence *late, struct late_worker *worker, size_t anchor,
                       struct topk *heap)
{
    const size_t n = weigh_entries(late, worker, anchor);
    if (n == 0) {
        return;
    }
    keep_others(worker, n, heap);
    /* the best first: their scores are a threshold that most of the others do not reach */
    const struct entries best = take_best(worker, n, heap->k);
    score_entries(late->ranking, &best, late->most, anchor, heap);
    const struct entries others = keep_hopeful(worker, n, late->most, topk_threshold(heap));
    score_entries(late->ranking, &others, late->most, anchor, heap);
}
