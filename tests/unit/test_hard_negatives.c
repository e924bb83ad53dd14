/* Hard negatives and thresholds against a full sort of every user's scores. */
#include "base/mem.h"
#include "negatives/hard_negatives.h"
#include "tests/support/random_matrix.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* More users than are ranked in one pass, and no multiple of any block. */
enum { USERS = 4250, ITEMS = 40, D = 8 };

struct fixture {
    float *users, *items, bias[ITEMS];
    struct sparse excluded;
    struct hard_scores scores;
};

static void must(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s", (int)code, status->message);
    }
}

static void fixture_init(struct fixture *f, uint64_t seed)
{
    struct rng rng;
    *f = (struct fixture){0};
    rng_init(&rng, seed, "test.hard", 0, 0);
    f->users = random_matrix(&rng, USERS, D, false);
    f->items = random_matrix(&rng, ITEMS, D, false);
    for (size_t i = 0; i < ITEMS; i++) {
        f->bias[i] = (float)rng_double(&rng);
    }
    f->excluded = random_sparse(&rng, USERS, ITEMS, 0.15, false);
    f->scores = (struct hard_scores){.users = const_matrix_of(f->users, USERS, D),
                                     .items = const_matrix_of(f->items, ITEMS, D),
                                     .scale = 3,
                                     .bias = f->bias,
                                     .excluded = &f->excluded};
}

static void fixture_release(struct fixture *f)
{
    mem_free(f->users);
    mem_free(f->items);
    sparse_release(&f->excluded);
}

static struct hard_negatives new_hard(size_t count, size_t pool, size_t skip, size_t top_k)
{
    struct status status = {0};
    struct hard_negatives hard = {0};
    const struct hard_settings settings = {
        .count = count, .pool = pool, .skip = skip, .from_epoch = 3, .every = 2, .share = NAN};
    must(hard_negatives_init(&hard, &settings, USERS, ITEMS, top_k, &status), &status);
    return hard;
}

struct scored {
    double score;
    int32_t item;
};

static int by_score(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score) {
        return x->score > y->score ? -1 : 1;
    }
    return x->item - y->item;
}

/* All items of a user, best first. */
static void sort_all(const struct fixture *f, size_t user, struct scored sorted[ITEMS])
{
    for (size_t i = 0; i < ITEMS; i++) {
        double dot = 0;
        for (size_t j = 0; j < D; j++) {
            dot += (double)f->users[user * D + j] * (double)f->items[i * D + j];
        }
        const double bias = f->scores.bias == NULL ? 0 : (double)f->bias[i];
        sorted[i] = (struct scored){(double)f->scores.scale * dot + bias, (int32_t)i};
    }
    qsort(sorted, ITEMS, sizeof *sorted, by_score);
}

static void check_lists(const struct fixture *f, const struct hard_negatives *hard)
{
    const size_t pool = hard->settings.pool, skip = hard->settings.skip;
    for (size_t user = 0; user < USERS; user++) {
        struct scored sorted[ITEMS];
        size_t n = 0;
        sort_all(f, user, sorted);
        for (size_t i = 0; i < ITEMS; i++) {
            if (sparse_has(&f->excluded, user, sorted[i].item)) {
                continue;
            }
            if (n >= skip && n < skip + pool) {
                assert_int_equal(hard->items[user * pool + n - skip], sorted[i].item);
            }
            n++;
        }
        for (size_t r = n > skip ? n - skip : 0; r < pool; r++) {
            assert_int_equal(hard->items[user * pool + r], -1);
        }
    }
}

static void check_thresholds(const struct fixture *f, const struct hard_negatives *hard)
{
    for (size_t user = 0; user < USERS; user++) {
        struct scored sorted[ITEMS];
        sort_all(f, user, sorted);
        const size_t rank = hard->top_k < ITEMS ? hard->top_k - 1 : ITEMS - 1;
        /* float products of unit-size numbers: 1e-4 */
        assert_true(fabs((double)hard->thresholds[user] - sorted[rank].score) < 1e-4);
    }
}

