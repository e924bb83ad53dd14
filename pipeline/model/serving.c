/* From towers to users' lists. Ranking itself is ranking.c's business. */
#include "model/serving.h"

#include "base/mem.h"
#include "base/num.h"
#include "model/serving_internal.h"

#include <assert.h>
#include <math.h>

enum { FILL_BLOCK = 256 };

/* ---- users with a vector ---- */

/* Ranks the first `count` anchors for the users in anchor_users and puts the lists in place.
 * `source`: of the rows with items that the towers know. */
static enum status_code rank_anchors(struct serving *serving, size_t count,
                                     enum publish_source source, struct status *status)
{
    struct recommendations *out = serving->out;
    size_t top = serving->request->top;
    struct ranking_evidence room;
    struct ranking ranking = {
        .anchors = const_matrix_of(serving->anchors, count, serving->candidates.columns),
        .candidates = serving->candidates,
        .eligible = serving->eligible,
        .exclude = &serving->barred,
        .exclude_rows = serving->anchor_users,
        .tie_rank = serving->tie_rank,
        .k = top,
    };
    enum status_code code;
    blend_apply(&serving->blend, &serving->history, serving->anchor_users, &room, &ranking);
    TRY(ranking_run(&ranking, serving->pool, serving->lists, serving->scores, status));
    for (size_t a = 0; a < count; a++) {
        size_t first = (size_t)serving->user_place[serving->anchor_users[a]] * top;
        for (size_t r = 0; r < top && serving->lists[a * top + r] >= 0; r++) {
            int32_t candidate = serving->lists[a * top + r];
            bool known = (size_t)candidate < serving->n_known;
            out->items[first + r] = serving->candidate_codes[candidate];
            out->scores[first + r] = serving->scores[a * top + r];
            out->sources[first + r] = (uint8_t)(known ? source : PUBLISH_COLD);
        }
    }
    TRY(serving_report(serving, count, status));
done:
    return code;
}

static enum status_code serve_tower_users(struct serving *serving, struct status *status)
{
    const struct towers *towers = serving->request->towers;
    size_t d = towers->users.columns, n_users = serving->dataset->n_users;
    enum status_code code = STATUS_OK;
    for (size_t first = 0; first < n_users; first += SERVING_BLOCK) {
        size_t count = n_users - first < SERVING_BLOCK ? n_users - first : SERVING_BLOCK;
        for (size_t a = 0; a < count; a++) {
            serving->anchor_users[a] = serving->dataset->users[first + a];
            memcpy(serving->anchors + a * d,
                   towers->users.data + (first + a) * towers->users.stride,
                   d * sizeof *serving->anchors);
        }
        TRY(rank_anchors(serving, count, PUBLISH_MODEL, status));
    }
done:
    return code;
}

/* ---- cold users ---- */

/* vector (d) = the normalised mean of the item vectors of the user's history; false when there is
 * none, or when they cancel out. */
static bool mean_vector(const struct serving *serving, size_t user, double *sum, float *vector)
{
    const struct const_matrix items = serving->request->towers->items;
    const struct sparse *history = &serving->history;
    double squares = 0.0;
    memset(sum, 0, items.columns * sizeof *sum);
    for (int64_t e = history->offsets[user]; e < history->offsets[user + 1]; e++) {
        const float *item = items.data + (size_t)history->columns[e] * items.stride;
        for (size_t j = 0; j < items.columns; j++) {
            sum[j] += (double)item[j];
        }
    }
    for (size_t j = 0; j < items.columns; j++) {
        squares += sum[j] * sum[j];
    }
    /* vectors have length 1: below this the direction is rounding */
    if (squares < 1e-8) {
        return false;
    }
    for (size_t j = 0; j < items.columns; j++) {
        vector[j] = (float)(sum[j] / sqrt(squares));
    }
    return true;
}

/* Where a cold user's vector may come from: a row of the towers' cold users, else the history. */
static bool may_be_cold(const struct serving *serving, size_t user)
{
    return serving->user_row[user] < 0 &&
           (serving->cold_row[user] >= 0 || sparse_row_length(&serving->history, user) > 0);
}

static bool cold_vector(const struct serving *serving, size_t user, double *sum, float *vector)
{
    const struct const_matrix encoded = serving->request->towers->cold_users;
    if (serving->cold_row[user] < 0) {
        return mean_vector(serving, user, sum, vector);
    }
    memcpy(vector, encoded.data + (size_t)serving->cold_row[user] * encoded.stride,
           encoded.columns * sizeof *vector);
    return true;
}

