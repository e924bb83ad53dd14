/* Rules on whole lists, and reasons, against naive lists drawn from the whole ranking. */
#include "serving/serving.h"

#include "base/mem.h"
#include "math/blas.h"
#include "tests/support/evidence_data.h"
#include "tests/support/ranking_data.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { N_USERS = 60, N_ITEMS = 50, DIMENSION = 6, TOP = 8, N_CATEGORIES = 3 };

/* Categories by code: item i is in i % 3, and every tenth in the next one too; every ninth is new.
 */
struct fixture {
    struct ranking_data data;
    struct serving_rules rules;
    struct recommendations whole; /* every item that a user may get, without rules on lists */
    struct serving_request request;
};

static bool in_category(int32_t item, int category)
{
    return item % N_CATEGORIES == category ||
           (item % 10 == 0 && (item + 1) % N_CATEGORIES == category);
}

static bool is_new(int32_t item)
{
    return item % 9 == 0;
}

static void fixture_init(struct fixture *f, uint64_t seed)
{
    struct status status = {0};
    *f = (struct fixture){0};
    ranking_data_init(&f->data, N_USERS, N_ITEMS, DIMENSION, 0.2, BASIS_ALL, seed);
    struct sparse *categories = &f->rules.categories;
    assert_int_equal(sparse_init(categories, N_ITEMS, N_CATEGORIES, 2 * N_ITEMS, false, &status),
                     STATUS_OK);
    assert_int_equal(MEM_NEW(&f->rules.is_new, N_ITEMS, &status), STATUS_OK);
    int64_t n = 0;
    for (int32_t i = 0; i < N_ITEMS; i++) {
        f->rules.is_new[i] = is_new(i);
        for (int c = 0; c < N_CATEGORIES; c++) {
            if (in_category(i, c)) {
                categories->columns[n++] = c;
            }
        }
        categories->offsets[i + 1] = n;
    }
    f->request = (struct serving_request){.interactions = &f->data.interactions,
                                          .embeddings = &f->data.embeddings,
                                          .users = &f->data.users,
                                          .items = &f->data.items,
                                          .weights = {.beta = 0.4},
                                          .top = N_ITEMS,
                                          .exclude_seen = true};
    assert_int_equal(serving_run(&f->request, NULL, &f->whole, &status), STATUS_OK);
    f->request.top = TOP;
    f->request.rules = &f->rules;
}

static void fixture_release(struct fixture *f)
{
    recommendations_release(&f->whole);
    serving_rules_release(&f->rules);
    ranking_data_release(&f->data);
}

static bool fits(const int32_t *list, size_t n, int32_t item, size_t cap)
{
    for (int c = 0; c < N_CATEGORIES && cap > 0; c++) {
        size_t count = 0;
        for (size_t r = 0; r < n; r++) {
            count += in_category(list[r], c);
        }
        if (in_category(item, c) && count >= cap) {
            return false;
        }
    }
    return true;
}

static bool contains(const int32_t *list, size_t n, int32_t item)
{
    for (size_t r = 0; r < n; r++) {
        if (list[r] == item) {
            return true;
        }
    }
    return false;
}

/* The definition of serving.h over the whole ranking, popular items behind those with a vector. */
static size_t naive_list(const struct fixture *f, size_t user, int32_t out[TOP])
{
    const int32_t *ranked = f->whole.items + user * N_ITEMS;
    const uint8_t *sources = f->whole.sources + user * N_ITEMS;
    const size_t cap = f->request.max_per_category;
    const size_t wanted = (size_t)ceil(f->request.min_new * TOP);
    size_t n_ranked = 0, n = 0, n_new = 0;
    while (n_ranked < N_ITEMS && ranked[n_ranked] >= 0) {
        n_ranked++;
    }
    const bool by_towers = n_ranked > 0 && sources[0] != PUBLISH_POPULAR;
    for (int strictness = 0; strictness < 3; strictness++) {
        /* the pool gives way before the popular items do: all rules pool, popular; caps pool, ...
         */
        for (int part = 0; part < 2; part++) {
            for (size_t r = 0; r < n_ranked && n < TOP; r++) {
                const bool popular = by_towers && sources[r] == PUBLISH_POPULAR;
                const bool need = wanted > n_new && wanted - n_new >= TOP - n;
                if (popular != (part == 1) || contains(out, n, ranked[r]) ||
                    (strictness < 2 && !fits(out, n, ranked[r], cap)) ||
                    (strictness < 1 && need && !is_new(ranked[r]))) {
                    continue;
                }
                n_new += is_new(ranked[r]);
                out[n++] = ranked[r];
            }
        }
    }
    return n;
}

