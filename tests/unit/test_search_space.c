/* search_space: ranges of the tables and of the command line, and the points drawn from them. */
#include "config/search_space.h"

#include "base/num.h"
#include "config/stage_registry.h"
#include "tests/support/config_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { POINTS = 64 };

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
        buf_addf(&paths, "%s=%s;", space.axes[i].path + strlen("stages."), space.axes[i].current);
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

/* The range with u = 0, 0.5, 1. */
static void assert_ends(enum option_type type, const char *range, const char *low,
                        const char *middle, const char *high)
{
    const struct option option = {.name = "x", .type = type};
    struct search_axis axis = {.option = &option};
    struct arena arena = {0};
    char why[256], text[NUM_TEXT_MAX];
    assert_true(search_range_parse(range, &axis, &arena, why, sizeof why));
    search_axis_value(&axis, 0, text);
    assert_string_equal(text, low);
    search_axis_value(&axis, 0.5, text);
    assert_string_equal(text, middle);
    search_axis_value(&axis, 1, text);
    assert_string_equal(text, high);
    arena_release(&arena);
}

static void both_ends_of_a_range_belong_to_it(void **state)
{
    (void)state;
    assert_ends(OPTION_FLOAT, "0.001..0.1 log", "0.001", "0.01", "0.1");
    assert_ends(OPTION_FLOAT, "0..3", "0", "1.5", "3");
    assert_ends(OPTION_FLOAT, "0.12345..0.12346", "0.12345", "0.12345", "0.12345");
    assert_ends(OPTION_INT, "100000..300000", "100000", "200000", "300000");
    assert_ends(OPTION_INT, "1, 02 ,3", "1", "2", "3");
    assert_ends(OPTION_BOOL, "true,false", "true", "false", "false");
    assert_ends(OPTION_AUTO, "auto, 0.5", "auto", "0.5", "0.5");
}

/* Number behind "stages.learn.rate=" in the settings, NAN without it. */
static double find_number(const char *const *settings, size_t n, const char *path)
{
    double value = (double)NAN;
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(path);
        if (strncmp(settings[i], path, length) == 0) {
            const char *text = settings[i] + length;
            assert_true(num_parse_double(text, strlen(text), &value));
        }
    }
    return value;
}

static void points_spread_over_every_range_and_depend_on_the_seed_alone(void **state)
{
    struct status status = {0};
    struct search_space space = {0};
    struct arena arena = {0};
    struct plan *plan = load(state, "{}");
    size_t n_decades[2] = {0}, n_kept = 0, n_other = 0;
    assert_int_equal(make(&space, plan, NULL, NULL, &status), STATUS_OK);
    for (uint64_t index = 0; index < POINTS; index++) {
        const char *settings[8], *again[8], *other[8];
        size_t n, n_again, n_others;
        assert_int_equal(search_space_draw(&space, 1, index, &arena, settings, &n, &status), 0);
        assert_int_equal(search_space_draw(&space, 1, index, &arena, again, &n_again, &status), 0);
        assert_int_equal(search_space_draw(&space, 2, index, &arena, other, &n_others, &status), 0);
        assert_int_equal(n, n_again);
        double rate = find_number(settings, n, "stages.learn.rate=");
        double batch = find_number(settings, n, "stages.learn.batch=");
        for (size_t i = 0; i < n; i++) {
            assert_string_equal(settings[i], again[i]);
        }
        assert_true(isnan(rate) || (rate >= 0.001 && rate <= 0.1));
        assert_true(isnan(batch) || (batch >= 16 && batch <= 300000 && batch == round(batch)));
        n_kept += isnan(rate) ? 1 : 0;
        n_other += rate != find_number(other, n_others, "stages.learn.rate=");
        n_decades[rate > 0.01] += isnan(rate) ? 0 : 1;
    }
    /* about half of half of the points keep the configuration's value, the others fall evenly */
    assert_in_range(n_kept, POINTS / 8, 3 * POINTS / 8);
    assert_in_range(n_decades[0], POINTS / 4, POINTS / 2);
    assert_in_range(n_decades[1], POINTS / 4, POINTS / 2);
    assert_in_range(n_other, POINTS / 2, POINTS);
    arena_release(&arena);
    search_space_release(&space);
    plan_free(plan);
}

static void check_table(const struct option *table)
{
    struct arena arena = {0};
    char why[512];
    for (; table->name != NULL; table++) {
        struct search_axis axis = {.option = table};
        if (table->group != NULL) {
            check_table(table->group);
        }
        if (table->search != NULL &&
            !search_range_parse(table->search, &axis, &arena, why, sizeof why)) {
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
        TEST(points_spread_over_every_range_and_depend_on_the_seed_alone),
        TEST(every_stage_allows_what_its_ranges_hold),
    };
    return cmocka_run_group_tests_name("search_space", tests, NULL, NULL);
}
