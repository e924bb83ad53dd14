/* Base and news as one: vocabularies by one pass over the ids, histories by one pass over the
 * pairs, the core, what is cold. Nothing is sorted. */
#include "catch_up/news.h"

#include "base/mem.h"
#include "events/dataset_cold.h"
#include "events/dataset_core.h"
#include "events/dislikes.h"
#include "events/history_cut.h"
#include "catch_up/vocabulary_merge.h"

#include <math.h>

/* One of the two histories that are joined. */
struct join_side {
    const struct history *history;
    const int32_t *users, *items; /* (rows), (columns): the code of each in what is made */
    double factor;                /* of its weights: they are those at an earlier time */
    bool same_items;              /* items maps every code to itself */
};

struct join {
    struct join_side base, news;
    enum duplicate_policy duplicates;
    struct history *out;
    int64_t n; /* entries so far */
};

static int64_t time_of(const struct join_side *side, int64_t entry)
{
    return side->history->times == NULL ? 0 : side->history->times[entry];
}

static double weight_of(const struct join_side *side, int64_t entry)
{
    return (double)side->history->matrix.values[entry] * side->factor;
}

/* Entry `b` of the base alone, `k` of the news alone, or the pair that both have; -1: not there. */
static void put(struct join *join, int64_t b, int64_t k)
{
    struct history *out = join->out;
    const struct join_side *only = k < 0 ? &join->base : &join->news;
    const int64_t entry = k < 0 ? b : k, to = join->n++;
    int64_t time = time_of(only, entry);

    out->matrix.columns[to] = only->items[only->history->matrix.columns[entry]];
    if (out->matrix.values != NULL) {
        double weight = weight_of(only, entry);
        if (b >= 0 && k >= 0) {
            const double before = weight_of(&join->base, b);
            /* what came later stands later in the source, too */
            const bool is_later = time >= time_of(&join->base, b);
            weight = join->duplicates == DUPLICATES_SUM   ? before + weight
                     : join->duplicates == DUPLICATES_MAX ? fmax(before, weight)
                     : is_later                           ? weight
                                                          : before;
        }
        out->matrix.values[to] = event_log_weight(weight);
    }
    if (b >= 0 && k >= 0 && time_of(&join->base, b) > time) {
        time = time_of(&join->base, b);
    }
    out->times[to] = time;
}

/* A row of the base that has no news. */
static void copy_row(struct join *join, int64_t first, int64_t end)
{
    const struct join_side *base = &join->base;
    struct history *out = join->out;
    const size_t n = (size_t)(end - first);
    const bool as_is = base->factor >= 1; /* never more */

    if (!base->same_items || base->history->times == NULL ||
        (out->matrix.values != NULL && !as_is)) {
        for (int64_t e = first; e < end; e++) {
            put(join, e, -1);
        }
        return;
    }
    memcpy(out->matrix.columns + join->n, base->history->matrix.columns + first,
           n * sizeof *out->matrix.columns);
    memcpy(out->times + join->n, base->history->times + first, n * sizeof *out->times);
    if (out->matrix.values != NULL) {
        memcpy(out->matrix.values + join->n, base->history->matrix.values + first,
               n * sizeof *out->matrix.values);
    }
    join->n += (int64_t)n;
}

static void join_rows(struct join *join, int64_t b, int64_t b_end, int64_t k, int64_t k_end)
{
    while (b < b_end || k < k_end) {
        const int32_t base_item =
            b < b_end ? join->base.items[join->base.history->matrix.columns[b]] : INT32_MAX;
        const int32_t news_item =
            k < k_end ? join->news.items[join->news.history->matrix.columns[k]] : INT32_MAX;
        put(join, base_item <= news_item ? b : -1, news_item <= base_item ? k : -1);
        b += base_item <= news_item ? 1 : 0;
        k += news_item <= base_item ? 1 : 0;
    }
}

/* The entries of the side's row that has this user: [*first, *end), none when there is no such row.
 * `next` is the side's first row that is not behind the user. */