static void check_lists(struct fixture *f)
{
    struct status status = {0};
    struct recommendations made = {0};
    size_t n_changed = 0;
    assert_int_equal(serving_run(&f->request, NULL, &made, &status), STATUS_OK);
    for (size_t u = 0; u < N_USERS; u++) {
        int32_t expected[TOP];
        const size_t n = naive_list(f, u, expected);
        for (size_t r = 0; r < TOP; r++) {
            const size_t e = u * TOP + r;
            assert_int_equal(made.items[e], r < n ? expected[r] : -1);
            n_changed += r < n && expected[r] != f->whole.items[u * N_ITEMS + r];
            if (r < n) {
                assert_int_equal(made.sources[e] == PUBLISH_RELAXED,
                                 !fits(expected, r, expected[r], f->request.max_per_category));
            }
        }
    }
    assert_true(n_changed > 0);
    recommendations_release(&made);
}

static void caps_and_new_items_draw_the_naive_list(void **state)
{
    (void)state;
    for (uint64_t seed = 31; seed < 36; seed++) {
        struct fixture f;
        fixture_init(&f, seed);
        f.request.max_per_category = 3;
        check_lists(&f);
        f.request.max_per_category = 1; /* never enough: the cap gives way */
        check_lists(&f);
        f.request.max_per_category = 0;
        f.request.min_new = 0.3;
        check_lists(&f);
        f.request.min_new = 1.0; /* more than there are: the share gives way */
        check_lists(&f);
        f.request.max_per_category = 3;
        f.request.min_new = 0.4;
        check_lists(&f);
        fixture_release(&f);
    }
}

static double cosine(const struct fixture *f, int32_t a, int32_t b)
{
    const struct dataset *dataset = &f->data.interactions.basis[BASIS_ALL];
    double sum = 0;
    size_t row_a = 0, row_b = 0;
    for (size_t i = 0; i < dataset->n_items; i++) {
        row_a = dataset->items[i] == a ? i : row_a;
        row_b = dataset->items[i] == b ? i : row_b;
    }
    for (size_t j = 0; j < DIMENSION; j++) {
        sum += (double)f->data.item_vectors[row_a * DIMENSION + j] *
               (double)f->data.item_vectors[row_b * DIMENSION + j];
    }
    return sum;
}

/* Each row of a user with a vector is the best by the formula, given the rows above it. */
static void every_diverse_row_is_the_best_by_the_formula(void **state)
{
    (void)state;
    struct status status = {0};
    struct recommendations made = {0};
    struct fixture f;
    size_t n_checked = 0;
    const double diversity = 0.4, tolerance = 1e-4;
    fixture_init(&f, 37);
    f.request.diversity = diversity;
    assert_int_equal(serving_run(&f.request, NULL, &made, &status), STATUS_OK);
    for (size_t u = 0; u < N_USERS; u++) {
        const size_t whole = u * N_ITEMS;
        size_t n_pool = 0;
        while (n_pool < 4 * TOP && f.whole.items[whole + n_pool] >= 0 &&
               f.whole.sources[whole + n_pool] != PUBLISH_POPULAR) {
            n_pool++;
        }
        const double best = (double)f.whole.scores[whole];
        const double worst = n_pool == 0 ? 0 : (double)f.whole.scores[whole + n_pool - 1];
        for (size_t r = 0; r < TOP && r < n_pool; r++) {
            double most = -2, own = -3;
            for (size_t p = 0; p < n_pool; p++) {
                const int32_t item = f.whole.items[whole + p];
                double nearest = r == 0 ? 0 : -1;
                for (size_t above = 0; above < r; above++) {
                    nearest = fmax(nearest, cosine(&f, item, made.items[u * TOP + above]));
                }
                const double value =
                    (1 - diversity) * ((double)f.whole.scores[whole + p] - worst) / (best - worst) -
                    diversity * nearest;
                if (item == made.items[u * TOP + r]) {
                    own = value;
                }
                if (!contains(made.items + u * TOP, r, item)) {
                    most = fmax(most, value);
                }
            }
            assert_true(own > most - tolerance);
            n_checked++;
        }
    }
    assert_true(n_checked > N_USERS);
    recommendations_release(&made);
    fixture_release(&f);
}

