/* option: names, single values, defaults, printing. */
#include "config/option.h"

#include "base/buf.h"
#include "tests/support/config_support.h"

#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct option *row(const char *name)
{
    const struct option *option = option_find(brew_table, name, strlen(name));
    assert_non_null(option);
    return option;
}

/* Parses `text` for the option; the struct must change only on success. */
static bool parse(const char *name, const char *text, struct brew_options *brew,
                  struct arena *arena, char why[512])
{
    struct brew_options before = *brew;
    why[0] = '\0';
    bool good = option_parse(row(name), text, strlen(text), brew, "/etc/nightjar", arena, why, 512);
    if (!good) {
        assert_memory_equal(brew, &before, sizeof before);
        assert_true(why[0] != '\0');
    }
    return good;
}

static void assert_bad(const char *name, const char *text, const char *part)
{
    struct brew_options brew = {.cups = 7, .strength = 0.25, .sweet = 2};
    struct arena arena = {0};
    char why[512];
    assert_false(parse(name, text, &brew, &arena, why));
    if (strstr(why, part) == NULL) {
        fail_msg("%s=%s: \"%s\" does not hold \"%s\"", name, text, why, part);
    }
    arena_release(&arena);
}

static void names_are_found_whole(void **state)
{
    (void)state;
    assert_string_equal(row("cups")->name, "cups");
    assert_null(option_find(brew_table, "cup", 3));
    assert_null(option_find(brew_table, "cupsx", 5));
    assert_ptr_equal(option_find(brew_table, "cupsx", 4), row("cups"));
    assert_null(option_find(brew_table, "", 0));
}

static void the_nearest_name_is_within_a_third_of_the_length(void **state)
{
    static const char *const names[] = {"epochs", "dimension", "tau"};
    (void)state;
    assert_string_equal(nearest_name(names, 3, "epoch", 5), "epochs");
    assert_string_equal(nearest_name(names, 3, "peochs", 6), "epochs"); /* swapped: one edit */
    assert_string_equal(nearest_name(names, 3, "Dimensoin", 9), "dimension");
    assert_string_equal(nearest_name(names, 3, "tua", 3), "tau");
    assert_null(nearest_name(names, 3, "xyz", 3));
    assert_null(nearest_name(names, 3, "", 0));
    assert_null(nearest_name(names, 3, "epxyzs", 6)); /* three edits of six letters */
    assert_string_equal(nearest_name(names, 3, "epxyhs", 6), "epochs");
    assert_string_equal(option_nearest(brew_table, "strenght", 8), "strength");
    assert_null(option_nearest(brew_table, "unheard_of", 10));
}

static void an_endless_name_has_no_neighbour(void **state)
{
    char name[5000];
    (void)state;
    memset(name, 'a', sizeof name);
    assert_null(option_nearest(brew_table, name, sizeof name));
}

static void every_single_type_is_parsed(void **state)
{
    struct brew_options brew = {0};
    struct arena arena = {0};
    char why[512];
    (void)state;
    assert_true(parse("cups", "100", &brew, &arena, why));
    assert_int_equal(brew.cups, 100);
    assert_true(parse("strength", "1e-1", &brew, &arena, why));
    assert_true(brew.strength == 0.1);
    assert_true(parse("iced", "true", &brew, &arena, why));
    assert_true(brew.iced);
    assert_true(parse("heat", "80.5", &brew, &arena, why));
    assert_true(brew.heat == 80.5);
    assert_true(parse("heat", "auto", &brew, &arena, why));
    assert_true(isnan(brew.heat));
    assert_true(parse("half_life", "36h", &brew, &arena, why));
    assert_true(brew.half_life == 36 * 3600.0);
    assert_true(parse("cache", "2G", &brew, &arena, why));
    assert_int_equal(brew.cache, INT64_C(2) << 30);
    assert_true(parse("since", "2026-01-02", &brew, &arena, why));
    assert_int_equal(brew.since, 1767312000);
    assert_true(parse("since", "1767312001", &brew, &arena, why));
    assert_int_equal(brew.since, 1767312001);
    assert_true(parse("title", "", &brew, &arena, why));
    assert_string_equal(brew.title, "");
    assert_true(parse("sweet", "syrup", &brew, &arena, why));
    assert_int_equal(brew.sweet, SWEET_SYRUP);
    arena_release(&arena);
}

