/* The co-interaction product: row by row, sparse accumulation over the users of an item, weighting,
 * the strongest partners kept. Windows and caps are pair_windows.c's business. */
#include "pairs/item_pairs.h"

#include "base/buf.h"
#include "base/mem.h"
#include "math/index_set.h"
#include "pairs/pair_windows.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    ITEMS_PER_BLOCK = 32,
    SPANS_AHEAD = 8 /* a span of that many later is asked for */
};
/* Additions between two steps of settings->watch: about a tenth of a second on one core. */
static const int64_t slice_additions = 50000000;

/* ---- weightings ---- */

/* Of one item, over the counted histories. */
struct item_degree {
    double users;    /* n_i: users who have it */
    double partners; /* sum over k != i of c_ik */
};

/* What is known of the pair of anchor i and partner j: the count or the sum, as the weighting asks.
 */
struct pair_cell {
    double count;          /* c_ij: users who have both within the window */
    double inverse_degree; /* sum over those users of 1 / d_u */
    double inverse_root;   /* 1 / sqrt(n_i n_j) */
    double n_users;        /* N: users with at least one item */
    const struct item_degree *i, *j;
};

/* c_ij */
static double weight_count(const struct pair_cell *cell)
{
    return cell->count;
}

/* c_ij / sqrt(n_i n_j): the cosine of the items' columns of the binary interaction matrix (Sarwar
 * et al. 2001, Item-based collaborative filtering, section 3.1.1). */
static double weight_cosine(const struct pair_cell *cell)
{
    return cell->count * cell->inverse_root;
}

/* N c_ij / (n_i n_j): how much more often than by chance (Brin et al. 1997, Dynamic itemset
 * counting, "interest"). */
static double weight_lift(const struct pair_cell *cell)
{
    return cell->count * cell->n_users / (cell->i->users * cell->j->users);
}

/* log lift: pointwise mutual information (Church and Hanks 1990). Pairs seen less often than by
 * chance are dropped, which makes it positive PMI (Levy and Goldberg 2014, section 3.3). */
static double weight_pmi(const struct pair_cell *cell)
{
    return log(weight_lift(cell));
}

/* G_ij / (g_i - G_ii) sqrt(g_i / g_j) with G = A^T A and g its row sums (Mao et al. 2021, UltraGCN,
 * eq. 12). G_ii = n_i, so g_i - G_ii is the number of i's pairs. */
static double weight_ultragcn(const struct pair_cell *cell)
{
    const double g_i = cell->i->users + cell->i->partners;
    const double g_j = cell->j->users + cell->j->partners;
    return cell->count / cell->i->partners * sqrt(g_i / g_j);
}

/* (sum over shared users of 1 / d_u) / sqrt(n_i n_j): entry of Rn^T Rn for Rn = D_u^-1/2 R
 * D_i^-1/2, the item graph of GF-CF (Shen et al. 2021, How powerful is graph convolution for
 * recommendation?, eq. 8). */
static double weight_degree_normalised(const struct pair_cell *cell)
{
    return cell->inverse_degree * cell->inverse_root;
}

/* name, whether it goes by the sum of inverse user degrees instead of the count */
#define WEIGHTINGS(ROW)                                                                            \
    ROW(count, false)                                                                              \
    ROW(cosine, false)                                                                             \
    ROW(pmi, false)                                                                                \
    ROW(lift, false)                                                                               \
    ROW(ultragcn, false)                                                                           \
    ROW(degree_normalised, true)

struct weighting {
    double (*weight)(const struct pair_cell *cell); /* pairs of weight <= 0 are dropped */
    bool needs_degrees;
};

#define WEIGHTING_NAME(name, needs_degrees) #name,
#define WEIGHTING_ROW(name, needs_degrees)  {weight_##name, needs_degrees},

const char *const pair_weighting_names[] = {WEIGHTINGS(WEIGHTING_NAME) NULL};
static const struct weighting weightings[] = {WEIGHTINGS(WEIGHTING_ROW)};

/* ---- one row of the product ---- */

/* Scratch of one worker; counts, sums and touched are zero between rows. Additions go anywhere in
 * them, and that is what a product takes its time for: only what is asked for is there. */
struct row_worker {
    int32_t *counts; /* (n_items), NULL where a weight and min_count follow from the sums */
    double *sums;    /* (n_items), NULL when the weighting does not need it */
    struct index_set touched;
    int32_t *partners;       /* (n_items) candidates, ascending */
    float *weights;          /* (n_items) theirs */
    float *selected, *spare; /* (n_items) for kth_largest */
};

