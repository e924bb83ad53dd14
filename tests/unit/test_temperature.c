/* Closed form, per-user and learned temperatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "training/temperature.h"
#include "tests/support/random_matrix.h"

#include <math.h>

static void the_closed_form_gives_the_published_values(void **state)
{
    (void)state;
    /* Gowalla and MovieLens-1M in the usual splits */
    assert_true(fabs(temperature_closed_form(29858, 40981, 810128) - 0.106) < 5e-4);
    assert_true(fabs(temperature_closed_form(6022, 3043, 796000) - 0.287) < 1e-3);
}

static void the_closed_form_stays_in_its_range_for_any_density(void **state)
{
    (void)state;
    assert_true(temperature_closed_form(10, 10, 100) == TEMPERATURE_MOST);
    assert_true(temperature_closed_form(10, 10, 50) == TEMPERATURE_MOST);
    assert_true(temperature_closed_form(10, 10, 49.9) == TEMPERATURE_MOST);
    assert_true(temperature_closed_form(1e9, 1e9, 1) == TEMPERATURE_LEAST);
}

/* dL/d(1/tau) of one softmax, as temperature.h says the trainer gets it, by finite differences; and
 * a step goes down that loss. */
static double softmax_loss(double scale, double *slope)
{
    const double positive = 0.6, negatives[] = {0.5, 0.7, -0.2, 0.1};
    double sum = 0.0, weighted = 0.0;
    for (size_t i = 0; i < 4; i++) {
        sum += exp(scale * negatives[i]);
        weighted += exp(scale * negatives[i]) * negatives[i];
    }
    *slope = -positive + weighted / sum;
    return -scale * positive + log(sum);
}

static void learning_finds_the_temperature_of_the_least_loss(void **state)
{
    (void)state;
    double best = INFINITY, best_tau = 0.0, slope = 0.0, before = 0.0;
    for (double tau = TEMPERATURE_LEAST; tau < TEMPERATURE_MOST; tau *= 1.002) {
        double loss = softmax_loss(1.0 / tau, &slope);
        if (loss < best) {
            best = loss;
            best_tau = tau;
        }
    }
    struct temperature_learner learner;
    temperature_learner_init(&learner, 1.0);
    double tau = temperature_learner_tau(&learner);
    assert_true(fabs(tau - 1.0) < 1e-12);
    before = softmax_loss(1.0, &slope);
    tau = temperature_learner_step(&learner, slope, 0.01);
    assert_true(softmax_loss(1.0 / tau, &slope) < before);
    for (int i = 0; i < 3000; i++) {
        (void)softmax_loss(1.0 / tau, &slope);
        tau = temperature_learner_step(&learner, slope, 0.01);
    }
    assert_true(fabs(tau / best_tau - 1.0) < 0.02);
}

static void a_learner_stays_in_range_and_ignores_what_is_not_finite(void **state)
{
    (void)state;
    struct temperature_learner learner, before;
    temperature_learner_init(&learner, 50.0);
    assert_true(fabs(temperature_learner_tau(&learner) - TEMPERATURE_MOST) < 1e-12);
    for (int i = 0; i < 100; i++) {
        (void)temperature_learner_step(&learner, -1.0, 1.0); /* a larger 1/tau would be better */
    }
    assert_true(fabs(temperature_learner_tau(&learner) - TEMPERATURE_LEAST) < 1e-12);
    before = learner;
    (void)temperature_learner_step(&learner, NAN, 1.0);
    (void)temperature_learner_step(&learner, INFINITY, 1.0);
    assert_memory_equal(&before, &learner, sizeof before);
}

static void a_saved_learner_goes_on_as_if_nothing_had_been(void **state)
{
    (void)state;
    struct status status = {0};
    struct artifact artifact, empty;
    struct temperature_learner learner, loaded = {0}, untouched = {0};
    artifact_init(&artifact, "test");
    artifact_init(&empty, "empty");
    temperature_learner_init(&learner, 0.3);
    (void)temperature_learner_step(&learner, 2.0, 0.1);
    assert_int_equal(temperature_learner_save(&learner, &artifact, &status), STATUS_OK);
    assert_int_equal(temperature_learner_load(&loaded, &artifact, &status), STATUS_OK);
    assert_true(temperature_learner_step(&learner, -1.0, 0.1) ==
                temperature_learner_step(&loaded, -1.0, 0.1));
    assert_int_equal(temperature_learner_load(&untouched, &empty, &status), STATUS_DATA);
    assert_true(untouched.n_steps == 0 && untouched.log_tau == 0.0);
    artifact_release(&artifact);
    artifact_release(&empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_closed_form_gives_the_published_values),
        cmocka_unit_test(the_closed_form_stays_in_its_range_for_any_density),
        cmocka_unit_test(learning_finds_the_temperature_of_the_least_loss),
        cmocka_unit_test(a_learner_stays_in_range_and_ignores_what_is_not_finite),
        cmocka_unit_test(a_saved_learner_goes_on_as_if_nothing_had_been),
    };
    return cmocka_run_group_tests_name("temperature", tests, NULL, NULL);
}