static void lists_and_thresholds_are_those_of_a_full_sort(void **state)
{
    (void)state;
    const size_t cases[][3] = {{12, 5, 20}, {1, 0, 1}, {100, 3, 10}, {4, 38, 90}, {7, 2, 40}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0] * 2; c++) {
        struct status status = {0};
        struct fixture f;
        fixture_init(&f, c);
        f.scores.bias = c % 2 == 0 ? f.bias : NULL;
        struct hard_negatives hard = new_hard(1, cases[c / 2][0], cases[c / 2][1], cases[c / 2][2]);
        must(hard_negatives_refresh(&hard, &f.scores, NULL, &status), &status);
        check_lists(&f, &hard);
        check_thresholds(&f, &hard);
        hard_negatives_release(&hard);
        fixture_release(&f);
    }
}

static void either_is_made_without_the_other(void **state)
{
    (void)state;
    struct status status = {0};
    struct fixture f;
    fixture_init(&f, 5);
    struct hard_negatives lists = new_hard(2, 9, 1, 0), thresholds = new_hard(0, 9, 1, 15);
    struct hard_negatives neither = new_hard(0, 9, 1, 0);
    must(hard_negatives_refresh(&lists, &f.scores, NULL, &status), &status);
    must(hard_negatives_refresh(&thresholds, &f.scores, NULL, &status), &status);
    must(hard_negatives_refresh(&neither, &f.scores, NULL, &status), &status);
    assert_null(lists.thresholds);
    assert_null(thresholds.items);
    check_lists(&f, &lists);
    check_thresholds(&f, &thresholds);
    int32_t item;
    assert_int_equal(hard_negatives_draw(&thresholds, 1, 5, 0, 0, &item), 0);
    for (size_t epoch = 0; epoch < 10; epoch++) {
        assert_false(hard_negatives_due(&neither, epoch));
    }
    hard_negatives_release(&lists);
    hard_negatives_release(&thresholds);
    hard_negatives_release(&neither);
    fixture_release(&f);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    struct status status = {0};
    struct fixture f;
    struct pool *pool = NULL;
    fixture_init(&f, 6);
    must(pool_new(3, &pool, &status), &status);
    struct hard_negatives one = new_hard(3, 20, 2, 20), three = new_hard(3, 20, 2, 20);
    must(hard_negatives_refresh(&one, &f.scores, NULL, &status), &status);
    must(hard_negatives_refresh(&three, &f.scores, pool, &status), &status);
    assert_memory_equal(one.items, three.items, USERS * 20 * sizeof *one.items);
    assert_memory_equal(one.thresholds, three.thresholds, USERS * sizeof *one.thresholds);
    hard_negatives_release(&one);
    hard_negatives_release(&three);
    pool_free(pool);
    fixture_release(&f);
}

static void refreshes_are_due_from_their_epoch_on_at_their_distance(void **state)
{
    (void)state;
    struct hard_negatives hard = new_hard(3, 20, 2, 0);
    const bool expected[] = {false, false, true, false, true, false, true};
    for (size_t done = 0; done < sizeof expected / sizeof expected[0]; done++) {
        assert_int_equal(hard_negatives_due(&hard, done), expected[done]);
    }
    hard_negatives_release(&hard);
}