struct product {
    const struct pair_settings *settings;
    const struct weighting *weighting;
    const struct pair_windows *windows;
    double n_users;
    double *inverse_degrees;     /* (n_users) 1 / d_u */
    struct item_degree *degrees; /* (n_items) */
    double *inverse_roots;       /* (n_items) 1 / sqrt(n_i), by themselves: read for every pair */
    int64_t *bounds;  /* (n_items + 1) row i may take the places [bounds[i], bounds[i + 1]) */
    int64_t *lengths; /* (n_items) of them it took */
    int32_t *columns;
    float *values;
    size_t first_item, end_item; /* of the slice that runs */
    struct row_worker *workers;
    size_t n_workers;
};

/* Asks for what the addition of a span goes to. Cells lie anywhere in megabytes: without this every
 * addition would wait for its own. */
static void prefetch_cells(const struct row_worker *worker, const int32_t *partners, int32_t n)
{
    for (int32_t k = 0; k < n; k++) {
        if (worker->counts != NULL) {
            mem_prefetch(&worker->counts[partners[k]], sizeof *worker->counts);
        }
        if (worker->sums != NULL) {
            mem_prefetch(&worker->sums[partners[k]], sizeof *worker->sums);
        }
    }
}

/* counts, and where there are sums: sums[j] += the user's inverse degree, users ascending. Nothing
 * hangs on what a cell holds: a branch on it would be taken wrong half of the time. */
static void accumulate(const struct product *product, size_t item, struct row_worker *worker)
{
    const struct pair_windows *windows = product->windows;
    const struct pair_span *spans = windows->spans;
    const int64_t end = windows->item_offsets[item + 1];
    for (int64_t s = windows->item_offsets[item]; s < end; s++) {
        const int32_t *partners = windows->items + spans[s].first;
        const double share = product->inverse_degrees[spans[s].user];
        if (s + SPANS_AHEAD < end) {
            const struct pair_span *ahead = &spans[s + SPANS_AHEAD];
            mem_prefetch(windows->items + ahead->first,
                         (size_t)ahead->length * sizeof *windows->items);
            mem_prefetch(&product->inverse_degrees[ahead->user], sizeof share);
        }
        if (s + 1 < end) {
            prefetch_cells(worker, windows->items + spans[s + 1].first, spans[s + 1].length);
        }
        for (int32_t k = 0; k < spans[s].length; k++) {
            index_set_add(&worker->touched, partners[k]);
        }
        for (int32_t k = 0; worker->counts != NULL && k < spans[s].length; k++) {
            worker->counts[partners[k]]++;
        }
        for (int32_t k = 0; worker->sums != NULL && k < spans[s].length; k++) {
            worker->sums[partners[k]] += share;
        }
    }
}

/* The accumulated row as candidates (ascending partners and their weights); returns how many. */
static size_t weigh(const struct product *product, size_t item, struct row_worker *worker)
{
    const size_t n_touched = index_set_drain(&worker->touched, worker->partners);
    struct pair_cell cell = {.n_users = product->n_users, .i = &product->degrees[item]};
    size_t n = 0;
    for (size_t t = 0; t < n_touched; t++) {
        const int32_t partner = worker->partners[t];
        cell.j = &product->degrees[partner];
        cell.inverse_root = product->inverse_roots[item] * product->inverse_roots[partner];
        if (worker->counts != NULL) {
            cell.count = worker->counts[partner];
            worker->counts[partner] = 0;
        }
        if (worker->sums != NULL) {
            cell.inverse_degree = worker->sums[partner];
            worker->sums[partner] = 0;
        }
        if ((size_t)partner == item ||
            (worker->counts != NULL && cell.count < product->settings->min_count)) {
            continue;
        }
        const float weight = (float)product->weighting->weight(&cell);
        if (weight > 0) {
            worker->partners[n] = partner;
            worker->weights[n++] = weight;
        }
    }
    return n;
}

/* The k-th largest of values (n), 1 <= k <= n; values and spare (n) are used up. Quickselect
 * without a data-dependent branch: with about 1,000 candidates a row and 500 kept, a sixth of the
 * time of a heap. */
