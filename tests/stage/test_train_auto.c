/* train with settings left to `auto`: what it tries, what it takes, what refit makes of it, and
 * that a killed search is gone on with. */
#include "math/blas.h"
#include "run/runner.h"
#include "tests/support/stage_support.h"
#include "tuning/fold.h"

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
    SPLIT PAIRS NEGATIVES TRAIN_AT("auto", "20", "0.02") "- refit: {}\n";
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
        "SELECT count(*) > 6, sum(chosen), min(epochs), max(epochs), max(fold),"
        " min(value BETWEEN 0 AND 1), min(seconds > 0) FROM search_trial WHERE stage = 'train'",
        "1|1|7|20|3|1|1\n");
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
    assert_rows(state, "SELECT count(*) FROM search_trial", "0\n");
    assert_true(stage_number(state, "train/training", "alpha") == 0.3);
    assert_true(stage_number(state, "train/training", "setting.temperature") > 0.0);
}

/* The texts of the training's artifact under that name begin with this one. */
static void assert_kept(void **state, const char *name, const char *expected)
{
    struct status status = {0};
    struct artifact artifact = stage_artifact_of(state, "train/training");
    struct strings texts = {0};
    assert_int_equal(artifact_get_strings(&artifact, name, &texts, &status), STATUS_OK);
    assert_memory_equal(texts.bytes, expected, strlen(expected));
    artifact_release(&artifact);
}

static void loss_dimension_and_number_of_draws_are_chosen_with_the_rest(void **state)
{
    stage_source(state, log_of_events);
    run(state,
        SPLIT "- pairs: {item_item: {top: 5}}\n"
              "- negatives: {strategy: uniform, count: auto}\n"
              "- train: {dimension: auto, loss: auto, epochs: 3, temperature: 0.2, batch_users: 16,"
              " search: {budget: 0.01}}\n- refit: {}\n",
        1);
    /* of 40 items 1,024 draws are all: the number of draws has one candidate */
    assert_rows(state,
                "SELECT max(settings LIKE '%loss=softmax'), max(settings LIKE '%loss=slk'),"
                " max(settings LIKE '%dimension=64 %'), max(settings LIKE '%dimension=256 %'),"
                " min(settings LIKE 'negatives.count=1024 %') FROM search_trial",
                "1|1|1|1|1\n");
    assert_true(stage_number(state, "train/training", "negatives.count") == 1024.0);
    char text[64];
    snprintf(text, sizeof text, "negatives.count=1024 dimension=%g|1\n",
             stage_number(state, "train/training", "setting.dimension"));
    assert_rows(state,
                "SELECT substr(settings, 1, instr(settings, ' loss') - 1), chosen"
                " FROM search_trial WHERE chosen = 1",
                text);
    /* whichever dimension is chosen, the next night takes the choice for one of its own kind */
    snprintf(text, sizeof text, "for=0,0,128,0negatives.count=1024dimension=%g",
             stage_number(state, "train/training", "setting.dimension"));
    assert_kept(state, "chosen", text);
}

/* ---- other draws of the validation part ---- */

enum { N_FOLDS = 2 };

/* As many pairs of each user as the first part has, none of them in train. */
static bool is_sound_draw(const struct fold *fold, const struct training *training)
{
    const struct dataset *first = &training->interactions.basis[BASIS_FIT];
    const struct sparse *drawn = &fold->dataset.valid.matrix;
    size_t n_same = 0;
    bool is_sound = true;
    for (size_t u = 0; u < first->n_users; u++) {
        const size_t n_train = sparse_row_length(&fold->dataset.train.matrix, u);
        const size_t n_valid = sparse_row_length(drawn, u);
        const size_t n_first = sparse_row_length(&first->valid.matrix, u);
        is_sound = is_sound && n_valid == n_first &&
                   n_train + n_valid == n_first + sparse_row_length(&first->train.matrix, u);
        for (int64_t e = drawn->offsets[u]; e < drawn->offsets[u + 1]; e++) {
            is_sound = is_sound && !sparse_has(&fold->dataset.train.matrix, u, drawn->columns[e]);
            n_same += sparse_has(&first->valid.matrix, u, drawn->columns[e]) ? 1 : 0;
        }
    }
    for (size_t i = 0; i < first->n_items; i++) {
        is_sound = is_sound && fold->item_counts[i] > 0;
    }
    return is_sound && n_same < sparse_entries(drawn) / 2 &&
           fold->item_pairs.n_rows == first->n_items;
}

