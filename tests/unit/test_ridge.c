/* Ridge regressions against normal equations solved in double by elimination. */
#include "base/mem.h"
#include "base/rng.h"
#include "evaluation/ridge_choice.h"
#include "pairs/ridge.h"
#include "tests/support/random_matrix.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { USERS = 90, ITEMS = 40, N_STRENGTHS = 3, NOW = 1700000000 };
static const double strengths[N_STRENGTHS] = {0.5, 4, 50};

/* With times over 40 days, of which those who look at times see ages. */
static struct history random_history(uint64_t seed, double share)
{
    struct rng rng;
    struct status status = {0};
    rng_init(&rng, seed, "test.ridge", 0, 0);
    struct history history = {.matrix = random_sparse(&rng, USERS, ITEMS, share, false)};
    const size_t n = sparse_entries(&history.matrix);
    assert_int_equal(MEM_NEW(&history.times, n, &status), STATUS_OK);
    for (size_t e = 0; e < n; e++) {
        history.times[e] = NOW - (int64_t)rng_below(&rng, 40) * 86400;
    }
    history.times[0] = NOW;
    return history;
}

static void release(struct history *history)
{
    sparse_release(&history->matrix);
    mem_free(history->times);
}

static struct ridge solved(const struct history *history, size_t partners, double half_life,
                           struct pool *pool)
{
    const struct ridge_settings settings = {.partners = partners,
                                            .strengths = strengths,
                                            .n_strengths = N_STRENGTHS,
                                            .half_life = half_life};
    struct status status = {0};
    struct ridge ridge = {0};
    assert_int_equal(ridge_init(&ridge, history, &settings, pool, &status), STATUS_OK);
    return ridge;
}

static double entry_weight(const struct history *history, double half_life, size_t user,
                           int32_t item)
{
    const struct sparse *m = &history->matrix;
    for (int64_t e = m->offsets[user]; e < m->offsets[user + 1]; e++) {
        if (m->columns[e] == item) {
            const double age = (double)(NOW - history->times[e]) / 86400;
            const double weight = half_life == 0 ? 1 : fmax(exp2(-age / half_life), 1e-3);
            return rint(weight * 0x1p16) * 0x1p-16;
        }
    }
    return 0;
}

/* X_a X_b: the users who have both items. */
static double in_common(const struct history *history, double half_life, int32_t a, int32_t b)
{
    double n = 0;
    for (size_t u = 0; u < USERS; u++) {
        n += entry_weight(history, half_life, u, a) * entry_weight(history, half_life, u, b);
    }
    return n;
}

/* b (n) of the item on its partners S: (G_SS + diag(strength sqrt(n_s))) b = G_Si. */
static void naive(const struct history *history, double half_life, int32_t item,
                  const int32_t *partners, size_t n, double strength, double *b)
{
    static double a[ITEMS][ITEMS];
    for (size_t r = 0; r < n; r++) {
        for (size_t c = 0; c < n; c++) {
            a[r][c] = in_common(history, half_life, partners[r], partners[c]);
        }
        a[r][r] += strength * sqrt(a[r][r]);
        b[r] = in_common(history, half_life, partners[r], item);
    }
    for (size_t p = 0; p < n; p++) {
        for (size_t r = 0; r < n; r++) {
            const double factor = r == p ? 0 : a[r][p] / a[p][p];
            for (size_t c = p; c < n; c++) {
                a[r][c] -= factor * a[p][c];
            }
            b[r] -= factor * b[p];
        }
    }
    for (size_t p = 0; p < n; p++) {
        b[p] /= a[p][p];
    }
}

/* Tolerance: float equations whose condition is below 1e3. */
static void regressions_agree_with_elimination(void **state)
{
    (void)state;
    const size_t n_partners[] = {1, 7, ITEMS + 5};
    const double half_lives[] = {0, 10, 3};
    for (size_t k = 0; k < 3; k++) {
        struct history history = random_history(k, 0.2);
        struct ridge ridge = solved(&history, n_partners[k], half_lives[k], NULL);
        for (size_t i = 0; i < ITEMS; i++) {
            size_t n;
            double b[ITEMS];
            const int32_t *partners = sparse_row(&ridge.partners, i, &n);
            assert_true(n > 0 && n <= n_partners[k] && n < ITEMS);
            for (size_t s = 0; s < N_STRENGTHS; s++) {
                const float *ours = ridge.coefficients[s] + ridge.partners.offsets[i];
                naive(&history, half_lives[k], (int32_t)i, partners, n, strengths[s], b);
                for (size_t e = 0; e < n; e++) {
                    assert_true(fabs((double)ours[e] - b[e]) < 2e-5 * fmax(1, fabs(b[e])));
                }
            }
        }
        ridge_release(&ridge);
        release(&history);
    }
}

