/* base/distinct: few and many things, with repeats. */
#include "base/distinct.h"

#include "base/hash.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static double count_of(uint64_t n_things, int repeats)
{
    static struct distinct distinct;
    distinct = (struct distinct){0};
    for (int repeat = 0; repeat < repeats; repeat++) {
        for (uint64_t thing = 0; thing < n_things; thing++) {
            distinct_add(&distinct, hash_bytes64(&thing, sizeof thing));
        }
    }
    return distinct_count(&distinct);
}

static void nothing_is_zero_and_a_few_are_about_exact(void **state)
{
    (void)state;
    assert_true(count_of(0, 1) == 0);
    assert_true(fabs(count_of(1, 5) - 1) < 0.01);
    assert_true(fabs(count_of(100, 3) - 100) < 2);
}

static void many_are_counted_within_three_percent(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {5000, 41000, 300000, 2000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const double n = (double)sizes[i];
        assert_true(fabs(count_of(sizes[i], 2) - n) < 0.03 * n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_zero_and_a_few_are_about_exact),
        cmocka_unit_test(many_are_counted_within_three_percent),
    };
    return cmocka_run_group_tests_name("distinct", tests, NULL, NULL);
}
