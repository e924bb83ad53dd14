/* Metrics against values worked out by hand, and against a second way of computing them. */
#include "evaluation/metrics.h"

#include "base/mem.h"
#include "base/rng.h"
#include "search/paired.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static double value_of(const char *name, const uint8_t *hits, size_t k, size_t n_relevant)
{
    for (const struct metric *metric = metric_table; metric->name != NULL; metric++) {
        if (strcmp(metric->name, name) == 0) {
            return metric->of_user(hits, k, n_relevant);
        }
    }
    fail_msg("no metric %s", name);
    return 0.0;
}

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) < 1e-12)) {
        fail_msg("%.15g is not %.15g", value, expected);
    }
}

static void each_metric_has_its_textbook_value(void **state)
{
    (void)state;
    /* hits at ranks 2 and 5 */
    const uint8_t hits[] = {0, 1, 0, 0, 1, 0};
    assert_near(value_of("recall", hits, 5, 8), 2.0 / 8);
    assert_near(value_of("precision", hits, 5, 8), 2.0 / 5);
    assert_near(value_of("hit", hits, 5, 8), 1.0);
    assert_near(value_of("hit", hits, 1, 8), 0.0);
    assert_near(value_of("mrr", hits, 5, 8), 1.0 / 2);
    assert_near(value_of("mrr", hits, 1, 8), 0.0);
    assert_near(value_of("map", hits, 5, 8), (1.0 / 2 + 2.0 / 5) / 5);
    assert_near(value_of("map", hits, 5, 3), (1.0 / 2 + 2.0 / 5) / 3);
    double gain = 1 / log2(3) + 1 / log2(6);
    assert_near(value_of("ndcg", hits, 5, 2), gain / (1 + 1 / log2(3)));
    assert_near(value_of("ndcg", hits, 5, 100),
                gain / (1 + 1 / log2(3) + 1 / log2(4) + 1 / log2(5) + 1 / log2(6)));
}

static void a_perfect_list_reaches_one(void **state)
{
    (void)state;
    const uint8_t hits[] = {1, 1, 1, 0, 0};
    assert_near(value_of("recall", hits, 5, 3), 1.0);
    assert_near(value_of("ndcg", hits, 5, 3), 1.0);
    assert_near(value_of("map", hits, 5, 3), 1.0);
    assert_near(value_of("mrr", hits, 5, 3), 1.0);
    assert_near(value_of("precision", hits, 3, 3), 1.0);
    assert_near(value_of("ndcg", hits, 2, 3), 1.0);
}

static void metric_names_are_read_strictly(void **state)
{
    (void)state;
    const struct metric *metric = NULL;
    const struct list_measure *measure = NULL;
    size_t k = 0;
    assert_true(metric_parse("ndcg@20", 7, &metric, &k));
    assert_string_equal(metric->name, "ndcg");
    assert_int_equal(k, 20);
    assert_true(metric_parse("recall@1000", 11, &metric, &k));
    static const char *const wrong[] = {"ndcg",     "ndcg@",    "ndcg@0",  "ndcg@1001", "ndcg@2x",
                                        "Ndcg@20",  "ndcg@-5",  "@20",     "ndc@20",    "ndcgs@20",
                                        "ndcg@2.5", "ndcg@20 ", "ndcg@@20"};
    const struct metric *before = metric;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(metric_parse(wrong[i], strlen(wrong[i]), &metric, &k));
        assert_ptr_equal(metric, before);
        assert_int_equal(k, 1000);
    }
    assert_false(metric_parse("coverage@5", 10, &metric, &k));
    assert_true(list_measure_parse("coverage@5", 10, &measure, &k));
    assert_string_equal(measure->name, "coverage");
    assert_int_equal(k, 5);
    assert_false(list_measure_parse("recall@5", 8, &measure, &k));
}

static void users_without_held_out_items_give_nan_and_unknown_items_are_misses(void **state)
{
    (void)state;
    int64_t offsets[] = {0, 2, 2, 2};
    int32_t columns[] = {3, 7};
    struct sparse held_out = {3, 10, offsets, columns, NULL};
    const int32_t unknown[] = {2, 0, 1};
    const int32_t lists[] = {7, 1, -1, /**/ 3, 7, 1, /**/ 1, 2, 3};
    double out[3];
    const struct metric *recall = NULL;
    size_t k = 0;
    assert_true(metric_parse("recall@3", 8, &recall, &k));
    metric_per_user(recall, k, lists, 3, NULL, 3, &held_out, unknown, out);
    assert_near(out[0], 1.0 / 4);
    assert_true(isnan(out[1]));
    assert_near(out[2], 0.0);
    assert_near(paired_mean(out, 3), 0.125);
    metric_per_user(recall, k, lists, 3, NULL, 3, &held_out, NULL, out);
    assert_near(out[0], 1.0 / 2);
    assert_true(isnan(out[2]));
}

