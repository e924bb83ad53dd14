/* Fills struct live out of what the lists were made with. */
#include "serving/serving_internal.h"

#include "base/mem.h"

static enum status_code copy_items(struct serving *serving, struct live *live,
                                   struct status *status)
{
    const struct serving_rules *rules = serving->request->rules;
    const size_t n = serving->n_candidates;
    const bool has_eligible = rules != NULL && rules->eligible != NULL;
    const size_t width = has_eligible ? 1 + rules->segments.n : 0;
    int64_t *counts = NULL;
    enum status_code code;
    TRY(MEM_NEW(&live->item_codes, n, status));
    TRY(MEM_NEW(&live->item_users, n, status));
    TRY(MEM_NEW(&live->item_boosts, n, status));
    TRY(MEM_NEW(&live->eligible, n * width, status));
    TRY(MEM_NEW(&counts, serving->n_known, status));
    dataset_item_counts(serving->dataset, counts);
    for (size_t c = 0; c < n; c++) {
        const int32_t item = serving->request->items->source_of[serving->candidate_codes[c]];
        live->item_codes[c] = serving->candidate_codes[c];
        live->item_users[c] = c < serving->n_known ? (int32_t)counts[c] : 0;
        live->item_boosts[c] = rules == NULL || rules->boosts == NULL ? 0 : rules->boosts[item];
        for (size_t s = 0; s < width; s++) {
            live->eligible[c * width + s] = rules->eligible[s * rules->n_items + (size_t)item];
        }
    }
    live->n_items = n;
    live->n_eligible = n * width;
done:
    mem_free(counts);
    return code;
}

/* Everybody who has a history or is barred from something, by served code. */
static enum status_code copy_users(struct serving *serving, struct live *live,
                                   struct status *status)
{
    const struct served_ids *users = serving->request->users;
    const struct sparse *history = &serving->history.matrix, *barred = &serving->barred;
    const size_t n_history = sparse_entries(history), n_barred = sparse_entries(barred);
    size_t n_h = 0, n_b = 0;
    enum status_code code;
    TRY(MEM_NEW(&live->user_codes, users->ids.n, status));
    TRY(MEM_NEW(&live->user_segments, users->ids.n, status));
    TRY(MEM_NEW(&live->history_offsets, users->ids.n + 1, status));
    TRY(MEM_NEW(&live->barred_offsets, users->ids.n + 1, status));
    TRY(MEM_NEW(&live->history_items, n_history, status));
    TRY(MEM_NEW(&live->history_weights, n_history, status));
    TRY(MEM_NEW(&live->history_times, n_history, status));
    TRY(MEM_NEW(&live->barred_items, n_barred, status));
    for (size_t s = 0; s < users->ids.n; s++) {
        const size_t user = (size_t)users->source_of[s];
        size_t n_own, n_out = 0;
        const int32_t *own = sparse_row(history, user, &n_own);
        const int32_t *out = n_barred == 0 ? NULL : sparse_row(barred, user, &n_out);
        const int64_t first = history->offsets[user];
        if (n_own + n_out == 0) {
            continue;
        }
        for (size_t e = 0; e < n_own; e++, n_h++) {
            live->history_items[n_h] = own[e];
            live->history_weights[n_h] =
                history->values == NULL ? 1 : history->values[first + (int64_t)e];
            live->history_times[n_h] =
                serving->history.times == NULL ? 0 : serving->history.times[first + (int64_t)e];
        }
        for (size_t e = 0; e < n_out; e++) {
            live->barred_items[n_b++] = out[e];
        }
        live->user_codes[live->n_users] = (int32_t)s;
        live->user_segments[live->n_users++] = serving_rules_segment(serving->request->rules, user);
        live->history_offsets[live->n_users] = (int64_t)n_h;
        live->barred_offsets[live->n_users] = (int64_t)n_b;
    }
    live->n_user_offsets = live->n_users + 1;
    live->n_history = n_h;
    live->n_barred = n_b;
done:
    return code;
}

/* Of the sources, those that the score weighs. */
static enum status_code copy_pairs(struct serving *serving, struct live *live,
                                   struct status *status)
{
    static const enum score_part_kind kinds[N_LIVE_SOURCES] = {[LIVE_EVIDENCE] = SCORE_EVIDENCE,
                                                               [LIVE_TRANSITIONS] =
                                                                   SCORE_TRANSITIONS,
                                                               [LIVE_RIDGE] = SCORE_RIDGE};
    enum status_code code = STATUS_OK;
    for (int s = 0; s < N_LIVE_SOURCES; s++) {
        const struct evidence *source = score_source(&serving->request->sources, kinds[s]);
        bool is_used = false;
        for (size_t t = 0; t < serving->score.n_evidence; t++) {
            is_used = is_used || serving->score.evidence[t].evidence == source;
        }
        if (!is_used || source == NULL) {
            continue;
        }
        const struct sparse *pairs = &source->pairs;
        const size_t n = sparse_entries(pairs);
        TRY(MEM_NEW(&live->pair_offsets[s], pairs->n_rows + 1, status));
        TRY(MEM_NEW(&live->pair_items[s], n, status));
        TRY(MEM_NEW(&live->pair_weights[s], n, status));
        memcpy(live->pair_offsets[s], pairs->offsets, (pairs->n_rows + 1) * sizeof(int64_t));
        memcpy(live->pair_items[s], pairs->columns, n * sizeof(int32_t));
        memcpy(live->pair_weights[s], pairs->values, n * sizeof(float));
        live->n_pair_offsets[s] = pairs->n_rows + 1;
        live->n_pairs[s] = n;
    }
done:
    return code;
}

enum status_code serving_live(struct serving *serving, struct status *status)
{
    struct live *live = &serving->out->live;
    enum status_code code = STATUS_OK;
    if (!serving->request->live) {
        return code;
    }
    TRY(copy_items(serving, live, status));
    TRY(copy_users(serving, live, status));
    if (ranks_is_first(serving->request->ranks)) { /* the same on all, and large */
        TRY(copy_pairs(serving, live, status));
    }
    live->time = (double)serving->now;
    live->n_known = (double)serving->n_known;
    live->has_times = serving->history.times != NULL;
    live->repeats = serving->dataset->repeats;
done:
    return code;
}
