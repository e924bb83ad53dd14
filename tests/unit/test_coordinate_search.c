/* search/coordinate_search: the climb over a known surface, its guard against noise, its memory. */
#include "search/coordinate_search.h"

#include "base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { N_USERS = 40 };

/* Three axes. The value falls with the distance from `best` on each; users differ by `noise`. */
struct surface {
    size_t best[3];
    double noise;
    size_t fails_at; /* candidate of axis 0 that diverges; SIZE_MAX: none */
    size_t n_calls;
};

static enum status_code measure(void *data, struct search_trial *trial, double *user_values,
                                struct status *status)
{
    struct surface *surface = data;
    (void)status;
    surface->n_calls++;
    bool fails = trial->choice[0] == surface->fails_at;
    double value = 1.0;
    for (size_t a = 0; a < 3; a++) {
        double distance = (double)trial->choice[a] - (double)surface->best[a];
        value -= 0.01 * distance * distance;
    }
    for (size_t u = 0; u < N_USERS; u++) {
        /* the noise of a user differs from trial to trial */
        double sign = (u + trial->choice[1] + trial->choice[2]) % 2 == 0 ? 1.0 : -1.0;
        user_values[u] = fails ? NAN : value + sign * surface->noise;
    }
    trial->value = fails ? NAN : value;
    trial->popularity = 0.5;
    trial->seconds = 2.0;
    return STATUS_OK;
}

static const struct search_axis usual_axes[] = {
    {.n = 5, .start = 2, .most_trials = 10, .start_is_simpler = false},
    {.n = 3, .start = 0, .most_trials = 10, .start_is_simpler = true},
    {.n = 2, .start = 0, .most_trials = 10, .start_is_simpler = true},
};

static struct coordinate_search search_over(const struct search_axis *axes)
{
    return (struct coordinate_search){.n_axes = 3, .axes = axes, .n_users = N_USERS};
}

static size_t run(struct coordinate_search *search, struct surface *surface)
{
    struct status status = {0};
    size_t best = SIZE_MAX;
    assert_int_equal(coordinate_search_run(search, measure, surface, &best, &status), STATUS_OK);
    assert_in_range(best, 0, search->n - 1);
    return best;
}

static void assert_choice(const struct coordinate_search *search, size_t trial, size_t a, size_t b,
                          size_t c)
{
    assert_int_equal(search->trials[trial].choice[0], a);
    assert_int_equal(search->trials[trial].choice[1], b);
    assert_int_equal(search->trials[trial].choice[2], c);
}

static void the_top_is_found_from_either_side(void **state)
{
    (void)state;
    for (size_t top = 0; top < 5; top++) {
        struct surface surface = {.best = {top, 2, 1}, .fails_at = SIZE_MAX};
        struct coordinate_search search = search_over(usual_axes);
        assert_choice(&search, run(&search, &surface), top, 2, 1);
        assert_int_equal(search.n, surface.n_calls);
        coordinate_search_release(&search);
    }
}

static void no_combination_is_tried_twice(void **state)
{
    (void)state;
    struct surface surface = {.best = {4, 1, 1}, .fails_at = SIZE_MAX};
    struct coordinate_search search = search_over(usual_axes);
    run(&search, &surface);
    for (size_t i = 0; i < search.n; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(search.trials[i].choice, search.trials[j].choice,
                                    sizeof search.trials[i].choice);
        }
    }
    coordinate_search_release(&search);
}

static void a_gain_within_the_noise_keeps_the_simpler_value(void **state)
{
    (void)state;
    /* 0.02 gained on axis 2, while each user's values differ by 2: a standard error of 0.3 */
    struct surface surface = {.best = {2, 0, 1}, .noise = 1.0, .fails_at = SIZE_MAX};
    struct coordinate_search search = search_over(usual_axes);
    assert_choice(&search, run(&search, &surface), 2, 0, 0);
    coordinate_search_release(&search);
    /* an axis without a simpler value takes any gain */
    struct search_axis axes[3];
    memcpy(axes, usual_axes, sizeof axes);
    axes[2].start_is_simpler = false;
    search = search_over(axes);
    assert_choice(&search, run(&search, &surface), 2, 0, 1);
    coordinate_search_release(&search);
}

