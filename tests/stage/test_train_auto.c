/* train with settings left to `auto`: what it tries, what it takes, what refit makes of it, and
 * that a killed search is gone on with. */
#include "math/blas.h"
#include "run/runner.h"
#include "tests/support/stage_support.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

extern const struct stage stage_interactions, stage_pairs, stage_negatives, stage_train,
    stage_refit;
static const struct stage *const registry[] = {&stage_interactions, &stage_pairs, &stage_negatives,
                                               &stage_train,        &stage_refit, NULL};

/* 60 users, 40 items: user u likes the items of u's parity. */
static const char log_of_events[] =
    "CREATE TABLE events (user_id INTEGER, item_id INTEGER);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)"
    " INSERT INTO events SELECT DISTINCT i % 60, i * 7919 % 1009 * 31 % 20 * 2 + i % 2 FROM n;";

#define SPLIT "- interactions: {split: {by: random, valid: 0.2, test: 0.2}}\n"
#define PAIRS "- pairs: {item_item: {top: 5}}\n"
#define NEGATIVES                                                                                  \
    "- negatives: {strategy: all, alpha: auto, hard: {count: auto, pool: 20, skip: 0}}\n"
#define TRAIN_AT(temperature, epochs, budget)                                                      \
    "- train: {dimension: 8, epochs: " epochs ", batch_users: 16, learning_rate: 0.05,"            \
    " temperature: " temperature ", degree_exponent: auto, checkpoint_every: 0s,"                  \
    " co_interaction: {weight: auto}, propagation: {hops: auto}, search: {budget: " budget "}}\n"
static const char searching[] =
    SPLIT PAIRS NEGATIVES TRAIN_AT("auto", "20", "0.01") "- refit: {}\n";
static const char long_search[] =
    SPLIT PAIRS NEGATIVES TRAIN_AT("auto", "400", "0.1") "- refit: {}\n";

