/* plan: what a file becomes, and every mistake at its place. */
#include "config/plan.h"

#include "base/rng.h"
#include "tests/support/config_support.h"

#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#define HEAD "pipeline: shop\n"
#define LOAD "  - load: {file: a.csv}\n"

static struct plan *load(void **state, const char *text)
{
    struct status status = {0};
    struct plan *plan = NULL;
    const char *file = config_write(state, text, strlen(text));
    if (plan_load(file, &config_registry, NULL, 0, &plan, &status) != STATUS_OK) {
        fail_msg("%zu:%zu: %s", status.line, status.column, status.message);
    }
    return plan;
}

/* `lines` are what is expected to stand in the formatted message, without the file's name, one
 * "line:col: part" for each line of it. */
static void assert_mistakes(void **state, const char *text, const char *const *lines, size_t n)
{
    char formatted[STATUS_MESSAGE_MAX + STATUS_FILE_MAX];
    struct status status = {0};
    struct plan *const untouched = (struct plan *)&status;
    struct plan *plan = untouched;
    const char *file = config_write(state, text, strlen(text));
    size_t file_length = strlen(file);

    assert_int_equal(plan_load(file, &config_registry, NULL, 0, &plan, &status), STATUS_CONFIG);
    assert_ptr_equal(plan, untouched);
    assert_string_equal(status.file, file);
    status_format(&status, formatted, sizeof formatted);
    char *at = formatted;
    for (size_t i = 0; i < n; i++) {
        const char *part = strchr(strchr(lines[i], ':') + 1, ':') + 2;
        size_t place_length = (size_t)(part - lines[i]);
        char *end = strchr(at, '\n');
        if (end != NULL) {
            *end = '\0';
        }
        if (strncmp(at, file, file_length) != 0 || at[file_length] != ':' ||
            strncmp(at + file_length + 1, lines[i], place_length) != 0 ||
            strstr(at, part) == NULL) {
            fail_msg("\n  %s\nis not\n  %s", at, lines[i]);
        }
        if ((end == NULL) != (i + 1 == n)) {
            fail_msg("%zu mistakes are expected; after %zu: %s", n, i + 1,
                     end == NULL ? "the end" : end + 1);
        }
        at = end == NULL ? at : end + 1;
    }
}

static void assert_mistake(void **state, const char *text, const char *line)
{
    assert_mistakes(state, text, &line, 1);
}

