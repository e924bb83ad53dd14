/* The gate's rules, on made-up values. */
#include "evaluation/gate_rules.h"

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

/* The last published run's figures, where a test has any. */
static const struct metric_rows *previous;

static enum status_code check_prefixed(const struct gate_rule *rule, size_t n,
                                       const struct metric_rows *rows, const char *prefix,
                                       struct status *status)
{
    static const char *const names[] = {"recall@20"};
    const struct metric_rows none = {0};
    const struct gate_request request = {.stage = "evaluate",
                                         .n = n,
                                         .names = names,
                                         .rules = rule,
                                         .prefix = prefix,
                                         .model = "nightjar",
                                         .rows = rows,
                                         .previous = previous == NULL ? &none : previous};
    return gate_check(&request, status);
}

static enum status_code check(struct gate_rule rule, const struct metric_rows *rows,
                              struct status *status)
{
    status_clear(status);
    return check_prefixed(&rule, 1, rows, "", status);
}

static void a_model_that_meets_every_rule_passes(void **state)
{
    (void)state;
    struct status status = {0};
    struct metric_rows rows = values(0.12, 0.1, 0.125);
    struct gate_rule rule = {.min = 0.12, .over_popular = 1.19, .over_item_item = 0.95};
    assert_int_equal(check(rule, &rows, &status), STATUS_OK);
    assert_int_equal(check((struct gate_rule){0}, &rows, &status), STATUS_OK);
    assert_int_equal(check_prefixed(NULL, 0, &rows, "", &status), STATUS_OK);
    metric_rows_release(&rows);
}

static void each_rule_refuses_with_both_figures(void **state)
{
    (void)state;
    struct status status = {0};
    struct metric_rows rows = values(0.12, 0.1, 0.125);
    assert_int_equal(check((struct gate_rule){.min = 0.13}, &rows, &status), STATUS_REFUSED);
    assert_non_null(strstr(status.message, "recall@20 is 0.12,"));
    assert_non_null(strstr(status.message, "at least 0.13"));
    assert_int_equal(check((struct gate_rule){.over_popular = 1.3}, &rows, &status),
                     STATUS_REFUSED);
    assert_non_null(strstr(status.message, "at least 0.13 (1.3 times popularity's 0.1)"));
    assert_int_equal(check((struct gate_rule){.over_item_item = 1}, &rows, &status),
                     STATUS_REFUSED);
    assert_non_null(strstr(status.message, "1 times item_item's 0.125"));
    /* popularity of all time where no half-life is better */
    assert_int_equal(check((struct gate_rule){.over_recent = 1.3}, &rows, &status), STATUS_REFUSED);
    assert_non_null(strstr(status.message, "1.3 times popularity's 0.1"));
    assert_int_equal(
        metric_rows_add(&rows, "recall@20", "recent_popularity", "all", 0.119, &status), STATUS_OK);
    assert_int_equal(check((struct gate_rule){.over_recent = 1}, &rows, &status), STATUS_OK);
    assert_int_equal(check((struct gate_rule){.over_recent = 1.1}, &rows, &status), STATUS_REFUSED);
    assert_non_null(strstr(status.message, "1.1 times recent_popularity's 0.119"));
    metric_rows_release(&rows);
}

/* Next to no held-out pairs: nobody finds any. */
static void finding_as_little_as_a_baseline_that_found_nothing_is_refused(void **state)
{
    (void)state;
    struct status status = {0};
    struct metric_rows rows = values(0.0, 0.0, 0.0);
    assert_int_equal(check((struct gate_rule){.over_popular = 1}, &rows, &status), STATUS_REFUSED);
    assert_non_null(strstr(status.message, "recall@20 is 0, the gate asks for more than 0"));
    assert_int_equal(check((struct gate_rule){.max = 1}, &rows, &status), STATUS_OK);
    metric_rows_release(&rows);
    rows = values(0.0, 0.1, 0.1); /* a baseline that did find some is what the rule names */
    assert_int_equal(check((struct gate_rule){.over_popular = 1}, &rows, &status), STATUS_REFUSED);
    assert_non_null(strstr(status.message, "at least 0.1 (1 times popularity's 0.1)"));
    metric_rows_release(&rows);
}

static void all_failures_are_told_at_once(void **state)
{
    (void)state;
    struct status status = {0};
    struct metric_rows rows = values(0.05, 0.1, 0.1);
    struct gate_rule rule = {.min = 0.2, .over_popular = 1, .over_item_item = 1};
    assert_int_equal(check(rule, &rows, &status), STATUS_REFUSED);
    assert_non_null(strstr(status.message, "at least 0.2"));
    assert_non_null(strstr(status.message, "popularity"));
    assert_non_null(strstr(status.message, "item_item"));
    metric_rows_release(&rows);
}

static void a_mean_over_few_users_says_how_uncertain_it_is(void **state)
{
    (void)state;
    static const char *const names[] = {"recall@20"};
    struct status status = {0};
    struct metric_rows rows = values(0.1, 0.2, 0.1);
    const struct metric_rows none = {0};
    const struct gate_rule rule = {.over_popular = 1};
    struct gate_request request = {.stage = "evaluate",
                                   .n = 1,
                                   .names = names,
                                   .rules = &rule,
                                   .prefix = "",
                                   .model = "nightjar",
                                   .rows = &rows,
                                   .previous = &none,
                                   .n_users = 31,
                                   .noted = "recall@20",
                                   .note = ": so it is"};
    assert_int_equal(gate_check(&request, &status), STATUS_REFUSED);
    /* sqrt(0.1 * 0.9 / 31) */
    assert_non_null(strstr(status.message,
                           "popularity's 0.2): so it is\nrecall@20 is a mean over 31 "
                           "users, its standard error up to 0.054: longer windows"));
    status_clear(&status);
    request.n_users = 5000;
    assert_int_equal(gate_check(&request, &status), STATUS_REFUSED);
    assert_null(strstr(status.message, "standard error"));
    metric_rows_release(&rows);
}

