/* The rows of the loss table against their formulas written out in double, and their derivatives
 * against finite differences of those. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "contrast/loss.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { POSITIVES = 3, NEGATIVES = 4 };

/* An anchor with everything that a loss may look at. */
struct anchor {
    double positives[POSITIVES], weights[POSITIVES];
    double negatives[NEGATIVES]; /* s + b */
};

static const struct anchor sample = {{1.5, -0.25, 3.0}, {1.0, 0.5, 2.0}, {0.75, -2.0, 2.5, 0.125}};

static const struct loss *loss_named(const char *name)
{
    size_t l = 0;
    while (strcmp(loss_names[l], name) != 0) {
        l++;
    }
    return &loss_table[l];
}

/* sum_p w_p (-s_p + t2 log sum over D(a, p)) */
static double naive_softmax(const struct anchor *a, const struct loss_settings *settings)
{
    double loss = 0.0;
    for (size_t p = 0; p < POSITIVES; p++) {
        double under = 0.0;
        for (size_t c = 0; c < NEGATIVES; c++) {
            under += exp(a->negatives[c]);
        }
        for (size_t q = 0; q < POSITIVES; q++) {
            bool stands_there = settings->denominators == DENOMINATORS_ALL ||
                                (settings->denominators == DENOMINATORS_INFONCE && q == p);
            under += stands_there ? exp(a->positives[q]) : 0.0;
        }
        loss += a->weights[p] * (settings->t2 * log(under) - a->positives[p]);
    }
    return loss;
}

/* Calls the row; gradient (POSITIVES) may be NULL. */
static double run_row(const struct anchor *a, const struct loss_settings *settings, float *gradient,
                      double *mass)
{
    float logits[POSITIVES], weights[POSITIVES], spare[POSITIVES];
    double sum = 0.0;
    for (size_t p = 0; p < POSITIVES; p++) {
        logits[p] = (float)a->positives[p];
        weights[p] = (float)a->weights[p];
    }
    for (size_t c = 0; c < NEGATIVES; c++) {
        sum += exp(a->negatives[c]);
    }
    struct loss_row row = {.log_sum_negatives = log(sum),
                           .n_positives = POSITIVES,
                           .logits = logits,
                           .weights = weights,
                           .threshold = -(double)INFINITY};
    return loss_named("softmax")->row(settings, &row, gradient != NULL ? gradient : spare, mass);
}

static const struct loss_settings every_setting[] = {
    {.denominators = DENOMINATORS_INFONCE, .t2 = 1.0, .slk_width = 2.0},
    {.denominators = DENOMINATORS_ALL, .t2 = 1.0, .slk_width = 2.0},
    {.denominators = DENOMINATORS_DECOUPLED, .t2 = 1.0, .slk_width = 2.0},
    {.denominators = DENOMINATORS_INFONCE, .t2 = 1.22, .slk_width = 2.0},
    {.denominators = DENOMINATORS_ALL, .t2 = 1.22, .slk_width = 2.0},
    {.denominators = DENOMINATORS_DECOUPLED, .t2 = 0.5, .slk_width = 2.0},
};
enum { N_SETTINGS = sizeof every_setting / sizeof every_setting[0] };

static void softmax_is_its_formula_with_every_denominator(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SETTINGS; s++) {
        double mass = 0.0, want = naive_softmax(&sample, &every_setting[s]);
        double got = run_row(&sample, &every_setting[s], NULL, &mass);
        assert_true(fabs(got - want) < 1e-12 * fabs(want));
    }
}

