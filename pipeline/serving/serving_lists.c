/* A user's list out of what was ranked for him: eligible items come in order of their scores, and
 * the rules on whole lists (serving.h) say which of them may take the next place. */
#include "serving/serving_internal.h"

#include "base/mem.h"
#include "math/vec.h"

#include <math.h>

enum { FILL_BLOCK = 256 };

/* An item that may get a place. */
struct pool_entry {
    int32_t candidate;
    float score;
    bool taken;
};

/* One thread's memory. */
struct list_worker {
    struct pool_entry *pool; /* (candidates, where rules choose among them; else top) */
    uint8_t *in_pool;        /* (n_candidates) where there is a share of new items; else NULL */
    int32_t *counts;         /* (categories) rows of the list in the making */
    float *closeness;        /* (pool) to the nearest chosen item */
};

/* What gives way, in this order. */
enum strictness { ALL_RULES, CAPS_ALONE, RELAXED };

/* A list in the making. */
struct draft {
    const struct serving *serving;
    struct list_worker *worker;
    size_t user;  /* source code */
    size_t first; /* entry of its list's start in the output */
    size_t n, n_new, n_new_wanted;
};

/* ---- rules ---- */

static bool is_new(const struct draft *draft, int32_t item)
{
    return draft->serving->request->rules->is_new[item] != 0;
}

static bool is_within_caps(const struct draft *draft, int32_t item)
{
    const struct serving_request *request = draft->serving->request;
    if (request->max_per_category == 0) {
        return true;
    }
    const struct sparse *categories = &request->rules->categories;
    for (int64_t e = categories->offsets[item]; e < categories->offsets[item + 1]; e++) {
        if ((size_t)draft->worker->counts[categories->columns[e]] >= request->max_per_category) {
            return false;
        }
    }
    return true;
}

/* Whether every place that is left is needed for new items. */
static bool only_new(const struct draft *draft)
{
    const size_t n_left = draft->serving->out->top - draft->n;
    return draft->n_new_wanted > draft->n_new && draft->n_new_wanted - draft->n_new >= n_left;
}

static bool may_take(const struct draft *draft, int32_t item, enum strictness strictness)
{
    return (strictness == RELAXED || is_within_caps(draft, item)) &&
           (strictness != ALL_RULES || !only_new(draft) || is_new(draft, item));
}

static void take(struct draft *draft, int32_t item, double score, enum publish_source source)
{
    const struct serving *serving = draft->serving;
    const struct serving_request *request = serving->request;
    const size_t at = draft->first + draft->n++;
    serving->out->items[at] = request->items->served_of[item];
    serving->out->scores[at] = (float)score;
    serving->out->sources[at] = (uint8_t)(is_within_caps(draft, item) ? source : PUBLISH_RELAXED);
    if (request->max_per_category > 0) {
        const struct sparse *categories = &request->rules->categories;
        for (int64_t e = categories->offsets[item]; e < categories->offsets[item + 1]; e++) {
            draft->worker->counts[categories->columns[e]]++;
        }
    }
    if (draft->n_new_wanted > 0) {
        draft->n_new += is_new(draft, item);
    }
}

static void draft_start(struct draft *draft, const struct serving *serving, size_t worker,
                        size_t user)
{
    const struct serving_request *request = serving->request;
    *draft = (struct draft){.serving = serving,
                            .worker = &serving->workers[worker],
                            .user = user,
                            .first = (size_t)serving->user_place[user] * request->top,
                            .n_new_wanted = (size_t)ceil(request->min_new * (double)request->top)};
    if (request->max_per_category > 0) {
        memset(draft->worker->counts, 0,
               request->rules->categories.n_columns * sizeof *draft->worker->counts);
    }
}

static bool is_full(const struct draft *draft)
{
    return draft->n == draft->serving->out->top;
}

/* ---- from the pool ---- */

static int32_t item_of(const struct serving *serving, int32_t candidate)
{
    return serving->request->items->source_of[serving->candidate_codes[candidate]];
}

static void take_entry(struct draft *draft, struct pool_entry *entry, enum publish_source source)
{
    const bool known = (size_t)entry->candidate < draft->serving->n_known;
    entry->taken = true;
    take(draft, item_of(draft->serving, entry->candidate), (double)entry->score,
         known ? source : PUBLISH_COLD);
}

static void take_in_order(struct draft *draft, size_t n_pool, enum strictness strictness,
                          enum publish_source source)
{
    struct pool_entry *pool = draft->worker->pool;
    for (size_t p = 0; p < n_pool && !is_full(draft); p++) {
        if (!pool[p].taken &&
            may_take(draft, item_of(draft->serving, pool[p].candidate), strictness)) {
            take_entry(draft, &pool[p], source);
        }
    }
}

