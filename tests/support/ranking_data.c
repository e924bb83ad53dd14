/* Random interactions, cut into the parts of both bases by the naive way: every pair is looked at
 * once for each part. */
#include "tests/support/ranking_data.h"

#include "base/mem.h"
#include "tests/support/random_matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum part { PART_TRAIN, PART_VALID, PART_TEST, PART_EVERY };

static int32_t *kept_codes(size_t n_master, size_t modulus, size_t left_out, size_t *n)
{
    struct status status = {0};
    int32_t *codes = NULL;
    assert_int_equal(MEM_NEW(&codes, n_master, &status), STATUS_OK);
    *n = 0;
    for (size_t c = 0; c < n_master; c++) {
        if (c % modulus != left_out) {
            codes[(*n)++] = (int32_t)c;
        }
    }
    return codes;
}

/* The log's pairs that belong to `part`, in rows and columns of `dataset`. unknown (may be NULL)
 * counts per user the pairs whose item the dataset does not know. */
static struct sparse cut(const struct sparse *log, const uint8_t *parts, enum part part,
                         const struct dataset *dataset, int32_t *unknown)
{
    struct status status = {0};
    struct sparse out = {0};
    int32_t *column = NULL;
    int64_t n = 0;
    assert_int_equal(MEM_NEW(&column, log->n_columns, &status), STATUS_OK);
    dataset_invert(dataset->items, dataset->n_items, log->n_columns, column);
    assert_int_equal(
        sparse_init(&out, dataset->n_users, dataset->n_items, sparse_entries(log), true, &status),
        STATUS_OK);
    for (size_t u = 0; u < dataset->n_users; u++) {
        int32_t code = dataset->users[u];
        for (int64_t e = log->offsets[code]; e < log->offsets[code + 1]; e++) {
            if (part != PART_EVERY && parts[e] != part) {
                continue;
            }
            if (column[log->columns[e]] < 0) {
                unknown != NULL ? unknown[u]++ : 0;
                continue;
            }
            out.columns[n] = column[log->columns[e]];
            out.values[n++] = 1.0f;
        }
        out.offsets[u + 1] = n;
    }
    mem_free(column);
    return out;
}

static void make_log(struct interactions *interactions, size_t n_users, size_t n_items,
                     double density, struct rng *rng)
{
    struct status status = {0};
    int32_t code;
    for (size_t u = 0; u < n_users; u++) {
        assert_int_equal(
            vocabulary_add_integer(&interactions->users, 1000 + (int64_t)u, &code, &status),
            STATUS_OK);
    }
    for (size_t i = 0; i < n_items; i++) {
        assert_int_equal(
            vocabulary_add_integer(&interactions->items, 500 + (int64_t)i, &code, &status),
            STATUS_OK);
    }
    struct sparse *log = &interactions->log.matrix;
    assert_int_equal(sparse_init(log, n_users, n_items, n_users * n_items, true, &status),
                     STATUS_OK);
    int64_t n = 0;
    for (size_t u = 0; u < n_users; u++) {
        for (size_t i = 0; i + 1 < n_items && u != 0 && u != 3; i++) {
            /* lower codes are more popular */
            double chance = density * 2.0 * (double)(n_items - i) / (double)n_items;
            if (rng_double(rng) < chance) {
                log->columns[n] = (int32_t)i;
                log->values[n++] = 1.0f;
            }
        }
        log->offsets[u + 1] = n;
    }
}

static void make_basis(struct interactions *interactions, enum basis basis, const uint8_t *parts)
{
    struct status status = {0};
    const struct sparse *log = &interactions->log.matrix;
    struct dataset *dataset = &interactions->basis[basis];
    dataset->users = kept_codes(interactions->users.n, 7, 3, &dataset->n_users);
    dataset->items = kept_codes(interactions->items.n, 5, 4, &dataset->n_items);
    if (basis == BASIS_ALL) {
        dataset->train.matrix = cut(log, parts, PART_EVERY, dataset, NULL);
        return;
    }
    int32_t *valid_unknown = NULL, *test_unknown = NULL;
    assert_int_equal(MEM_NEW(&valid_unknown, dataset->n_users, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&test_unknown, dataset->n_users, &status), STATUS_OK);
    dataset->train.matrix = cut(log, parts, PART_TRAIN, dataset, NULL);
    dataset->valid.matrix = cut(log, parts, PART_VALID, dataset, valid_unknown);
    dataset->test.matrix = cut(log, parts, PART_TEST, dataset, test_unknown);
    dataset->valid_unknown = valid_unknown;
    dataset->test_unknown = test_unknown;
}

void ranking_data_init(struct ranking_data *data, size_t n_users, size_t n_items, size_t dimension,
                       double density, enum basis basis, uint64_t seed)
{
    struct status status = {0};
    struct rng rng;
    uint8_t *parts = NULL;
    *data = (struct ranking_data){0};
    rng_init(&rng, seed, "test.ranking_data", 0, 0);
    make_log(&data->interactions, n_users, n_items, density, &rng);
    size_t entries = sparse_entries(&data->interactions.log.matrix);
    assert_int_equal(MEM_NEW(&parts, entries, &status), STATUS_OK);
    for (size_t e = 0; e < entries; e++) {
        uint64_t fifth = rng_below(&rng, 5);
        parts[e] = fifth < 3 ? PART_TRAIN : fifth == 3 ? PART_VALID : PART_TEST;
    }
    make_basis(&data->interactions, BASIS_FIT, parts);
    make_basis(&data->interactions, BASIS_ALL, parts);
    mem_free(parts);
    const struct dataset *dataset = &data->interactions.basis[basis];
    data->user_vectors = random_matrix(&rng, dataset->n_users, dimension, true);
    data->item_vectors = random_matrix(&rng, dataset->n_items, dimension, true);
    data->embeddings = (struct embeddings){
        .users = const_matrix_of(data->user_vectors, dataset->n_users, dimension),
        .items = const_matrix_of(data->item_vectors, dataset->n_items, dimension),
        .basis = basis,
        .temperature = 0.25,
        .alpha = 0.5,
        .epochs = 3,
    };
    assert_int_equal(
        served_ids_init(&data->users, &data->interactions.users, NULL, NULL, 0, &status),
        STATUS_OK);
    assert_int_equal(
        served_ids_init(&data->items, &data->interactions.items, NULL, NULL, 0, &status),
        STATUS_OK);
}

void ranking_data_release(struct ranking_data *data)
{
    for (size_t b = 0; b < N_BASES; b++) {
        struct dataset *dataset = &data->interactions.basis[b];
        mem_free((void *)(uintptr_t)dataset->users);
        mem_free((void *)(uintptr_t)dataset->items);
        mem_free((void *)(uintptr_t)dataset->valid_unknown);
        mem_free((void *)(uintptr_t)dataset->test_unknown);
        sparse_release(&dataset->train.matrix);
        sparse_release(&dataset->valid.matrix);
        sparse_release(&dataset->test.matrix);
    }
    sparse_release(&data->interactions.log.matrix);
    vocabulary_release(&data->interactions.users);
    vocabulary_release(&data->interactions.items);
    served_ids_release(&data->users);
    served_ids_release(&data->items);
    mem_free(data->user_vectors);
    mem_free(data->item_vectors);
    *data = (struct ranking_data){0};
}
