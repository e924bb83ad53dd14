/* Partners by cosine, then one regression an item. What two items have in common is counted anew
 * for each regression, out of the histories: in integers, so neither the order of users nor the
 * ranks that they are spread over change it, and no matrix of all items is ever held. */
#include "pairs/ridge.h"

#include "base/clock.h"
#include "base/mem.h"
#include "math/blas.h"
#include "pairs/item_pairs.h"
#include "pairs/pair_rows.h"
#include "pairs/ridge_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS_PER_BLOCK = 8 };
/* An entry counts a whole number of units, of which the product of two is PAIR_UNIT: sums over
 * users fit as pair_rows.h says. No entry counts less than the least. */
#define ENTRY_UNIT 0x1p-16
static const double least_weight = 1e-3;
static const double least_shift = 0.125; /* of the diagonal, which is 1 and the penalty */

struct regressions {
    const struct ridge_settings *settings;
    struct sparse users; /* (n_items, n_users) of this rank, with what the entry counts, in units */
    float *roots;        /* (n_items) 1 / sqrt(n_s) */
    struct ridge *ridge;
    struct ridge_parts parts; /* the slice that runs */
    struct worker *workers;
};

/* One thread's memory. Members are the partners of an item, ascending, and the item behind them. */
struct worker {
    int32_t *counts;  /* (n_users) members that a user has; zero between items */
    int32_t *touched; /* (n_users + 1) those who have some */
    int64_t *ends;    /* (n_users) where the user's members end in `had` */
    int32_t *had; /* (as many as the members have users) by user: places of members, ascending */
    int32_t *weights;  /* as `had`: what that counts, in units */
    int32_t *members;  /* (partners + 1) */
    float *roots;      /* (partners + 1) of the members */
    int64_t *products; /* ((partners + 1) partners / 2) of members k > l at k (k - 1) / 2 + l */
    float *gram;       /* (partners + 1)^2 lower triangle: cosines */
    float *factor;     /* (partners)^2 */
    float *solution;   /* (partners) */
};

/* ---- what the members have in common ---- */

/* had, weights and ends: the members that each user has. Returns how many users have some. */
static size_t list_members(const struct regressions *r, struct worker *w, size_t n)
{
    size_t n_touched = 0;
    int64_t end = 0;
    for (size_t k = 0; k < n; k++) {
        size_t n_users;
        const int32_t *users = sparse_row(&r->users, (size_t)w->members[k], &n_users);
        for (size_t u = 0; u < n_users; u++) {
            w->touched[n_touched] = users[u];
            n_touched += w->counts[users[u]]++ == 0;
        }
    }
    for (size_t t = 0; t < n_touched; t++) {
        w->ends[w->touched[t]] = end;
        end += w->counts[w->touched[t]];
    }
    for (size_t k = 0; k < n; k++) {
        size_t n_users;
        const int32_t *users = sparse_row(&r->users, (size_t)w->members[k], &n_users);
        const float *weights = r->users.values + r->users.offsets[w->members[k]];
        for (size_t u = 0; u < n_users; u++) {
            const int64_t at = w->ends[users[u]]++;
            w->had[at] = (int32_t)k;
            w->weights[at] = (int32_t)weights[u];
        }
    }
    return n_touched;
}

/* Returns n: the members are those of `item`. */
static size_t find_members(const struct regressions *r, struct worker *w, size_t item)
{
    size_t n;
    const int32_t *partners = sparse_row(&r->ridge->partners, item, &n);
    memcpy(w->members, partners, n * sizeof *w->members);
    w->members[n] = (int32_t)item;
    return n + 1;
}

/* products (n (n - 1) / 2) = what each two of the members have in common among this rank's users.
 */
static void multiply(const struct regressions *r, struct worker *w, size_t n)
{
    const size_t n_touched = list_members(r, w, n);
    memset(w->products, 0, n * (n - 1) / 2 * sizeof *w->products);
    for (size_t t = 0; t < n_touched; t++) {
        const int32_t user = w->touched[t];
        const size_t n_had = (size_t)w->counts[user];
        const int32_t *had = w->had + w->ends[user] - n_had;
        const int32_t *weights = w->weights + w->ends[user] - n_had;
        for (size_t a = 1; a < n_had; a++) {
            const size_t k = (size_t)had[a];
            int64_t *row = w->products + k * (k - 1) / 2;
            for (size_t b = 0; b < a; b++) {
                row[had[b]] += (int64_t)weights[a] * weights[b];
            }
        }
        w->counts[user] = 0;
    }
}