static void pairs_are_the_positive_coefficients_by_partner(void **state)
{
    (void)state;
    struct status status = {0};
    struct sparse pairs = {0};
    struct history history = random_history(5, 0.3);
    struct ridge ridge = solved(&history, ITEMS, 0, NULL);
    size_t n_positive = 0;
    assert_int_equal(ridge_pairs(&ridge, 0, &pairs, &status), STATUS_OK);
    assert_true(sparse_is_sound(&pairs, sparse_entries(&pairs)));
    for (size_t i = 0; i < ITEMS; i++) {
        for (int64_t e = ridge.partners.offsets[i]; e < ridge.partners.offsets[i + 1]; e++) {
            const size_t partner = (size_t)ridge.partners.columns[e];
            const float coefficient = ridge.coefficients[0][e];
            assert_true(sparse_has(&pairs, partner, (int32_t)i) == (coefficient > 0));
            for (int64_t p = pairs.offsets[partner]; p < pairs.offsets[partner + 1]; p++) {
                assert_true(pairs.columns[p] != (int32_t)i || pairs.values[p] == coefficient);
            }
            n_positive += coefficient > 0;
        }
    }
    assert_true(n_positive < sparse_entries(&ridge.partners));
    assert_int_equal(sparse_entries(&pairs), n_positive);
    sparse_release(&pairs);
    ridge_release(&ridge);
    release(&history);
}

static void the_number_of_threads_changes_no_byte(void **state)
{
    (void)state;
    struct status status = {0};
    struct pool *pool = NULL;
    struct history history = random_history(6, 0.25);
    struct ridge one = solved(&history, 12, 9, NULL), three = {0};
    assert_int_equal(pool_new(3, &pool, &status), STATUS_OK);
    three = solved(&history, 12, 9, pool);
    for (size_t s = 0; s < N_STRENGTHS; s++) {
        assert_memory_equal(one.coefficients[s], three.coefficients[s],
                            sparse_entries(&one.partners) * sizeof *one.coefficients[s]);
    }
    pool_free(pool);
    ridge_release(&one);
    ridge_release(&three);
    release(&history);
}

/* Every user has every item: all columns are the same, and with next to no penalty the equations
 * have no solution in floats. */
static void items_of_the_same_users_get_finite_coefficients(void **state)
{
    (void)state;
    const double next_to_nothing = 1e-12;
    const struct ridge_settings settings = {
        .partners = 100, .strengths = &next_to_nothing, .n_strengths = 1};
    struct status status = {0};
    struct ridge ridge = {0};
    struct history history = random_history(7, 1);
    assert_int_equal(sparse_entries(&history.matrix), USERS * ITEMS);
    assert_int_equal(ridge_init(&ridge, &history, &settings, NULL, &status), STATUS_OK);
    assert_int_equal(sparse_entries(&ridge.partners), ITEMS * (ITEMS - 1));
    for (size_t e = 0; e < sparse_entries(&ridge.partners); e++) {
        assert_true(ridge.coefficients[0][e] > 0 && ridge.coefficients[0][e] < 1);
    }
    ridge_release(&ridge);
    release(&history);
}

static void nothing_one_item_and_strangers_have_no_pairs(void **state)
{
    (void)state;
    const size_t shapes[][3] = {
        {0, 0, 0}, {3, 1, 1}, {3, 3, 0}, {3, 3, 1}}; /* users, items, each */
    for (size_t s = 0; s < 4; s++) {
        struct status status = {0};
        struct history history = {0};
        struct sparse pairs = {0};
        const size_t n_users = shapes[s][0], n_items = shapes[s][1], each = shapes[s][2];
        assert_int_equal(
            sparse_init(&history.matrix, n_users, n_items, n_users * each, false, &status),
            STATUS_OK);
        for (size_t u = 0; u < n_users; u++) { /* one item, and every user another */
            history.matrix.offsets[u + 1] = (int64_t)((u + 1) * each);
            if (each > 0) {
                history.matrix.columns[u] = (int32_t)(u % n_items);
            }
        }
        struct ridge ridge = solved(&history, 10, 0, NULL);
        assert_int_equal(ridge_pairs(&ridge, 0, &pairs, &status), STATUS_OK);
        assert_true(pairs.n_rows == n_items && sparse_entries(&pairs) == 0);
        sparse_release(&pairs);
        ridge_release(&ridge);
        release(&history);
    }
}

/* ---- the choice ---- */

static enum status_code stop(void *data, struct status *status)
{
    (void)data;
    return status_set(status, STATUS_SIGNAL, "stopped");
}