static void row_of_user(const struct join_side *side, size_t user, size_t *next, int64_t *first,
                        int64_t *end)
{
    const struct sparse *m = &side->history->matrix;

    *first = *end = 0;
    if (*next < m->n_rows && (size_t)side->users[*next] == user) {
        *first = m->offsets[*next];
        *end = m->offsets[++*next];
    }
}

/* out (n_users, n_items) = the pairs of either side; with values where the base has some. */
static enum status_code join_histories(struct join *join, size_t n_users, size_t n_items,
                                       bool with_values, const char *spill, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct history made = {.matrix = {.n_rows = n_users, .n_columns = n_items}};
    struct history *out = join->out;
    const size_t most =
        sparse_entries(&join->base.history->matrix) + sparse_entries(&join->news.history->matrix);
    size_t next_base = 0, next_news = 0;

    TRY(MEM_NEW(&made.matrix.offsets, n_users + 1, status));
    TRY(SPILL_NEW(spill, &made.matrix.columns, most, status));
    TRY(SPILL_NEW(spill, &made.times, most, status));
    if (with_values) {
        TRY(SPILL_NEW(spill, &made.matrix.values, most, status));
    }
    join->out = &made;
    for (size_t user = 0; user < n_users; user++) {
        int64_t b, b_end, k, k_end;
        row_of_user(&join->base, user, &next_base, &b, &b_end);
        row_of_user(&join->news, user, &next_news, &k, &k_end);
        if (k == k_end) {
            copy_row(join, b, b_end);
        } else {
            join_rows(join, b, b_end, k, k_end);
        }
        made.matrix.offsets[user + 1] = join->n;
    }
    *out = made;
    made = (struct history){0};
done:
    history_release(&made);
    return code;
}

/* Codes of base and news in what is made. */
struct maps {
    int32_t *base_users, *base_items, *news_users, *news_items;
};

static void maps_release(struct maps *maps)
{
    mem_free(maps->base_users);
    mem_free(maps->base_items);
    mem_free(maps->news_users);
    mem_free(maps->news_items);
}

/* Vocabularies and facts. */
static enum status_code merge_ids(const struct interactions *base, const struct news *news,
                                  struct maps *maps, struct interactions *out,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const bool has_news = sparse_entries(&news->log.matrix) > 0;

    out->has_times = base->has_times;
    out->n_rows = news->n_rows;
    out->n_rejected = news->n_rejected;
    out->newest_time =
        has_news && news->newest > base->newest_time ? news->newest : base->newest_time;
    TRY(MEM_NEW(&maps->base_users, base->users.n, status));
    TRY(MEM_NEW(&maps->base_items, base->items.n, status));
    TRY(MEM_NEW(&maps->news_users, news->users.n, status));
    TRY(MEM_NEW(&maps->news_items, news->items.n, status));
    TRY(vocabulary_merge(&base->users, &news->users, &out->users, maps->base_users,
                         maps->news_users, status));
    TRY(vocabulary_merge(&base->items, &news->items, &out->items, maps->base_items,
                         maps->news_items, status));
done:
    return code;
}

/* What a weight at `then` is at `now`. */
static double decay(const struct dataset_rules *rules, int64_t now, int64_t then)
{
    return rules->half_life > 0 ? exp2(-(double)(now - then) / rules->half_life) : 1;
}

static struct join make_join(const struct history *base, const struct history *news,
                             const struct maps *maps, size_t n_base_items, struct history *out)
{
    const bool same_items =
        n_base_items == 0 || (size_t)maps->base_items[n_base_items - 1] == n_base_items - 1;

    return (struct join){.base = {base, maps->base_users, maps->base_items, 1, same_items},
                         .news = {news, maps->news_users, maps->news_items, 1, false},
                         .duplicates = DUPLICATES_LAST,
                         .out = out};
}

static enum status_code merge_logs(const struct interactions *base, const struct news *news,
                                   const struct maps *maps, const char *spill,
                                   struct interactions *out, struct status *status)
{
    struct join join = make_join(&base->log, &news->log, maps, base->items.n, &out->log);
    const bool has_news = sparse_entries(&news->log.matrix) > 0;

