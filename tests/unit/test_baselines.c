/* Both baselines against naive full sorts. */
#include "evaluation/baselines.h"

#include "base/mem.h"
#include "base/rng.h"
#include "tests/support/ranking_data.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { K = 9 };

static const struct crowd everybody;
static const struct watch nobody_asks;

struct baseline_case {
    struct ranking_data data;
    const struct dataset *dataset;
    int64_t *counts;
    uint32_t *tie_rank;
    int32_t *rows, *items;
    double *scores; /* (n_items) of the naive ranking */
};

static int setup(void **state)
{
    struct status status = {0};
    struct baseline_case *c = NULL;
    struct rng rng;
    assert_int_equal(MEM_NEW(&c, 1, &status), STATUS_OK);
    ranking_data_init(&c->data, 90, 40, 4, 0.2, BASIS_FIT, 5);
    c->dataset = &c->data.interactions.basis[BASIS_FIT];
    assert_int_equal(MEM_NEW(&c->counts, c->dataset->n_items, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&c->tie_rank, c->dataset->n_items, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&c->rows, c->dataset->n_users, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&c->items, c->dataset->n_users * K, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&c->scores, c->dataset->n_items, &status), STATUS_OK);
    dataset_item_counts(c->dataset, c->counts);
    rng_init(&rng, 8, "test.baselines", 0, 0);
    rng_permutation(&rng, c->dataset->n_items, c->tie_rank);
    for (size_t u = 0; u < c->dataset->n_users; u++) {
        c->rows[u] = (int32_t)(c->dataset->n_users - 1 - u);
    }
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    struct baseline_case *c = *state;
    ranking_data_release(&c->data);
    mem_free(c->counts);
    mem_free(c->tie_rank);
    mem_free(c->rows);
    mem_free(c->items);
    mem_free(c->scores);
    mem_free(c);
    return 0;
}

/* Takes the best remaining item K times. Float scores are compared as floats, as the code does. */
static void assert_best_items(struct baseline_case *c, size_t row, const int32_t *list)
{
    const struct sparse *train = &c->dataset->train.matrix;
    for (size_t r = 0; r < K; r++) {
        int32_t best = -1;
        for (size_t i = 0; i < c->dataset->n_items; i++) {
            if (isnan(c->scores[i]) || sparse_has(train, row, (int32_t)i)) {
                continue;
            }
            if (best < 0 || (float)c->scores[i] > (float)c->scores[best] ||
                ((float)c->scores[i] == (float)c->scores[best] &&
                 c->tie_rank[i] < c->tie_rank[best])) {
                best = (int32_t)i;
            }
        }
        assert_int_equal(list[r], best);
        if (best >= 0) {
            c->scores[best] = (double)NAN;
        }
    }
}

/* The lists of `request` by n_i. */
static void list_popular(const struct baseline_case *c, const struct baseline_request *request,
                         int32_t *items)
{
    struct status status = {0};
    const size_t n_items = c->dataset->n_items;
    double *popularity = NULL;
    int32_t *order = NULL;
    assert_int_equal(MEM_NEW(&popularity, n_items, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&order, n_items, &status), STATUS_OK);
    for (size_t i = 0; i < n_items; i++) {
        popularity[i] = (double)c->counts[i];
    }
    assert_int_equal(baseline_order(popularity, c->tie_rank, n_items, order, &status), STATUS_OK);
    const struct order_request in_order = {
        order, n_items, &c->dataset->train.matrix, request->rows, request->n_rows, request->k};
    baseline_in_order(&in_order, NULL, items);
    mem_free(popularity);
    mem_free(order);
}

static void popularity_ranks_by_train_users_without_own_items(void **state)
{
    struct baseline_case *c = *state;
    struct baseline_request request = {
        c->dataset, c->rows, c->dataset->n_users, c->tie_rank, K, &c->dataset->train.matrix, NULL};
    list_popular(c, &request, c->items);
    for (size_t a = 0; a < request.n_rows; a++) {
        for (size_t i = 0; i < c->dataset->n_items; i++) {
            c->scores[i] = (double)c->counts[i];
        }
        assert_best_items(c, (size_t)c->rows[a], c->items + a * K);
    }
}

