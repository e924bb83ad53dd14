/* evaluation_run against a naive evaluation: full sorts, one user after the other. */
#include "evaluation/evaluation.h"

#include "base/mem.h"
#include "base/rng.h"
#include "math/blas.h"
#include "evaluation/baselines.h"
#include "evaluation/metrics.h"
#include "ranking/ranking.h"
#include "tests/support/evidence_data.h"
#include "tests/support/ranking_data.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *const asked[] = {"recall@5",  "ndcg@20",      "hit@3",      "precision@7",
                                    "mrr@20",    "map@10",       "coverage@5", "gini@20",
                                    "novelty@5", "popularity@5", "recall@5"};
enum { N_ASKED = sizeof asked / sizeof *asked, K = 20 };

static struct evaluation_request request_of(const struct ranking_data *data)
{
    const struct dataset *dataset = &data->interactions.basis[BASIS_FIT];
    return (struct evaluation_request){
        .dataset = dataset,
        .held_out = &dataset->test,
        .unknown = dataset->test_unknown,
        .unknown_users = 4,
        .max_users = SIZE_MAX,
        .embeddings = &data->embeddings,
        .weights = {.beta = 0.3},
        .prefix = "",
        .n_metrics = N_ASKED,
        .metrics = asked,
        .seed = 11,
    };
}

static double find(const struct metric_rows *rows, const char *name, const char *model,
                   const char *group)
{
    double value = 0.0;
    if (!metric_rows_find(rows, name, model, group, &value)) {
        fail_msg("no row %s %s %s", name, model, group);
    }
    return value;
}

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) < 1e-12)) {
        fail_msg("%.15g is not %.15g", value, expected);
    }
}

/* The lists that the towers give, ranked all at once. */
static int32_t *tower_lists(const struct evaluation_request *request)
{
    struct status status = {0};
    const struct dataset *dataset = request->dataset;
    int64_t *counts = NULL;
    float *bias = NULL, *scores = NULL;
    uint32_t *ties = NULL;
    int32_t *lists = NULL;
    struct rng rng;
    assert_int_equal(MEM_NEW(&counts, dataset->n_items, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&bias, dataset->n_items, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&ties, dataset->n_items, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&lists, dataset->n_users * K, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&scores, dataset->n_users * K, &status), STATUS_OK);
    dataset_item_counts(dataset, counts);
    embeddings_popularity_bias(counts, request->embeddings->item_bias, dataset->n_items,
                               request->weights.beta, bias);
    rng_init(&rng, request->seed, "evaluation.ties", 0, 0);
    rng_permutation(&rng, dataset->n_items, ties);
    const float *biases[1] = {bias};
    struct ranking ranking = {.anchors = request->embeddings->users,
                              .candidates = request->embeddings->items,
                              .scale = (float)(1.0 / request->embeddings->temperature),
                              .n_biases = 1,
                              .biases = biases,
                              .exclude = &dataset->train.matrix,
                              .tie_rank = ties,
                              .k = K};
    assert_int_equal(ranking_run(&ranking, NULL, lists, scores, &status), STATUS_OK);
    mem_free(counts);
    mem_free(bias);
    mem_free(scores);
    mem_free(ties);
    return lists;
}

/* Mean recall@5 over the users with low <= train items < high, by the definition. */
static double naive_recall(const struct evaluation_request *request, const int32_t *lists,
                           size_t low, size_t high, double *n_users)
{
    const struct dataset *dataset = request->dataset;
    double sum = 0.0;
    *n_users = 0.0;
    for (size_t u = 0; u < dataset->n_users; u++) {
        size_t n_train = sparse_row_length(&dataset->train.matrix, u);
        size_t n_relevant =
            sparse_row_length(&dataset->test.matrix, u) + (size_t)dataset->test_unknown[u];
        if (n_relevant == 0 || n_train < low || n_train >= high) {
            continue;
        }
        double hits = 0.0;
        for (size_t r = 0; r < 5; r++) {
            hits += sparse_has(&dataset->test.matrix, u, lists[u * K + r]) ? 1.0 : 0.0;
        }
        sum += hits / (double)n_relevant;
        *n_users += 1.0;
    }
    return *n_users > 0.0 ? sum / *n_users : 0.0;
}

