/* What is popular within a segment of the users (serving.h has the formula). */
#include "serving/serving_internal.h"
#include "base/clock.h"

#include "base/mem.h"
#include "dataset/crowd.h"

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

/* Counts of one segment: users of each item, and the same of late ones, each worth
 * 2^(-age / half_life days). Of many segments, so in whole units of UNIT, which can be added in any
 * order. */
struct segment_counts {
    int64_t *users, *late; /* (items) */
    double half_life;      /* 0: late ones count as all do */
    int64_t newest;        /* time of the log */
};
static const double unit = 0x1p-32;

static enum status_code count_segment(const struct serving *serving, size_t segment,
                                      const struct segment_counts *counts, struct status *status)
{
    const struct interactions *interactions = serving->request->interactions;
    const struct history *log = &interactions->log;
    const struct popular_segments *segments = &serving->segments;
    const size_t n_items = interactions->items.n;
    const bool decays = counts->half_life > 0 && counts->newest != INT64_MIN;
    memset(counts->users, 0, 2 * n_items * sizeof *counts->users);
    for (size_t i = segments->ends[segment]; i < segments->ends[segment + 1]; i++) {
        const size_t user = (size_t)segments->users[i];
        for (int64_t e = user < log->matrix.n_rows ? log->matrix.offsets[user] : 0;
             user < log->matrix.n_rows && e < log->matrix.offsets[user + 1]; e++) {
            const double days = decays ? (double)(counts->newest - log->times[e]) / CLOCK_DAY : 0.0;
            const double weight = decays ? exp2(-days / counts->half_life) : 1.0;
            counts->users[log->matrix.columns[e]]++;
            counts->late[log->matrix.columns[e]] += (int64_t)(weight / unit + 0.5);
        }
    }
    return ranks_sum_int64(serving->request->ranks, counts->users, 2 * n_items, status);
}

/* Keeps what the segment chose. */
static enum status_code keep_segment(struct popular_segments *segments, size_t segment,
                                     const struct segment_counts *counts, size_t n_items,
                                     struct status *status)
{
    size_t n = segments->first[segment], n_more = 0;
    enum status_code code;
    for (size_t i = 0; i < n_items; i++) {
        n_more += counts->users[i] > 0;
    }
    if (n + n_more > segments->room) {
        const size_t room = 2 * (n + n_more);
        TRY(MEM_RESIZE(&segments->items, n, room, status));
        TRY(MEM_RESIZE(&segments->chosen, n, room, status));
        segments->room = room;
    }
    for (size_t i = 0; i < n_items; i++) {
        if (counts->users[i] > 0) {
            segments->items[n] = (int32_t)i;
            segments->chosen[n] = (double)counts->late[i] * unit;
            segments->sums[segment] += segments->chosen[n++];
        }
    }
    segments->first[segment + 1] = n;
done:
    return code;
}

/* The leave-one-out likelihood of each prior grows by that of a segment. all (items): users of each
 * item, `total` of them. */
static void add_likelihood(const int64_t *users, const double *all, size_t n_items, double total,
                           double likelihood[N_PRIORS])
{
    double sum = 0;
    for (size_t i = 0; i < n_items; i++) {
        sum += (double)users[i];
    }
    for (size_t i = 0; i < n_items; i++) {
        const double count = (double)users[i], share = (all[i] - 1.0) / (total - 1.0);
        for (size_t p = 0; count > 0 && all[i] > 1 && p < N_PRIORS; p++) {
            likelihood[p] += count * log((count - 1.0 + prior(p) * share) / (sum - 1.0 + prior(p)));
        }
    }
}

/* All segments, and mu by its likelihood over them. */
static enum status_code count_segments(struct serving *serving, const double *all,
                                       struct status *status)
{
    const struct serving_request *request = serving->request;
    const size_t n_items = request->interactions->items.n, n = request->rules->segments.n;
    struct popular_segments *segments = &serving->segments;
    struct segment_counts counts = {.half_life = request->popular_half_life};
    double likelihood[N_PRIORS] = {0}, total = 0;
    size_t best = 0;
    enum status_code code;
    TRY(MEM_NEW(&counts.users, 2 * n_items, status));
    TRY(MEM_NEW(&segments->first, n + 1, status));
    TRY(MEM_NEW(&segments->sums, n, status));
    counts.late = counts.users + n_items;
    counts.newest = history_newest(&request->interactions->log);
    TRY(ranks_max_int64(request->ranks, &counts.newest, 1, status));
    for (size_t i = 0; i < n_items; i++) {
        total += all[i];
    }
    for (size_t s = 0; s < n; s++) {
        TRY(count_segment(serving, s, &counts, status));
        TRY(keep_segment(segments, s, &counts, n_items, status));
        add_likelihood(counts.users, all, n_items, total, likelihood);
    }
    for (size_t p = 1; p < N_PRIORS; p++) {
        best = likelihood[p] > likelihood[best] ? p : best;
    }
    segments->prior = prior(best);
done:
    mem_free(counts.users);
    return code;
}