static void draws_are_distinct_even_and_depend_on_seed_epoch_and_user_alone(void **state)
{
    (void)state;
    enum { COUNT = 5, POOL = 15, EPOCHS = 6000 };
    struct status status = {0};
    struct fixture f;
    int64_t seen[ITEMS] = {0};
    int32_t items[COUNT], again[COUNT];
    size_t n_differ = 0;
    fixture_init(&f, 7);
    struct hard_negatives hard = new_hard(COUNT, POOL, 3, 0);
    assert_int_equal(hard_negatives_draw(&hard, 1, 0, 9, 9, items), 0);
    must(hard_negatives_refresh(&hard, &f.scores, NULL, &status), &status);
    for (size_t epoch = 0; epoch < EPOCHS; epoch++) {
        assert_int_equal(hard_negatives_draw(&hard, 1, epoch, 9, 9, items), COUNT);
        for (size_t d = 0; d < COUNT; d++) {
            seen[items[d]]++;
            for (size_t e = 0; e < d; e++) {
                assert_int_not_equal(items[d], items[e]);
            }
        }
        assert_int_equal(hard_negatives_draw(&hard, 1, epoch, 9, 9, again), COUNT);
        assert_memory_equal(items, again, sizeof items);
        assert_int_equal(hard_negatives_draw(&hard, 2, epoch, 9, 9, again), COUNT);
        n_differ += memcmp(items, again, sizeof items) != 0;
    }
    assert_true(n_differ > EPOCHS * 9 / 10);
    const double expected = EPOCHS * (double)COUNT / POOL;
    double chi = 0;
    for (size_t r = 0; r < POOL; r++) {
        const double gap = (double)seen[hard.items[9 * POOL + r]] - expected;
        chi += gap * gap / expected;
    }
    /* 14 degrees of freedom: 36.1 is the 99.9 % point; draws without replacement scatter less */
    assert_true(chi < 36.1);
    hard_negatives_release(&hard);
    fixture_release(&f);
}

static void a_short_list_gives_all_it_has(void **state)
{
    (void)state;
    struct status status = {0};
    struct fixture f;
    int32_t items[12];
    fixture_init(&f, 8);
    /* all items but 16 are passed over, own positives among those 16 */
    struct hard_negatives hard = new_hard(12, 12, ITEMS - 16, 0);
    must(hard_negatives_refresh(&hard, &f.scores, NULL, &status), &status);
    size_t shorter = 0;
    for (size_t user = 0; user < USERS; user++) {
        const size_t left = ITEMS - sparse_row_length(&f.excluded, user);
        const size_t expected = left > ITEMS - 16 ? left - (ITEMS - 16) : 0;
        assert_int_equal(hard_negatives_draw(&hard, 1, 0, user, user, items),
                         expected < 12 ? expected : 12);
        shorter += expected < 12;
    }
    assert_true(shorter > USERS / 2);
    hard_negatives_release(&hard);
    fixture_release(&f);
}

static void offsets_hold_the_share_that_they_say(void **state)
{
    (void)state;
    struct status status = {0};
    struct sampler sampler = {0};
    int64_t counts[ITEMS];
    for (int64_t i = 0; i < ITEMS; i++) {
        counts[i] = 1 + 300 / (i + 1);
    }
    const struct negative_settings settings = {.strategy = NEGATIVES_ALL, .alpha = 0.5};
    must(sampler_init(&sampler, &settings, counts, ITEMS, &status), &status);
    struct hard_negatives hard = new_hard(4, 20, 0, 0);
    for (int32_t item = 0; item < ITEMS; item++) {
        const double target = sampler.target[item];
        assert_true(fabs((double)hard_negatives_offset(&hard, &sampler, item, 4) -
                         (target + log(20.0 / 4))) < 1e-6);
        hard.settings.share = 0.25;
        assert_true(fabs((double)hard_negatives_offset(&hard, &sampler, item, 3) -
                         (target + log(0.25 * ITEMS / 3))) < 1e-6);
        hard.settings.share = NAN;
    }
    hard_negatives_release(&hard);
    sampler_release(&sampler);
}

