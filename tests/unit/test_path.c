/* base/path: whether two paths mean one file. */
#include "base/path.h"

#include "tests/support/store_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static void a_link_and_its_target_are_one_file(void **state)
{
    char target[STORE_PATH_MAX], link_path[STORE_PATH_MAX];
    store_path(state, "target", target);
    store_path(state, "link", link_path);
    store_write_file(target, "x", 1);
    assert_int_equal(symlink(target, link_path), 0);
    assert_true(path_same_file(target, link_path));
    assert_true(path_same_file(link_path, target));
}

static void two_files_of_equal_contents_are_not_one(void **state)
{
    char first[STORE_PATH_MAX], second[STORE_PATH_MAX];
    store_path(state, "first", first);
    store_path(state, "second", second);
    store_write_file(first, "x", 1);
    store_write_file(second, "x", 1);
    assert_false(path_same_file(first, second));
}

static void missing_files_are_one_only_by_their_name(void **state)
{
    char here[STORE_PATH_MAX], there[STORE_PATH_MAX];
    store_path(state, "here", here);
    store_path(state, "there", there);
    assert_true(path_same_file(here, here));
    assert_false(path_same_file(here, there));
    assert_false(path_same_file(here, NULL));
    assert_false(path_same_file(NULL, NULL));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_link_and_its_target_are_one_file),
        TEST(two_files_of_equal_contents_are_not_one),
        TEST(missing_files_are_one_only_by_their_name),
    };
    return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
