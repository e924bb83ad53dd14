/* Command lines: what is accepted, what is refused and with which words, and the help. */
#include "commands/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct command_flag flags[] = {
    {.name = "--set", .value = "PATH=VALUE", .repeatable = true, .help = "override"},
    {.name = "--from", .value = "STAGE", .help = "start there"},
    {.name = "--force", .help = "redo"},
    {.name = NULL}};

static const struct command command = {.name = "cook",
                                       .summary = "cooks",
                                       .usage = "CONFIG [options]",
                                       .description = "Cooks a meal.",
                                       .min_arguments = 1,
                                       .max_arguments = 2,
                                       .flags = flags};

/* Parses and asserts success. */
static struct command_line parsed(size_t n, const char *const *words)
{
    struct command_line line;
    struct status status = {0};
    char *copies[16];
    for (size_t i = 0; i < n; i++) {
        copies[i] = (char *)(uintptr_t)words[i];
    }
    assert_int_equal(command_parse(&command, (int)n, copies, &line, &status), STATUS_OK);
    assert_int_equal(status.code, STATUS_OK);
    return line;
}

static void assert_refused(size_t n, const char *const *words, const char *message)
{
    struct command_line line;
    struct status status = {0};
    char *copies[16];
    for (size_t i = 0; i < n; i++) {
        copies[i] = (char *)(uintptr_t)words[i];
    }
    assert_int_equal(command_parse(&command, (int)n, copies, &line, &status), STATUS_USAGE);
    assert_int_equal(status.code, STATUS_USAGE);
    if (strstr(status.message, message) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", status.message, message);
    }
}

#define PARSED(...)                                                                                \
    parsed(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})
#define ASSERT_REFUSED(message, ...)                                                               \
    assert_refused(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *),                         \
                   (const char *[]){__VA_ARGS__}, message)

static void values_stand_behind_a_flag_or_an_equals_sign(void **state)
{
    (void)state;
    struct command_line line =
        PARSED("--set", "a=1", "shop.yaml", "--set=b=2", "--from=train", "--force");
    size_t n;
    const char *const *values = command_flag_values(&line, "--set", &n);
    assert_int_equal(n, 2);
    assert_string_equal(values[0], "a=1");
    assert_string_equal(values[1], "b=2");
    assert_string_equal(command_flag_value(&line, "--from"), "train");
    assert_int_equal(command_flag_count(&line, "--force"), 1);
    assert_int_equal(line.n_arguments, 1);
    assert_string_equal(line.arguments[0], "shop.yaml");
}

static void flags_that_are_not_given_have_no_value(void **state)
{
    (void)state;
    struct command_line line = PARSED("shop.yaml");
    assert_null(command_flag_value(&line, "--from"));
    assert_int_equal(command_flag_count(&line, "--force"), 0);
}

static void everything_behind_two_dashes_is_an_argument(void **state)
{
    (void)state;
    struct command_line line = PARSED("--", "--force", "--");
    assert_int_equal(line.n_arguments, 2);
    assert_string_equal(line.arguments[0], "--force");
    assert_string_equal(line.arguments[1], "--");
    assert_int_equal(command_flag_count(&line, "--force"), 0);
}

static void a_single_dash_and_a_negative_value_are_no_flags(void **state)
{
    (void)state;
    struct command_line line = PARSED("-", "--from", "-5");
    assert_string_equal(line.arguments[0], "-");
    assert_string_equal(command_flag_value(&line, "--from"), "-5");
}

static void an_unknown_flag_names_the_nearest(void **state)
{
    (void)state;
    ASSERT_REFUSED("unknown option \"--forse\"; did you mean --force?", "shop.yaml", "--forse");
    ASSERT_REFUSED("did you mean --help?", "shop.yaml", "--hepl");
    ASSERT_REFUSED("`nightjar cook --help` lists all", "shop.yaml", "--zzzzzzzz=3");
    ASSERT_REFUSED("unknown option \"-x\"", "shop.yaml", "-x");
}

