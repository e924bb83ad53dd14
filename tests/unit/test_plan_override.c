/* plan: --set on top of a file. */
#include "config/plan.h"

#include "tests/support/config_support.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#define HEAD "pipeline: shop\n"
#define LOAD "  - load: {file: a.csv}\n"

/* The pipeline that the overrides work on. */
static const char *const base_file = HEAD "stages:\n" LOAD "  - load: {file: b.csv}\n"
                                          "  - brew: {cups: 2, weights: {view: 1}}\n"
                                          "  - pour\n";

static void overrides_replace_and_add_values(void **state)
{
    static const char *const overrides[] = {
        "seed=9",
        "output.keep=8",
        "stages.load.2.file=c.csv",
        "stages.brew.cups=3",
        "stages.brew.title=no: 5 $HOME",
        "stages.brew.split.valid=3d",
        "stages.brew.weights.purchase.now=4",
        "stages.brew.gate.ndcg@20.over=2",
        "stages.brew.metrics=[hit@10, recall@20]",
        "stages.brew.cups=5",
    };
    struct status status = {0};
    struct plan *plan = NULL;
    char path[CONFIG_PATH_MAX];
    const char *file = config_write(state, base_file, strlen(base_file));
    if (plan_load(file, &config_registry, overrides, sizeof overrides / sizeof *overrides, &plan,
                  &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
    const struct brew_options *brew = plan_find(plan, "brew")->options;
    assert_int_equal(plan->settings.seed, 9);
    assert_true(plan->settings.output.given);
    assert_int_equal(plan->settings.output.keep, 8);
    config_path(state, "c.csv", path);
    assert_string_equal(*(const char *const *)plan->stages[1].options, path);
    config_path(state, "a.csv", path);
    assert_string_equal(*(const char *const *)plan->stages[0].options, path);
    assert_int_equal(brew->cups, 5); /* the last one wins */
    assert_string_equal(brew->title, "no: 5 $HOME");
    assert_true(brew->split.given && brew->split.valid == 3 * 86400.0);
    assert_int_equal(brew->weights.n, 2);
    assert_string_equal(brew->weights.names[1], "purchase.now");
    assert_int_equal(brew->gate.n, 1);
    assert_true(((const struct brew_rule *)brew->gate.values)[0].over == 2.0);
    assert_int_equal(brew->metrics.n, 2);
    assert_string_equal(brew->metrics.values[0], "hit@10");
    plan_free(plan);
}

static void wrong_overrides_are_usage_errors(void **state)
{
    static const struct {
        const char *override, *part;
    } cases[] = {
        {"seed", "--set seed: not of the form PATH=VALUE"},
        {"=3", "not of the form PATH=VALUE"},
        {"sed=3", "--set sed=3: unknown option \"sed\"; did you mean \"seed\"?"},
        {"seed=x", "--set seed=x: seed: \"x\" is not a number; allowed: a whole number"},
        {"seed.x=3", "\"seed\" has no options of its own"},
        {"output.kep=3", "did you mean \"keep\"?"},
        {"stages.brw.cups=3", "the pipeline has no stage \"brw\"; did you mean \"brew\"?"},
        {"stages.farm.cups=3", "the pipeline has no stage \"farm\"; its stages are load"},
        {"stages.load.3.file=x", "the pipeline has the stage \"load\" only 2 times"},
        {"stages.brew.cupz=3", "did you mean \"cups\"?"},
        {"stages.brew=3", "name an option of the stage: stages.brew.OPTION=VALUE"},
        {"stages=3", "the pipeline has no stage \"\""},
        {"stages.brew.cups=101", "brew.cups: \"101\" is out of range"},
        {"stages.brew.cups=60", "brew.cups: 60 cups do not fit on ice"},
        {"stages.brew.metrics=[a", "not valid YAML"},
        {"stages.brew.metrics=hit@10", "stands where a list is meant"},
        {"stages.brew.weights.view=nan", "brew.weights.view: \"nan\" is not a finite number"},
        {"stages.pour.x=1", "unknown option \"x\""},
        {"source.table=t", "source: required option \"database\" is missing"},
    };
    const char *file = config_write(state, base_file, strlen(base_file));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct status status = {0};
        struct plan *const untouched = (struct plan *)&status;
        struct plan *plan = untouched;
        enum status_code code =
            plan_load(file, &config_registry, &cases[i].override, 1, &plan, &status);
        if (code != STATUS_USAGE || strstr(status.message, cases[i].part) == NULL) {
            fail_msg("%s: %d, %s", cases[i].override, (int)code, status.message);
        }
        assert_ptr_equal(plan, untouched);
        assert_int_equal(status.line, 0);
    }
}

static void mistakes_of_the_file_come_before_those_of_overrides(void **state)
{
    static const char text[] = HEAD "seed: x\nstages: [farm]\n";
    static const char *const overrides[] = {"threads=many"};
    struct status status = {0};
    struct plan *plan = NULL;
    const char *file = config_write(state, text, strlen(text));
    assert_int_equal(plan_load(file, &config_registry, overrides, 1, &plan, &status),
                     STATUS_CONFIG);
    assert_int_equal(status.line, 2);
    assert_int_equal(status.column, 7);
    assert_non_null(strstr(status.message, "\n--set threads=many: threads: "));
    assert_null(plan);
}

#define PLAN_TEST(name)                                                                            \
    cmocka_unit_test_setup_teardown(name, config_folder_setup, config_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAN_TEST(overrides_replace_and_add_values),
        PLAN_TEST(wrong_overrides_are_usage_errors),
        PLAN_TEST(mistakes_of_the_file_come_before_those_of_overrides),
    };
    return cmocka_run_group_tests_name("plan_override", tests, NULL, NULL);
}
