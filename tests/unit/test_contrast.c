/* The contrastive kernel against a loop written straight from the formula, in double, and its
 * gradients against finite differences of that loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "math/blas.h"
#include "model/contrast.h"
#include "tests/support/random_matrix.h"

#include <math.h>

enum { KEPT = 1 << 28, RECOMPUTED = 0 };

/* One random problem. */
struct problem {
    size_t b, m, d;
    float *anchors, *candidates, *offsets;
    struct sparse positives, excluded, listed;
    size_t n_negatives;
    struct contrast_settings settings;
};

static struct problem make_problem(size_t b, size_t m, size_t d, size_t n_negatives, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, "test.contrast", 0, 0);
    struct problem p = {.b = b, .m = m, .d = d, .n_negatives = n_negatives};
    p.anchors = random_matrix(&rng, b, d, true);
    p.candidates = random_matrix(&rng, m, d, true);
    p.offsets = random_matrix(&rng, 1, m, false);
    p.positives = random_sparse(&rng, b, m, 4.0 / (double)m, true);
    p.excluded = random_sparse(&rng, b, n_negatives, 0.1, false);
    p.listed = random_sparse(&rng, b, m, n_negatives == 0 ? 0.2 : 0.0, true);
    p.settings = (struct contrast_settings){&loss_table[0], {DENOMINATORS_INFONCE, 1.0}, 0.2, KEPT};
    return p;
}

static void release_problem(struct problem *p)
{
    mem_free(p->anchors);
    mem_free(p->candidates);
    mem_free(p->offsets);
    sparse_release(&p->positives);
    sparse_release(&p->excluded);
    sparse_release(&p->listed);
}

static double naive_logit(const struct problem *p, size_t a, int32_t c)
{
    double dot = 0.0;
    for (size_t j = 0; j < p->d; j++) {
        dot += (double)p->anchors[a * p->d + j] * p->candidates[(size_t)c * p->d + j];
    }
    return dot / p->settings.temperature;
}

/* Sum of exp(s + b) over the anchor's negatives. */
static double naive_negatives(const struct problem *p, size_t a)
{
    double sum = 0.0;
    for (size_t c = 0; c < p->n_negatives; c++) {
        if (!sparse_has(&p->excluded, a, (int32_t)c)) {
            sum += exp(naive_logit(p, a, (int32_t)c) + p->offsets[c]);
        }
    }
    for (int64_t e = p->listed.offsets[a]; e < p->listed.offsets[a + 1]; e++) {
        sum += exp(naive_logit(p, a, p->listed.columns[e]) + p->listed.values[e]);
    }
    return sum;
}

static double naive_loss(const struct problem *p)
{
    double loss = 0.0;
    for (size_t a = 0; a < p->b; a++) {
        double negatives = naive_negatives(p, a), positives = 0.0;
        for (int64_t e = p->positives.offsets[a]; e < p->positives.offsets[a + 1]; e++) {
            positives += exp(naive_logit(p, a, p->positives.columns[e]));
        }
        for (int64_t e = p->positives.offsets[a];
             e < p->positives.offsets[a + 1] && negatives > 0.0; e++) {
            double s = naive_logit(p, a, p->positives.columns[e]), under = negatives;
            if (p->settings.loss_settings.denominators == DENOMINATORS_INFONCE) {
                under += exp(s);
            } else if (p->settings.loss_settings.denominators == DENOMINATORS_ALL) {
                under += positives;
            }
            loss += p->positives.values[e] * (p->settings.loss_settings.t2 * log(under) - s);
        }
    }
    return loss;
}

static struct contrast_result run_kernel(const struct problem *p, size_t threads)
{
    struct status status = {0};
    struct contrast *contrast = NULL;
    struct pool *pool = NULL;
    float *da = NULL, *dc = NULL;
    assert_int_equal(contrast_new(&contrast, &status), STATUS_OK);
    assert_int_equal(pool_new(threads, &pool, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&da, p->b * p->d, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&dc, p->m * p->d, &status), STATUS_OK);
    memset(da, 0x7f, p->b * p->d * sizeof *da); /* must be overwritten */
    memset(dc, 0x7f, p->m * p->d * sizeof *dc);
    struct contrast_batch batch = {
        .anchors = const_matrix_of(p->anchors, p->b, p->d),
        .candidates = const_matrix_of(p->candidates, p->m, p->d),
        .positives = p->positives,
        .n_negatives = p->n_negatives,
        .offsets = p->offsets,
    };
    if (p->n_negatives == 0) {
        batch.listed = p->listed;
    } else {
        batch.excluded = p->excluded;
    }
    struct contrast_result result = {.anchors = matrix_of(da, p->b, p->d),
                                     .candidates = matrix_of(dc, p->m, p->d)};
    assert_int_equal(contrast_run(contrast, &p->settings, &batch, pool, &result, &status),
                     STATUS_OK);
    contrast_free(contrast);
    pool_free(pool);
    return result;
}

