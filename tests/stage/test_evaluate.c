/* The evaluate stage in a run: which part it judges, what it records, when the gate refuses. */
#include "math/blas.h"
#include "evaluation/metric_rows.h"
#include "tests/support/stage_bench.h"
#include "tests/support/stage_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

extern const struct stage stage_interactions, stage_negatives, stage_train, stage_evaluate;

/* What was saved, by the names of that artifact; NAN where there is no row. */
static double value_of(struct artifact *artifact, const char *name, const char *model,
                       const char *group)
{
    struct status status = {0};
    struct metric_rows rows = {0};
    const void *values;
    double value = (double)NAN;
    assert_int_equal(artifact_get_strings(artifact, "name", &rows.names, &status), STATUS_OK);
    assert_int_equal(artifact_get_strings(artifact, "model", &rows.models, &status), STATUS_OK);
    assert_int_equal(artifact_get_strings(artifact, "group", &rows.groups, &status), STATUS_OK);
    assert_int_equal(artifact_get(artifact, "value", ARRAY_F64, &values, &rows.n, NULL, &status),
                     STATUS_OK);
    assert_true(rows.n == rows.names.n && rows.n == rows.models.n && rows.n == rows.groups.n);
    rows.values = (double *)values;
    (void)metric_rows_find(&rows, name, model, group, &value);
    artifact_release(artifact);
    return value;
}

static double saved(void **state, const char *name, const char *model)
{
    struct artifact artifact = {0};
    return stage_bench_artifact(state, "evaluate/metrics", &artifact)
               ? value_of(&artifact, name, model, "all")
               : (double)NAN;
}

static void it_measures_the_test_part_beside_both_baselines(void **state)
{
    struct status status = {0};
    assert_int_equal(stage_bench_run(state, "  - given: {}\n  - evaluate: {}\n", NULL, &status),
                     STATUS_OK);
    assert_true(saved(state, "ndcg@20", "nightjar") > 0.0);
    assert_true(saved(state, "recall@20", "popularity") > 0.0);
    assert_true(saved(state, "map@50", "item_item") > 0.0);
    assert_true(saved(state, "gini@20", "popularity") > 0.0);
    assert_true(saved(state, "users", "data") > 50.0);
    assert_true(isnan(saved(state, "valid:ndcg@20", "nightjar")));
}

static void the_calibrated_weight_is_used(void **state)
{
    struct status status = {0};
    double values[2];
    static const char *const weights[] = {"0", "5"};
    for (size_t i = 0; i < 2; i++) {
        struct buf stages = {0};
        buf_addf(&stages,
                 "  - given: {}\n  - calibrate: {scoring: {popularity: %s}}\n  - evaluate: {}\n",
                 weights[i]);
        assert_int_equal(stage_bench_run(state, buf_text(&stages), NULL, &status), STATUS_OK);
        values[i] = saved(state, "popularity@20", "nightjar");
        buf_release(&stages);
    }
    assert_true(values[1] > values[0]);
}

static void without_a_test_part_it_says_so_and_measures_on_validation(void **state)
{
    struct status status = {0};
    struct buf log = {0};
    assert_int_equal(
        stage_bench_run(state, "  - given: {test: none}\n  - evaluate: {}\n", &log, &status),
        STATUS_OK);
    assert_true(saved(state, "valid:ndcg@20", "nightjar") > 0.0);
    assert_true(isnan(saved(state, "ndcg@20", "nightjar")));
    assert_non_null(strstr(buf_text(&log), "no test part"));
    buf_release(&log);
}

static void with_nothing_held_out_it_warns(void **state)
{
    struct status status = {0};
    struct buf log = {0};
    assert_int_equal(stage_bench_run(state,
                                     "  - given: {test: none, valid: false}\n"
                                     "  - evaluate: {}\n",
                                     &log, &status),
                     STATUS_OK);
    assert_non_null(strstr(buf_text(&log), "nothing is measured"));
    buf_release(&log);
}

static void below_refit_it_judges_a_test_table(void **state)
{
    struct status status = {0};
    assert_int_equal(stage_bench_run(state,
                                     "  - given: {events: all, test: given}\n  - evaluate: {}\n",
                                     NULL, &status),
                     STATUS_OK);
    assert_true(saved(state, "ndcg@20", "nightjar") > 0.0);
}

static void a_refused_model_stops_the_run_and_is_judged_again_the_next_time(void **state)
{
    struct status status = {0};
    char path[STORE_PATH_MAX];
    static const char refused[] =
        "  - given: {}\n"
        "  - evaluate: {metrics: [hit@5], gate: {recall@20: {min: 0.99, over_popular: 100}}}\n"
        "  - recommend: {}\n";
    for (int round = 0; round < 2; round++) {
        struct artifact artifact = {0};
        status_clear(&status);
        assert_int_equal(stage_bench_run(state, refused, NULL, &status), STATUS_REFUSED);
        assert_non_null(strstr(status.message, "recall@20 is 0."));
        assert_non_null(strstr(status.message, "100 times popularity's"));
        assert_false(stage_bench_artifact(state, "recommend/recommendations", &artifact));
    }
    store_path(state, "bench.work.db", path);
    struct db *work = store_open(path, DB_READ);
    assert_int_equal(store_int64(work, "SELECT count(*) FROM run WHERE state = 'refused'"), 2);
    assert_int_equal(store_int64(work, "SELECT count(DISTINCT run) FROM run_metric"
                                       " WHERE name = 'recall@20' AND model = 'nightjar'"),
                     2);
    db_close(work);
    status_clear(&status);
    assert_int_equal(stage_bench_run(state,
                                     "  - given: {}\n"
                                     "  - evaluate: {gate: {recall@20: {min: 0.001}}}\n"
                                     "  - recommend: {}\n",
                                     NULL, &status),
                     STATUS_OK);
}

