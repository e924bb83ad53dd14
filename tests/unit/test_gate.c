/* The gate's rules, on made-up values. */
#include "model/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct metric_rows values(double nightjar, double popularity, double item_item)
{
    struct status status = {0};
    struct metric_rows rows = {0};
    assert_int_equal(metric_rows_add(&rows, "recall@20", "nightjar", "all", nightjar, &status),
                     STATUS_OK);
    assert_int_equal(metric_rows_add(&rows, "recall@20", "popularity", "all", popularity, &status),
                     STATUS_OK);
    assert_int_equal(metric_rows_add(&rows, "recall@20", "item_item", "all", item_item, &status),
                     STATUS_OK);
    return rows;
}

static enum status_code check(struct gate_rule rule, const struct metric_rows *rows,
                              struct status *status)
{
    static const char *const names[] = {"recall@20"};
    status_clear(status);
    return gate_check(names, &rule, 1, rows, "", status);
}

static void a_model_that_meets_every_rule_passes(void **state)
{
    (void)state;
    struct status status = {0};
    struct metric_rows rows = values(0.12, 0.1, 0.125);
    struct gate_rule rule = {.min = 0.12, .over_popular = 1.19, .over_item_item = 0.95};
    assert_int_equal(check(rule, &rows, &status), STATUS_OK);
    assert_int_equal(check((struct gate_rule){0}, &rows, &status), STATUS_OK);
    assert_int_equal(gate_check(NULL, NULL, 0, &rows, "", &status), STATUS_OK);
    metric_rows_release(&rows);
}

static void each_rule_refuses_with_both_figures(void **state)
{
    (void)state;
    struct status status = {0};
    struct metric_rows rows = values(0.12, 0.1, 0.125);
    assert_int_equal(check((struct gate_rule){.min = 0.13}, &rows, &status), STATUS_REFUSED);
    assert_non_null(strstr(status.message, "recall@20 is 0.12000"));
    assert_non_null(strstr(status.message, "at least 0.13000"));
    assert_int_equal(check((struct gate_rule){.over_popular = 1.3}, &rows, &status),
                     STATUS_REFUSED);
    assert_non_null(strstr(status.message, "at least 0.13000 (1.3 times popularity's 0.10000)"));
    assert_int_equal(check((struct gate_rule){.over_item_item = 1}, &rows, &status),
                     STATUS_REFUSED);
    assert_non_null(strstr(status.message, "1 times item_item's 0.12500"));
    metric_rows_release(&rows);
}

static void all_failures_are_told_at_once(void **state)
{
    (void)state;
    struct status status = {0};
    struct metric_rows rows = values(0.05, 0.1, 0.1);
    struct gate_rule rule = {.min = 0.2, .over_popular = 1, .over_item_item = 1};
    assert_int_equal(check(rule, &rows, &status), STATUS_REFUSED);
    assert_non_null(strstr(status.message, "0.20000"));
    assert_non_null(strstr(status.message, "popularity"));
    assert_non_null(strstr(status.message, "item_item"));
    metric_rows_release(&rows);
}

static void a_metric_that_was_not_measured_is_our_mistake(void **state)
{
    (void)state;
    static const char *const names[] = {"recall@20"};
    struct status status = {0};
    struct metric_rows rows = values(0.5, 0.1, 0.1);
    struct gate_rule rule = {.min = 0.1};
    assert_int_equal(gate_check(names, &rule, 1, &rows, "valid:", &status), STATUS_INTERNAL);
    assert_non_null(strstr(status.message, "valid:recall@20"));
    metric_rows_release(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_that_meets_every_rule_passes),
        cmocka_unit_test(each_rule_refuses_with_both_figures),
        cmocka_unit_test(all_failures_are_told_at_once),
        cmocka_unit_test(a_metric_that_was_not_measured_is_our_mistake),
    };
    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
