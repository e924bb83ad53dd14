/* The maps and matrices that every list is made from. */
#include "serving/serving_internal.h"

#include "base/mem.h"
#include "base/num.h"
#include "dataset/crowd.h"

#include <math.h>

/* ---- candidates ---- */

static enum status_code join_vectors(struct serving *serving, struct status *status)
{
    const struct embeddings *embeddings = serving->request->embeddings;
    size_t d = embeddings->items.columns, total;
    enum status_code code = STATUS_OK;
    serving->candidates = embeddings->items;
    if (serving->n_candidates == serving->n_known) {
        return code;
    }
    if (!num_multiply(serving->n_candidates, d, &total)) {
        return status_set(status, STATUS_NO_MEMORY, "recommend: %zu items of dimension %zu",
                          serving->n_candidates, d);
    }
    TRY(MEM_NEW(&serving->joined, total, status));
    for (size_t c = 0; c < serving->n_candidates; c++) {
        const float *vector = c < serving->n_known
                                  ? embeddings->items.data + c * embeddings->items.stride
                                  : embeddings->cold_items.data +
                                        (c - serving->n_known) * embeddings->cold_items.stride;
        memcpy(serving->joined + c * d, vector, d * sizeof *vector);
    }
    serving->candidates = const_matrix_of(serving->joined, serving->n_candidates, d);
done:
    return code;
}

static void rank_by_code(struct serving *serving)
{
    const struct served_ids *items = serving->request->items;
    uint32_t place = 0;
    for (size_t s = 0; s < items->ids.n; s++) {
        int32_t candidate = serving->candidate_of[items->source_of[s]];
        if (candidate >= 0) {
            serving->places[candidate] = place++;
        }
    }
    serving->tie_rank = serving->n_candidates > serving->n_known ? serving->places : NULL;
}

static enum status_code prepare_candidates(struct serving *serving, struct status *status)
{
    const struct serving_request *request = serving->request;
    const struct embeddings *embeddings = request->embeddings;
    size_t n_known = serving->dataset->n_items;
    size_t n = n_known + (request->cold_items ? embeddings->cold_items.rows : 0);
    enum status_code code;
    serving->n_known = n_known;
    serving->n_candidates = n;
    TRY(MEM_NEW(&serving->candidate_codes, n, status));
    TRY(MEM_NEW(&serving->places, n, status));
    TRY(MEM_NEW(&serving->candidate_of, request->items->n_codes, status));
    for (size_t i = 0; i < request->items->n_codes; i++) {
        serving->candidate_of[i] = -1;
    }
    for (size_t c = 0; c < n; c++) {
        int32_t source =
            c < n_known ? serving->dataset->items[c] : embeddings->cold_item_codes[c - n_known];
        serving->candidate_codes[c] = request->items->served_of[source];
        serving->candidate_of[source] = (int32_t)c;
    }
    if (request->rules != NULL && request->rules->eligible != NULL) {
        TRY(MEM_NEW(&serving->eligible, n, status));
    }
    if (request->min_new > 0) {
        TRY(MEM_NEW(&serving->eligible_new, n, status));
    }
    serving_set_segment(serving, -1);
    rank_by_code(serving);
    TRY(join_vectors(serving, status));
done:
    return code;
}

/* ---- what users did ---- */

/* out (n_rows, n_columns) = the pairs of `master` (fewer rows allowed, master items) that are not
 * in `but` (NULL, or without rows: nothing), as candidates; those from n_columns on fall out.
 * origin (entries of out): the entry of `master` that each comes from; NULL: nobody asks. */
