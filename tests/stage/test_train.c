/* The stages train and refit in real runs, behind interactions, pairs and negatives. What they
 * leave is compared with a training made here, straight from the artifacts that they read. */
#include "base/mem.h"
#include "evaluation/metrics.h"
#include "math/blas.h"
#include "negatives/negatives_options.h"
#include "pairs/item_pairs.h"
#include "pairs/pair_artifact.h"
#include "run/context_data.h"
#include "towers/embeddings.h"
#include "training/train_options.h"
#include "training/trainer.h"
#include "run/context.h"
#include "tests/support/stage_support.h"
#include "search/paired.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

extern const struct stage stage_interactions, stage_pairs, stage_negatives, stage_train,
    stage_refit, stage_calibrate, stage_recommend, stage_publish;
static const struct stage *const registry[] = {
    &stage_interactions, &stage_pairs,     &stage_negatives, &stage_train, &stage_refit,
    &stage_calibrate,    &stage_recommend, &stage_publish,   NULL};

/* 60 users, 40 items, 100 days: user u likes the items of u's parity. The newest event is alone on
 * its day, so that the newest time stays when the rest of the end changes. */
static const char log_of_events[] =
    "CREATE TABLE events (user_id INTEGER, item_id INTEGER, time INTEGER);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2400)"
    " INSERT INTO events SELECT i % 60, (i * 7919 % 1009 * 31 % 20) * 2 +"
    " CASE WHEN i % 11 = 0 THEN 1 - i % 2 ELSE i % 2 END,"
    " 1600000000 + (i * 104729 % 100) * 86400 FROM n;"
    "INSERT INTO events VALUES (1, 1, 1608640000);";

#define TIME_SPLIT "- interactions: {split: {by: time, valid: 14d, test: 14d}}\n"
#define UNIFORM    "- negatives: {strategy: uniform, count: 20}\n"
#define TRAIN                                                                                      \
    "- train: {dimension: 8, epochs: 30, batch_users: 16, learning_rate: 0.05, patience: 3}\n"

static void run(void **state, const char *stages, int threads)
{
    struct status status;
    const enum status_code code = stage_run(state, registry, stages, threads, &status);
    if (code != STATUS_OK) {
        print_error("%s\n", status.message);
    }
    assert_int_equal(code, STATUS_OK);
}

/* ---- the same training without the stages ---- */

/* The inputs of a training, out of the work database. */
struct inputs {
    struct artifact interactions_artifact, pairs_artifact, negatives_artifact, training_artifact;
    struct interactions interactions;
    struct sparse item_pairs;
    struct history train;
    int64_t *counts;
    struct trainer_settings settings;
    struct negative_settings negatives;
    struct trainer_input input;
};

static void load_pair_slots(struct inputs *in, enum basis basis)
{
    struct status status = {0};
    const float *weights = NULL;
    bool found = false;
    const char *slot = basis == BASIS_FIT ? "fit.item_item" : "all.item_item";
    assert_int_equal(sparse_load(&in->item_pairs, &in->pairs_artifact, slot, &found, &status),
                     STATUS_OK);
    assert_true(found);
    assert_int_equal(pairs_positive_weights(&in->pairs_artifact, basis,
                                            sparse_entries(&in->train.matrix), &weights, &status),
                     STATUS_OK);
    in->train.matrix.values = (float *)(uintptr_t)weights;
    in->input.item_pairs = &in->item_pairs;
}

static void inputs_load(struct inputs *in, void **state, enum basis basis, bool with_pairs)
{
    struct status status = {0};
    memset(in, 0, sizeof *in);
    in->interactions_artifact = stage_artifact_of(state, "interactions/interactions");
    in->negatives_artifact = stage_artifact_of(state, "negatives/negatives");
    in->training_artifact = stage_artifact_of(state, "train/training");
    assert_int_equal(interactions_load(&in->interactions, &in->interactions_artifact, &status),
                     STATUS_OK);
    const struct dataset *dataset = &in->interactions.basis[basis];
    in->train = dataset->train;
    assert_int_equal(MEM_NEW(&in->counts, dataset->n_items, &status), STATUS_OK);
    dataset_item_counts(dataset, in->counts);
    assert_int_equal(trainer_settings_load(&in->settings, &in->training_artifact, &status),
                     STATUS_OK);
    assert_int_equal(negative_settings_load(&in->negatives, &in->negatives_artifact, &status),
                     STATUS_OK);
    in->input = (struct trainer_input){.settings = &in->settings,
                                       .negatives = &in->negatives,
                                       .train = &in->train,
                                       .item_counts = in->counts,
                                       .seed = 7};
    if (with_pairs) {
        in->pairs_artifact = stage_artifact_of(state, "pairs/pairs");
        load_pair_slots(in, basis);
    }
    const struct array *stored =
        artifact_find(&in->negatives_artifact, basis == BASIS_FIT ? "fit.stored" : "all.stored");
    if (stored != NULL) {
        in->input.stored_negatives = stored->data;
        in->input.n_stored = stored->columns;
    }
}