/* gram (n, n): the cosines below its diagonal. */
static void fill_gram(const struct regressions *r, struct worker *w, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        const int64_t *row = w->products + (k > 0 ? k * (k - 1) / 2 : 0);
        w->roots[k] = r->roots[w->members[k]];
        for (size_t l = 0; l < k; l++) {
            w->gram[k * n + l] = (float)((double)row[l] * PAIR_UNIT) * (w->roots[k] * w->roots[l]);
        }
    }
}

/* ---- one item ---- */

/* solution (n) of (C + diag(strength / sqrt(n)) + shift) z = c, with C the cosines of the partners
 * and c theirs with the item: the regression in units of 1 / sqrt(n), whose condition does not hang
 * on how popular the partners are. */
static void solve(struct worker *w, double strength, size_t n)
{
    double shift = 0;
    do {
        for (size_t k = 0; k < n; k++) {
            memcpy(w->factor + k * n, w->gram + k * (n + 1), k * sizeof *w->factor);
            w->factor[k * n + k] = (float)(1 + shift + strength * (double)w->roots[k]);
        }
        memcpy(w->solution, w->gram + n * (n + 1), n * sizeof *w->solution);
        shift = shift == 0 ? least_shift : 2 * shift;
    } while (!blas_solve_positive(matrix_of(w->factor, n, n), w->solution));
}

/* With the products of the item's members. */
static void regress(const struct regressions *r, struct worker *w, size_t item, size_t n_members)
{
    const struct ridge *ridge = r->ridge;
    const int64_t first = ridge->partners.offsets[item];
    const size_t n = n_members - 1;
    fill_gram(r, w, n_members);
    for (size_t s = 0; s < ridge->n_strengths; s++) {
        solve(w, r->settings->strengths[s], n);
        for (size_t k = 0; k < n; k++) {
            ridge->coefficients[s][first + (int64_t)k] = w->solution[k] * w->roots[k] / w->roots[n];
        }
    }
}

/* All of an item, where all users are this rank's. */
static void regress_item(struct regressions *r, struct worker *w, size_t item)
{
    const size_t n = find_members(r, w, item);
    if (n > 1) {
        multiply(r, w, n);
        regress(r, w, item, n);
    }
}

/* This rank's part of its products. */
static void multiply_part(struct regressions *r, struct worker *w, size_t item)
{
    const size_t n = find_members(r, w, item);
    multiply(r, w, n);
    ridge_parts_put(&r->parts, item, w->products);
}

/* A regression of this rank's out of the parts. */
static void regress_parts(struct regressions *r, struct worker *w, size_t item)
{
    const size_t n = shard_item_is_own(r->parts.ranks, item) ? find_members(r, w, item) : 1;
    if (n > 1) {
        ridge_parts_add(&r->parts, item, w->products);
        regress(r, w, item, n);
    }
}

static void run_block(struct regressions *r, size_t block, size_t worker,
                      void (*of_item)(struct regressions *, struct worker *, size_t))
{
    const size_t first = r->parts.first_item + block * ITEMS_PER_BLOCK;
    for (size_t i = first; i < first + ITEMS_PER_BLOCK && i < r->parts.end_item; i++) {
        of_item(r, &r->workers[worker], i);
    }
}

static void regress_items(void *data, size_t block, size_t worker)
{
    run_block(data, block, worker, regress_item);
}

static void multiply_parts(void *data, size_t block, size_t worker)
{
    run_block(data, block, worker, multiply_part);
}

static void regress_own(void *data, size_t block, size_t worker)
{
    run_block(data, block, worker, regress_parts);
}

/* ---- all of them ---- */

static enum status_code find_partners(const struct history *train,
                                      const struct ridge_settings *settings, struct pool *pool,
                                      struct sparse *out, struct status *status)
{
    const struct pair_settings by_cosine = {
        .window = PAIR_WHOLE_HISTORY,
        .weighting = pair_weighting_named("cosine"),
        .min_count = 1,
        .top = settings->partners,
        .max_user_items = settings->max_user_items,
        .watch = {.check_stop = settings->watch.check_stop, .data = settings->watch.data},
        .crowd = settings->crowd};
    enum status_code code = pairs_item_item(train, &by_cosine, pool, out, status);
    mem_free(out->values);
    out->values = NULL;
    return code;
}