static enum status_code probe_run(struct context *context, const void *options,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_settings settings = {.dimension = 8, .epochs = 1};
    struct training training = {0};
    struct validation validation = {0};
    struct fold folds[N_FOLDS] = {0};
    bool is_sound = false;
    (void)options;
    TRY(training_prepare(&training, context, BASIS_FIT, &settings, status));
    TRY(validation_init(&validation, &training.interactions.basis[BASIS_FIT], NULL, "ndcg@20", 1000,
                        1, status));
    training.input.validation = &validation;
    TRY(fold_is_sound(&training, &is_sound, status));
    for (size_t f = 0; f < N_FOLDS && is_sound; f++) {
        TRY(fold_init(&folds[f], &training, f + 1, status));
        is_sound = is_sound_draw(&folds[f], &training);
    }
    if (!is_sound || memcmp(folds[0].item_counts, folds[1].item_counts,
                            validation.dataset->n_items * sizeof(int64_t)) == 0) {
        code = status_set(status, STATUS_REFUSED, "no sound draws");
    }
done:
    for (size_t f = 0; f < N_FOLDS; f++) {
        fold_release(&folds[f]);
    }
    validation_release(&validation);
    training_release(&training);
    return code;
}

static const struct option no_options[] = {{.name = NULL}};
static const struct stage_artifact probe_inputs[] = {{.name = "interactions"},
                                                     {.name = "features", .optional = true},
                                                     {.name = "pairs"},
                                                     {.name = "negatives"},
                                                     {.name = NULL}};
static const struct stage_artifact no_outputs[] = {{.name = NULL}};
static const struct stage stage_probe = {
    .name = "probe",
    .summary = "Looks at the draws.",
    .version = 1,
    .options_size = 1,
    .options = no_options,
    .inputs = probe_inputs,
    .outputs = no_outputs,
    .run = probe_run,
};

static void other_draws_are_as_large_and_keep_every_pair_and_item(void **state)
{
    static const struct stage *const probing[] = {&stage_interactions, &stage_pairs,
                                                  &stage_negatives, &stage_probe, NULL};
    struct status status;
    stage_source(state, log_of_events);
    if (stage_run(state, probing, SPLIT PAIRS NEGATIVES "- probe: {}\n", 1, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
    /* what was not drawn is not drawn again */
    assert_int_equal(
        stage_run(state, probing,
                  "- interactions: {split: {by: leave_last, valid: 1}}\n" PAIRS NEGATIVES
                  "- probe: {}\n",
                  1, &status),
        STATUS_REFUSED);
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

/* pipeline.yaml as it stands there, with a limit on the time; 0: none. */
static void run_again(void **state, double max_time)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    struct plan *plan = NULL;
    struct run_result result = {0};
    const struct stage_registry stages = {registry};
    store_path(state, "pipeline.yaml", path);
    assert_int_equal(plan_load(path, &stages, NULL, 0, &plan, &status), STATUS_OK);
    const struct run_request request = {
        .plan = plan, .version = "test", .max_time = max_time, .force = max_time > 0};
    if (runner_run(&request, &result, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
    plan_free(plan);
}

static void a_limit_on_the_time_that_is_not_reached_changes_no_choice(void **state)
{
    char without[HASH_TEXT_MAX], within[HASH_TEXT_MAX];
    stage_source(state, log_of_events);
    run(state, searching, 1);
    stage_hash(state, "train/towers", without);
    run_again(state, 36000);
    stage_hash(state, "train/towers", within);
    assert_string_equal(without, within);
}

static void a_killed_search_goes_on_to_the_same_bytes(void **state)
{
    char resumed[HASH_TEXT_MAX], whole[HASH_TEXT_MAX];
    stage_source(state, log_of_events);
    stage_kill_when(state, has_three_trials);
    assert_false(stage_has_artifact(state, "train/towers"));
    run_again(state, 0);
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
        STAGE_TEST(loss_dimension_and_number_of_draws_are_chosen_with_the_rest),
        STAGE_TEST(other_draws_are_as_large_and_keep_every_pair_and_item),
        STAGE_TEST(a_limit_on_the_time_that_is_not_reached_changes_no_choice),
        STAGE_TEST(a_killed_search_goes_on_to_the_same_bytes),
    };
    return cmocka_run_group_tests_name("settings left to train", tests, NULL, NULL);
}
