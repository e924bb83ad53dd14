/* Sums along the tree of the shards, by rows that a pass has in any order, against the tree written
 * out; and the gradient of a table that all ranks have, each with the rows of its own shards.
 * Started alone it is one rank; `mpirun -n 4` makes it four. */
#include "base/rng.h"
#include "towers/embedding_table.h"
#include "tests/support/ranked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 300, TOKENS = 40, D = 9, N_TRIALS = 20 };

/* Rows of `all` entities that are here, in an order of their own, with their tokens. */
struct part {
    size_t n;
    int32_t rows[ROWS];
    struct sparse tokens;
    float values[ROWS * D];
};

static uint8_t shards[ROWS];
static float gradients[ROWS][D], weights[ROWS][TOKENS]; /* 0: the row does not have the token */

static void draw(struct rng *rng)
{
    for (size_t r = 0; r < ROWS; r++) {
        shards[r] = (uint8_t)(rng_below(rng, 3) == 0 ? rng_below(rng, 8) : rng_below(rng, SHARDS));
        for (size_t t = 0; t < TOKENS; t++) {
            const bool has = t == 0 || rng_below(rng, 1 + t * t) == 0;
            weights[r][t] = has ? (float)rng_normal(rng) : 0.0f;
        }
        for (size_t j = 0; j < D; j++) {
            gradients[r][j] = (float)rng_normal(rng);
        }
    }
}

/* The rows of shards [first, last), shuffled. */
static void take(struct part *part, size_t first, size_t last, struct rng *rng)
{
    struct status status = {0};
    uint32_t order[ROWS];
    part->n = 0;
    rng_permutation(rng, ROWS, order);
    assert_int_equal(sparse_init(&part->tokens, ROWS, TOKENS, ROWS * TOKENS, true, &status), 0);
    for (size_t i = 0; i < ROWS; i++) {
        const size_t r = order[i];
        int64_t e = part->tokens.offsets[part->n];
        if (shards[r] < first || shards[r] >= last) {
            continue;
        }
        for (int32_t t = 0; t < TOKENS; t++) {
            if (weights[r][t] != 0.0f) {
                part->tokens.columns[e] = t;
                part->tokens.values[e++] = weights[r][t];
            }
        }
        memcpy(part->values + part->n * D, gradients[r], sizeof gradients[r]);
        part->rows[part->n++] = (int32_t)r;
        part->tokens.offsets[part->n] = e;
    }
    part->tokens.n_rows = part->n;
}

/* The sum of token t over shards [first, first + n), those without any left out. */
static bool sum_naively(size_t t, size_t first, size_t n, float out[D])
{
    float left[D], right[D];
    bool has = false;
    memset(out, 0, sizeof left);
    if (n == 1) {
        for (size_t r = 0; r < ROWS; r++) {
            if (shards[r] == first && weights[r][t] != 0.0f) {
                vec_ops()->axpy(weights[r][t], gradients[r], out, D);
                has = true;
            }
        }
        return has;
    }
    const bool has_left = sum_naively(t, first, n / 2, left);
    const bool has_right = sum_naively(t, first + n / 2, n / 2, right);
    for (size_t j = 0; j < D; j++) {
        out[j] = has_left && has_right ? left[j] + right[j] : has_left ? left[j] : right[j];
    }
    return has_left || has_right;
}

static void gradients_of_tokens_are_sums_along_the_tree(void **state)
{
    (void)state;
    struct optimizer_settings adam = {0};
    struct row_order order = {0};
    struct status status = {0};
    struct rng rng;
    rng_init(&rng, 3, "test", 0, 0);
    for (int trial = 0; trial < N_TRIALS; trial++) {
        struct embedding_table table = {0};
        static struct part part;
        const size_t mine = ranks_mine(ranks);
        draw(&rng);
        take(&part, ranks_first_shard(ranks, mine), ranks_first_shard(ranks, mine + 1), &rng);
        const int32_t *columns = part.tokens.columns;
        assert_int_equal(
            embedding_table_init(&table, TOKENS, D, &adam, 1, "test", 0.1, NULL, &status), 0);
        assert_int_equal(row_order_make(&order, part.rows, part.n, shards, &status), 0);
        assert_int_equal(embedding_table_touch(&table, columns, sparse_entries(&part.tokens), 0.1,
                                               NULL, &status),
                         0);
        assert_int_equal(
            embedding_table_add_sparse(&table, &part.tokens, &order, part.values, NULL, &status),
            0);
        assert_int_equal(embedding_table_share(&table, ranks, 0.1, NULL, &status), 0);
        const float *gradient = embedding_table_gradient(&table);
        for (size_t t = 0; t < TOKENS; t++) {
            float expected[D];
            const bool has = sum_naively(t, 0, SHARDS, expected);
            assert_int_equal(table.slot_of[t] >= 0, has);
            if (has) {
                assert_memory_equal(gradient + (size_t)table.slot_of[t] * D, expected,
                                    sizeof expected);
            }
        }
        embedding_table_release(&table);
        sparse_release(&part.tokens);
    }
    row_order_release(&order);
}

static void rows_stand_by_shards_and_then_by_number(void **state)
{
    (void)state;
    const uint8_t of[] = {5, 0, 5, 63, 0};
    const int32_t rows[] = {4, 2, 0, 3, 1}, expected[] = {4, 0, 2, 1, 3}, all[] = {1, 4, 0, 2, 3};
    struct row_order order = {0};
    struct status status = {0};
    assert_int_equal(row_order_make(&order, rows, 5, of, &status), 0);
    assert_memory_equal(order.places, expected, sizeof expected);
    assert_int_equal(order.first[5], 2);
    assert_int_equal(order.first[6], 4);
    assert_int_equal(order.first[63], 4);
    assert_int_equal(order.first[SHARDS], 5);
    assert_int_equal(row_order_make(&order, NULL, 5, of, &status), 0);
    assert_memory_equal(order.places, all, sizeof all);
    assert_int_equal(row_order_make(&order, NULL, 0, of, &status), 0);
    assert_int_equal(order.first[SHARDS], 0);
    row_order_release(&order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_stand_by_shards_and_then_by_number),
        cmocka_unit_test(gradients_of_tokens_are_sums_along_the_tree),
    };
    return cmocka_run_group_tests_name("row_order", tests, ranked_open, ranked_close);
}