static enum status_code to_candidates(const struct serving *serving, const struct sparse *master,
                                      const struct sparse *but, size_t n_columns,
                                      struct sparse *out, int64_t *origin, struct status *status)
{
    /* known items ascend like codes, and so do cold ones behind them */
    const size_t bounds[] = {0, serving->n_known, serving->n_candidates};
    int64_t n = 0;
    enum status_code code;
    TRY(sparse_init(out, serving->request->users->n_codes, n_columns, sparse_entries(master), false,
                    status));
    for (size_t u = 0; u < out->n_rows; u++) {
        for (size_t part = 0; part < 2 && u < master->n_rows; part++) {
            size_t end = bounds[part + 1] < n_columns ? bounds[part + 1] : n_columns;
            for (int64_t e = master->offsets[u]; e < master->offsets[u + 1]; e++) {
                int32_t c = serving->candidate_of[master->columns[e]];
                if (c >= 0 && (size_t)c >= bounds[part] && (size_t)c < end &&
                    !(but != NULL && u < but->n_rows && sparse_has(but, u, master->columns[e]))) {
                    if (origin != NULL) {
                        origin[n] = e;
                    }
                    out->columns[n++] = c;
                }
            }
        }
        out->offsets[u + 1] = n;
    }
done:
    return code;
}

/* seen = what rows that count for nothing say, in source codes: of users and items of the log, and
 * of those that only side data have. */
static enum status_code prepare_seen(struct serving *serving, struct status *status)
{
    const struct seen_pairs *seen = &serving->request->interactions->seen;
    const struct served_ids *users = serving->request->users, *items = serving->request->items;
    int32_t *user_of = NULL, *item_of = NULL; /* served codes */
    int32_t *row_of = NULL;                   /* (source users) row of `seen` + 1; 0: none */
    int64_t n = 0;
    enum status_code code;
    TRY(MEM_NEW(&user_of, seen->users.n, status));
    TRY(MEM_NEW(&item_of, seen->items.n, status));
    TRY(MEM_NEW(&row_of, users->n_codes, status));
    TRY(sparse_init(&serving->seen, users->n_codes, items->n_codes, sparse_entries(&seen->pairs),
                    false, status));
    vocabulary_locate(&seen->users, &users->ids, user_of);
    vocabulary_locate(&seen->items, &items->ids, item_of);
    for (size_t row = 0; row < seen->pairs.n_rows; row++) {
        if (user_of[row] >= 0) {
            row_of[users->source_of[user_of[row]]] = (int32_t)row + 1;
        }
    }
    for (size_t u = 0; u < users->n_codes; u++) {
        size_t n_columns = 0;
        const int64_t first = n;
        const int32_t *columns =
            row_of[u] == 0 ? NULL : sparse_row(&seen->pairs, (size_t)row_of[u] - 1, &n_columns);
        for (size_t e = 0; e < n_columns; e++) {
            if (item_of[columns[e]] >= 0) {
                serving->seen.columns[n++] = items->source_of[item_of[columns[e]]];
            }
        }
        columns_sort(serving->seen.columns + first, (size_t)(n - first));
        serving->seen.offsets[u + 1] = n;
    }
done:
    mem_free(user_of);
    mem_free(item_of);
    mem_free(row_of);
    return code;
}

/* The log without items that were disliked since, with its times and weights where the score looks
 * at these. */
static enum status_code prepare_history(struct serving *serving, struct status *status)
{
    const struct interactions *interactions = serving->request->interactions;
    const struct history *log = &interactions->log;
    struct history *out = &serving->history;
    const bool in_full = serving->request->weights.n_parts > 0;
    int64_t *origin = NULL;
    enum status_code code;
    TRY(MEM_NEW(&origin, sparse_entries(&log->matrix), status));
    TRY(to_candidates(serving, &log->matrix, &interactions->disliked.matrix, serving->n_known,
                      &out->matrix, origin, status));
    const size_t n = sparse_entries(&out->matrix);
    if (in_full && log->times != NULL) {
        TRY(MEM_NEW(&out->times, n, status));
    }
    if (in_full && log->matrix.values != NULL) {
        TRY(MEM_NEW(&out->matrix.values, n, status));
    }
    for (size_t e = 0; out->times != NULL && e < n; e++) {
        out->times[e] = log->times[origin[e]];
    }
    for (size_t e = 0; out->matrix.values != NULL && e < n; e++) {
        out->matrix.values[e] = log->matrix.values[origin[e]];
    }
done:
    mem_free(origin);
    return code;
}