static float kth_largest(float *values, float *spare, size_t n, size_t k)
{
    for (;;) {
        const float a = values[0], b = values[n / 2], c = values[n - 1];
        const float low = a < b ? a : b, high = a < b ? b : a;
        const float pivot = c < low ? low : (c > high ? high : c);
        size_t n_less = 0, n_greater = 0;
        for (size_t v = 0; v < n; v++) {
            const float value = values[v];
            spare[n_greater] = value;
            n_greater += value > pivot;
            values[n_less] = value;
            n_less += value < pivot;
        }
        if (k <= n_greater) {
            float *greater = spare;
            spare = values;
            values = greater;
            n = n_greater;
        } else if (k <= n - n_less) {
            return pivot;
        } else {
            k -= n - n_less;
            n = n_less;
        }
    }
}

/* Writes the `top` strongest of n candidates in column order; at the threshold the lower columns
 * win. Returns how many. */
static size_t keep_strongest(const struct product *product, struct row_worker *worker, size_t n,
                             int32_t *columns, float *values)
{
    const size_t top = product->settings->top;
    float threshold = 0;
    size_t equal_left = 0, kept = 0;
    if (n > top) {
        memcpy(worker->selected, worker->weights, n * sizeof *worker->weights);
        threshold = kth_largest(worker->selected, worker->spare, n, top);
        equal_left = top;
        for (size_t c = 0; c < n; c++) {
            equal_left -= worker->weights[c] > threshold;
        }
    }
    for (size_t c = 0; c < n; c++) {
        const float weight = worker->weights[c];
        const bool take = weight > threshold || (weight == threshold && equal_left > 0);
        equal_left -= take && weight == threshold;
        if (take) {
            columns[kept] = worker->partners[c];
            values[kept++] = weight;
        }
    }
    return kept;
}

static void product_task(void *data, size_t block, size_t worker)
{
    const struct product *product = data;
    const size_t first = product->first_item + block * ITEMS_PER_BLOCK;
    size_t end = first + ITEMS_PER_BLOCK;
    end = end < product->end_item ? end : product->end_item;
    for (size_t item = first; item < end; item++) {
        struct row_worker *scratch = &product->workers[worker];
        const int64_t place = product->bounds[item];
        if (product->bounds[item + 1] == place) {
            continue;
        }
        accumulate(product, item, scratch);
        const size_t n = weigh(product, item, scratch);
        product->lengths[item] = (int64_t)keep_strongest(
            product, scratch, n, product->columns + place, product->values + place);
    }
}

/* ---- the whole product ---- */

/* Sums over the counted histories: n_i, partners, 1 / d_u, N. */
static enum status_code count_degrees(struct product *product, struct status *status)
{
    const struct pair_windows *windows = product->windows;
    enum status_code code = STATUS_OK;
    TRY(MEM_NEW(&product->inverse_degrees, windows->n_users, status));
    TRY(MEM_NEW(&product->degrees, windows->n_items, status));
    TRY(MEM_NEW(&product->inverse_roots, windows->n_items, status));
    for (size_t u = 0; u < windows->n_users; u++) {
        const int64_t degree = windows->user_offsets[u + 1] - windows->user_offsets[u];
        product->inverse_degrees[u] = degree > 0 ? 1.0 / (double)degree : 0;
        product->n_users += degree > 0;
    }
    for (size_t i = 0; i < windows->n_items; i++) {
        struct item_degree *degree = &product->degrees[i];
        int64_t partners = 0;
        for (int64_t s = windows->item_offsets[i]; s < windows->item_offsets[i + 1]; s++) {
            partners += windows->spans[s].length - 1;
        }
        degree->users = (double)(windows->item_offsets[i + 1] - windows->item_offsets[i]);
        degree->partners = (double)partners;
        product->inverse_roots[i] = degree->users > 0 ? 1 / sqrt(degree->users) : 0;
    }
done:
    return code;
}

/* Room for every row: no more than top, than its pairs, than the other items. */
static enum status_code reserve_rows(struct product *product, struct status *status)
{
    const size_t n_items = product->windows->n_items;
    enum status_code code = STATUS_OK;
    TRY(MEM_NEW(&product->bounds, n_items + 1, status));
    TRY(MEM_NEW(&product->lengths, n_items, status));
    for (size_t i = 0; i < n_items; i++) {
        size_t bound = n_items - 1 < product->settings->top ? n_items - 1 : product->settings->top;
        if (product->degrees[i].partners < (double)bound) {
            bound = (size_t)product->degrees[i].partners;
        }
        product->bounds[i + 1] = product->bounds[i] + (int64_t)bound;
    }
    TRY(MEM_NEW(&product->columns, (size_t)product->bounds[n_items], status));
    TRY(MEM_NEW(&product->values, (size_t)product->bounds[n_items], status));
done:
    return code;
}