static void overall_and_user_groups_agree_with_a_naive_evaluation(void **state)
{
    (void)state;
    static const struct {
        const char *group;
        size_t low, high;
    } groups[] = {{"all", 0, SIZE_MAX}, {"users:1-4", 0, 5}, {"users:5-19", 5, 20}};
    struct status status = {0};
    struct ranking_data data;
    struct metric_rows rows = {0};
    double n_users;
    ranking_data_init(&data, 150, 60, 6, 0.15, BASIS_FIT, 2);
    struct evaluation_request request = request_of(&data);
    assert_int_equal(evaluation_run(&request, NULL, &rows, &status), STATUS_OK);
    int32_t *lists = tower_lists(&request);
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        double expected = naive_recall(&request, lists, groups[g].low, groups[g].high, &n_users);
        assert_true(n_users > 0.0 && expected > 0.0);
        assert_near(find(&rows, "recall@5", "nightjar", groups[g].group), expected);
        assert_near(find(&rows, "users", "data", groups[g].group), n_users);
    }
    assert_near(find(&rows, "unknown_users", "data", "all"), 4.0);
    mem_free(lists);
    metric_rows_release(&rows);
    ranking_data_release(&data);
}

static void every_asked_name_has_one_row_per_model_and_group(void **state)
{
    (void)state;
    static const char *const models[] = {"nightjar", "popularity", "item_item"};
    struct status status = {0};
    struct ranking_data data;
    struct metric_rows rows = {0};
    size_t expected = 0, n_groups = 0;
    double value;
    ranking_data_init(&data, 150, 60, 6, 0.15, BASIS_FIT, 2);
    struct evaluation_request request = request_of(&data);
    request.prefix = "valid:";
    assert_int_equal(evaluation_run(&request, NULL, &rows, &status), STATUS_OK);
    for (size_t i = 0; i < rows.n; i++) {
        size_t length;
        n_groups += memcmp(strings_get(&rows.names, i, &length), "valid:users", 11) == 0 ? 1 : 0;
    }
    for (size_t m = 0; m < 3; m++) {
        assert_true(metric_rows_find(&rows, "valid:ndcg@20", models[m], "all", &value));
        assert_true(value > 0.0 && value <= 1.0);
        assert_true(metric_rows_find(&rows, "valid:ndcg@20", models[m], "items:tail", &value));
        assert_true(metric_rows_find(&rows, "valid:gini@20", models[m], "all", &value));
        assert_false(metric_rows_find(&rows, "valid:gini@20", models[m], "items:tail", &value));
        expected += 6 * n_groups + 4;
    }
    assert_int_equal(rows.n, expected + n_groups + 1);
    metric_rows_release(&rows);
    ranking_data_release(&data);
}

/* With gamma 0 and the towers' beta the two models are one; with another gamma nightjar lies
 * between its parts in no fixed way, but differs from both. */
static void evidence_adds_the_parts_of_the_score_as_models(void **state)
{
    (void)state;
    struct status status = {0};
    struct ranking_data data;
    struct evidence_data evidence;
    struct metric_rows rows = {0}, plain = {0};
    double value = 0.0;
    ranking_data_init(&data, 150, 60, 6, 0.15, BASIS_FIT, 2);
    struct evaluation_request request = request_of(&data);
    evidence_data_init(&evidence, request.dataset, BASIS_FIT, 30);
    assert_int_equal(evaluation_models(&request), 3);
    assert_int_equal(evaluation_run(&request, NULL, &plain, &status), STATUS_OK);
    assert_false(metric_rows_find(&plain, "ndcg@20", "towers", "all", &value));
    request.sources.evidence = &evidence.evidence;
    request.towers_beta = 0.3;
    assert_int_equal(evaluation_models(&request), 3); /* it weighs nothing */
    request.weights =
        (struct score_weights){.beta = 0, .gamma = 1000000, .exponent = 0.5, .half_life = 0};
    assert_int_equal(evaluation_models(&request), 5);
    assert_int_equal(evaluation_run(&request, NULL, &rows, &status), STATUS_OK);
    for (size_t m = 0; m < N_ASKED; m++) {
        assert_near(find(&rows, asked[m], "towers", "all"),
                    find(&plain, asked[m], "nightjar", "all"));
    }
    /* so much of it that the towers only order what has none */
    assert_near(find(&rows, "recall@5", "nightjar", "all"),
                find(&rows, "recall@5", "evidence", "all"));
    assert_true(find(&rows, "recall@5", "evidence", "all") !=
                find(&rows, "recall@5", "towers", "all"));
    metric_rows_release(&rows);
    metric_rows_release(&plain);
    evidence_data_release(&evidence);
    ranking_data_release(&data);
}

