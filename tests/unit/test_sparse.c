/* Sparse rows against a dense table of flags. */
#include "base/rng.h"
#include "math/sparse.h"
#include "tests/support/random_matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { ROWS = 23, COLUMNS = 17 };

/* A random matrix; dense[r][c] = its value, 0 = no entry. */
static void fill(struct sparse *m, float dense[ROWS][COLUMNS], uint64_t seed)
{
    struct rng rng;
    struct status status = {0};
    rng_init(&rng, seed, "sparse", 0, 0);
    assert_int_equal(sparse_init(m, ROWS, COLUMNS, (size_t)ROWS * COLUMNS, true, &status),
                     STATUS_OK);
    int64_t n = 0;
    for (int r = 0; r < ROWS; r++) {
        for (int c = 0; c < COLUMNS; c++) {
            dense[r][c] = r % 5 != 3 && rng_below(&rng, 3) == 0 ? (float)rng_below(&rng, 9) + 1 : 0;
            if (dense[r][c] > 0) {
                m->columns[n] = c;
                m->values[n++] = dense[r][c];
            }
        }
        m->offsets[r + 1] = n;
    }
}

static void the_transpose_holds_the_same_entries(void **state)
{
    (void)state;
    struct status status = {0};
    for (uint64_t seed = 0; seed < 5; seed++) {
        float dense[ROWS][COLUMNS];
        struct sparse m = {0};
        struct sparse t = {0};
        fill(&m, dense, seed);
        assert_int_equal(sparse_transpose(&m, &t, &status), STATUS_OK);
        assert_int_equal(t.n_rows, COLUMNS);
        assert_int_equal(t.n_columns, ROWS);
        assert_int_equal(sparse_entries(&t), sparse_entries(&m));
        for (size_t c = 0; c < COLUMNS; c++) {
            for (int64_t e = t.offsets[c]; e < t.offsets[c + 1]; e++) {
                assert_true(e == t.offsets[c] || t.columns[e] > t.columns[e - 1]);
                assert_true(t.values[e] > 0 && t.values[e] == dense[t.columns[e]][c]);
            }
        }
        sparse_release(&t);
        sparse_release(&m);
    }
}

static void lookups_and_counts_agree_with_the_dense_table(void **state)
{
    (void)state;
    float dense[ROWS][COLUMNS];
    struct sparse m = {0};
    int64_t counts[COLUMNS];
    fill(&m, dense, 9);
    sparse_column_counts(&m, counts);
    for (int c = 0; c < COLUMNS; c++) {
        int64_t expected = 0;
        for (int r = 0; r < ROWS; r++) {
            expected += dense[r][c] > 0 ? 1 : 0;
            assert_int_equal(sparse_has(&m, (size_t)r, c), dense[r][c] > 0);
        }
        assert_int_equal(counts[c], expected);
    }
    assert_false(sparse_has(&m, 0, COLUMNS));
    assert_false(sparse_has(&m, 0, -1));
    sparse_release(&m);
    sparse_release(&m);
}

static void other_numbers_for_rows_and_columns_keep_the_entries(void **state)
{
    (void)state;
    /* of four, the second goes, and new ones come in between */
    static const int32_t map[4] = {1, -1, 2, 5};
    static const int32_t columns[6] = {1, 3, 0, 2, 3, 2};
    static const int64_t offsets[5] = {0, 2, 3, 5, 6};
    static const float values[6] = {1, 2, 3, 4, 5, 6};
    const struct sparse m = {.n_rows = 4,
                             .n_columns = 4,
                             .offsets = (int64_t *)(uintptr_t)offsets,
                             .columns = (int32_t *)(uintptr_t)columns,
                             .values = (float *)(uintptr_t)values};
    static const int64_t expected_offsets[8] = {0, 0, 1, 3, 3, 3, 4, 4};
    static const int32_t expected_columns[4] = {5, 2, 5, 2};
    static const float expected_values[4] = {2, 4, 5, 6};
    struct status status = {0};
    struct sparse out = {0};
    assert_int_equal(sparse_renumber(&m, map, 7, &out, &status), STATUS_OK);
    assert_int_equal(out.n_rows, 7);
    assert_int_equal(out.n_columns, 7);
    assert_memory_equal(out.offsets, expected_offsets, sizeof expected_offsets);
    assert_memory_equal(out.columns, expected_columns, sizeof expected_columns);
    assert_memory_equal(out.values, expected_values, sizeof expected_values);
    sparse_release(&out);
}