static void the_derivatives_are_those_of_the_formula(void **state)
{
    (void)state;
    const double h = 1e-5;
    for (size_t s = 0; s < N_SETTINGS; s++) {
        const struct loss_settings *settings = &every_setting[s];
        float gradient[POSITIVES];
        double mass = 0.0, sum = 0.0;
        run_row(&sample, settings, gradient, &mass);
        for (size_t c = 0; c < NEGATIVES; c++) {
            sum += exp(sample.negatives[c]);
        }
        for (size_t p = 0; p < POSITIVES + NEGATIVES; p++) {
            struct anchor up = sample, down = sample;
            *(p < POSITIVES ? &up.positives[p] : &up.negatives[p - POSITIVES]) += h;
            *(p < POSITIVES ? &down.positives[p] : &down.negatives[p - POSITIVES]) -= h;
            double want = (naive_softmax(&up, settings) - naive_softmax(&down, settings)) / (2 * h);
            double got = p < POSITIVES ? (double)gradient[p]
                                       : mass * exp(sample.negatives[p - POSITIVES]) / sum;
            assert_true(fabs(got - want) < 1e-6);
        }
    }
}

/* Of n_positives logits above threshold 0.5 or not; every log-sum loss is run by the callers. */
static struct loss_row row_of(double log_sum, size_t n, const float *logits, const float *weights)
{
    return (struct loss_row){.log_sum_negatives = log_sum,
                             .n_positives = n,
                             .logits = logits,
                             .weights = weights,
                             .threshold = 0.5};
}

/* The rows of softmax losses; NULL for the others. */
static const struct loss *softmax_loss(size_t l)
{
    return loss_table[l].kind == LOSS_SOFTMAX ? &loss_table[l] : NULL;
}

static void an_anchor_without_negatives_has_no_loss_and_no_gradient(void **state)
{
    (void)state;
    const float logits[2] = {4.0f, -1.0f}, weights[2] = {1.0f, 3.0f};
    struct loss_row row = row_of(-(double)INFINITY, 2, logits, weights);
    for (size_t l = 0; loss_names[l] != NULL; l++) {
        for (size_t s = 0; s < N_SETTINGS && softmax_loss(l) != NULL; s++) {
            float gradient[2] = {9.0f, 9.0f};
            double mass = 9.0;
            assert_true(loss_table[l].row(&every_setting[s], &row, gradient, &mass) == 0.0);
            assert_true(gradient[0] == 0.0f && gradient[1] == 0.0f && mass == 0.0);
        }
    }
}

static void an_anchor_without_positives_has_no_loss_and_no_mass(void **state)
{
    (void)state;
    struct loss_row row = row_of(2.0, 0, NULL, NULL);
    for (size_t l = 0; loss_names[l] != NULL; l++) {
        for (size_t s = 0; s < N_SETTINGS && softmax_loss(l) != NULL; s++) {
            double mass = 9.0;
            assert_true(loss_table[l].row(&every_setting[s], &row, NULL, &mass) == 0.0);
            assert_true(mass == 0.0);
        }
    }
}

/* With temperature 0.01 and many candidates logits reach 100 and sums far more than exp can say. */
static void large_logits_do_not_overflow(void **state)
{
    (void)state;
    const float logits[2] = {100.0f, -100.0f}, weights[2] = {1.0f, 1.0f};
    const double log_sums[] = {-800.0, 0.0, 800.0};
    for (size_t i = 0; loss_names[i / (3 * N_SETTINGS)] != NULL; i++) {
        size_t l = i / (3 * N_SETTINGS), s = i / 3 % N_SETTINGS;
        struct loss_row row = row_of(log_sums[i % 3], 2, logits, weights);
        float gradient[2];
        double mass = 0.0;
        if (softmax_loss(l) != NULL) {
            assert_true(isfinite(loss_table[l].row(&every_setting[s], &row, gradient, &mass)));
            assert_true(isfinite(gradient[0]) && isfinite(gradient[1]));
            assert_true(mass >= 0.0 && mass <= 2.0 * fmax(1.0, every_setting[s].t2) + 1e-9);
        }
    }
}

static void a_loss_that_is_no_number_stays_visible(void **state)
{
    (void)state;
    const float logits[1] = {1.0f}, weights[1] = {1.0f};
    struct loss_row row = row_of((double)NAN, 1, logits, weights);
    for (size_t l = 0; loss_names[l] != NULL; l++) {
        for (size_t s = 0; s < N_SETTINGS && softmax_loss(l) != NULL; s++) {
            float gradient[1];
            double mass = 0.0;
            assert_true(isnan(loss_table[l].row(&every_setting[s], &row, gradient, &mass)));
        }
    }
}

