/* Random streams: repeatable, independent, uniform. */
#include "base/rng.h"

#include <math.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void equal_arguments_give_equal_streams(void **state)
{
    (void)state;
    struct rng a;
    struct rng b;
    rng_init(&a, 7, "train.shuffle", 3, 4);
    rng_init(&b, 7, "train.shuffle", 3, 4);
    for (int i = 0; i < 100; i++) {
        assert_true(rng_u64(&a) == rng_u64(&b));
    }
}

static void any_other_argument_gives_another_stream(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed;
        const char *purpose;
        uint64_t epoch, entity;
    } cases[] = {{7, "ab", 3, 4}, {8, "ab", 3, 4}, {7, "ac", 3, 4}, {7, "a", 3, 4},
                 {7, "", 3, 4},   {7, "ab", 4, 3}, {7, "ab", 3, 5}, {7, "ab", 0, 4},
                 {7, "ba", 3, 4}, {0, "", 0, 0},   {3, "ab", 7, 4}};
    enum { N = sizeof cases / sizeof *cases };
    uint64_t first[N];
    for (size_t i = 0; i < N; i++) {
        struct rng rng;
        rng_init(&rng, cases[i].seed, cases[i].purpose, cases[i].epoch, cases[i].entity);
        first[i] = rng_u64(&rng);
        for (size_t j = 0; j < i; j++) {
            assert_true(first[i] != first[j]);
        }
    }
}

/* The generator's recurrence written down a second time, from the state on. */
static void the_generator_is_xoshiro256_plus_plus(void **state)
{
    (void)state;
    struct rng rng = {{1, 2, 3, 4}};
    static const uint64_t expected[] = {41943041, 58720359, UINT64_C(3588806011781223),
                                        UINT64_C(3591011842654386)};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_true(rng_u64(&rng) == expected[i]);
    }
}

/* Chi-square of 10 cells with 100,000 draws: 9 degrees of freedom, 33.7 is passed once in 10,000.
 */
static void bounded_draws_are_uniform(void **state)
{
    (void)state;
    struct rng rng;
    double counts[10] = {0};
    double chi = 0.0;
    rng_init(&rng, 1, "test", 0, 0);
    for (int i = 0; i < 100000; i++) {
        uint64_t value = rng_below(&rng, 10);
        assert_true(value < 10);
        counts[value] += 1.0;
    }
    for (int i = 0; i < 10; i++) {
        chi += (counts[i] - 10000.0) * (counts[i] - 10000.0) / 10000.0;
    }
    assert_true(chi < 33.7);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(rng_below(&rng, 1), 0);
        assert_true(rng_below(&rng, UINT64_C(3) << 62) < UINT64_C(3) << 62);
    }
}

/* Two thirds of 2^64 rejects a quarter of the raw draws: without it the lower half would hold 2/3.
 */
static void large_bounds_are_not_biased(void **state)
{
    (void)state;
    struct rng rng;
    const uint64_t bound = UINT64_C(3) << 62;
    int low = 0;
    rng_init(&rng, 2, "test", 0, 0);
    for (int i = 0; i < 100000; i++) {
        low += rng_below(&rng, bound) < bound / 2 ? 1 : 0;
    }
    assert_true(abs(low - 50000) < 800); /* 5 standard deviations */
}

static void doubles_and_normals_have_their_moments(void **state)
{
    (void)state;
    enum { N = 200000 };
    struct rng rng;
    double sum = 0.0;
    double normal = 0.0;
    double squares = 0.0;
    double fourth = 0.0;
    rng_init(&rng, 3, "test", 0, 0);
    for (int i = 0; i < N; i++) {
        double u = rng_double(&rng);
        double z = rng_normal(&rng);
        assert_true(u >= 0.0 && u < 1.0 && isfinite(z));
        sum += u;
        normal += z;
        squares += z * z;
        fourth += z * z * z * z;
    }
    assert_true(fabs(sum / N - 0.5) < 0.004);
    assert_true(fabs(normal / N) < 0.012);
    assert_true(fabs(squares / N - 1.0) < 0.02);
    assert_true(fabs(fourth / N - 3.0) < 0.15);
}

static void permutations_hold_every_value_once_and_are_uniform(void **state)
{
    (void)state;
    enum { N = 5, ROUNDS = 20000 };
    struct rng rng;
    int at[N][N] = {{0}};
    rng_init(&rng, 4, "test", 0, 0);
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t values[N];
        unsigned seen = 0;
        rng_permutation(&rng, N, values);
        for (size_t i = 0; i < N; i++) {
            assert_true(values[i] < N);
            seen |= 1U << values[i];
            at[i][values[i]]++;
        }
        assert_int_equal(seen, (1U << N) - 1);
    }
    for (int i = 0; i < N; i++) {
        for (int v = 0; v < N; v++) {
            assert_true(abs(at[i][v] - ROUNDS / N) < 300); /* 5 standard deviations */
        }
    }
    rng_permutation(&rng, 0, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_arguments_give_equal_streams),
        cmocka_unit_test(any_other_argument_gives_another_stream),
        cmocka_unit_test(the_generator_is_xoshiro256_plus_plus),
        cmocka_unit_test(bounded_draws_are_uniform),
        cmocka_unit_test(large_bounds_are_not_biased),
        cmocka_unit_test(doubles_and_normals_have_their_moments),
        cmocka_unit_test(permutations_hold_every_value_once_and_are_uniform),
    };
    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
