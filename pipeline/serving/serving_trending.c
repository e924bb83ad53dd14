/* What is chosen of late, by window and category; and users who are alike. */
#include "serving/serving_internal.h"
#include "base/clock.h"

#include "base/mem.h"
#include "base/num.h"

static const int32_t windows[] = {1, 7, 30}; /* days */
enum { N_WINDOWS = sizeof windows / sizeof windows[0] };

/* An item of the catalogue in a window. */
struct chosen {
    int32_t item, users; /* source code; how many took it last within the window */
};

static int compare_chosen(const void *a, const void *b)
{
    const struct chosen *x = a, *y = b;
    if (x->users != y->users) {
        return x->users > y->users ? -1 : 1;
    }
    return (x->item > y->item) - (x->item < y->item);
}

/* Items that may be recommended to everybody, most users first: *n_chosen of them. counts (items):
 * for itself. */
static enum status_code count_window(const struct serving *serving, int32_t days, int64_t *counts,
                                     struct chosen *chosen, size_t *n_chosen, struct status *status)
{
    const struct interactions *interactions = serving->request->interactions;
    const struct history *log = &interactions->log;
    const int64_t n_entries = (int64_t)sparse_entries(&log->matrix);
    const int64_t first = interactions->newest_time - (int64_t)days * CLOCK_DAY;
    const size_t n_items = interactions->items.n;
    size_t n = 0;
    enum status_code code;
    memset(counts, 0, n_items * sizeof *counts);
    for (int64_t e = 0; e < n_entries; e++) {
        counts[log->matrix.columns[e]] += log->times[e] > first;
    }
    TRY(ranks_sum_int64(serving->request->ranks, counts, n_items, status));
    for (size_t i = 0; i < n_items; i++) {
        if (counts[i] > 0 && serving_rules_allow(serving->request->rules, -1, (int32_t)i)) {
            chosen[n++] = (struct chosen){(int32_t)i, (int32_t)counts[i]};
        }
    }
    qsort(chosen, n, sizeof *chosen, compare_chosen);
    *n_chosen = n;
done:
    return code;
}

/* The next row of a list, unless it is full. */
static void add_row(const struct serving *serving, const struct chosen *chosen, int32_t days,
                    int32_t category, int32_t *length)
{
    struct recommendations *out = serving->out;
    if ((size_t)*length >= serving->request->popular) {
        return;
    }
    const size_t at = out->n_trending++;
    out->trending_items[at] = serving->request->items->served_of[chosen->item];
    out->trending_users[at] = chosen->users;
    out->trending_days[at] = days;
    out->trending_categories[at] = category;
    out->trending_ranks[at] = ++*length;
}

/* The lists of a window: of all items and of each category. lengths (1 + categories). */
static void fill_window(const struct serving *serving, int32_t days, const struct chosen *chosen,
                        size_t n, int32_t *lengths)
{
    const struct serving_rules *rules = serving->request->rules;
    const bool has_categories = rules != NULL && rules->categories.n_rows > 0;
    for (size_t c = 0; c < n; c++) {
        add_row(serving, &chosen[c], days, -1, &lengths[0]);
        size_t n_own = 0;
        const int32_t *own =
            has_categories ? sparse_row(&rules->categories, (size_t)chosen[c].item, &n_own) : NULL;
        for (size_t k = 0; k < n_own; k++) {
            add_row(serving, &chosen[c], days, own[k], &lengths[1 + own[k]]);
        }
    }
}

