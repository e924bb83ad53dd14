/* The validation metric against full rankings made by sorting. */
#include "base/mem.h"
#include "math/blas.h"
#include "evaluation/validation.h"
#include "tests/support/ranking_data.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { USERS = 90, ITEMS = 70, DIMENSION = 8, ENOUGH = 1000, K = 10 };

static void data_init(struct ranking_data *data)
{
    ranking_data_init(data, USERS, ITEMS, DIMENSION, 0.15, BASIS_FIT, 17);
}

static struct validation make(const struct dataset *dataset, const char *metric, size_t max_users,
                              double bias_weight, uint64_t seed)
{
    struct status status = {0};
    struct validation validation = {0};
    assert_int_equal(validation_init(&validation, dataset, NULL, metric, max_users, seed, &status),
                     STATUS_OK);
    assert_int_equal(validation_set_bias(&validation, bias_weight, &status), STATUS_OK);
    return validation;
}

/* The vectors of the sampled users, in their order; free with mem_free. */
static float *vectors_of(const struct validation *validation, const struct embeddings *embeddings)
{
    struct status status = {0};
    float *out = NULL;
    assert_int_equal(MEM_NEW(&out, validation->n_users * DIMENSION, &status), STATUS_OK);
    for (size_t a = 0; a < validation->n_users; a++) {
        memcpy(out + a * DIMENSION,
               embeddings->users.data + (size_t)validation->users[a] * DIMENSION,
               DIMENSION * sizeof *out);
    }
    return out;
}

static double run(const struct validation *validation, const struct ranking_data *data,
                  size_t threads)
{
    struct status status = {0};
    struct pool *pool = NULL;
    double value = -1.0;
    float *users = vectors_of(validation, &data->embeddings);
    assert_int_equal(pool_new(threads, &pool, &status), STATUS_OK);
    assert_int_equal(validation_run(validation,
                                    const_matrix_of(users, validation->n_users, DIMENSION),
                                    data->embeddings.items, NULL, data->embeddings.temperature,
                                    pool, &value, &status),
                     STATUS_OK);
    pool_free(pool);
    mem_free(users);
    return value;
}

static double naive_score(const struct ranking_data *data, const int64_t *counts,
                          double bias_weight, size_t user, size_t item)
{
    double score = bias_weight * log(1.0 + (double)counts[item]);
    for (size_t j = 0; j < DIMENSION; j++) {
        score += (double)data->user_vectors[user * DIMENSION + j] *
                 data->item_vectors[item * DIMENSION + j] / data->embeddings.temperature;
    }
    return score;
}

/* How many candidates stand before `item` in the user's ranking; own train items are left out,
 * unless repeats count. */
static size_t naive_rank(const struct ranking_data *data, const int64_t *counts, double bias_weight,
                         size_t user, int32_t item)
{
    const struct dataset *dataset = &data->interactions.basis[BASIS_FIT];
    const double own = naive_score(data, counts, bias_weight, user, (size_t)item);
    size_t before = 0;
    for (size_t i = 0; i < dataset->n_items; i++) {
        before += naive_score(data, counts, bias_weight, user, i) > own &&
                  (dataset->repeats || !sparse_has(&dataset->train.matrix, user, (int32_t)i));
    }
    return before;
}

static double naive_recall(const struct ranking_data *data, double bias_weight)
{
    const struct dataset *dataset = &data->interactions.basis[BASIS_FIT];
    const struct sparse *valid = &dataset->valid.matrix;
    int64_t counts[ITEMS];
    double sum = 0.0, n = 0.0;
    dataset_item_counts(dataset, counts);
    for (size_t u = 0; u < dataset->n_users; u++) {
        size_t hits = 0, length = sparse_row_length(valid, u);
        for (int64_t e = valid->offsets[u]; e < valid->offsets[u + 1]; e++) {
            hits += naive_rank(data, counts, bias_weight, u, valid->columns[e]) < K;
        }
        if (length > 0) {
            sum += (double)hits / (double)(length + (size_t)dataset->valid_unknown[u]);
            n += 1.0;
        }
    }
    return sum / n;
}