/* Users have items of one of two halves; held out is one more of it. */
static void the_strength_is_what_ranks_best_and_without_validation_the_first(void **state)
{
    (void)state;
    enum { HALF = ITEMS / 2, SEEN = 5 };
    struct status status = {0};
    struct rng rng;
    struct ridge_choice choice = {.strength = 9};
    struct dataset dataset = {.n_users = USERS, .n_items = ITEMS};
    struct sparse *train = &dataset.train.matrix, *valid = &dataset.valid.matrix;
    const struct watch stopped = {.check_stop = stop};
    rng_init(&rng, 1, "test.ridge", 0, 0);
    assert_int_equal(sparse_init(train, USERS, ITEMS, USERS * SEEN, false, &status), STATUS_OK);
    assert_int_equal(sparse_init(valid, USERS, ITEMS, USERS, false, &status), STATUS_OK);
    for (size_t u = 0; u < USERS; u++) {
        const size_t start = u % 2 * HALF + rng_below(&rng, HALF - SEEN);
        for (size_t e = 0; e < SEEN; e++) {
            train->columns[u * SEEN + e] = (int32_t)(start + e);
        }
        valid->columns[u] = (int32_t)(start + SEEN);
        train->offsets[u + 1] = (int64_t)((u + 1) * SEEN);
        valid->offsets[u + 1] = (int64_t)u + 1;
    }
    struct ridge ridge = solved(&dataset.train, 20, 0, NULL);
    assert_int_equal(ridge_choose(&ridge, &dataset, NULL, 1, NULL, NULL, &choice, &status),
                     STATUS_OK);
    assert_int_equal(choice.n_users, USERS);
    assert_true(choice.value > 0.4 && choice.strength < N_STRENGTHS);
    struct ridge last = ridge; /* of the chosen one alone the value is the same */
    last.coefficients += choice.strength;
    last.n_strengths = 1;
    const double value = choice.value;
    assert_int_equal(ridge_choose(&last, &dataset, NULL, 1, NULL, NULL, &choice, &status),
                     STATUS_OK);
    assert_true(choice.value == value && choice.strength == 0);

    assert_int_equal(ridge_choose(&ridge, &dataset, NULL, 1, &stopped, NULL, &choice, &status),
                     STATUS_SIGNAL);
    assert_true(choice.value == value);
    memset(valid->offsets, 0, (USERS + 1) * sizeof *valid->offsets);
    status = (struct status){0};
    assert_int_equal(ridge_choose(&ridge, &dataset, NULL, 1, NULL, NULL, &choice, &status),
                     STATUS_OK);
    assert_true(choice.strength == 0 && choice.n_users == 0 && isnan(choice.value));
    ridge_release(&ridge);
    sparse_release(train);
    sparse_release(valid);
}

/* Whoever has an item of the lower half has one of the upper half, too: 40 users long ago another
 * one than 20 of late and the 20 who are asked for it. */
static void a_half_life_is_chosen_where_the_old_misleads(void **state)
{
    (void)state;
    enum { HALF = ITEMS / 2, OLD = 2 * HALF, YOUNG = 3 * HALF, ALL = 4 * HALF };
    const struct ridge_settings settings = {
        .partners = 20, .strengths = strengths, .n_strengths = N_STRENGTHS};
    struct status status = {0};
    double half_life = NAN;
    struct dataset dataset = {.n_users = ALL, .n_items = ITEMS};
    struct sparse *train = &dataset.train.matrix, *valid = &dataset.valid.matrix;
    assert_int_equal(sparse_init(train, ALL, ITEMS, 2 * ALL, false, &status), STATUS_OK);
    assert_int_equal(sparse_init(valid, ALL, ITEMS, ALL, false, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&dataset.train.times, 2 * ALL, &status), STATUS_OK);
    for (size_t u = 0; u < ALL; u++) {
        const int32_t lower = (int32_t)(u % HALF);
        const int32_t upper = HALF + (lower + (u < OLD ? 0 : 1)) % HALF;
        const bool asked = u >= YOUNG;
        const int64_t first = train->offsets[u];
        train->columns[first] = lower;
        train->columns[first + 1] = upper;
        dataset.train.times[first] = dataset.train.times[first + 1] =
            NOW - (u < OLD ? 300 * 86400 : 0);
        train->offsets[u + 1] = first + (asked ? 1 : 2);
        valid->columns[valid->offsets[u]] = upper;
        valid->offsets[u + 1] = valid->offsets[u] + asked;
    }
    assert_int_equal(ridge_choose_half_life(&dataset, &settings, 1, NULL, &half_life, &status),
                     STATUS_OK);
    assert_true(half_life > 0);
    mem_free(dataset.train.times);
    dataset.train.times = NULL;
    assert_int_equal(ridge_choose_half_life(&dataset, &settings, 1, NULL, &half_life, &status),
                     STATUS_OK);
    assert_true(half_life == 0);
    sparse_release(train);
    sparse_release(valid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regressions_agree_with_elimination),
        cmocka_unit_test(pairs_are_the_positive_coefficients_by_partner),
        cmocka_unit_test(the_number_of_threads_changes_no_byte),
        cmocka_unit_test(items_of_the_same_users_get_finite_coefficients),
        cmocka_unit_test(nothing_one_item_and_strangers_have_no_pairs),
        cmocka_unit_test(the_strength_is_what_ranks_best_and_without_validation_the_first),
        cmocka_unit_test(a_half_life_is_chosen_where_the_old_misleads),
    };
    return cmocka_run_group_tests_name("ridge", tests, NULL, NULL);
}
