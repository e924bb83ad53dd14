/* Why a row is there: what the items of the user's history gave to its score.
 *
 *   contribution(h, i) = cos(h, i) / (tau |H|) + the sum over evidences of gamma norm_u w_h G[h, i]
 * n_i^p
 *
 * The second part is history item h's exact share of all evidence (evidence.h); the first shares
 * out the towers' part as if the user's vector were the mean of the vectors of the history H.
 * Popularity and boosts have no reason in the history. Only what adds to the score is named, the
 * largest first, equal ones by the lower item code.
 *
 * And the parts of the score, all of them, whose sum it is: see recommendations.h. */
#include "serving/serving_internal.h"

#include "base/mem.h"
#include "base/num.h"
#include "math/vec.h"

enum { USERS_AT_ONCE = 64 };
enum { COSINE, POPULARITY, FIRST_EVIDENCE }; /* of the parts; the last one is the boost */

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

/* Where the code stands among ascending ones, from `low` to before `end`; -1: nowhere. */
static int64_t find(const int32_t *codes, int64_t low, int64_t end, int32_t code)
{
    const size_t n = (size_t)(end - low), at = columns_find(codes + low, n, code);
    return at < n ? low + (int64_t)at : -1;
}

/* The candidate in an entry of the towers' lists; -1: there is none, or it stands by popularity. */
static int32_t scored_candidate(const struct serving *serving, size_t entry)
{
    const struct recommendations *out = serving->out;
    return out->items[entry] < 0 || out->sources[entry] == PUBLISH_POPULAR
               ? -1
               : serving->candidate_of[serving->request->items->source_of[out->items[entry]]];
}

/* The factors of the user's evidences, and their parts of the rows of the list. */
static void weigh_evidence(const struct serving *serving, struct reason_worker *worker,
                           int32_t user, bool parts)
{
    const struct recommendations *out = serving->out;
    const size_t first = (size_t)serving->user_place[user] * out->top;
    struct ranking ranking = {.k = 0};
    score_apply(&serving->score, &user, &ranking);
    for (size_t t = 0; t < ranking.n_evidence; t++) {
        const struct ranking_evidence *evidence = &ranking.evidence[t];
        const size_t n = ranking_evidence_row(&ranking, evidence, &worker->scratch, 0,
                                              worker->columns, worker->values);
        const float norm = ranking_evidence_norm(&ranking, evidence, 0, worker->columns,
                                                 worker->values, n, evidence->powers[0]);
        worker->factors[t] = (float)evidence->gammas[0] * norm;
        for (size_t e = first; parts && e < first + out->top; e++) {
            const int32_t candidate = scored_candidate(serving, e);
            const int64_t at = find(worker->columns, 0, (int64_t)n, candidate);
            if (at >= 0) {
                out->part_values[e * out->n_parts + FIRST_EVIDENCE + t] =
                    norm * worker->values[at] * evidence->powers[0][candidate];
            }
        }
    }
}

/* The parts that need no history. */
static void put_parts(const struct serving *serving, size_t user, const float *vector)
{
    const struct recommendations *out = serving->out;
    const struct serving_request *request = serving->request;
    const struct const_matrix items = serving->candidates;
    const float *boosts = request->rules == NULL ? NULL : request->rules->boosts;
    const double beta = request->weights.beta;
    const size_t first = (size_t)serving->user_place[user] * out->top;
    for (size_t e = first; e < first + out->top; e++) {
        const int32_t candidate = scored_candidate(serving, e);
        float *values = out->part_values + e * out->n_parts;
        if (candidate >= 0) {
            values[COSINE] = vec_ops()->dot(vector, items.data + (size_t)candidate * items.stride,
                                            items.columns);
            values[POPULARITY] = beta == 0 ? 0 : (float)((double)out->item_bias[candidate] / beta);
            values[out->n_parts - 1] =
                boosts == NULL ? 0 : boosts[request->items->source_of[out->items[e]]];
        }
    }
}

/* NULL: served by popularity. */
static const float *user_vector(const struct serving *serving, size_t user)
{
    const struct const_matrix users = serving->request->embeddings->users;
    const struct recommendations *out = serving->out;
    if (serving->user_row[user] >= 0) {
        return users.data + (size_t)serving->user_row[user] * users.stride;
    }
    const int64_t at =
        find(out->cold_users, 0, (int64_t)out->n_cold, serving->request->users->served_of[user]);
    return at < 0 ? NULL : out->cold_vectors + (size_t)at * out->dimension;
}

/* G[h, i], 0 where there is none. */
static float pair_value(const struct sparse *pairs, int32_t h, int32_t i)
{
    const int64_t at = find(pairs->columns, pairs->offsets[h], pairs->offsets[h + 1], i);
    return at < 0 ? 0 : pairs->values[at];
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
        if (serving->user_place[u] < 0) {
            continue;
        }
        const float *vector = out->n_parts > 0 ? user_vector(serving, u) : NULL;
        if (vector != NULL) {
            put_parts(serving, u, vector);
        }
        if (n > 0) {
            weigh_evidence(serving, &reasons->workers[worker], (int32_t)u, vector != NULL);
        }
        const size_t first = (size_t)serving->user_place[u] * out->top;
        for (size_t e = first; n > 0 && out->n_reasons > 0 && e < first + out->top; e++) {
            const int32_t candidate = scored_candidate(serving, e);
            if (candidate >= 0) {
                explain_row(serving, &reasons->workers[worker], start, n, candidate, e);
            }
        }
    }
}

static enum status_code prepare(struct reasons *reasons, struct status *status)
{
    const struct serving *serving = reasons->serving;
    struct recommendations *out = serving->out;
    struct score_term terms[SCORE_TERMS_MAX];
    size_t n, n_values;
    enum status_code code;
    out->n_reasons = serving->request->explain;
    out->n_reasons_all = out->top * out->n_reasons;
    out->n_parts =
        serving->request->parts ? score_terms(&out->weights, out->temperature, terms) : 0;
    out->n_parts_all = out->top * out->n_parts;
    if (!num_multiply(out->n_served, out->n_reasons_all, &n) ||
        !num_multiply(out->n_served, out->n_parts_all, &n_values)) {
        return status_set(status, STATUS_NO_MEMORY, "recommend: %zu reasons for %zu users",
                          out->n_reasons_all + out->n_parts_all, out->n_served);
    }
    TRY(SPILL_NEW(serving->request->spill, &out->part_values, n_values, status));
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
    if (serving->request->explain == 0 && !serving->request->parts) {
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
