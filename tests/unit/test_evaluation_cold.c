/* evaluation_cold_run against a naive evaluation: every score by its formula, full sorts. */
#include "evaluation/evaluation_cold.h"

#include "base/mem.h"
#include "base/rng.h"
#include "math/blas.h"
#include "tests/support/evidence_data.h"
#include "tests/support/random_matrix.h"
#include "tests/support/ranking_data.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { D = 6, N_COLD_USERS = 30, N_COLD_ITEMS = 25, N_LEFT_OUT = 5 };

static const char *const asked[] = {"recall@5", "ndcg@20", "coverage@5", "recall@5"};
enum { N_ASKED = sizeof asked / sizeof *asked };

/* Cold entities beside the data's own. Tower vectors exist for every code that is not 2 mod 4, and
 * for codes that no cold part knows. */
struct cold_data {
    struct ranking_data data;
    int32_t user_codes[N_COLD_USERS], item_codes[N_COLD_ITEMS], unknown[N_COLD_USERS];
    int32_t tower_user_codes[N_COLD_USERS + N_LEFT_OUT];
    int32_t tower_item_codes[N_COLD_ITEMS + N_LEFT_OUT];
    float *user_vectors, *item_vectors;
};

static struct sparse random_pattern(struct rng *rng, size_t n_rows, size_t n_columns,
                                    double density, const struct sparse *but)
{
    struct status status = {0};
    struct sparse m = {0};
    int64_t n = 0;
    assert_int_equal(sparse_init(&m, n_rows, n_columns, n_rows * n_columns, false, &status),
                     STATUS_OK);
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t c = 0; c < n_columns; c++) {
            bool has = r % 5 != 4 && rng_double(rng) < density;
            if (has && (but == NULL || !sparse_has(but, r, (int32_t)c))) {
                m.columns[n++] = (int32_t)c;
            }
        }
        m.offsets[r + 1] = n;
    }
    return m;
}

/* Returns how many codes get a vector. */
static size_t choose_vectors(const int32_t *codes, size_t n, int32_t *tower_codes)
{
    size_t n_vectors = 0;
    for (size_t c = 0; c < n; c++) {
        if (codes[c] % 4 != 2) {
            tower_codes[n_vectors++] = codes[c];
        }
    }
    for (int32_t beyond = 0; beyond < N_LEFT_OUT; beyond++) {
        tower_codes[n_vectors++] = 100000 + beyond;
    }
    return n_vectors;
}

static void cold_data_init(struct cold_data *cold, uint64_t seed)
{
    struct rng rng;
    *cold = (struct cold_data){0};
    ranking_data_init(&cold->data, 90, 60, D, 0.15, BASIS_FIT, seed);
    rng_init(&rng, seed, "test.cold", 0, 0);
    struct dataset *set = &cold->data.interactions.basis[BASIS_FIT];
    for (int32_t u = 0; u < N_COLD_USERS; u++) {
        cold->user_codes[u] = 3 + 5 * u;
        cold->unknown[u] = u % 7 == 0;
    }
    for (int32_t i = 0; i < N_COLD_ITEMS; i++) {
        cold->item_codes[i] = 1 + 3 * i;
    }
    struct sparse history = random_pattern(&rng, N_COLD_USERS, set->n_items, 0.1, NULL);
    struct sparse seen = random_pattern(&rng, set->n_users, N_COLD_ITEMS, 0.05, NULL);
    set->cold = (struct cold_part){
        .n_users = N_COLD_USERS,
        .users = cold->user_codes,
        .history = {.matrix = history},
        .held_out = random_pattern(&rng, N_COLD_USERS, set->n_items, 0.1, &history),
        .unknown = cold->unknown,
        .n_items = N_COLD_ITEMS,
        .items = cold->item_codes,
        .item_held_out = random_pattern(&rng, set->n_users, N_COLD_ITEMS, 0.1, &seen),
        .item_seen = seen};
    size_t n_users = choose_vectors(cold->user_codes, N_COLD_USERS, cold->tower_user_codes);
    size_t n_items = choose_vectors(cold->item_codes, N_COLD_ITEMS, cold->tower_item_codes);
    cold->user_vectors = random_matrix(&rng, n_users, D, true);
    cold->item_vectors = random_matrix(&rng, n_items, D, true);
    cold->data.embeddings.cold_user_codes = cold->tower_user_codes;
    cold->data.embeddings.cold_item_codes = cold->tower_item_codes;
    cold->data.embeddings.cold_users = const_matrix_of(cold->user_vectors, n_users, D);
    cold->data.embeddings.cold_items = const_matrix_of(cold->item_vectors, n_items, D);
}

