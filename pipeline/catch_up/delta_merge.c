/* Base and delta as one: vocabularies by one pass over the ids, histories by one pass over the
 * pairs, the core, what is cold. Nothing is sorted. */
#include "catch_up/delta.h"

#include "base/mem.h"
#include "events/dataset_cold.h"
#include "events/dataset_core.h"
#include "events/dislikes.h"
#include "events/history_cut.h"
#include "dataset/vocabulary_merge.h"

#include <math.h>

/* One of the two histories that are joined. */
struct join_side {
    const struct history *history;
    const int32_t *users, *items; /* (rows), (columns): the code of each in what is made */
    double factor;                /* of its weights: they are those at an earlier time */
    bool same_items;              /* items maps every code to itself */
};

struct join {
    struct join_side base, delta;
    enum duplicate_policy duplicates;
    struct history *out, made; /* made: until it is whole */
    int64_t n;                 /* entries so far */
};

static int64_t time_of(const struct join_side *side, int64_t entry)
{
    return side->history->times == NULL ? 0 : side->history->times[entry];
}

static double weight_of(const struct join_side *side, int64_t entry)
{
    return (double)side->history->matrix.values[entry] * side->factor;
}

/* Entry `b` of the base alone, `k` of the delta alone, or the pair that both have; -1: not there.
 */
