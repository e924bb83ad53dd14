/* The worker pool: every block once, any number of threads, signals stay with the caller. */
#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct job {
    atomic_int *runs; /* (blocks) */
    double *results;  /* (blocks) */
    size_t n_workers;
    atomic_int bad_worker, open_signals;
};

static void count_block(void *data, size_t block, size_t worker)
{
    struct job *job = data;
    atomic_fetch_add(&job->runs[block], 1);
    job->results[block] = (double)block / 3.0;
    if (worker >= job->n_workers) {
        atomic_fetch_add(&job->bad_worker, 1);
    }
    sigset_t mask;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (worker != 0 && sigismember(&mask, SIGTERM) != 1) {
        atomic_fetch_add(&job->open_signals, 1);
    }
}

static void run_and_check(struct pool *pool, size_t n_blocks)
{
    enum { MAX = 1000 };
    static atomic_int runs[MAX];
    static double results[MAX];
    struct job job = {runs, results, pool_threads(pool), 0, 0};
    assert_true(n_blocks <= MAX);
    for (size_t i = 0; i < MAX; i++) {
        atomic_store(&runs[i], 0);
    }
    pool_run(pool, n_blocks, count_block, &job);
    for (size_t i = 0; i < MAX; i++) {
        assert_int_equal(atomic_load(&runs[i]), i < n_blocks ? 1 : 0);
        if (i < n_blocks) {
            assert_true(results[i] == (double)i / 3.0);
        }
    }
    assert_int_equal(atomic_load(&job.bad_worker), 0);
    assert_int_equal(atomic_load(&job.open_signals), 0);
}

static void every_block_runs_exactly_once(void **state)
{
    (void)state;
    static const size_t threads[] = {0, 1, 2, 3, 8};
    static const size_t blocks[] = {0, 1, 2, 7, 1000};
    struct status status = {0};
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        struct pool *pool = NULL;
        assert_int_equal(pool_new(threads[t], &pool, &status), STATUS_OK);
        assert_true(threads[t] == 0 ? pool_threads(pool) >= 1 : pool_threads(pool) == threads[t]);
        for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++) {
            run_and_check(pool, blocks[b]);
        }
        pool_free(pool);
    }
    run_and_check(NULL, 100);
    pool_free(NULL);
}

static void add_block(void *data, size_t block, size_t worker)
{
    (void)worker;
    atomic_fetch_add((atomic_size_t *)data, block + 1);
}

static void many_short_rounds_lose_no_block(void **state)
{
    (void)state;
    struct status status = {0};
    struct pool *pool = NULL;
    assert_int_equal(pool_new(4, &pool, &status), STATUS_OK);
    for (size_t round = 0; round < 2000; round++) {
        atomic_size_t sum = 0;
        size_t n = round % 9;
        pool_run(pool, n, add_block, &sum);
        assert_int_equal(atomic_load(&sum), n * (n + 1) / 2);
    }
    pool_free(pool);
}

static void count_beside(void *data, size_t block, size_t worker)
{
    (void)worker;
    atomic_fetch_add((atomic_size_t *)data, 1000 + block);
}

static void work_beside_runs_once_with_the_next_round_even_without_blocks(void **state)
{
    (void)state;
    static const size_t threads[] = {1, 2, 3};
    struct status status = {0};
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        struct pool *pool = NULL;
        assert_int_equal(pool_new(threads[t], &pool, &status), STATUS_OK);
        for (size_t round = 0; round < 500; round++) {
            atomic_size_t sum = 0, beside = 0;
            size_t n = round % 5;
            pool_beside(pool, count_beside, &beside);
            pool_run(pool, n, add_block, &sum);
            assert_int_equal(atomic_load(&beside), 1000);
            pool_run(pool, n, add_block, &sum);
            assert_int_equal(atomic_load(&beside), 1000);
            assert_int_equal(atomic_load(&sum), n * (n + 1));
        }
        pool_free(pool);
    }
    atomic_size_t beside = 0;
    pool_beside(NULL, count_beside, &beside);
    assert_int_equal(atomic_load(&beside), 1000);
}

static void work_beside_that_was_dropped_never_runs(void **state)
{
    (void)state;
    struct status status = {0};
    struct pool *pool = NULL;
    atomic_size_t sum = 0, beside = 0;
    assert_int_equal(pool_new(2, &pool, &status), STATUS_OK);
    pool_beside(pool, count_beside, &beside);
    pool_drop_beside(pool);
    pool_run(pool, 4, add_block, &sum);
    assert_int_equal(atomic_load(&beside), 0);
    assert_int_equal(atomic_load(&sum), 10);
    pool_free(pool);
    pool_drop_beside(NULL);
}

/* rows[i] counts its visits; a run longer than a block, or an empty one, spoils the first. */
enum { ROWS = 100, BLOCK = 7 };

static void count_rows(void *data, size_t first, size_t last)
{
    atomic_int *rows = data;
    atomic_fetch_add(&rows[0], last - first > BLOCK || first >= last || first % BLOCK != 0);
    for (size_t i = first; i < last; i++) {
        atomic_fetch_add(&rows[i], 1);
    }
}

static void rows_run_once_in_blocks_and_none_where_there_are_none(void **state)
{
    (void)state;
    struct status status = {0};
    struct pool *pool = NULL;
    atomic_int rows[ROWS] = {0};
    assert_int_equal(pool_new(3, &pool, &status), STATUS_OK);
    pool_run_rows(pool, 0, BLOCK, count_rows, rows);
    pool_run_rows(pool, ROWS, BLOCK, count_rows, rows);
    pool_run_rows(NULL, ROWS / BLOCK * BLOCK, BLOCK, count_rows, rows);
    for (size_t i = 0; i < ROWS; i++) {
        assert_int_equal(atomic_load(&rows[i]), i < ROWS / BLOCK * BLOCK ? 2 : 1);
    }
    pool_free(pool);
}

static void the_callers_signal_mask_is_restored(void **state)
{
    (void)state;
    struct status status = {0};
    struct pool *pool = NULL;
    sigset_t before;
    sigset_t after;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(pool_new(3, &pool, &status), STATUS_OK);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int s = 1; s < 32; s++) {
        assert_int_equal(sigismember(&before, s), sigismember(&after, s));
    }
    pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_runs_exactly_once),
        cmocka_unit_test(many_short_rounds_lose_no_block),
        cmocka_unit_test(work_beside_runs_once_with_the_next_round_even_without_blocks),
        cmocka_unit_test(work_beside_that_was_dropped_never_runs),
        cmocka_unit_test(rows_run_once_in_blocks_and_none_where_there_are_none),
        cmocka_unit_test(the_callers_signal_mask_is_restored),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