static void bsl_of_one_positive_is_the_decoupled_softmax(void **state)
{
    (void)state;
    const float logits[1] = {1.5f}, weights[1] = {0.7f};
    struct loss_settings settings = {.denominators = DENOMINATORS_DECOUPLED, .t2 = 1.22};
    struct loss_row row = row_of(3.0, 1, logits, weights);
    float softmax[1], bsl[1];
    double softmax_mass = 0.0, bsl_mass = 0.0;
    double want = loss_named("softmax")->row(&settings, &row, softmax, &softmax_mass);
    assert_true(fabs(loss_named("bsl")->row(&settings, &row, bsl, &bsl_mass) - want) < 1e-12);
    assert_true(fabsf(bsl[0] - softmax[0]) < 1e-6f && fabs(bsl_mass - softmax_mass) < 1e-12);
}

static void slk_halves_a_positive_at_the_threshold_and_spares_one_far_above(void **state)
{
    (void)state;
    const float at[1] = {0.5f}, above[1] = {60.5f}, weights[1] = {1.0f};
    struct loss_settings settings = {
        .denominators = DENOMINATORS_DECOUPLED, .t2 = 1.0, .slk_width = 2.0};
    struct loss_row row = row_of(3.0, 1, at, weights);
    float gradient[1];
    double mass = 0.0;
    assert_true(fabs(loss_named("slk")->row(&settings, &row, gradient, &mass) - 0.5 * (3.0 - 0.5)) <
                1e-12);
    assert_true(gradient[0] == -0.5f && fabs(mass - 0.5) < 1e-12);
    row = row_of(3.0, 1, above, weights);
    assert_true(fabs(loss_named("slk")->row(&settings, &row, gradient, &mass) - (3.0 - 60.5)) <
                1e-9);
}

static void a_warp_without_violators_costs_nothing(void **state)
{
    (void)state;
    struct loss_settings settings = {0};
    struct loss_cut cut = {.weight = 2.0, .negatives = 5.0, .temperature = 0.5};
    assert_true(loss_named("warp")->factor(&settings, &cut) == 0.0);
    cut.count = 3.0;
    cut.slope = 1.5;
    assert_true(fabs(loss_named("warp")->factor(&settings, &cut) - 2.0 * log(4.0) * 0.5 / 1.5) <
                1e-12);
}

static void names_and_rows_are_as_many(void **state)
{
    (void)state;
    size_t n = 0;
    while (loss_names[n] != NULL) {
        const struct loss *loss = &loss_table[n];
        assert_int_equal(loss->row != NULL, loss->kind == LOSS_SOFTMAX);
        assert_int_equal(loss->factor != NULL, loss->kind == LOSS_MARGIN);
        n++;
    }
    assert_int_equal(n, 10);
    assert_string_equal(loss_names[0], "softmax");
    assert_string_equal(loss_denominators_names[DENOMINATORS_INFONCE], "infonce");
    assert_string_equal(loss_denominators_names[DENOMINATORS_ALL], "all");
    assert_string_equal(loss_denominators_names[DENOMINATORS_DECOUPLED], "decoupled");
    assert_null(loss_denominators_names[DENOMINATORS_DECOUPLED + 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_is_its_formula_with_every_denominator),
        cmocka_unit_test(the_derivatives_are_those_of_the_formula),
        cmocka_unit_test(an_anchor_without_negatives_has_no_loss_and_no_gradient),
        cmocka_unit_test(an_anchor_without_positives_has_no_loss_and_no_mass),
        cmocka_unit_test(large_logits_do_not_overflow),
        cmocka_unit_test(a_loss_that_is_no_number_stays_visible),
        cmocka_unit_test(bsl_of_one_positive_is_the_decoupled_softmax),
        cmocka_unit_test(slk_halves_a_positive_at_the_threshold_and_spares_one_far_above),
        cmocka_unit_test(a_warp_without_violators_costs_nothing),
        cmocka_unit_test(names_and_rows_are_as_many),
    };
    return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