static void a_full_file_becomes_a_plan(void **state)
{
    struct plan *plan = load(state, "pipeline: shop\n"
                                    "source:\n"
                                    "  database: shop.db\n"
                                    "  interactions: SELECT a, b FROM c\n"
                                    "output: {keep: 5, prefix: nj_}\n"
                                    "seed: 7\n"
                                    "memory_limit: 2G\n"
                                    "stages:\n"
                                    "  - load: {file: a.csv}\n"
                                    "  - load: {file: /b.csv}\n"
                                    "  - farm\n"
                                    "  - brew:\n"
                                    "      cups: 2\n"
                                    "      metrics: [hit@10]\n"
                                    "      weights: {view: 1, purchase: 2.5}\n"
                                    "      columns: {user: u, item: \"no\"}\n"
                                    "      split: {valid: 2d}\n"
                                    "      gate: {ndcg@20: {over: 1.2}, hit@10: {}}\n"
                                    "  - pour:\n");
    char path[CONFIG_PATH_MAX];
    config_path(state, "shop.db", path);
    assert_string_equal(plan->settings.pipeline, "shop");
    assert_true(plan->settings.source.given);
    assert_string_equal(plan->settings.source.database, path);
    assert_string_equal(plan->settings.output.database, path);
    assert_string_equal(plan->settings.source.interactions, "SELECT a, b FROM c");
    assert_true(plan->settings.source.busy_timeout == 30.0);
    assert_true(plan->settings.source.query_timeout == 3600.0);
    assert_int_equal(plan->settings.output.keep, 5);
    assert_string_equal(plan->settings.output.prefix, "nj_");
    assert_false(plan->settings.work.given);
    config_path(state, "shop.work.db", path);
    assert_string_equal(plan->settings.work.database, path);
    assert_int_equal(plan->settings.seed, 7);
    assert_int_equal(plan->settings.threads, 0);
    assert_int_equal(plan->settings.memory_limit, INT64_C(2) << 30);
    assert_true(plan->settings.resume_within == 6 * 3600.0);

    assert_int_equal(plan->n_stages, 5);
    assert_string_equal(plan->stages[1].label, "load.2");
    assert_int_equal(plan->stages[1].line, 10);
    assert_int_equal(plan->stages[3].position, 3);
    assert_ptr_equal(plan_find(plan, "load.2"), &plan->stages[1]);
    assert_null(plan_find(plan, "load.3"));
    assert_int_equal(plan_producer(plan, 3, "rows"), 1); /* the nearest above */
    assert_int_equal(plan_producer(plan, 4, "milk"), 2);
    assert_true(plan_producer(plan, 3, "tea") == SIZE_MAX);

    const struct brew_options *brew = plan_find(plan, "brew")->options;
    assert_int_equal(brew->cups, 2);
    assert_true(brew->iced);
    assert_true(isnan(brew->heat));
    assert_int_equal(brew->metrics.n, 1);
    assert_string_equal(brew->metrics.values[0], "hit@10");
    assert_int_equal(brew->weights.n, 2);
    assert_string_equal(brew->weights.names[1], "purchase");
    assert_true(brew->weights.values[1] == 2.5);
    assert_string_equal(brew->columns.values[1], "no");
    assert_true(brew->split.given);
    assert_true(brew->split.valid == 2 * 86400.0 && brew->split.test == 7 * 86400.0);
    const struct brew_rule *rules = brew->gate.values;
    assert_int_equal(brew->gate.n, 2);
    assert_true(rules[0].over == 1.2 && rules[1].over == 1.0);
    plan_free(plan);
}

static void a_group_left_empty_counts_as_given(void **state)
{
    struct plan *plan = load(state, HEAD "output:\nwork: {}\nstages: [farm]\n");
    assert_true(plan->settings.output.given);
    assert_true(plan->settings.work.given);
    assert_int_equal(plan->settings.output.keep, 3);
    assert_false(plan->settings.source.given);
    plan_free(plan);
}

static void all_mistakes_are_told_in_the_order_of_the_file(void **state)
{
    static const char *const lines[] = {
        "1:1: unknown option \"sed\"; did you mean \"seed\"?",
        "1:1: required option \"pipeline\" is missing",
        "2:10: threads: \"-1\" is out of range; allowed: a whole number from 0 to 1024",
        "3:1: key \"threads\" is given twice: in line 2 and in line 3",
        "5:5: load: required option \"file\" is missing",
        "6:12: brew: unknown option \"cupz\"; did you mean \"cups\"?",
        "6:31: brew.strength: \"2\" is out of range; allowed: a number from 0 to 1",
        "7:5: unknown stage \"poor\"; did you mean \"pour\"?",
    };
    assert_mistakes(state,
                    "sed: 1\n"
                    "threads: -1\n"
                    "threads: 2\n"
                    "stages:\n"
                    "  - load\n"
                    "  - brew: {cupz: 1, strength: 2}\n"
                    "  - poor\n",
                    lines, sizeof lines / sizeof *lines);
}