/* c_hi / sqrt(n_h n_i), counted from the users. */
static double cosine(const struct baseline_case *c, size_t h, size_t i)
{
    double both = 0.0;
    for (size_t u = 0; u < c->dataset->n_users; u++) {
        both += sparse_has(&c->dataset->train.matrix, u, (int32_t)h) &&
                        sparse_has(&c->dataset->train.matrix, u, (int32_t)i)
                    ? 1.0
                    : 0.0;
    }
    return both == 0.0 ? 0.0 : both / sqrt((double)c->counts[h] * (double)c->counts[i]);
}

static void item_item_sums_the_cosines_of_the_history(void **state)
{
    struct baseline_case *c = *state;
    struct status status = {0};
    struct sparse weights = {0};
    struct pool *pool = NULL;
    const struct sparse *train = &c->dataset->train.matrix;
    struct baseline_request request = {c->dataset, c->rows, c->dataset->n_users, c->tie_rank, K,
                                       train,      NULL};
    assert_int_equal(pool_new(2, &pool, &status), STATUS_OK);
    assert_int_equal(
        baseline_item_weights(c->dataset, &everybody, &nobody_asks, pool, &weights, &status),
        STATUS_OK);
    for (size_t h = 0; h < c->dataset->n_items; h++) {
        for (int64_t e = weights.offsets[h]; e < weights.offsets[h + 1]; e++) {
            double expected = cosine(c, h, (size_t)weights.columns[e]);
            assert_true(fabs((double)weights.values[e] - expected) < 1e-6);
        }
    }
    float *shares = NULL; /* of the history's entries: all 1, then falling */
    assert_int_equal(MEM_NEW(&shares, sparse_entries(train), &status), STATUS_OK);
    for (int round = 0; round < 2; round++) {
        for (size_t e = 0; e < sparse_entries(train); e++) {
            shares[e] = round == 0 ? 1.0f : 1.0f / (float)(1 + e % 5);
        }
        request.entry_weights = round == 0 ? NULL : shares;
        assert_int_equal(baseline_item_item(&request, &weights, pool, c->items, &status),
                         STATUS_OK);
        for (size_t a = 0; a < request.n_rows; a++) {
            size_t row = (size_t)c->rows[a];
            for (size_t i = 0; i < c->dataset->n_items; i++) {
                float sum = 0.0f;
                for (int64_t h = train->offsets[row]; h < train->offsets[row + 1]; h++) {
                    int32_t own = train->columns[h];
                    for (int64_t e = weights.offsets[own]; e < weights.offsets[own + 1]; e++) {
                        sum +=
                            weights.columns[e] == (int32_t)i ? shares[h] * weights.values[e] : 0.0f;
                    }
                }
                c->scores[i] = (double)sum;
            }
            assert_best_items(c, row, c->items + a * K);
        }
    }
    mem_free(shares);
    sparse_release(&weights);
    pool_free(pool);
}

static void lists_end_with_minus_one_when_items_run_out(void **state)
{
    struct baseline_case *c = *state;
    struct status status = {0};
    size_t k = c->dataset->n_items + 3;
    int32_t row = 0, *items = NULL;
    struct sparse weights = {0};
    struct baseline_request request = {
        c->dataset, &row, 1, c->tie_rank, k, &c->dataset->train.matrix, NULL};
    size_t expected = c->dataset->n_items - sparse_row_length(&c->dataset->train.matrix, 0);
    assert_int_equal(MEM_NEW(&items, k, &status), STATUS_OK);
    list_popular(c, &request, items);
    assert_true(items[expected - 1] >= 0);
    for (size_t r = expected; r < k; r++) {
        assert_int_equal(items[r], -1);
    }
    assert_int_equal(
        baseline_item_weights(c->dataset, &everybody, &nobody_asks, NULL, &weights, &status),
        STATUS_OK);
    assert_int_equal(baseline_item_item(&request, &weights, NULL, items, &status), STATUS_OK);
    assert_true(items[expected - 1] >= 0);
    assert_int_equal(items[expected], -1);
    sparse_release(&weights);
    mem_free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(popularity_ranks_by_train_users_without_own_items),
        cmocka_unit_test(item_item_sums_the_cosines_of_the_history),
        cmocka_unit_test(lists_end_with_minus_one_when_items_run_out),
    };
    return cmocka_run_group_tests_name("baselines", tests, setup, teardown);
}
