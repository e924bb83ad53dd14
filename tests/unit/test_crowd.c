/* What is summed over users who are spread over ranks, against one process that has all of them.
 * Alone it is one rank; `mpirun -n 4 test_crowd` of a build with MPI is four. */
#include "evaluation/calibration.h"
#include "evaluation/rolling.h"
#include "pairs/item_pairs.h"
#include "pairs/ridge.h"
#include "pairs/transitions.h"
#include "tests/support/crowd_case.h"
#include "tests/support/naive_popularity.h"
#include "tests/support/ranked.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void assert_same(struct sparse *ours, struct sparse *theirs)
{
    const size_t n = sparse_entries(theirs);
    assert_int_equal(sparse_entries(ours), n);
    assert_true(n > 0);
    assert_memory_equal(ours->offsets, theirs->offsets,
                        (theirs->n_rows + 1) * sizeof *ours->offsets);
    assert_memory_equal(ours->columns, theirs->columns, n * sizeof *ours->columns);
    assert_memory_equal(ours->values, theirs->values, n * sizeof *ours->values);
    sparse_release(ours);
    sparse_release(theirs);
}

static void pairs_do_not_depend_on_where_users_are(void **state)
{
    (void)state;
    struct crowd_case c;
    crowd_case_init(&c, ranks, 1);
    struct status status = {0};
    const enum pair_window windows[] = {PAIR_WHOLE_HISTORY, PAIR_TIME_GAP, PAIR_POSITIONS};
    for (int w = 0; pair_weighting_names[w] != NULL; w++) {
        struct pair_settings settings = {.window = windows[w % 3],
                                         .max_gap = 86400,
                                         .max_positions = 4,
                                         .weighting = w,
                                         .min_count = 1 + w % 2,
                                         .top = 20,
                                         .max_user_items = 15};
        struct sparse ours = {0}, theirs = {0};
        settings.crowd = c.part[CROWD_HERE].crowd;
        assert_int_equal(pairs_item_item(&crowd_case_fit(&c, CROWD_HERE)->train, &settings, NULL,
                                         &ours, &status),
                         STATUS_OK);
        settings.crowd = c.part[CROWD_ALONE].crowd;
        assert_int_equal(pairs_item_item(&crowd_case_fit(&c, CROWD_ALONE)->train, &settings, NULL,
                                         &theirs, &status),
                         STATUS_OK);
        assert_same(&ours, &theirs);
    }
    crowd_case_release(&c);
}

static void transitions_do_not_depend_on_where_users_are(void **state)
{
    (void)state;
    struct crowd_case c;
    crowd_case_init(&c, ranks, 2);
    struct status status = {0};
    struct sparse ours = {0}, theirs = {0};
    struct transition_settings settings = {.reach = 6,
                                           .decay = 0.7,
                                           .out_exponent = 0.5,
                                           .in_exponent = 0.25,
                                           .top = 30,
                                           .max_user_items = 12,
                                           .crowd = c.part[CROWD_HERE].crowd};
    assert_int_equal(
        transitions_count(&crowd_case_fit(&c, CROWD_HERE)->train, &settings, NULL, &ours, &status),
        STATUS_OK);
    settings.crowd = c.part[CROWD_ALONE].crowd;
    assert_int_equal(transitions_count(&crowd_case_fit(&c, CROWD_ALONE)->train, &settings, NULL,
                                       &theirs, &status),
                     STATUS_OK);
    assert_same(&ours, &theirs);
    crowd_case_release(&c);
}

static void regressions_do_not_depend_on_where_users_are(void **state)
{
    (void)state;
    static const double strengths[] = {3, 30};
    struct crowd_case c;
    crowd_case_init(&c, ranks, 3);
    struct status status = {0};
    struct ridge_settings settings = {.partners = 25,
                                      .strengths = strengths,
                                      .n_strengths = 2,
                                      .half_life = 5,
                                      .max_user_items = 15};
    struct ridge ours = {0}, theirs = {0};
    settings.crowd = c.part[CROWD_HERE].crowd;
    assert_int_equal(
        ridge_init(&ours, &crowd_case_fit(&c, CROWD_HERE)->train, &settings, NULL, &status),
        STATUS_OK);
    settings.crowd = c.part[CROWD_ALONE].crowd;
    assert_int_equal(
        ridge_init(&theirs, &crowd_case_fit(&c, CROWD_ALONE)->train, &settings, NULL, &status),
        STATUS_OK);
    for (size_t s = 0; s < 2; s++) {
        struct sparse a = {0}, b = {0};
        assert_int_equal(ridge_pairs(&ours, s, &a, &status), STATUS_OK);
        assert_int_equal(ridge_pairs(&theirs, s, &b, &status), STATUS_OK);
        assert_same(&a, &b);
    }
    ridge_release(&ours);
    ridge_release(&theirs);
    crowd_case_release(&c);
}

