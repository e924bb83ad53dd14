/* Log lines: levels, JSON, control bytes, the progress line. */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* What one call wrote; the caller frees it. */
static char *written(struct log log, enum log_level level, const char *text)
{
    char *out = NULL;
    size_t length = 0;
    log.stream = open_memstream(&out, &length);
    assert_non_null(log.stream);
    log_write(&log, level, "%s", text);
    assert_false(log.progress_on_line && level >= log.level);
    (void)fclose(log.stream);
    return out;
}

static void assert_written(struct log log, enum log_level level, const char *text,
                           const char *expected)
{
    char *out = written(log, level, text);
    assert_string_equal(out, expected);
    free(out);
}

static void messages_below_the_level_are_dropped(void **state)
{
    (void)state;
    struct log log = {.level = LOG_INFO};
    assert_written(log, LOG_DEBUG, "hidden", "");
    assert_written(log, LOG_INFO, "said", "said\n");
    assert_written(log, LOG_WARNING, "careful", "warning: careful\n");
    log.level = LOG_SILENT;
    assert_written(log, LOG_WARNING, "careful", "");
    log_write(NULL, LOG_WARNING, "nobody listens");
}

static void warnings_are_kept_without_values_whatever_is_shown(void **state)
{
    (void)state;
    struct strings kept = {0};
    struct log log = {.level = LOG_SILENT, .warnings = &kept};
    log_write(&log, LOG_INFO, "no warning");
    log_write(&log, LOG_WARNING, "user " PRIVATE_BEGIN "ann" PRIVATE_END " is odd");
    assert_int_equal(kept.n, 1);
    assert_true(strings_equal(&kept, 0, "user ... is odd"));
    strings_release(&kept);
}

static void control_bytes_never_reach_the_terminal(void **state)
{
    (void)state;
    struct log log = {.level = LOG_INFO, .progress_on_line = true};
    assert_written(log, LOG_INFO, "a\033[2Jb\nc\td\x7f", "\r\033[Ka?[2Jb c d?\n");
    log.progress_on_line = false;
    assert_written(log, LOG_INFO, "\xc3\xa9 \xc2\x9b \x9b", "\xc3\xa9 ? ?\n");
    log.color = true;
    assert_written(log, LOG_WARNING, "x", "\033[33mwarning: x\033[0m\n");
}

static void json_lines_are_json_whatever_the_bytes(void **state)
{
    (void)state;
    struct log log = {.level = LOG_INFO, .json = true};
    char *out =
        written(log, LOG_WARNING,
                "say \"hi\" \\ \n\x01 \xc3\xa9 \xff \xc0\x80 \xed\xa0\x80 \xf0\x9f \xc2\x9b");
    assert_memory_equal(out, "{\"time\":\"", 9);
    const char *rest = strstr(out, "\",\"level\"");
    assert_non_null(rest);
    assert_string_equal(
        rest, "\",\"level\":\"warning\",\"message\":\"say \\\"hi\\\" \\\\ \\u000a\\u0001 \xc3\xa9 "
              "\\ufffd \\ufffd\\ufffd \\ufffd\\ufffd\\ufffd \\ufffd\\ufffd \\u009b\"}\n");
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_below_the_level_are_dropped),
        cmocka_unit_test(warnings_are_kept_without_values_whatever_is_shown),
        cmocka_unit_test(control_bytes_never_reach_the_terminal),
        cmocka_unit_test(json_lines_are_json_whatever_the_bytes),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
