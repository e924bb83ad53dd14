/* Inverted lists against ranking_run, which has naive tests of its own. */
#include "ranking/inverted_lists.h"

#include "base/mem.h"
#include "base/rng.h"
#include "math/blas.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { D = 16, N_CANDIDATES = 6000, N_ANCHORS = 300, N_GROUPS = 40, K = 20, HISTORY = 4 };

static const double tolerance = 2e-5; /* scores of size 10 out of float products */

/* Candidates in groups around random directions, anchors near them; everything that a ranking can
 * have. */
struct problem {
    float *candidates, *anchors, *bias, *powers;
    struct sparse exclude, histories;
    int32_t *rows;
    uint8_t *eligible;
    uint32_t *tie_rank;
    struct evidence evidence;
    struct ranking_evidence ranking_evidence;
    struct ranking ranking;
    const float *bias_rows[1], *power_rows[1];
    double gammas[1];
};

/* vector = direction + noise, at unit length. */
static void draw_vector(struct rng *rng, const double *direction, double noise, float *vector)
{
    double x[D], squares = 0.0;
    for (size_t j = 0; j < D; j++) {
        x[j] = direction[j] + noise * rng_normal(rng);
        squares += x[j] * x[j];
    }
    for (size_t j = 0; j < D; j++) {
        vector[j] = (float)(x[j] / sqrt(squares));
    }
}

/* rows x columns with `n` random entries a row, ascending. */
static void draw_sparse(struct rng *rng, size_t rows, size_t columns, size_t n, bool with_values,
                        struct sparse *out)
{
    struct status status = {0};
    assert_int_equal(sparse_init(out, rows, columns, rows * n, with_values, &status), STATUS_OK);
    for (size_t r = 0; r < rows; r++) {
        const size_t step = columns / n;
        for (size_t i = 0; i < n; i++) {
            out->columns[r * n + i] = (int32_t)(i * step + rng_below(rng, step));
            if (with_values) {
                out->values[r * n + i] = (float)(0.1 + rng_double(rng));
            }
        }
        out->offsets[r + 1] = (int64_t)((r + 1) * n);
    }
}

static void problem_init(struct problem *p, bool with_extras)
{
    struct status status = {0};
    struct rng rng;
    double directions[N_GROUPS][D];
    *p = (struct problem){0};
    rng_init(&rng, 7, "test.inverted_lists", 0, 0);
    for (size_t g = 0; g < N_GROUPS; g++) {
        for (size_t j = 0; j < D; j++) {
            directions[g][j] = rng_normal(&rng);
        }
    }
    assert_int_equal(MEM_NEW(&p->candidates, N_CANDIDATES * D, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&p->anchors, N_ANCHORS * D, &status), STATUS_OK);
    for (size_t c = 0; c < N_CANDIDATES; c++) {
        draw_vector(&rng, directions[c % N_GROUPS], 0.4, p->candidates + c * D);
    }
    for (size_t a = 0; a < N_ANCHORS; a++) {
        draw_vector(&rng, directions[rng_below(&rng, N_GROUPS)], 0.4, p->anchors + a * D);
    }
    p->ranking = (struct ranking){.anchors = const_matrix_of(p->anchors, N_ANCHORS, D),
                                  .candidates = const_matrix_of(p->candidates, N_CANDIDATES, D),
                                  .scale = 8.0f,
                                  .k = K};
    if (!with_extras) {
        return;
    }
    assert_int_equal(MEM_NEW(&p->bias, N_CANDIDATES, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&p->powers, N_CANDIDATES, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&p->eligible, N_CANDIDATES, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&p->tie_rank, N_CANDIDATES, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&p->rows, N_ANCHORS, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&p->evidence.history_weight, N_CANDIDATES, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&p->evidence.log_count, N_CANDIDATES, &status), STATUS_OK);
    for (size_t c = 0; c < N_CANDIDATES; c++) {
        p->bias[c] = (float)(2.0 * rng_double(&rng));
        p->powers[c] = (float)(0.5 + rng_double(&rng));
        p->eligible[c] = rng_below(&rng, 5) != 0;
        p->evidence.history_weight[c] = (float)rng_double(&rng);
    }
    for (size_t a = 0; a < N_ANCHORS; a++) {
        p->rows[a] = (int32_t)((a * 7) % N_ANCHORS);
    }
    rng_permutation(&rng, N_CANDIDATES, p->tie_rank);
    draw_sparse(&rng, N_ANCHORS, N_CANDIDATES, 60, false, &p->exclude);
    draw_sparse(&rng, N_ANCHORS, N_CANDIDATES, HISTORY, false, &p->histories);
    draw_sparse(&rng, N_CANDIDATES, N_CANDIDATES, 15, true, &p->evidence.pairs);
    p->bias_rows[0] = p->bias;
    p->power_rows[0] = p->powers;
    p->gammas[0] = 3.0;
    p->ranking_evidence = (struct ranking_evidence){
        .evidence = &p->evidence, .gammas = p->gammas, .powers = p->power_rows};
    p->ranking.n_biases = 1;
    p->ranking.biases = p->bias_rows;
    p->ranking.n_evidence = 1;
    p->ranking.evidence = &p->ranking_evidence;
    p->ranking.histories = &p->histories;
    p->ranking.history_rows = p->rows;
    p->ranking.exclude = &p->exclude;
    p->ranking.exclude_rows = p->rows;
    p->ranking.eligible = p->eligible;
    p->ranking.tie_rank = p->tie_rank;
}