/* Recall of an item group, relevant items counted one by one. */
/* Whoever has chosen their own items again is served best by those. */
static void own_items_are_judged_where_repeats_count(void **state)
{
    (void)state;
    struct status status = {0};
    struct ranking_data data;
    struct metric_rows rows = {0};
    struct evidence own = {0};
    double value = 0.0;
    ranking_data_init(&data, 150, 60, 6, 0.15, BASIS_FIT, 2);
    struct evaluation_request request = request_of(&data);
    struct dataset *dataset = &data.interactions.basis[BASIS_FIT];
    request.held_out = &dataset->train;
    request.unknown = NULL;
    dataset->repeats = true;
    assert_int_equal(evidence_of_own(&own, dataset->n_items, &status), STATUS_OK);
    request.sources.own = &own;
    assert_int_equal(evaluation_models(&request), 4);
    assert_int_equal(evaluation_run(&request, NULL, &rows, &status), STATUS_OK);
    assert_near(find(&rows, "repeats", "data", "all"), 1);
    assert_near(find(&rows, "ndcg@20", "own", "all"), 1);
    assert_true(find(&rows, "ndcg@20", "popularity", "all") < 0.5);
    metric_rows_release(&rows);
    dataset->repeats = false; /* then they stand in no list */
    assert_int_equal(evaluation_run(&request, NULL, &rows, &status), STATUS_OK);
    assert_false(metric_rows_find(&rows, "repeats", "data", "all", &value));
    assert_false(metric_rows_find(&rows, "ndcg@20", "own", "all", &value));
    assert_near(find(&rows, "ndcg@20", "popularity", "all"), 0);
    metric_rows_release(&rows);
    evidence_release(&own);
    ranking_data_release(&data);
}

/* recall@5 of each user, by the lists that the evaluation hands out. */
struct by_user {
    double own[200], popular[200];
};

static enum status_code take_recalls(const struct evaluation_request *request, const char *model,
                                     const int32_t *rows, size_t n, const int32_t *lists, size_t k,
                                     struct status *status)
{
    (void)status;
    struct by_user *out = request->take_data;
    double *values = strcmp(model, "nightjar") == 0     ? out->own
                     : strcmp(model, "popularity") == 0 ? out->popular
                                                        : NULL;
    for (size_t a = 0; values != NULL && a < n; a++) {
        const struct sparse *held_out = &request->held_out->matrix;
        const size_t asked_for = sparse_row_length(held_out, (size_t)rows[a]) +
                                 (size_t)(request->unknown == NULL ? 0 : request->unknown[rows[a]]);
        double hits = 0;
        for (size_t r = 0; r < 5; r++) {
            hits += sparse_has(held_out, (size_t)rows[a], lists[a * k + r]) ? 1 : 0;
        }
        values[rows[a]] = hits / (double)asked_for;
    }
    return STATUS_OK;
}

/* The standard error of the mean of a - b, over the users who count. */
static double naive_error(const double *a, const double *b, size_t n)
{
    double sum = 0, squares = 0, counted = 0;
    for (size_t u = 0; u < n; u++) {
        sum += isnan(a[u]) ? 0 : a[u] - b[u];
        counted += isnan(a[u]) ? 0 : 1;
    }
    for (size_t u = 0; u < n; u++) {
        squares += isnan(a[u]) ? 0 : pow(a[u] - b[u] - sum / counted, 2);
    }
    return sqrt(squares / (counted - 1) / counted);
}

