/* The validation metric of towers in training. */
#include "evaluation/validation.h"

#include "base/mem.h"
#include "base/rng.h"
#include "ranking/ranking.h"
#include "towers/embeddings.h"
#include "search/paired.h"

#include <assert.h>
#include <math.h>

/* Every user with a validation part, or a sample of them. */
static enum status_code sample_users(struct validation *validation, size_t max_users, uint64_t seed,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct dataset *dataset = validation->dataset;
    const struct sparse *valid = &dataset->valid.matrix; /* without such a part it has no rows */
    TRY(MEM_NEW(&validation->users, dataset->n_users, status));
    for (size_t u = 0; u < valid->n_rows; u++) {
        if (sparse_row_length(valid, u) > 0) {
            validation->users[validation->n_users++] = (int32_t)u;
        }
    }
    TRY(crowd_sample(&validation->crowd, validation->users, &validation->n_users, max_users, seed,
                     "validation.users", status));
    TRY(MEM_NEW(&validation->places, validation->n_users, status));
    TRY(crowd_places(&validation->crowd, validation->users, validation->n_users, validation->places,
                     &validation->n_all, status));
done:
    return code;
}

static enum status_code prepare_items(struct validation *validation, uint64_t seed,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n_items = validation->dataset->n_items;
    struct rng rng;
    TRY(MEM_NEW(&validation->tie_rank, n_items, status));
    TRY(MEM_NEW(&validation->bias, n_items, status));
    rng_init(&rng, seed, "validation.ties", 0, 0);
    rng_permutation(&rng, n_items, validation->tie_rank);
done:
    return code;
}

enum status_code validation_init(struct validation *validation, const struct dataset *dataset,
                                 const struct crowd *crowd, const char *metric_name,
                                 size_t max_users, uint64_t seed, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct validation made = {.dataset = dataset};
    if (crowd != NULL) {
        made.crowd = *crowd;
    }
    if (!metric_parse(metric_name, strlen(metric_name), &made.metric, &made.k)) {
        code = status_set(status, STATUS_CONFIG, "%s is not a metric such as ndcg@20", metric_name);
        goto done;
    }
    TRY(sample_users(&made, max_users, seed, status));
    TRY(prepare_items(&made, seed, status));
    TRY(dataset_excluded(dataset, &dataset->valid_barred, &made.exclude, status));
    *validation = made;
done:
    if (code != STATUS_OK) {
        validation_release(&made);
    }
    return code;
}

void validation_release(struct validation *validation)
{
    mem_free(validation->users);
    mem_free(validation->places);
    mem_free(validation->tie_rank);
    mem_free(validation->bias);
    sparse_release(&validation->exclude);
    *validation = (struct validation){0};
}

const struct sparse *validation_excluded(const struct validation *validation)
{
    return validation->exclude.n_rows > 0 ? &validation->exclude
                                          : &validation->dataset->train.matrix;
}

enum status_code validation_set_bias(struct validation *validation, double bias_weight,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t n_items = validation->dataset->n_items;
    int64_t *counts = NULL;
    TRY(MEM_NEW(&counts, n_items, status));
    dataset_item_counts(validation->dataset, counts);
    embeddings_popularity_bias(counts, NULL, n_items, bias_weight, validation->bias);
done:
    mem_free(counts);
    return code;
}

enum status_code validation_judge(const struct validation *validation, const int32_t *lists,
                                  size_t n, double *of_users, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct dataset *dataset = validation->dataset;
    const size_t n_users = validation->n_users, n_all = validation->n_all, k = validation->k;
    double *own = NULL;
    TRY(MEM_NEW(&own, n_users, status));
    memset(of_users, 0, n * n_all * sizeof *of_users);
    for (size_t l = 0; l < n; l++) {
        metric_per_user(validation->metric, k, lists + l * n_users * k, k, validation->users,
                        n_users, &dataset->valid.matrix, dataset->valid_unknown, own);
        for (size_t a = 0; a < n_users; a++) {
            of_users[l * n_all + (size_t)validation->places[a]] = own[a];
        }
    }
    TRY(crowd_join(&validation->crowd, of_users, n * n_all, status));
done:
    mem_free(own);
    return code;
}

/* Metric of every user under each of n_biases popularity terms: of_users (n_biases, n_all) and the
 * means (n_biases). */
static enum status_code run_biases(const struct validation *validation, struct const_matrix users,
                                   struct const_matrix items, const float *const *biases,
                                   size_t n_biases, double temperature, struct pool *pool,
                                   double *means, double *of_users, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n = validation->n_users, n_all = validation->n_all, k = validation->k;
    int32_t *lists = NULL;
    float *scores = NULL;
    TRY(MEM_NEW(&lists, n_biases * n * k, status));
    TRY(MEM_NEW(&scores, n_biases * n * k, status));
    struct ranking ranking = {
        .anchors = users,
        .candidates = items,
        .scale = (float)(1.0 / temperature),
        .n_biases = n_biases,
        .biases = biases,
        .exclude = validation_excluded(validation),
        .exclude_rows = validation->users,
        .tie_rank = validation->tie_rank,
        .k = k,
    };
    TRY(ranking_run(&ranking, pool, lists, scores, status));
    TRY(validation_judge(validation, lists, n_biases, of_users, status));
    for (size_t b = 0; b < n_biases; b++) {
        means[b] = paired_mean(of_users + b * n_all, n_all);
    }
done:
    mem_free(lists);
    mem_free(scores);
    return code;
}

enum status_code validation_run(const struct validation *validation, struct const_matrix users,
                                struct const_matrix items, const float *bias, double temperature,
                                struct pool *pool, double *value, struct status *status)
{
    enum status_code code = STATUS_OK;
    const float *biases[1] = {bias != NULL ? bias : validation->bias};
    double *of_users = NULL;
    TRY(MEM_NEW(&of_users, validation->n_all, status));
    TRY(run_biases(validation, users, items, biases, 1, temperature, pool, value, of_users,
                   status));
done:
    mem_free(of_users);
    return code;
}

enum status_code validation_run_grid(const struct validation *validation, struct const_matrix users,
                                     struct const_matrix items, const struct validation_grid *grid,
                                     double temperature, struct pool *pool, double *means,
                                     double *of_users, struct status *status)
{
    enum status_code code = STATUS_OK;
    const float *biases[VALIDATION_WEIGHTS_MAX];
    size_t n_items = items.rows;
    int64_t *counts = NULL;
    float *terms = NULL;
    assert(grid->n > 0 && grid->n <= VALIDATION_WEIGHTS_MAX);
    TRY(MEM_NEW(&counts, n_items, status));
    TRY(MEM_NEW(&terms, grid->n * n_items, status));
    dataset_item_counts(validation->dataset, counts);
    for (size_t w = 0; w < grid->n; w++) {
        biases[w] = terms + w * n_items;
        embeddings_popularity_bias(counts, grid->learned, n_items, grid->weights[w],
                                   terms + w * n_items);
    }
    TRY(run_biases(validation, users, items, biases, grid->n, temperature, pool, means, of_users,
                   status));
done:
    mem_free(counts);
    mem_free(terms);
    return code;
}
