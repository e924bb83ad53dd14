/* tune: a search over a pipeline of small stages, whose value is known for every setting. */
#include "tuning/tune.h"

#include "base/clock.h"
#include "run/context.h"
#include "run/context_data.h"
#include "tests/support/config_support.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <cmocka.h>

enum { TRAINED_MAX = 256, TABLE_MAX = 4096 };

/* What the stages did, and what is asked of them. */
static struct world {
    size_t n_load, n_train, n_judge;
    size_t stop_at;       /* this training is interrupted, from 1; 0: none */
    double fail_above;    /* trainings with a larger x fail; 0: none */
    bool nothing_to_tell; /* trainings give no value */
    double luck;          /* by how much two users differ with x; 0: users are not told of */
    int64_t epochs[TRAINED_MAX];
    double warmup[TRAINED_MAX];
    volatile int signal;
} world;

struct train_options {
    int64_t epochs;
    double x, warmup;
    int mode;
    const char *metric;
};

static const char *const modes[] = {"plain", "good", NULL};
static const struct option no_options[] = {{.name = NULL}};
static const struct option train_table[] = {{.name = "epochs",
                                             .type = OPTION_INT,
                                             .offset = offsetof(struct train_options, epochs),
                                             .default_text = "9",
                                             .min = 1,
                                             .max = 100,
                                             .unit = "epochs"},
                                            {.name = "x",
                                             .type = OPTION_FLOAT,
                                             .offset = offsetof(struct train_options, x),
                                             .default_text = "0.25",
                                             .min = 0,
                                             .max = 1,
                                             .search = "0..1"},
                                            {.name = "warmup",
                                             .type = OPTION_FLOAT,
                                             .offset = offsetof(struct train_options, warmup),
                                             .default_text = "4.5",
                                             .unit = "epochs"},
                                            {.name = "mode",
                                             .type = OPTION_CHOICE,
                                             .offset = offsetof(struct train_options, mode),
                                             .default_text = "plain",
                                             .choices = modes,
                                             .search = "plain, good"},
                                            {.name = "metric",
                                             .type = OPTION_TEXT,
                                             .offset = offsetof(struct train_options, metric),
                                             .default_text = "ndcg@7"},
                                            {.name = NULL}};

static enum status_code give(struct context *context, const char *name, const char *number,
                             double value, const double *users, struct status *status)
{
    enum status_code code;
    struct artifact artifact;
    artifact_init(&artifact, name);
    TRY(artifact_set_number(&artifact, number, value, status));
    if (users != NULL) {
        TRY(artifact_copy(&artifact, "user_values", ARRAY_F64, 2, 1, users, status));
    }
    TRY(context_output(context, &artifact, status));
done:
    artifact_release(&artifact);
    return code;
}

static enum status_code load_run(struct context *context, const void *options,
                                 struct status *status)
{
    (void)options;
    world.n_load++;
    return give(context, "rows", "n", 3, NULL, status);
}

/* Nothing is known of the source: a usual run would load it each time. */
static enum status_code load_fingerprint(struct context *context, const void *options,
                                         char out[HASH_TEXT_MAX], struct status *status)
{
    (void)context, (void)options, (void)status;
    out[0] = '\0';
    return STATUS_OK;
}

static void train_validate(const void *values, struct option_report *report)
{
    const struct train_options *o = values;
    if (o->warmup >= (double)o->epochs) {
        option_mistake(report, "warmup", "longer than the training");
    }
}