static void inputs_release(struct inputs *in)
{
    interactions_release(&in->interactions);
    mem_free(in->counts);
    artifact_release(&in->interactions_artifact);
    artifact_release(&in->pairs_artifact);
    artifact_release(&in->negatives_artifact);
    artifact_release(&in->training_artifact);
}

/* Whether `epochs` epochs of a training from these inputs give the towers in the slot. */
static bool gives_the_towers(struct inputs *in, void **state, const char *slot, double epochs)
{
    struct status status = {0};
    struct trainer_hooks none = {0};
    struct trainer_result result = {0};
    struct embeddings embeddings = {0};
    struct artifact artifact = stage_artifact_of(state, slot);
    in->input.stop_after = (size_t)epochs;
    assert_int_equal(trainer_run(&in->input, &none, NULL, &result, &status), STATUS_OK);
    assert_int_equal(embeddings_load(&embeddings, &artifact, &status), STATUS_OK);
    assert_int_equal(embeddings.users.rows, result.n_users);
    assert_int_equal(embeddings.items.rows, result.n_items);
    const bool same = memcmp(embeddings.users.data, result.vectors[SIDE_USERS],
                             result.n_users * result.dimension * sizeof(float)) == 0 &&
                      memcmp(embeddings.items.data, result.vectors[SIDE_ITEMS],
                             result.n_items * result.dimension * sizeof(float)) == 0;
    trainer_result_release(&result);
    artifact_release(&artifact);
    return same;
}

/* ---- tests ---- */

static void training_stops_early_and_keeps_the_towers_of_the_best_epoch(void **state)
{
    struct status status = {0};
    struct curve_point *curve = NULL;
    size_t n = 0;
    struct inputs in;
    stage_source(state, log_of_events);
    run(state, TIME_SPLIT UNIFORM TRAIN, 1);
    const double best = stage_number(state, "train/training", "best_epoch");
    const double value = stage_number(state, "train/training", "best_metric");
    inputs_load(&in, state, BASIS_FIT, false);
    assert_int_equal(curve_load(&curve, &n, &in.training_artifact, &status), STATUS_OK);
    assert_true(n < 30 && (double)n == best + 3);
    for (size_t e = 0; e < n; e++) {
        assert_true(curve[e].metric <= value);
    }
    assert_true(curve[(size_t)best - 1].metric == value);
    const struct array *of_users = artifact_find(&in.training_artifact, "user_values");
    assert_non_null(of_users);
    assert_true(fabs(paired_mean(of_users->data, of_users->rows) - value) < 1e-12);
    assert_true(stage_number(state, "train/towers", "epochs") == best);
    assert_true(stage_number(state, "train/towers", "basis") == (double)BASIS_FIT);
    assert_true(gives_the_towers(&in, state, "train/towers", best));
    assert_false(gives_the_towers(&in, state, "train/towers", best + 1));
    mem_free(curve);
    inputs_release(&in);
}