static void cold_data_release(struct cold_data *cold)
{
    struct cold_part *part = &cold->data.interactions.basis[BASIS_FIT].cold;
    sparse_release(&part->history.matrix);
    sparse_release(&part->held_out);
    sparse_release(&part->item_held_out);
    sparse_release(&part->item_seen);
    ranking_data_release(&cold->data);
    mem_free(cold->user_vectors);
    mem_free(cold->item_vectors);
}

static struct evaluation_cold_request request_of(const struct cold_data *cold)
{
    return (struct evaluation_cold_request){
        .dataset = &cold->data.interactions.basis[BASIS_FIT],
        .embeddings = &cold->data.embeddings,
        .weights = {.beta = 0.3},
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
    if (!(fabs(value - expected) < 1e-9)) {
        fail_msg("%.15g is not %.15g", value, expected);
    }
}

static const float *vector_of(const struct const_matrix *vectors, const int32_t *codes,
                              int32_t code)
{
    for (size_t v = 0; v < vectors->rows; v++) {
        if (codes[v] == code) {
            return vectors->data + v * vectors->stride;
        }
    }
    return NULL;
}

static double dot(const float *a, const float *b)
{
    double sum = 0.0;
    for (size_t j = 0; j < D; j++) {
        sum += (double)a[j] * (double)b[j];
    }
    return sum;
}

/* recall@5 and ndcg@20 of one user by their definitions. scores: NAN where an item is not ranked.
 */
static void judge(const double *scores, const uint32_t *ties, size_t n, const struct sparse *held,
                  size_t row, size_t unknown, double out[2])
{
    double hits = 0.0, gain = 0.0, ideal = 0.0;
    size_t n_relevant = sparse_row_length(held, row) + unknown;
    for (size_t c = 0; c < n; c++) {
        size_t rank = 0; /* how many stand before it */
        for (size_t o = 0; o < n; o++) {
            rank += scores[o] > scores[c] || (scores[o] == scores[c] && ties[o] < ties[c]);
        }
        if (!isnan(scores[c]) && sparse_has(held, row, (int32_t)c)) {
            hits += rank < 5 ? 1.0 : 0.0;
            gain += rank < 20 ? 1.0 / log2((double)rank + 2.0) : 0.0;
        }
    }
    for (size_t r = 0; r < n_relevant && r < 20; r++) {
        ideal += 1.0 / log2((double)r + 2.0);
    }
    out[0] += hits / (double)n_relevant;
    out[1] += gain / ideal;
}

static uint32_t *permutation(const char *purpose, size_t n)
{
    struct status status = {0};
    uint32_t *ties = NULL;
    struct rng rng;
    assert_int_equal(MEM_NEW(&ties, n, &status), STATUS_OK);
    rng_init(&rng, 11, purpose, 0, 0);
    rng_permutation(&rng, n, ties);
    return ties;
}

static void check_group(const struct metric_rows *rows, const char *group, const double sums[2][2],
                        double n)
{
    static const char *const models[] = {"nightjar", "popularity"};
    assert_near(find(rows, "users", "data", group), n);
    for (size_t m = 0; m < 2; m++) {
        assert_true(sums[m][0] > 0.0);
        assert_near(find(rows, "recall@5", models[m], group), sums[m][0] / n);
        assert_near(find(rows, "ndcg@20", models[m], group), sums[m][1] / n);
    }
}

/* evidence: what request->sources.evidence is a part of, or NULL. */
static void check_cold_users(const struct evaluation_cold_request *request,
                             const struct evidence_data *evidence, const struct metric_rows *rows)
{
    const struct dataset *set = request->dataset;
    const struct cold_part *cold = &set->cold;
    const struct embeddings *embeddings = request->embeddings;
    uint32_t *ties = permutation("evaluation.ties", set->n_items);
    int64_t counts[64];
    double scores[2][64], sums[2][2] = {{0}}, n = 0.0;
    assert_true(set->n_items <= 64);
    dataset_item_counts(set, counts);
    for (size_t u = 0; u < cold->n_users; u++) {
        if (sparse_row_length(&cold->held_out, u) + (size_t)cold->unknown[u] == 0) {
            continue;
        }
        const float *own =
            vector_of(&embeddings->cold_users, embeddings->cold_user_codes, cold->users[u]);
        for (size_t i = 0; i < set->n_items; i++) {
            bool known = sparse_has(&cold->history.matrix, u, (int32_t)i);
            scores[1][i] = known ? (double)NAN : (double)counts[i];
            scores[0][i] =
                known || own == NULL
                    ? scores[1][i]
                    : dot(own, embeddings->items.data + i * D) / embeddings->temperature +
                          request->weights.beta * log1p((double)counts[i]);
            if (evidence != NULL && own != NULL && !known) {
                scores[0][i] +=
                    request->weights.gamma * naive_share(evidence, set, &cold->history.matrix, u, i,
                                                         request->weights.exponent);
            }
        }
        for (size_t m = 0; m < 2; m++) {
            judge(scores[m], ties, set->n_items, &cold->held_out, u, (size_t)cold->unknown[u],
                  sums[m]);
        }
        n += 1.0;
    }
    check_group(rows, "cold_users", (const double(*)[2])sums, n);
    mem_free(ties);
}

static void check_cold_items(const struct evaluation_cold_request *request,
                             const struct metric_rows *rows)
{
    const struct dataset *set = request->dataset;
    const struct cold_part *cold = &set->cold;
    const struct embeddings *embeddings = request->embeddings;
    uint32_t *ties = permutation("evaluation.cold_ties", cold->n_items);
    double scores[2][N_COLD_ITEMS], sums[2][2] = {{0}}, n = 0.0;
    for (size_t u = 0; u < set->n_users; u++) {
        if (sparse_row_length(&cold->item_held_out, u) == 0) {
            continue;
        }
        for (size_t i = 0; i < cold->n_items; i++) {
            const float *item =
                vector_of(&embeddings->cold_items, embeddings->cold_item_codes, cold->items[i]);
            bool seen = sparse_has(&cold->item_seen, u, (int32_t)i);
            scores[0][i] =
                seen || item == NULL ? (double)NAN : dot(embeddings->users.data + u * D, item);
            scores[1][i] = seen ? (double)NAN : 0.0;
        }
        for (size_t m = 0; m < 2; m++) {
            judge(scores[m], ties, cold->n_items, &cold->item_held_out, u, 0, sums[m]);
        }
        n += 1.0;
    }
    check_group(rows, "cold_items", (const double(*)[2])sums, n);
    mem_free(ties);
}

static void both_groups_agree_with_a_naive_evaluation(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 6; seed++) {
        struct status status = {0};
        struct cold_data cold;
        struct metric_rows rows = {0};
        cold_data_init(&cold, seed);
        struct evaluation_cold_request request = request_of(&cold);
        assert_int_equal(evaluation_cold_run(&request, NULL, &rows, &status), STATUS_OK);
        check_cold_users(&request, NULL, &rows);
        check_cold_items(&request, &rows);
        assert_int_equal(rows.n, 2 * (2 * 2 + 1)); /* coverage and the repeat give no row */
        metric_rows_release(&rows);
        cold_data_release(&cold);
    }
}

