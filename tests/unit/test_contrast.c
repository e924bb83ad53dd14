/* The contrastive kernel against a loop written straight from the formula, in double, and its
 * gradients against finite differences of that loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "math/blas.h"
#include "tests/support/contrast_problem.h"
#include "tests/support/random_matrix.h"

#include <math.h>

/* Up to 60 slopes of each side, by differences of the naive loss. */
static void check_slopes(const struct problem *p, const float *got, double *values, size_t total)
{
    const double h = 1e-6;
    for (size_t i = 0; i < total; i += 1 + total / 60) {
        double kept = values[i];
        values[i] = kept + h;
        double up = naive_loss(p);
        values[i] = kept - h;
        double want = (up - naive_loss(p)) / (2.0 * h);
        values[i] = kept;
        assert_true(fabs((double)got[i] - want) <= 2e-4 * (1.0 + fabs(want)));
    }
}

static void check_problem(const struct problem *p)
{
    struct contrast_result result = run_kernel(p, 1);
    double want = naive_loss(p);
    assert_true(fabs(result.loss - want) <= 2e-5 * (1.0 + fabs(want)));
    check_slopes(p, result.anchors.data, p->wide_anchors, p->b * p->d);
    check_slopes(p, result.candidates.data, p->wide_candidates, p->m * p->d);
    release_result(&result);
}

static void every_denominator_matches_the_formula_and_its_slopes(void **state)
{
    (void)state;
    const enum loss_denominators sets[] = {DENOMINATORS_INFONCE, DENOMINATORS_ALL,
                                           DENOMINATORS_DECOUPLED};
    for (size_t s = 0; s < 3; s++) {
        for (size_t strip = 0; strip < 2; strip++) {
            struct problem p = make_problem(9, 40, 8, 30, SHARED, 10 + s);
            p.settings.loss_settings.denominators = sets[s];
            p.settings.loss_settings.t2 = strip == 0 ? 1.0 : 1.22;
            p.settings.strip_bytes = strip == 0 ? KEPT : RECOMPUTED;
            check_problem(&p);
            release_problem(&p);
        }
    }
}

static void many_tiles_and_ragged_edges_match_too(void **state)
{
    (void)state;
    struct problem p = make_problem(70, 1100, 16, 1030, SHARED, 5);
    p.settings.temperature = 0.1;
    struct contrast_result result = run_kernel(&p, 1);
    double want = naive_loss(&p);
    assert_true(fabs(result.loss - want) <= 1e-5 * fabs(want));
    release_result(&result);
    release_problem(&p);
}

/* own positives left among the negatives: `infonce` must not count them a second time */
static void a_positive_among_the_negatives_counts_once(void **state)
{
    (void)state;
    const float anchor[2] = {1.0f, 0.0f}, candidates[4] = {0.6f, 0.8f, 0.0f, 1.0f};
    float da[2], dc[4], weight = 1.0f;
    int64_t first[2] = {0, 1};
    int32_t column = 0;
    struct status status = {0};
    struct contrast *contrast = NULL;
    struct contrast_batch batch = {
        .anchors = const_matrix_of(anchor, 1, 2),
        .candidates = const_matrix_of(candidates, 2, 2),
        .positives = {.n_rows = 1, .n_columns = 2, first, &column, &weight},
        .n_negatives = 2,
    };
    assert_int_equal(contrast_new(&contrast, &status), STATUS_OK);
    for (size_t s = 0; s < 2; s++) {
        struct contrast_settings settings = {
            .loss = &loss_table[0],
            .loss_settings = {.denominators = s == 0 ? DENOMINATORS_INFONCE : DENOMINATORS_ALL,
                              .t2 = 1.0},
            .temperature = 1.0};
        struct contrast_result result = {.anchors = matrix_of(da, 1, 2),
                                         .candidates = matrix_of(dc, 2, 2)};
        assert_int_equal(contrast_run(contrast, &settings, &batch, NULL, &result, &status),
                         STATUS_OK);
        assert_true(fabs(result.loss - (log(exp(0.6) + 1.0) - 0.6)) < 1e-6);
    }
    contrast_free(contrast);
}