static void wrong_types_are_told_with_what_is_allowed(void **state)
{
    static const char *const lines[] = {
        "5:13: brew.cups: \"x\" is not a number; allowed: a whole number from 1 to 100 cups",
        "6:17: brew.strength: \".nan\" is not a finite number",
        "7:13: brew.iced: \"yes\" is not a boolean; allowed: true or false",
        "8:13: brew.heat: \".inf\" is not a finite number",
        "9:18: brew.half_life: \"30\" has no unit",
        "10:14: brew.title: no without quotes may mean a boolean; put it in quotes",
        "11:13: brew.file: \"2026\" without quotes is a number; put it in quotes",
        "12:17: brew.metrics: \"hit\" is unknown; allowed: one of recall@20",
        "13:16: brew.weights: \"3\" stands where a map is meant",
        "14:20: brew.columns.a: off without quotes",
        "15:14: brew.split: a list stands where a map of options is meant",
        "16:17: brew.gate.x: \"1\" stands where a map of options is meant",
        "17:13: brew.sweet: has no value; allowed: one of",
        "18:14: brew.cache: a list stands where a single value is meant",
    };
    assert_mistakes(state,
                    HEAD "stages:\n" LOAD "  - brew:\n"
                         "      cups: x\n"
                         "      strength: .nan\n"
                         "      iced: yes\n"
                         "      heat: .inf\n"
                         "      half_life: 30\n"
                         "      title: no\n"
                         "      file: 2026\n"
                         "      metrics: [hit]\n"
                         "      weights: 3\n"
                         "      columns: {a: off}\n"
                         "      split: [1]\n"
                         "      gate: {x: 1}\n"
                         "      sweet:\n"
                         "      cache: [5]\n",
                    lines, sizeof lines / sizeof *lines);
}

static void quotes_make_a_text(void **state)
{
    struct plan *plan = load(
        state, HEAD "stages:\n" LOAD "  - brew: {title: \"no\", heat: \"auto\", cache: \"1K\"}\n");
    const struct brew_options *brew = plan_find(plan, "brew")->options;
    assert_string_equal(brew->title, "no");
    assert_true(isnan(brew->heat));
    assert_int_equal(brew->cache, 1024);
    plan_free(plan);
    assert_mistake(state, HEAD "stages:\n" LOAD "  - brew: {cups: \"3\"}\n",
                   "4:18: brew.cups: \"3\" in quotes is a text; allowed: a whole number from 1 to "
                   "100 cups, without quotes");
    assert_mistake(state, HEAD "stages:\n" LOAD "  - brew: {iced: 'true'}\n",
                   "4:18: brew.iced: \"true\" in quotes is a text");
}

static void variables_are_replaced_and_take_any_form(void **state)
{
    assert_int_equal(setenv("NIGHTJAR_TEST_CUPS", "12", 1), 0);
    assert_int_equal(setenv("NIGHTJAR_TEST_EMPTY", "", 1), 0);
    assert_int_equal(unsetenv("NIGHTJAR_TEST_NONE"), 0);
    struct plan *plan =
        load(state, HEAD "stages:\n"
                         "  - load: {file: \"${NIGHTJAR_TEST_NONE:-x/y}.csv\"}\n"
                         "  - brew:\n"
                         "      cups: ${NIGHTJAR_TEST_CUPS}\n"
                         "      strength: \"${NIGHTJAR_TEST_EMPTY:-0.25}\"\n"
                         "      title: a$$b $5 '$.c' ${NIGHTJAR_TEST_EMPTY}$${x}$\n");
    char path[CONFIG_PATH_MAX];
    const struct brew_options *brew = plan_find(plan, "brew")->options;
    config_path(state, "x/y.csv", path);
    assert_string_equal(*(const char *const *)plan->stages[0].options, path);
    assert_int_equal(brew->cups, 12);
    assert_true(brew->strength == 0.25);
    assert_string_equal(brew->title, "a$b $5 '$.c' ${x}$");
    plan_free(plan);
}