static void paths_start_at_the_folder_unless_absolute(void **state)
{
    struct brew_options brew = {0};
    struct arena arena = {0};
    char why[512];
    (void)state;
    assert_true(parse("file", "a/b.csv", &brew, &arena, why));
    assert_string_equal(brew.file, "/etc/nightjar/a/b.csv");
    assert_true(parse("file", "/a.csv", &brew, &arena, why));
    assert_string_equal(brew.file, "/a.csv");
    assert_true(option_parse(row("file"), "a.csv", 5, &brew, ".", &arena, why, sizeof why));
    assert_string_equal(brew.file, "a.csv");
    assert_true(option_parse(row("file"), "a.csv", 5, &brew, "/", &arena, why, sizeof why));
    assert_string_equal(brew.file, "/a.csv");
    arena_release(&arena);
    assert_bad("file", "", "is empty");
    assert_bad("file", "~/a.csv", "${HOME}");
}

static void what_is_not_allowed_says_what_is(void **state)
{
    (void)state;
    assert_bad("cups", "0", "\"0\" is out of range; allowed: a whole number from 1 to 100 cups");
    assert_bad("cups", "101", "out of range");
    assert_bad("cups", "1.5", "is not a whole number");
    assert_bad("cups", "many", "is not a number");
    assert_bad("cups", "99999999999999999999", "is not a whole number");
    assert_bad("strength", "1.01", "out of range; allowed: a number from 0 to 1");
    assert_bad("strength", ".nan", "is not a finite number");
    assert_bad("strength", "-.inf", "is not a finite number");
    assert_bad("strength", "NaN", "is not a finite number");
    assert_bad("strength", "1e999", "is not a number");
    assert_bad("iced", "yes", "is not a boolean; allowed: true or false");
    assert_bad("iced", "True", "is not a boolean");
    assert_bad("heat", "nan", "is not a finite number; allowed: auto or a number from 0 to 100");
    assert_bad("heat", "Auto", "is not a number");
    assert_bad("half_life", "30", "has no unit; allowed: a duration");
    assert_bad("half_life", "30y", "is not a duration");
    assert_bad("cache", "12Q", "is not a size");
    assert_bad("since", "2026-02-30", "is not a time");
    assert_bad("sweet", "sugr", "did you mean \"sugar\"?; allowed: one of honey, sugar, syrup");
    assert_bad("sweet", "salt and pepper", "is unknown; allowed: one of honey, sugar, syrup");
}

static void defaults_fill_every_type_and_nested_groups(void **state)
{
    struct brew_options brew = {0};
    struct arena arena = {0};
    struct status status = {0};
    (void)state;
    assert_int_equal(option_defaults(brew_table, &brew, &arena, &status), STATUS_OK);
    assert_int_equal(brew.cups, 4);
    assert_true(brew.strength == 0.5);
    assert_true(brew.iced);
    assert_true(isnan(brew.heat));
    assert_true(brew.half_life == 30 * 86400.0);
    assert_int_equal(brew.cache, 64 << 20);
    assert_true(brew.since == INT64_MIN);
    assert_null(brew.title);
    assert_null(brew.file);
    assert_int_equal(brew.sweet, SWEET_SUGAR);
    assert_int_equal(brew.metrics.n, 2);
    assert_string_equal(brew.metrics.values[1], "ndcg@20");
    assert_int_equal(brew.weights.n, 0);
    assert_false(brew.split.given);
    assert_true(brew.split.test == 7 * 86400.0);
    assert_int_equal(brew.gate.n, 0);
    arena_release(&arena);
}

static void a_default_outside_its_own_range_is_our_bug(void **state)
{
    const struct option number[] = {
        {.name = "n", .type = OPTION_INT, .default_text = "5", .min = 1, .max = 4}, {.name = NULL}};
    const struct option list[] = {{.name = "l", .type = OPTION_TEXT_LIST, .default_text = "{a: 1}"},
                                  {.name = NULL}};
    int64_t n = 0;
    struct option_texts texts = {0};
    struct arena arena = {0};
    struct status status = {0};
    (void)state;
    assert_int_equal(option_defaults(number, &n, &arena, &status), STATUS_INTERNAL);
    assert_int_equal(n, 0);
    status_clear(&status);
    assert_int_equal(option_defaults(list, &texts, &arena, &status), STATUS_INTERNAL);
    assert_non_null(strstr(status.message, "\"l\""));
    assert_int_equal(texts.n, 0);
    arena_release(&arena);
}

