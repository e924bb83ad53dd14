/* From towers to lists, in master codes. Ranking itself is ranking.c's business. */
#include "model/serving.h"

#include "base/mem.h"
#include "base/num.h"
#include "model/blend.h"

#include <assert.h>
#include <math.h>

enum { LIST_BLOCK = 4096, FILL_BLOCK = 256 };

struct popular_item {
    int64_t n_users; /* in the log */
    int32_t item;    /* master code */
};

struct serving {
    const struct serving_request *request;
    const struct dataset *dataset; /* the towers' basis */
    struct pool *pool;
    struct recommendations *out;
    int32_t *item_row;            /* (master items) row in the towers, or -1 */
    int32_t *user_row;            /* (master users) the same */
    struct sparse seen;           /* (master users, tower items) the log in tower rows */
    size_t n_catalogue;           /* items with events in the log */
    struct popular_item *popular; /* (n_catalogue) most users first, then lower code */
    struct blend blend;
    float *anchors;        /* (LIST_BLOCK, d) */
    int32_t *anchor_users; /* (LIST_BLOCK) master codes */
    int32_t *lists;        /* (LIST_BLOCK, widest list) tower rows */
    float *scores;         /* the same shape */
    double lists_done, lists_total;
};

/* ---- preparation ---- */

/* The log with its columns turned into tower rows; items without a vector fall out. Columns stay
 * ascending, because tower items are in code order. */
static enum status_code prepare_seen(struct serving *serving, struct status *status)
{
    const struct sparse *log = &serving->request->interactions->log.matrix;
    int64_t n = 0;
    enum status_code code;
    TRY(sparse_init(&serving->seen, log->n_rows, serving->dataset->n_items, sparse_entries(log),
                    false, status));
    for (size_t u = 0; u < log->n_rows; u++) {
        for (int64_t e = log->offsets[u]; e < log->offsets[u + 1]; e++) {
            int32_t row = serving->item_row[log->columns[e]];
            if (row >= 0) {
                serving->seen.columns[n++] = row;
            }
        }
        serving->seen.offsets[u + 1] = n;
    }
done:
    return code;
}

static int compare_popular(const void *a, const void *b)
{
    const struct popular_item *x = a, *y = b;
    if (x->n_users != y->n_users) {
        return x->n_users > y->n_users ? -1 : 1;
    }
    return (x->item > y->item) - (x->item < y->item);
}

static enum status_code prepare_popular(struct serving *serving, struct status *status)
{
    const struct sparse *log = &serving->request->interactions->log.matrix;
    size_t n_items = serving->request->interactions->items.n;
    int64_t *counts = NULL;
    enum status_code code;
    TRY(MEM_NEW(&counts, n_items, status));
    TRY(MEM_NEW(&serving->popular, n_items, status));
    sparse_column_counts(log, counts);
    for (size_t i = 0; i < n_items; i++) {
        if (counts[i] > 0) {
            serving->popular[serving->n_catalogue++] = (struct popular_item){counts[i], (int32_t)i};
        }
    }
    qsort(serving->popular, serving->n_catalogue, sizeof *serving->popular, compare_popular);
done:
    mem_free(counts);
    return code;
}

static enum status_code prepare_blend(struct serving *serving, struct status *status)
{
    const struct serving_request *request = serving->request;
    struct recommendations *out = serving->out;
    size_t n = serving->dataset->n_items;
    int64_t *counts = NULL;
    enum status_code code;
    TRY(MEM_NEW(&counts, n, status));
    dataset_item_counts(serving->dataset, counts);
    TRY(blend_init(&serving->blend, request->towers, counts, request->evidence, &request->weights,
                   status));
    TRY(MEM_NEW(&out->item_bias, n, status));
    memcpy(out->item_bias, serving->blend.bias, n * sizeof *out->item_bias);
    out->n_vectors = n;
    out->temperature = request->towers->temperature;
    out->weights = request->weights;
done:
    mem_free(counts);
    return code;
}