/* The curve of the stage train in the work database: columns of curve_columns in their order. */
static void the_curve_table_holds_the_curve_of_the_artifact(void **state)
{
    struct status status = {0};
    struct curve_point *curve = NULL;
    struct db_query *query = NULL;
    size_t n = 0;
    bool has_row = false;
    stage_source(state, log_of_events);
    run(state, TIME_SPLIT UNIFORM "- train: {dimension: 8, epochs: 4, validate_every: 2}\n", 1);
    struct artifact artifact = stage_artifact_of(state, "train/training");
    assert_int_equal(curve_load(&curve, &n, &artifact, &status), STATUS_OK);
    assert_int_equal(n, 4);
    assert_true(isnan(curve[0].metric) && !isnan(curve[1].metric));
    struct db *work = stage_work(state);
    assert_int_equal(
        db_prepare(work, "SELECT * FROM training_curve ORDER BY epoch", &query, &status),
        STATUS_OK);
    for (size_t e = 0; e < n; e++) {
        assert_int_equal(db_step(query, &has_row, &status), STATUS_OK);
        assert_true(has_row);
        assert_string_equal(db_column_text(query, 1, NULL), "train");
        assert_int_equal(db_column_int64(query, 2), e + 1);
        for (size_t c = 0; c < CURVE_COLUMNS; c++) {
            double value = curve_value(&curve[e], c);
            assert_true((db_column_type(query, 3 + (int)c) == DB_NULL) == (isnan(value) != 0));
            assert_true(isnan(value) || db_column_double(query, 3 + (int)c) == value);
        }
    }
    assert_int_equal(db_step(query, &has_row, &status), STATUS_OK);
    assert_false(has_row);
    db_finalize(query);
    db_close(work);
    mem_free(curve);
    artifact_release(&artifact);
}

static void every_optimizer_and_schedule_trains_and_refits(void **state)
{
    const char *const choices[] = {
        "optimizer: adamw, weight_decay: 0.1, schedule: linear",
        "optimizer: adagrad, learning_rate: 0.1, schedule: step, step_every: 1, step_factor: 0.7",
        "optimizer: sgd, momentum: 0.9, learning_rate: 0.01, schedule: constant",
    };
    stage_source(state, log_of_events);
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        struct inputs in;
        char stages[512];
        snprintf(stages, sizeof stages,
                 TIME_SPLIT UNIFORM "- train: {dimension: 8, epochs: 3, %s}\n- refit: {}\n",
                 choices[i]);
        run(state, stages, 1);
        inputs_load(&in, state, BASIS_ALL, false);
        assert_int_equal(in.settings.optimizer.rule, i + 1);
        assert_true(gives_the_towers(&in, state, "refit/towers",
                                     stage_number(state, "train/training", "best_epoch")));
        inputs_release(&in);
    }
}

static void settings_that_the_optimizer_does_not_take_are_mistakes(void **state)
{
    struct status status;
    stage_source(state, log_of_events);
    assert_int_equal(stage_run(state, registry,
                               TIME_SPLIT UNIFORM
                               "- train: {epochs: 1, weight_decay: 0.1, momentum: 0.5}\n",
                               1, &status),
                     STATUS_CONFIG);
    assert_non_null(
        strstr(status.message, "adam takes none; adamw, rowwise_adam, adagrad and sgd do"));
    assert_non_null(strstr(status.message, "adam takes none; sgd does"));
}

static void refit_runs_the_chosen_epochs_on_every_event_with_the_same_settings(void **state)
{
    struct inputs in;
    stage_source(state, log_of_events);
    run(state,
        TIME_SPLIT "- pairs: {user_item: {weights: log}, item_item: {top: 10}}\n"
                   "- negatives: {strategy: mixed, count: 10, alpha: 0.5}\n"
                   "- train: {dimension: 8, epochs: 20, batch_users: 16, learning_rate: 0.05,"
                   " patience: 2, degree_exponent: 0.5, co_interaction: {weight: 0.2}}\n"
                   "- refit: {}\n",
        2);
    const double best = stage_number(state, "train/training", "best_epoch");
    assert_true(best < 20);
    assert_true(stage_number(state, "refit/towers", "epochs") == best);
    assert_true(stage_number(state, "refit/towers", "basis") == (double)BASIS_ALL);
    inputs_load(&in, state, BASIS_ALL, true);
    assert_true(sparse_entries(&in.train.matrix) == sparse_entries(&in.interactions.log.matrix));
    assert_true(sparse_entries(&in.train.matrix) >
                sparse_entries(&in.interactions.basis[BASIS_FIT].train.matrix));
    assert_true(gives_the_towers(&in, state, "refit/towers", best));
    inputs_release(&in);
}