static void printing_is_one_canonical_line_an_option(void **state)
{
    static const char *const names[] = {"view", "b\"uy"};
    static const double values[] = {1, 0.1};
    static const char *const rule_names[] = {"ndcg@20"};
    struct brew_rule rules[] = {{.over = 1.25, .label = NULL}};
    struct brew_options brew = {0};
    struct arena arena = {0};
    struct status status = {0};
    struct buf out = {0};
    (void)state;
    assert_int_equal(option_defaults(brew_table, &brew, &arena, &status), STATUS_OK);
    brew.title = "two\nlines\\";
    brew.half_life = 5400;
    brew.weights = (struct option_numbers){.n = 2, .names = names, .values = values};
    brew.split.given = true;
    brew.gate = (struct option_groups){.n = 1, .names = rule_names, .values = rules};
    option_print(brew_table, &brew, &out);
    assert_string_equal(buf_text(&out), "cups=4\n"
                                        "strength=0.5\n"
                                        "iced=true\n"
                                        "heat=auto\n"
                                        "half_life=90m\n"
                                        "cache=67108864\n"
                                        "since=none\n"
                                        "title=\"two\\x0alines\\\\\"\n"
                                        "file=none\n"
                                        "sweet=sugar\n"
                                        "metrics=[\"recall@20\", \"ndcg@20\"]\n"
                                        "weights={\"view\": 1, \"b\\\"uy\": 0.1}\n"
                                        "columns={}\n"
                                        "split=given\n"
                                        "split.valid=0s\n"
                                        "split.test=7d\n"
                                        "gate=1\n"
                                        "gate.ndcg@20.over=1.25\n"
                                        "gate.ndcg@20.label=none\n");

    struct brew_options usual = {0};
    assert_int_equal(option_defaults(brew_table, &usual, &arena, &status), STATUS_OK);
    buf_clear(&out);
    assert_int_equal(option_print_changed(brew_table, &brew, &usual, &out, &status), STATUS_OK);
    assert_string_equal(buf_text(&out), "half_life=90m\n"
                                        "title=\"two\\x0alines\\\\\"\n"
                                        "weights={\"view\": 1, \"b\\\"uy\": 0.1}\n"
                                        "split={}\n"
                                        "gate.ndcg@20.over=1.25\n");
    buf_release(&out);
    arena_release(&arena);
}

static void numbers_print_in_the_unit_of_the_file(void **state)
{
    static const struct {
        enum option_type type;
        double value;
        const char *text;
    } cases[] = {{OPTION_DURATION, 2592000, "30d"}, {OPTION_DURATION, 86400 * 1.5, "36h"},
                 {OPTION_DURATION, 61, "61s"},      {OPTION_DURATION, 0.5, "0.5s"},
                 {OPTION_DURATION, 0, "0s"},        {OPTION_BYTES, 1048576, "1M"},
                 {OPTION_BYTES, 1000, "1000"},      {OPTION_BYTES, 0, "0"},
                 {OPTION_FLOAT, 0.1, "0.1"}};
    char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        option_format_number(cases[i].type, cases[i].value, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void a_duration_may_be_left_to_the_data(void **state)
{
    struct wait {
        double time;
    } wait = {1};
    const struct option row = OPT_AUTO_DURATION(wait, "time", time, NULL, 60, 7200, "Waiting.");
    char why[512];
    struct buf allowed = {0};
    (void)state;
    assert_false(option_parse(&row, "90", 2, &wait, NULL, NULL, why, sizeof why));
    assert_non_null(strstr(why, "has no unit"));
    assert_false(option_parse(&row, "3h", 2, &wait, NULL, NULL, why, sizeof why));
    assert_non_null(strstr(why, "auto or a duration with its unit"));
    assert_non_null(strstr(why, "from 1m to 2h"));
    assert_true(wait.time == 1);
    assert_true(option_parse(&row, "90m", 3, &wait, NULL, NULL, why, sizeof why));
    assert_true(wait.time == 5400);
    assert_true(option_parse(&row, "auto", 4, &wait, NULL, NULL, why, sizeof why));
    assert_true(isnan(wait.time));
    option_print((const struct option[]){row, OPT_END}, &wait, &allowed);
    assert_string_equal(buf_text(&allowed), "time=auto\n");
    buf_release(&allowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duration_may_be_left_to_the_data),
        cmocka_unit_test(names_are_found_whole),
        cmocka_unit_test(the_nearest_name_is_within_a_third_of_the_length),
        cmocka_unit_test(an_endless_name_has_no_neighbour),
        cmocka_unit_test(every_single_type_is_parsed),
        cmocka_unit_test(paths_start_at_the_folder_unless_absolute),
        cmocka_unit_test(what_is_not_allowed_says_what_is),
        cmocka_unit_test(defaults_fill_every_type_and_nested_groups),
        cmocka_unit_test(a_default_outside_its_own_range_is_our_bug),
        cmocka_unit_test(printing_is_one_canonical_line_an_option),
        cmocka_unit_test(numbers_print_in_the_unit_of_the_file),
    };
    return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
