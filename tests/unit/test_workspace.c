/* One block of work memory for the arrays of a call. */
#include "base/mem.h"
#include "base/workspace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void arrays_lie_apart_each_on_a_cache_line(void **state)
{
    (void)state;
    struct status status = {0};
    struct workspace workspace = {0};
    char *bytes = NULL;
    double *numbers = NULL;
    int32_t *none = NULL;
    workspace_begin(&workspace);
    WORKSPACE_ADD(&workspace, &bytes, 3);
    WORKSPACE_ADD(&workspace, &none, 0);
    WORKSPACE_ZERO(&workspace, &numbers, 5);
    assert_int_equal(workspace_reserve(&workspace, &status), STATUS_OK);
    assert_non_null(none);
    assert_int_equal((uintptr_t)bytes % 64, 0);
    assert_int_equal((uintptr_t)numbers % 64, 0);
    memset(bytes, 7, 3);
    for (size_t i = 0; i < 5; i++) {
        assert_true(numbers[i] == 0.0);
    }
    workspace_release(&workspace);
}

static void a_smaller_call_takes_the_same_block_and_zeroes_what_was_asked(void **state)
{
    (void)state;
    struct status status = {0};
    struct workspace workspace = {0};
    int32_t *first = NULL, *second = NULL;
    for (size_t n = 1000; n > 0; n /= 10) {
        const char *block = workspace.block;
        workspace_begin(&workspace);
        WORKSPACE_ADD(&workspace, &first, n);
        WORKSPACE_ZERO(&workspace, &second, n);
        assert_int_equal(workspace_reserve(&workspace, &status), STATUS_OK);
        assert_true(block == NULL || block == workspace.block);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(second[i], 0);
            first[i] = second[i] = 77;
        }
    }
    workspace_release(&workspace);
    assert_null(workspace.block);
}

static void a_later_phase_keeps_what_was_reserved_before(void **state)
{
    (void)state;
    struct status status = {0};
    struct workspace workspace = {0};
    int32_t *early = NULL, *late = NULL;
    workspace_begin(&workspace);
    WORKSPACE_ZERO(&workspace, &early, 10);
    assert_int_equal(workspace_reserve(&workspace, &status), STATUS_OK);
    for (int32_t i = 0; i < 10; i++) {
        early[i] = i;
    }
    WORKSPACE_ZERO(&workspace, &late, 100000);
    assert_int_equal(workspace_reserve(&workspace, &status), STATUS_OK);
    late[99999] = 1;
    for (int32_t i = 0; i < 10; i++) {
        assert_int_equal(early[i], i);
    }
    workspace_release(&workspace);
}

static void more_than_can_be_counted_is_no_memory(void **state)
{
    (void)state;
    struct status status = {0};
    struct workspace workspace = {0};
    double *numbers = NULL;
    workspace_begin(&workspace);
    WORKSPACE_ADD(&workspace, &numbers, SIZE_MAX / 4);
    assert_int_equal(workspace_reserve(&workspace, &status), STATUS_NO_MEMORY);
    assert_null(numbers);
    workspace_release(&workspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_lie_apart_each_on_a_cache_line),
        cmocka_unit_test(a_smaller_call_takes_the_same_block_and_zeroes_what_was_asked),
        cmocka_unit_test(a_later_phase_keeps_what_was_reserved_before),
        cmocka_unit_test(more_than_can_be_counted_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
