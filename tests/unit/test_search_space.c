/* search_space: ranges of the tables and of the command line, and what a choice of candidates sets.
 */
#include "config/search_space.h"

#include "config/stage_registry.h"
#include "tests/support/config_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct side_options {
    bool given;
    double weight;
};
struct learn_options {
    double rate, width;
    int64_t batch, epochs;
    int mode;
    bool fast;
    struct side_options side;
};

static const char *const modes[] = {"up", "down", "still", NULL};
static const struct option side_table[] = {{.name = "weight",
                                            .type = OPTION_FLOAT,
                                            .offset = offsetof(struct side_options, weight),
                                            .default_text = "0.5",
                                            .search = "0, 0.5"},
                                           {.name = NULL}};
static const struct option learn_table[] = {{.name = "rate",
                                             .type = OPTION_FLOAT,
                                             .offset = offsetof(struct learn_options, rate),
                                             .default_text = "0.01",
                                             .min = 1e-6,
                                             .max = 10,
                                             .search = "0.001..0.1 log"},
                                            {.name = "width",
                                             .type = OPTION_FLOAT,
                                             .offset = offsetof(struct learn_options, width),
                                             .default_text = "1"},
                                            {.name = "batch",
                                             .type = OPTION_INT,
                                             .offset = offsetof(struct learn_options, batch),
                                             .default_text = "16",
                                             .min = 1,
                                             .max = 1000000,
                                             .search = "16..300000"},
                                            {.name = "epochs",
                                             .type = OPTION_INT,
                                             .offset = offsetof(struct learn_options, epochs),
                                             .default_text = "9",
                                             .search = "1, 2"},
                                            {.name = "mode",
                                             .type = OPTION_CHOICE,
                                             .offset = offsetof(struct learn_options, mode),
                                             .default_text = "up",
                                             .choices = modes,
                                             .search = "up, down"},
                                            {.name = "fast",
                                             .type = OPTION_BOOL,
                                             .offset = offsetof(struct learn_options, fast),
                                             .default_text = "true"},
                                            {.name = "side",
                                             .type = OPTION_GROUP,
                                             .offset = offsetof(struct learn_options, side),
                                             .group = side_table,
                                             .group_size = sizeof(struct side_options)},
                                            {.name = NULL}};

static const struct stage stage_data = {
    .name = "data", .options_size = sizeof(struct learn_options), .options = learn_table};
static const struct stage stage_learn = {
    .name = "learn", .options_size = sizeof(struct learn_options), .options = learn_table};
static const struct stage *const stages[] = {&stage_data, &stage_learn, NULL};
static const struct stage_registry registry = {stages};

static struct plan *load(void **state, const char *learn)
{
    struct status status = {0};
    struct plan *plan = NULL;
    char text[256];
    int length =
        snprintf(text, sizeof text, "pipeline: p\nstages:\n  - data\n  - learn: %s\n", learn);
    if (plan_load(config_write(state, text, (size_t)length), &registry, NULL, 0, &plan, &status) !=
        STATUS_OK) {
        fail_msg("%s", status.message);
    }
    return plan;
}

static enum status_code make(struct search_space *space, const struct plan *plan, const char *vary,
                             const char *fix, struct status *status)
{
    const struct search_request request = {.plan = plan,
                                           .first = 1,
                                           .resource = "stages.learn.epochs",
                                           .vary = &vary,
                                           .n_vary = vary != NULL,
                                           .fix = &fix,
                                           .n_fix = fix != NULL};
    return search_space_init(space, &request, status);
}

