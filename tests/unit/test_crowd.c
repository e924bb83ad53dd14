/* What is summed over users who are spread over ranks, against one process that has all of them.
 * Alone it is one rank; `mpirun -n 4 test_crowd` of a build with MPI is four. */
#include "base/mem.h"
#include "pairs/item_pairs.h"
#include "pairs/ridge.h"
#include "pairs/transitions.h"
#include "tests/support/random_matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { USERS = 300, ITEMS = 150 };

static struct ranks *ranks;
static struct vocabulary ids;
static int32_t everybody[USERS];

/* The same log twice: with all users, and with those of this rank. */
struct logs {
    struct history all, own;
    int32_t *codes; /* of the own ones */
    size_t n_own;
    struct crowd here, alone;
};

static struct history take(const struct history *all, const int32_t *rows, size_t n)
{
    struct status status = {0};
    struct history taken = {0};
    assert_int_equal(sparse_gather(&all->matrix, rows, n, &taken.matrix, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&taken.times, sparse_entries(&taken.matrix) + 1, &status), STATUS_OK);
    for (size_t r = 0; r < n; r++) {
        memcpy(taken.times + taken.matrix.offsets[r], all->times + all->matrix.offsets[rows[r]],
               sparse_row_length(&taken.matrix, r) * sizeof *taken.times);
    }
    return taken;
}

static struct logs make_logs(uint64_t seed)
{
    struct logs logs = {0};
    struct status status = {0};
    struct rng rng;
    rng_init(&rng, seed, "test.crowd", 0, 0);
    logs.all.matrix = random_sparse(&rng, USERS, ITEMS, 0.15, true);
    const size_t n = sparse_entries(&logs.all.matrix);
    assert_int_equal(MEM_NEW(&logs.all.times, n, &status), STATUS_OK);
    for (size_t e = 0; e < n; e++) {
        logs.all.times[e] = 1700000000 + (int64_t)rng_below(&rng, 9) * 86400;
    }
    assert_int_equal(MEM_NEW(&logs.codes, USERS, &status), STATUS_OK);
    logs.alone = (struct crowd){NULL, &ids, everybody};
    for (size_t u = 0; u < USERS; u++) {
        if (ranks_owner(ranks, shard_of_key(crowd_key(&logs.alone, u))) == ranks_mine(ranks)) {
            logs.codes[logs.n_own++] = (int32_t)u;
        }
    }
    logs.here = (struct crowd){ranks, &ids, logs.codes};
    logs.own = take(&logs.all, logs.codes, logs.n_own);
    return logs;
}

static void release_logs(struct logs *logs)
{
    history_release(&logs->all);
    history_release(&logs->own);
    mem_free(logs->codes);
}

static void assert_same(struct sparse *ours, struct sparse *theirs)
{
    const size_t n = sparse_entries(theirs);
    assert_int_equal(sparse_entries(ours), n);
    assert_true(n > 0);
    assert_memory_equal(ours->offsets, theirs->offsets,
                        (theirs->n_rows + 1) * sizeof *ours->offsets);
    assert_memory_equal(ours->columns, theirs->columns, n * sizeof *ours->columns);
    assert_memory_equal(ours->values, theirs->values, n * sizeof *ours->values);
    sparse_release(ours);
    sparse_release(theirs);
}

static void pairs_do_not_depend_on_where_users_are(void **state)
{
    (void)state;
    struct logs logs = make_logs(1);
    struct status status = {0};
    const enum pair_window windows[] = {PAIR_WHOLE_HISTORY, PAIR_TIME_GAP, PAIR_POSITIONS};
    for (int w = 0; pair_weighting_names[w] != NULL; w++) {
        struct pair_settings settings = {.window = windows[w % 3],
                                         .max_gap = 86400,
                                         .max_positions = 4,
                                         .weighting = w,
                                         .min_count = 1 + w % 2,
                                         .top = 20,
                                         .max_user_items = 15};
        struct sparse ours = {0}, theirs = {0};
        settings.crowd = logs.here;
        assert_int_equal(pairs_item_item(&logs.own, &settings, NULL, &ours, &status), STATUS_OK);
        settings.crowd = logs.alone;
        assert_int_equal(pairs_item_item(&logs.all, &settings, NULL, &theirs, &status), STATUS_OK);
        assert_same(&ours, &theirs);
    }
    release_logs(&logs);
}

