/* The k best against a full sort. */
#include "base/rng.h"
#include "math/topk.h"

#include <math.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { N = 1000 };

struct entry {
    float score;
    uint32_t rank;
    int32_t index;
};

static int before(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    if (x->score != y->score) {
        return x->score > y->score ? -1 : 1;
    }
    if (x->rank != y->rank) {
        return x->rank < y->rank ? -1 : 1;
    }
    return x->index < y->index ? -1 : 1;
}

/* `scores` offered at once or one by one must give what sorting all of them gives. */
static void check(const float *scores, size_t n, size_t k, bool at_once, const uint32_t *ranks)
{
    static struct entry sorted[N];
    float kept[N];
    int32_t indices[N];
    struct topk topk;
    size_t n_sorted = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(scores[i])) {
            sorted[n_sorted++] = (struct entry){scores[i], ranks ? ranks[i] : 0, (int32_t)i};
        }
    }
    qsort(sorted, n_sorted, sizeof *sorted, before);
    topk_init(&topk, k, kept, indices, ranks);
    if (at_once) {
        topk_offer_all(&topk, scores, n);
    }
    for (size_t i = 0; i < n && !at_once; i++) {
        topk_offer(&topk, scores[i], (int32_t)i);
    }
    size_t expected = k < n_sorted ? k : n_sorted;
    assert_int_equal(topk.n, expected);
    if (k > 0 && expected == k) {
        assert_true(topk_threshold(&topk) == sorted[k - 1].score);
    }
    topk_finish(&topk);
    for (size_t i = 0; i < expected; i++) {
        assert_int_equal(indices[i], sorted[i].index);
        assert_true(kept[i] == sorted[i].score);
    }
}

static void the_best_are_those_of_a_full_sort(void **state)
{
    (void)state;
    static const size_t ks[] = {0, 1, 2, 20, 31, 999, 1000};
    static const size_t counts[] = {1, 31, 32, 33, 1000};
    static const uint64_t kinds[] = {1000000, 5, 1}; /* few ties, many ties, nothing but ties */
    struct rng rng;
    float scores[N];
    uint32_t ranks[N];
    rng_init(&rng, 5, "topk", 0, 0);
    for (size_t kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < N; i++) {
            scores[i] = (float)rng_below(&rng, kinds[kind]) / 100.0F;
            scores[i] = i % 7 == 3 ? NAN : i % 11 == 5 ? -INFINITY : scores[i];
        }
        rng_permutation(&rng, N, ranks);
        for (size_t k = 0; k < sizeof ks / sizeof *ks; k++) {
            for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
                check(scores, counts[c], ks[k], true, NULL);
                check(scores, counts[c], ks[k], true, ranks);
            }
            check(scores, N, ks[k], false, ranks);
        }
    }
}

static void ascending_and_descending_scores_are_handled(void **state)
{
    (void)state;
    float scores[N];
    for (size_t i = 0; i < N; i++) {
        scores[i] = (float)i;
    }
    check(scores, N, 50, true, NULL);
    for (size_t i = 0; i < N; i++) {
        scores[i] = -(float)i;
    }
    check(scores, N, 50, true, NULL);
}

static void nothing_offered_gives_nothing(void **state)
{
    (void)state;
    float kept[4];
    int32_t indices[4];
    struct topk topk;
    topk_init(&topk, 4, kept, indices, NULL);
    assert_true(topk_threshold(&topk) == -INFINITY);
    topk_offer(&topk, NAN, 3);
    topk_finish(&topk);
    assert_int_equal(topk.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_are_those_of_a_full_sort),
        cmocka_unit_test(ascending_and_descending_scores_are_handled),
        cmocka_unit_test(nothing_offered_gives_nothing),
    };
    return cmocka_run_group_tests_name("topk", tests, NULL, NULL);
}