static void refit_can_be_told_how_many_epochs_to_run(void **state)
{
    struct inputs in;
    stage_source(state, log_of_events);
    run(state, TIME_SPLIT UNIFORM TRAIN "- refit: {epochs: 2}\n", 1);
    assert_true(stage_number(state, "refit/towers", "epochs") == 2.0);
    inputs_load(&in, state, BASIS_ALL, false);
    assert_true(gives_the_towers(&in, state, "refit/towers", 2.0));
    inputs_release(&in);
}

static void without_a_validation_part_every_epoch_is_run(void **state)
{
    stage_source(state, log_of_events);
    run(state,
        "- interactions: {split: {by: none}}\n" UNIFORM
        "- train: {dimension: 8, epochs: 4, patience: 1}\n- refit: {}\n",
        1);
    assert_true(stage_number(state, "train/training", "best_epoch") == 4.0);
    assert_true(isnan(stage_number(state, "train/training", "best_metric")));
    assert_true(stage_number(state, "refit/towers", "epochs") == 4.0);
}

static void stored_negatives_are_used_as_they_are(void **state)
{
    struct inputs in;
    stage_source(state, log_of_events);
    run(state,
        TIME_SPLIT "- negatives: {strategy: popularity, alpha: 0.5, stored: 3}\n" TRAIN
                   "- refit: {}\n",
        1);
    const double best = stage_number(state, "train/training", "best_epoch");
    const enum basis bases[] = {BASIS_FIT, BASIS_ALL};
    const char *const slots[] = {"train/towers", "refit/towers"};
    for (size_t b = 0; b < 2; b++) {
        inputs_load(&in, state, bases[b], false);
        assert_int_equal(in.input.n_stored, 3);
        assert_true(gives_the_towers(&in, state, slots[b], best));
        const struct array *stored =
            artifact_find(&in.negatives_artifact, b == 0 ? "fit.stored" : "all.stored");
        int32_t *changed = stored->data;
        for (size_t i = 0; i < stored->rows * stored->columns; i++) {
            changed[i] = (int32_t)(((size_t)changed[i] + 1) % in.train.matrix.n_columns);
        }
        assert_false(gives_the_towers(&in, state, slots[b], best));
        inputs_release(&in);
    }
}

#define EVERYTHING(split)                                                                          \
    "- interactions: {half_life: 30d, min_user_interactions: 2, min_item_interactions: 2,"         \
    " max_user_interactions: 12, split: " split "}\n"                                              \
    "- pairs: {item_item: {window: 20d}}\n"                                                        \
    "- negatives: {strategy: popularity, alpha: 0.7, stored: 4}\n"                                 \
    "- train: {dimension: 8, epochs: 5, batch_users: 16, co_interaction: {}}\n"                    \
    "- calibrate: {}\n"

/* The artifacts in `slots` (n) are the same before and after `change`; the interactions are not. */
static void assert_choices_alike(void **state, const char *stages, const char *change,
                                 const char *const *slots, size_t n)
{
    char before[8][HASH_TEXT_MAX], after[HASH_TEXT_MAX], path[STORE_PATH_MAX];
    char interactions[HASH_TEXT_MAX];
    stage_source(state, log_of_events);
    store_path(state, "source.db", path);
    struct db *db = store_open(path, DB_WRITE);
    store_exec(db, "CREATE TABLE exam (user_id INTEGER, item_id INTEGER);"
                   "INSERT INTO exam SELECT i.user_id, j.item_id FROM events i, events j"
                   " WHERE i.rowid % 50 = 3 AND j.rowid % 50 = 4");
    db_close(db);
    assert_true(n <= 8);
    run(state, stages, 1);
    stage_hash(state, "interactions/interactions", interactions);
    for (size_t s = 0; s < n; s++) {
        stage_hash(state, slots[s], before[s]);
    }
    db = store_open(path, DB_WRITE);
    store_exec(db, change);
    db_close(db);
    run(state, stages, 1);
    stage_hash(state, "interactions/interactions", after);
    assert_string_not_equal(interactions, after);
    for (size_t s = 0; s < n; s++) {
        stage_hash(state, slots[s], after);
        assert_string_equal(before[s], after);
    }
}