static void rows_and_cut_offs_beyond_the_list_are_respected(void **state)
{
    (void)state;
    int64_t offsets[] = {0, 1, 3};
    int32_t columns[] = {0, 4, 5};
    struct sparse held_out = {2, 6, offsets, columns, NULL};
    const int32_t rows[] = {1};
    const int32_t list[] = {4, 0, 5};
    double out[1];
    const struct metric *metric = NULL;
    size_t k = 0;
    assert_true(metric_parse("precision@10", 12, &metric, &k));
    metric_per_user(metric, k, list, 3, rows, 1, &held_out, NULL, out);
    assert_near(out[0], 2.0 / 10);
    metric_per_user(metric, 2, list, 3, rows, 1, &held_out, NULL, out);
    assert_near(out[0], 1.0 / 2);
    assert_near(paired_mean(NULL, 0), 0.0);
}

static double measure_of(const char *name, const struct exposure *exposure)
{
    for (const struct list_measure *row = list_measure_table; row->name != NULL; row++) {
        if (strcmp(row->name, name) == 0) {
            return row->of_exposure(exposure);
        }
    }
    fail_msg("no measure %s", name);
    return 0.0;
}

static void list_measures_follow_what_is_shown(void **state)
{
    (void)state;
    struct status status = {0};
    struct exposure exposure = {0};
    const int64_t counts[] = {8, 4, 2, 1};
    /* item 0 three times, item 1 once among the first two; rank 3 does not count */
    const int32_t lists[] = {0, 1, 3, /**/ 0, -1, -1, /**/ 2, -1, 3, /**/ 0, -1, -1};
    assert_int_equal(exposure_init(&exposure, counts, 4, 16, &status), STATUS_OK);
    exposure_add(&exposure, lists, 3, 2, 2);
    exposure_add(&exposure, lists + 6, 3, 2, 2);
    exposure_finish(&exposure);
    /* shown 3, 1, 1, 0 */
    assert_near(measure_of("coverage", &exposure), 3.0 / 4);
    assert_near(measure_of("gini", &exposure), (-3.0 * 0 - 1 * 1 + 1 * 1 + 3 * 3) / (4.0 * 5));
    assert_near(measure_of("novelty", &exposure), (3 * 1.0 + 2.0 + 3.0) / 5);
    assert_near(measure_of("popularity", &exposure), (3 * 8.0 + 4 + 2) / 5);
    exposure_release(&exposure);
}

/* The mean absolute difference over twice the mean: the other form of the Gini coefficient. */
static void gini_agrees_with_its_other_form(void **state)
{
    (void)state;
    enum { N = 40 };
    struct status status = {0};
    struct exposure exposure = {0};
    struct rng rng;
    int64_t counts[N] = {0};
    double differences = 0.0, total = 0.0;
    rng_init(&rng, 1, "test.gini", 0, 0);
    assert_int_equal(exposure_init(&exposure, counts, N, 5, &status), STATUS_OK);
    for (size_t i = 0; i < N; i++) {
        exposure.shown[i] = (int64_t)rng_below(&rng, 30);
        total += (double)exposure.shown[i];
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++) {
            differences += fabs((double)(exposure.shown[i] - exposure.shown[j]));
        }
    }
    exposure_finish(&exposure);
    assert_near(measure_of("gini", &exposure), differences / (2.0 * N * total));
    exposure_release(&exposure);
}

static void measures_of_nothing_shown_are_zero(void **state)
{
    (void)state;
    struct status status = {0};
    struct exposure exposure = {0};
    const int64_t counts[] = {1, 1};
    assert_int_equal(exposure_init(&exposure, counts, 2, 3, &status), STATUS_OK);
    exposure_finish(&exposure);
    for (const struct list_measure *row = list_measure_table; row->name != NULL; row++) {
        assert_near(row->of_exposure(&exposure), 0.0);
    }
    exposure_release(&exposure);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_metric_has_its_textbook_value),
        cmocka_unit_test(a_perfect_list_reaches_one),
        cmocka_unit_test(metric_names_are_read_strictly),
        cmocka_unit_test(users_without_held_out_items_give_nan_and_unknown_items_are_misses),
        cmocka_unit_test(rows_and_cut_offs_beyond_the_list_are_respected),
        cmocka_unit_test(list_measures_follow_what_is_shown),
        cmocka_unit_test(gini_agrees_with_its_other_form),
        cmocka_unit_test(measures_of_nothing_shown_are_zero),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
