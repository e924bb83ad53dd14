/* Matrix products against three nested loops. */
#include "base/mem.h"
#include "base/rng.h"
#include "math/blas.h"

#include <math.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum layout { NT, NN, TN };

/* A matrix of random values in memory with a few unused columns, which hold NaN. */
static struct matrix random_matrix(struct rng *rng, size_t rows, size_t columns)
{
    struct status status = {0};
    float *data = NULL;
    size_t stride = columns + 3;
    assert_int_equal(MEM_NEW(&data, rows * stride, &status), STATUS_OK);
    for (size_t i = 0; i < rows * stride; i++) {
        data[i] = i % stride < columns ? (float)rng_normal(rng) : NAN;
    }
    return (struct matrix){data, rows, columns, stride};
}

static float at(struct matrix m, bool transposed, size_t i, size_t j)
{
    return transposed ? m.data[j * m.stride + i] : m.data[i * m.stride + j];
}

/* Tolerance: each product rounds k times, values are of size 1. */
static void check(enum layout layout, size_t m, size_t n, size_t k, float alpha, float beta)
{
    struct rng rng;
    rng_init(&rng, m * 1000003 + n * 1009 + k, "blas", (uint64_t)layout, 0);
    struct matrix a = layout == TN ? random_matrix(&rng, k, m) : random_matrix(&rng, m, k);
    struct matrix b = layout == NT ? random_matrix(&rng, n, k) : random_matrix(&rng, k, n);
    struct matrix c = random_matrix(&rng, m, n);
    struct status status = {0};
    double *expected = NULL;
    assert_int_equal(MEM_NEW(&expected, m * n, &status), STATUS_OK);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            double sum = 0.0;
            for (size_t l = 0; l < k; l++) {
                sum += (double)at(a, layout == TN, i, l) * (double)at(b, layout == NT, l, j);
            }
            float *old = &c.data[i * c.stride + j];
            *old = beta == 0.0F ? NAN : *old; /* must be overwritten, not multiplied */
            expected[i * n + j] =
                (double)alpha * sum + (beta == 0.0F ? 0.0 : (double)(beta * *old));
        }
    }
    void (*product)(float, struct const_matrix, struct const_matrix, float, struct matrix) =
        layout == NT   ? blas_nt
        : layout == NN ? blas_nn
                       : blas_tn;
    product(alpha, matrix_view(a), matrix_view(b), beta, c);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < c.stride; j++) {
            float got = c.data[i * c.stride + j];
            if (j < n) {
                assert_true(fabs((double)got - expected[i * n + j]) < 1e-5 * (double)(k + 10));
            } else {
                assert_true(isnan(got)); /* outside the matrix */
            }
        }
    }
    mem_free(expected);
    mem_free(a.data);
    mem_free(b.data);
    mem_free(c.data);
}

static void products_agree_with_loops(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 1},   {3, 5, 7},   {64, 33, 16},
                                       {1, 40, 64}, {40, 1, 64}, {130, 70, 64},
                                       {5, 6, 0},   {0, 4, 3},   {4, 0, 3}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (int layout = NT; layout <= TN; layout++) {
            check((enum layout)layout, shapes[s][0], shapes[s][1], shapes[s][2], 1.0F, 0.0F);
            check((enum layout)layout, shapes[s][0], shapes[s][1], shapes[s][2], -0.5F, 1.0F);
            check((enum layout)layout, shapes[s][0], shapes[s][1], shapes[s][2], 2.0F, 0.25F);
        }
    }
}

/* a = M M^T + 1 for a random M, of which the upper triangle is NaN; tolerance: its condition is
 * some 1e3. */
static void equations_are_solved_and_impossible_ones_refused(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 17, 140};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const size_t n = sizes[s];
        struct rng rng;
        struct status status = {0};
        float *x = NULL, *b = NULL;
        rng_init(&rng, n, "equations", 0, 0);
        struct matrix m = random_matrix(&rng, n, n), a = random_matrix(&rng, n, n);
        assert_int_equal(MEM_NEW(&x, n + 1, &status), STATUS_OK);
        assert_int_equal(MEM_NEW(&b, n + 1, &status), STATUS_OK);
        for (size_t i = 0; i < n; i++) {
            x[i] = (float)rng_normal(&rng);
        }
        for (size_t i = 0; i < n; i++) {
            double product = 0;
            for (size_t j = 0; j < n; j++) {
                double sum = i == j ? 1 : 0;
                for (size_t k = 0; k < n; k++) {
                    sum += (double)at(m, false, i, k) * (double)at(m, false, j, k) / (double)n;
                }
                a.data[i * a.stride + j] = j <= i ? (float)sum : NAN;
                product += sum * (double)x[j];
            }
            b[i] = (float)product;
        }
        assert_true(blas_solve_positive(a, b));
        for (size_t i = 0; i < n; i++) {
            assert_true(fabs((double)b[i] - (double)x[i]) < 1e-4);
        }
        for (size_t i = 0; i < n; i++) { /* factored already: make it indefinite */
            a.data[i * a.stride + i] = -1;
            b[i] = x[i];
        }
        assert_true(blas_solve_positive(a, b) == (n == 0));
        assert_memory_equal(b, x, n * sizeof *b);
        mem_free(x);
        mem_free(b);
        mem_free(m.data);
        mem_free(a.data);
    }
}

static void the_library_names_itself(void **state)
{
    (void)state;
    assert_non_null(strstr(blas_identity(), "OpenBLAS"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_agree_with_loops),
        cmocka_unit_test(equations_are_solved_and_impossible_ones_refused),
        cmocka_unit_test(the_library_names_itself),
    };
    blas_init();
    return cmocka_run_group_tests_name("blas", tests, NULL, NULL);
}
