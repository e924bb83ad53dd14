/* The learning rate over the epochs, at points worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "towers/optimizer.h"

#include <math.h>

static void assert_shares(const struct schedule *schedule, double epochs, size_t n,
                          const double (*points)[2])
{
    for (size_t i = 0; i < n; i++) {
        assert_true(fabs(rate_share(schedule, epochs, points[i][0]) - points[i][1]) < 1e-12);
    }
}

static void warm_up_rises_from_zero_before_every_shape(void **state)
{
    (void)state;
    for (int shape = SCHEDULE_CONSTANT; rate_schedule_names[shape] != NULL; shape++) {
        const struct schedule schedule = {(enum rate_schedule)shape, 4.0, 0.1, 0.5, 2.0};
        const double points[][2] = {{1.0, 0.25}, {3.0, 0.75}, {4.0, 1.0}};
        assert_shares(&schedule, 20.0, 3, points);
    }
}

static void a_constant_rate_stays(void **state)
{
    (void)state;
    const struct schedule schedule = {.shape = SCHEDULE_CONSTANT, .final_rate = 0.1};
    const double points[][2] = {{0.1, 1.0}, {5.0, 1.0}, {10.0, 1.0}};
    assert_shares(&schedule, 10.0, 3, points);
}

static void a_linear_rate_ends_at_the_final_share(void **state)
{
    (void)state;
    const struct schedule schedule = {
        .shape = SCHEDULE_LINEAR, .warmup_epochs = 2.0, .final_rate = 0.2};
    const double points[][2] = {{2.0, 1.0}, {4.0, 0.8}, {6.0, 0.6}, {10.0, 0.2}};
    assert_shares(&schedule, 10.0, 4, points);
}

static void a_cosine_rate_is_halfway_in_the_middle(void **state)
{
    (void)state;
    const struct schedule schedule = {.shape = SCHEDULE_COSINE, .final_rate = 0.1};
    const double quarter = 0.1 + 0.9 * 0.5 * (1.0 + sqrt(0.5));
    const double points[][2] = {{2.0, quarter}, {4.0, 0.55}, {8.0, 0.1}};
    assert_shares(&schedule, 8.0, 3, points);
}

static void steps_fall_after_the_batch_that_ends_an_interval(void **state)
{
    (void)state;
    const struct schedule schedule = {
        .shape = SCHEDULE_STEP, .warmup_epochs = 1.0, .step_factor = 0.5, .step_every = 3.0};
    const double points[][2] = {{1.0, 1.0}, {1.5, 1.0},   {4.0, 1.0},  {4.1, 0.5},
                                {7.0, 0.5}, {7.01, 0.25}, {10.0, 0.25}};
    assert_shares(&schedule, 10.0, 7, points);
}

static void a_training_that_is_all_warm_up_ends_at_the_final_share(void **state)
{
    (void)state;
    const struct schedule schedule = {
        .shape = SCHEDULE_LINEAR, .warmup_epochs = 5.0, .final_rate = 0.3};
    const double points[][2] = {{4.0, 0.8}, {5.0, 0.3}};
    assert_shares(&schedule, 5.0, 2, points);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warm_up_rises_from_zero_before_every_shape),
        cmocka_unit_test(a_constant_rate_stays),
        cmocka_unit_test(a_linear_rate_ends_at_the_final_share),
        cmocka_unit_test(a_cosine_rate_is_halfway_in_the_middle),
        cmocka_unit_test(steps_fall_after_the_batch_that_ends_an_interval),
        cmocka_unit_test(a_training_that_is_all_warm_up_ends_at_the_final_share),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