enum status_code serving_trending_lists(struct serving *serving, struct status *status)
{
    const struct serving_request *request = serving->request;
    const struct serving_rules *rules = request->rules;
    const size_t n_items = request->interactions->items.n, n_lists = request->popular;
    const size_t n_categories = rules == NULL ? 0 : rules->categories.n_columns;
    const size_t n_pairs = rules == NULL ? 0 : sparse_entries(&rules->categories);
    struct recommendations *out = serving->out;
    struct chosen *chosen = NULL;
    int64_t *counts = NULL;
    int32_t *lengths = NULL;
    bool has_times = request->interactions->log.times != NULL; /* on a rank without events, too */
    enum status_code code;
    TRY(recommendations_copy_names(rules == NULL ? NULL : &rules->category_names,
                                   &out->category_offsets, &out->n_category_offsets,
                                   &out->category_bytes, &out->n_category_bytes, status));
    TRY(ranks_any(request->ranks, &has_times, status));
    if (!has_times || n_lists == 0) {
        goto done;
    }
    const size_t in_all = n_lists < n_items ? n_lists : n_items;
    const size_t in_categories =
        n_pairs / n_lists < n_categories ? n_pairs : n_categories * n_lists;
    const size_t room = N_WINDOWS * (in_all + in_categories);
    TRY(MEM_NEW(&chosen, n_items, status));
    TRY(MEM_NEW(&counts, n_items, status));
    TRY(MEM_NEW(&out->trending_items, room, status));
    TRY(MEM_NEW(&out->trending_users, room, status));
    TRY(MEM_NEW(&out->trending_days, room, status));
    TRY(MEM_NEW(&out->trending_categories, room, status));
    TRY(MEM_NEW(&out->trending_ranks, room, status));
    for (int w = 0; w < N_WINDOWS; w++) {
        mem_free(lengths);
        TRY(MEM_NEW(&lengths, 1 + n_categories, status));
        size_t n_chosen;
        TRY(count_window(serving, windows[w], counts, chosen, &n_chosen, status));
        fill_window(serving, windows[w], chosen, n_chosen, lengths);
    }
done:
    mem_free(chosen);
    mem_free(counts);
    mem_free(lengths);
    return code;
}

/* Cosines of the towers' users [first, first + count) with all others. */
static enum status_code rank_users(struct serving *serving, const struct sparse *self, size_t first,
                                   size_t count, struct status *status)
{
    const struct const_matrix users = serving->request->embeddings->users;
    struct recommendations *out = serving->out;
    const size_t k = out->similar_users_top;
    const struct sparse own = {count, self->n_columns, self->offsets + first, self->columns, NULL};
    const struct ranking ranking = {.anchors = matrix_rows(users, first, count),
                                    .candidates = users,
                                    .scale = 1.0F,
                                    .exclude = &own,
                                    .k = k};
    int32_t *lists = out->similar_users + first * k;
    enum status_code code;
    TRY(ranking_run(&ranking, serving->pool, lists, out->similar_user_scores + first * k, status));
    for (size_t e = 0; e < count * k; e++) {
        lists[e] = lists[e] < 0
                       ? -1
                       : serving->request->users->served_of[serving->dataset->users[lists[e]]];
    }
    TRY(serving_report(serving, count, status));
done:
    return code;
}

enum status_code serving_similar_users(struct serving *serving, struct status *status)
{
    struct recommendations *out = serving->out;
    const size_t k = serving->request->similar_users, block = EXACT_BLOCK;
    const size_t n = k == 0 ? 0 : serving->dataset->n_users;
    size_t total;
    struct sparse self = {0};
    enum status_code code;
    if (!num_multiply(n, k, &total)) {
        return status_set(status, STATUS_NO_MEMORY, "recommend: %zu users with %zu similar ones", n,
                          k);
    }
    out->similar_users_top = k;
    TRY(MEM_NEW(&out->similar_user_anchors, n, status));
    TRY(MEM_NEW(&out->similar_users, total, status));
    TRY(MEM_NEW(&out->similar_user_scores, total, status));
    TRY(sparse_init(&self, n, n, n, false, status));
    for (size_t u = 0; u < n; u++) {
        out->similar_user_anchors[u] =
            serving->request->users->served_of[serving->dataset->users[u]];
        self.columns[u] = (int32_t)u;
        self.offsets[u + 1] = (int64_t)u + 1;
    }
    for (size_t first = 0; first < n; first += block) {
        TRY(rank_users(serving, &self, first, n - first < block ? n - first : block, status));
    }
    out->n_similar_users = n;
done:
    sparse_release(&self);
    return code;
}
