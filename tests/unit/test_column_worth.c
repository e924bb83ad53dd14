/* A column of side data with its values at the wrong entities. */
#include "training/column_worth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_column_moves_and_the_others_stay(void **state)
{
    (void)state;
    /* tokens 0, 1 | 2, 3, 4 | 5: the middle ones move; row 1 has none of them */
    int64_t offsets[] = {0, 3, 5, 9};
    int32_t columns[] = {0, 2, 5, 1, 5, 0, 3, 4, 5};
    float values[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const struct sparse m = {
        .n_rows = 3, .n_columns = 6, .offsets = offsets, .columns = columns, .values = values};
    static const uint32_t permutation[] = {2, 0, 1};
    static const int64_t expected_offsets[] = {0, 4, 7, 9};
    static const int32_t expected_columns[] = {0, 3, 4, 5, 1, 2, 5, 0, 5};
    static const float expected_values[] = {1, 7, 8, 3, 4, 2, 5, 6, 9};
    struct status status = {0};
    struct sparse out = {0};
    assert_int_equal(column_shuffle(&m, 2, 3, permutation, &out, &status), STATUS_OK);
    assert_memory_equal(out.offsets, expected_offsets, sizeof expected_offsets);
    assert_memory_equal(out.columns, expected_columns, sizeof expected_columns);
    assert_memory_equal(out.values, expected_values, sizeof expected_values);
    sparse_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_column_moves_and_the_others_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