static void the_metric_is_that_of_a_full_ranking_with_the_popularity_term(void **state)
{
    (void)state;
    struct ranking_data data;
    data_init(&data);
    struct dataset *dataset = &data.interactions.basis[BASIS_FIT];
    const double weights[] = {0.0, 0.8, 0.8};
    for (size_t w = 0; w < 3; w++) {
        dataset->repeats = w == 2;
        struct validation validation = make(dataset, "recall@10", ENOUGH, weights[w], 1);
        double want = naive_recall(&data, weights[w]);
        assert_true(want > 0.0 && want < 1.0);
        assert_true(fabs(run(&validation, &data, 1) - want) < 1e-12);
        assert_true(run(&validation, &data, 2) == run(&validation, &data, 1));
        validation_release(&validation);
    }
    ranking_data_release(&data);
}

static void the_test_part_is_not_looked_at(void **state)
{
    (void)state;
    struct ranking_data data;
    data_init(&data);
    struct dataset *dataset = &data.interactions.basis[BASIS_FIT];
    struct validation validation = make(dataset, "ndcg@10", ENOUGH, 0.5, 1);
    double with = run(&validation, &data, 1);
    validation_release(&validation);
    history_release(&dataset->test);
    validation = make(dataset, "ndcg@10", ENOUGH, 0.5, 1);
    assert_true(run(&validation, &data, 1) == with);
    validation_release(&validation);
    ranking_data_release(&data);
}

static void the_sample_is_seeded_ascending_and_of_users_with_a_validation_part(void **state)
{
    (void)state;
    struct ranking_data data;
    data_init(&data);
    const struct dataset *dataset = &data.interactions.basis[BASIS_FIT];
    struct validation every = make(dataset, "ndcg@10", ENOUGH, 0.0, 1);
    struct validation some = make(dataset, "ndcg@10", 20, 0.0, 1);
    struct validation again = make(dataset, "ndcg@10", 20, 0.0, 1);
    struct validation other = make(dataset, "ndcg@10", 20, 0.0, 2);
    size_t n = 0;
    for (size_t u = 0; u < dataset->n_users; u++) {
        bool counts = sparse_row_length(&dataset->valid.matrix, u) > 0;
        assert_true(!counts || every.users[n] == (int32_t)u);
        n += counts;
    }
    assert_int_equal(every.n_users, n);
    assert_int_equal(some.n_users, 20);
    for (size_t a = 0; a < some.n_users; a++) {
        assert_true(a == 0 || some.users[a] > some.users[a - 1]);
        assert_true(sparse_row_length(&dataset->valid.matrix, (size_t)some.users[a]) > 0);
    }
    assert_memory_equal(some.users, again.users, 20 * sizeof *some.users);
    assert_memory_not_equal(some.users, other.users, 20 * sizeof *some.users);
    validation_release(&every);
    validation_release(&some);
    validation_release(&again);
    validation_release(&other);
    ranking_data_release(&data);
}

static void a_dataset_without_a_validation_part_has_no_users(void **state)
{
    (void)state;
    struct ranking_data data;
    data_init(&data);
    struct validation validation =
        make(&data.interactions.basis[BASIS_ALL], "ndcg@10", ENOUGH, 0.0, 1);
    assert_int_equal(validation.n_users, 0);
    validation_release(&validation);
    ranking_data_release(&data);
}

static void a_name_that_is_no_metric_is_refused_and_nothing_is_made(void **state)
{
    (void)state;
    struct ranking_data data;
    struct status status = {0};
    struct validation validation = {.n_users = 77};
    data_init(&data);
    assert_int_equal(validation_init(&validation, &data.interactions.basis[BASIS_FIT], NULL,
                                     "ndcg20", 5, 1, &status),
                     STATUS_CONFIG);
    assert_non_null(strstr(status.message, "ndcg20 is not a metric"));
    assert_int_equal(validation.n_users, 77);
    ranking_data_release(&data);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_metric_is_that_of_a_full_ranking_with_the_popularity_term),
        cmocka_unit_test(the_test_part_is_not_looked_at),
        cmocka_unit_test(the_sample_is_seeded_ascending_and_of_users_with_a_validation_part),
        cmocka_unit_test(a_dataset_without_a_validation_part_has_no_users),
        cmocka_unit_test(a_name_that_is_no_metric_is_refused_and_nothing_is_made),
    };
    return cmocka_run_group_tests_name("validation", tests, NULL, NULL);
}