static void problem_release(struct problem *p)
{
    mem_free(p->candidates);
    mem_free(p->anchors);
    mem_free(p->bias);
    mem_free(p->powers);
    mem_free(p->rows);
    mem_free(p->eligible);
    mem_free(p->tie_rank);
    mem_free(p->evidence.history_weight);
    mem_free(p->evidence.log_count);
    sparse_release(&p->evidence.pairs);
    sparse_release(&p->exclude);
    sparse_release(&p->histories);
}

struct lists {
    int32_t *items;
    float *scores;
};

static struct lists lists_new(const struct ranking *ranking)
{
    struct status status = {0};
    struct lists lists = {0};
    assert_int_equal(MEM_NEW(&lists.items, ranking->anchors.rows * ranking->k, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&lists.scores, ranking->anchors.rows * ranking->k, &status),
                     STATUS_OK);
    return lists;
}

static void lists_release(struct lists *lists)
{
    mem_free(lists->items);
    mem_free(lists->scores);
}

static struct lists exact(const struct ranking *ranking)
{
    struct status status = {0};
    struct lists lists = lists_new(ranking);
    assert_int_equal(ranking_run(ranking, NULL, lists.items, lists.scores, &status), STATUS_OK);
    return lists;
}

static struct lists search(const struct ranking *ranking, size_t n_probes, size_t n_threads)
{
    struct status status = {0};
    struct inverted_lists index = {0};
    struct lists lists = lists_new(ranking);
    struct pool *pool = NULL;
    assert_int_equal(pool_new(n_threads, &pool, &status), STATUS_OK);
    assert_int_equal(inverted_lists_build(ranking->candidates, 3, pool, &index, &status),
                     STATUS_OK);
    assert_int_equal(inverted_lists_search(&index, ranking,
                                           n_probes == 0 ? index.n_lists : n_probes, pool,
                                           lists.items, lists.scores, &status),
                     STATUS_OK);
    inverted_lists_release(&index);
    pool_free(pool);
    return lists;
}

/* Scores agree rank by rank; items do wherever the neighbours' scores are apart. */
static void assert_same_lists(const struct lists *a, const struct lists *b, size_t n)
{
    for (size_t e = 0; e < n; e++) {
        assert_true(fabs((double)a->scores[e] - (double)b->scores[e]) < tolerance);
        assert_true((a->items[e] < 0) == (b->items[e] < 0));
        bool alone =
            (e == 0 || fabs((double)a->scores[e] - (double)a->scores[e - 1]) > tolerance) &&
            (e + 1 == n || fabs((double)a->scores[e] - (double)a->scores[e + 1]) > tolerance);
        assert_true(!alone || a->items[e] == b->items[e]);
    }
}

static double recall(const struct lists *found, const struct lists *truth, size_t n, size_t k)
{
    size_t n_both = 0, n_true = 0;
    for (size_t e = 0; e < n; e++) {
        n_true += truth->items[e] >= 0 ? 1 : 0;
        for (size_t r = e / k * k; r < (e / k + 1) * k; r++) {
            n_both += truth->items[e] >= 0 && found->items[r] == truth->items[e] ? 1 : 0;
        }
    }
    return (double)n_both / (double)n_true;
}

static void every_list_looked_into_gives_the_exact_lists(void **state)
{
    (void)state;
    for (int with_extras = 0; with_extras <= 1; with_extras++) {
        struct problem p;
        problem_init(&p, with_extras == 1);
        struct lists truth = exact(&p.ranking), found = search(&p.ranking, 0, 1);
        assert_same_lists(&truth, &found, (size_t)N_ANCHORS * K);
        lists_release(&truth);
        lists_release(&found);
        problem_release(&p);
    }
}

static void few_lists_find_most_and_score_it_right(void **state)
{
    (void)state;
    for (int with_extras = 0; with_extras <= 1; with_extras++) {
        struct problem p;
        problem_init(&p, with_extras == 1);
        struct lists truth = exact(&p.ranking), found = search(&p.ranking, 8, 1);
        const double share = recall(&found, &truth, (size_t)N_ANCHORS * K, K);
        assert_true(share > 0.9);
        if (with_extras == 0) {
            struct lists one = search(&p.ranking, 1, 1);
            assert_true(recall(&one, &truth, (size_t)N_ANCHORS * K, K) < share);
            lists_release(&one);
        }
        for (size_t e = 0; e < (size_t)N_ANCHORS * K; e++) {
            assert_true((double)found.scores[e] <= (double)truth.scores[e] + tolerance);
            assert_true(found.items[e] >= 0);
            if (with_extras == 1) {
                assert_true(p.eligible[found.items[e]] == 1);
                assert_false(sparse_has(&p.exclude, (size_t)p.rows[e / K], found.items[e]));
            }
        }
        lists_release(&truth);
        lists_release(&found);
        problem_release(&p);
    }
}