static void a_checkpoint_gives_back_lists_and_thresholds(void **state)
{
    (void)state;
    struct status status = {0};
    struct artifact artifact = {0}, empty = {0};
    struct fixture f;
    int32_t a[3], b[3];
    fixture_init(&f, 9);
    artifact_init(&artifact, "checkpoint");
    artifact_init(&empty, "checkpoint");
    struct hard_negatives hard = new_hard(3, 20, 2, 20), back = new_hard(3, 20, 2, 20);
    must(hard_negatives_save(&hard, &empty, &status), &status);
    assert_int_equal(empty.n_arrays, 0);
    must(hard_negatives_refresh(&hard, &f.scores, NULL, &status), &status);
    must(hard_negatives_save(&hard, &artifact, &status), &status);
    must(hard_negatives_load(&back, &artifact, &status), &status);
    assert_true(back.is_ready);
    assert_memory_equal(back.items, hard.items, USERS * 20 * sizeof *hard.items);
    assert_memory_equal(back.thresholds, hard.thresholds, USERS * sizeof *hard.thresholds);
    assert_int_equal(hard_negatives_draw(&hard, 1, 4, 77, 77, a), 3);
    assert_int_equal(hard_negatives_draw(&back, 1, 4, 77, 77, b), 3);
    assert_memory_equal(a, b, sizeof a);
    must(hard_negatives_load(&back, &empty, &status), &status);
    assert_false(back.is_ready);
    hard_negatives_release(&back);

    back = new_hard(3, 21, 2, 20);
    assert_int_equal(hard_negatives_load(&back, &artifact, &status), STATUS_DATA);
    assert_non_null(strstr(status.message, "hard.items: it is 4250 x 20, not 4250 x 21"));
    assert_false(back.is_ready);
    hard_negatives_release(&back);
    status_clear(&status);
    back = new_hard(3, 20, 2, 0);
    ((int32_t *)artifact_find(&artifact, "hard.items")->data)[5] = ITEMS;
    assert_int_equal(hard_negatives_load(&back, &artifact, &status), STATUS_DATA);
    assert_non_null(strstr(status.message, "has item 40, allowed: -1 to 39"));
    hard_negatives_release(&back);
    hard_negatives_release(&hard);
    artifact_release(&artifact);
    artifact_release(&empty);
    fixture_release(&f);
}

static enum status_code stop(void *data, struct status *status)
{
    (*(int *)data)++;
    return status_set(status, STATUS_BUSY, "stopped");
}

static void a_stop_request_and_infinite_scores_end_a_refresh(void **state)
{
    (void)state;
    struct status status = {0};
    struct fixture f;
    int asked = 0;
    fixture_init(&f, 10);
    struct hard_negatives hard = new_hard(3, 20, 2, 20);
    f.scores.watch = (struct watch){.check_stop = stop, .data = &asked};
    assert_int_equal(hard_negatives_refresh(&hard, &f.scores, NULL, &status), STATUS_BUSY);
    assert_int_equal(asked, 1);
    assert_false(hard.is_ready);
    status_clear(&status);
    f.scores.watch.check_stop = NULL;
    f.items[17] = INFINITY;
    assert_int_equal(hard_negatives_refresh(&hard, &f.scores, NULL, &status), STATUS_INTERNAL);
    assert_non_null(strstr(status.message, "not finite"));
    assert_false(hard.is_ready);
    hard_negatives_release(&hard);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_and_thresholds_are_those_of_a_full_sort),
        cmocka_unit_test(either_is_made_without_the_other),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(refreshes_are_due_from_their_epoch_on_at_their_distance),
        cmocka_unit_test(draws_are_distinct_even_and_depend_on_seed_epoch_and_user_alone),
        cmocka_unit_test(a_short_list_gives_all_it_has),
        cmocka_unit_test(offsets_hold_the_share_that_they_say),
        cmocka_unit_test(a_checkpoint_gives_back_lists_and_thresholds),
        cmocka_unit_test(a_stop_request_and_infinite_scores_end_a_refresh),
    };
    return cmocka_run_group_tests_name("hard negatives", tests, NULL, NULL);
}