static enum status_code prepare_output(struct serving *serving, struct status *status)
{
    struct recommendations *out = serving->out;
    size_t n_users = serving->request->interactions->users.n;
    size_t top = serving->request->top, total;
    enum status_code code;
    out->top = top;
    if (!num_multiply(n_users, top, &total)) {
        return status_set(status, STATUS_NO_MEMORY, "recommend: %zu users with %zu rows each",
                          n_users, top);
    }
    TRY(MEM_NEW(&out->served, n_users, status));
    TRY(MEM_NEW(&out->items, total, status));
    TRY(MEM_NEW(&out->scores, total, status));
    TRY(MEM_NEW(&out->sources, total, status));
    for (size_t u = 0; u < n_users; u++) {
        out->served[u] = (int32_t)u;
    }
    for (size_t e = 0; e < total; e++) {
        out->items[e] = -1;
    }
    out->n_served = n_users;
done:
    return code;
}

static enum status_code prepare(struct serving *serving, struct status *status)
{
    const struct interactions *interactions = serving->request->interactions;
    const struct dataset *dataset = serving->dataset;
    size_t widest = serving->request->top > serving->request->similar ? serving->request->top
                                                                      : serving->request->similar;
    enum status_code code;
    TRY(MEM_NEW(&serving->item_row, interactions->items.n, status));
    TRY(MEM_NEW(&serving->user_row, interactions->users.n, status));
    dataset_invert(dataset->items, dataset->n_items, interactions->items.n, serving->item_row);
    dataset_invert(dataset->users, dataset->n_users, interactions->users.n, serving->user_row);
    TRY(prepare_seen(serving, status));
    TRY(prepare_popular(serving, status));
    TRY(prepare_blend(serving, status));
    TRY(prepare_output(serving, status));
    TRY(MEM_NEW(&serving->anchors, LIST_BLOCK * serving->request->towers->items.columns, status));
    TRY(MEM_NEW(&serving->anchor_users, LIST_BLOCK, status));
    TRY(MEM_NEW(&serving->lists, LIST_BLOCK * widest, status));
    TRY(MEM_NEW(&serving->scores, LIST_BLOCK * widest, status));
done:
    return code;
}

static void serving_release(struct serving *serving)
{
    mem_free(serving->item_row);
    mem_free(serving->user_row);
    sparse_release(&serving->seen);
    mem_free(serving->popular);
    blend_release(&serving->blend);
    mem_free(serving->anchors);
    mem_free(serving->anchor_users);
    mem_free(serving->lists);
    mem_free(serving->scores);
}

static enum status_code say_progress(struct serving *serving, size_t n_lists, struct status *status)
{
    const struct serving_request *request = serving->request;
    serving->lists_done += (double)n_lists;
    return request->between == NULL
               ? STATUS_OK
               : request->between(request->data, serving->lists_done, serving->lists_total, status);
}

/* ---- users with a vector ---- */

/* Ranks the first `count` anchors for the users in anchor_users and puts the lists in place. */
static enum status_code rank_anchors(struct serving *serving, size_t count,
                                     enum publish_source source, struct status *status)
{
    const struct towers *towers = serving->request->towers;
    struct recommendations *out = serving->out;
    size_t top = serving->request->top;
    struct ranking_evidence room;
    struct ranking ranking = {
        .anchors = const_matrix_of(serving->anchors, count, towers->items.columns),
        .candidates = towers->items,
        .exclude = serving->request->exclude_seen ? &serving->seen : NULL,
        .exclude_rows = serving->anchor_users,
        .k = top,
    };
    enum status_code code;
    blend_apply(&serving->blend, &serving->seen, serving->anchor_users, &room, &ranking);
    TRY(ranking_run(&ranking, serving->pool, serving->lists, serving->scores, status));
    for (size_t a = 0; a < count; a++) {
        size_t first = (size_t)serving->anchor_users[a] * top;
        for (size_t r = 0; r < top && serving->lists[a * top + r] >= 0; r++) {
            out->items[first + r] = serving->dataset->items[serving->lists[a * top + r]];
            out->scores[first + r] = serving->scores[a * top + r];
            out->sources[first + r] = (uint8_t)source;
        }
    }
    TRY(say_progress(serving, count, status));
done:
    return code;
}