/* The cold users' codes and vectors into the output. */
static enum status_code collect_cold(struct serving *serving, struct status *status)
{
    struct recommendations *out = serving->out;
    const struct served_ids *users = serving->request->users;
    size_t d = serving->request->towers->items.columns, n = 0, total;
    double *sum = NULL;
    enum status_code code;
    for (size_t u = 0; u < users->n_codes; u++) {
        n += may_be_cold(serving, u) ? 1 : 0;
    }
    if (!num_multiply(n, d, &total)) {
        return status_set(status, STATUS_NO_MEMORY, "recommend: %zu cold users of dimension %zu", n,
                          d);
    }
    TRY(MEM_NEW(&sum, d, status));
    TRY(MEM_NEW(&out->cold_users, n, status));
    TRY(MEM_NEW(&out->cold_vectors, total, status));
    out->dimension = d;
    for (size_t s = 0; s < users->ids.n; s++) {
        size_t user = (size_t)users->source_of[s];
        if (may_be_cold(serving, user) &&
            cold_vector(serving, user, sum, out->cold_vectors + out->n_cold * d)) {
            out->cold_users[out->n_cold++] = (int32_t)s;
        }
    }
done:
    mem_free(sum);
    return code;
}

/* Those that get lists at all. */
static enum status_code serve_cold_users(struct serving *serving, struct status *status)
{
    const struct recommendations *out = serving->out;
    size_t d = out->dimension, count = 0;
    enum status_code code = STATUS_OK;
    for (size_t c = 0; c < out->n_cold; c++) {
        int32_t user = serving->request->users->source_of[out->cold_users[c]];
        if (serving->user_place[user] < 0) {
            continue;
        }
        serving->anchor_users[count] = user;
        memcpy(serving->anchors + count++ * d, out->cold_vectors + c * d,
               d * sizeof *serving->anchors);
        if (count == SERVING_BLOCK) {
            TRY(rank_anchors(serving, count, PUBLISH_COLD, status));
            count = 0;
        }
    }
    if (count > 0) {
        TRY(rank_anchors(serving, count, PUBLISH_COLD, status));
    }
done:
    return code;
}

/* ---- by popularity ---- */

static bool is_barred(const struct serving *serving, size_t user, int32_t item)
{
    const struct serving_request *request = serving->request;
    const struct serving_rules *rules = request->rules;
    const struct sparse *disliked = &request->interactions->disliked.matrix;
    const struct sparse *log = &request->interactions->log.matrix;
    return (request->exclude_seen && user < log->n_rows && sparse_has(log, user, item)) ||
           (request->exclude_disliked && user < disliked->n_rows &&
            sparse_has(disliked, user, item)) ||
           (rules != NULL && user < rules->excluded.n_rows &&
            sparse_has(&rules->excluded, user, item)) ||
           !serving_is_eligible(serving, item);
}

/* Ends lists with popular items that are neither in them nor barred. A list
 * that the towers began holds every candidate that the user may get, so only items that are none
 * may follow; no look at the list itself is needed. */
static void fill_block(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct serving *serving = data;
    struct recommendations *out = serving->out;
    size_t n_users = serving->request->users->n_codes, end = (block + 1) * FILL_BLOCK;
    end = end < n_users ? end : n_users;
    for (size_t u = block * FILL_BLOCK; u < end; u++) {
        if (serving->user_place[u] < 0) {
            continue;
        }
        size_t first = (size_t)serving->user_place[u] * out->top, at = first;
        while (at < first + out->top && out->items[at] >= 0) {
            at++;
        }
        bool from_towers = at > first;
        for (size_t p = 0; p < serving->n_catalogue && at < first + out->top; p++) {
            int32_t item = serving->popular[p].item;
            if ((from_towers && serving->candidate_of[item] >= 0) || is_barred(serving, u, item)) {
                continue;
            }
            out->items[at] = serving->request->items->served_of[item];
            out->scores[at] = (float)log1p((double)serving->popular[p].n_users);
            out->sources[at++] = PUBLISH_POPULAR;
        }
    }
}

enum status_code serving_run(const struct serving_request *request, struct pool *pool,
                             struct recommendations *out, struct status *status)
{
    struct recommendations made = {0};
    struct serving serving = {.request = request,
                              .dataset = &request->interactions->basis[request->towers->basis],
                              .pool = pool,
                              .out = &made};
    enum status_code code;
    assert(request->top > 0);
    assert(request->towers->users.rows == serving.dataset->n_users);
    assert(request->towers->items.rows == serving.dataset->n_items);
    TRY(serving_prepare(&serving, status));
    TRY(collect_cold(&serving, status));
    serving.lists_total = (double)(serving.dataset->n_users + made.n_cold) +
                          (request->similar > 0 ? (double)serving.n_candidates : 0.0);
    TRY(serve_tower_users(&serving, status));
    TRY(serve_cold_users(&serving, status));
    pool_run(pool, (request->users->n_codes + FILL_BLOCK - 1) / FILL_BLOCK, fill_block, &serving);
    TRY(serving_popular_list(&serving, status));
    TRY(serving_similar_lists(&serving, status));
    *out = made;
done:
    serving_release(&serving);
    if (code != STATUS_OK) {
        recommendations_release(&made);
    }
    return code;
}