/* Who is drawn, and the order of places, as master codes: on every rank what one process says. */
static void samples_and_places_are_of_all_users(void **state)
{
    (void)state;
    struct crowd_case c;
    struct status status = {0};
    crowd_case_init(&c, ranks, 4);
    for (size_t most = 0; most <= CROWD_USERS + 100; most += 100) {
        double order[CROWD_SIDES][CROWD_USERS] = {{0}};
        size_t n_all[CROWD_SIDES] = {0};
        for (enum crowd_side side = CROWD_HERE; side < CROWD_SIDES; side++) {
            const struct crowd *crowd = &c.part[side].crowd;
            int32_t rows[CROWD_USERS], places[CROWD_USERS];
            size_t n = crowd_case_fit(&c, side)->n_users;
            for (int32_t row = 0; row < CROWD_USERS; row++) {
                rows[row] = row;
            }
            assert_int_equal(crowd_sample(crowd, rows, &n, most, 7, "test", &status), STATUS_OK);
            assert_int_equal(crowd_places(crowd, rows, n, places, &n_all[side], &status),
                             STATUS_OK);
            for (size_t a = 0; a < n; a++) {
                order[side][places[a]] = crowd->codes[rows[a]];
            }
            assert_int_equal(crowd_join(crowd, order[side], CROWD_USERS, &status), STATUS_OK);
        }
        assert_int_equal(n_all[0], most < CROWD_USERS ? most : CROWD_USERS);
        assert_int_equal(n_all[0], n_all[1]);
        assert_memory_equal(order[0], order[1], sizeof order[0]);
    }
    crowd_case_release(&c);
}

static void popularity_is_of_all_users(void **state)
{
    (void)state;
    struct crowd_case c;
    struct status status = {0};
    double popularity[CROWD_SIDES][CROWD_ITEMS], naive[CROWD_ITEMS];
    crowd_case_init(&c, ranks, 5);
    for (int half_life = 0; half_life < 10; half_life += 3) {
        for (enum crowd_side side = CROWD_HERE; side < CROWD_SIDES; side++) {
            assert_int_equal(crowd_popularity(&c.part[side].crowd, &crowd_case_fit(&c, side)->train,
                                              half_life, popularity[side], &status),
                             STATUS_OK);
        }
        assert_memory_equal(popularity[0], popularity[1], sizeof popularity[0]);
        naive_popularity(&crowd_case_fit(&c, CROWD_ALONE)->train, half_life, naive);
        for (size_t i = 0; i < CROWD_ITEMS; i++) {
            assert_true(fabs(popularity[0][i] - naive[i]) < 1e-12 * fmax(naive[i], 1));
        }
    }
    crowd_case_release(&c);
}

/* ---- judging ---- */

/* An evening for each day, on which about everybody is asked. */
static void make_exam(struct crowd_case *c, enum crowd_side side, bool by_evening,
                      struct validation *validation, struct exam *exam)
{
    struct status status = {0};
    struct crowd_part *part = &c->part[side];
    const struct evening_source evenings = {.dataset = crowd_case_fit(c, side),
                                            .barred = &crowd_case_fit(c, side)->valid_barred,
                                            .crowd = part->crowd,
                                            .interactions = &part->interactions,
                                            .events = &part->events,
                                            .seconds = CLOCK_DAY};
    assert_int_equal(validation_init(validation, crowd_case_fit(c, side), &part->crowd, "ndcg@10",
                                     220, 3, &status),
                     STATUS_OK);
    assert_int_equal(exam_init(exam, validation, by_evening ? &evenings : NULL, &status),
                     STATUS_OK);
    assert_int_equal(exam->n_sittings > 1, by_evening);
}

static void assert_same_calibration(const struct calibration *a, const struct calibration *b)
{
    assert_memory_equal(&a->weights, &b->weights, sizeof a->weights);
    assert_int_equal(a->n_users, b->n_users);
    assert_int_equal(a->n_grid, b->n_grid);
    assert_memory_equal(a->user_values, b->user_values, a->n_users * sizeof *a->user_values);
    assert_memory_equal(a->grid_value, b->grid_value, a->n_grid * sizeof *a->grid_value);
    assert_true(a->value == b->value && a->blended_value == b->blended_value);
    assert_true(a->blended_base == b->blended_base && a->blended_base > 0);
}

