/* The recommend stage in a run: options reach the lists. The lists themselves are tested in
 * tests/unit/test_serving.c. */
#include "math/blas.h"
#include "serving/recommendations.h"
#include "tests/support/stage_bench.h"
#include "tests/support/store_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void run(void **state, const char *stages, struct artifact *artifact,
                struct recommendations *lists)
{
    struct status status = {0};
    assert_int_equal(stage_bench_run(state, stages, NULL, &status), STATUS_OK);
    assert_true(stage_bench_artifact(state, "recommend/recommendations", artifact));
    assert_int_equal(recommendations_load(lists, artifact, &status), STATUS_OK);
}

static void every_user_of_the_log_gets_as_many_rows_as_asked(void **state)
{
    struct artifact artifact = {0};
    struct recommendations lists = {0};
    run(state, "  - given: {events: all}\n  - recommend: {top: 7, similar: 3, popular: 4}\n",
        &artifact, &lists);
    assert_int_equal(lists.n_served, 120);
    assert_int_equal(lists.top, 7);
    assert_int_equal(lists.similar_top, 3);
    assert_int_equal(lists.n_popular, 4);
    for (size_t e = 0; e < lists.n_served * lists.top; e++) {
        assert_true(lists.items[e] >= 0);
    }
    assert_true(lists.n_cold > 0);
    assert_true(lists.weights.beta == 0.5); /* the training's, without a calibration */
    assert_true(lists.temperature == 0.25);
    artifact_release(&artifact);
}

static void seen_items_are_left_out_unless_asked_for(void **state)
{
    struct ranking_data data;
    stage_bench_data(&data, BASIS_ALL);
    for (int exclude = 0; exclude < 2; exclude++) {
        struct artifact artifact = {0};
        struct recommendations lists = {0};
        size_t n_seen = 0;
        run(state,
            exclude == 1 ? "  - given: {events: all}\n  - recommend: {}\n"
                         : "  - given: {events: all}\n  - recommend: {exclude_seen: false}\n",
            &artifact, &lists);
        for (size_t e = 0; e < lists.n_served * lists.top; e++) {
            n_seen += lists.items[e] >= 0 && sparse_has(&data.interactions.log.matrix,
                                                        e / lists.top, lists.items[e])
                          ? 1
                          : 0;
        }
        assert_true(exclude == 1 ? n_seen == 0 : n_seen > 0);
        artifact_release(&artifact);
    }
    ranking_data_release(&data);
}

static void the_calibrated_weight_is_used(void **state)
{
    struct artifact artifact = {0};
    struct recommendations lists = {0};
    run(state,
        "  - given: {}\n"
        "  - calibrate: {scoring: {popularity: 0.125}}\n"
        "  - recommend: {}\n",
        &artifact, &lists);
    assert_true(lists.weights.beta == 0.125);
    artifact_release(&artifact);
}

static void no_rows_are_no_option(void **state)
{
    struct status status = {0};
    assert_int_equal(
        stage_bench_run(state, "  - given: {}\n  - recommend: {top: 0}\n", NULL, &status),
        STATUS_CONFIG);
    assert_int_equal(status.line, 6);
    assert_non_null(strstr(status.message, "top"));
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_user_of_the_log_gets_as_many_rows_as_asked,
                                        store_folder_setup, store_folder_teardown),
        cmocka_unit_test_setup_teardown(seen_items_are_left_out_unless_asked_for,
                                        store_folder_setup, store_folder_teardown),
        cmocka_unit_test_setup_teardown(the_calibrated_weight_is_used, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(no_rows_are_no_option, store_folder_setup,
                                        store_folder_teardown),
    };
    return cmocka_run_group_tests_name("recommend", tests, NULL, NULL);
}