static void put(struct join *join, int64_t b, int64_t k)
{
    struct history *out = &join->made;
    const struct join_side *only = k < 0 ? &join->base : &join->delta;
    const int64_t entry = k < 0 ? b : k, to = join->n++;
    int64_t time = time_of(only, entry);

    out->matrix.columns[to] = only->items[only->history->matrix.columns[entry]];
    if (out->matrix.values != NULL) {
        double weight = weight_of(only, entry);
        if (b >= 0 && k >= 0) {
            const double before = weight_of(&join->base, b);
            /* without times, what came later stands later in the source */
            const int64_t time_before = time_of(&join->base, b);
            const bool is_tie = time == time_before && join->base.history->times != NULL;
            const bool is_later = is_tie ? weight > before : time >= time_before;
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

/* A row of the base that has no delta. */
static void copy_row(struct join *join, int64_t first, int64_t end)
{
    const struct join_side *base = &join->base;
    struct history *out = &join->made;
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
        const int32_t delta_item =
            k < k_end ? join->delta.items[join->delta.history->matrix.columns[k]] : INT32_MAX;
        put(join, base_item <= delta_item ? b : -1, delta_item <= base_item ? k : -1);
        b += base_item <= delta_item ? 1 : 0;
        k += delta_item <= base_item ? 1 : 0;
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
    struct history *made = &join->made;
    const size_t most =
        sparse_entries(&join->base.history->matrix) + sparse_entries(&join->delta.history->matrix);
    size_t next_base = 0, next_news = 0;

    made->matrix.n_rows = n_users;
    made->matrix.n_columns = n_items;
    TRY(MEM_NEW(&made->matrix.offsets, n_users + 1, status));
    TRY(SPILL_NEW(spill, &made->matrix.columns, most, status));
    TRY(SPILL_NEW(spill, &made->times, most, status));
    if (with_values) {
        TRY(SPILL_NEW(spill, &made->matrix.values, most, status));
    }
    for (size_t user = 0; user < n_users; user++) {
        int64_t b, b_end, k, k_end;
        row_of_user(&join->base, user, &next_base, &b, &b_end);
        row_of_user(&join->delta, user, &next_news, &k, &k_end);
        if (k == k_end) {
            copy_row(join, b, b_end);
        } else {
            join_rows(join, b, b_end, k, k_end);
        }
        made->matrix.offsets[user + 1] = join->n;
    }
    *join->out = *made;
    *made = (struct history){0};
done:
    history_release(made);
    return code;
}

/* Codes of base and delta in what is made. */
struct maps {
    int32_t *base_users, *base_items, *delta_users, *delta_items;
};

static void maps_release(struct maps *maps)
{
    mem_free(maps->base_users);
    mem_free(maps->base_items);
    mem_free(maps->delta_users);
    mem_free(maps->delta_items);
}

/* The ids of users and items that stand in either, and the maps to them. */
static enum status_code merge_vocabularies(const struct vocabulary *base_users,
                                           const struct vocabulary *base_items,
                                           const struct vocabulary *delta_users,
                                           const struct vocabulary *delta_items, struct maps *maps,
                                           struct vocabulary *users, struct vocabulary *items,
                                           struct status *status)
{
    enum status_code code;

    TRY(MEM_NEW(&maps->base_users, base_users->n, status));
    TRY(MEM_NEW(&maps->base_items, base_items->n, status));
    TRY(MEM_NEW(&maps->delta_users, delta_users->n, status));
    TRY(MEM_NEW(&maps->delta_items, delta_items->n, status));
    TRY(vocabulary_merge(base_users, delta_users, users, maps->base_users, maps->delta_users,
                         status));
    TRY(vocabulary_merge(base_items, delta_items, items, maps->base_items, maps->delta_items,
                         status));
done:
    return code;
}

/* Vocabularies and facts. */
static enum status_code merge_ids(const struct interactions *base, const struct delta *delta,
                                  struct maps *maps, struct interactions *out,
                                  struct status *status)
{
    const bool has_delta = sparse_entries(&delta->log.matrix) > 0;

    out->has_times = base->has_times;
    out->n_rows = delta->n_rows;
    out->n_rejected = delta->n_rejected;
    for (size_t b = 0; b < N_BASES; b++) {
        out->basis[b].repeats = base->basis[b].repeats;
    }
    out->newest_time =
        has_delta && delta->newest > base->newest_time ? delta->newest : base->newest_time;
    return merge_vocabularies(&base->users, &base->items, &delta->users, &delta->items, maps,
                              &out->users, &out->items, status);
}

/* What a weight at `then` is at `now`. */
static double decay(const struct dataset_rules *rules, int64_t now, int64_t then)
{
    return rules->half_life > 0 ? exp2(-(double)(now - then) / rules->half_life) : 1;
}

static struct join make_join(const struct history *base, const struct history *delta,
                             const struct maps *maps, size_t n_base_items, struct history *out)
{
    const bool same_items =
        n_base_items == 0 || (size_t)maps->base_items[n_base_items - 1] == n_base_items - 1;

    return (struct join){.base = {base, maps->base_users, maps->base_items, 1, same_items},
                         .delta = {delta, maps->delta_users, maps->delta_items, 1, false},
                         .duplicates = DUPLICATES_LAST,
                         .out = out};
}

static enum status_code merge_logs(const struct interactions *base, const struct delta *delta,
                                   const struct maps *maps, const char *spill,
                                   struct interactions *out, struct status *status)
{
    struct join join = make_join(&base->log, &delta->log, maps, base->items.n, &out->log);
    const bool has_delta = sparse_entries(&delta->log.matrix) > 0;

    join.duplicates = delta->rules.duplicates;
    join.base.factor = decay(&delta->rules, out->newest_time, base->newest_time);
    join.delta.factor = has_delta ? decay(&delta->rules, out->newest_time, delta->newest) : 1;
    return join_histories(&join, out->users.n, out->items.n, true, spill, status);
}

/* Without times all of the base is at 0 and the delta behind it: where the base has a pair in both,
 * the dislike came last. */
static enum status_code merge_dislikes(const struct interactions *base, const struct delta *delta,
                                       const struct maps *maps, struct interactions *out,
                                       struct history *liked, bool *has_dislikes,
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    struct join join =
        make_join(&base->disliked, &delta->disliked, maps, base->items.n, &out->disliked);

    *has_dislikes = base->disliked.matrix.n_rows > 0 || delta->disliked.matrix.n_rows > 0;
    if (*has_dislikes) {
        TRY(join_histories(&join, out->users.n, out->items.n, false, NULL, status));
        TRY(history_copy(&out->log, liked, status));
        TRY(dislikes_settle(liked, &out->disliked, false, status));
    }
done:
    return code;
}

static enum status_code merge_seen(const struct seen_pairs *base, const struct seen_pairs *delta,
                                   struct seen_pairs *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct history before = {.matrix = base->pairs}, now = {.matrix = delta->pairs};
    struct history joined = {0};
    struct maps maps = {0};

    if (base->pairs.n_rows + delta->pairs.n_rows == 0) {
        goto done;
    }
    TRY(merge_vocabularies(&base->users, &base->items, &delta->users, &delta->items, &maps,
                           &out->users, &out->items, status));
    struct join join = make_join(&before, &now, &maps, base->items.n, &joined);
    TRY(join_histories(&join, out->users.n, out->items.n, false, NULL, status));
    out->pairs = joined.matrix;
    joined.matrix = (struct sparse){0};
done:
    history_release(&joined);
    maps_release(&maps);
    return code;
}

/* Where repeats count, what the base has for its events' sake stays. */
static enum status_code make_basis(const struct history *liked, const struct interactions *base,
                                   const struct delta *delta, const struct maps *maps,
                                   struct interactions *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct dataset *before = &base->basis[BASIS_ALL];
    uint8_t *lasting = NULL;
    struct dataset *all = &out->basis[BASIS_ALL];
    const struct core_codes core = {.users = delta->core_users,
                                    .items = delta->core_items,
                                    .n_users = delta->n_core_users,
                                    .n_items = delta->n_core_items};
    struct core_source source = {
        .raw = liked, .users = &out->users, .items = &out->items, .name = "all events"};
    const struct cold_source cold = {.known = &out->log,
                                     .users = &out->users,
                                     .items = &out->items,
                                     .cap = (size_t)delta->rules.max_user_interactions};

    if (core.users != NULL) {
        TRY(dataset_core_known(&source, &delta->rules, &core, all, status));
    } else {
        TRY(MEM_NEW(&lasting, out->items.n, status));
        for (size_t i = 0; before->repeats && i < before->n_items; i++) {
            lasting[maps->base_items[before->items[i]]] = 1;
        }
        source.lasting = lasting;
        TRY(dataset_core(&source, &delta->rules, all, status));
    }
    TRY(dataset_cold(&cold, all, status));
    if (out->disliked.matrix.n_rows > 0) {
        TRY(dislikes_renumber(&out->disliked, all, status));
    }
done:
    mem_free(lasting);
    return code;
}

enum status_code interactions_merge(const struct interactions *base, const struct delta *delta,
                                    const char *spill, struct interactions *out,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    struct interactions made = {
        .has_times = base->has_times, .n_rows = delta->n_rows, .n_rejected = delta->n_rejected};
    struct history liked = {0};
    struct maps maps = {0};
    bool has_dislikes = false;

    TRY(merge_ids(base, delta, &maps, &made, status));
    TRY(merge_logs(base, delta, &maps, spill, &made, status));
    TRY(merge_dislikes(base, delta, &maps, &made, &liked, &has_dislikes, status));
    TRY(merge_seen(&base->seen, &delta->seen, &made.seen, status));
    TRY(make_basis(has_dislikes ? &liked : &made.log, base, delta, &maps, &made, status));
    interactions_drop_ordinals(&made, true);
    *out = made;
    made = (struct interactions){0};
done:
    history_release(&liked);
    maps_release(&maps);
    interactions_release(&made);
    return code;
}

enum status_code interactions_merge_ids(const struct interactions *base, const struct delta *delta,
                                        struct interactions *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct interactions made = {0};
    struct dataset *all = &made.basis[BASIS_ALL];
    struct maps maps = {0};

    TRY(merge_ids(base, delta, &maps, &made, status));
    TRY(dataset_copy_codes(delta->core_users, delta->n_core_users, &all->users, &all->n_users,
                           status));
    TRY(dataset_copy_codes(delta->core_items, delta->n_core_items, &all->items, &all->n_items,
                           status));
    *out = made;
    made = (struct interactions){0};
done:
    maps_release(&maps);
    interactions_release(&made);
    return code;
}

enum status_code delta_remember_core(struct delta *delta, const struct interactions *merged,
                                     struct status *status)
{
    enum status_code code;
    const struct dataset *all = &merged->basis[BASIS_ALL];

    delta->n_pairs = sparse_entries(&merged->log.matrix);
    TRY(dataset_copy_codes(all->users, all->n_users, &delta->core_users, &delta->n_core_users,
                           status));
    TRY(dataset_copy_codes(all->items, all->n_items, &delta->core_items, &delta->n_core_items,
                           status));
done:
    return code;
}
