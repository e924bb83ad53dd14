/* Principal components against data whose directions are known. */
#include "base/mem.h"
#include "base/rng.h"
#include "math/blas.h"
#include "math/components.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ROWS = 400, COLUMNS = 24, PLANTED = 3 };

static double dot(const float *a, const float *b)
{
    double sum = 0;
    for (size_t c = 0; c < COLUMNS; c++) {
        sum += (double)a[c] * (double)b[c];
    }
    return sum;
}

/* rows = the planted directions, at scales 3, 2 and 1, and noise of .05 a number; mean about 0 */
static void plant(float *directions, float *rows)
{
    struct rng rng;
    rng_init(&rng, 1, "test", 0, 0);
    for (size_t i = 0; i < PLANTED * COLUMNS; i++) {
        directions[i] = (float)rng_normal(&rng);
    }
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t c = 0; c < COLUMNS; c++) {
            rows[r * COLUMNS + c] = (float)(0.05 * rng_normal(&rng));
        }
        for (size_t p = 0; p < PLANTED; p++) {
            const double share = (double)(PLANTED - p) * rng_normal(&rng);
            for (size_t c = 0; c < COLUMNS; c++) {
                rows[r * COLUMNS + c] += (float)(share * (double)directions[p * COLUMNS + c]);
            }
        }
    }
}

static void the_basis_is_orthonormal_and_holds_what_varies(void **state)
{
    (void)state;
    static float directions[PLANTED * COLUMNS], rows[ROWS * COLUMNS], basis[PLANTED * COLUMNS];
    struct status status = {0};
    plant(directions, rows);
    assert_int_equal(principal_components(const_matrix_of(rows, ROWS, COLUMNS), PLANTED, 7, NULL,
                                          basis, &status),
                     STATUS_OK);
    for (size_t i = 0; i < PLANTED; i++) {
        for (size_t j = 0; j < PLANTED; j++) {
            const double expected = i == j ? 1.0 : 0.0;
            const double found = dot(basis + i * COLUMNS, basis + j * COLUMNS);
            assert_true(fabs(found - expected) < 1e-5);
        }
    }
    for (size_t p = 0; p < PLANTED; p++) {
        const float *direction = directions + p * COLUMNS;
        double inside = 0;
        for (size_t i = 0; i < PLANTED; i++) {
            const double share = dot(direction, basis + i * COLUMNS);
            inside += share * share;
        }
        assert_true(inside > 0.999 * dot(direction, direction));
    }
}

static void directions_without_variance_are_zeros(void **state)
{
    (void)state;
    static float rows[ROWS * COLUMNS], basis[2 * COLUMNS];
    struct status status = {0};
    for (size_t r = 0; r < ROWS; r++) { /* one direction: (3, 4, 0, ...) */
        const float share = r % 2 == 0 ? 1.0f : -1.0f;
        rows[r * COLUMNS] = 3 * share;
        rows[r * COLUMNS + 1] = 4 * share;
    }
    assert_int_equal(
        principal_components(const_matrix_of(rows, ROWS, COLUMNS), 2, 7, NULL, basis, &status),
        STATUS_OK);
    assert_true(fabs(fabs((double)basis[0]) - 0.6) < 1e-6);
    assert_true(fabs(fabs((double)basis[1]) - 0.8) < 1e-6);
    assert_true(dot(basis + COLUMNS, basis + COLUMNS) == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_basis_is_orthonormal_and_holds_what_varies),
        cmocka_unit_test(directions_without_variance_are_zeros),
    };
    blas_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