static void wrong_variables_are_told_at_their_scalar(void **state)
{
    static const char *const lines[] = {
        "2:7: seed: the environment variable NIGHTJAR_TEST_NONE is not set",
        "3:10: threads: a ${ without its }",
        "4:16: resume_within: \"9x\" between ${ and } is not a variable",
        "5:15: memory_limit: \"A:b\" between ${ and } is not a variable",
    };
    assert_int_equal(unsetenv("NIGHTJAR_TEST_NONE"), 0);
    assert_mistakes(state,
                    HEAD "seed: ${NIGHTJAR_TEST_NONE}\n"
                         "threads: ${NIGHTJAR\n"
                         "resume_within: ${9x}\n"
                         "memory_limit: ${A:b}\n"
                         "stages: [farm]\n",
                    lines, sizeof lines / sizeof *lines);
}

static void stage_entries_are_checked_one_by_one(void **state)
{
    static const char *const lines[] = {
        "4:5: an entry of `stages` has one key, the stage's name, but here \"file\" follows",
        "5:5: an entry of `stages` is a stage's name or a map",
        "6:4: an entry of `stages` is a stage's name or a map `- name: {options}`, not nothing",
        "7:5: unknown stage \"zzzzzz\"; the stages are load, brew, pour, farm",
        "8:5: load: required option \"file\" is missing",
        "9:11: load.2: \"x\" stands where a map of options is meant",
    };
    assert_mistakes(state,
                    HEAD "stages:\n"
                         "  - load:\n"
                         "    file: a.csv\n"
                         "  - [load]\n"
                         "  -\n"
                         "  - zzzzzz\n"
                         "  - load: {}\n"
                         "  - load: x\n",
                    lines, sizeof lines / sizeof *lines);
}

static void the_list_of_stages_must_be_one(void **state)
{
    assert_mistake(state, HEAD, "1:1: required option \"stages\" is missing");
    assert_mistake(state, HEAD "stages: farm\n", "2:9: stages: a single value stands where a list");
    assert_mistake(state, HEAD "stages: []\n", "2:9: stages: nothing stands where a list");
    assert_mistake(state, HEAD "stages:\n", "2:8: stages: nothing stands where a list");
    assert_mistakes(
        state, HEAD "stagse: [farm]\n",
        (const char *const[]){"1:1: required option \"stages\" is missing",
                              "2:1: unknown option \"stagse\"; did you mean \"stages\"?"},
        2);
}

static void a_stage_stands_once_unless_it_may_be_repeated(void **state)
{
    assert_mistake(state, HEAD "stages:\n  - farm\n" LOAD LOAD "  - farm\n",
                   "6:5: stage `farm` is given twice: in line 3 and in line 6");
}

static void a_missing_input_names_the_stage_that_would_write_it(void **state)
{
    assert_mistake(state, HEAD "stages:\n  - farm\n  - brew\n",
                   "4:5: stage `brew` needs `rows`, which no stage above it writes: put stage "
                   "`load` above");
    assert_mistake(state, HEAD "stages:\n  - brew\n" LOAD,
                   "3:5: stage `brew` needs `rows`, which stage `load` in line 4 writes: put that "
                   "one above");
    /* the unknown stage may be the one that writes it */
    assert_mistake(state, HEAD "stages:\n  - laod\n  - brew\n", "3:5: unknown stage \"laod\"");
}

static void rules_across_fields_stand_at_their_option(void **state)
{
    static const char *const lines[] = {
        "5:13: brew.cups: 60 cups do not fit on ice; allowed: 50",
        "6:32: brew.split.test: too long beside split.valid",
        "7:13: brew.gate: at most 2 rules",
    };
    assert_mistakes(state,
                    HEAD "stages:\n" LOAD "  - brew:\n"
                         "      cups: 60\n"
                         "      split: {valid: 1s, test: 101s}\n"
                         "      gate: {a: {}, b: {}, c: {}}\n",
                    lines, sizeof lines / sizeof *lines);
    /* where the option is a default, the stage's own place is used */
    assert_mistake(state, HEAD "stages:\n" LOAD "  - brew:\n      split: {valid: 1s}\n",
                   "5:7: brew.split.test: too long beside split.valid");
}