static void cold_users_get_the_evidence_of_their_history(void **state)
{
    (void)state;
    for (uint64_t seed = 11; seed < 14; seed++) {
        struct status status = {0};
        struct cold_data cold;
        struct evidence_data evidence;
        struct metric_rows plain = {0}, rows = {0};
        cold_data_init(&cold, seed);
        struct evaluation_cold_request request = request_of(&cold);
        evidence_data_init(&evidence, request.dataset, BASIS_FIT, 20);
        request.sources.evidence = &evidence.evidence;
        assert_int_equal(evaluation_cold_run(&request, NULL, &plain, &status), STATUS_OK);
        request.weights.gamma = 3.0;
        request.weights.exponent = 0.25;
        assert_int_equal(evaluation_cold_run(&request, NULL, &rows, &status), STATUS_OK);
        check_cold_users(&request, NULL, &plain);
        check_cold_users(&request, &evidence, &rows);
        assert_true(find(&rows, "ndcg@20", "nightjar", "cold_users") !=
                    find(&plain, "ndcg@20", "nightjar", "cold_users"));
        assert_true(find(&rows, "ndcg@20", "nightjar", "cold_items") ==
                    find(&plain, "ndcg@20", "nightjar", "cold_items"));
        metric_rows_release(&plain);
        metric_rows_release(&rows);
        evidence_data_release(&evidence);
        cold_data_release(&cold);
    }
}

