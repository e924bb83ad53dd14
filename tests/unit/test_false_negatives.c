/* False negatives, and the union of two patterns, against dense tables. */
#include "base/rng.h"
#include "negatives/false_negatives.h"
#include "tests/support/random_matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { USERS = 40, ITEMS = 33 };

/* Item pairs with few different weights, so that ties are met, and no diagonal. */
static struct sparse random_pairs(struct rng *rng)
{
    struct sparse pairs = random_sparse(rng, ITEMS, ITEMS, 0.4, true);
    int64_t n = 0, e = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        for (; e < pairs.offsets[i + 1]; e++) {
            if (pairs.columns[e] != (int32_t)i) {
                pairs.columns[n] = pairs.columns[e];
                pairs.values[n++] = (float)(1 + rng_below(rng, 4));
            }
        }
        pairs.offsets[i + 1] = n;
    }
    return pairs;
}

/* Whether `partner` is one of the n strongest of `item`: fewer than n are ahead of it. */
static bool is_strong(const struct sparse *pairs, size_t item, int32_t partner, size_t n)
{
    float weight = 0;
    size_t ahead = 0;
    for (int64_t e = pairs->offsets[item]; e < pairs->offsets[item + 1]; e++) {
        weight = pairs->columns[e] == partner ? pairs->values[e] : weight;
    }
    for (int64_t e = pairs->offsets[item]; e < pairs->offsets[item + 1]; e++) {
        ahead += pairs->values[e] > weight ||
                 (pairs->values[e] == weight && pairs->columns[e] < partner);
    }
    return weight > 0 && ahead < n;
}

static void assert_ascending(const struct sparse *m)
{
    for (size_t r = 0; r < m->n_rows; r++) {
        for (int64_t e = m->offsets[r] + 1; e < m->offsets[r + 1]; e++) {
            assert_true(m->columns[e] > m->columns[e - 1]);
        }
    }
}

static void they_are_the_strong_partners_less_the_positives(void **state)
{
    (void)state;
    const size_t neighbours[] = {1, 2, 5, ITEMS, 1000};
    for (size_t c = 0; c < sizeof neighbours / sizeof neighbours[0]; c++) {
        struct status status = {0};
        struct sparse found = {0};
        struct rng rng;
        rng_init(&rng, c, "test.false", 0, 0);
        struct sparse train = random_sparse(&rng, USERS, ITEMS, 0.1, false);
        struct sparse pairs = random_pairs(&rng);
        size_t n_found = 0;
        assert_int_equal(false_negatives_find(&train, &pairs, neighbours[c], &found, &status),
                         STATUS_OK);
        assert_true(found.n_rows == USERS && found.n_columns == ITEMS && found.values == NULL);
        assert_ascending(&found);
        for (size_t u = 0; u < USERS; u++) {
            for (int32_t i = 0; i < ITEMS; i++) {
                bool expected = false;
                for (int64_t e = train.offsets[u]; e < train.offsets[u + 1]; e++) {
                    expected =
                        expected || is_strong(&pairs, (size_t)train.columns[e], i, neighbours[c]);
                }
                expected = expected && !sparse_has(&train, u, i);
                assert_int_equal(sparse_has(&found, u, i), expected);
                n_found += expected;
            }
        }
        assert_int_equal(sparse_entries(&found), n_found);
        assert_true(n_found > USERS);
        sparse_release(&found);
        sparse_release(&train);
        sparse_release(&pairs);
    }
}

static void items_without_partners_give_none(void **state)
{
    (void)state;
    struct status status = {0};
    struct sparse found = {0}, pairs = {0};
    struct rng rng;
    rng_init(&rng, 9, "test.false", 0, 0);
    struct sparse train = random_sparse(&rng, USERS, ITEMS, 0.1, false);
    assert_int_equal(sparse_init(&pairs, ITEMS, ITEMS, 0, true, &status), STATUS_OK);
    assert_int_equal(false_negatives_find(&train, &pairs, 3, &found, &status), STATUS_OK);
    assert_true(found.n_rows == USERS && sparse_entries(&found) == 0);
    sparse_release(&found);
    sparse_release(&train);
    sparse_release(&pairs);
}

static void a_union_has_what_either_has(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct status status = {0};
        struct sparse both = {0};
        struct rng rng;
        rng_init(&rng, seed, "test.union", 0, 0);
        struct sparse a = random_sparse(&rng, USERS, ITEMS, 0.2 * (double)seed, false);
        struct sparse b = random_sparse(&rng, USERS, ITEMS, 0.3, false);
        size_t n = 0;
        assert_int_equal(sparse_union(&a, &b, &both, &status), STATUS_OK);
        assert_ascending(&both);
        for (size_t u = 0; u < USERS; u++) {
            for (int32_t i = 0; i < ITEMS; i++) {
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_the_strong_partners_less_the_positives),
        cmocka_unit_test(items_without_partners_give_none),
        cmocka_unit_test(a_union_has_what_either_has),
    };
    return cmocka_run_group_tests_name("false negatives", tests, NULL, NULL);
}
