/* ranking_run against a naive full sort. Elements are small whole numbers, so that products are
 * exact and ties are many. */
#include "ranking/ranking.h"

#include "base/mem.h"
#include "base/rng.h"
#include "math/blas.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { MAX_BIASES = 3 };

/* One problem with everything it owns. */
struct problem {
    size_t n_anchors, n_candidates, d, k, n_biases;
    float *anchors, *candidates;
    float *bias[MAX_BIASES];
    struct sparse exclude;
    int32_t *exclude_rows;
    uint8_t *eligible;
    uint32_t *tie_rank;
};

static float *random_floats(struct rng *rng, size_t n, uint64_t range)
{
    struct status status = {0};
    float *out = NULL;
    assert_int_equal(MEM_NEW(&out, n, &status), STATUS_OK);
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)rng_below(rng, range) - (float)(range / 2);
    }
    return out;
}

/* About one entry in six excluded; fewer rows than anchors when rows are mapped. */
static void random_exclude(struct problem *p, struct rng *rng, size_t n_rows)
{
    struct status status = {0};
    assert_int_equal(
        sparse_init(&p->exclude, n_rows, p->n_candidates, n_rows * p->n_candidates, false, &status),
        STATUS_OK);
    int64_t n = 0;
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t c = 0; c < p->n_candidates; c++) {
            if (rng_below(rng, 6) == 0) {
                p->exclude.columns[n++] = (int32_t)c;
            }
        }
        p->exclude.offsets[r + 1] = n;
    }
}

static void problem_init(struct problem *p, uint64_t seed, bool with_extras)
{
    struct status status = {0};
    struct rng rng;
    rng_init(&rng, seed, "test.ranking", 0, 0);
    p->anchors = random_floats(&rng, p->n_anchors * p->d, 5);
    p->candidates = random_floats(&rng, p->n_candidates * p->d, 5);
    for (size_t v = 0; v < p->n_biases; v++) {
        p->bias[v] = random_floats(&rng, p->n_candidates, 9);
    }
    if (!with_extras) {
        return;
    }
    size_t n_rows = p->n_anchors / 2 + 1;
    random_exclude(p, &rng, n_rows);
    assert_int_equal(MEM_NEW(&p->exclude_rows, p->n_anchors, &status), STATUS_OK);
    for (size_t a = 0; a < p->n_anchors; a++) {
        p->exclude_rows[a] = (int32_t)rng_below(&rng, n_rows + 1) - 1;
    }
    assert_int_equal(MEM_NEW(&p->eligible, p->n_candidates, &status), STATUS_OK);
    for (size_t c = 0; c < p->n_candidates; c++) {
        p->eligible[c] = rng_below(&rng, 4) != 0;
    }
    assert_int_equal(MEM_NEW(&p->tie_rank, p->n_candidates, &status), STATUS_OK);
    rng_permutation(&rng, p->n_candidates, p->tie_rank);
}

static void problem_release(struct problem *p)
{
    mem_free(p->anchors);
    mem_free(p->candidates);
    for (size_t v = 0; v < p->n_biases; v++) {
        mem_free(p->bias[v]);
    }
    sparse_release(&p->exclude);
    mem_free(p->exclude_rows);
    mem_free(p->eligible);
    mem_free(p->tie_rank);
}

static struct ranking problem_ranking(const struct problem *p)
{
    return (struct ranking){.anchors = const_matrix_of(p->anchors, p->n_anchors, p->d),
                            .candidates = const_matrix_of(p->candidates, p->n_candidates, p->d),
                            .scale = 0.5f,
                            .n_biases = p->n_biases,
                            .biases = (const float *const *)p->bias,
                            .exclude = p->exclude.n_rows > 0 ? &p->exclude : NULL,
                            .exclude_rows = p->exclude_rows,
                            .eligible = p->eligible,
                            .tie_rank = p->tie_rank,
                            .k = p->k};
}

static bool is_candidate(const struct problem *p, size_t anchor, size_t c)
{
    if (p->eligible != NULL && !p->eligible[c]) {
        return false;
    }
    if (p->exclude.n_rows == 0) {
        return true;
    }
    int32_t row = p->exclude_rows == NULL ? (int32_t)anchor : p->exclude_rows[anchor];
    return row < 0 || !sparse_has(&p->exclude, (size_t)row, (int32_t)c);
}