static void without_vectors_users_get_popular_items_and_items_are_missed(void **state)
{
    (void)state;
    struct status status = {0};
    struct cold_data cold;
    struct metric_rows rows = {0};
    cold_data_init(&cold, 7);
    struct embeddings *embeddings = &cold.data.embeddings;
    embeddings->cold_users = embeddings->cold_items = (struct const_matrix){0};
    embeddings->cold_user_codes = embeddings->cold_item_codes = NULL;
    struct evaluation_cold_request request = request_of(&cold);
    assert_int_equal(evaluation_cold_run(&request, NULL, &rows, &status), STATUS_OK);
    assert_near(find(&rows, "ndcg@20", "nightjar", "cold_users"),
                find(&rows, "ndcg@20", "popularity", "cold_users"));
    assert_near(find(&rows, "ndcg@20", "nightjar", "cold_items"), 0.0);
    assert_true(find(&rows, "ndcg@20", "popularity", "cold_items") > 0.0);
    metric_rows_release(&rows);
    cold_data_release(&cold);
}

static void nobody_to_ask_gives_no_row(void **state)
{
    (void)state;
    struct status status = {0};
    struct ranking_data data;
    struct metric_rows rows = {0};
    ranking_data_init(&data, 60, 30, D, 0.2, BASIS_FIT, 6);
    struct evaluation_cold_request request = {.dataset = &data.interactions.basis[BASIS_FIT],
                                              .embeddings = &data.embeddings,
                                              .n_metrics = N_ASKED,
                                              .metrics = asked};
    assert_int_equal(evaluation_cold_run(&request, NULL, &rows, &status), STATUS_OK);
    assert_int_equal(rows.n, 0);
    metric_rows_release(&rows);
    ranking_data_release(&data);
}

static void the_number_of_threads_changes_no_value(void **state)
{
    (void)state;
    struct status status = {0};
    struct cold_data cold;
    struct metric_rows one = {0}, three = {0};
    struct pool *pool = NULL;
    cold_data_init(&cold, 8);
    struct evaluation_cold_request request = request_of(&cold);
    assert_int_equal(pool_new(3, &pool, &status), STATUS_OK);
    assert_int_equal(evaluation_cold_run(&request, NULL, &one, &status), STATUS_OK);
    assert_int_equal(evaluation_cold_run(&request, pool, &three, &status), STATUS_OK);
    assert_int_equal(one.n, three.n);
    assert_memory_equal(one.values, three.values, one.n * sizeof *one.values);
    pool_free(pool);
    metric_rows_release(&one);
    metric_rows_release(&three);
    cold_data_release(&cold);
}

static enum status_code stop_at_once(void *data, struct status *status)
{
    ++*(int *)data;
    return status_set(status, STATUS_SIGNAL, "stopped");
}

static void a_stop_between_blocks_and_an_unknown_name_are_forwarded(void **state)
{
    (void)state;
    static const char *const wrong[] = {"recal@20"};
    struct status status = {0};
    struct cold_data cold;
    struct metric_rows rows = {0};
    int n_calls = 0;
    cold_data_init(&cold, 9);
    struct evaluation_cold_request request = request_of(&cold);
    request.watch = (struct watch){.check_stop = stop_at_once, .data = &n_calls};
    assert_int_equal(evaluation_cold_run(&request, NULL, &rows, &status), STATUS_SIGNAL);
    assert_int_equal(n_calls, 1);
    assert_int_equal(rows.n, 0);
    request.metrics = wrong;
    request.n_metrics = 1;
    status_clear(&status);
    assert_int_equal(evaluation_cold_run(&request, NULL, &rows, &status), STATUS_CONFIG);
    assert_non_null(strstr(status.message, "recal@20"));
    metric_rows_release(&rows);
    cold_data_release(&cold);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_groups_agree_with_a_naive_evaluation),
        cmocka_unit_test(cold_users_get_the_evidence_of_their_history),
        cmocka_unit_test(without_vectors_users_get_popular_items_and_items_are_missed),
        cmocka_unit_test(nobody_to_ask_gives_no_row),
        cmocka_unit_test(the_number_of_threads_changes_no_value),
        cmocka_unit_test(a_stop_between_blocks_and_an_unknown_name_are_forwarded),
    };
    return cmocka_run_group_tests_name("evaluation_cold", tests, NULL, NULL);
}
