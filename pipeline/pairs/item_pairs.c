/* The co-interaction product: sparse accumulation over the users of an item, weighting. Windows and
 * caps are pair_windows.c's business, threads and the strongest partners pair_rows.c's. */
#include "pairs/item_pairs.h"

#include "base/mem.h"
#include "pairs/pair_rows.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { SPANS_AHEAD = 8 }; /* a span of that many later is asked for */

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

int pair_weighting_named(const char *name)
{
    int weighting = 0;
    while (pair_weighting_names[weighting] != NULL &&
           strcmp(pair_weighting_names[weighting], name) != 0) {
        weighting++;
    }
    assert(pair_weighting_names[weighting] != NULL);
    return weighting;
}

/* ---- one row of the product ---- */

struct product {
    const struct pair_settings *settings;
    const struct weighting *weighting;
    double n_users;              /* over all ranks, as the others */
    struct item_degree *degrees; /* (n_items) */
    double *inverse_roots;       /* (n_items) 1 / sqrt(n_i), by themselves: read for every pair */
    int64_t *additions;          /* (n_items) that a row takes */
};

/* Asks for what the addition of a span goes to. Cells lie anywhere in megabytes: without this every
 * addition would wait for its own. */
static void prefetch_cells(const struct row_scratch *scratch, const int32_t *partners, int32_t n)
{
    for (int32_t k = 0; k < n; k++) {
        if (scratch->counts != NULL) {
            mem_prefetch(&scratch->counts[partners[k]], sizeof *scratch->counts);
        }
        if (scratch->sums != NULL) {
            mem_prefetch(&scratch->sums[partners[k]], sizeof *scratch->sums);
        }
    }
}

/* pair_row_adder: counts, and where there are sums: sums[j] += the user's inverse degree. Nothing
 * hangs on what a cell holds: a branch on it would be taken wrong half of the time. */
static void add_row(const void *product, const struct pair_windows *windows, size_t item,
                    struct row_scratch *scratch)
{
    const struct pair_span *spans = windows->spans;
    const int64_t end = windows->item_offsets[item + 1];
    (void)product;
    for (int64_t s = windows->item_offsets[item]; s < end; s++) {
        const int32_t *partners = windows->items + spans[s].first;
        const int64_t share = windows->shares[spans[s].user];
        if (s + SPANS_AHEAD < end) {
            const struct pair_span *ahead = &spans[s + SPANS_AHEAD];
            mem_prefetch(windows->items + ahead->first,
                         (size_t)ahead->length * sizeof *windows->items);
            mem_prefetch(&windows->shares[ahead->user], sizeof share);
        }
        if (s + 1 < end) {
            prefetch_cells(scratch, windows->items + spans[s + 1].first, spans[s + 1].length);
        }
        for (int32_t k = 0; k < spans[s].length; k++) {
            index_set_add(&scratch->touched, partners[k]);
        }
        for (int32_t k = 0; scratch->counts != NULL && k < spans[s].length; k++) {
            scratch->counts[partners[k]]++;
        }
        for (int32_t k = 0; scratch->sums != NULL && k < spans[s].length; k++) {
            scratch->sums[partners[k]] += share;
        }
    }
}

/* pair_row_weigher */
static size_t weigh_row(const void *data, size_t item, struct row_scratch *scratch,
                        size_t n_touched)
{
    const struct product *product = data;
    struct pair_cell cell = {.n_users = product->n_users, .i = &product->degrees[item]};
    size_t n = 0;
    for (size_t t = 0; t < n_touched; t++) {
        const int32_t partner = scratch->partners[t];
        cell.j = &product->degrees[partner];
        cell.inverse_root = product->inverse_roots[item] * product->inverse_roots[partner];
        if (scratch->counts != NULL) {
            cell.count = scratch->counts[partner];
            scratch->counts[partner] = 0;
        }
        if (scratch->sums != NULL) {
            cell.inverse_degree = (double)scratch->sums[partner] * PAIR_UNIT;
            scratch->sums[partner] = 0;
        }
        if ((size_t)partner == item ||
            (scratch->counts != NULL && cell.count < product->settings->min_count)) {
            continue;
        }
        const float weight = (float)product->weighting->weight(&cell);
        if (weight > 0) {
            scratch->partners[n] = partner;
            scratch->weights[n++] = weight;
        }
    }
    return n;
}

/* ---- the whole product ---- */

/* What this rank's users make: users and pairs of each item. Returns how many count. */
static int64_t count_own(const struct pair_windows *windows, int64_t *users, int64_t *additions)
{
    int64_t n_users = 0;
    for (size_t u = 0; u < windows->n_users; u++) {
        n_users += windows->user_offsets[u + 1] > windows->user_offsets[u];
    }
    for (size_t i = 0; i < windows->n_items; i++) {
        for (int64_t s = windows->item_offsets[i]; s < windows->item_offsets[i + 1]; s++) {
            additions[i] += windows->spans[s].length - 1; /* not with itself */
        }
        users[i] = windows->item_offsets[i + 1] - windows->item_offsets[i];
    }
    return n_users;
}

/* Sums over the counted histories: n_i, partners, N. */
static enum status_code count_degrees(struct product *product, const struct pair_windows *windows,
                                      struct status *status)
{
    const size_t n_items = windows->n_items;
    struct ranks *ranks = product->settings->crowd.ranks;
    int64_t *users = NULL;
    enum status_code code = STATUS_OK;
    TRY(MEM_NEW(&product->degrees, n_items, status));
    TRY(MEM_NEW(&product->inverse_roots, n_items, status));
    TRY(MEM_NEW(&product->additions, n_items, status));
    TRY(MEM_NEW(&users, n_items, status));
    int64_t n_users = count_own(windows, users, product->additions);
    TRY(ranks_sum_int64(ranks, &n_users, 1, status));
    TRY(ranks_sum_int64(ranks, users, n_items, status));
    TRY(ranks_sum_int64(ranks, product->additions, n_items, status));
    product->n_users = (double)n_users;
    for (size_t i = 0; i < n_items; i++) {
        product->degrees[i] = (struct item_degree){(double)users[i], (double)product->additions[i]};
        product->inverse_roots[i] = users[i] > 0 ? 1 / sqrt((double)users[i]) : 0;
    }
done:
    mem_free(users);
    return code;
}

enum status_code pairs_item_item(const struct history *train, const struct pair_settings *settings,
                                 struct pool *pool, struct sparse *out, struct status *status)
{
    const struct weighting *weighting = &weightings[settings->weighting];
    struct pair_windows windows = {0};
    struct product product = {.settings = settings, .weighting = weighting};
    enum status_code code = STATUS_OK;
    TRY(pair_windows_init(&windows, train, settings, pool, status));
    TRY(count_degrees(&product, &windows, status));
    const struct pair_rows rows = {.ranks = settings->crowd.ranks,
                                   .add = add_row,
                                   .weigh = weigh_row,
                                   .product = &product,
                                   .n_items = windows.n_items,
                                   .windows = &windows,
                                   .additions = product.additions,
                                   .top = settings->top,
                                   .counts = !weighting->needs_degrees || settings->min_count > 1,
                                   .sums = weighting->needs_degrees,
                                   .watch = &settings->watch};
    TRY(pair_rows_run(&rows, pool, out, status));
done:
    mem_free(product.degrees);
    mem_free(product.inverse_roots);
    mem_free(product.additions);
    pair_windows_release(&windows);
    return code;
}
