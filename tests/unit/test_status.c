/* The error value: first error wins, context, places. */
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void the_first_error_is_kept(void **state)
{
    (void)state;
    struct status status = {0};
    assert_int_equal(status_set(&status, STATUS_DATA, "row %d", 7), STATUS_DATA);
    assert_int_equal(status_set_at(&status, STATUS_IO, "x.db", 3, 4, "disk"), STATUS_DATA);
    assert_int_equal(status.code, STATUS_DATA);
    assert_string_equal(status.message, "row 7");
    assert_string_equal(status.file, "");
    assert_int_equal(status.line, 0);
}

static void context_stands_before_the_message(void **state)
{
    (void)state;
    struct status status = {0};
    assert_int_equal(status_add_context(&status, "nothing"), STATUS_OK);
    assert_string_equal(status.message, "");
    (void)status_set(&status, STATUS_DATA, "bad id");
    assert_int_equal(status_add_context(&status, "stage %s", "pairs"), STATUS_DATA);
    assert_int_equal(status_add_context(&status, "run"), STATUS_DATA);
    assert_string_equal(status.message, "run: stage pairs: bad id");
}

static void a_message_that_is_too_long_is_cut(void **state)
{
    (void)state;
    struct status status = {0};
    static char longer[STATUS_MESSAGE_MAX + 100];
    memset(longer, 'x', sizeof longer - 1);
    (void)status_set(&status, STATUS_DATA, "%s", longer);
    assert_int_equal(strlen(status.message), STATUS_MESSAGE_MAX - 1);
    (void)status_add_context(&status, "%s", longer);
    assert_int_equal(strlen(status.message), STATUS_MESSAGE_MAX - 1);
    (void)status_add_context(&status, "here");
    assert_memory_equal(status.message, "here: xx", 8);
    assert_int_equal(strlen(status.message), STATUS_MESSAGE_MAX - 1);
}

static void known_parts_of_the_place_are_printed(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        size_t line, column;
        const char *expected;
    } cases[] = {{"a.yaml", 3, 9, "a.yaml:3:9: wrong"},
                 {"a.csv", 3, 0, "a.csv:3: wrong"},
                 {"a.db", 0, 0, "a.db: wrong"},
                 {NULL, 0, 0, "wrong"},
                 {NULL, 4, 2, "4:2: wrong"},
                 {"a.db", 0, 2, "a.db: wrong"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct status status = {0};
        char out[64];
        (void)status_set_at(&status, STATUS_CONFIG, cases[i].file, cases[i].line, cases[i].column,
                            "wrong");
        status_format(&status, out, sizeof out);
        assert_string_equal(out, cases[i].expected);
        status_format(&status, out, 5);
        assert_int_equal(strlen(out), 4);
        status_clear(&status);
        assert_int_equal(status.code, STATUS_OK);
        assert_string_equal(status.message, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_error_is_kept),
        cmocka_unit_test(context_stands_before_the_message),
        cmocka_unit_test(a_message_that_is_too_long_is_cut),
        cmocka_unit_test(known_parts_of_the_place_are_printed),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