static void nothing_that_is_chosen_depends_on_a_test_part_cut_from_the_log(void **state)
{
    const char *const slots[] = {"train/towers", "train/training", "calibrate/calibration"};
    assert_choices_alike(state, EVERYTHING("{by: time, valid: 14d, test: 14d}"),
                         "UPDATE events SET item_id = item_id * 13 % 97, user_id = user_id * 3 % 71"
                         " WHERE time > 1608640000 - 14 * 86400 AND time < 1608640000",
                         slots, 3);
}

static void nothing_at_all_depends_on_a_test_part_of_its_own(void **state)
{
    const char *const slots[] = {"pairs/pairs",    "negatives/negatives",   "train/towers",
                                 "train/training", "calibrate/calibration", "refit/towers"};
    assert_choices_alike(
        state, EVERYTHING("{test_query: 'SELECT user_id, item_id FROM exam'}") "- refit: {}\n",
        "DELETE FROM exam WHERE rowid % 3 = 0;"
        "INSERT INTO exam VALUES (1, 1000), (1000, 1), (2000, 2000)",
        slots, 6);
}

static void the_number_of_threads_changes_no_byte(void **state)
{
    char hashes[2][2][HASH_TEXT_MAX];
    stage_source(state, log_of_events);
    for (int threads = 1; threads <= 2; threads++) {
        run(state, EVERYTHING("{by: time, valid: 14d, test: 14d}") "- refit: {}\n", threads);
        stage_hash(state, "train/towers", hashes[threads - 1][0]);
        stage_hash(state, "refit/towers", hashes[threads - 1][1]);
    }
    assert_string_equal(hashes[0][0], hashes[1][0]);
    assert_string_equal(hashes[0][1], hashes[1][1]);
}

static void co_interaction_without_item_pairs_is_a_mistake_of_the_configuration(void **state)
{
    const char *const without[] = {
        TIME_SPLIT UNIFORM "- train: {dimension: 8, epochs: 2, co_interaction: {}}\n", TIME_SPLIT
        "- pairs: {}\n" UNIFORM "- train: {dimension: 8, epochs: 2, co_interaction: {}}\n"};
    struct status status;
    stage_source(state, log_of_events);
    for (size_t s = 0; s < 2; s++) {
        assert_int_equal(stage_run(state, registry, without[s], 1, &status), STATUS_CONFIG);
        assert_non_null(strstr(status.message, "train.co_interaction: it needs item pairs"));
    }
    run(state,
        TIME_SPLIT UNIFORM "- train: {dimension: 8, epochs: 2, co_interaction: {weight: 0}}\n", 1);
}

static void every_loss_trains(void **state)
{
    char stages[400];
    stage_source(state, log_of_events);
    for (size_t l = 0; loss_names[l] != NULL; l++) {
        (void)snprintf(stages, sizeof stages,
                       TIME_SPLIT UNIFORM "- train: {dimension: 8, epochs: 2, loss: %s}\n",
                       loss_names[l]);
        run(state, stages, 1);
        assert_true(stage_has_artifact(state, "train/towers"));
    }
}

static void a_setting_that_the_loss_does_not_read_is_a_mistake_of_the_configuration(void **state)
{
    const struct {
        const char *options, *told;
    } rows[] = {
        {"loss: bpr, t2: 1.2", "t2: 1.2 has no effect on loss bpr"},
        {"margin: 0.3", "margin: 0.3 has no effect on loss softmax"},
        {"loss: triplet, negative_weight: 3", "negative_weight: 3 has no effect on loss triplet"},
        {"loss: ccl, uniformity: 3", "uniformity: 3 has no effect on loss ccl"},
        {"loss: bsl, slk_width: 3", "slk_width: 3 has no effect on loss bsl"},
        {"loss: bsl, denominators: all", "denominators: all has no effect on loss bsl"},
        {"loss: warp, margin: 0.3, t2: 1", NULL},
    };
    char stages[400];
    struct status status;
    stage_source(state, log_of_events);
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        (void)snprintf(stages, sizeof stages,
                       TIME_SPLIT UNIFORM "- train: {dimension: 8, epochs: 2, %s}\n",
                       rows[r].options);
        if (rows[r].told == NULL) {
            run(state, stages, 1);
        } else {
            assert_int_equal(stage_run(state, registry, stages, 1, &status), STATUS_CONFIG);
            assert_non_null(strstr(status.message, rows[r].told));
        }
    }
}

