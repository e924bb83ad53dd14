/* The calibrate stage in a run. */
#include "math/blas.h"
#include "evaluation/calibration.h"
#include "tests/support/stage_bench.h"
#include "tests/support/store_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct calibration load(void **state, struct artifact *artifact)
{
    struct status status = {0};
    struct calibration calibration = {0};
    assert_true(stage_bench_artifact(state, "calibrate/calibration", artifact));
    assert_int_equal(calibration_load(&calibration, artifact, NULL, &status), STATUS_OK);
    return calibration;
}

static void auto_takes_the_best_point_of_the_grid(void **state)
{
    struct status status = {0};
    struct artifact artifact = {0};
    assert_int_equal(stage_bench_run(state,
                                     "  - given: {}\n"
                                     "  - calibrate: {from: 0, to: 1, step: 0.5, users: 50}\n",
                                     NULL, &status),
                     STATUS_OK);
    struct calibration calibration = load(state, &artifact);
    assert_true(calibration.n_grid >= 3 + 4);
    for (size_t i = 0; i < calibration.n_grid; i++) {
        assert_true(calibration.grid_value[i] <= calibration.value);
    }
    assert_true(calibration.alpha == 0.5);
    artifact_release(&artifact);
}

static void the_test_part_does_not_change_the_choice(void **state)
{
    struct status status = {0};
    struct artifact with = {0}, without = {0};
    assert_int_equal(
        stage_bench_run(state, "  - given: {test: cut}\n  - calibrate: {}\n", NULL, &status),
        STATUS_OK);
    struct calibration a = load(state, &with);
    assert_int_equal(
        stage_bench_run(state, "  - given: {test: none}\n  - calibrate: {}\n", NULL, &status),
        STATUS_OK);
    struct calibration b = load(state, &without);
    assert_int_equal(a.n_grid, b.n_grid);
    assert_memory_equal(a.grid_value, b.grid_value, a.n_grid * sizeof *a.grid_value);
    assert_true(a.weights.beta == b.weights.beta);
    artifact_release(&with);
    artifact_release(&without);
}

static void a_given_weight_is_taken_as_it_is(void **state)
{
    struct status status = {0};
    struct artifact artifact = {0};
    assert_int_equal(
        stage_bench_run(state, "  - given: {}\n  - calibrate: {scoring: {popularity: 0.35}}\n",
                        NULL, &status),
        STATUS_OK);
    struct calibration calibration = load(state, &artifact);
    assert_true(calibration.weights.beta == 0.35);
    assert_int_equal(calibration.n_grid, 1);
    assert_true(calibration.value > 0.0);
    artifact_release(&artifact);
}

static void without_validation_it_warns_and_keeps_the_exponent_of_the_training(void **state)
{
    struct status status = {0};
    struct artifact artifact = {0};
    struct buf log = {0};
    assert_int_equal(
        stage_bench_run(state, "  - given: {valid: false}\n  - calibrate: {}\n", &log, &status),
        STATUS_OK);
    struct calibration calibration = load(state, &artifact);
    assert_true(calibration.weights.beta == 0.5);
    assert_int_equal(calibration.n_grid, 0);
    assert_true(isnan(calibration.value));
    assert_non_null(strstr(buf_text(&log), "no validation part"));
    artifact_release(&artifact);
    buf_release(&log);
}

static const char pairs_above[] = "  - given: {}\n  - pairs: {evidence: {top: 30}}\n";

static enum status_code run_with_pairs(void **state, const char *calibrate, struct status *status)
{
    struct buf stages = {0};
    buf_addf(&stages, "%s  - calibrate: %s\n", pairs_above, calibrate);
    enum status_code code = stage_bench_run(state, buf_text(&stages), NULL, status);
    buf_release(&stages);
    return code;
}

static void evidence_is_tried_where_pairs_made_some(void **state)
{
    struct status status = {0};
    struct artifact artifact = {0};
    size_t n_with_evidence = 0;
    assert_int_equal(run_with_pairs(state, "{}", &status), STATUS_OK);
    struct calibration calibration = load(state, &artifact);
    for (size_t i = 0; i < calibration.n_grid; i++) {
        n_with_evidence += calibration.grid_gamma[i] > 0 ? 1 : 0;
    }
    assert_true(n_with_evidence > 20);
    assert_true(calibration.value >= calibration.towers_value);
    artifact_release(&artifact);
}

static void the_three_weights_may_be_given(void **state)
{
    struct status status = {0};
    struct artifact artifact = {0};
    assert_int_equal(
        run_with_pairs(state, "{scoring: {popularity: 0.25, evidence: 3, exponent: 0.5}}", &status),
        STATUS_OK);
    struct calibration calibration = load(state, &artifact);
    assert_true(calibration.weights.beta == 0.25 && calibration.weights.gamma == 3);
    assert_true(calibration.weights.exponent == 0.5 && calibration.towers_beta == 0.25);
    artifact_release(&artifact);
}

static void without_validation_given_weights_are_taken(void **state)
{
    struct status status = {0};
    struct artifact artifact = {0};
    assert_int_equal(stage_bench_run(state,
                                     "  - given: {valid: false}\n"
                                     "  - pairs: {evidence: {}}\n"
                                     "  - calibrate: {scoring: {evidence: 2, exponent: 0.25}}\n",
                                     NULL, &status),
                     STATUS_OK);
    struct calibration calibration = load(state, &artifact);
    assert_true(calibration.weights.beta == 0.5 && calibration.weights.gamma == 2);
    assert_true(calibration.weights.exponent == 0.25 && isnan(calibration.value));
    artifact_release(&artifact);
}

static void wrong_options_are_reported_with_their_place(void **state)
{
    struct status status = {0};
    assert_int_equal(stage_bench_run(state,
                                     "  - given: {}\n"
                                     "  - calibrate:\n"
                                     "      metric: ndgc@20\n"
                                     "      from: 2\n",
                                     NULL, &status),
                     STATUS_CONFIG);
    assert_int_equal(status.line, 7);
    assert_non_null(strstr(status.message, "ndgc@20"));
    assert_non_null(strstr(status.message, ":8:"));
    status_clear(&status);
    assert_int_equal(
        stage_bench_run(state, "  - given: {}\n  - calibrate: {step: 0.001}\n", NULL, &status),
        STATUS_CONFIG);
    assert_non_null(strstr(status.message, "more than 100 weights"));
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(auto_takes_the_best_point_of_the_grid, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(the_test_part_does_not_change_the_choice,
                                        store_folder_setup, store_folder_teardown),
        cmocka_unit_test_setup_teardown(a_given_weight_is_taken_as_it_is, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(
            without_validation_it_warns_and_keeps_the_exponent_of_the_training, store_folder_setup,
            store_folder_teardown),
        cmocka_unit_test_setup_teardown(evidence_is_tried_where_pairs_made_some, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(the_three_weights_may_be_given, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(without_validation_given_weights_are_taken,
                                        store_folder_setup, store_folder_teardown),
        cmocka_unit_test_setup_teardown(wrong_options_are_reported_with_their_place,
                                        store_folder_setup, store_folder_teardown),
    };
    return cmocka_run_group_tests_name("calibrate", tests, NULL, NULL);
}