enum status_code serving_segments_prepare(struct serving *serving, struct status *status)
{
    const struct serving_request *request = serving->request;
    const struct interactions *interactions = request->interactions;
    const struct crowd crowd = {request->ranks, &interactions->users, NULL};
    const struct history *history = &interactions->log;
    struct popular_segments *segments = &serving->segments;
    const size_t n_items = interactions->items.n;
    double *all = NULL;
    enum status_code code = STATUS_OK;
    if (request->rules == NULL || request->rules->segments.n == 0) {
        return code;
    }
    TRY(serving_order_by_segment(serving, NULL, request->users->n_codes, &segments->users,
                                 &segments->ends, status));
    TRY(MEM_NEW(&all, n_items, status));
    TRY(MEM_NEW(&segments->counts, n_items, status));
    TRY(MEM_NEW(&segments->whole, n_items, status));
    TRY(crowd_popularity(&crowd, history, 0, all, status));
    TRY(crowd_popularity(&crowd, history, request->popular_half_life, segments->whole, status));
    for (size_t i = 0; i < n_items; i++) {
        segments->total += segments->whole[i];
    }
    TRY(count_segments(serving, all, status));
    segments->n = request->rules->segments.n;
    serving->out->segment_prior = segments->prior;
done:
    mem_free(all);
    return code;
}

void serving_segments_release(struct serving *serving)
{
    struct popular_segments *segments = &serving->segments;
    mem_free(segments->users);
    mem_free(segments->ends);
    mem_free(segments->first);
    mem_free(segments->items);
    mem_free(segments->chosen);
    mem_free(segments->sums);
    mem_free(segments->whole);
    mem_free(segments->counts);
}

static int compare_popular(const void *a, const void *b)
{
    const struct popular_item *x = a, *y = b;
    if (x->score > y->score || x->score < y->score) {
        return x->score > y->score ? -1 : 1;
    }
    return (x->item > y->item) - (x->item < y->item);
}

void serving_rank_popular(struct serving *serving, const double *popularity)
{
    const struct serving_rules *rules = serving->request->rules;
    const float *boosts = rules == NULL ? NULL : rules->boosts;
    size_t n = 0;
    for (size_t i = 0; i < serving->request->interactions->items.n; i++) {
        if (popularity[i] > 0) {
            serving->popular[n++] = (struct popular_item){
                log1p(popularity[i]) + (boosts == NULL ? 0.0 : (double)boosts[i]), (int32_t)i};
        }
    }
    serving->n_catalogue = n;
    qsort(serving->popular, n, sizeof *serving->popular, compare_popular);
}

/* serving->popular becomes that of the segment that is set. */
static void show_popular(struct serving *serving)
{
    struct popular_segments *segments = &serving->segments;
    const size_t n_items = serving->request->interactions->items.n;
    if (segments->n == 0 || segments->shown == serving->segment) {
        return;
    }
    segments->shown = serving->segment;
    if (serving->segment < 0) {
        serving_rank_popular(serving, segments->whole);
        return;
    }
    const size_t segment = (size_t)serving->segment;
    const double mu = segments->prior, sum = segments->sums[segment];
    for (size_t i = 0; i < n_items; i++) {
        segments->counts[i] = mu * segments->whole[i];
    }
    for (size_t e = segments->first[segment]; e < segments->first[segment + 1]; e++) {
        segments->counts[segments->items[e]] += segments->total * segments->chosen[e];
    }
    for (size_t i = 0; i < n_items; i++) {
        segments->counts[i] /= sum + mu;
    }
    serving_rank_popular(serving, segments->counts);
}

void serving_set_segment(struct serving *serving, int32_t segment)
{
    const struct serving_rules *rules = serving->request->rules;
    serving->segment = segment;
    for (size_t c = 0; c < serving->n_candidates; c++) {
        int32_t item = serving->request->items->source_of[serving->candidate_codes[c]];
        const bool allowed = serving_rules_allow(rules, segment, item);
        if (serving->eligible != NULL) {
            serving->eligible[c] = allowed;
        }
        if (serving->eligible_new != NULL) {
            serving->eligible_new[c] = allowed && rules->is_new[item];
        }
    }
    show_popular(serving);
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
    TRY(recommendations_copy_names(n == 0 ? NULL : &request->rules->segments, &out->segment_offsets,
                                   &out->n_segment_offsets, &out->segment_bytes,
                                   &out->n_segment_bytes, status));
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
