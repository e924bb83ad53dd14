/* Rows of evidence and the blended ranking against the definition in double. */
#include "pairs/evidence.h"

#include "base/mem.h"
#include "math/blas.h"
#include "ranking/score.h"
#include "pairs/item_pairs.h"
#include "tests/support/evidence_data.h"
#include "tests/support/ranking_data.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { K = 7, N_VARIANTS = 5 };
static const double tolerance = 2e-5; /* scores of size 10 out of float products */

struct evidence_case {
    struct ranking_data data;
    struct evidence_data evidence;
    const struct dataset *dataset;
    int32_t *rows; /* (n_users) 0, 1, 2 ... */
};

/* User 5 of the dataset gets an empty history. */
static void case_init(struct evidence_case *c)
{
    struct status status = {0};
    ranking_data_init(&c->data, 170, 80, 6, 0.12, BASIS_FIT, 5);
    struct dataset *dataset = &c->data.interactions.basis[BASIS_FIT];
    struct sparse *train = &dataset->train.matrix;
    const int64_t removed = train->offsets[6] - train->offsets[5];
    const int64_t left = train->offsets[dataset->n_users] - train->offsets[6];
    assert_true(removed > 0);
    memmove(train->columns + train->offsets[5], train->columns + train->offsets[6],
            (size_t)left * sizeof *train->columns);
    for (size_t u = 6; u <= dataset->n_users; u++) {
        train->offsets[u] -= removed;
    }
    evidence_data_init(&c->evidence, dataset, BASIS_FIT, 20);
    c->dataset = dataset;
    assert_int_equal(MEM_NEW(&c->rows, dataset->n_users, &status), STATUS_OK);
    for (size_t u = 0; u < dataset->n_users; u++) {
        c->rows[u] = (int32_t)u;
    }
}

static void case_release(struct evidence_case *c)
{
    mem_free(c->rows);
    evidence_data_release(&c->evidence);
    ranking_data_release(&c->data);
}

static void rows_and_norms_agree_with_the_definition(void **state)
{
    (void)state;
    struct status status = {0};
    struct evidence_case c;
    struct evidence_scratch scratch = {0};
    int32_t columns[80];
    float values[80], powers[80];
    case_init(&c);
    const struct sparse *train = &c.dataset->train.matrix;
    evidence_powers(&c.evidence.evidence, 0.5, powers);
    assert_int_equal(evidence_scratch_init(&scratch, &c.evidence.evidence, &status), STATUS_OK);
    for (size_t u = 0; u < c.dataset->n_users; u++) {
        const int32_t *history = train->columns + train->offsets[u];
        size_t n = sparse_row_length(train, u), n_found = 0, at = 0;
        size_t n_entries =
            evidence_row(&c.evidence.evidence, &scratch, history, NULL, n, columns, values);
        float norm = evidence_norm(columns, values, n_entries, history, n, powers);
        assert_true(n_entries <= evidence_row_bound(&c.evidence.evidence, history, n));
        for (size_t i = 0; i < c.dataset->n_items; i++) {
            double c_ui = naive_evidence(&c.evidence, c.dataset, train, u, i, 0);
            n_found += c_ui > 0 ? 1 : 0;
            if (at < n_entries && columns[at] == (int32_t)i) {
                double share = naive_share(&c.evidence, c.dataset, train, u, i, 0.5);
                assert_true(fabs((double)values[at] - c_ui) < 1e-6 * c_ui);
                assert_true(fabs((double)(norm * values[at] * powers[i]) - share) < 1e-5 * share);
                at++;
            }
        }
        assert_int_equal(at, n_entries);
        assert_int_equal(n_found, n_entries);
        assert_true(n > 0 ? n_entries > 0 && norm > 0.0f : n_entries == 0 && norm == 0.0f);
    }
    evidence_scratch_release(&scratch);
    case_release(&c);
}

