/* Trainings that are killed in the middle, by a second process that runs them, and gone on with. */
#include "math/blas.h"
#include "run/runner.h"
#include "tests/support/stage_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

extern const struct stage stage_interactions, stage_negatives, stage_train, stage_refit;
static const struct stage *const registry[] = {&stage_interactions, &stage_negatives, &stage_train,
                                               &stage_refit, NULL};

static const char log_of_events[] =
    "CREATE TABLE events (user_id INTEGER, item_id INTEGER);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)"
    " INSERT INTO events SELECT DISTINCT i % 60, i * 7919 % 1009 * 31 % 20 * 2 + i % 2 FROM n;";

static const char long_training[] =
    "- interactions: {split: {by: random, valid: 0.2, test: 0.2}}\n"
    "- negatives: {strategy: uniform, count: 20}\n"
    "- train: {dimension: 8, epochs: 150, batch_users: 16, patience: 0,"
    " learning_rate: 0.05, checkpoint_every: 0s}\n"
    "- refit: {epochs: 3}\n";

/* The slot of train's checkpoint; false when there is none yet. */
static bool find_checkpoint(void **state, char slot[STORE_PATH_MAX])
{
    struct status status = {0};
    char path[STORE_PATH_MAX];
    struct db *work = NULL;
    struct db_query *query = NULL;
    bool found = false;
    store_path(state, "work.db", path);
    if (db_open(path, DB_READ, 1.0, &work, &status) == STATUS_OK &&
        db_prepare(work,
                   "SELECT slot FROM artifact WHERE current = 1 AND slot LIKE 'checkpoint/train/%'",
                   &query, &status) == STATUS_OK &&
        db_step(query, &found, &status) == STATUS_OK && found) {
        size_t length = 0;
        snprintf(slot, STORE_PATH_MAX, "%s", db_column_text(query, 0, &length));
    }
    db_finalize(query);
    db_close(work);
    return found;
}

static bool has_checkpoint(void **state)
{
    char slot[STORE_PATH_MAX];
    return find_checkpoint(state, slot);
}

/* Another process runs the stages and dies in the middle of train, behind its first checkpoint. */
static void kill_in_training(void **state, char slot[STORE_PATH_MAX])
{
    stage_source(state, log_of_events);
    stage_kill_when(state, has_checkpoint);
    assert_false(stage_has_artifact(state, "train/towers"));
    assert_true(find_checkpoint(state, slot));
}

/* Runs the killed pipeline again, without force. */
static void go_on(void **state)
{
    const struct stage_registry stages = {registry};
    struct status status = {0};
    char path[STORE_PATH_MAX];
    struct plan *plan = NULL;
    struct run_result result = {0};
    store_path(state, "pipeline.yaml", path);
    assert_int_equal(plan_load(path, &stages, NULL, 0, &plan, &status), STATUS_OK);
    const struct run_request request = {.plan = plan, .version = "test"};
    assert_int_equal(runner_run(&request, &result, &status), STATUS_OK);
    assert_int_equal(result.n_skipped, 2);
    assert_int_equal(result.n_run, 2);
    plan_free(plan);
}

static void a_killed_training_goes_on_to_the_same_bytes(void **state)
{
    const char *const slots[] = {"train/towers", "train/training", "refit/towers"};
    struct status status = {0};
    char slot[STORE_PATH_MAX], resumed[3][HASH_TEXT_MAX], whole[HASH_TEXT_MAX];
    kill_in_training(state, slot);
    go_on(state);
    assert_false(find_checkpoint(state, slot));
    for (size_t s = 0; s < 3; s++) {
        stage_hash(state, slots[s], resumed[s]);
    }
    assert_int_equal(stage_run(state, registry, long_training, 1, &status), STATUS_OK);
    for (size_t s = 0; s < 3; s++) {
        stage_hash(state, slots[s], whole);
        assert_string_equal(resumed[s], whole);
    }
}

/* A best value that no epoch can reach is found in the result: it came from the checkpoint. */
static void a_killed_training_goes_on_from_its_checkpoint(void **state)
{
    struct status status = {0};
    char slot[STORE_PATH_MAX];
    kill_in_training(state, slot);
    struct artifact checkpoint = stage_artifact_of(state, slot);
    const double unreachable = 2.0;
    memcpy(artifact_find(&checkpoint, "best_metric")->data, &unreachable, sizeof unreachable);
    struct db *work = stage_work(state);
    assert_int_equal(artifact_save(work, slot, &checkpoint, &status), STATUS_OK);
    db_close(work);
    artifact_release(&checkpoint);
    go_on(state);
    assert_true(stage_number(state, "train/training", "best_metric") == unreachable);
}

#define STAGE_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, store_folder_setup, store_folder_teardown)

int main(int argc, char **argv)
{
    blas_init();
    if (argc == 3 && strcmp(argv[1], "run") == 0) { /* the process that is killed */
        void *folder = argv[2];
        struct status status;
        return (int)stage_run(&folder, registry, long_training, 1, &status);
    }
    const struct CMUnitTest tests[] = {
        STAGE_TEST(a_killed_training_goes_on_to_the_same_bytes),
        STAGE_TEST(a_killed_training_goes_on_from_its_checkpoint),
    };
    return cmocka_run_group_tests_name("killed trainings", tests, NULL, NULL);
}