/* The best is x = 1 with mode good; more epochs are better. */
static enum status_code train_run(struct context *context, const void *values,
                                  struct status *status)
{
    const struct train_options *o = values;
    world.epochs[world.n_train % TRAINED_MAX] = o->epochs;
    world.warmup[world.n_train % TRAINED_MAX] = o->warmup;
    world.n_train++;
    if (world.n_train == world.stop_at) {
        world.signal = SIGINT;
    }
    enum status_code code = context_check_stop(context, status);
    if (code != STATUS_OK) {
        return code;
    }
    if (world.fail_above > 0 && o->x > world.fail_above) {
        return status_set(status, STATUS_DATA, "the loss is not a number");
    }
    double value = o->x + (o->mode == 1 ? 0.5 : 0.0) + 0.01 * (double)o->epochs;
    const double users[] = {value - world.luck * o->x, value + world.luck * o->x};
    return give(context, "training", "best_metric", world.nothing_to_tell ? (double)NAN : value,
                world.luck > 0 ? users : NULL, status);
}

static enum status_code judge_run(struct context *context, const void *options,
                                  struct status *status)
{
    (void)context, (void)options, (void)status;
    world.n_judge++;
    return STATUS_OK;
}

static const struct stage_artifact nothing[] = {{.name = NULL}};
static const struct stage_artifact rows[] = {{.name = "rows"}, {.name = NULL}};
static const struct stage_artifact training[] = {{.name = "training"}, {.name = NULL}};
static const struct stage stage_load = {.name = "load",
                                        .summary = "Loads.",
                                        .version = 1,
                                        .options_size = 1,
                                        .options = no_options,
                                        .inputs = nothing,
                                        .outputs = rows,
                                        .fingerprint = load_fingerprint,
                                        .run = load_run};
static const struct stage stage_train = {.name = "train",
                                         .summary = "Trains.",
                                         .version = 1,
                                         .options_size = sizeof(struct train_options),
                                         .options = train_table,
                                         .inputs = rows,
                                         .outputs = training,
                                         .validate = train_validate,
                                         .run = train_run};
static const struct stage stage_judge = {.name = "judge",
                                         .summary = "Reads the test part.",
                                         .version = 1,
                                         .options_size = 1,
                                         .options = no_options,
                                         .inputs = training,
                                         .outputs = nothing,
                                         .run = judge_run};
static const struct stage *const stages[] = {&stage_load, &stage_train, &stage_judge, NULL};
static const struct stage_registry registry = {stages};

/* A search with `n` trials; what the result holds goes to `table`, one trial a line. */
static enum status_code search(void **state, const char *train, size_t n, double max_seconds,
                               bool restart, struct tune_result *result, char table[TABLE_MAX],
                               struct status *status)
{
    char text[256];
    struct plan *plan = NULL;
    struct log log = {.level = LOG_SILENT};
    int length =
        snprintf(text, sizeof text,
                 "pipeline: p\nthreads: 1\nstages:\n  - load\n  - train: %s\n  - judge\n", train);
    const char *file = config_write(state, text, (size_t)length);
    assert_int_equal(plan_load(file, &registry, NULL, 0, &plan, status), STATUS_OK);
    const struct tune_request request = {.plan = plan,
                                         .registry = &registry,
                                         .version = "1",
                                         .log = &log,
                                         .seed = 5,
                                         .n_trials = n,
                                         .max_seconds = max_seconds,
                                         .restart = restart,
                                         .stop_signal = &world.signal};
    enum status_code code = tune_run(&request, result, status);
    size_t used = 0;
    table[0] = '\0';
    for (size_t i = 0; i < result->n_trials; i++) {
        const struct tune_trial *trial = &result->trials[i];
        used += (size_t)snprintf(table + used, TABLE_MAX - used, "%zu %zu %.12g", trial->number,
                                 trial->epochs, isnan(trial->value) ? -1.0 : trial->value);
        for (size_t s = 0; s < trial->n_settings; s++) {
            used += (size_t)snprintf(table + used, TABLE_MAX - used, " %s", trial->settings[s]);
        }
        used += (size_t)snprintf(table + used, TABLE_MAX - used, "\n");
    }
    plan_free(plan);
    return code;
}

static int fresh_world(void **state)
{
    world = (struct world){0};
    return config_folder_setup(state);
}

