/* Every optimizer, row-sparse, against a plain dense loop in double precision in
 * which rows out of play have a gradient of 0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "towers/embedding_table.h"
#include "towers/optimizer.h"
#include "tests/support/random_matrix.h"

#include <math.h>

enum { ROWS = 7, D = 5, STEPS = 300 };

enum { ADAM, ADAMW, ADAGRAD, SGD, ROWWISE_ADAM };

/* ---- the dense reference ---- */

struct dense {
    struct optimizer_settings settings;
    double w[ROWS * D], first[ROWS * D], second[ROWS * D];
};

static void dense_step(struct dense *dense, const double *gradient, double rate, double t)
{
    bool is_rowwise = dense->settings.rule == ROWWISE_ADAM;
    bool is_adam = dense->settings.rule <= ADAMW || is_rowwise;
    for (size_t i = 0; i < ROWS * D; i++) {
        double g = gradient[i], *m = &dense->first[i], *v = &dense->second[i];
        if (dense->settings.rule != ADAM) {
            dense->w[i] -= rate * dense->settings.weight_decay * dense->w[i];
        }
        if (is_adam) {
            *m = 0.9 * *m + 0.1 * g;
            double square = g * g;
            for (size_t j = 0; j < D && is_rowwise; j++) {
                const double other = gradient[i / D * D + j];
                square = j == 0 ? other * other / D : square + other * other / D;
            }
            *v = 0.999 * *v + 0.001 * square;
            dense->w[i] -=
                rate * (*m / (1.0 - pow(0.9, t))) / (sqrt(*v / (1.0 - pow(0.999, t))) + 1e-8);
        } else if (dense->settings.rule == ADAGRAD) {
            *v += g * g;
            dense->w[i] -= rate * g / (sqrt(*v) + 1e-8);
        } else {
            *m = dense->settings.momentum * *m + g;
            dense->w[i] -= rate * *m;
        }
    }
}

/* ---- both beside each other ---- */

struct pair {
    struct optimizer sparse;
    float w[ROWS * D], begin[ROWS * D];
    struct dense dense;
    double rate;
    bool is_stale; /* what a row missed is never made up for */
};

static void pair_init(struct pair *pair, const struct optimizer_settings *settings, double rate,
                      int64_t first_step)
{
    struct status status = {0};
    struct rng rng;
    memset(pair, 0, sizeof *pair);
    rng_init(&rng, 3, "test.optimizer", 0, 0);
    assert_int_equal(optimizer_init(&pair->sparse, settings, ROWS, D, &status), STATUS_OK);
    pair->sparse.n_steps = first_step;
    for (size_t i = 0; i < ROWS; i++) {
        pair->sparse.row_steps[i] = first_step;
    }
    for (size_t i = 0; i < ROWS * D; i++) {
        pair->begin[i] = pair->w[i] = (float)rng_normal(&rng);
        pair->dense.w[i] = pair->w[i];
    }
    pair->dense.settings = *settings;
    pair->rate = rate;
}

/* A row's weights now: caught up with in place, or read as they would be then. */
static void read_row(struct pair *pair, int32_t row, bool in_place, float out[D])
{
    const struct optimizer_step now = optimizer_now(&pair->sparse, pair->rate);
    if (pair->is_stale) {
        pair->sparse.row_steps[row] = pair->sparse.n_steps;
    }
    if (in_place) {
        optimizer_catch_up(&pair->sparse, pair->w, &row, 1, pair->rate, NULL);
    }
    optimizer_read_row(&pair->sparse, &now, pair->w, (size_t)row, out);
}

/* Row r is in play in about one step of r + 1; its gradient is noise and half its weight, so a row
 * that was read as it was before would go another way. */
static void pair_step(struct pair *pair, struct rng *rng)
{
    double dense[ROWS * D] = {0};
    float sparse[ROWS * D];
    int32_t rows[ROWS];
    size_t n = 0;
    for (size_t r = ROWS; r-- > 0;) { /* rows need not ascend */
        if (rng_below(rng, r + 1) == 0) {
            rows[n++] = (int32_t)r;
        }
    }
    for (size_t i = 0; i < n; i++) {
        float now[D];
        read_row(pair, rows[i], rng_below(rng, 2) == 0, now);
        for (size_t j = 0; j < D; j++) {
            size_t at = (size_t)rows[i] * D + j;
            double noise = 0.3 + rng_normal(rng);
            dense[at] = noise + 0.5 * pair->dense.w[at];
            sparse[i * D + j] = (float)(noise + 0.5 * (double)now[j]);
        }
    }
    optimizer_apply(&pair->sparse, pair->w, rows, n, sparse, pair->rate, NULL);
    dense_step(&pair->dense, dense, pair->rate, (double)pair->sparse.n_steps);
}