/* users: what each entry counts, by item. */
static enum status_code weigh_entries(struct regressions *r, const struct history *train,
                                      struct status *status)
{
    const size_t n_entries = sparse_entries(&train->matrix);
    const bool ages = r->settings->half_life > 0 && train->times != NULL;
    struct sparse weighed = train->matrix; /* but for its values */
    int64_t now = ages ? history_newest(train) : INT64_MIN;
    enum status_code code;
    weighed.values = NULL;
    TRY(ranks_max_int64(r->settings->crowd.ranks, &now, 1, status));
    TRY(MEM_NEW(&weighed.values, n_entries, status));
    for (size_t e = 0; e < n_entries; e++) {
        const double age = ages ? ((double)now - (double)train->times[e]) / CLOCK_DAY : 0;
        const double weight = ages ? exp2(-age / r->settings->half_life) : 1;
        weighed.values[e] = (float)rint(fmax(weight, least_weight) / ENTRY_UNIT);
    }
    TRY(sparse_transpose(&weighed, &r->users, status));
done:
    mem_free(weighed.values);
    return code;
}

/* roots, over the users of all ranks. */
static enum status_code find_roots(struct regressions *r, struct status *status)
{
    const size_t n_items = r->users.n_rows;
    int64_t *squares = NULL;
    enum status_code code;
    TRY(MEM_NEW(&squares, n_items, status));
    TRY(MEM_NEW(&r->roots, n_items, status));
    for (size_t i = 0; i < n_items; i++) {
        for (int64_t e = r->users.offsets[i]; e < r->users.offsets[i + 1]; e++) {
            const int64_t weight = (int64_t)r->users.values[e];
            squares[i] += weight * weight;
        }
    }
    TRY(ranks_sum_int64(r->settings->crowd.ranks, squares, n_items, status));
    for (size_t i = 0; i < n_items; i++) {
        const double sum = (double)squares[i] * PAIR_UNIT;
        r->roots[i] = sum > 0 ? (float)(1 / sqrt(sum)) : 0;
    }
done:
    mem_free(squares);
    return code;
}

static int longest_first(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x > y ? -1 : x < y;
}

/* *most = how many users any n items can have together. */
static enum status_code most_users(const struct sparse *users, size_t n, size_t *most,
                                   struct status *status)
{
    size_t *lengths = NULL;
    enum status_code code;
    *most = 0;
    TRY(MEM_NEW(&lengths, users->n_rows, status));
    for (size_t i = 0; i < users->n_rows; i++) {
        lengths[i] = sparse_row_length(users, i);
    }
    qsort(lengths, users->n_rows, sizeof *lengths, longest_first);
    for (size_t i = 0; i < n && i < users->n_rows; i++) {
        *most += lengths[i];
    }
done:
    mem_free(lengths);
    return code;
}

static enum status_code new_workers(struct regressions *r, size_t n_workers, struct status *status)
{
    const size_t n_users = r->users.n_columns;
    size_t n = 0, most = 0;
    enum status_code code;
    for (size_t i = 0; i < r->users.n_rows; i++) { /* partners, and the item */
        const size_t n_members = sparse_row_length(&r->ridge->partners, i) + 1;
        n = n_members > n ? n_members : n;
    }
    TRY(most_users(&r->users, n, &most, status));
    TRY(MEM_NEW(&r->workers, n_workers, status));
    for (size_t t = 0; t < n_workers; t++) {
        struct worker *w = &r->workers[t];
        TRY(MEM_NEW(&w->counts, n_users, status));
        TRY(MEM_NEW(&w->touched, n_users + 1, status));
        TRY(MEM_NEW(&w->ends, n_users, status));
        TRY(MEM_NEW(&w->had, most, status));
        TRY(MEM_NEW(&w->weights, most, status));
        TRY(MEM_NEW(&w->members, n, status));
        TRY(MEM_NEW(&w->roots, n, status));
        TRY(MEM_NEW(&w->products, n * n / 2, status));
        TRY(MEM_NEW(&w->gram, n * n, status));
        TRY(MEM_NEW(&w->factor, n * n, status));
        TRY(MEM_NEW(&w->solution, n, status));
    }
done:
    return code;
}