static void empty_and_oversized_matrices_are_handled(void **state)
{
    (void)state;
    struct status status = {0};
    struct sparse m = {0};
    struct sparse t = {0};
    assert_int_equal(sparse_entries(&m), 0);
    assert_int_equal(sparse_init(&m, 3, 2, 0, false, &status), STATUS_OK);
    assert_int_equal(sparse_transpose(&m, &t, &status), STATUS_OK);
    assert_int_equal(t.n_rows, 2);
    assert_null(t.values);
    assert_int_equal(sparse_entries(&t), 0);
    sparse_release(&t);
    sparse_release(&m);
    assert_int_equal(sparse_init(&m, 1, SIZE_MAX, 0, false, &status), STATUS_DATA);
    assert_null(m.offsets);
}

static void a_union_has_what_either_has(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct status status = {0};
        struct sparse both = {0};
        struct rng rng;
        rng_init(&rng, seed, "test.union", 0, 0);
        struct sparse a = random_sparse(&rng, ROWS, COLUMNS, 0.2 * (double)seed, false);
        struct sparse b = random_sparse(&rng, ROWS, COLUMNS, 0.3, false);
        size_t n = 0;
        assert_int_equal(sparse_union(&a, &b, &both, &status), STATUS_OK);
        for (size_t u = 0; u < ROWS; u++) {
            for (int32_t i = 0; i < COLUMNS; i++) {
                const bool expected = sparse_has(&a, u, i) || sparse_has(&b, u, i);
                assert_int_equal(sparse_has(&both, u, i), expected);
                n += expected;
            }
        }
        assert_int_equal(sparse_entries(&both), n);
        sparse_release(&a);
        sparse_release(&b);
        sparse_release(&both);
    }
}

static void gathered_rows_stand_in_the_order_asked_for_and_some_are_empty(void **state)
{
    (void)state;
    struct status status = {0};
    static const int32_t rows[] = {7, -1, 0, 7, 3};
    enum { N = sizeof rows / sizeof *rows };
    float dense[ROWS][COLUMNS];
    struct sparse m = {0}, out = {0};
    fill(&m, dense, 1);
    assert_int_equal(sparse_gather(&m, rows, N, &out, &status), STATUS_OK);
    assert_int_equal(out.n_rows, N);
    assert_true(sparse_is_sound(&out, sparse_entries(&out)));
    for (size_t i = 0; i < N; i++) {
        int64_t e = out.offsets[i];
        for (int32_t c = 0; c < COLUMNS; c++) {
            const bool is_entry = rows[i] >= 0 && dense[rows[i]][c] > 0;
            assert_int_equal(sparse_has(&out, i, c), is_entry);
            assert_true(!is_entry || out.values[e++] == dense[rows[i]][c]);
        }
    }
    sparse_release(&m);
    sparse_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_transpose_holds_the_same_entries),
        cmocka_unit_test(lookups_and_counts_agree_with_the_dense_table),
        cmocka_unit_test(other_numbers_for_rows_and_columns_keep_the_entries),
        cmocka_unit_test(a_union_has_what_either_has),
        cmocka_unit_test(gathered_rows_stand_in_the_order_asked_for_and_some_are_empty),
        cmocka_unit_test(empty_and_oversized_matrices_are_handled),
    };
    return cmocka_run_group_tests_name("sparse", tests, NULL, NULL);
}
