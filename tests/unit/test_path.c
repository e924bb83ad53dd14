/* base/path: whether two paths mean one file. */
#include "base/path.h"

#include "base/mem.h"
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

static void a_file_has_one_absolute_name(void **state)
{
    char file[STORE_PATH_MAX], folder[STORE_PATH_MAX], here[4096];
    char *first = NULL, *second = NULL, *third = NULL;
    struct status status = {0};
    store_path(state, "shop.db", file); /* which is not there */
    store_path(state, "", folder);
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(path_absolute(file, &first, &status), STATUS_OK);
    assert_int_equal(first[0], '/');
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(path_absolute("shop.db", &second, &status), STATUS_OK);
    assert_int_equal(path_absolute("./../missing/shop.db", &third, &status), STATUS_OK);
    assert_int_equal(chdir(here), 0);
    assert_string_equal(first, second);
    assert_string_equal(third, "./../missing/shop.db");
    mem_free(first);
    mem_free(second);
    mem_free(third);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_link_and_its_target_are_one_file),
        TEST(two_files_of_equal_contents_are_not_one),
        TEST(missing_files_are_one_only_by_their_name),
        TEST(a_file_has_one_absolute_name),
    };
    return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