static void a_required_option_of_a_group_is_required_with_the_group(void **state)
{
    assert_mistake(state, HEAD "stages:\n" LOAD "  - brew:\n      split: {test: 1d}\n",
                   "5:7: brew.split: required option \"valid\" is missing");
}

static void the_source_is_a_query_or_a_table(void **state)
{
    assert_mistakes(state, HEAD "source: {database: a.db}\nstages: [farm]\n",
                    (const char *const[]){"2:9: source: neither `interactions`"}, 1);
    assert_mistake(state,
                   HEAD "source: {database: a.db, table: t, user: u, item: i, "
                        "interactions: S}\nstages: [farm]\n",
                   "2:33: source.table: both `interactions` and `table`");
    assert_mistakes(state, HEAD "source: {database: a.db, table: t}\nstages: [farm]\n",
                    (const char *const[]){"2:1: source.user: is needed beside `table`",
                                          "2:1: source.item: is needed beside `table`"},
                    2);
    assert_mistake(state,
                   HEAD "source: {database: a.db, interactions: S, time: t}\nstages: [farm]\n",
                   "2:49: source.time: names a column of `table`");
}

static void names_hold_plain_characters_only(void **state)
{
    assert_mistake(state, "pipeline: a/b\nstages: [farm]\n",
                   "1:11: pipeline: \"a/b\" is not a name; allowed: 1 to 64 letters, digits");
    assert_mistake(state, HEAD "output: {prefix: 'x\"; DROP'}\nstages: [farm]\n",
                   "2:18: output.prefix: \"x\"; DROP\" cannot begin a table's name");
}

static void relative_paths_start_at_the_folder_of_the_file(void **state)
{
    struct plan *plan = load(state, HEAD "work: {database: /w.db}\n"
                                         "output: {database: o.db}\nstages: [farm]\n");
    char path[CONFIG_PATH_MAX];
    config_path(state, "o.db", path);
    assert_string_equal(plan->settings.output.database, path);
    assert_string_equal(plan->settings.work.database, "/w.db");
    assert_string_equal(plan->directory, *state);
    plan_free(plan);
}

static void syntax_mistakes_stop_with_their_position(void **state)
{
    assert_mistake(state, "pipeline: shop\nstages:\n\t- farm\n", "3:1: a tab cannot indent");
    assert_mistake(state, "", "1:1: the file is empty");
    assert_mistake(state, HEAD "stages: [farm]\n---\na: 1\n", "3:1: a second document");
    assert_mistake(state, HEAD "seed: !!int 3\nstages: [farm]\n", "2:7: tag");
    assert_mistakes(state, HEAD "seed: &s 3\nthreads: *s\nstages: [farm]\n",
                    (const char *const[]){"2:7: anchor \"s\"", "3:10: alias \"s\""}, 2);
}

static void too_many_mistakes_end_with_a_count(void **state)
{
    struct buf text = {0};
    struct status status = {0};
    struct plan *plan = NULL;
    buf_add_text(&text, HEAD "stages: [farm]\n");
    for (int i = 0; i < 9000; i++) {
        buf_addf(&text, "unknown_option_%d: 1\n", i);
    }
    const char *file = config_write(state, buf_text(&text), text.length);
    assert_int_equal(plan_load(file, &config_registry, NULL, 0, &plan, &status), STATUS_CONFIG);
    assert_int_equal(status.line, 3);
    const char *last = strrchr(status.message, '\n');
    assert_non_null(last);
    assert_non_null(strstr(last, "... and "));
    assert_non_null(strstr(last, " more mistakes"));
    buf_release(&text);
}

static void a_missing_file_is_no_input(void **state)
{
    struct status status = {0};
    struct plan *plan = NULL;
    char path[CONFIG_PATH_MAX];
    config_path(state, "none.yaml", path);
    assert_int_equal(plan_load(path, &config_registry, NULL, 0, &plan, &status), STATUS_NO_INPUT);
    assert_null(plan);
}