static void release_workers(struct worker *workers, size_t n_workers)
{
    for (size_t t = 0; workers != NULL && t < n_workers; t++) {
        mem_free(workers[t].counts);
        mem_free(workers[t].touched);
        mem_free(workers[t].ends);
        mem_free(workers[t].had);
        mem_free(workers[t].weights);
        mem_free(workers[t].members);
        mem_free(workers[t].roots);
        mem_free(workers[t].products);
        mem_free(workers[t].gram);
        mem_free(workers[t].factor);
        mem_free(workers[t].solution);
    }
    mem_free(workers);
}

static enum status_code run_slice(struct regressions *r, struct pool *pool, struct status *status)
{
    struct ridge_parts *parts = &r->parts;
    const size_t n_items = parts->end_item - parts->first_item;
    const size_t n_blocks = (n_items + ITEMS_PER_BLOCK - 1) / ITEMS_PER_BLOCK;
    enum status_code code = STATUS_OK;
    if (ranks_n(parts->ranks) == 1) {
        pool_run(pool, n_blocks, regress_items, r);
        goto done;
    }
    TRY(ridge_parts_reserve(parts, status));
    pool_run(pool, n_blocks, multiply_parts, r);
    TRY(ridge_parts_exchange(parts, status));
    pool_run(pool, n_blocks, regress_own, r);
done:
    return code;
}

enum status_code ridge_init(struct ridge *ridge, const struct history *train,
                            const struct ridge_settings *settings, struct pool *pool,
                            struct status *status)
{
    const size_t n_items = train->matrix.n_columns;
    struct ridge made = {.n_strengths = settings->n_strengths};
    struct regressions r = {.settings = settings, .ridge = &made};
    enum status_code code;
    TRY(find_partners(train, settings, pool, &made.partners, status));
    TRY(weigh_entries(&r, train, status));
    TRY(find_roots(&r, status));
    TRY(MEM_NEW(&made.coefficients, settings->n_strengths, status));
    for (size_t s = 0; s < settings->n_strengths; s++) {
        TRY(MEM_NEW(&made.coefficients[s], sparse_entries(&made.partners), status));
    }
    TRY(new_workers(&r, pool_threads(pool), status));
    r.parts = (struct ridge_parts){.ranks = settings->crowd.ranks, .partners = &made.partners};
    while (r.parts.end_item < n_items) {
        ridge_parts_next(&r.parts);
        TRY(run_slice(&r, pool, status));
        TRY(watch_step(&settings->watch, (double)r.parts.end_item, (double)n_items, status));
    }
    for (size_t s = 0; s < settings->n_strengths; s++) {
        TRY(shard_share_rows(r.parts.ranks, made.partners.offsets, n_items, made.coefficients[s],
                             sizeof *made.coefficients[s], status));
    }
    *ridge = made;
    made = (struct ridge){0};
done:
    release_workers(r.workers, pool_threads(pool));
    ridge_parts_release(&r.parts);
    sparse_release(&r.users);
    mem_free(r.roots);
    ridge_release(&made);
    return code;
}

enum status_code ridge_pairs(const struct ridge *ridge, size_t strength, struct sparse *out,
                             struct status *status)
{
    const struct sparse *partners = &ridge->partners;
    const float *coefficients = ridge->coefficients[strength];
    struct sparse by_item = {0};
    int64_t kept = 0;
    enum status_code code;
    TRY(sparse_init(&by_item, partners->n_rows, partners->n_columns, sparse_entries(partners), true,
                    status));
    for (size_t i = 0; i < partners->n_rows; i++) {
        for (int64_t e = partners->offsets[i]; e < partners->offsets[i + 1]; e++) {
            if (coefficients[e] > 0) {
                by_item.columns[kept] = partners->columns[e];
                by_item.values[kept++] = coefficients[e];
            }
        }
        by_item.offsets[i + 1] = kept;
    }
    TRY(sparse_transpose(&by_item, out, status));
done:
    sparse_release(&by_item);
    return code;
}

void ridge_release(struct ridge *ridge)
{
    for (size_t s = 0; ridge->coefficients != NULL && s < ridge->n_strengths; s++) {
        mem_free(ridge->coefficients[s]);
    }
    mem_free(ridge->coefficients);
    sparse_release(&ridge->partners);
    *ridge = (struct ridge){0};
}