static enum status_code prepare_histories(struct serving *serving, struct status *status)
{
    const struct serving_request *request = serving->request;
    const struct sparse *log = &request->interactions->log.matrix;
    const struct sparse *disliked = &request->interactions->disliked.matrix;
    static const struct sparse nothing = {0};
    const struct sparse *const parts[] = {
        request->exclude_seen ? log : &nothing, request->exclude_seen ? &serving->seen : &nothing,
        request->exclude_disliked ? disliked : &nothing,
        request->rules == NULL ? &nothing : &request->rules->excluded};
    struct sparse part = {0}, both = {0};
    enum status_code code;
    TRY(prepare_history(serving, status));
    if (request->interactions->seen.pairs.n_rows > 0) {
        TRY(prepare_seen(serving, status));
    }
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        if (p > 0 && sparse_entries(parts[p]) == 0) {
            continue;
        }
        TRY(to_candidates(serving, parts[p], NULL, serving->n_candidates, &part, NULL, status));
        if (p > 0) {
            TRY(sparse_union(&serving->barred, &part, &both, status));
            sparse_release(&part);
            sparse_release(&serving->barred);
            part = both;
            both = (struct sparse){0};
        }
        serving->barred = part;
        part = (struct sparse){0};
    }
done:
    sparse_release(&part);
    return code;
}

static enum status_code prepare_popular(struct serving *serving, struct status *status)
{
    const struct serving_request *request = serving->request;
    size_t n_items = request->interactions->items.n;
    double *popularity = NULL;
    enum status_code code;
    TRY(MEM_NEW(&popularity, n_items, status));
    TRY(MEM_NEW(&serving->popular, n_items, status));
    TRY(crowd_popularity(&(struct crowd){request->ranks, &request->interactions->users, NULL},
                         &request->interactions->log, request->popular_half_life, popularity,
                         status));
    serving_rank_popular(serving, popularity);
    TRY(serving_segments_prepare(serving, status));
    serving->segments.shown = -1;
done:
    mem_free(popularity);
    return code;
}

/* ---- the score, and where lists go ---- */

static enum status_code prepare_score(struct serving *serving, struct status *status)
{
    const struct serving_request *request = serving->request;
    struct recommendations *out = serving->out;
    size_t n = serving->dataset->n_items + request->embeddings->cold_items.rows;
    const float *boosts = request->rules == NULL ? NULL : request->rules->boosts;
    const struct dataset *dataset = serving->dataset;
    const struct crowd crowd = crowd_of(request->ranks, request->interactions, dataset);
    double *popularity = NULL;
    enum status_code code;
    TRY(MEM_NEW(&popularity, dataset->n_items, status));
    TRY(crowd_popularity(&crowd, &dataset->train, request->weights.half_life, popularity, status));
    serving->now = request->weights.n_parts > 0 ? score_now(dataset, &serving->history) : 0;
    TRY(ranks_max_int64(request->ranks, &serving->now, 1, status));
    TRY(score_init_at(&serving->score, request->embeddings, dataset->repeats, &request->sources,
                      &serving->history, &request->weights, popularity, serving->now, status));
    TRY(MEM_NEW(&out->item_bias, n, status));
    memcpy(out->item_bias, serving->score.bias, n * sizeof *out->item_bias);
    /* what is published is the towers' own; boosts only stand in the lists */
    for (size_t c = 0; boosts != NULL && c < serving->n_candidates; c++) {
        serving->score.bias[c] += boosts[request->items->source_of[serving->candidate_codes[c]]];
    }
    out->n_vectors = n;
    out->temperature = request->embeddings->temperature;
    out->weights = request->weights;
done:
    mem_free(popularity);
    return code;
}

