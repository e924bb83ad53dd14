/* Why a row is there: what the items of the user's history gave to its score.
 *
 *   contribution(h, i) = cos(h, i) / (tau |H|) + the sum over evidences of gamma norm_u w_h G[h, i]
 * n_i^p
 *
 * The second part is history item h's exact share of all evidence (evidence.h); the first shares
 * out the towers' part as if the user's vector were the mean of the vectors of the history H.
 * Popularity and boosts have no reason in the history. Only what adds to the score is named, the
 * largest first, equal ones by the lower item code. */
#include "serving/serving_internal.h"

#include "base/mem.h"
#include "base/num.h"
#include "math/vec.h"

enum { USERS_AT_ONCE = 64 };

/* One thread's memory. */
struct reason_worker {
    struct evidence_scratch scratch;
    float factors[1 + SCORE_PARTS_MAX]; /* gamma times the user's norm, of each evidence */
    int32_t *columns;                   /* (n_known) the user's evidence */
    float *values;                      /* (n_known) */
};

struct reasons {
    struct serving *serving;
    struct reason_worker *workers;
    size_t n_workers;
};

/* Puts a reason in its place among those of a row; the last one falls out. */
static void insert(int32_t *items, float *scores, size_t n, int32_t item, float score)
{
    size_t at = n;
    while (at > 0 && (items[at - 1] < 0 || score > scores[at - 1] ||
                      (score >= scores[at - 1] && item < items[at - 1]))) {
        at--;
    }
    for (size_t r = n; r-- > at + 1;) {
        items[r] = items[r - 1];
        scores[r] = scores[r - 1];
    }
    if (at < n) {
        items[at] = item;
        scores[at] = score;
    }
}

static void weigh_evidence(const struct serving *serving, struct reason_worker *worker,
                           int32_t user)
{
    struct ranking ranking = {.k = 0};
    score_apply(&serving->score, &user, &ranking);
    for (size_t t = 0; t < ranking.n_evidence; t++) {
        const struct ranking_evidence *evidence = &ranking.evidence[t];
        const size_t n = ranking_evidence_row(&ranking, evidence, &worker->scratch, 0,
                                              worker->columns, worker->values);
        worker->factors[t] = (float)evidence->gammas[0] *
                             ranking_evidence_norm(&ranking, evidence, 0, worker->columns,
                                                   worker->values, n, evidence->powers[0]);
    }
}

/* G[h, i], 0 where there is none. */
static float pair_value(const struct sparse *pairs, int32_t h, int32_t i)
{
    int64_t low = pairs->offsets[h], high = pairs->offsets[h + 1];
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (pairs->columns[middle] < i) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < pairs->offsets[h + 1] && pairs->columns[low] == i ? pairs->values[low] : 0;
}

/* The history are n items, the first of which is the entry `first`. */
static void explain_row(const struct serving *serving, const struct reason_worker *worker,
                        size_t first, size_t n, int32_t candidate, size_t entry)
{
    const struct score *score = &serving->score;
    const struct const_matrix vectors = serving->candidates;
    const int32_t *history = serving->history.matrix.columns + first;
    struct recommendations *out = serving->out;
    const struct vec_ops *ops = vec_ops();
    const float *item = vectors.data + (size_t)candidate * vectors.stride;
    const size_t n_evidence = (size_t)candidate < serving->n_known ? score->n_evidence : 0;
    for (size_t h = 0; h < n; h++) {
        const float *known = vectors.data + (size_t)history[h] * vectors.stride;
        float share = score->scale * ops->dot(item, known, vectors.columns) / (float)n;
        for (size_t t = 0; t < n_evidence; t++) {
            const struct ranking_evidence *kind = &score->evidence[t];
            const float counts = kind->entry_weights == NULL ? 1 : kind->entry_weights[first + h];
            share += worker->factors[t] * (counts * kind->evidence->history_weight[history[h]]) *
                     pair_value(&kind->evidence->pairs, history[h], candidate) *
                     kind->powers[0][candidate];
        }
        if (share > 0 && history[h] != candidate) {
            insert(out->reason_items + entry * out->n_reasons,
                   out->reason_scores + entry * out->n_reasons, out->n_reasons,
                   serving->candidate_codes[history[h]], share);
        }
    }
}

static void explain_block(void *data, size_t block, size_t worker)
{
    const struct reasons *reasons = data;
    const struct serving *serving = reasons->serving;
    const struct recommendations *out = serving->out;
    const size_t n_users = serving->request->users->n_codes, end = (block + 1) * USERS_AT_ONCE;
    for (size_t u = block * USERS_AT_ONCE; u < end && u < n_users; u++) {
        const size_t start = (size_t)serving->history.matrix.offsets[u];
        const size_t n = sparse_row_length(&serving->history.matrix, u);
        if (serving->user_place[u] < 0 || n == 0) {
            continue;
        }
        weigh_evidence(serving, &reasons->workers[worker], (int32_t)u);
        const size_t first = (size_t)serving->user_place[u] * out->top;
        for (size_t e = first; e < first + out->top && out->items[e] >= 0; e++) {
            const int32_t candidate =
                serving->candidate_of[serving->request->items->source_of[out->items[e]]];
            if (candidate >= 0 && out->sources[e] != PUBLISH_POPULAR) {
                explain_row(serving, &reasons->workers[worker], start, n, candidate, e);
            }
        }
    }
}

static enum status_code prepare(struct reasons *reasons, struct status *status)
{
    const struct serving *serving = reasons->serving;
    struct recommendations *out = serving->out;
    size_t n;
    enum status_code code;
    out->n_reasons = serving->request->explain;
    out->n_reasons_all = out->top * out->n_reasons;
    if (!num_multiply(out->n_served, out->n_reasons_all, &n)) {
        return status_set(status, STATUS_NO_MEMORY, "recommend: %zu reasons for %zu users",
                          out->n_reasons_all, out->n_served);
    }
    TRY(SPILL_NEW(serving->request->spill, &out->reason_items, n, status));
    TRY(SPILL_NEW(serving->request->spill, &out->reason_scores, n, status));
    for (size_t i = 0; i < n; i++) {
        out->reason_items[i] = -1;
    }
    TRY(MEM_NEW(&reasons->workers, reasons->n_workers, status));
    for (size_t w = 0; w < reasons->n_workers && serving->score.n_evidence > 0; w++) {
        struct reason_worker *worker = &reasons->workers[w];
        TRY(evidence_scratch_init(&worker->scratch, serving->score.evidence[0].evidence, status));
        TRY(MEM_NEW(&worker->columns, serving->n_known, status));
        TRY(MEM_NEW(&worker->values, serving->n_known, status));
    }
done:
    return code;
}

enum status_code serving_explain(struct serving *serving, struct status *status)
{
    struct reasons reasons = {.serving = serving, .n_workers = pool_threads(serving->pool)};
    const size_t n_users = serving->request->users->n_codes;
    enum status_code code;
    if (serving->request->explain == 0) {
        return STATUS_OK;
    }
    TRY(prepare(&reasons, status));
    pool_run(serving->pool, (n_users + USERS_AT_ONCE - 1) / USERS_AT_ONCE, explain_block, &reasons);
done:
    for (size_t w = 0; reasons.workers != NULL && w < reasons.n_workers; w++) {
        evidence_scratch_release(&reasons.workers[w].scratch);
        mem_free(reasons.workers[w].columns);
        mem_free(reasons.workers[w].values);
    }
    mem_free(reasons.workers);
    return code;
}