/* Without evidence the reasons of a row sum to the towers' score of the mean of the history. */
static void reasons_are_the_largest_shares_of_the_history(void **state)
{
    (void)state;
    struct status status = {0};
    struct recommendations made = {0};
    struct fixture f;
    size_t n_checked = 0;
    fixture_init(&f, 38);
    f.request.explain = 3;
    assert_int_equal(serving_run(&f.request, NULL, &made, &status), STATUS_OK);
    const struct dataset *dataset = &f.data.interactions.basis[BASIS_ALL];
    const struct sparse *log = &f.data.interactions.log.matrix;
    for (size_t e = 0; e < N_USERS * TOP && made.items[e] >= 0; e++) {
        const size_t user = e / TOP;
        double shares[N_ITEMS];
        size_t n = 0, n_positive = 0;
        for (int64_t h = log->offsets[user]; h < log->offsets[user + 1]; h++) {
            n += contains(dataset->items, dataset->n_items, log->columns[h]);
        }
        for (int64_t h = log->offsets[user]; h < log->offsets[user + 1]; h++) {
            if (made.sources[e] != PUBLISH_POPULAR &&
                contains(dataset->items, dataset->n_items, log->columns[h])) {
                const double share = cosine(&f, made.items[e], log->columns[h]) /
                                     f.data.embeddings.temperature / (double)n;
                if (share > 1e-6) {
                    shares[n_positive++] = share;
                }
            }
        }
        for (size_t r = 0; r < 3; r++) {
            double largest = 0;
            size_t at = 0;
            for (size_t p = 0; p < n_positive; p++) {
                at = shares[p] > largest ? p : at;
                largest = fmax(largest, shares[p]);
            }
            assert_int_equal(made.reason_items[e * 3 + r] >= 0, n_positive > 0 && largest > 0);
            assert_true(fabs((double)made.reason_scores[e * 3 + r] - largest) < 1e-4);
            n_checked += largest > 0;
            shares[at] = 0;
        }
    }
    assert_true(n_checked > N_USERS);
    recommendations_release(&made);
    fixture_release(&f);
}

static void threads_change_no_list_with_rules(void **state)
{
    (void)state;
    struct status status = {0};
    struct recommendations one = {0}, three = {0};
    struct pool *pool = NULL;
    struct fixture f;
    fixture_init(&f, 39);
    f.request.max_per_category = 3;
    f.request.min_new = 0.3;
    f.request.diversity = 0.3;
    f.request.explain = 2;
    assert_int_equal(pool_new(3, &pool, &status), STATUS_OK);
    assert_int_equal(serving_run(&f.request, NULL, &one, &status), STATUS_OK);
    assert_int_equal(serving_run(&f.request, pool, &three, &status), STATUS_OK);
    const size_t n = N_USERS * TOP;
    assert_memory_equal(one.items, three.items, n * sizeof *one.items);
    assert_memory_equal(one.scores, three.scores, n * sizeof *one.scores);
    assert_memory_equal(one.sources, three.sources, n);
    assert_memory_equal(one.reason_items, three.reason_items, 2 * n * sizeof *one.reason_items);
    assert_memory_equal(one.reason_scores, three.reason_scores, 2 * n * sizeof *one.reason_scores);
    pool_free(pool);
    recommendations_release(&one);
    recommendations_release(&three);
    fixture_release(&f);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(caps_and_new_items_draw_the_naive_list),
        cmocka_unit_test(every_diverse_row_is_the_best_by_the_formula),
        cmocka_unit_test(reasons_are_the_largest_shares_of_the_history),
        cmocka_unit_test(threads_change_no_list_with_rules),
    };
    return cmocka_run_group_tests_name("serving_rules", tests, NULL, NULL);
}