static void values_that_are_missing_or_too_many_are_refused(void **state)
{
    (void)state;
    ASSERT_REFUSED("--from needs a value (STAGE)", "shop.yaml", "--from");
    ASSERT_REFUSED("--from needs a value (STAGE)", "shop.yaml", "--from", "--force");
    ASSERT_REFUSED("--force takes no value, but has \"yes\"", "shop.yaml", "--force=yes");
    ASSERT_REFUSED("given twice (\"a\" and \"b\")", "shop.yaml", "--from", "a", "--from=b");
}

static void the_number_of_arguments_is_checked(void **state)
{
    (void)state;
    ASSERT_REFUSED("0 arguments given, 1 needed; usage: nightjar cook CONFIG", "--force");
    ASSERT_REFUSED("\"c\" is one argument too many", "a", "b", "c");
}

static void too_many_values_are_refused(void **state)
{
    (void)state;
    struct command_line line;
    struct status status = {0};
    char word[] = "--set=a=1", *words[COMMAND_VALUES_MAX + 1];
    for (size_t i = 0; i <= COMMAND_VALUES_MAX; i++) {
        words[i] = word;
    }
    assert_int_equal(command_parse(&command, COMMAND_VALUES_MAX + 1, words, &line, &status),
                     STATUS_USAGE);
    assert_non_null(strstr(status.message, "more than 64 times"));
}

static void numbers_are_held_to_their_range(void **state)
{
    (void)state;
    struct status status = {0};
    int64_t value = 7;
    struct command_line line = PARSED("x");
    assert_int_equal(command_flag_int64(&line, "--from", 1, 9, &value, &status), STATUS_OK);
    assert_int_equal(value, 7);
    line = PARSED("x", "--from=9");
    assert_int_equal(command_flag_int64(&line, "--from", 1, 9, &value, &status), STATUS_OK);
    assert_int_equal(value, 9);
    const char *bad[] = {"--from=0", "--from=10", "--from=3x", "--from=", "--from=1e1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        status_clear(&status);
        line = PARSED("x", bad[i]);
        assert_int_equal(command_flag_int64(&line, "--from", 1, 9, &value, &status), STATUS_USAGE);
        assert_non_null(strstr(status.message, "a whole number from 1 to 9 is allowed"));
        assert_int_equal(value, 9);
    }
}

static void help_shows_usage_and_every_flag(void **state)
{
    (void)state;
    char text[4096] = "";
    FILE *out = tmpfile();
    assert_non_null(out);
    command_print_help(&command, out);
    rewind(out);
    size_t length = fread(text, 1, sizeof text - 1, out);
    text[length] = '\0';
    fclose(out);
    assert_non_null(strstr(text, "usage: nightjar cook CONFIG [options]\n\nCooks a meal.\n"));
    assert_non_null(strstr(text, "  --set PATH=VALUE        override\n"));
    assert_non_null(strstr(text, "  --force                 redo\n"));
    assert_non_null(strstr(text, "  --help "));
}

static void a_full_disk_under_stdout_is_reported(void **state)
{
    (void)state;
    struct status status = {0};
    FILE *full = fopen("/dev/full", "w");
    if (full == NULL) {
        skip();
    }
    fputs("data\n", full);
    assert_int_equal(command_flush(full, &status), STATUS_IO);
    assert_non_null(strstr(status.message, "cannot write to standard output"));
    fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_stand_behind_a_flag_or_an_equals_sign),
        cmocka_unit_test(flags_that_are_not_given_have_no_value),
        cmocka_unit_test(everything_behind_two_dashes_is_an_argument),
        cmocka_unit_test(a_single_dash_and_a_negative_value_are_no_flags),
        cmocka_unit_test(an_unknown_flag_names_the_nearest),
        cmocka_unit_test(values_that_are_missing_or_too_many_are_refused),
        cmocka_unit_test(the_number_of_arguments_is_checked),
        cmocka_unit_test(too_many_values_are_refused),
        cmocka_unit_test(numbers_are_held_to_their_range),
        cmocka_unit_test(help_shows_usage_and_every_flag),
        cmocka_unit_test(a_full_disk_under_stdout_is_reported),
    };
    return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
