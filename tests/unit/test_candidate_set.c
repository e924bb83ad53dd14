/* The candidates of a batch: which item stands where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "negatives/candidate_set.h"

enum { ITEMS = 50 };

struct fixture {
    struct sampler sampler;
    struct candidate_set set;
};

static void fixture_init(struct fixture *f, enum negative_strategy strategy, size_t count)
{
    struct status status = {0};
    int64_t counts[ITEMS];
    const struct negative_settings settings = {
        .strategy = strategy, .count = count, .alpha = 0.5, .shared = true, .correct = true};
    memset(f, 0, sizeof *f);
    for (size_t i = 0; i < ITEMS; i++) {
        counts[i] = (int64_t)(i % 7 + 1);
    }
    assert_int_equal(sampler_init(&f->sampler, &settings, counts, ITEMS, &status), STATUS_OK);
    assert_int_equal(candidate_set_init(&f->set, &f->sampler, &status), STATUS_OK);
}

static void fixture_release(struct fixture *f)
{
    candidate_set_release(&f->set);
    sampler_release(&f->sampler);
}

/* Items are distinct and column_of is their inverse, -1 for everybody else. */
static void assert_consistent(const struct candidate_set *set)
{
    size_t n_present = 0;
    assert_true(set->n_negatives <= set->n && set->n <= ITEMS);
    for (size_t c = 0; c < set->n; c++) {
        assert_int_equal(set->column_of[set->items[c]], c);
    }
    for (size_t i = 0; i < ITEMS; i++) {
        n_present += set->column_of[i] >= 0;
    }
    assert_int_equal(n_present, set->n);
}

static void every_item_is_its_own_candidate_with_strategy_all(void **state)
{
    (void)state;
    struct fixture f;
    struct rng rng;
    const int32_t positives[2] = {3, 4};
    fixture_init(&f, NEGATIVES_ALL, 5);
    rng_init(&rng, 1, "test", 0, 0);
    candidate_set_draw(&f.set, &f.sampler, &rng, positives, 2);
    assert_int_equal(f.set.n, ITEMS);
    assert_int_equal(f.set.n_negatives, ITEMS);
    assert_null(candidate_set_rows(&f.set));
    for (int32_t i = 0; i < ITEMS; i++) {
        assert_int_equal(candidate_set_add(&f.set, i), i);
        assert_true(f.set.offsets[i] == (float)f.sampler.target[i]);
    }
    candidate_set_clear(&f.set);
    assert_int_equal(f.set.n, ITEMS);
    fixture_release(&f);
}

static void shared_negatives_come_first_and_others_are_added_once(void **state)
{
    (void)state;
    struct fixture f;
    struct rng rng;
    fixture_init(&f, NEGATIVES_UNIFORM, 10);
    rng_init(&rng, 1, "test", 0, 0);
    candidate_set_draw(&f.set, &f.sampler, &rng, NULL, 0);
    assert_consistent(&f.set);
    const size_t n_negatives = f.set.n_negatives;
    assert_true(n_negatives > 0 && n_negatives <= 10 && f.set.n == n_negatives);
    for (int32_t i = 0; i < ITEMS; i++) {
        const int32_t before = f.set.column_of[i];
        const int32_t column = candidate_set_add(&f.set, i);
        assert_true(before < 0 ? (size_t)column >= n_negatives : column == before);
        assert_int_equal(candidate_set_add(&f.set, i), column);
        assert_int_equal(candidate_set_rows(&f.set)[column], i);
    }
    assert_int_equal(f.set.n, ITEMS);
    assert_int_equal(f.set.n_negatives, n_negatives);
    assert_consistent(&f.set);
    fixture_release(&f);
}

static void a_new_batch_forgets_the_one_before(void **state)
{
    (void)state;
    struct fixture f;
    struct rng rng;
    const int32_t first[3] = {1, 2, 1}, second[2] = {40, 41};
    fixture_init(&f, NEGATIVES_IN_BATCH, 1);
    rng_init(&rng, 1, "test", 0, 0);
    candidate_set_draw(&f.set, &f.sampler, &rng, first, 3);
    candidate_set_add(&f.set, 30);
    assert_int_equal(f.set.n, 3);
    candidate_set_draw(&f.set, &f.sampler, &rng, second, 2);
    assert_int_equal(f.set.n, 2);
    assert_int_equal(f.set.n_negatives, 2);
    assert_int_equal(f.set.items[0], 40);
    assert_int_equal(f.set.items[1], 41);
    assert_consistent(&f.set);
    candidate_set_clear(&f.set);
    assert_int_equal(f.set.n, 0);
    assert_int_equal(f.set.n_negatives, 0);
    assert_consistent(&f.set);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_is_its_own_candidate_with_strategy_all),
        cmocka_unit_test(shared_negatives_come_first_and_others_are_added_once),
        cmocka_unit_test(a_new_batch_forgets_the_one_before),
    };
    return cmocka_run_group_tests_name("candidate set", tests, NULL, NULL);
}