    join.duplicates = news->rules.duplicates;
    join.base.factor = decay(&news->rules, out->newest_time, base->newest_time);
    join.news.factor = has_news ? decay(&news->rules, out->newest_time, news->newest) : 1;
    return join_histories(&join, out->users.n, out->items.n, true, spill, status);
}

/* Without times all of the base is at 0 and the news behind it: where the base has a pair in both,
 * the dislike came last. */
static enum status_code merge_dislikes(const struct interactions *base, const struct news *news,
                                       const struct maps *maps, struct interactions *out,
                                       struct history *liked, bool *has_dislikes,
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    struct join join =
        make_join(&base->disliked, &news->disliked, maps, base->items.n, &out->disliked);

    *has_dislikes = base->disliked.matrix.n_rows > 0 || news->disliked.matrix.n_rows > 0;
    if (*has_dislikes) {
        TRY(join_histories(&join, out->users.n, out->items.n, false, NULL, status));
        TRY(history_copy(&out->log, liked, status));
        TRY(dislikes_settle(liked, &out->disliked, false, status));
    }
done:
    return code;
}

static enum status_code make_basis(const struct history *liked, const struct news *news,
                                   struct interactions *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct dataset *all = &out->basis[BASIS_ALL];
    const struct core_codes core = {.users = news->core_users,
                                    .items = news->core_items,
                                    .n_users = news->n_core_users,
                                    .n_items = news->n_core_items};
    const struct cold_source cold = {.known = &out->log,
                                     .cap = (size_t)news->rules.max_user_interactions};

    if (core.users != NULL) {
        TRY(dataset_core_known(liked, &news->rules, &core, all, status));
    } else {
        TRY(dataset_core(liked, &news->rules, "all events", all, status));
    }
    TRY(dataset_cold(&cold, all, status));
    if (out->disliked.matrix.n_rows > 0) {
        TRY(dislikes_renumber(&out->disliked, all, status));
    }
done:
    return code;
}

enum status_code interactions_merge(const struct interactions *base, const struct news *news,
                                    const char *spill, struct interactions *out,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    struct interactions made = {
        .has_times = base->has_times, .n_rows = news->n_rows, .n_rejected = news->n_rejected};
    struct history liked = {0};
    struct maps maps = {0};
    bool has_dislikes = false;

    TRY(merge_ids(base, news, &maps, &made, status));
    TRY(merge_logs(base, news, &maps, spill, &made, status));
    TRY(merge_dislikes(base, news, &maps, &made, &liked, &has_dislikes, status));
    TRY(make_basis(has_dislikes ? &liked : &made.log, news, &made, status));
    interactions_drop_ordinals(&made, true);
    *out = made;
    made = (struct interactions){0};
done:
    history_release(&liked);
    maps_release(&maps);
    interactions_release(&made);
    return code;
}

enum status_code interactions_merge_ids(const struct interactions *base, const struct news *news,
                                        struct interactions *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct interactions made = {0};
    struct dataset *all = &made.basis[BASIS_ALL];
    struct maps maps = {0};

    TRY(merge_ids(base, news, &maps, &made, status));
    TRY(dataset_copy_codes(news->core_users, news->n_core_users, &all->users, &all->n_users,
                           status));
    TRY(dataset_copy_codes(news->core_items, news->n_core_items, &all->items, &all->n_items,
                           status));
    *out = made;
    made = (struct interactions){0};
done:
    maps_release(&maps);
    interactions_release(&made);
    return code;
}

enum status_code news_keep_core(struct news *news, const struct interactions *merged,
                                struct status *status)
{
    enum status_code code;
    const struct dataset *all = &merged->basis[BASIS_ALL];

    news->n_pairs = sparse_entries(&merged->log.matrix);
    TRY(dataset_copy_codes(all->users, all->n_users, &news->core_users, &news->n_core_users,
                           status));
    TRY(dataset_copy_codes(all->items, all->n_items, &news->core_items, &news->n_core_items,
                           status));
done:
    return code;
}