static void the_best_is_found_and_the_test_is_not_read(void **state)
{
    struct status status = {0};
    struct tune_result result = {0};
    char table[TABLE_MAX];
    assert_int_equal(search(state, "{}", 30, 0, false, &result, table, &status), STATUS_OK);
    assert_string_equal(result.metric, "ndcg@7");
    assert_true(result.is_better);
    const struct tune_trial *winner = &result.trials[result.winner];
    const struct tune_trial *baseline = &result.trials[result.baseline];
    assert_true(fabs(winner->value - (1 + 0.5 + 0.09)) < 1e-12);
    assert_int_equal(winner->epochs, 9);
    assert_int_equal(baseline->epochs, 9);
    assert_int_equal(baseline->number, 0);
    assert_true(fabs(baseline->value - (0.25 + 0.09)) < 1e-12);
    /* the configuration, then short ones, whose warm-up is as much shorter */
    assert_int_equal(world.epochs[0], 9);
    assert_true(fabs(world.warmup[0] - 4.5) < 1e-12);
    assert_int_equal(world.epochs[1], 3);
    assert_true(fabs(world.warmup[1] - 1.5) < 1e-12);
    assert_int_equal(world.n_judge, 0);
    assert_int_equal(world.n_load, 1);
    tune_result_release(&result);
}

static void a_second_search_does_only_what_is_not_known(void **state)
{
    struct status status = {0};
    struct tune_result first = {0}, second = {0}, larger = {0}, anew = {0};
    char expected[TABLE_MAX], table[TABLE_MAX];
    assert_int_equal(search(state, "{}", 4, 0, false, &first, expected, &status), STATUS_OK);
    size_t n = world.n_train;
    assert_int_equal(search(state, "{}", 4, 0, false, &second, table, &status), STATUS_OK);
    assert_int_equal(world.n_train, n);
    assert_string_equal(table, expected);
    assert_int_equal(search(state, "{}", 6, 0, false, &larger, table, &status), STATUS_OK);
    assert_int_equal(larger.n_trials, 6);
    assert_in_range(world.n_train, n + 2, n + 6);
    assert_int_equal(world.n_load, 1);
    n = world.n_train;
    assert_int_equal(search(state, "{}", 4, 0, true, &anew, table, &status), STATUS_OK);
    assert_string_equal(table, expected);
    /* the stage's own cache may still know the last trial */
    assert_in_range(world.n_train, n + 4, n + 8);
    tune_result_release(&first);
    tune_result_release(&second);
    tune_result_release(&larger);
    tune_result_release(&anew);
}

static void an_interrupted_search_ends_like_one_in_one_go(void **state)
{
    struct status status = {0};
    struct tune_result whole = {0}, broken = {0}, resumed = {0};
    char expected[TABLE_MAX], table[TABLE_MAX];
    assert_int_equal(search(state, "{warmup: 0}", 4, 0, false, &whole, expected, &status),
                     STATUS_OK);
    size_t n = world.n_train;
    for (size_t stop = 2; stop < n; stop += 3) {
        world.n_train = 0;
        world.stop_at = stop;
        assert_int_equal(search(state, "{warmup: 0}", 4, 0, true, &broken, table, &status),
                         STATUS_SIGNAL);
        assert_int_equal(status.signal, SIGINT);
        assert_int_equal(world.n_train, stop);
        tune_result_release(&broken);
        world.stop_at = 0;
        world.signal = 0;
        status_clear(&status);
        assert_int_equal(search(state, "{warmup: 0}", 4, 0, false, &resumed, table, &status),
                         STATUS_OK);
        assert_string_equal(table, expected);
        assert_in_range(world.n_train, n, n + 1); /* the broken one twice */
        tune_result_release(&resumed);
    }
    tune_result_release(&whole);
}