/* ---- a loss that is not finite ---- */

static const struct stage_artifact poison_inputs[] = {{.name = "interactions"}, {.name = NULL}};
static const struct stage_artifact poison_outputs[] = {{.name = "pairs"}, {.name = NULL}};

/* Leaves positives of which one weighs NaN. */
static enum status_code poison_run(struct context *context, const void *options,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct artifact *input = NULL;
    struct interactions interactions = {0};
    struct artifact pairs = {0};
    float *weights = NULL;
    (void)options;
    artifact_init(&pairs, "pairs");
    TRY(context_input(context, "interactions", &input, status));
    TRY(interactions_load(&interactions, input, status));
    const size_t n = sparse_entries(&interactions.basis[BASIS_FIT].train.matrix);
    TRY(MEM_NEW(&weights, n, status));
    for (size_t e = 0; e < n; e++) {
        weights[e] = e == n / 2 ? NAN : 1.0f;
    }
    TRY(artifact_take(&pairs, "fit.user_item", ARRAY_F32, n, 1, weights, status));
    TRY(context_output(context, &pairs, status));
done:
    artifact_release(&pairs);
    interactions_release(&interactions);
    return code;
}

static const struct option no_options[] = {{.name = NULL}};
static const struct stage stage_poison = {
    .name = "poison",
    .summary = "Stands in for pairs.",
    .version = 1,
    .options_size = 1,
    .options = no_options,
    .inputs = poison_inputs,
    .outputs = poison_outputs,
    .run = poison_run,
};

static void a_loss_that_is_not_finite_ends_the_run_and_publishes_nothing(void **state)
{
    static const struct stage *const poisoned[] = {
        &stage_interactions, &stage_poison,    &stage_negatives, &stage_train,
        &stage_calibrate,    &stage_recommend, &stage_publish,   NULL};
    struct status status;
    char path[STORE_PATH_MAX];
    stage_source(state, log_of_events);
    assert_int_equal(stage_run(state, poisoned,
                               TIME_SPLIT "- poison: {}\n" UNIFORM TRAIN
                                          "- calibrate: {}\n- recommend: {}\n- publish: {}\n",
                               1, &status),
                     STATUS_DATA);
    assert_non_null(strstr(status.message, "the loss is not finite in epoch 1, batch"));
    assert_false(stage_has_artifact(state, "train/towers"));
    assert_false(stage_has_artifact(state, "train/training"));
    store_path(state, "output.db", path);
    struct db *db = store_open(path, DB_CREATE);
    assert_int_equal(
        store_int64(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'recommendations'"), 0);
    db_close(db);
}

#define STAGE_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, store_folder_setup, store_folder_teardown)

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        STAGE_TEST(training_stops_early_and_keeps_the_towers_of_the_best_epoch),
        STAGE_TEST(the_curve_table_holds_the_curve_of_the_artifact),
        STAGE_TEST(every_optimizer_and_schedule_trains_and_refits),
        STAGE_TEST(settings_that_the_optimizer_does_not_take_are_mistakes),
        STAGE_TEST(refit_runs_the_chosen_epochs_on_every_event_with_the_same_settings),
        STAGE_TEST(refit_can_be_told_how_many_epochs_to_run),
        STAGE_TEST(without_a_validation_part_every_epoch_is_run),
        STAGE_TEST(stored_negatives_are_used_as_they_are),
        STAGE_TEST(nothing_that_is_chosen_depends_on_a_test_part_cut_from_the_log),
        STAGE_TEST(nothing_at_all_depends_on_a_test_part_of_its_own),
        STAGE_TEST(the_number_of_threads_changes_no_byte),
        STAGE_TEST(co_interaction_without_item_pairs_is_a_mistake_of_the_configuration),
        STAGE_TEST(every_loss_trains),
        STAGE_TEST(a_setting_that_the_loss_does_not_read_is_a_mistake_of_the_configuration),
        STAGE_TEST(a_loss_that_is_not_finite_ends_the_run_and_publishes_nothing),
    };
    return cmocka_run_group_tests_name("train and refit", tests, NULL, NULL);
}