static void wrong_metric_names_are_reported(void **state)
{
    struct status status = {0};
    assert_int_equal(stage_bench_run(state,
                                     "  - given: {}\n"
                                     "  - evaluate: {metrics: [recall@20, recal@5],\n"
                                     "               gate: {ginni@20: {min: 0.1}}}\n",
                                     NULL, &status),
                     STATUS_CONFIG);
    assert_int_equal(status.line, 6);
    assert_non_null(strstr(status.message, "recal@5"));
    assert_non_null(strstr(status.message, "ginni@20"));
}

/* The newest days have users of their own. */
static void a_gate_with_nobody_to_judge_refuses(void **state)
{
    static const struct stage *const registry[] = {&stage_interactions, &stage_negatives,
                                                   &stage_train, &stage_evaluate, NULL};
    struct status status;
    stage_source(state,
                 "CREATE TABLE events (user_id, item_id, time);"
                 "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 299)"
                 " INSERT INTO events SELECT i % 20 + i / 270 * 100, i * 7 % 31,"
                 " 1600000000 + i * 3600 FROM n;");
    assert_int_equal(stage_run(state, registry,
                               "- interactions: {split: {by: time, valid: 1d, test: 1d}}\n"
                               "- negatives: {strategy: all}\n"
                               "- train: {dimension: 8, epochs: 1}\n"
                               "- evaluate: {metrics: [recall@5], gate: {recall@5: {min: 0.1}}}\n",
                               1, &status),
                     STATUS_REFUSED);
    assert_non_null(strstr(status.message, "the gate has nothing to judge"));
    assert_non_null(strstr(status.message, "20 unknown users"));
}

/* Values of group cold_users and cold_items; NAN where there is no row. */
static double cold_value(void **state, const char *name, const char *model, const char *group)
{
    struct artifact artifact = stage_artifact_of(state, "evaluate/metrics");
    return value_of(&artifact, name, model, group);
}

static void cold_users_and_items_have_lines_of_their_own(void **state)
{
    static const struct stage *const registry[] = {&stage_interactions, &stage_negatives,
                                                   &stage_train, &stage_evaluate, NULL};
    struct status status;
    stage_source(state, "CREATE TABLE events (user_id, item_id, time);"
                        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < "
                        "1999) INSERT INTO events SELECT i % 40, i * i % 37 + i % 3, 1600000000 + "
                        "i * 3600 FROM n;");
    static const char *const splits[] = {"", ", cold_users: 0.2, cold_items: 0.2"};
    for (size_t s = 0; s < 2; s++) {
        char stages[512];
        snprintf(stages, sizeof stages,
                 "- interactions: {split: {by: random, valid: 0.1, test: 0.1%s}}\n"
                 "- negatives: {strategy: all}\n"
                 "- train: {dimension: 8, epochs: 1}\n"
                 "- evaluate: {metrics: [recall@5]}\n",
                 splits[s]);
        assert_int_equal(stage_run(state, registry, stages, 1, &status), STATUS_OK);
        for (size_t g = 0; g < 2; g++) {
            const char *group = g == 0 ? "cold_users" : "cold_items";
            double users = cold_value(state, "users", "data", group);
            double model = cold_value(state, "recall@5", "nightjar", group);
            double popularity = cold_value(state, "recall@5", "popularity", group);
            if (s == 0) {
                assert_true(isnan(users) && isnan(model) && isnan(popularity));
            } else {
                assert_true(users > 0.0 && model >= 0.0 && popularity > 0.0);
            }
        }
    }
    char path[STORE_PATH_MAX];
    store_path(state, "work.db", path);
    struct db *work = store_open(path, DB_READ);
    assert_int_equal(store_int64(work, "SELECT count(*) FROM run_metric WHERE grp LIKE 'cold%'"),
                     6);
    db_close(work);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_measures_the_test_part_beside_both_baselines,
                                        store_folder_setup, store_folder_teardown),
        cmocka_unit_test_setup_teardown(the_calibrated_weight_is_used, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(without_a_test_part_it_says_so_and_measures_on_validation,
                                        store_folder_setup, store_folder_teardown),
        cmocka_unit_test_setup_teardown(with_nothing_held_out_it_warns, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(below_refit_it_judges_a_test_table, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(
            a_refused_model_stops_the_run_and_is_judged_again_the_next_time, store_folder_setup,
            store_folder_teardown),
        cmocka_unit_test_setup_teardown(a_gate_with_nobody_to_judge_refuses, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(cold_users_and_items_have_lines_of_their_own,
                                        store_folder_setup, store_folder_teardown),
        cmocka_unit_test_setup_teardown(wrong_metric_names_are_reported, store_folder_setup,
                                        store_folder_teardown),
    };
    return cmocka_run_group_tests_name("evaluate", tests, NULL, NULL);
}
