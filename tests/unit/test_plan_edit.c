/* plan_edit: single values changed in the text of a pipeline file, everything else as it was. */
#include "tuning/plan_edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { SETTINGS_MAX = 4 };

static void edit_gives(const char *before, const char *after, const char *const *settings)
{
    struct status status = {0};
    struct buf text = {0};
    size_t n = 0;
    while (n < SETTINGS_MAX && settings[n] != NULL) {
        n++;
    }
    buf_add_text(&text, before);
    if (plan_edit(&text, "shop.yaml", settings, n, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
    assert_string_equal(buf_text(&text), after);
    buf_release(&text);
}

#define EDIT(before, after, ...)                                                                   \
    edit_gives((before), (after), (const char *const[SETTINGS_MAX]){__VA_ARGS__})

static void a_value_that_is_there_is_replaced(void **state)
{
    (void)state;
    EDIT("# who\nstages:\n  - train:\n      rate: 0.5   # why\n      other: 1\n",
         "# who\nstages:\n  - train:\n      rate: 0.25   # why\n      other: 1\n",
         "stages.train.rate=0.25");
    EDIT("stages: [{train: {rate: 0.5, other: 1}}]", "stages: [{train: {rate: 7, other: 2}}]",
         "stages.train.rate=7", "stages.train.other=2");
    EDIT("stages:\n  - train: {rate: \"${RATE:-\\\"1}\", n: 'it''s'}\n",
         "stages:\n  - train: {rate: 3, n: 4}\n", "stages.train.rate=3", "stages.train.n=4");
    EDIT("t: \"\xc3\xa4\"\nstages:\n  - tr: {\xc3\xa4: \xe2\x82\xac, rate: 0.5}\n",
         "t: \"\xc3\xa4\"\nstages:\n  - tr: {\xc3\xa4: \xe2\x82\xac, rate: 3}\n",
         "stages.tr.rate=3");
}

static void a_missing_value_is_put_in_front_of_its_neighbours(void **state)
{
    (void)state;
    EDIT("stages:\n  - train:\n      # first\n      epochs: 3\n  - last\n",
         "stages:\n  - train:\n      # first\n      a: 1\n      b: 2\n      epochs: 3\n  - last\n",
         "stages.train.a=1", "stages.train.b=2");
    EDIT("stages:\r\n  - train:\r\n      epochs: 3\r\n",
         "stages:\r\n  - train:\r\n      a: 1\r\n      epochs: 3\r\n", "stages.train.a=1");
    EDIT("stages:\n  - train: {epochs: 3}\n", "stages:\n  - train: {a: 1, epochs: 3}\n",
         "stages.train.a=1");
    EDIT("stages:\n  - train: {co: {x: 1}}\n", "stages:\n  - train: {co: {w: 0.5, x: 1}}\n",
         "stages.train.co.w=0.5");
}

static void an_empty_stage_or_group_gets_a_map(void **state)
{
    (void)state;
    EDIT("stages:\n  - train\n", "stages:\n  - train: {co: {w: 1}}\n", "stages.train.co.w=1");
    EDIT("stages:\n  - train: # all default\n  - last\n",
         "stages:\n  - train: {a: 1} # all default\n  - last\n", "stages.train.a=1");
    EDIT("stages:\n  - train: {}\n", "stages:\n  - train: {b: 2, a: 1}\n", "stages.train.b=2",
         "stages.train.a=1");
    EDIT("stages:\n  - train: {co: ~}\n", "stages:\n  - train: {co: {w: 1}}\n",
         "stages.train.co.w=1");
    EDIT("stages:\n  - train: {co: {}, n: 1}\n", "stages:\n  - train: {co: {w: 1}, n: 1}\n",
         "stages.train.co.w=1");
}

static void a_label_finds_the_second_of_a_name(void **state)
{
    (void)state;
    EDIT("stages:\n  - load: {n: 1}\n  - load: {n: 1}\n",
         "stages:\n  - load: {n: 1}\n  - load: {n: 9}\n", "stages.load.2.n=9");
}

static void a_value_over_several_lines_is_refused(void **state)
{
    (void)state;
    static const char before[] = "stages:\n  - train:\n      rate: >\n        0.5\n";
    const char *const settings[] = {"stages.train.rate=0.25"};
    struct status status = {0};
    struct buf text = {0};
    buf_add_text(&text, before);
    assert_int_equal(plan_edit(&text, "shop.yaml", settings, 1, &status), STATUS_CONFIG);
    assert_string_equal(status.file, "shop.yaml");
    assert_int_equal(status.line, 3);
    assert_int_equal(status.column, 13);
    assert_non_null(strstr(status.message, "stages.train.rate=0.25"));
    assert_string_equal(buf_text(&text), before);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_that_is_there_is_replaced),
        cmocka_unit_test(a_missing_value_is_put_in_front_of_its_neighbours),
        cmocka_unit_test(an_empty_stage_or_group_gets_a_map),
        cmocka_unit_test(a_label_finds_the_second_of_a_name),
        cmocka_unit_test(a_value_over_several_lines_is_refused),
    };
    return cmocka_run_group_tests_name("plan_edit", tests, NULL, NULL);
}
