/* halving: how many trials run for how long, and which of them go on. */
#include "search/halving.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_rungs(size_t epochs, size_t n_trials, size_t n, const size_t expected[][2])
{
    struct halving_rung rungs[HALVING_RUNGS];
    assert_int_equal(halving_schedule(epochs, n_trials, rungs), n);
    for (size_t r = 0; r < n; r++) {
        assert_int_equal(rungs[r].epochs, expected[r][0]);
        assert_int_equal(rungs[r].n_trials, expected[r][1]);
    }
}

static void a_third_of_the_trials_gets_three_times_the_epochs(void **state)
{
    (void)state;
    assert_rungs(18, 27, 3, (const size_t[][2]){{2, 27}, {6, 9}, {18, 3}});
    assert_rungs(20, 8, 3, (const size_t[][2]){{2, 8}, {7, 2}, {20, 1}});
}

static void rungs_of_equal_epochs_are_one(void **state)
{
    (void)state;
    assert_rungs(2, 4, 2, (const size_t[][2]){{1, 4}, {2, 1}});
    assert_rungs(1, 5, 1, (const size_t[][2]){{1, 5}});
    assert_rungs(4, 1, 2, (const size_t[][2]){{1, 1}, {4, 1}});
}

static void the_best_come_first_and_failures_last(void **state)
{
    (void)state;
    const double values[] = {0.2, (double)NAN, 0.5, 0.2, (double)NAN, 0.9};
    const size_t expected[] = {5, 2, 0, 3, 1, 4};
    size_t order[6];
    halving_order(values, 6, order);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(order[i], expected[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_third_of_the_trials_gets_three_times_the_epochs),
        cmocka_unit_test(rungs_of_equal_epochs_are_one),
        cmocka_unit_test(the_best_come_first_and_failures_last),
    };
    return cmocka_run_group_tests_name("halving", tests, NULL, NULL);
}
