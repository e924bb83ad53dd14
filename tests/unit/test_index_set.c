/* The set against a table of flags. */
#include "base/rng.h"
#include "math/index_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { CAPACITY = 9000 };

static void members_come_out_once_in_ascending_order(void **state)
{
    (void)state;
    struct status status = {0};
    struct index_set set = {0};
    static int32_t members[CAPACITY];
    assert_int_equal(index_set_init(&set, CAPACITY, &status), STATUS_OK);
    for (uint64_t round = 0; round < 20; round++) {
        static bool expected[CAPACITY];
        struct rng rng;
        size_t n_expected = 0;
        rng_init(&rng, 1, "test.index_set", round, 0);
        for (size_t i = 0; i < CAPACITY; i++) {
            expected[i] = false;
        }
        for (uint64_t k = 0; k < round * round * 20; k++) {
            const int32_t index = (int32_t)rng_below(&rng, CAPACITY);
            index_set_add(&set, index);
            n_expected += !expected[index];
            expected[index] = true;
        }
        const size_t n = index_set_drain(&set, members);
        assert_int_equal(n, n_expected);
        for (size_t m = 0; m < n; m++) {
            assert_true(expected[members[m]]);
            assert_true(m == 0 || members[m] > members[m - 1]);
        }
        assert_int_equal(index_set_drain(&set, members), 0);
    }
    index_set_release(&set);
    index_set_release(&set);
}

static void the_first_and_the_last_index_fit_at_every_capacity(void **state)
{
    (void)state;
    const size_t capacities[] = {1, 63, 64, 65, 4095, 4096, 4097};
    for (size_t c = 0; c < sizeof capacities / sizeof capacities[0]; c++) {
        struct status status = {0};
        struct index_set set = {0};
        int32_t members[2];
        assert_int_equal(index_set_init(&set, capacities[c], &status), STATUS_OK);
        index_set_add(&set, (int32_t)capacities[c] - 1);
        index_set_add(&set, 0);
        assert_int_equal(index_set_drain(&set, members), capacities[c] == 1 ? 1 : 2);
        assert_int_equal(members[0], 0);
        assert_true(capacities[c] == 1 || members[1] == (int32_t)capacities[c] - 1);
        index_set_release(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_come_out_once_in_ascending_order),
        cmocka_unit_test(the_first_and_the_last_index_fit_at_every_capacity),
    };
    return cmocka_run_group_tests_name("index_set", tests, NULL, NULL);
}
