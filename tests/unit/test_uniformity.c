/* Uniformity against a double loop over pairs, its gradient against finite differences of that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "math/blas.h"
#include "base/mem.h"
#include "contrast/contrast_uniform.h"
#include "tests/support/random_matrix.h"

#include <math.h>

enum { DIMENSION = 8 };

static double naive(const double *x, const float *offsets, size_t n)
{
    double sum = 0.0, weight = 0.0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            double dot = 0.0, b = offsets == NULL ? 0.0 : (double)offsets[i] + (double)offsets[j];
            for (size_t k = 0; k < DIMENSION; k++) {
                dot += x[i * DIMENSION + k] * x[j * DIMENSION + k];
            }
            sum += i == j ? 0.0 : exp(b - 2.0 * (2.0 - 2.0 * dot));
            weight += i == j ? 0.0 : exp(b);
        }
    }
    return log(sum / weight);
}

static double run(const float *points, const float *offsets, size_t n, size_t threads,
                  float *gradient)
{
    struct status status = {0};
    struct workspace work = {0};
    struct pool *pool = NULL;
    double value = 99.0;
    assert_int_equal(pool_new(threads, &pool, &status), STATUS_OK);
    assert_int_equal(uniformity_run(&work, const_matrix_of(points, n, DIMENSION), offsets, pool,
                                    matrix_of(gradient, n, DIMENSION), &value, &status),
                     STATUS_OK);
    pool_free(pool);
    workspace_release(&work);
    return value;
}

static void check(size_t n, bool with_offsets)
{
    struct rng rng;
    rng_init(&rng, 3, "test.uniformity", n, 0);
    float *points = random_matrix(&rng, n, DIMENSION, true);
    float *all_offsets = random_matrix(&rng, 1, n, false);
    const float *offsets = with_offsets ? all_offsets : NULL;
    float *gradient = random_matrix(&rng, n, DIMENSION, false);
    float *again = random_matrix(&rng, n, DIMENSION, false);
    double wide[600 * DIMENSION] = {0};
    for (size_t i = 0; i < n * DIMENSION; i++) {
        wide[i] = (double)points[i];
    }
    double value = run(points, offsets, n, 1, gradient);
    assert_true(fabs(value - naive(wide, offsets, n)) < 1e-5);
    for (size_t i = 0; i < n * DIMENSION; i += 1 + n * DIMENSION / 12) {
        const double h = 1e-6;
        wide[i] += h;
        double up = naive(wide, offsets, n);
        wide[i] -= 2.0 * h;
        double want = (up - naive(wide, offsets, n)) / (2.0 * h);
        wide[i] += h;
        assert_true(fabs((double)gradient[i] - want) <= 1e-4 * fabs(want) + 1e-7);
    }
    assert_true(run(points, offsets, n, 3, again) == value);
    assert_memory_equal(gradient, again, n * DIMENSION * sizeof(float));
    assert_true(run(points, offsets, n, 1, NULL) == value);
    mem_free(points);
    mem_free(all_offsets);
    mem_free(gradient);
    mem_free(again);
}

static void value_and_slopes_match_the_formula_with_any_number_of_threads(void **state)
{
    (void)state;
    const size_t sizes[] = {2, 7, 128, 129, 256, 600};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        check(sizes[s], false);
        check(sizes[s], true);
    }
}

static void points_in_one_place_give_zero_and_opposite_ones_minus_eight(void **state)
{
    (void)state;
    float points[4 * DIMENSION] = {0}, gradient[4 * DIMENSION];
    for (size_t i = 0; i < 4; i++) {
        points[i * DIMENSION] = 1.0f;
    }
    assert_true(fabs(run(points, NULL, 4, 1, gradient)) < 1e-6);
    points[DIMENSION] = -1.0f;
    assert_true(fabs(run(points, NULL, 2, 1, gradient) + 8.0) < 1e-5);
}

static void fewer_than_two_points_have_nothing_to_spread(void **state)
{
    (void)state;
    float point[DIMENSION] = {1.0f}, gradient[DIMENSION] = {5.0f};
    assert_true(run(point, NULL, 1, 1, gradient) == 0.0);
    assert_true(gradient[0] == 0.0f);
    assert_true(run(point, NULL, 0, 1, gradient) == 0.0);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_and_slopes_match_the_formula_with_any_number_of_threads),
        cmocka_unit_test(points_in_one_place_give_zero_and_opposite_ones_minus_eight),
        cmocka_unit_test(fewer_than_two_points_have_nothing_to_spread),
    };
    return cmocka_run_group_tests_name("uniformity", tests, NULL, NULL);
}