static void a_training_that_fails_is_never_chosen(void **state)
{
    (void)state;
    struct surface surface = {.best = {0, 0, 0}, .fails_at = 1};
    struct coordinate_search search = search_over(usual_axes);
    size_t best = run(&search, &surface);
    assert_true(search.trials[best].value > 0.0);
    assert_int_not_equal(search.trials[best].choice[0], 1);
    coordinate_search_release(&search);
    /* where the start itself fails, what does not is better */
    surface = (struct surface){.best = {4, 0, 0}, .fails_at = 2};
    search = search_over(usual_axes);
    best = run(&search, &surface);
    assert_true(search.trials[best].value > 0.0);
    coordinate_search_release(&search);
}

static void an_axis_makes_no_more_trials_than_it_may(void **state)
{
    (void)state;
    struct surface surface = {.best = {4, 0, 0}, .fails_at = SIZE_MAX};
    const struct search_axis axes[3] = {
        {.n = 5, .start = 0, .most_trials = 2, .start_is_simpler = false}, {.n = 1}, {.n = 1}};
    struct coordinate_search search = search_over(axes);
    assert_choice(&search, run(&search, &surface), 2, 0, 0);
    assert_int_equal(search.n, 3);
    coordinate_search_release(&search);
}

static void the_trials_of_an_interrupted_search_are_taken_up(void **state)
{
    (void)state;
    struct surface surface = {.best = {4, 2, 1}, .noise = 0.001, .fails_at = 0};
    struct coordinate_search whole = search_over(usual_axes), first = search_over(usual_axes),
                             second = search_over(usual_axes);
    struct artifact artifact;
    struct status status = {0};
    size_t best = run(&whole, &surface);
    run(&first, &surface);
    first.n = 3; /* what an interrupted one would have had */
    artifact_init(&artifact, "search");
    assert_int_equal(coordinate_search_save(&first, &artifact, &status), STATUS_OK);
    assert_int_equal(coordinate_search_load(&second, &artifact, &status), STATUS_OK);
    assert_int_equal(second.n, 3);
    surface.n_calls = 0;
    assert_int_equal(run(&second, &surface), best);
    assert_int_equal(surface.n_calls, whole.n - 3);
    assert_int_equal(second.n, whole.n);
    assert_true(second.trials[2].seconds == 2.0);
    assert_memory_equal(second.user_values, whole.user_values,
                        whole.n * N_USERS * sizeof *whole.user_values);
    artifact_release(&artifact);
    coordinate_search_release(&first);
    coordinate_search_release(&second);
    coordinate_search_release(&whole);
}

static void trials_of_another_search_are_refused(void **state)
{
    (void)state;
    struct surface surface = {.best = {4, 2, 1}, .fails_at = SIZE_MAX};
    struct coordinate_search made = search_over(usual_axes), other = search_over(usual_axes);
    struct artifact artifact;
    struct status status = {0};
    run(&made, &surface);
    artifact_init(&artifact, "search");
    assert_int_equal(coordinate_search_save(&made, &artifact, &status), STATUS_OK);
    other.n_users = N_USERS + 1;
    assert_int_equal(coordinate_search_load(&other, &artifact, &status), STATUS_DATA);
    assert_int_equal(other.n, 0);
    assert_null(other.trials);
    artifact_release(&artifact);
    coordinate_search_release(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_top_is_found_from_either_side),
        cmocka_unit_test(no_combination_is_tried_twice),
        cmocka_unit_test(a_gain_within_the_noise_keeps_the_simpler_value),
        cmocka_unit_test(a_training_that_fails_is_never_chosen),
        cmocka_unit_test(an_axis_makes_no_more_trials_than_it_may),
        cmocka_unit_test(the_trials_of_an_interrupted_search_are_taken_up),
        cmocka_unit_test(trials_of_another_search_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
