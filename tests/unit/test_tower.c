/* Towers and their optimizer: unit length, the gradient through it, row-sparse steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "model/tower.h"
#include "tests/support/random_matrix.h"

#include <math.h>

enum { N = 600, D = 12 };

static struct tower make_tower(struct pool *pool)
{
    struct status status = {0};
    struct tower tower = {0};
    assert_int_equal(
        tower_init(&tower, N, D, &optimizer_table[0], 3, "test.tower", 0.5, pool, &status),
        STATUS_OK);
    return tower;
}

static void rows_come_out_at_unit_length_and_zero_stays_zero(void **state)
{
    (void)state;
    struct tower tower = make_tower(NULL);
    float out[3 * D], norms[3];
    const int32_t rows[] = {599, 4, 0};
    memset(tower.weights + 4 * D, 0, D * sizeof(float));
    tower_forward(&tower, rows, 3, out, norms, NULL);
    for (size_t i = 0; i < 3; i++) {
        double square = 0.0;
        for (size_t j = 0; j < D; j++) {
            square += (double)out[i * D + j] * out[i * D + j];
        }
        assert_true(fabs(square - (i == 1 ? 0.0 : 1.0)) < 1e-5);
    }
    tower_release(&tower);
}

/* L = sum of c * y over the unit vectors y: its slope in the weights by finite differences. */
static void the_gradient_through_the_normalisation_matches_finite_differences(void **state)
{
    (void)state;
    struct tower tower = make_tower(NULL);
    struct rng rng;
    rng_init(&rng, 1, "test.tower.c", 0, 0);
    float *c = random_matrix(&rng, 1, D, false);
    const int32_t rows[] = {17};
    float unit[D], norms[1], gradient[D];
    double slopes[D];
    for (size_t j = 0; j < D; j++) {
        double value[2];
        for (int side = 0; side < 2; side++) {
            float kept = tower.weights[17 * D + j];
            tower.weights[17 * D + j] += side == 0 ? 1e-3f : -1e-3f;
            tower_forward(&tower, rows, 1, unit, norms, NULL);
            value[side] = 0.0;
            for (size_t i = 0; i < D; i++) {
                value[side] += (double)c[i] * unit[i];
            }
            tower.weights[17 * D + j] = kept;
        }
        slopes[j] = (value[0] - value[1]) / 2e-3;
    }
    tower_forward(&tower, rows, 1, unit, norms, NULL);
    memcpy(gradient, c, sizeof gradient);
    tower_backward(&tower, rows, 1, unit, norms, gradient, 0.0, NULL);
    for (size_t j = 0; j < D; j++) {
        assert_true(fabs(gradient[j] - slopes[j]) < 2e-3 * (1.0 + fabs(slopes[j])));
    }
    mem_free(c);
    tower_release(&tower);
}

static void a_step_moves_only_the_rows_in_play_as_adam_says(void **state)
{
    (void)state;
    struct tower tower = make_tower(NULL);
    float before[N * D], gradient[2 * D];
    const int32_t rows[] = {5, 300};
    memcpy(before, tower.weights, sizeof before);
    for (size_t j = 0; j < 2 * D; j++) {
        gradient[j] = j % 2 == 0 ? 0.3f : -4.0f;
    }
    optimizer_apply(&tower.optimizer, tower.weights, rows, 2, gradient, 0.01, NULL);
    for (size_t i = 0; i < N * D; i++) {
        size_t row = i / D, column = i % D;
        if (row != 5 && row != 300) {
            assert_true(tower.weights[i] == before[i]);
        } else { /* Adam's first step is the learning rate against the gradient's sign */
            float want = before[i] - (column % 2 == 0 ? 0.01f : -0.01f);
            assert_true(fabsf(tower.weights[i] - want) < 1e-6f);
        }
    }
    tower_release(&tower);
}

static void threads_do_not_change_a_byte(void **state)
{
    (void)state;
    struct status status = {0};
    struct pool *pool = NULL;
    assert_int_equal(pool_new(2, &pool, &status), STATUS_OK);
    struct tower one = make_tower(NULL), two = make_tower(pool);
    assert_memory_equal(one.weights, two.weights, N * D * sizeof(float));
    tower_release(&one);
    tower_release(&two);
    pool_free(pool);
}

static void a_saved_tower_comes_back_and_another_shape_is_refused(void **state)
{
    (void)state;
    struct status status = {0};
    struct tower tower = make_tower(NULL), other = make_tower(NULL), narrow = {0};
    struct artifact artifact;
    const int32_t rows[] = {1};
    float gradient[D] = {1.0f};
    artifact_init(&artifact, "test");
    optimizer_apply(&tower.optimizer, tower.weights, rows, 1, gradient, 0.1, NULL);
    assert_int_equal(tower_save(&tower, &artifact, "user", &status), STATUS_OK);
    assert_int_equal(tower_restore(&other, &artifact, "user", &status), STATUS_OK);
    assert_memory_equal(tower.weights, other.weights, N * D * sizeof(float));
    assert_memory_equal(tower.optimizer.states[1], other.optimizer.states[1],
                        N * D * sizeof(float));
    assert_int_equal(other.optimizer.n_steps, 1);
    assert_int_equal(tower_init(&narrow, N, D - 1, &optimizer_table[0], 3, "t", 0.5, NULL, &status),
                     STATUS_OK);
    assert_int_equal(tower_restore(&narrow, &artifact, "user", &status), STATUS_INTERNAL);
    tower_release(&tower);
    tower_release(&other);
    tower_release(&narrow);
    artifact_release(&artifact);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_out_at_unit_length_and_zero_stays_zero),
        cmocka_unit_test(the_gradient_through_the_normalisation_matches_finite_differences),
        cmocka_unit_test(a_step_moves_only_the_rows_in_play_as_adam_says),
        cmocka_unit_test(threads_do_not_change_a_byte),
        cmocka_unit_test(a_saved_tower_comes_back_and_another_shape_is_refused),
    };
    return cmocka_run_group_tests_name("tower", tests, NULL, NULL);
}