static void lists_of_their_own_match_the_formula_and_its_slopes(void **state)
{
    (void)state;
    struct problem p = make_problem(12, 50, 8, 0, LISTED, 3);
    check_problem(&p);
    release_problem(&p);
}

static void assert_same_bytes(const struct contrast_result *x, const struct contrast_result *y)
{
    assert_true(x->loss == y->loss);
    assert_memory_equal(x->anchors.data, y->anchors.data,
                        x->anchors.rows * x->anchors.columns * sizeof(float));
    assert_memory_equal(x->candidates.data, y->candidates.data,
                        x->candidates.rows * x->candidates.columns * sizeof(float));
}

static void one_two_and_three_threads_give_the_same_bytes(void **state)
{
    (void)state;
    for (size_t strip = 0; strip < 2; strip++) {
        struct problem p = make_problem(130, 2500, 24, 2300, SHARED, 8);
        p.settings.strip_bytes = strip == 0 ? KEPT : RECOMPUTED;
        struct contrast_result one = run_kernel(&p, 1), two = run_kernel(&p, 2);
        struct contrast_result three = run_kernel(&p, 3);
        assert_same_bytes(&one, &two);
        assert_same_bytes(&one, &three);
        release_result(&one);
        release_result(&two);
        release_result(&three);
        release_problem(&p);
    }
}

static void keeping_or_recomputing_the_strip_gives_the_same_bytes(void **state)
{
    (void)state;
    struct problem p = make_problem(64, 900, 16, 900, SHARED, 4);
    struct contrast_result kept = run_kernel(&p, 2);
    p.settings.strip_bytes = RECOMPUTED;
    struct contrast_result again = run_kernel(&p, 2);
    assert_same_bytes(&kept, &again);
    release_result(&kept);
    release_result(&again);
    release_problem(&p);
}

static void an_anchor_without_negatives_gives_no_loss_and_is_counted(void **state)
{
    (void)state;
    struct problem p = make_problem(4, 10, 8, 6, SHARED, 2);
    sparse_release(&p.excluded);
    struct rng rng;
    rng_init(&rng, 1, "test.all", 0, 0);
    p.excluded = random_sparse(&rng, 4, 6, 1.1, false);
    struct contrast_result result = run_kernel(&p, 1);
    assert_int_equal(result.n_empty, 4);
    assert_true(result.loss == 0.0);
    for (size_t i = 0; i < p.b * p.d; i++) {
        assert_true(result.anchors.data[i] == 0.0f);
    }
    release_result(&result);
    release_problem(&p);
}

static void large_logits_do_not_overflow(void **state)
{
    (void)state;
    struct problem p = make_problem(8, 300, 8, 300, SHARED, 6);
    p.settings.temperature = 0.001; /* logits up to 1,000 */
    struct contrast_result result = run_kernel(&p, 1);
    assert_true(isfinite(result.loss));
    for (size_t i = 0; i < p.m * p.d; i++) {
        assert_true(isfinite(result.candidates.data[i]));
    }
    release_result(&result);
    release_problem(&p);
}

static void nan_in_an_embedding_reaches_the_loss(void **state)
{
    (void)state;
    struct problem p = make_problem(8, 30, 8, 20, SHARED, 6);
    p.anchors[5] = NAN;
    struct contrast_result result = run_kernel(&p, 1);
    assert_true(!isfinite(result.loss));
    release_result(&result);
    release_problem(&p);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_denominator_matches_the_formula_and_its_slopes),
        cmocka_unit_test(many_tiles_and_ragged_edges_match_too),
        cmocka_unit_test(a_positive_among_the_negatives_counts_once),
        cmocka_unit_test(lists_of_their_own_match_the_formula_and_its_slopes),
        cmocka_unit_test(one_two_and_three_threads_give_the_same_bytes),
        cmocka_unit_test(keeping_or_recomputing_the_strip_gives_the_same_bytes),
        cmocka_unit_test(an_anchor_without_negatives_gives_no_loss_and_is_counted),
        cmocka_unit_test(large_logits_do_not_overflow),
        cmocka_unit_test(nan_in_an_embedding_reaches_the_loss),
    };
    return cmocka_run_group_tests_name("contrast", tests, NULL, NULL);
}