/* nightjar .12 with an error of .004, the item-item baseline .125 and .006 of the difference */
static void what_is_missing_by_chance_does_not_refuse(void **state)
{
    (void)state;
    static const char *const names[] = {"recall@20"};
    struct status status = {0};
    struct buf excused = {0};
    struct metric_rows rows = values(0.12, 0.1, 0.125);
    struct metric_rows before = values(0.15, 0.1, 0.1);
    struct gate_rule rule = {.over_item_item = 1, .errors = 1};
    const struct gate_request request = {.stage = "evaluate",
                                         .n = 1,
                                         .names = names,
                                         .rules = &rule,
                                         .prefix = "",
                                         .model = "nightjar",
                                         .rows = &rows,
                                         .previous = &before,
                                         .excused = &excused};
    assert_int_equal(gate_check(&request, &status), STATUS_REFUSED); /* no error is known */
    status_clear(&status);
    rows.errors[0] = 0.004;
    rows.errors[2] = 0.006;
    before.errors[0] = 0.003;
    assert_int_equal(gate_check(&request, &status), STATUS_OK);
    assert_string_equal(buf_text(&excused),
                        "\nrecall@20 is 0.12, the gate asks for at least 0.125 (1 times "
                        "item_item's 0.125): 0.005 is missing, and 1 standard error of the "
                        "difference is 0.006");
    rule.errors = 0.8; /* .0048 */
    assert_int_equal(gate_check(&request, &status), STATUS_REFUSED);
    assert_non_null(strstr(status.message, "0.005 is missing, and 0.8 standard errors of the "
                                           "difference are 0.0048"));
    status_clear(&status);
    /* .006 is missing of .00608 with 1.008; .0075 of .0062 with 1.02 */
    rule = (struct gate_rule){.over_item_item = 1.008, .errors = 1};
    assert_int_equal(gate_check(&request, &status), STATUS_OK);
    rule.over_item_item = 1.02;
    assert_int_equal(gate_check(&request, &status), STATUS_REFUSED);
    status_clear(&status);
    /* .015 is missing, the error is the root of .004^2 + (.9 .003)^2, .00483 */
    rule = (struct gate_rule){.of_previous = 0.9, .errors = 3.2};
    assert_int_equal(gate_check(&request, &status), STATUS_OK);
    rule.errors = 3;
    assert_int_equal(gate_check(&request, &status), STATUS_REFUSED);
    status_clear(&status);
    /* a bare bound is what it is, and nothing is not as good as something */
    rule = (struct gate_rule){.min = 0.121, .errors = 1};
    assert_int_equal(gate_check(&request, &status), STATUS_REFUSED);
    status_clear(&status);
    rows.values[0] = 0;
    rule = (struct gate_rule){.over_item_item = 0.01, .errors = 10};
    assert_int_equal(gate_check(&request, &status), STATUS_REFUSED);
    buf_release(&excused);
    metric_rows_release(&rows);
    metric_rows_release(&before);
}

static void a_metric_that_was_not_measured_is_our_mistake(void **state)
{
    (void)state;
    struct status status = {0};
    struct metric_rows rows = values(0.5, 0.1, 0.1);
    struct gate_rule rule = {.min = 0.1};
    assert_int_equal(check_prefixed(&rule, 1, &rows, "valid:", &status), STATUS_INTERNAL);
    assert_non_null(strstr(status.message, "valid:recall@20"));
    metric_rows_release(&rows);
}

static void the_greatest_value_and_the_last_run_are_bounds(void **state)
{
    (void)state;
    struct status status = {0};
    struct metric_rows rows = values(0.12, 0.1, 0.125), before = values(0.15, 0.1, 0.1);
    assert_int_equal(check((struct gate_rule){.max = 0.12}, &rows, &status), STATUS_OK);
    assert_int_equal(check((struct gate_rule){.max = 0.11}, &rows, &status), STATUS_REFUSED);
    assert_non_null(strstr(status.message, "recall@20 is 0.12, the gate asks for at most 0.11"));
    /* the first run has none before it */
    assert_int_equal(check((struct gate_rule){.of_previous = 0.9}, &rows, &status), STATUS_OK);
    previous = &before;
    assert_int_equal(check((struct gate_rule){.of_previous = 0.8}, &rows, &status), STATUS_OK);
    assert_int_equal(check((struct gate_rule){.of_previous = 0.9}, &rows, &status), STATUS_REFUSED);
    previous = NULL;
    assert_non_null(
        strstr(status.message, "at least 0.135 (0.9 times the last published run's 0.15)"));
    metric_rows_release(&rows);
    metric_rows_release(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_that_meets_every_rule_passes),
        cmocka_unit_test(each_rule_refuses_with_both_figures),
        cmocka_unit_test(finding_as_little_as_a_baseline_that_found_nothing_is_refused),
        cmocka_unit_test(all_failures_are_told_at_once),
        cmocka_unit_test(the_greatest_value_and_the_last_run_are_bounds),
        cmocka_unit_test(a_mean_over_few_users_says_how_uncertain_it_is),
        cmocka_unit_test(what_is_missing_by_chance_does_not_refuse),
        cmocka_unit_test(a_metric_that_was_not_measured_is_our_mistake),
    };
    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