static float naive_score(const struct problem *p, size_t anchor, size_t c, size_t variant)
{
    double sum = 0.0;
    for (size_t j = 0; j < p->d; j++) {
        sum += (double)p->anchors[anchor * p->d + j] * (double)p->candidates[c * p->d + j];
    }
    return (float)(0.5 * sum) + (p->n_biases > 0 ? p->bias[variant][c] : 0.0f);
}

/* Picks the best remaining candidate k times. */
static void naive_list(const struct problem *p, size_t anchor, size_t variant, uint8_t *taken,
                       int32_t *items, float *scores)
{
    memset(taken, 0, p->n_candidates);
    for (size_t r = 0; r < p->k; r++) {
        int32_t best = -1;
        float best_score = 0.0f;
        for (size_t c = 0; c < p->n_candidates; c++) {
            if (taken[c] || !is_candidate(p, anchor, c)) {
                continue;
            }
            float score = naive_score(p, anchor, c, variant);
            bool wins =
                best < 0 || score > best_score ||
                (score == best_score && p->tie_rank != NULL && p->tie_rank[c] < p->tie_rank[best]);
            if (wins) {
                best = (int32_t)c;
                best_score = score;
            }
        }
        items[r] = best;
        scores[r] = best_score;
        if (best >= 0) {
            taken[best] = 1;
        }
    }
}

static void check_problem(struct problem p, bool with_extras, size_t n_threads)
{
    struct status status = {0};
    struct pool *pool = NULL;
    size_t n_variants = p.n_biases > 0 ? p.n_biases : 1;
    size_t total = n_variants * p.n_anchors * p.k;
    int32_t *items = NULL, *expected = NULL;
    float *scores = NULL, *expected_scores = NULL;
    uint8_t *taken = NULL;
    problem_init(&p, 7 + p.n_candidates, with_extras);
    assert_int_equal(MEM_NEW(&items, total, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&scores, total, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&expected, p.k, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&expected_scores, p.k, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&taken, p.n_candidates, &status), STATUS_OK);
    assert_int_equal(pool_new(n_threads, &pool, &status), STATUS_OK);
    struct ranking ranking = problem_ranking(&p);
    assert_int_equal(ranking_run(&ranking, pool, items, scores, &status), STATUS_OK);
    for (size_t list = 0; list < n_variants * p.n_anchors; list++) {
        naive_list(&p, list % p.n_anchors, list / p.n_anchors, taken, expected, expected_scores);
        assert_memory_equal(items + list * p.k, expected, p.k * sizeof *expected);
        assert_memory_equal(scores + list * p.k, expected_scores, p.k * sizeof *expected_scores);
    }
    pool_free(pool);
    mem_free(items);
    mem_free(scores);
    mem_free(expected);
    mem_free(expected_scores);
    mem_free(taken);
    problem_release(&p);
}

static void ranking_agrees_with_a_full_sort_for_many_shapes(void **state)
{
    (void)state;
    static const struct problem shapes[] = {
        {.n_anchors = 1, .n_candidates = 1, .d = 1, .k = 1},
        {.n_anchors = 3, .n_candidates = 17, .d = 2, .k = 5, .n_biases = 1},
        {.n_anchors = 128, .n_candidates = 40, .d = 4, .k = 40, .n_biases = 2},
        {.n_anchors = 129, .n_candidates = 300, .d = 8, .k = 10, .n_biases = 3},
        {.n_anchors = 5, .n_candidates = 2048, .d = 3, .k = 20},
        {.n_anchors = 4, .n_candidates = 5000, .d = 16, .k = 7, .n_biases = 2},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
            check_problem(shapes[i], false, n_threads);
            check_problem(shapes[i], true, n_threads);
        }
    }
}

static void lists_shorter_than_k_end_with_minus_one(void **state)
{
    (void)state;
    check_problem((struct problem){.n_anchors = 6, .n_candidates = 9, .d = 2, .k = 12}, true, 1);
    check_problem(
        (struct problem){.n_anchors = 6, .n_candidates = 9, .d = 2, .k = 12, .n_biases = 2}, true,
        1);
}