/* Enough anchors for several tasks: those of the problem again and again. */
static void neither_threads_nor_neighbours_change_a_list(void **state)
{
    (void)state;
    enum { MANY = 20000, FEW = 4 };
    struct status status = {0};
    struct problem p;
    float *anchors = NULL;
    int32_t *rows = NULL;
    problem_init(&p, true);
    assert_int_equal(MEM_NEW(&anchors, (size_t)MANY * D, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&rows, MANY, &status), STATUS_OK);
    for (size_t a = 0; a < MANY; a++) {
        memcpy(anchors + a * D, p.anchors + a % N_ANCHORS * D, D * sizeof *anchors);
        rows[a] = p.rows[a % N_ANCHORS];
    }
    p.ranking.anchors = const_matrix_of(anchors, MANY, D);
    p.ranking.exclude_rows = p.ranking.history_rows = rows;
    p.ranking.k = FEW;
    struct lists one = search(&p.ranking, 4, 1), three = search(&p.ranking, 4, 3);
    assert_memory_equal(one.items, three.items, (size_t)MANY * FEW * sizeof *one.items);
    assert_memory_equal(one.scores, three.scores, (size_t)MANY * FEW * sizeof *one.scores);
    for (size_t a = N_ANCHORS; a < MANY; a++) {
        assert_memory_equal(one.scores + a * FEW, one.scores + a % N_ANCHORS * FEW,
                            FEW * sizeof *one.scores);
    }
    lists_release(&one);
    lists_release(&three);
    mem_free(anchors);
    mem_free(rows);
    problem_release(&p);
}

/* With room for every candidate nothing but what is excluded is missing, and nothing is there
 * twice. */
static void nothing_is_listed_twice(void **state)
{
    (void)state;
    struct problem p;
    problem_init(&p, true);
    p.ranking.k = N_CANDIDATES;
    p.ranking.eligible = NULL;
    struct lists found = search(&p.ranking, 0, 1), truth = exact(&p.ranking);
    for (size_t a = 0; a < N_ANCHORS; a++) {
        const int32_t *items = found.items + a * N_CANDIDATES;
        bool seen[N_CANDIDATES] = {false};
        for (size_t r = 0; r < N_CANDIDATES && items[r] >= 0; r++) {
            assert_false(seen[items[r]]);
            seen[items[r]] = true;
        }
    }
    assert_same_lists(&truth, &found, (size_t)N_ANCHORS * N_CANDIDATES);
    lists_release(&found);
    lists_release(&truth);
    problem_release(&p);
}

/* Whoever meets fewer than k has an exact list: no row is missing that exists. */
static void anchors_that_meet_too_little_are_ranked_over_everything(void **state)
{
    (void)state;
    struct problem p;
    problem_init(&p, true);
    for (size_t c = 0; c < N_CANDIDATES; c++) {
        p.eligible[c] = c % 150 == 0; /* 40 of them, fewer than k in most lists */
    }
    p.ranking.n_biases = 0; /* no head that everybody meets */
    p.ranking.n_evidence = 0;
    struct lists truth = exact(&p.ranking), found = search(&p.ranking, 1, 1);
    assert_same_lists(&truth, &found, (size_t)N_ANCHORS * K);
    p.ranking.k = 50; /* more than there are: lists end with -1, in the same place */
    struct lists long_truth = exact(&p.ranking), long_found = search(&p.ranking, 1, 1);
    assert_same_lists(&long_truth, &long_found, (size_t)N_ANCHORS * 50);
    lists_release(&truth);
    lists_release(&found);
    lists_release(&long_truth);
    lists_release(&long_found);
    problem_release(&p);
}

/* Vectors without a direction, and all of them the same one. */
static void odd_vectors_have_a_list_too(void **state)
{
    (void)state;
    for (int same = 0; same <= 1; same++) {
        struct status status = {0};
        struct inverted_lists index = {0};
        float candidates[50 * D] = {0};
        bool seen[50] = {false};
        for (size_t c = 0; c < 50; c++) {
            candidates[c * D] = same == 1 ? 1.0f : 0.0f;
        }
        assert_int_equal(
            inverted_lists_build(const_matrix_of(candidates, 50, D), 1, NULL, &index, &status),
            STATUS_OK);
        assert_int_equal(index.starts[index.n_lists], 50);
        for (size_t m = 0; m < 50; m++) {
            assert_false(seen[index.members[m]]);
            seen[index.members[m]] = true;
        }
        inverted_lists_release(&index);
    }
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_list_looked_into_gives_the_exact_lists),
        cmocka_unit_test(few_lists_find_most_and_score_it_right),
        cmocka_unit_test(neither_threads_nor_neighbours_change_a_list),
        cmocka_unit_test(nothing_is_listed_twice),
        cmocka_unit_test(anchors_that_meet_too_little_are_ranked_over_everything),
        cmocka_unit_test(odd_vectors_have_a_list_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