static void run(void **state, const char *stages, int threads)
{
    struct status status;
    if (stage_run(state, registry, stages, threads, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
}

static void assert_rows(void **state, const char *sql, const char *expected)
{
    struct db *work = stage_work(state);
    store_assert_rows(work, sql, expected);
    db_close(work);
}

static void the_best_trial_is_taken_and_kept_for_refit(void **state)
{
    stage_source(state, log_of_events);
    run(state, searching, 1);
    assert_rows(
        state,
        "SELECT count(*) > 6, sum(chosen), min(epochs), max(epochs),"
        " min(value BETWEEN 0 AND 1), min(seconds > 0) FROM search_trial WHERE stage = 'train'",
        "1|1|7|20|1|1\n");
    char text[256];
    snprintf(text, sizeof text,
             "temperature=%g negatives.alpha=%g degree_exponent=%g co_interaction.weight=%g "
             "propagation.hops=%g negatives.hard.count=%g|1\n",
             stage_number(state, "train/training", "setting.temperature"),
             stage_number(state, "train/training", "alpha"),
             stage_number(state, "train/training", "setting.degree_exponent"),
             stage_number(state, "train/training", "setting.co_items.weight"),
             stage_number(state, "train/training", "setting.hops"),
             stage_number(state, "train/training", "hard.count"));
    assert_rows(state, "SELECT settings, chosen FROM search_trial WHERE chosen = 1", text);
    for (int s = 0; s < 2; s++) {
        const char *embeddings = s == 0 ? "train/towers" : "refit/towers";
        assert_true(stage_number(state, embeddings, "temperature") ==
                    stage_number(state, "train/training", "setting.temperature"));
        assert_true(stage_number(state, embeddings, "alpha") ==
                    stage_number(state, "train/training", "alpha"));
    }
}

/* What was chosen, written into the configuration by hand, trains the same towers. */
static void the_chosen_values_given_as_numbers_make_the_same_towers(void **state)
{
    char automatic[HASH_TEXT_MAX], given[HASH_TEXT_MAX], stages[1024];
    stage_source(state, log_of_events);
    run(state, searching, 1);
    stage_hash(state, "refit/towers", automatic);
    snprintf(stages, sizeof stages,
             SPLIT PAIRS
             "- negatives: {strategy: all, alpha: %g, hard: {count: %g, pool: 20, skip: 0}}\n"
             "- train: {dimension: 8, epochs: 20, batch_users: 16, learning_rate: 0.05,"
             " temperature: %g, degree_exponent: %g, checkpoint_every: 0s,"
             " co_interaction: {weight: %g}, propagation: {hops: %g}}\n- refit: {}\n",
             stage_number(state, "train/training", "alpha"),
             stage_number(state, "train/training", "hard.count"),
             stage_number(state, "train/training", "setting.temperature"),
             stage_number(state, "train/training", "setting.degree_exponent"),
             stage_number(state, "train/training", "setting.co_items.weight"),
             stage_number(state, "train/training", "setting.hops"));
    run(state, stages, 1);
    stage_hash(state, "refit/towers", given);
    assert_string_equal(automatic, given);
}

static void threads_change_no_choice_and_no_byte(void **state)
{
    char one[HASH_TEXT_MAX], three[HASH_TEXT_MAX];
    stage_source(state, log_of_events);
    run(state, searching, 1);
    stage_hash(state, "train/towers", one);
    run(state, searching, 3);
    stage_hash(state, "train/towers", three);
    assert_string_equal(one, three);
}

static void without_validation_known_values_are_taken(void **state)
{
    stage_source(state, log_of_events);
    run(state, "- interactions: {split: {by: none}}\n" PAIRS NEGATIVES TRAIN_AT("auto", "5", "1"),
        1);
    stage_assert_warned(state,
                        "train: no validation part, so all 5 epochs are run and none is chosen");
    assert_rows(state, "SELECT count(*) FROM search_trial", "0\n");
    assert_true(stage_number(state, "train/training", "alpha") == 0.0);
    assert_true(stage_number(state, "train/training", "setting.temperature") > 0.0);
}

/* ---- a killed search ---- */

static bool has_three_trials(void **state)
{
    struct status status = {0};
    char path[STORE_PATH_MAX];
    struct db *work = NULL;
    int64_t n = 0;
    bool found = false;
    store_path(state, "work.db", path);
    if (db_open(path, DB_READ, 1.0, &work, &status) == STATUS_OK) {
        /* the array of choices has a row for each trial */
        (void)!db_get_int64(work,
                            "SELECT n_rows FROM artifact_array JOIN artifact USING (artifact)"
                            " WHERE slot LIKE 'checkpoint/train/%' AND artifact_array.name ="
                            " 'choices' AND current = 1",
                            &n, &found, &status);
    }
    db_close(work);
    return found && n >= 3;
}

static void a_killed_search_goes_on_to_the_same_bytes(void **state)
{
    char resumed[HASH_TEXT_MAX], whole[HASH_TEXT_MAX], path[STORE_PATH_MAX];
    struct status status = {0};
    struct plan *plan = NULL;
    struct run_result result = {0};
    const struct stage_registry stages = {registry};
    stage_source(state, log_of_events);
    stage_kill_when(state, has_three_trials);
    assert_false(stage_has_artifact(state, "train/towers"));
    store_path(state, "pipeline.yaml", path);
    assert_int_equal(plan_load(path, &stages, NULL, 0, &plan, &status), STATUS_OK);
    const struct run_request request = {.plan = plan, .version = "test"};
    if (runner_run(&request, &result, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
    plan_free(plan);
    stage_hash(state, "train/towers", resumed);
    run(state, long_search, 1);
    stage_hash(state, "train/towers", whole);
    assert_string_equal(resumed, whole);
}

#define STAGE_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, store_folder_setup, store_folder_teardown)

int main(int argc, char **argv)
{
    blas_init();
    if (argc == 3 && strcmp(argv[1], "run") == 0) { /* the process that is killed */
        void *folder = argv[2];
        struct status status;
        return (int)stage_run(&folder, registry, long_search, 1, &status);
    }
    const struct CMUnitTest tests[] = {
        STAGE_TEST(the_best_trial_is_taken_and_kept_for_refit),
        STAGE_TEST(the_chosen_values_given_as_numbers_make_the_same_towers),
        STAGE_TEST(threads_change_no_choice_and_no_byte),
        STAGE_TEST(without_validation_known_values_are_taken),
        STAGE_TEST(a_killed_search_goes_on_to_the_same_bytes),
    };
    return cmocka_run_group_tests_name("settings left to train", tests, NULL, NULL);
}