static void no_anchors_and_no_candidates_are_allowed(void **state)
{
    (void)state;
    struct status status = {0};
    float anchor[2] = {1, 2}, score = 5;
    int32_t item = 5;
    struct ranking ranking = {.anchors = const_matrix_of(anchor, 0, 2),
                              .candidates = const_matrix_of(anchor, 1, 2),
                              .scale = 1.0f,
                              .k = 1};
    assert_int_equal(ranking_run(&ranking, NULL, &item, &score, &status), STATUS_OK);
    assert_int_equal(item, 5);
    ranking.anchors.rows = 1;
    ranking.candidates.rows = 0;
    assert_int_equal(ranking_run(&ranking, NULL, &item, &score, &status), STATUS_OK);
    assert_int_equal(item, -1);
    assert_true(score == 0.0f);
}

/* Random directions: products are rounded, and still a list must not depend on its company. */
static void a_list_does_not_depend_on_the_other_anchors_or_biases(void **state)
{
    (void)state;
    enum { N = 200, M = 700, D = 33, K = 10 };
    struct status status = {0};
    struct rng rng;
    static float anchors[N * D], candidates[M * D], bias[2][M], scores[2 * N * K], alone[K];
    static int32_t items[2 * N * K], alone_items[K];
    rng_init(&rng, 3, "test.ranking", 1, 0);
    for (size_t i = 0; i < N * D; i++) {
        anchors[i] = (float)rng_normal(&rng);
    }
    for (size_t i = 0; i < M * D; i++) {
        candidates[i] = (float)rng_normal(&rng);
    }
    for (size_t i = 0; i < M; i++) {
        bias[0][i] = (float)rng_double(&rng);
        bias[1][i] = (float)rng_double(&rng);
    }
    const float *const biases[2] = {bias[0], bias[1]};
    struct ranking ranking = {.anchors = const_matrix_of(anchors, N, D),
                              .candidates = const_matrix_of(candidates, M, D),
                              .scale = 7.0f,
                              .n_biases = 2,
                              .biases = biases,
                              .k = K};
    assert_int_equal(ranking_run(&ranking, NULL, items, scores, &status), STATUS_OK);
    ranking.anchors = const_matrix_of(anchors + 150 * D, 1, D);
    ranking.n_biases = 1;
    ranking.biases = biases + 1;
    assert_int_equal(ranking_run(&ranking, NULL, alone_items, alone, &status), STATUS_OK);
    assert_memory_equal(alone_items, items + (N + 150) * K, sizeof alone_items);
    assert_memory_equal(alone, scores + (N + 150) * K, sizeof alone);
}

static void scores_that_are_not_finite_are_an_internal_error(void **state)
{
    (void)state;
    float anchor[2] = {1, NAN}, candidates[4] = {1, 2, 3, 4}, score = 5;
    float bias[2] = {0, INFINITY};
    const float *const biases[1] = {bias};
    int32_t item = 5;
    for (int round = 0; round < 3; round++) {
        struct status status = {0};
        struct ranking ranking = {.anchors = const_matrix_of(anchor, 1, 2),
                                  .candidates = const_matrix_of(candidates, 2, 2),
                                  .scale = 1.0f,
                                  .k = 1};
        anchor[1] = round == 0 ? NAN : 1.0f;
        ranking.n_biases = round == 1;
        ranking.biases = biases;
        ranking.scale = round == 2 ? 3e38f : 1.0f;
        assert_int_equal(ranking_run(&ranking, NULL, &item, &score, &status), STATUS_INTERNAL);
        assert_non_null(strstr(status.message, "not finite"));
        assert_int_equal(item, 5);
        assert_true(score == 5.0f);
    }
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranking_agrees_with_a_full_sort_for_many_shapes),
        cmocka_unit_test(lists_shorter_than_k_end_with_minus_one),
        cmocka_unit_test(no_anchors_and_no_candidates_are_allowed),
        cmocka_unit_test(a_list_does_not_depend_on_the_other_anchors_or_biases),
        cmocka_unit_test(scores_that_are_not_finite_are_an_internal_error),
    };
    return cmocka_run_group_tests_name("ranking", tests, NULL, NULL);
}