static void the_judged_metric_has_errors_user_by_user(void **state)
{
    (void)state;
    static const double zeros[200];
    struct status status = {0};
    struct ranking_data data;
    struct metric_rows rows = {0};
    struct by_user values;
    ranking_data_init(&data, 150, 60, 6, 0.15, BASIS_FIT, 2);
    struct evaluation_request request = request_of(&data);
    for (size_t u = 0; u < 200; u++) {
        values.own[u] = values.popular[u] = (double)NAN;
    }
    static const char *const judged[] = {"recall@5"};
    request.judged = judged;
    request.n_judged = 1;
    request.take_lists = take_recalls;
    request.take_data = &values;
    assert_int_equal(evaluation_run(&request, NULL, &rows, &status), STATUS_OK);
    size_t n_errors = 0;
    for (size_t i = 0; i < rows.n; i++) {
        const bool is_judged =
            strings_equal(&rows.names, i, "recall@5") && strings_equal(&rows.groups, i, "all");
        if (is_judged && strings_equal(&rows.models, i, "nightjar")) {
            assert_near(rows.errors[i], naive_error(values.own, zeros, 150));
        } else if (is_judged && strings_equal(&rows.models, i, "popularity")) {
            assert_near(rows.errors[i], naive_error(values.own, values.popular, 150));
        }
        assert_int_equal(rows.errors[i] > 0, is_judged);
        n_errors += is_judged ? 1 : 0;
    }
    assert_int_equal(n_errors, evaluation_models(&request));
    metric_rows_release(&rows);
    ranking_data_release(&data);
}

static void item_groups_count_relevant_items_of_the_group_only(void **state)
{
    (void)state;
    struct status status = {0};
    struct ranking_data data;
    struct metric_rows rows = {0};
    ranking_data_init(&data, 150, 60, 6, 0.15, BASIS_FIT, 3);
    struct evaluation_request request = request_of(&data);
    const struct dataset *dataset = request.dataset;
    assert_int_equal(evaluation_run(&request, NULL, &rows, &status), STATUS_OK);
    int32_t *lists = tower_lists(&request);
    int64_t *counts = NULL, total = 0;
    assert_int_equal(MEM_NEW(&counts, dataset->n_items, &status), STATUS_OK);
    dataset_item_counts(dataset, counts);
    for (size_t i = 0; i < dataset->n_items; i++) {
        total += counts[i];
    }
    double sum = 0.0, n_users = 0.0;
    for (size_t u = 0; u < dataset->n_users; u++) {
        double relevant = 0.0, hits = 0.0;
        for (size_t i = 0; i < dataset->n_items; i++) {
            int64_t before = 0; /* interactions of more popular items */
            for (size_t j = 0; j < dataset->n_items; j++) {
                before +=
                    counts[j] > counts[i] || (counts[j] == counts[i] && j < i) ? counts[j] : 0;
            }
            if (before * 3 >= total || !sparse_has(&dataset->test.matrix, u, (int32_t)i)) {
                continue;
            }
            relevant += 1.0;
            for (size_t r = 0; r < 5; r++) {
                hits += lists[u * K + r] == (int32_t)i ? 1.0 : 0.0;
            }
        }
        sum += relevant > 0.0 ? hits / relevant : 0.0;
        n_users += relevant > 0.0 ? 1.0 : 0.0;
    }
    assert_true(sum > 0.0);
    assert_near(find(&rows, "recall@5", "nightjar", "items:head"), sum / n_users);
    assert_near(find(&rows, "users", "data", "items:head"), n_users);
    mem_free(counts);
    mem_free(lists);
    metric_rows_release(&rows);
    ranking_data_release(&data);
}

/* Samples of 40 users, one a seed: on average they say what all users say. */
static void a_sample_of_the_users_is_judged_when_there_are_more(void **state)
{
    (void)state;
    enum { SAMPLES = 60 };
    struct status status = {0};
    struct ranking_data data;
    struct metric_rows all = {0};
    double sum = 0.0, least = 1.0, most = 0.0;
    ranking_data_init(&data, 150, 60, 6, 0.15, BASIS_FIT, 2);
    struct evaluation_request request = request_of(&data);
    assert_int_equal(evaluation_run(&request, NULL, &all, &status), STATUS_OK);
    request.max_users = 40;
    for (uint64_t seed = 0; seed < SAMPLES; seed++) {
        struct metric_rows rows = {0};
        request.seed = seed;
        assert_int_equal(evaluation_run(&request, NULL, &rows, &status), STATUS_OK);
        assert_near(find(&rows, "users", "data", "all"), 40.0);
        double recall = find(&rows, "recall@5", "nightjar", "all");
        sum += recall;
        least = recall < least ? recall : least;
        most = recall > most ? recall : most;
        metric_rows_release(&rows);
    }
    double whole = find(&all, "recall@5", "nightjar", "all");
    assert_true(least < whole && whole < most);
    assert_true(fabs(sum / SAMPLES - whole) < 0.15 * whole);
    metric_rows_release(&all);
    ranking_data_release(&data);
}

