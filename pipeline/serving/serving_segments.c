/* What is popular within a segment of the users (serving.h has the formula). */
#include "serving/serving_internal.h"

#include "base/mem.h"

#include <math.h>

/* mu is sought among 10, 31.6, 100 ... 1,000,000 */
enum { N_PRIORS = 11 };

static double prior(size_t index)
{
    return pow(10.0, 1.0 + (double)index / 2.0);
}

enum status_code serving_order_by_segment(const struct serving *serving, const int32_t *users,
                                          size_t n, int32_t **order, size_t **ends,
                                          struct status *status)
{
    const struct serving_rules *rules = serving->request->rules;
    const size_t n_segments = rules == NULL ? 0 : rules->segments.n;
    size_t *next = NULL;
    enum status_code code;
    TRY(MEM_NEW(order, n, status));
    TRY(MEM_NEW(&next, n_segments + 2, status));
    for (size_t i = 0; i < n; i++) {
        const size_t user = users == NULL ? i : (size_t)users[i];
        next[serving_rules_segment(rules, user) + 2]++;
    }
    for (size_t s = 1; s < n_segments + 2; s++) {
        next[s] += next[s - 1];
    }
    for (size_t i = 0; i < n; i++) {
        const size_t user = users == NULL ? i : (size_t)users[i];
        (*order)[next[serving_rules_segment(rules, user) + 1]++] = (int32_t)i;
    }
    if (ends != NULL) {
        *ends = next;
        next = NULL;
    }
done:
    mem_free(next);
    return code;
}

/* counts (items) of the segment's users, each entry of the log worth 2^(-age / half_life days), 1
 * where that is 0; returns their sum. */
static double count_segment(const struct serving *serving, size_t segment, double half_life,
                            double *counts)
{
    const struct interactions *interactions = serving->request->interactions;
    const struct history *log = &interactions->log;
    const struct popular_segments *segments = &serving->segments;
    const bool decays = half_life > 0 && log->times != NULL;
    double sum = 0;
    memset(counts, 0, interactions->items.n * sizeof *counts);
    for (size_t i = segments->ends[segment]; i < segments->ends[segment + 1]; i++) {
        const size_t user = (size_t)segments->users[i];
        for (int64_t e = user < log->matrix.n_rows ? log->matrix.offsets[user] : 0;
             user < log->matrix.n_rows && e < log->matrix.offsets[user + 1]; e++) {
            const double days = decays ? (double)(segments->newest - log->times[e]) / 86400.0 : 0.0;
            const double weight = decays ? exp2(-days / half_life) : 1.0;
            counts[log->matrix.columns[e]] += weight;
            sum += weight;
        }
    }
    return sum;
}

/* mu by its leave-one-out likelihood over all segments. all (items): users of each item. */
static double choose_prior(const struct serving *serving, const double *all, double *counts)
{
    const size_t n_items = serving->request->interactions->items.n;
    const double total = (double)sparse_entries(&serving->request->interactions->log.matrix);
    double likelihood[N_PRIORS] = {0};
    size_t best = 0;
    for (size_t s = 0; s < serving->request->rules->segments.n; s++) {
        const double sum = count_segment(serving, s, 0, counts);
        for (size_t i = 0; i < n_items; i++) {
            const double share = (all[i] - 1.0) / (total - 1.0);
            for (size_t p = 0; counts[i] > 0 && all[i] > 1 && p < N_PRIORS; p++) {
                likelihood[p] +=
                    counts[i] * log((counts[i] - 1.0 + prior(p) * share) / (sum - 1.0 + prior(p)));
            }
        }
    }
    for (size_t p = 1; p < N_PRIORS; p++) {
        best = likelihood[p] > likelihood[best] ? p : best;
    }
    return prior(best);
}

enum status_code serving_segments_prepare(struct serving *serving, struct status *status)
{
    const struct serving_request *request = serving->request;
    const struct interactions *interactions = request->interactions;
    const struct history *history = &interactions->log;
    struct popular_segments *segments = &serving->segments;
    const size_t n_items = interactions->items.n;
    double *all = NULL, *counts = NULL;
    enum status_code code = STATUS_OK;
    if (request->rules == NULL || request->rules->segments.n == 0) {
        return code;
    }
    TRY(serving_order_by_segment(serving, NULL, request->users->n_codes, &segments->users,
                                 &segments->ends, status));
    TRY(MEM_NEW(&all, n_items, status));
    TRY(MEM_NEW(&counts, n_items, status));
    TRY(MEM_NEW(&segments->whole, n_items, status));
    segments->newest = history_newest(history);
    history_popularity(history, 0, all);
    history_popularity(history, request->popular_half_life, segments->whole);
    for (size_t i = 0; i < n_items; i++) {
        segments->total += segments->whole[i];
    }
    segments->prior = choose_prior(serving, all, counts);
    segments->counts = counts;
    segments->n = request->rules->segments.n;
    serving->out->segment_prior = segments->prior;
    counts = NULL;
done:
    mem_free(all);
    mem_free(counts);
    return code;
}

void serving_segments_release(struct serving *serving)
{
    struct popular_segments *segments = &serving->segments;
    mem_free(segments->users);
    mem_free(segments->ends);
    mem_free(segments->whole);
    mem_free(segments->counts);
}

void serving_segments_popular(struct serving *serving)
{
    struct popular_segments *segments = &serving->segments;
    if (segments->n == 0 || segments->shown == serving->segment) {
        return;
    }
    segments->shown = serving->segment;
    if (serving->segment < 0) {
        serving_rank_popular(serving, segments->whole);
        return;
    }
    const double mu = segments->prior;
    const double sum = count_segment(serving, (size_t)serving->segment,
                                     serving->request->popular_half_life, segments->counts);
    for (size_t i = 0; i < serving->request->interactions->items.n; i++) {
        segments->counts[i] =
            (segments->total * segments->counts[i] + mu * segments->whole[i]) / (sum + mu);
    }
    serving_rank_popular(serving, segments->counts);
}

/* The list of the segment that is set. */
static void fill_list(struct serving *serving)
{
    const struct serving_request *request = serving->request;
    struct recommendations *out = serving->out;
    size_t n = 0;
    for (size_t p = 0; p < serving->n_catalogue && n < request->popular; p++) {
        const struct popular_item *popular = &serving->popular[p];
        if (serving_rules_allow(request->rules, serving->segment, popular->item)) {
            const size_t at = out->n_segment_rows++;
            out->segment_items[at] = request->items->served_of[popular->item];
            out->segment_scores[at] = (float)popular->score;
            out->segment_ranks[at] = (int32_t)++n;
            out->segment_codes[at] = serving->segment;
        }
    }
}

enum status_code serving_segment_lists(struct serving *serving, struct status *status)
{
    const struct serving_request *request = serving->request;
    const size_t n = serving->segments.n;
    const size_t length =
        request->popular < serving->n_catalogue ? request->popular : serving->n_catalogue;
    struct recommendations *out = serving->out;
    enum status_code code;
    TRY(serving_copy_names(n == 0 ? NULL : &request->rules->segments, &out->segment_offsets,
                           &out->n_segment_offsets, &out->segment_bytes, &out->n_segment_bytes,
                           status));
    TRY(MEM_NEW(&out->segment_items, n * length, status));
    TRY(MEM_NEW(&out->segment_scores, n * length, status));
    TRY(MEM_NEW(&out->segment_ranks, n * length, status));
    TRY(MEM_NEW(&out->segment_codes, n * length, status));
    for (size_t s = 0; s < n; s++) {
        serving_set_segment(serving, (int32_t)s);
        fill_list(serving);
    }
done:
    return code;
}
