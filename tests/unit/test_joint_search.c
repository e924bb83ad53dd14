/* search/joint_search: what it finds on a known surface, its guard against noise, its budget, its
 * memory. */
#include "search/joint_search.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { N_USERS = 40, N_AXES = 3 };

/* The value falls with the distance from `top` on each axis; users differ by `noise`. */
struct surface {
    size_t top[N_AXES];
    double noise;
    double chance;      /* what a choice with candidate 1 of axis 1 gains on the first fold alone */
    double switch_cost; /* times the cost of 1 with candidate 1 and more of axis 2 */
    size_t fails_at;    /* candidate of axis 0 that diverges; SIZE_MAX: none */
    size_t n_calls, stop_after;
    double spent;
};

static double cost(void *data, const size_t *choice)
{
    const struct surface *surface = data;
    return choice[2] > 0 ? surface->switch_cost : 1.0;
}

static enum status_code measure(void *data, struct search_trial *trial, double *user_values,
                                struct status *status)
{
    struct surface *surface = data;
    (void)status;
    surface->n_calls++;
    surface->spent += cost(data, trial->choice) / (double)search_shortened(trial->is_short);
    bool fails = trial->choice[0] == surface->fails_at;
    double value = trial->is_short ? 0.5 : 1.0;
    for (size_t a = 0; a < N_AXES; a++) {
        double distance = (double)trial->choice[a] - (double)surface->top[a];
        value -= 0.01 * distance * distance;
    }
    value += trial->fold == 0 && trial->choice[1] == 1 ? surface->chance : 0.0;
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

static enum status_code is_over(void *data, bool *is_over, struct status *status)
{
    const struct surface *surface = data;
    (void)status;
    *is_over = surface->n_calls >= surface->stop_after;
    return STATUS_OK;
}

static struct joint_search search_with(double budget)
{
    return (struct joint_search){.n_axes = N_AXES,
                                 .n_candidates = {5, 3, 2},
                                 .n_starts = 2,
                                 .starts = {{2, 0, 0}, {4, 2, 0}},
                                 .n_users = N_USERS,
                                 .n_folds = 1,
                                 .seed = 7,
                                 .budget = budget,
                                 .max_trials = 64};
}

static void run(struct joint_search *search, struct surface *surface)
{
    struct status status = {0};
    const struct search_hooks hooks = {.data = surface,
                                       .cost = cost,
                                       .measure = measure,
                                       .is_over = surface->stop_after > 0 ? is_over : NULL};
    assert_int_equal(joint_search_run(search, &hooks, &status), STATUS_OK);
}

static void assert_best(const struct joint_search *search, size_t a, size_t b, size_t c)
{
    assert_int_equal(search->best[0], a);
    assert_int_equal(search->best[1], b);
    assert_int_equal(search->best[2], c);
}

static void the_top_is_found_wherever_it_is(void **state)
{
    (void)state;
    for (size_t top = 0; top < 5; top++) {
        struct surface surface = {.top = {top, 1, 1}, .switch_cost = 1.0, .fails_at = SIZE_MAX};
        struct joint_search search = search_with(40.0);
        run(&search, &surface);
        assert_best(&search, top, 1, 1);
        assert_int_equal(search.n, surface.n_calls);
        assert_true(search.trials[search.best_trial].value == 1.0);
        joint_search_release(&search);
    }
}

static void no_trial_is_made_twice_and_none_beyond_the_budget(void **state)
{
    (void)state;
    for (double budget = 2.0; budget < 30.0; budget += 3.7) {
        struct surface surface = {.top = {0, 1, 1}, .switch_cost = 1.3, .fails_at = SIZE_MAX};
        struct joint_search search = search_with(budget);
        run(&search, &surface);
        assert_true(surface.spent <= budget + 1e-9);
        assert_float_equal(surface.spent, search.spent, 1e-9);
        for (size_t i = 0; i < search.n; i++) {
            for (size_t j = 0; j < i; j++) {
                assert_true(search.trials[i].is_short != search.trials[j].is_short ||
                            memcmp(search.trials[i].choice, search.trials[j].choice,
                                   sizeof search.trials[i].choice) != 0);
            }
        }
        joint_search_release(&search);
    }
    struct surface surface = {.top = {0, 1, 1}, .switch_cost = 1.0, .fails_at = SIZE_MAX};
    struct joint_search search = search_with(30.0);
    search.max_trials = 9;
    run(&search, &surface);
    assert_int_equal(search.n, 9);
    joint_search_release(&search);
}

static void a_budget_for_one_trial_tries_nothing(void **state)
{
    (void)state;
    struct surface surface = {.top = {4, 2, 0}, .switch_cost = 1.0, .fails_at = SIZE_MAX};
    struct joint_search search = search_with(1.9);
    run(&search, &surface);
    assert_int_equal(surface.n_calls, 0);
    assert_int_equal(search.best_trial, SIZE_MAX);
    assert_best(&search, 2, 0, 0);
    joint_search_release(&search);
}

static void many_points_are_tried_short_and_a_third_of_them_in_full(void **state)
{
    (void)state;
    struct surface surface = {.top = {0, 1, 1}, .switch_cost = 1.0, .fails_at = SIZE_MAX};
    struct joint_search search = search_with(30.0);
    size_t n_short = 0;
    run(&search, &surface);
    while (search.trials[n_short].is_short) {
        n_short++;
    }
    /* 14 of the design: 30 * .33 * 3 / 2; two of them are the starts */
    assert_in_range(n_short, 8, 12);
    for (size_t t = n_short; t < search.n; t++) {
        assert_false(search.trials[t].is_short);
    }
    joint_search_release(&search);
}

static void a_dearer_setting_must_be_clearly_better(void **state)
{
    (void)state;
    /* 0.01 gained on axis 2, while each user's values differ by 2: a standard error of 0.3 */
    struct surface surface = {
        .top = {2, 0, 1}, .noise = 1.0, .switch_cost = 1.5, .fails_at = SIZE_MAX};
    struct joint_search search = search_with(7.0);
    run(&search, &surface);
    assert_best(&search, 2, 0, 0);
    joint_search_release(&search);
    /* one that costs the same needs any gain */
    surface.switch_cost = 1.0;
    search = search_with(7.0);
    run(&search, &surface);
    assert_best(&search, 2, 0, 1);
    joint_search_release(&search);
    /* and one that is clearly better may cost more */
    surface.switch_cost = 1.5;
    surface.noise = 0.0;
    search = search_with(7.0);
    run(&search, &surface);
    assert_best(&search, 2, 0, 1);
    joint_search_release(&search);
}

static void a_gain_by_chance_on_one_fold_is_not_taken_where_there_are_more(void **state)
{
    (void)state;
    struct surface surface = {
        .top = {2, 0, 0}, .chance = 0.02, .switch_cost = 1.0, .fails_at = SIZE_MAX};
    struct joint_search search = search_with(30.0);
    run(&search, &surface);
    assert_best(&search, 2, 1, 0);
    joint_search_release(&search);
    search = search_with(30.0);
    search.n_folds = 3;
    surface.spent = 0.0;
    run(&search, &surface);
    assert_best(&search, 2, 0, 0);
    assert_int_equal(search.trials[search.best_trial].fold, 0);
    assert_float_equal(surface.spent, search.spent, 1e-9);
    /* what is worse on the first fold is tried on no other */
    for (size_t t = 0; t < search.n; t++) {
        assert_true(search.trials[t].fold == 0 || search.trials[t].choice[0] == 2);
    }
    joint_search_release(&search);
}

static void a_training_that_fails_is_never_chosen(void **state)
{
    (void)state;
    for (size_t at = 0; at < 5; at++) {
        struct surface surface = {.top = {at, 0, 0}, .switch_cost = 1.0, .fails_at = at};
        struct joint_search search = search_with(20.0);
        run(&search, &surface);
        assert_true(search.trials[search.best_trial].value > 0.0);
        assert_int_not_equal(search.best[0], at);
        joint_search_release(&search);
    }
}

static void out_of_time_the_best_so_far_is_taken(void **state)
{
    (void)state;
    struct surface surface = {
        .top = {4, 2, 1}, .switch_cost = 1.0, .fails_at = SIZE_MAX, .stop_after = 2};
    struct joint_search search = search_with(8.0);
    run(&search, &surface);
    assert_int_equal(surface.n_calls, 2);
    assert_best(&search, 4, 2, 0);
    joint_search_release(&search);
}

static void the_trials_of_an_interrupted_search_are_taken_up(void **state)
{
    (void)state;
    struct surface surface = {.top = {4, 2, 1}, .noise = 0.001, .switch_cost = 1.1, .fails_at = 0};
    struct joint_search whole = search_with(30.0);
    whole.n_folds = 2;
    run(&whole, &surface);
    assert_true(whole.n > 8);
    for (size_t n = 1; n < whole.n; n += 3) {
        struct joint_search first = whole, second = search_with(30.0);
        second.n_folds = 2;
        struct artifact artifact;
        struct status status = {0};
        first.n = n; /* what an interrupted one would have had */
        artifact_init(&artifact, "search");
        assert_int_equal(joint_search_save(&first, &artifact, &status), STATUS_OK);
        assert_int_equal(joint_search_load(&second, &artifact, &status), STATUS_OK);
        assert_int_equal(second.n, n);
        surface.n_calls = 0;
        run(&second, &surface);
        assert_int_equal(surface.n_calls, whole.n - n);
        assert_int_equal(second.n, whole.n);
        assert_memory_equal(second.best, whole.best, sizeof whole.best);
        assert_true(second.trials[0].seconds == 2.0);
        assert_memory_equal(second.user_values, whole.user_values,
                            whole.n * N_USERS * sizeof *whole.user_values);
        artifact_release(&artifact);
        joint_search_release(&second);
    }
    joint_search_release(&whole);
}

static void trials_of_another_search_are_refused(void **state)
{
    (void)state;
    struct surface surface = {.top = {4, 2, 1}, .switch_cost = 1.0, .fails_at = SIZE_MAX};
    struct joint_search made = search_with(8.0), other = search_with(8.0);
    struct artifact artifact;
    struct status status = {0};
    run(&made, &surface);
    artifact_init(&artifact, "search");
    assert_int_equal(joint_search_save(&made, &artifact, &status), STATUS_OK);
    other.n_users = N_USERS + 1;
    assert_int_equal(joint_search_load(&other, &artifact, &status), STATUS_DATA);
    assert_int_equal(other.n, 0);
    assert_null(other.trials);
    artifact_release(&artifact);
    joint_search_release(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_top_is_found_wherever_it_is),
        cmocka_unit_test(no_trial_is_made_twice_and_none_beyond_the_budget),
        cmocka_unit_test(a_budget_for_one_trial_tries_nothing),
        cmocka_unit_test(many_points_are_tried_short_and_a_third_of_them_in_full),
        cmocka_unit_test(a_dearer_setting_must_be_clearly_better),
        cmocka_unit_test(a_gain_by_chance_on_one_fold_is_not_taken_where_there_are_more),
        cmocka_unit_test(a_training_that_fails_is_never_chosen),
        cmocka_unit_test(out_of_time_the_best_so_far_is_taken),
        cmocka_unit_test(the_trials_of_an_interrupted_search_are_taken_up),
        cmocka_unit_test(trials_of_another_search_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