static void assert_axes(void **state, const char *learn, const char *vary, const char *fix,
                        const char *expected)
{
    struct status status = {0};
    struct search_space space = {0};
    struct buf paths = {0};
    struct plan *plan = load(state, learn);
    if (make(&space, plan, vary, fix, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
    for (size_t i = 0; i < space.n; i++) {
        const struct space_axis *axis = &space.axes[i];
        buf_addf(&paths, "%s=%s;", axis->path + strlen("stages."), axis->values[axis->own]);
    }
    assert_string_equal(buf_text(&paths), expected);
    buf_release(&paths);
    search_space_release(&space);
    plan_free(plan);
}

static void the_tables_ranges_of_what_the_file_has_are_searched(void **state)
{
    assert_axes(state, "{}", NULL, NULL, "learn.rate=0.01;learn.batch=16;learn.mode=up;");
    assert_axes(state, "{side: {weight: 0.50}, mode: still}", NULL, NULL,
                "learn.rate=0.01;learn.batch=16;learn.mode=still;learn.side.weight=0.5;");
    assert_axes(state, "{}", "stages.learn.side.weight=0,1", "stages.learn.batch",
                "learn.rate=0.01;learn.mode=up;learn.side.weight=;");
    assert_axes(state, "{}", "stages.learn.fast=true,false", "stages", "learn.fast=true;");
}

static void wrong_ranges_are_usage_errors(void **state)
{
    static const struct {
        const char *vary, *fix, *part;
    } cases[] = {
        {"rate=1..2", NULL, "--vary rate: not an option of a stage"},
        {"stages.learn.rate", NULL, "not of the form PATH=RANGE"},
        {"stages.learn.rat=1,2", NULL, "did you mean rate?"},
        {"stages.learn.rate=2..1", NULL, "the lower one first"},
        {"stages.learn.rate=1..11", NULL, "\"11\" is out of range"},
        {"stages.learn.rate=1,x", NULL, "\"x\" is not a number"},
        {"stages.learn.width=0..1 log", NULL, "a lower end above 0"},
        {"stages.learn.mode=up..down", NULL, "a range is for numbers"},
        {"stages.learn.mode=up,don", NULL, "did you mean \"down\"?"},
        {"stages.learn.side=1,2", NULL, "only numbers, true and false, and choices"},
        {"stages.learn.epochs=1,2", NULL, "the search itself sets it"},
        {"stages.data.rate=1,2", NULL, "makes the data"},
        {NULL, "stages.learn.width", "nothing below it is varied; varied are stages.learn.rate"},
        {NULL, "stages", "nothing to vary"},
    };
    struct plan *plan = load(state, "{}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct status status = {0};
        struct search_space space = {0};
        assert_int_equal(make(&space, plan, cases[i].vary, cases[i].fix, &status), STATUS_USAGE);
        if (strstr(status.message, cases[i].part) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", status.message, cases[i].part);
        }
        search_space_release(&space);
    }
    plan_free(plan);
}

/* The candidates of a range; "-": the configuration, which has no value. */
static void assert_candidates(enum option_type type, const char *range, const char *expected)
{
    const struct option option = {.name = "x", .type = type};
    struct space_axis axis = {.option = &option};
    struct arena arena = {0};
    struct buf texts = {0};
    char why[256];
    assert_true(search_range_read(range, NULL, &axis, &arena, why, sizeof why));
    for (size_t i = 0; i < axis.n; i++) {
        buf_addf(&texts, "%s%s", i == 0 ? "" : " ", i == axis.own ? "-" : axis.values[i]);
    }
    assert_string_equal(axis.values[axis.own], "");
    assert_string_equal(buf_text(&texts), expected);
    buf_release(&texts);
    arena_release(&arena);
}

static void both_ends_of_a_range_belong_to_it(void **state)
{
    (void)state;
    assert_candidates(OPTION_FLOAT, "0.001..0.1 log", "0.001 0.00316 - 0.01 0.0316 0.1");
    assert_candidates(OPTION_FLOAT, "0..1", "0 0.25 - 0.5 0.75 1");
    assert_candidates(OPTION_FLOAT, "0.12345..0.12346", "- 0.12345");
    assert_candidates(OPTION_INT, "100000..300000", "100000 150000 - 200000 250000 300000");
    assert_candidates(OPTION_INT, "1..3", "1 - 2 3");
    assert_candidates(OPTION_INT, "1, 02 ,3", "1 - 2 3");
    assert_candidates(OPTION_BOOL, "true,false", "true - false");
    assert_candidates(OPTION_AUTO, "auto, 0.5", "auto - 0.5");
}

static void a_choice_sets_what_differs_from_the_configuration(void **state)
{
    struct status status = {0};
    struct search_space space = {0};
    struct arena arena = {0};
    struct plan *plan = load(state, "{rate: 0.02, mode: still}");
    const char *settings[3];
    size_t n;
    assert_int_equal(make(&space, plan, NULL, NULL, &status), STATUS_OK);
    /* a number has its place, another choice stands in front */
    assert_int_equal(space.axes[0].own, 3);
    assert_int_equal(space.axes[0].n, 6);
    assert_int_equal(space.axes[2].own, 0);
    assert_int_equal(space.axes[2].n, 3);
    const size_t own[] = {3, 0, 0}, other[] = {4, 0, 2};
    assert_int_equal(search_space_settings(&space, own, &arena, settings, &n, &status), STATUS_OK);
    assert_int_equal(n, 0);
    assert_int_equal(search_space_settings(&space, other, &arena, settings, &n, &status),
                     STATUS_OK);
    assert_int_equal(n, 2);
    assert_string_equal(settings[0], "stages.learn.rate=0.0316");
    assert_string_equal(settings[1], "stages.learn.mode=down");
    arena_release(&arena);
    search_space_release(&space);
    plan_free(plan);
}

static void check_table(const struct option *table)
{
    struct arena arena = {0};
    char why[512];
    for (; table->name != NULL; table++) {
        struct space_axis axis = {.option = table};
        if (table->group != NULL) {
            check_table(table->group);
        }
        if (table->search != NULL &&
            !search_range_read(table->search, NULL, &axis, &arena, why, sizeof why)) {
            fail_msg("%s: %s", table->name, why);
        }
    }
    arena_release(&arena);
}

static void every_stage_allows_what_its_ranges_hold(void **state)
{
    (void)state;
    for (size_t i = 0; stage_registry.stages[i] != NULL; i++) {
        check_table(stage_registry.stages[i]->options);
    }
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, config_folder_setup, config_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_tables_ranges_of_what_the_file_has_are_searched),
        TEST(wrong_ranges_are_usage_errors),
        TEST(both_ends_of_a_range_belong_to_it),
        TEST(a_choice_sets_what_differs_from_the_configuration),
        TEST(every_stage_allows_what_its_ranges_hold),
    };
    return cmocka_run_group_tests_name("search_space", tests, NULL, NULL);
}