static void a_history_that_points_only_at_itself_has_no_norm(void **state)
{
    (void)state;
    const int32_t columns[2] = {3, 8}, history[3] = {3, 5, 8};
    const float values[2] = {1, 2}, powers[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    assert_true(evidence_norm(columns, values, 2, history, 3, powers) == 0.0f);
    assert_true(evidence_norm(columns, values, 2, history, 2, powers) == 0.5f);
}

/* The settings of the ranking tests: two share powers and gamma, one has no evidence. */
struct variants {
    struct score_weights weights[N_VARIANTS];
    float *bias[N_VARIANTS], *powers[N_VARIANTS];
    double gammas[N_VARIANTS];
    struct ranking_evidence evidence;
};

static void variants_init(struct variants *v, const struct evidence_case *c)
{
    static const struct score_weights weights[N_VARIANTS] = {
        {.beta = 0.3},
        {.beta = 0.3, .gamma = 4, .exponent = 0.25},
        {.beta = 0.7, .gamma = 4, .exponent = 0.25},
        {.gamma = 9, .exponent = 0.25},
        {.beta = 0.1, .gamma = 2, .exponent = 0.75}};
    struct status status = {0};
    int64_t *counts = NULL;
    assert_int_equal(MEM_NEW(&counts, c->dataset->n_items, &status), STATUS_OK);
    dataset_item_counts(c->dataset, counts);
    for (size_t i = 0; i < N_VARIANTS; i++) {
        v->weights[i] = weights[i];
        v->gammas[i] = weights[i].gamma;
        assert_int_equal(MEM_NEW(&v->bias[i], c->dataset->n_items, &status), STATUS_OK);
        embeddings_popularity_bias(counts, NULL, c->dataset->n_items, weights[i].beta, v->bias[i]);
        if (i == 2 || i == 3) {
            v->powers[i] = v->powers[1];
            continue;
        }
        assert_int_equal(MEM_NEW(&v->powers[i], c->dataset->n_items, &status), STATUS_OK);
        evidence_powers(&c->evidence.evidence, weights[i].exponent, v->powers[i]);
    }
    v->evidence = (struct ranking_evidence){.evidence = &c->evidence.evidence,
                                            .gammas = v->gammas,
                                            .powers = (const float *const *)v->powers};
    mem_free(counts);
}

static void variants_release(struct variants *v)
{
    for (size_t i = 0; i < N_VARIANTS; i++) {
        mem_free(v->bias[i]);
        if (i != 2 && i != 3) {
            mem_free(v->powers[i]);
        }
    }
}

static struct ranking ranking_of(const struct evidence_case *c, const struct variants *v)
{
    return (struct ranking){.anchors = c->data.embeddings.users,
                            .candidates = c->data.embeddings.items,
                            .scale = 4.0f,
                            .n_biases = N_VARIANTS,
                            .biases = (const float *const *)v->bias,
                            .n_evidence = 1,
                            .evidence = &v->evidence,
                            .histories = &c->dataset->train.matrix,
                            .history_rows = c->rows,
                            .exclude = &c->dataset->train.matrix,
                            .k = K};
}

static double naive_score(const struct evidence_case *c, const struct score_weights *weights,
                          size_t user, size_t item)
{
    const struct embeddings *embeddings = &c->data.embeddings;
    double dot = 0, users = 0, share = 0;
    for (size_t j = 0; j < 6; j++) {
        dot += (double)embeddings->users.data[user * 6 + j] *
               (double)embeddings->items.data[item * 6 + j];
    }
    for (size_t u = 0; u < c->dataset->n_users; u++) {
        users += sparse_has(&c->dataset->train.matrix, u, (int32_t)item) ? 1 : 0;
    }
    if (weights->gamma > 0) {
        share = naive_share(&c->evidence, c->dataset, &c->dataset->train.matrix, user, item,
                            weights->exponent);
    }
    return 4 * dot + weights->beta * log1p(users) + weights->gamma * share;
}

/* Scores are right, fall, and nothing better is left out. */
static void check_list(const struct evidence_case *c, const struct score_weights *weights,
                       size_t user, const int32_t *items, const float *scores)
{
    for (size_t i = 0; i < c->dataset->n_items; i++) {
        const bool own = sparse_has(&c->dataset->train.matrix, user, (int32_t)i);
        const double score = naive_score(c, weights, user, i);
        bool listed = false;
        for (size_t r = 0; r < K; r++) {
            if (items[r] == (int32_t)i) {
                listed = true;
                assert_true(fabs((double)scores[r] - score) < tolerance);
                assert_true(r == 0 || scores[r - 1] >= scores[r]);
            }
        }
        assert_false(own && listed);
        assert_true(own || listed || score < (double)scores[K - 1] + tolerance);
    }
}

static void blended_lists_agree_with_the_definition_for_any_number_of_threads(void **state)
{
    (void)state;
    struct status status = {0};
    struct evidence_case c;
    struct variants v = {0};
    struct pool *pool = NULL;
    int32_t *items[2] = {NULL};
    float *scores[2] = {NULL};
    case_init(&c);
    variants_init(&v, &c);
    const size_t n_users = c.dataset->n_users, total = N_VARIANTS * n_users * K;
    struct ranking ranking = ranking_of(&c, &v);
    for (size_t run = 0; run < 2; run++) {
        assert_int_equal(MEM_NEW(&items[run], total, &status), STATUS_OK);
        assert_int_equal(MEM_NEW(&scores[run], total, &status), STATUS_OK);
        assert_int_equal(pool_new(run == 0 ? 1 : 3, &pool, &status), STATUS_OK);
        assert_int_equal(ranking_run(&ranking, pool, items[run], scores[run], &status), STATUS_OK);
        pool_free(pool);
    }
    assert_memory_equal(items[0], items[1], total * sizeof *items[0]);
    assert_memory_equal(scores[0], scores[1], total * sizeof *scores[0]);
    for (size_t i = 0; i < N_VARIANTS; i++) {
        for (size_t u = 0; u < n_users; u += 3) {
            const size_t list = (i * n_users + u) * K;
            check_list(&c, &v.weights[i], u, items[0] + list, scores[0] + list);
        }
    }
    for (size_t run = 0; run < 2; run++) {
        mem_free(items[run]);
        mem_free(scores[run]);
    }
    variants_release(&v);
    case_release(&c);
}

static void a_variant_has_the_same_bytes_alone_and_gamma_zero_those_without_evidence(void **state)
{
    (void)state;
    struct status status = {0};
    struct evidence_case c;
    struct variants v = {0};
    int32_t *items = NULL, *alone_items = NULL;
    float *scores = NULL, *alone = NULL;
    case_init(&c);
    variants_init(&v, &c);
    const size_t list = c.dataset->n_users * K;
    assert_int_equal(MEM_NEW(&items, N_VARIANTS * list, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&scores, N_VARIANTS * list, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&alone_items, list, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&alone, list, &status), STATUS_OK);
    struct ranking ranking = ranking_of(&c, &v);
    assert_int_equal(ranking_run(&ranking, NULL, items, scores, &status), STATUS_OK);
    for (size_t i = 0; i < N_VARIANTS; i++) {
        struct ranking_evidence own = v.evidence;
        own.gammas = v.gammas + i;
        own.powers = (const float *const *)v.powers + i;
        ranking.n_biases = 1;
        ranking.biases = (const float *const *)v.bias + i;
        ranking.n_evidence = i == 0 ? 0 : 1;
        ranking.evidence = &own;
        assert_int_equal(ranking_run(&ranking, NULL, alone_items, alone, &status), STATUS_OK);
        assert_memory_equal(alone_items, items + i * list, list * sizeof *items);
        assert_memory_equal(alone, scores + i * list, list * sizeof *scores);
    }
    mem_free(items);
    mem_free(scores);
    mem_free(alone_items);
    mem_free(alone);
    variants_release(&v);
    case_release(&c);
}

static void a_missing_artifact_or_slot_is_no_evidence(void **state)
{
    (void)state;
    struct status status = {0};
    struct evidence_case c;
    struct evidence evidence = {0};
    bool found = true;
    case_init(&c);
    assert_int_equal(evidence_load(&evidence, EVIDENCE_CO_INTERACTION, NULL, BASIS_FIT, c.dataset,
                                   &found, &status),
                     STATUS_OK);
    assert_false(found);
    found = true;
    assert_int_equal(evidence_load(&evidence, EVIDENCE_CO_INTERACTION, &c.evidence.artifact,
                                   BASIS_ALL, c.dataset, &found, &status),
                     STATUS_OK);
    assert_false(found);
    assert_null(evidence.history_weight);
    case_release(&c);
}

static void evidence_of_other_items_is_refused(void **state)
{
    (void)state;
    struct status status = {0};
    struct evidence_case c;
    struct evidence evidence = {0};
    bool found = false;
    case_init(&c);
    struct dataset other = *c.dataset;
    other.n_items--;
    assert_int_equal(evidence_load(&evidence, EVIDENCE_CO_INTERACTION, &c.evidence.artifact,
                                   BASIS_FIT, &other, &found, &status),
                     STATUS_DATA);
    assert_non_null(strstr(status.message, "delete it"));
    assert_false(found);
    assert_null(evidence.pairs.offsets);
    case_release(&c);
}

static void a_weight_without_its_evidence_is_refused(void **state)
{
    (void)state;
    struct status status = {0};
    struct score_weights weights = {.gamma = 2};
    const struct evidence evidence = {0};
    const struct score_sources with = {.evidence = &evidence}, without = {0};
    assert_int_equal(score_check(&weights, &with, "recommend", &status), STATUS_OK);
    assert_int_equal(score_check(&weights, &without, "recommend", &status), STATUS_INTERNAL);
    assert_non_null(strstr(status.message, "recommend"));
    status_clear(&status);
    weights.gamma = 0;
    assert_int_equal(score_check(&weights, &without, "recommend", &status), STATUS_OK);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_norms_agree_with_the_definition),
        cmocka_unit_test(a_history_that_points_only_at_itself_has_no_norm),
        cmocka_unit_test(blended_lists_agree_with_the_definition_for_any_number_of_threads),
        cmocka_unit_test(a_variant_has_the_same_bytes_alone_and_gamma_zero_those_without_evidence),
        cmocka_unit_test(a_missing_artifact_or_slot_is_no_evidence),
        cmocka_unit_test(evidence_of_other_items_is_refused),
        cmocka_unit_test(a_weight_without_its_evidence_is_refused),
    };
    return cmocka_run_group_tests_name("evidence", tests, NULL, NULL);
}
