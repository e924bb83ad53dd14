/* describe: what the tables say as text, as Markdown and as a JSON Schema. */
#include "config/describe.h"

#include "tests/support/config_support.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static void assert_holds(const struct buf *text, const char *part)
{
    if (strstr(buf_text(text), part) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", part, buf_text(text));
    }
}

static const struct stage *stage(size_t index)
{
    return config_registry.stages[index];
}

static void a_stage_is_described_with_every_option(void **state)
{
    struct buf out = {0};
    (void)state;
    describe_text(&config_registry, stage(1), &out);
    assert_holds(&out, "brew\n  Makes tea of rows.\n");
    assert_holds(&out, "Reads\n  rows                what was loaded\n");
    assert_holds(&out, "Writes\n  tea ");
    for (const struct option *o = stage(1)->options; o->name != NULL; o++) {
        assert_holds(&out, o->name);
        assert_holds(&out, o->help);
    }
    assert_holds(&out, "  cups                a whole number from 1 to 100 cups; default 4\n");
    assert_holds(&out, "  sweet               one of honey, sugar, syrup; default sugar\n");
    assert_holds(&out, "  split.valid         a duration");
    assert_holds(&out, "; required\n");
    assert_holds(&out, "  gate.NAME.over      a number from 0 to 10; default 1\n");
    buf_release(&out);
}

static void the_list_holds_every_stage_and_the_top_level(void **state)
{
    struct buf out = {0};
    (void)state;
    describe_text(&config_registry, NULL, &out);
    for (size_t i = 0; config_registry.stages[i] != NULL; i++) {
        assert_holds(&out, stage(i)->name);
        assert_holds(&out, stage(i)->summary);
    }
    assert_holds(&out, "source.database");
    assert_holds(&out, "stages ");
    buf_release(&out);
}

static void text_lines_are_short_enough_for_a_terminal(void **state)
{
    struct buf out = {0};
    (void)state;
    describe_text(&config_registry, NULL, &out);
    describe_text(&config_registry, stage(1), &out);
    for (const char *line = buf_text(&out); *line != '\0';) {
        size_t length = strcspn(line, "\n");
        assert_in_range(length, 0, 110);
        line += length + (line[length] == '\n');
    }
    buf_release(&out);
}

static void a_stage_without_options_says_so(void **state)
{
    struct buf out = {0};
    (void)state;
    describe_text(&config_registry, stage(2), &out);
    assert_holds(&out, "Options\n  none\n");
    assert_holds(&out, "(when there is one)");
    buf_release(&out);
}

static void the_page_has_a_row_an_option_and_escapes_bars(void **state)
{
    struct buf out = {0};
    (void)state;
    describe_markdown(&config_registry, &out);
    assert_holds(&out, "\n## brew\n\nMakes tea of rows.\n");
    assert_holds(&out, "| `cups` | a whole number from 1 to 100 cups | `4` | How many cups. |\n");
    assert_holds(&out,
                 "| `strength` | a number from 0 to 1 | `0.5` | Share of leaves \\| water. |");
    assert_holds(&out, "| `file` | a path, relative ones starting at the configuration's folder | "
                       "required | What to load. |");
    assert_holds(&out, "| `split.valid` | ");
    assert_holds(&out, "| `source.database` | ");
    buf_release(&out);
}

static void the_schema_holds_types_ranges_and_choices(void **state)
{
    struct buf out = {0};
    struct status status = {0};
    (void)state;
    assert_int_equal(describe_schema(&config_registry, &out, &status), STATUS_OK);
    assert_holds(&out, "\"http://json-schema.org/draft-07/schema#\"");
    assert_holds(&out, "\"minimum\":\t1,\n");
    assert_holds(&out, "\"maximum\":\t100\n");
    assert_holds(&out, "[\"honey\", \"sugar\", \"syrup\"]");
    assert_holds(&out, "\"additionalProperties\":\tfalse");
    assert_holds(&out, "\"required\":\t[\"pipeline\", \"stages\"]");
    assert_holds(&out, "\"$ref\":\t\"#/definitions/variable\"");
    /* load needs its file: its bare name is no entry */
    assert_holds(&out, "\"enum\":\t[\"brew\", \"pour\", \"farm\"]");
    assert_int_equal(buf_text(&out)[out.length - 1], '\n');
    buf_release(&out);
}

static void describing_twice_gives_the_same_bytes(void **state)
{
    struct buf first = {0};
    struct buf second = {0};
    struct status status = {0};
    (void)state;
    assert_int_equal(describe_schema(&config_registry, &first, &status), STATUS_OK);
    assert_int_equal(describe_schema(&config_registry, &second, &status), STATUS_OK);
    assert_string_equal(buf_text(&first), buf_text(&second));
    buf_release(&first);
    buf_release(&second);
}

static void what_tune_tries_is_told_everywhere(void **state)
{
    static const struct option table[] = {{.name = "heat",
                                           .type = OPTION_FLOAT,
                                           .default_text = "1",
                                           .search = "0.1..5 log",
                                           .help = "Degrees."},
                                          {.name = NULL}};
    static const struct stage oven = {.name = "oven", .summary = "Bakes.", .options = table};
    static const struct stage *const stages[] = {&oven, NULL};
    static const struct stage_registry registry = {stages};
    struct buf out = {0};
    struct status status = {0};
    (void)state;
    describe_text(&registry, &oven, &out);
    assert_holds(&out, "a number; default 1; tune tries 0.1..5 log\n");
    buf_clear(&out);
    describe_markdown(&registry, &out);
    assert_holds(&out, "| Degrees. `tune` tries 0.1..5 log. |");
    buf_clear(&out);
    assert_int_equal(describe_schema(&registry, &out, &status), STATUS_OK);
    assert_holds(&out, "Default: 1. `nightjar tune` tries: 0.1..5 log.");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stage_is_described_with_every_option),
        cmocka_unit_test(the_list_holds_every_stage_and_the_top_level),
        cmocka_unit_test(text_lines_are_short_enough_for_a_terminal),
        cmocka_unit_test(a_stage_without_options_says_so),
        cmocka_unit_test(the_page_has_a_row_an_option_and_escapes_bars),
        cmocka_unit_test(the_schema_holds_types_ranges_and_choices),
        cmocka_unit_test(what_tune_tries_is_told_everywhere),
        cmocka_unit_test(describing_twice_gives_the_same_bytes),
    };
    return cmocka_run_group_tests_name("describe", tests, NULL, NULL);
}