static enum status_code serve_tower_users(struct serving *serving, struct status *status)
{
    const struct towers *towers = serving->request->towers;
    size_t d = towers->users.columns, n_users = serving->dataset->n_users;
    enum status_code code = STATUS_OK;
    for (size_t first = 0; first < n_users; first += LIST_BLOCK) {
        size_t count = n_users - first < LIST_BLOCK ? n_users - first : LIST_BLOCK;
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

/* vector (d) = the normalised mean of the item vectors of the user's log; false when there is none,
 * or when they cancel out. */
static bool mean_vector(const struct serving *serving, size_t user, double *sum, float *vector)
{
    const struct const_matrix items = serving->request->towers->items;
    const struct sparse *seen = &serving->seen;
    double squares = 0.0;
    memset(sum, 0, items.columns * sizeof *sum);
    for (int64_t e = seen->offsets[user]; e < seen->offsets[user + 1]; e++) {
        const float *item = items.data + (size_t)seen->columns[e] * items.stride;
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

/* The cold users' codes and vectors into the output. */
static enum status_code collect_cold(struct serving *serving, struct status *status)
{
    struct recommendations *out = serving->out;
    size_t n_users = serving->request->interactions->users.n;
    size_t d = serving->request->towers->items.columns, n = 0;
    double *sum = NULL;
    enum status_code code;
    for (size_t u = 0; u < n_users; u++) {
        n += serving->user_row[u] < 0 && sparse_row_length(&serving->seen, u) > 0 ? 1 : 0;
    }
    TRY(MEM_NEW(&sum, d, status));
    TRY(MEM_NEW(&out->cold_users, n, status));
    TRY(MEM_NEW(&out->cold_vectors, n * d, status));
    out->dimension = d;
    for (size_t u = 0; u < n_users; u++) {
        if (serving->user_row[u] < 0 && sparse_row_length(&serving->seen, u) > 0 &&
            mean_vector(serving, u, sum, out->cold_vectors + out->n_cold * d)) {
            out->cold_users[out->n_cold++] = (int32_t)u;
        }
    }
done:
    mem_free(sum);
    return code;
}

static enum status_code serve_cold_users(struct serving *serving, struct status *status)
{
    const struct recommendations *out = serving->out;
    enum status_code code = STATUS_OK;
    for (size_t first = 0; first < out->n_cold; first += LIST_BLOCK) {
        size_t count = out->n_cold - first < LIST_BLOCK ? out->n_cold - first : LIST_BLOCK;
        memcpy(serving->anchor_users, out->cold_users + first,
               count * sizeof *serving->anchor_users);
        memcpy(serving->anchors, out->cold_vectors + first * out->dimension,
               count * out->dimension * sizeof *serving->anchors);
        TRY(rank_anchors(serving, count, PUBLISH_COLD, status));
    }
done:
    return code;
}

/* ---- by popularity ---- */

/* Ends the user's list with popular items that are neither in it nor excluded. A list that the
 * towers began holds every item with a vector that the user may get, so only items without a
 * vector may follow; no look at the list itself is needed. */
static void fill_block(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct serving *serving = data;
    const struct sparse *log = &serving->request->interactions->log.matrix;
    struct recommendations *out = serving->out;
    size_t end = (block + 1) * FILL_BLOCK;
    end = end < out->n_served ? end : out->n_served;
    for (size_t u = block * FILL_BLOCK; u < end; u++) {
        size_t at = u * out->top, stop = at + out->top;
        while (at < stop && out->items[at] >= 0) {
            at++;
        }
        bool from_towers = at > u * out->top;
        for (size_t p = 0; p < serving->n_catalogue && at < stop; p++) {
            int32_t item = serving->popular[p].item;
            if ((from_towers && serving->item_row[item] >= 0) ||
                (serving->request->exclude_seen && sparse_has(log, u, item))) {
                continue;
            }
            out->items[at] = item;
            out->scores[at] = (float)log1p((double)serving->popular[p].n_users);
            out->sources[at++] = PUBLISH_POPULAR;
        }
    }
}

static enum status_code make_popular_list(struct serving *serving, struct status *status)
{
    struct recommendations *out = serving->out;
    size_t n = serving->request->popular;
    enum status_code code;
    n = n < serving->n_catalogue ? n : serving->n_catalogue;
    TRY(MEM_NEW(&out->popular_items, n, status));
    TRY(MEM_NEW(&out->popular_scores, n, status));
    for (size_t p = 0; p < n; p++) {
        out->popular_items[p] = serving->popular[p].item;
        out->popular_scores[p] = (float)log1p((double)serving->popular[p].n_users);
    }
    out->n_popular = n;
done:
    return code;
}

/* ---- similar items ---- */

/* Cosines of items [first, first + count) with all others; `self` has one entry a row. */
static enum status_code rank_similar(struct serving *serving, const struct sparse *self,
                                     size_t first, size_t count, struct status *status)
{
    struct recommendations *out = serving->out;
    struct sparse own = {count, self->n_columns, self->offsets + first, self->columns, NULL};
    size_t k = out->similar_top;
    struct ranking ranking = {
        .anchors = matrix_rows(serving->request->towers->items, first, count),
        .candidates = serving->request->towers->items,
        .scale = 1.0f,
        .exclude = &own,
        .k = k,
    };
    enum status_code code;
    TRY(ranking_run(&ranking, serving->pool, serving->lists, serving->scores, status));
    for (size_t e = 0; e < count * k; e++) {
        int32_t row = serving->lists[e];
        out->similar_items[first * k + e] = row < 0 ? -1 : serving->dataset->items[row];
        out->similar_scores[first * k + e] = serving->scores[e];
    }
    TRY(say_progress(serving, count, status));
done:
    return code;
}

static enum status_code make_similar_lists(struct serving *serving, struct status *status)
{
    struct recommendations *out = serving->out;
    size_t k = serving->request->similar;
    size_t n = k == 0 ? 0 : serving->dataset->n_items, total;
    struct sparse self = {0};
    enum status_code code;
    out->similar_top = k;
    if (!num_multiply(n, k, &total)) {
        return status_set(status, STATUS_NO_MEMORY, "recommend: %zu items with %zu similar ones", n,
                          k);
    }
    TRY(MEM_NEW(&out->similar_anchors, n, status));
    TRY(MEM_NEW(&out->similar_items, total, status));
    TRY(MEM_NEW(&out->similar_scores, total, status));
    TRY(sparse_init(&self, n, n, n, false, status));
    for (size_t i = 0; i < n; i++) {
        out->similar_anchors[i] = serving->dataset->items[i];
        self.columns[i] = (int32_t)i;
        self.offsets[i + 1] = (int64_t)i + 1;
    }
    for (size_t first = 0; first < n; first += LIST_BLOCK) {
        TRY(rank_similar(serving, &self, first, n - first < LIST_BLOCK ? n - first : LIST_BLOCK,
                         status));
    }
    out->n_similar_anchors = n;
done:
    sparse_release(&self);
    return code;
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
    TRY(prepare(&serving, status));
    TRY(collect_cold(&serving, status));
    serving.lists_total = (double)(serving.dataset->n_users + made.n_cold) +
                          (request->similar > 0 ? (double)serving.dataset->n_items : 0.0);
    TRY(serve_tower_users(&serving, status));
    TRY(serve_cold_users(&serving, status));
    pool_run(pool, (made.n_served + FILL_BLOCK - 1) / FILL_BLOCK, fill_block, &serving);
    TRY(make_popular_list(&serving, status));
    TRY(make_similar_lists(&serving, status));
    *out = made;
done:
    serving_release(&serving);
    if (code != STATUS_OK) {
        recommendations_release(&made);
    }
    return code;
}