static void release_result(struct contrast_result *result)
{
    mem_free(result->anchors.data);
    mem_free(result->candidates.data);
}

/* Moves a value by h both ways and takes the difference of the naive loss. */
static double slope(const struct problem *p, float *value)
{
    const float h = 1e-3f;
    float kept = *value;
    *value = kept + h;
    double up = naive_loss(p), high = *value;
    *value = kept - h;
    double down = naive_loss(p), low = *value;
    *value = kept;
    return (up - down) / (high - low);
}

static void check_problem(struct problem *p)
{
    struct contrast_result result = run_kernel(p, 1);
    double want = naive_loss(p);
    assert_true(fabs(result.loss - want) <= 1e-4 * (1.0 + fabs(want)));
    for (size_t i = 0; i < p->b * p->d; i += 1 + p->b * p->d / 60) {
        double s = slope(p, &p->anchors[i]);
        assert_true(fabs(result.anchors.data[i] - s) <= 3e-3 * (1.0 + fabs(s)));
    }
    for (size_t i = 0; i < p->m * p->d; i += 1 + p->m * p->d / 60) {
        double s = slope(p, &p->candidates[i]);
        assert_true(fabs(result.candidates.data[i] - s) <= 3e-3 * (1.0 + fabs(s)));
    }
    release_result(&result);
}

static void every_denominator_matches_the_formula_and_its_slopes(void **state)
{
    (void)state;
    const enum loss_denominators sets[] = {DENOMINATORS_INFONCE, DENOMINATORS_ALL,
                                           DENOMINATORS_DECOUPLED};
    for (size_t s = 0; s < 3; s++) {
        for (size_t strip = 0; strip < 2; strip++) {
            struct problem p = make_problem(9, 40, 8, 30, 10 + s);
            p.settings.loss_settings = (struct loss_settings){sets[s], strip == 0 ? 1.0 : 1.22};
            p.settings.strip_bytes = strip == 0 ? KEPT : RECOMPUTED;
            check_problem(&p);
            release_problem(&p);
        }
    }
}

static void many_tiles_and_ragged_edges_match_too(void **state)
{
    (void)state;
    struct problem p = make_problem(70, 1100, 16, 1030, 5);
    p.settings.temperature = 0.1;
    struct contrast_result result = run_kernel(&p, 1);
    double want = naive_loss(&p);
    assert_true(fabs(result.loss - want) <= 1e-5 * fabs(want));
    release_result(&result);
    release_problem(&p);
}

static void lists_of_their_own_match_the_formula_and_its_slopes(void **state)
{
    (void)state;
    struct problem p = make_problem(12, 50, 8, 0, 3);
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
        struct problem p = make_problem(130, 2500, 24, 2300, 8);
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
    struct problem p = make_problem(64, 900, 16, 900, 4);
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
    struct problem p = make_problem(4, 10, 8, 6, 2);
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
    struct problem p = make_problem(8, 300, 8, 300, 6);
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
    struct problem p = make_problem(8, 30, 8, 20, 6);
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
        cmocka_unit_test(lists_of_their_own_match_the_formula_and_its_slopes),
        cmocka_unit_test(one_two_and_three_threads_give_the_same_bytes),
        cmocka_unit_test(keeping_or_recomputing_the_strip_gives_the_same_bytes),
        cmocka_unit_test(an_anchor_without_negatives_gives_no_loss_and_is_counted),
        cmocka_unit_test(large_logits_do_not_overflow),
        cmocka_unit_test(nan_in_an_embedding_reaches_the_loss),
    };
    return cmocka_run_group_tests_name("contrast", tests, NULL, NULL);
}
