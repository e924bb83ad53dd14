/* Lists that belong to no user: popular items, similar items. */
#include "serving/serving_internal.h"

#include "base/mem.h"
#include "base/num.h"

enum status_code serving_popular_list(struct serving *serving, struct status *status)
{
    struct recommendations *out = serving->out;
    size_t n = serving->request->popular;
    enum status_code code;
    serving_set_segment(serving, -1);
    n = n < serving->n_catalogue ? n : serving->n_catalogue;
    TRY(MEM_NEW(&out->popular_items, n, status));
    TRY(MEM_NEW(&out->popular_scores, n, status));
    for (size_t p = 0; p < serving->n_catalogue && out->n_popular < n; p++) {
        if (serving_rules_allow(serving->request->rules, -1, serving->popular[p].item)) {
            size_t at = out->n_popular++;
            out->popular_items[at] = serving->request->items->served_of[serving->popular[p].item];
            out->popular_scores[at] = (float)serving->popular[p].score;
        }
    }
done:
    return code;
}

/* Cosines of the candidates at [first, first + count) of the list with all others; `self` has one
 * entry a row. */
static enum status_code rank_similar(struct serving *serving, const struct sparse *self,
                                     size_t first, size_t count, struct status *status)
{
    struct recommendations *out = serving->out;
    const struct const_matrix candidates = serving->candidates;
    const struct sparse own = {count, self->n_columns, self->offsets + first, self->columns, NULL};
    const size_t k = out->similar_top;
    int32_t *lists = out->similar_items + first * k;
    const struct ranking ranking = {
        .anchors = const_matrix_of(serving->anchors, count, candidates.columns),
        .candidates = candidates,
        .scale = 1.0f,
        .eligible = serving->eligible,
        .exclude = &own,
        .tie_rank = serving->tie_rank,
        .k = k,
    };
    enum status_code code;
    matrix_gather(candidates, self->columns + first, count, serving->anchors);
    TRY(serving_find(serving, &ranking, &out->similar_index, lists, out->similar_scores + first * k,
                     status));
    for (size_t e = 0; e < count * k; e++) {
        lists[e] = lists[e] < 0 ? -1 : serving->candidate_codes[lists[e]];
    }
    TRY(serving_report(serving, count, status));
done:
    return code;
}

enum status_code serving_similar_lists(struct serving *serving, struct status *status)
{
    struct recommendations *out = serving->out;
    struct ranks *ranks = serving->request->ranks;
    const size_t k = serving->request->similar;
    const size_t n_all = k == 0 ? 0 : serving->n_candidates, mine = ranks_mine(ranks);
    /* by place, so that what ranks have follows one another */
    const size_t start = n_all * mine / ranks_n(ranks), end = n_all * (mine + 1) / ranks_n(ranks);
    const size_t n = end - start;
    size_t total;
    struct sparse self = {0};
    enum status_code code;
    out->similar_top = k;
    serving_set_segment(serving, -1);
    if (!num_multiply(n, k, &total)) {
        return status_set(status, STATUS_NO_MEMORY, "recommend: %zu items with %zu similar ones", n,
                          k);
    }
    TRY(MEM_NEW(&out->similar_anchors, n, status));
    TRY(MEM_NEW(&out->similar_items, total, status));
    TRY(MEM_NEW(&out->similar_scores, total, status));
    TRY(sparse_init(&self, n, n_all, n, false, status));
    for (size_t c = 0; c < n_all; c++) {
        const size_t at = (size_t)serving->places[c] - start;
        if (at < n) {
            out->similar_anchors[at] = serving->candidate_codes[c];
            self.columns[at] = (int32_t)c;
            self.offsets[at + 1] = (int64_t)at + 1;
        }
    }
    for (size_t first = 0; first < n; first += serving->n_block) {
        TRY(rank_similar(serving, &self, first,
                         n - first < serving->n_block ? n - first : serving->n_block, status));
    }
    out->n_similar_anchors = n;
done:
    sparse_release(&self);
    return code;
}