/* The largest difference after STEPS steps, as a share of the mean distance moved. */
static double pair_difference(struct pair *pair)
{
    struct rng rng;
    double worst = 0.0, moved = 0.0;
    rng_init(&rng, 4, "test.optimizer.rows", 0, 0);
    for (size_t s = 0; s < STEPS; s++) {
        pair_step(pair, &rng);
    }
    if (!pair->is_stale) {
        optimizer_catch_up(&pair->sparse, pair->w, NULL, ROWS, pair->rate, NULL);
    }
    for (size_t i = 0; i < ROWS * D; i++) {
        worst = fmax(worst, fabs((double)pair->w[i] - pair->dense.w[i]));
        moved += fabs(pair->dense.w[i] - (double)pair->begin[i]) / (ROWS * D);
    }
    optimizer_release(&pair->sparse);
    return worst / moved;
}

static void assert_follows_dense(struct optimizer_settings settings, double rate)
{
    struct pair pair;
    bool is_adam = settings.rule <= ADAMW || settings.rule == ROWWISE_ADAM;
    pair_init(&pair, &settings, rate, is_adam ? 1 << 20 : 0);
    assert_true(pair_difference(&pair) < 1e-4);
}

static void adam_follows_the_dense_one_once_its_bias_is_gone(void **state)
{
    (void)state;
    assert_follows_dense((struct optimizer_settings){.rule = ADAM}, 0.01);
}

static void adam_is_near_the_dense_one_from_its_first_step(void **state)
{
    (void)state;
    const struct optimizer_settings settings = {.rule = ADAM};
    struct pair with, without;
    pair_init(&with, &settings, 0.01, 0);
    pair_init(&without, &settings, 0.01, 0);
    without.is_stale = true;
    double near = pair_difference(&with), far = pair_difference(&without);
    assert_true(near < 0.05);
    assert_true(far > 10.0 * near);
}

static void adamw_follows_the_dense_one_and_decays(void **state)
{
    (void)state;
    assert_follows_dense((struct optimizer_settings){.rule = ADAMW, .weight_decay = 0.5}, 0.01);
}

static void rowwise_adam_follows_the_dense_one_with_and_without_decay(void **state)
{
    (void)state;
    assert_follows_dense((struct optimizer_settings){.rule = ROWWISE_ADAM}, 0.01);
    assert_follows_dense((struct optimizer_settings){.rule = ROWWISE_ADAM, .weight_decay = 0.5},
                         0.01);
}

static void rowwise_adam_keeps_one_second_moment_a_row(void **state)
{
    (void)state;
    struct status status = {0};
    struct optimizer optimizer;
    const struct optimizer_settings settings = {.rule = ROWWISE_ADAM};
    assert_int_equal(optimizer_init(&optimizer, &settings, ROWS, D, &status), STATUS_OK);
    assert_int_equal(optimizer_state_width(&optimizer, 0), D);
    assert_int_equal(optimizer_state_width(&optimizer, 1), 1);
    optimizer_release(&optimizer);
}

static void adagrad_follows_the_dense_one_with_and_without_decay(void **state)
{
    (void)state;
    assert_follows_dense((struct optimizer_settings){.rule = ADAGRAD}, 0.1);
    assert_follows_dense((struct optimizer_settings){.rule = ADAGRAD, .weight_decay = 0.2}, 0.1);
}

static void sgd_follows_the_dense_one_with_and_without_momentum_and_decay(void **state)
{
    (void)state;
    const double decays[] = {0.0, 0.05, 1.0, 1.0 + 1e-9}; /* at 1, it equals momentum .9 */
    const double momenta[] = {0.0, 0.5, 0.9};
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 3; j++) {
            assert_follows_dense((struct optimizer_settings){.rule = SGD,
                                                             .weight_decay = decays[i],
                                                             .momentum = momenta[j]},
                                 0.1);
        }
    }
}

static void a_decay_above_one_stops_at_zero(void **state)
{
    (void)state;
    struct status status = {0};
    struct optimizer optimizer;
    const struct optimizer_settings settings = {.rule = SGD, .weight_decay = 3.0, .momentum = 0.5};
    float w[2] = {4.0f, -4.0f};
    const float gradient[1] = {1.0f};
    const int32_t row = 0;
    assert_int_equal(optimizer_init(&optimizer, &settings, 2, 1, &status), STATUS_OK);
    optimizer_apply(&optimizer, w, &row, 1, gradient, 0.5, NULL);
    assert_true(w[0] == -0.5f && w[1] == -4.0f);
    optimizer_catch_up(&optimizer, w, NULL, 2, 0.5, NULL);
    assert_true(w[0] == -0.5f && w[1] == 0.0f);
    optimizer_release(&optimizer);
}