/* How much the list wants the entry, by maximal marginal relevance. */
static double marginal(const struct draft *draft, const struct pool_entry *entry, float closeness,
                       float best, float worst)
{
    const double diversity = draft->serving->request->diversity;
    const double range = (double)best - (double)worst;
    const double relevance = range > 0 ? ((double)entry->score - (double)worst) / range : 0.0;
    return (1 - diversity) * relevance - (draft->n == 0 ? 0.0 : diversity * (double)closeness);
}

/* With every item chosen, all others know their nearest chosen one. */
static void take_diverse(struct draft *draft, size_t n_pool, enum publish_source source)
{
    const struct serving *serving = draft->serving;
    const struct const_matrix vectors = serving->candidates;
    const struct vec_ops *ops = vec_ops();
    struct pool_entry *pool = draft->worker->pool;
    float *closeness = draft->worker->closeness;
    float best = 0, worst = 0;
    for (size_t p = 0; p < n_pool; p++) {
        closeness[p] = -1;
        best = p == 0 || pool[p].score > best ? pool[p].score : best;
        worst = p == 0 || pool[p].score < worst ? pool[p].score : worst;
    }
    while (!is_full(draft)) {
        size_t chosen = n_pool;
        double most = 0;
        for (size_t p = 0; p < n_pool; p++) {
            const double value = marginal(draft, &pool[p], closeness[p], best, worst);
            if (!pool[p].taken && (chosen == n_pool || value > most) &&
                may_take(draft, item_of(serving, pool[p].candidate), ALL_RULES)) {
                chosen = p;
                most = value;
            }
        }
        if (chosen == n_pool) {
            return;
        }
        const float *vector = vectors.data + (size_t)pool[chosen].candidate * vectors.stride;
        take_entry(draft, &pool[chosen], source);
        for (size_t p = 0; p < n_pool; p++) {
            const float *other = vectors.data + (size_t)pool[p].candidate * vectors.stride;
            closeness[p] = fmaxf(closeness[p], ops->dot(vector, other, vectors.columns));
        }
    }
}

/* ---- by popularity ---- */

static bool is_barred(const struct serving *serving, size_t user, int32_t item)
{
    const struct serving_request *request = serving->request;
    const struct serving_rules *rules = request->rules;
    const struct sparse *disliked = &request->interactions->disliked.matrix;
    const struct sparse *log = &request->interactions->log.matrix;
    return (request->exclude_seen && user < log->n_rows && sparse_has(log, user, item)) ||
           (request->exclude_seen && user < serving->seen.n_rows &&
            sparse_has(&serving->seen, user, item)) ||
           (request->exclude_disliked && user < disliked->n_rows &&
            sparse_has(disliked, user, item)) ||
           (rules != NULL && user < rules->excluded.n_rows &&
            sparse_has(&rules->excluded, user, item)) ||
           !serving_rules_allow(rules, serving_rules_segment(rules, user), item);
}

static bool is_in_list(const struct draft *draft, int32_t item)
{
    const struct serving *serving = draft->serving;
    const int32_t served = serving->request->items->served_of[item];
    for (size_t r = 0; r < draft->n; r++) {
        if (serving->out->items[draft->first + r] == served) {
            return true;
        }
    }
    return false;
}

/* `ranked`: items with a vector are the pool's business. */
static void take_popular(struct draft *draft, bool ranked, enum strictness strictness)
{
    const struct serving *serving = draft->serving;
    const size_t n_before = draft->n;
    for (size_t p = 0; p < serving->n_catalogue && !is_full(draft); p++) {
        const int32_t item = serving->popular[p].item;
        if ((ranked && serving->candidate_of[item] >= 0) || is_barred(serving, draft->user, item) ||
            !may_take(draft, item, strictness) ||
            (strictness != ALL_RULES && n_before > 0 && is_in_list(draft, item))) {
            continue;
        }
        take(draft, item, serving->popular[p].score, PUBLISH_POPULAR);
    }
}

/* ---- whole lists ---- */

/* The best that were ranked for an anchor. */
struct ranked {
    const int32_t *list, *new_list; /* (depth) candidates, -1 ends; new_list NULL: no share */
    const float *scores, *new_scores;
    size_t depth;
};

static bool is_exhausted(const int32_t *list, size_t depth, size_t n_candidates)
{
    return list == NULL || depth >= n_candidates || list[depth - 1] < 0;
}