/* Who gets a list, and which: everybody in the order of served codes, or only the log's users. */
static enum status_code place_users(struct serving *serving, struct status *status)
{
    const struct served_ids *users = serving->request->users;
    struct recommendations *out = serving->out;
    size_t n_log = serving->request->interactions->users.n;
    size_t n = serving->request->cold_users ? users->ids.n : n_log;
    const struct serving_rules *rules = serving->request->rules;
    const uint8_t *served = rules == NULL ? NULL : rules->served;
    int32_t *user_of = NULL; /* (n) source code by place, -1: nobody */
    enum status_code code;
    TRY(MEM_NEW(&serving->user_place, users->n_codes, status));
    TRY(MEM_NEW(&out->served, n, status));
    TRY(MEM_NEW(&user_of, n, status));
    for (size_t p = 0; p < n; p++) {
        user_of[p] = -1;
    }
    for (size_t u = 0; u < users->n_codes; u++) {
        int32_t all = users->served_of[u], of_log = u < n_log ? (int32_t)u : -1;
        serving->user_place[u] = serving->request->cold_users ? all : of_log;
        if (serving->user_place[u] >= 0 && served != NULL && !served[u]) {
            serving->user_place[u] = -1;
        }
        if (serving->user_place[u] >= 0) {
            user_of[serving->user_place[u]] = (int32_t)u;
        }
    }
    /* places close up where users are not served */
    for (size_t p = 0; p < n; p++) {
        if (user_of[p] >= 0) {
            serving->user_place[user_of[p]] = (int32_t)out->n_served;
            out->served[out->n_served++] = users->served_of[user_of[p]];
        }
    }
done:
    mem_free(user_of);
    return code;
}

static enum status_code prepare_output(struct serving *serving, struct status *status)
{
    const struct serving_request *request = serving->request;
    struct recommendations *out = serving->out;
    size_t top = request->top, total;
    enum status_code code;
    out->top = top;
    TRY(place_users(serving, status));
    if (!num_multiply(out->n_served, top, &total)) {
        return status_set(status, STATUS_NO_MEMORY, "recommend: %zu users with %zu rows each",
                          out->n_served, top);
    }
    TRY(SPILL_NEW(request->spill, &out->items, total, status));
    TRY(SPILL_NEW(request->spill, &out->scores, total, status));
    TRY(SPILL_NEW(request->spill, &out->sources, total, status));
    for (size_t e = 0; e < total; e++) {
        out->items[e] = -1;
    }
done:
    return code;
}

enum status_code serving_prepare(struct serving *serving, struct status *status)
{
    const struct serving_request *request = serving->request;
    const struct dataset *dataset = serving->dataset;
    size_t widest = request->top > request->similar ? request->top : request->similar;
    enum status_code code;
    TRY(MEM_NEW(&serving->user_row, request->users->n_codes, status));
    dataset_invert(dataset->users, dataset->n_users, request->users->n_codes, serving->user_row);
    TRY(MEM_NEW(&serving->cold_row, request->users->n_codes, status));
    dataset_invert(request->embeddings->cold_user_codes, request->embeddings->cold_users.rows,
                   request->users->n_codes, serving->cold_row);
    TRY(prepare_candidates(serving, status));
    TRY(prepare_histories(serving, status));
    TRY(prepare_popular(serving, status));
    TRY(prepare_score(serving, status));
    TRY(prepare_output(serving, status));
    TRY(serving_index_prepare(serving, status));
    serving->n_block = serving->index.n_lists > 0
                           ? INDEX_BLOCK_OF_THREAD * pool_threads(serving->pool)
                           : EXACT_BLOCK;
    TRY(MEM_NEW(&serving->anchors, serving->n_block * request->embeddings->items.columns, status));
    TRY(MEM_NEW(&serving->anchor_users, serving->n_block, status));
    serving->n_room = serving->n_block * widest;
    serving->n_room =
        serving->n_room < serving->n_candidates ? serving->n_candidates : serving->n_room;
    TRY(MEM_NEW(&serving->lists, serving->n_room, status));
    TRY(MEM_NEW(&serving->scores, serving->n_room, status));
    TRY(serving_lists_prepare(serving, status));
done:
    return code;
}

void serving_release(struct serving *serving)
{
    inverted_lists_release(&serving->index);
    mem_free(serving->joined);
    mem_free(serving->candidate_codes);
    mem_free(serving->places);
    mem_free(serving->candidate_of);
    mem_free(serving->eligible);
    mem_free(serving->eligible_new);
    mem_free(serving->user_row);
    mem_free(serving->cold_row);
    mem_free(serving->user_place);
    history_release(&serving->history);
    sparse_release(&serving->seen);
    sparse_release(&serving->barred);
    mem_free(serving->popular);
    serving_segments_release(serving);
    score_release(&serving->score);
    mem_free(serving->anchors);
    mem_free(serving->anchor_users);
    mem_free(serving->lists);
    mem_free(serving->scores);
    serving_lists_release(serving);
}