static void settings_that_a_rule_does_not_take_change_nothing(void **state)
{
    (void)state;
    struct pair plain, given;
    struct rng one, two;
    rng_init(&one, 1, "test", 0, 0);
    rng_init(&two, 1, "test", 0, 0);
    pair_init(&plain, &(struct optimizer_settings){.rule = ADAM}, 0.01, 0);
    pair_init(&given,
              &(struct optimizer_settings){.rule = ADAM, .weight_decay = 0.9, .momentum = 0.9},
              0.01, 0);
    for (size_t s = 0; s < 20; s++) {
        pair_step(&plain, &one);
        pair_step(&given, &two);
    }
    assert_memory_equal(plain.w, given.w, sizeof plain.w);
    optimizer_release(&plain.sparse);
    optimizer_release(&given.sparse);
}

static void threads_do_not_change_a_byte_of_any_rule(void **state)
{
    (void)state;
    enum { MANY = 2000 };
    struct status status = {0};
    struct pool *pool = NULL;
    struct rng rng;
    rng_init(&rng, 9, "test.threads", 0, 0);
    float *begin = random_matrix(&rng, MANY, D, false), *g = random_matrix(&rng, MANY, D, false);
    assert_int_equal(pool_new(2, &pool, &status), STATUS_OK);
    for (int rule = 0; optimizer_names[rule] != NULL; rule++) {
        const struct optimizer_settings settings = {rule, 0.1, 0.9};
        float w[2][MANY * D];
        for (size_t p = 0; p < 2; p++) {
            struct pool *threads = p == 0 ? NULL : pool;
            struct optimizer optimizer;
            memcpy(w[p], begin, sizeof w[p]);
            assert_int_equal(optimizer_init(&optimizer, &settings, MANY, D, &status), STATUS_OK);
            optimizer_apply(&optimizer, w[p], NULL, MANY, g, 0.1, threads);
            optimizer_apply(&optimizer, w[p], NULL, MANY / 3, g, 0.1, threads);
            optimizer_catch_up(&optimizer, w[p], NULL, MANY, 0.1, threads);
            optimizer_release(&optimizer);
        }
        assert_memory_equal(w[0], w[1], sizeof w[0]);
        assert_memory_not_equal(w[0], begin, sizeof w[0]);
    }
    pool_free(pool);
    mem_free(begin);
    mem_free(g);
}

/* ---- clipping ---- */

static double square_of(const float *g, size_t n)
{
    double square = 0.0;
    for (size_t i = 0; i < n; i++) {
        square += (double)g[i] * (double)g[i];
    }
    return square;
}

static void a_long_gradient_is_brought_to_the_clip_and_a_short_one_left(void **state)
{
    (void)state;
    float g[300];
    for (size_t i = 0; i < 300; i++) {
        g[i] = i % 2 == 0 ? 3.0f : -4.0f;
    }
    double square = square_of(g, 300);
    assert_true(gradient_clip_factor(0.0, square) == 1.0);
    assert_true(gradient_clip_factor(1000.0, square) == 1.0);
    assert_true(gradient_clip_factor(1.0, 0.0) == 1.0);
    assert_true(gradient_clip_factor(1.0, INFINITY) == 1.0);
    assert_true(gradient_clip_factor(1.0, NAN) == 1.0);
    gradient_scale(g, 300, gradient_clip_factor(2.0, square), NULL);
    assert_true(fabs(square_of(g, 300) - 4.0) < 1e-5);
    assert_true(fabs((double)g[0] / (double)g[1] + 0.75) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adam_follows_the_dense_one_once_its_bias_is_gone),
        cmocka_unit_test(adam_is_near_the_dense_one_from_its_first_step),
        cmocka_unit_test(adamw_follows_the_dense_one_and_decays),
        cmocka_unit_test(rowwise_adam_follows_the_dense_one_with_and_without_decay),
        cmocka_unit_test(rowwise_adam_keeps_one_second_moment_a_row),
        cmocka_unit_test(adagrad_follows_the_dense_one_with_and_without_decay),
        cmocka_unit_test(sgd_follows_the_dense_one_with_and_without_momentum_and_decay),
        cmocka_unit_test(a_decay_above_one_stops_at_zero),
        cmocka_unit_test(settings_that_a_rule_does_not_take_change_nothing),
        cmocka_unit_test(threads_do_not_change_a_byte_of_any_rule),
        cmocka_unit_test(a_long_gradient_is_brought_to_the_clip_and_a_short_one_left),
    };
    return cmocka_run_group_tests_name("optimizer", tests, NULL, NULL);
}