/* The pool: what was ranked, then the new items behind it. */
static size_t fill_pool(const struct ranked *ranked, struct list_worker *worker)
{
    size_t n = 0;
    for (size_t r = 0; r < ranked->depth && ranked->list[r] >= 0; r++) {
        worker->pool[n++] = (struct pool_entry){ranked->list[r], ranked->scores[r], false};
        if (ranked->new_list != NULL) {
            worker->in_pool[ranked->list[r]] = 1;
        }
    }
    const size_t n_best = n;
    for (size_t r = 0; ranked->new_list != NULL && r < ranked->depth && ranked->new_list[r] >= 0;
         r++) {
        if (!worker->in_pool[ranked->new_list[r]]) {
            worker->pool[n++] =
                (struct pool_entry){ranked->new_list[r], ranked->new_scores[r], false};
        }
    }
    for (size_t p = 0; p < n_best && ranked->new_list != NULL; p++) {
        worker->in_pool[worker->pool[p].candidate] = 0;
    }
    return n;
}

/* False: the pool was too small for the rules, and there is more to rank. */
static bool draw(struct draft *draft, const struct ranked *ranked, enum publish_source source)
{
    const struct serving *serving = draft->serving;
    const bool no_more = is_exhausted(ranked->list, ranked->depth, serving->n_candidates);
    const bool no_more_new = is_exhausted(ranked->new_list, ranked->depth, serving->n_candidates);
    const size_t n_pool = fill_pool(ranked, draft->worker);
    if (serving->request->diversity > 0) {
        take_diverse(draft, n_pool, source);
    } else {
        take_in_order(draft, n_pool, ALL_RULES, source);
    }
    if (!is_full(draft) && !(only_new(draft) ? no_more_new : no_more)) {
        return false;
    }
    if (n_pool > 0) {
        take_popular(draft, true, ALL_RULES);
        take_in_order(draft, n_pool, CAPS_ALONE, source);
        if (!is_full(draft) && !no_more) {
            return false;
        }
        take_popular(draft, true, CAPS_ALONE);
        take_in_order(draft, n_pool, RELAXED, source);
        take_popular(draft, true, RELAXED);
    }
    return true;
}

/* Lists that are drawn at once. */
struct drawing {
    struct serving *serving;
    size_t first; /* anchor */
    size_t depth;
    enum publish_source source;
};

static void draw_list(void *data, size_t a, size_t worker)
{
    const struct drawing *drawing = data;
    struct serving *serving = drawing->serving;
    struct draft draft;
    struct ranked ranked = {.list = serving->lists + a * drawing->depth,
                            .scores = serving->scores + a * drawing->depth,
                            .depth = drawing->depth};
    if (serving->new_lists != NULL) {
        ranked.new_list = serving->new_lists + a * drawing->depth;
        ranked.new_scores = serving->new_scores + a * drawing->depth;
    }
    draft_start(&draft, serving, worker, (size_t)serving->anchor_users[drawing->first + a]);
    serving->unfinished[drawing->first + a] = !draw(&draft, &ranked, drawing->source);
    for (size_t r = draft.n; serving->unfinished[drawing->first + a] && r-- > 0;) {
        serving->out->items[draft.first + r] = -1;
    }
}

static enum status_code rank(struct serving *serving, size_t first, size_t count, size_t depth,
                             struct status *status)
{
    const size_t d = serving->candidates.columns;
    const struct index_use *use = &serving->out->users_index;
    struct ranking ranking = {
        .anchors = const_matrix_of(serving->anchors + first * d, count, d),
        .candidates = serving->candidates,
        .eligible = serving->eligible,
        .exclude = &serving->barred,
        .exclude_rows = serving->anchor_users + first,
        .tie_rank = serving->tie_rank,
        .k = depth,
    };
    enum status_code code;
    score_apply(&serving->score, serving->anchor_users + first, &ranking);
    TRY(serving_find(serving, &ranking, use, serving->lists, serving->scores, status));
    if (serving->new_lists != NULL) {
        ranking.eligible = serving->eligible_new;
        TRY(serving_find(serving, &ranking, use, serving->new_lists, serving->new_scores, status));
    }
done:
    return code;
}

/* The anchors whose lists are unfinished move to the front. */
static void keep_unfinished(struct serving *serving)
{
    const size_t d = serving->candidates.columns;
    size_t kept = 0;
    for (size_t a = 0; a < serving->n_anchors; a++) {
        if (serving->unfinished[a]) {
            serving->anchor_users[kept] = serving->anchor_users[a];
            memmove(serving->anchors + kept++ * d, serving->anchors + a * d,
                    d * sizeof *serving->anchors);
        }
    }
    serving->n_anchors = kept;
}