static enum status_code new_workers(struct product *product, size_t n_workers,
                                    struct status *status)
{
    const size_t n_items = product->windows->n_items;
    enum status_code code = STATUS_OK;
    TRY(MEM_NEW(&product->workers, n_workers, status));
    product->n_workers = n_workers;
    for (size_t w = 0; w < n_workers; w++) {
        struct row_worker *worker = &product->workers[w];
        if (product->weighting->needs_degrees) {
            TRY(MEM_NEW(&worker->sums, n_items, status));
        }
        if (worker->sums == NULL || product->settings->min_count > 1) {
            TRY(MEM_NEW(&worker->counts, n_items, status));
        }
        TRY(index_set_init(&worker->touched, n_items, status));
        TRY(MEM_NEW(&worker->partners, n_items, status));
        TRY(MEM_NEW(&worker->weights, n_items, status));
        TRY(MEM_NEW(&worker->selected, n_items, status));
        TRY(MEM_NEW(&worker->spare, n_items, status));
    }
done:
    return code;
}

/* All rows, in slices of about equal work with a step of settings->watch after each. */
static enum status_code run_slices(struct product *product, struct pool *pool,
                                   struct status *status)
{
    const struct pair_settings *settings = product->settings;
    const size_t n_items = product->windows->n_items;
    double total = 0, done_so_far = 0;
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < n_items; i++) {
        total += product->degrees[i].partners;
    }
    for (size_t item = 0; item < n_items; item = product->end_item) {
        double work = 0;
        product->first_item = item;
        for (; item < n_items && work < (double)slice_additions; item++) {
            work += product->degrees[item].partners;
        }
        product->end_item = item;
        const size_t n_slice = item - product->first_item;
        pool_run(pool, (n_slice + ITEMS_PER_BLOCK - 1) / ITEMS_PER_BLOCK, product_task, product);
        done_so_far += work;
        TRY(watch_step(&settings->watch, done_so_far, total, status));
    }
done:
    return code;
}

/* out = the rows without the gaps between them. */
static enum status_code close_ranks(struct product *product, struct sparse *out,
                                    struct status *status)
{
    const size_t n_items = product->windows->n_items;
    struct sparse packed = {0};
    int64_t entries = 0;
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < n_items; i++) {
        entries += product->lengths[i];
    }
    TRY(sparse_init(&packed, n_items, n_items, (size_t)entries, true, status));
    for (size_t i = 0; i < n_items; i++) {
        const int64_t from = product->bounds[i], to = packed.offsets[i];
        const size_t length = (size_t)product->lengths[i];
        memcpy(packed.columns + to, product->columns + from, length * sizeof *packed.columns);
        memcpy(packed.values + to, product->values + from, length * sizeof *packed.values);
        packed.offsets[i + 1] = to + product->lengths[i];
    }
    *out = packed;
done:
    return code;
}

static void product_release(struct product *product)
{
    for (size_t w = 0; w < product->n_workers; w++) {
        struct row_worker *worker = &product->workers[w];
        mem_free(worker->counts);
        mem_free(worker->sums);
        index_set_release(&worker->touched);
        mem_free(worker->partners);
        mem_free(worker->weights);
        mem_free(worker->selected);
        mem_free(worker->spare);
    }
    mem_free(product->workers);
    mem_free(product->inverse_degrees);
    mem_free(product->degrees);
    mem_free(product->inverse_roots);
    mem_free(product->bounds);
    mem_free(product->lengths);
    mem_free(product->columns);
    mem_free(product->values);
}

enum status_code pairs_item_item(const struct history *train, const struct pair_settings *settings,
                                 struct pool *pool, struct sparse *out, struct status *status)
{
    struct pair_windows windows = {0};
    struct product product = {
        .settings = settings, .weighting = &weightings[settings->weighting], .windows = &windows};
    enum status_code code = STATUS_OK;
    if (train->matrix.n_columns == 0) {
        return sparse_init(out, 0, 0, 0, true, status);
    }
    TRY(pair_windows_init(&windows, train, settings, pool, status));
    TRY(count_degrees(&product, status));
    TRY(reserve_rows(&product, status));
    TRY(new_workers(&product, pool_threads(pool), status));
    TRY(run_slices(&product, pool, status));
    TRY(close_ranks(&product, out, status));
done:
    product_release(&product);
    pair_windows_release(&windows);
    return code;
}