static void the_number_of_threads_changes_no_value(void **state)
{
    (void)state;
    struct status status = {0};
    struct ranking_data data;
    struct metric_rows one = {0}, three = {0};
    struct pool *pool = NULL;
    ranking_data_init(&data, 400, 60, 6, 0.15, BASIS_FIT, 4);
    struct evaluation_request request = request_of(&data);
    assert_int_equal(pool_new(3, &pool, &status), STATUS_OK);
    assert_int_equal(evaluation_run(&request, NULL, &one, &status), STATUS_OK);
    assert_int_equal(evaluation_run(&request, pool, &three, &status), STATUS_OK);
    assert_int_equal(one.n, three.n);
    assert_memory_equal(one.values, three.values, one.n * sizeof *one.values);
    pool_free(pool);
    metric_rows_release(&one);
    metric_rows_release(&three);
    ranking_data_release(&data);
}

static void note_done(void *data, double done, double total)
{
    (void)total;
    *(double *)data = done;
}

static enum status_code stop_at_once(void *data, struct status *status)
{
    (void)data;
    return status_set(status, STATUS_SIGNAL, "stopped");
}

static void a_stop_between_blocks_and_an_unknown_name_are_forwarded(void **state)
{
    (void)state;
    struct status status = {0};
    struct ranking_data data;
    struct metric_rows rows = {0};
    double done = -1.0;
    ranking_data_init(&data, 60, 30, 4, 0.2, BASIS_FIT, 6);
    struct evaluation_request request = request_of(&data);
    request.watch = (struct watch){stop_at_once, note_done, &done};
    assert_int_equal(evaluation_run(&request, NULL, &rows, &status), STATUS_SIGNAL);
    assert_true(done >= 0.0);
    assert_int_equal(rows.n, 0);
    const char *const wrong[] = {"recal@20"};
    request.metrics = wrong;
    request.n_metrics = 1;
    status_clear(&status);
    assert_int_equal(evaluation_run(&request, NULL, &rows, &status), STATUS_CONFIG);
    assert_non_null(strstr(status.message, "recal@20"));
    assert_false(evaluation_knows("recal@20"));
    assert_true(evaluation_knows("gini@7"));
    metric_rows_release(&rows);
    ranking_data_release(&data);
}

static void rows_are_found_by_their_whole_names(void **state)
{
    (void)state;
    struct status status = {0};
    struct metric_rows rows = {0};
    struct artifact artifact = {0};
    double value = 0.0;
    const void *values;
    size_t n = 1;
    assert_int_equal(metric_rows_save(&rows, &artifact, &status), STATUS_OK);
    assert_int_equal(artifact_get(&artifact, "value", ARRAY_F64, &values, &n, NULL, &status),
                     STATUS_OK);
    assert_int_equal(n, 0);
    artifact_release(&artifact);
    assert_int_equal(metric_rows_add(&rows, "ndcg@20", "nightjar", "all", 0.25, &status),
                     STATUS_OK);
    assert_int_equal(metric_rows_add(&rows, "ndcg@20", "popularity", "all", 0.5, &status),
                     STATUS_OK);
    assert_true(metric_rows_find(&rows, "ndcg@20", "popularity", "all", &value));
    assert_near(value, 0.5);
    assert_false(metric_rows_find(&rows, "ndcg@2", "popularity", "all", &value));
    metric_rows_release(&rows);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overall_and_user_groups_agree_with_a_naive_evaluation),
        cmocka_unit_test(every_asked_name_has_one_row_per_model_and_group),
        cmocka_unit_test(evidence_adds_the_parts_of_the_score_as_models),
        cmocka_unit_test(own_items_are_judged_where_repeats_count),
        cmocka_unit_test(the_judged_metric_has_errors_user_by_user),
        cmocka_unit_test(item_groups_count_relevant_items_of_the_group_only),
        cmocka_unit_test(a_sample_of_the_users_is_judged_when_there_are_more),
        cmocka_unit_test(the_number_of_threads_changes_no_value),
        cmocka_unit_test(a_stop_between_blocks_and_an_unknown_name_are_forwarded),
        cmocka_unit_test(rows_are_found_by_their_whole_names),
    };
    return cmocka_run_group_tests_name("evaluation", tests, NULL, NULL);
}