enum status_code serving_rank_anchors(struct serving *serving, enum publish_source source,
                                      struct status *status)
{
    const size_t n = serving->n_candidates, n_lists = serving->n_anchors;
    size_t depth = serving->request->top * (serving->choosy ? POOL_FACTOR : 1);
    enum status_code code = STATUS_OK;
    while (serving->n_anchors > 0) {
        depth = serving->choosy && depth > n && n > 0 ? n : depth;
        const size_t most =
            serving->n_room / depth < serving->n_block ? serving->n_room / depth : serving->n_block;
        for (size_t first = 0; first < serving->n_anchors; first += most) {
            const size_t left = serving->n_anchors - first, count = left < most ? left : most;
            struct drawing drawing = {serving, first, depth, source};
            TRY(rank(serving, first, count, depth, status));
            pool_run(serving->pool, count, draw_list, &drawing);
        }
        keep_unfinished(serving);
        depth *= POOL_FACTOR;
    }
    TRY(serving_report(serving, n_lists, status));
done:
    return code;
}

/* Users of one segment. */
struct filling {
    struct serving *serving;
    const int32_t *users; /* (n) source codes; NULL: all of them */
    size_t n;
};

static void fill_block(void *data, size_t block, size_t worker)
{
    const struct filling *filling = data;
    struct serving *serving = filling->serving;
    const size_t end = (block + 1) * FILL_BLOCK;
    for (size_t i = block * FILL_BLOCK; i < end && i < filling->n; i++) {
        const size_t user = filling->users == NULL ? i : (size_t)filling->users[i];
        struct draft draft;
        if (serving->user_place[user] < 0) {
            continue;
        }
        draft_start(&draft, serving, worker, user);
        if (serving->out->items[draft.first] < 0) {
            take_popular(&draft, false, ALL_RULES);
            take_popular(&draft, false, CAPS_ALONE);
            take_popular(&draft, false, RELAXED);
        }
    }
}

void serving_fill_lists(struct serving *serving)
{
    const struct popular_segments *segments = &serving->segments;
    struct filling filling = {serving, NULL, serving->request->users->n_codes};
    if (segments->n == 0) {
        pool_run(serving->pool, (filling.n + FILL_BLOCK - 1) / FILL_BLOCK, fill_block, &filling);
        return;
    }
    for (size_t s = 0; s <= segments->n; s++) {
        const size_t first = s == 0 ? 0 : segments->ends[s - 1];
        filling.users = segments->users + first;
        filling.n = segments->ends[s] - first;
        if (filling.n > 0) {
            serving_set_segment(serving, (int32_t)s - 1);
            pool_run(serving->pool, (filling.n + FILL_BLOCK - 1) / FILL_BLOCK, fill_block,
                     &filling);
        }
    }
}

enum status_code serving_lists_prepare(struct serving *serving, struct status *status)
{
    const struct serving_request *request = serving->request;
    const size_t n_candidates = serving->n_candidates;
    enum status_code code;
    serving->choosy =
        request->max_per_category > 0 || request->min_new > 0 || request->diversity > 0;
    serving->n_workers = pool_threads(serving->pool);
    const size_t n_pool = serving->choosy ? n_candidates : request->top;
    TRY(MEM_NEW(&serving->unfinished, serving->n_block, status));
    TRY(MEM_NEW(&serving->workers, serving->n_workers, status));
    for (size_t w = 0; w < serving->n_workers; w++) {
        struct list_worker *worker = &serving->workers[w];
        TRY(MEM_NEW(&worker->pool, n_pool, status));
        TRY(MEM_NEW(&worker->closeness, request->diversity > 0 ? n_pool : 0, status));
        TRY(MEM_NEW(&worker->in_pool, request->min_new > 0 ? n_candidates : 0, status));
        TRY(MEM_NEW(&worker->counts,
                    request->max_per_category > 0 ? request->rules->categories.n_columns : 0,
                    status));
    }
    if (request->min_new > 0) {
        TRY(MEM_NEW(&serving->new_lists, serving->n_room, status));
        TRY(MEM_NEW(&serving->new_scores, serving->n_room, status));
    }
done:
    return code;
}

void serving_lists_release(struct serving *serving)
{
    for (size_t w = 0; serving->workers != NULL && w < serving->n_workers; w++) {
        mem_free(serving->workers[w].pool);
        mem_free(serving->workers[w].closeness);
        mem_free(serving->workers[w].in_pool);
        mem_free(serving->workers[w].counts);
    }
    mem_free(serving->workers);
    mem_free(serving->unfinished);
    mem_free(serving->new_lists);
    mem_free(serving->new_scores);
}