/* Weights, blend and evenings included. */
static void weights_do_not_depend_on_where_users_are(void **state)
{
    (void)state;
    struct crowd_case c;
    struct status status = {0};
    crowd_case_init(&c, ranks, 6);
    for (int by_evening = 0; by_evening < 2; by_evening++) {
        struct calibration found[CROWD_SIDES] = {{.alpha = 0}};
        for (enum crowd_side side = CROWD_HERE; side < CROWD_SIDES; side++) {
            struct validation validation = {0};
            struct exam exam = {0};
            make_exam(&c, side, by_evening == 1, &validation, &exam);
            struct evidence own = {0};
            assert_int_equal(evidence_of_own(&own, CROWD_ITEMS, &status), STATUS_OK);
            const struct calibration_request request = {
                .exam = &exam,
                .embeddings = &c.part[side].embeddings,
                .sources = {.evidence = &own},
                .popularity = {0, 1.4, 0.2},
                .given = {(double)NAN, (double)NAN, (double)NAN, (double)NAN, 0, {{0}}},
                .blends = true,
                .seed = 3};
            assert_int_equal(calibration_search(&request, NULL, &found[side], &status), STATUS_OK);
            evidence_release(&own);
            exam_release(&exam);
            validation_release(&validation);
        }
        assert_same_calibration(&found[CROWD_HERE], &found[CROWD_ALONE]);
        calibration_release(&found[CROWD_HERE]);
        calibration_release(&found[CROWD_ALONE]);
    }
    crowd_case_release(&c);
}

static void assert_same_rows(const struct metric_rows *a, const struct metric_rows *b)
{
    assert_int_equal(a->n, b->n);
    assert_true(a->n > 20);
    for (size_t i = 0; i < a->n; i++) {
        size_t x, y;
        assert_string_equal(strings_get(&a->names, i, &x), strings_get(&b->names, i, &y));
    }
    assert_memory_equal(a->values, b->values, a->n * sizeof *a->values);
    assert_memory_equal(a->errors, b->errors, a->n * sizeof *a->errors);
}

/* All models and groups at once, and evening by evening. */
static void metrics_do_not_depend_on_where_users_are(void **state)
{
    (void)state;
    static const char *const metrics[] = {"ndcg@10", "recall@5", "coverage@5", "novelty@5",
                                          "gini@5"};
    struct crowd_case c;
    struct status status = {0};
    struct metric_rows rows[CROWD_SIDES] = {{0}};
    crowd_case_init(&c, ranks, 7);
    for (enum crowd_side side = CROWD_HERE; side < CROWD_SIDES; side++) {
        struct crowd_part *part = &c.part[side];
        const struct evaluation_request request = {.dataset = crowd_case_fit(&c, side),
                                                   .crowd = part->crowd,
                                                   .held_out = &crowd_case_fit(&c, side)->test,
                                                   .max_users = 200,
                                                   .embeddings = &part->embeddings,
                                                   .weights = {.beta = 0.5, .half_life = 4},
                                                   .popular_half_life = 3,
                                                   .prefix = "",
                                                   .n_metrics = 5,
                                                   .metrics = metrics,
                                                   .n_judged = 1,
                                                   .judged = metrics,
                                                   .seed = 5};
        struct rolling_request by_evening = {.evaluation = request,
                                             .interactions = &part->interactions,
                                             .events = &part->events,
                                             .days = CROWD_DAYS - 1};
        size_t n_evenings;
        part->events.before = 0;
        assert_int_equal(evaluation_run(&request, NULL, &rows[side], &status), STATUS_OK);
        assert_int_equal(rolling_run(&by_evening, NULL, &rows[side], &n_evenings, &status),
                         STATUS_OK);
        assert_int_equal(n_evenings, CROWD_DAYS - 1);
    }
    assert_same_rows(&rows[CROWD_HERE], &rows[CROWD_ALONE]);
    metric_rows_release(&rows[CROWD_HERE]);
    metric_rows_release(&rows[CROWD_ALONE]);
    crowd_case_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_do_not_depend_on_where_users_are),
        cmocka_unit_test(transitions_do_not_depend_on_where_users_are),
        cmocka_unit_test(regressions_do_not_depend_on_where_users_are),
        cmocka_unit_test(samples_and_places_are_of_all_users),
        cmocka_unit_test(popularity_is_of_all_users),
        cmocka_unit_test(weights_do_not_depend_on_where_users_are),
        cmocka_unit_test(metrics_do_not_depend_on_where_users_are),
    };
    return cmocka_run_group_tests(tests, ranked_open, ranked_close);
}
