/* From towers to users' lists. Ranking itself is ranking.c's business. */
#include "serving/serving.h"

#include "base/mem.h"
#include "base/num.h"
#include "math/vec.h"
#include "serving/serving_internal.h"

#include <assert.h>

/* ---- anchors ---- */

/* Lists of the users (n source codes) with these vectors (n, d), a segment at a time. */
static enum status_code serve_users(struct serving *serving, const int32_t *users,
                                    struct const_matrix vectors, enum publish_source source,
                                    struct status *status)
{
    const size_t d = vectors.columns;
    int32_t *order = NULL;
    enum status_code code;
    TRY(serving_order_by_segment(serving, users, vectors.rows, &order, NULL, status));
    for (size_t i = 0; i < vectors.rows; i++) {
        const int32_t user = users[order[i]];
        const int32_t segment = serving_rules_segment(serving->request->rules, (size_t)user);
        if (serving->user_place[user] < 0) {
            continue;
        }
        if (serving->n_anchors == serving->n_block || segment != serving->segment) {
            TRY(serving_rank_anchors(serving, source, status));
        }
        if (segment != serving->segment) {
            serving_set_segment(serving, segment);
        }
        serving->anchor_users[serving->n_anchors] = user;
        matrix_gather(vectors, &order[i], 1, serving->anchors + serving->n_anchors++ * d);
    }
    TRY(serving_rank_anchors(serving, source, status));
done:
    mem_free(order);
    return code;
}

/* ---- cold users ---- */

/* vector (d) = the normalised mean of the item vectors of the user's history; false when there is
 * none, or when they cancel out. */
static bool mean_vector(const struct serving *serving, size_t user, double *sum, float *vector)
{
    const struct const_matrix items = serving->request->embeddings->items;
    const struct sparse *history = &serving->history.matrix;
    memset(sum, 0, items.columns * sizeof *sum);
    for (int64_t e = history->offsets[user]; e < history->offsets[user + 1]; e++) {
        const float *item = items.data + (size_t)history->columns[e] * items.stride;
        for (size_t j = 0; j < items.columns; j++) {
            sum[j] += (double)item[j];
        }
    }
    return vec_unit_of_sum(sum, items.columns, vector);
}

/* Where a cold user's vector may come from: a row of the towers' cold users, else the history. */
static bool may_be_cold(const struct serving *serving, size_t user)
{
    return serving->user_row[user] < 0 &&
           (serving->cold_row[user] >= 0 || sparse_row_length(&serving->history.matrix, user) > 0);
}

static bool cold_vector(const struct serving *serving, size_t user, double *sum, float *vector)
{
    const struct const_matrix encoded = serving->request->embeddings->cold_users;
    if (serving->cold_row[user] < 0) {
        return mean_vector(serving, user, sum, vector);
    }
    matrix_gather(encoded, &serving->cold_row[user], 1, vector);
    return true;
}

/* The cold users' codes and vectors into the output. */
static enum status_code collect_cold(struct serving *serving, struct status *status)
{
    struct recommendations *out = serving->out;
    const struct served_ids *users = serving->request->users;
    size_t d = serving->request->embeddings->items.columns, n = 0, total;
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

static enum status_code serve_cold_users(struct serving *serving, struct status *status)
{
    const struct recommendations *out = serving->out;
    int32_t *users = NULL;
    enum status_code code;
    TRY(MEM_NEW(&users, out->n_cold, status));
    for (size_t c = 0; c < out->n_cold; c++) {
        users[c] = serving->request->users->source_of[out->cold_users[c]];
    }
    TRY(serve_users(serving, users, const_matrix_of(out->cold_vectors, out->n_cold, out->dimension),
                    PUBLISH_COLD, status));
done:
    mem_free(users);
    return code;
}

enum status_code serving_run(const struct serving_request *request, struct pool *pool,
                             struct recommendations *out, struct status *status)
{
    struct recommendations made = {0};
    struct serving serving = {.request = request,
                              .dataset = &request->interactions->basis[request->embeddings->basis],
                              .pool = pool,
                              .out = &made};
    enum status_code code;
    assert(request->top > 0);
    assert(request->embeddings->users.rows == serving.dataset->n_users);
    assert(request->embeddings->items.rows == serving.dataset->n_items);
    TRY(serving_prepare(&serving, status));
    TRY(collect_cold(&serving, status));
    serving.lists_total = (double)(serving.dataset->n_users + made.n_cold) +
                          (request->similar > 0 ? (double)serving.n_candidates : 0.0) +
                          (request->similar_users > 0 ? (double)serving.dataset->n_users : 0.0);
    TRY(serve_users(&serving, serving.dataset->users, request->embeddings->users, PUBLISH_MODEL,
                    status));
    TRY(serve_cold_users(&serving, status));
    serving_fill_lists(&serving);
    TRY(serving_explain(&serving, status));
    TRY(serving_popular_list(&serving, status));
    TRY(serving_segment_lists(&serving, status));
    TRY(serving_similar_lists(&serving, status));
    TRY(serving_trending_lists(&serving, status));
    TRY(serving_similar_users(&serving, status));
    TRY(serving_live(&serving, status));
    *out = made;
done:
    serving_release(&serving);
    if (code != STATUS_OK) {
        recommendations_release(&made);
    }
    return code;
}
