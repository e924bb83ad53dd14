/* The rows of the loss table against their formulas written out in double, and their derivatives
 * against finite differences of those. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/loss.h"

#include <math.h>
#include <stdbool.h>

enum { POSITIVES = 3, NEGATIVES = 4 };

/* An anchor with everything that a loss may look at. */
struct anchor {
    double positives[POSITIVES], weights[POSITIVES];
    double negatives[NEGATIVES]; /* s + b */
};

static const struct anchor sample = {{1.5, -0.25, 3.0}, {1.0, 0.5, 2.0}, {0.75, -2.0, 2.5, 0.125}};

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
    struct loss_row row = {log(sum), POSITIVES, logits, weights};
    return loss_table[0].row(settings, &row, gradient != NULL ? gradient : spare, mass);
}

static const struct loss_settings every_setting[] = {
    {DENOMINATORS_INFONCE, 1.0},  {DENOMINATORS_ALL, 1.0},  {DENOMINATORS_DECOUPLED, 1.0},
    {DENOMINATORS_INFONCE, 1.22}, {DENOMINATORS_ALL, 1.22}, {DENOMINATORS_DECOUPLED, 0.5},
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

static void an_anchor_without_negatives_has_no_loss_and_no_gradient(void **state)
{
    (void)state;
    const float logits[2] = {4.0f, -1.0f}, weights[2] = {1.0f, 3.0f};
    for (size_t s = 0; s < N_SETTINGS; s++) {
        float gradient[2] = {9.0f, 9.0f};
        double mass = 9.0;
        struct loss_row row = {-(double)INFINITY, 2, logits, weights};
        assert_true(loss_table[0].row(&every_setting[s], &row, gradient, &mass) == 0.0);
        assert_true(gradient[0] == 0.0f && gradient[1] == 0.0f && mass == 0.0);
    }
}

static void an_anchor_without_positives_has_no_loss_and_no_mass(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SETTINGS; s++) {
        double mass = 9.0;
        struct loss_row row = {2.0, 0, NULL, NULL};
        assert_true(loss_table[0].row(&every_setting[s], &row, NULL, &mass) == 0.0);
        assert_true(mass == 0.0);
    }
}

/* With temperature 0.01 and many candidates logits reach 100 and sums far more than exp can say. */
static void large_logits_do_not_overflow(void **state)
{
    (void)state;
    const float logits[2] = {100.0f, -100.0f}, weights[2] = {1.0f, 1.0f};
    const double log_sums[] = {-800.0, 0.0, 800.0};
    for (size_t s = 0; s < N_SETTINGS; s++) {
        for (size_t l = 0; l < 3; l++) {
            float gradient[2];
            double mass = 0.0;
            struct loss_row row = {log_sums[l], 2, logits, weights};
            assert_true(isfinite(loss_table[0].row(&every_setting[s], &row, gradient, &mass)));
            assert_true(isfinite(gradient[0]) && isfinite(gradient[1]));
            assert_true(mass >= 0.0 && mass <= 2.0 * every_setting[s].t2 + 1e-9);
        }
    }
}

static void a_loss_that_is_no_number_stays_visible(void **state)
{
    (void)state;
    const float logits[1] = {1.0f}, weights[1] = {1.0f};
    for (size_t s = 0; s < N_SETTINGS; s++) {
        float gradient[1];
        double mass = 0.0;
        struct loss_row row = {(double)NAN, 1, logits, weights};
        assert_true(isnan(loss_table[0].row(&every_setting[s], &row, gradient, &mass)));
    }
}

static void names_and_rows_are_as_many(void **state)
{
    (void)state;
    size_t n = 0;
    while (loss_names[n] != NULL) {
        assert_non_null(loss_table[n].row);
        n++;
    }
    assert_int_equal(n, 1);
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
        cmocka_unit_test(names_and_rows_are_as_many),
    };
    return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