static void transitions_do_not_depend_on_where_users_are(void **state)
{
    (void)state;
    struct logs logs = make_logs(2);
    struct status status = {0};
    struct sparse ours = {0}, theirs = {0};
    struct transition_settings settings = {.reach = 6,
                                           .decay = 0.7,
                                           .out_exponent = 0.5,
                                           .in_exponent = 0.25,
                                           .top = 30,
                                           .max_user_items = 12,
                                           .crowd = logs.here};
    assert_int_equal(transitions_count(&logs.own, &settings, NULL, &ours, &status), STATUS_OK);
    settings.crowd = logs.alone;
    assert_int_equal(transitions_count(&logs.all, &settings, NULL, &theirs, &status), STATUS_OK);
    assert_same(&ours, &theirs);
    release_logs(&logs);
}

static void regressions_do_not_depend_on_where_users_are(void **state)
{
    (void)state;
    static const double strengths[] = {3, 30};
    struct logs logs = make_logs(3);
    struct status status = {0};
    struct ridge_settings settings = {.partners = 25,
                                      .strengths = strengths,
                                      .n_strengths = 2,
                                      .half_life = 5,
                                      .max_user_items = 15};
    struct ridge ours = {0}, theirs = {0};
    settings.crowd = logs.here;
    assert_int_equal(ridge_init(&ours, &logs.own, &settings, NULL, &status), STATUS_OK);
    settings.crowd = logs.alone;
    assert_int_equal(ridge_init(&theirs, &logs.all, &settings, NULL, &status), STATUS_OK);
    for (size_t s = 0; s < 2; s++) {
        struct sparse a = {0}, b = {0};
        assert_int_equal(ridge_pairs(&ours, s, &a, &status), STATUS_OK);
        assert_int_equal(ridge_pairs(&theirs, s, &b, &status), STATUS_OK);
        assert_same(&a, &b);
    }
    ridge_release(&ours);
    ridge_release(&theirs);
    release_logs(&logs);
}

/* Who is drawn, and the order of places, as master codes: on every rank what one process says. */
static void samples_and_places_are_of_all_users(void **state)
{
    (void)state;
    struct logs logs = make_logs(4);
    struct status status = {0};
    for (size_t most = 0; most <= USERS + 100; most += 100) {
        int32_t rows[USERS], places[USERS];
        double order[2][USERS] = {{0}};
        size_t n_all[2] = {0};
        for (size_t i = 0; i < 2; i++) {
            const struct crowd *crowd = i == 0 ? &logs.here : &logs.alone;
            size_t n = i == 0 ? logs.n_own : USERS;
            memcpy(rows, everybody, sizeof rows);
            assert_int_equal(crowd_sample(crowd, rows, &n, most, 7, "test", &status), STATUS_OK);
            assert_int_equal(crowd_places(crowd, rows, n, places, &n_all[i], &status), STATUS_OK);
            for (size_t a = 0; a < n; a++) {
                order[i][places[a]] = crowd->codes[rows[a]];
            }
            assert_int_equal(crowd_join(crowd, order[i], USERS, &status), STATUS_OK);
        }
        assert_int_equal(n_all[0], most < USERS ? most : USERS);
        assert_int_equal(n_all[0], n_all[1]);
        assert_memory_equal(order[0], order[1], sizeof order[0]);
    }
    release_logs(&logs);
}

static int open_ranks(void **state)
{
    (void)state;
    struct status status = {0};
    int32_t code;
    for (int32_t u = 0; u < USERS; u++) {
        if (vocabulary_add_integer(&ids, 1000 + 7 * (int64_t)u, &code, &status) != STATUS_OK) {
            return -1;
        }
        everybody[u] = u;
    }
    return ranks_open(&ranks, &status) == STATUS_OK ? 0 : -1;
}

static int close_ranks(void **state)
{
    (void)state;
    ranks_close(ranks);
    vocabulary_release(&ids);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_do_not_depend_on_where_users_are),
        cmocka_unit_test(transitions_do_not_depend_on_where_users_are),
        cmocka_unit_test(regressions_do_not_depend_on_where_users_are),
        cmocka_unit_test(samples_and_places_are_of_all_users),
    };
    return cmocka_run_group_tests(tests, open_ranks, close_ranks);
}