/* Bytes of a good file are changed, doubled and dropped at random: whatever comes of it, the plan
 * is made or the mistakes are told, within the sanitizers' rules. */
static void damaged_files_never_do_harm(void **state)
{
    enum { ROUNDS = 3000, TEXT_MAX = 1024 };
    static const char good[] =
        HEAD "source: {database: \"${D:-a.db}\", interactions: \"SELECT 1\"}\nstages:\n" LOAD
             "  - brew:\n      cups: 2\n      metrics: [hit@10]\n      weights: {view: 1}\n"
             "      columns: {a: 'b'}\n      split: {valid: 2d}\n      gate: {x: {over: 1}}\n"
             "  - pour\n";
    static const char marks[] = "{}[]:,-&*!|>'\"%@`#?~$\t\n \\\xff\x00";
    struct rng rng;
    size_t n_good = 0;
    rng_init(&rng, 1, "test.damage", 0, 0);
    for (int round = 0; round < ROUNDS; round++) {
        char text[TEXT_MAX];
        size_t length = sizeof good - 1;
        memcpy(text, good, length);
        for (uint64_t n = 1 + rng_below(&rng, 4); n > 0; n--) {
            size_t at = (size_t)rng_below(&rng, length);
            size_t span = (size_t)rng_below(&rng, length - at < 20 ? length - at : 20);
            switch (rng_below(&rng, 3)) {
            case 0:
                text[at] = marks[rng_below(&rng, sizeof marks - 1)];
                break;
            case 1:
                memmove(text + at, text + at + span, length - at - span);
                length -= span;
                break;
            default:
                memmove(text + at + span, text + at, length - at);
                length += span;
                break;
            }
        }
        struct status status = {0};
        struct plan *plan = NULL;
        const char *file = config_write(state, text, length);
        enum status_code code = plan_load(file, &config_registry, NULL, 0, &plan, &status);
        if (code == STATUS_OK) {
            n_good++;
        } else {
            assert_int_equal(code, STATUS_CONFIG);
            assert_true(status.line > 0 && status.column > 0 && status.message[0] != '\0');
        }
        plan_free(plan);
    }
    assert_in_range(n_good, 1, ROUNDS - 1);
}

#define PLAN_TEST(name)                                                                            \
    cmocka_unit_test_setup_teardown(name, config_folder_setup, config_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAN_TEST(a_full_file_becomes_a_plan),
        PLAN_TEST(a_group_left_empty_counts_as_given),
        PLAN_TEST(all_mistakes_are_told_in_the_order_of_the_file),
        PLAN_TEST(wrong_types_are_told_with_what_is_allowed),
        PLAN_TEST(quotes_make_a_text),
        PLAN_TEST(variables_are_replaced_and_take_any_form),
        PLAN_TEST(wrong_variables_are_told_at_their_scalar),
        PLAN_TEST(stage_entries_are_checked_one_by_one),
        PLAN_TEST(the_list_of_stages_must_be_one),
        PLAN_TEST(a_stage_stands_once_unless_it_may_be_repeated),
        PLAN_TEST(a_missing_input_names_the_stage_that_would_write_it),
        PLAN_TEST(rules_across_fields_stand_at_their_option),
        PLAN_TEST(a_required_option_of_a_group_is_required_with_the_group),
        PLAN_TEST(the_source_is_a_query_or_a_table),
        PLAN_TEST(names_hold_plain_characters_only),
        PLAN_TEST(relative_paths_start_at_the_folder_of_the_file),
        PLAN_TEST(syntax_mistakes_stop_with_their_position),
        PLAN_TEST(too_many_mistakes_end_with_a_count),
        PLAN_TEST(a_missing_file_is_no_input),
        PLAN_TEST(damaged_files_never_do_harm),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