static void a_trial_that_fails_loses(void **state)
{
    struct status status = {0};
    struct tune_result result = {0};
    char table[TABLE_MAX];
    world.fail_above = 0.5;
    assert_int_equal(search(state, "{}", 5, 0, false, &result, table, &status), STATUS_OK);
    const struct tune_trial *last = &result.trials[result.n_trials - 1];
    assert_true(isnan(last->value));
    assert_non_null(strstr(last->message, "the loss is not a number"));
    assert_true(result.trials[result.winner].value <= 0.5 + 0.5 + 0.09);
    assert_int_equal(result.trials[result.winner].epochs, 9);
    tune_result_release(&result);
}

static void a_configuration_that_fails_is_the_error(void **state)
{
    struct status status = {0};
    struct tune_result result = {0};
    char table[TABLE_MAX];
    world.fail_above = 0.1;
    assert_int_equal(search(state, "{}", 5, 0, false, &result, table, &status), STATUS_DATA);
    assert_non_null(strstr(status.message, "trial 0: stage train: the loss is not a number"));
    tune_result_release(&result);
    status_clear(&status);
    world.fail_above = 0;
    world.nothing_to_tell = true;
    assert_int_equal(search(state, "{}", 5, 0, false, &result, table, &status), STATUS_CONFIG);
    assert_non_null(strstr(status.message, "no validation part"));
    tune_result_release(&result);
}

static void the_configuration_is_kept_when_nothing_beats_it(void **state)
{
    struct status status = {0};
    struct tune_result result = {0};
    char table[TABLE_MAX];
    assert_int_equal(search(state, "{x: 1, mode: good}", 3, 0, false, &result, table, &status),
                     STATUS_OK);
    assert_false(result.is_better);
    assert_int_equal(result.trials[result.baseline].epochs, 9);
    tune_result_release(&result);
}

static void a_gain_within_one_standard_error_is_none(void **state)
{
    struct status status = {0};
    struct tune_result first = {0}, again = {0};
    char table[TABLE_MAX], expected[TABLE_MAX];
    world.luck = 10;
    assert_int_equal(search(state, "{}", 4, 0, false, &first, expected, &status), STATUS_OK);
    const struct tune_trial *winner = &first.trials[first.winner];
    const double gain = winner->value - first.trials[first.baseline].value;
    assert_true(gain > 0);
    assert_true(fabs(first.gain - gain) < 1e-12);
    assert_true(first.error > first.gain);
    assert_false(first.is_better);
    /* what is known from an earlier call is compared in the same way */
    assert_int_equal(search(state, "{}", 4, 0, false, &again, table, &status), STATUS_OK);
    assert_string_equal(table, expected);
    assert_true(again.trials[again.winner].known && again.error == first.error);
    assert_false(again.is_better);
    tune_result_release(&first);
    tune_result_release(&again);
    world.luck = 1e-9;
    assert_int_equal(search(state, "{}", 4, 0, true, &first, table, &status), STATUS_OK);
    assert_true(first.is_better);
    tune_result_release(&first);
}

static void no_trial_starts_when_the_time_is_over(void **state)
{
    struct status status = {0};
    struct tune_result result = {0};
    char table[TABLE_MAX];
    assert_int_equal(search(state, "{}", 9, 1e-9, false, &result, table, &status), STATUS_OK);
    assert_true(result.out_of_time);
    assert_false(result.is_better);
    assert_int_equal(result.n_trials, 0);
    assert_int_equal(world.n_train, 0);
    tune_result_release(&result);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh_world, config_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_best_is_found_and_the_test_is_not_read),
        TEST(a_second_search_does_only_what_is_not_known),
        TEST(an_interrupted_search_ends_like_one_in_one_go),
        TEST(a_trial_that_fails_loses),
        TEST(a_configuration_that_fails_is_the_error),
        TEST(the_configuration_is_kept_when_nothing_beats_it),
        TEST(a_gain_within_one_standard_error_is_none),
        TEST(no_trial_starts_when_the_time_is_over),
    };
    return cmocka_run_group_tests_name("tune", tests, NULL, NULL);
}
