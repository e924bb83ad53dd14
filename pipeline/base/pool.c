/* Worker threads that take block numbers from one shared counter. Rounds often follow one another
 * within microseconds, so whoever waits looks a few times, giving way to others on the machine,
 * before it sleeps. */
#define _GNU_SOURCE /* sched_getaffinity: the cores this process may use, not those that exist */
#include "base/pool.h"

#include "base/hash.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

struct pool {
    size_t n_threads;           /* the caller included */
    size_t n_started;           /* threads that exist: n_threads - 1 once pool_new is through */
    struct worker *workers;     /* (n_threads - 1) */
    pthread_mutex_t mutex;      /* held where `round`, `n_working` or `stop` change what sleepers
                                   wait for */
    pthread_cond_t has_work;    /* a new round began, or stop */
    pthread_cond_t all_done;    /* n_working reached 0 */
    atomic_uint_fast64_t round; /* counts pool_run calls that used the threads */
    atomic_size_t n_working;    /* threads that have not finished this round */
    atomic_bool stop;
    /* of the round: written before it begins */
    pool_task *task;
    void *data;
    size_t n_blocks;
    pool_task *beside; /* or NULL: taken before the first block */
    void *beside_data;
    atomic_size_t next_block; /* the next one to take, counting from the task beside */
};

enum { LOOKS = 32 /* before sleep: some ten microseconds */ };

struct worker {
    struct pool *pool;
    size_t index; /* 1 .. n_threads - 1 */
    pthread_t thread;
};

static void work(struct pool *pool, size_t worker)
{
    size_t first = pool->beside != NULL;
    for (;;) {
        size_t turn = atomic_fetch_add_explicit(&pool->next_block, 1, memory_order_relaxed);
        if (turn >= first + pool->n_blocks) {
            return;
        }
        if (turn < first) {
            pool->beside(pool->beside_data, 0, worker);
        } else {
            pool->task(pool->data, turn - first, worker);
        }
    }
}

static bool has_news(struct pool *pool, uint64_t seen)
{
    return atomic_load(&pool->round) != seen || atomic_load(&pool->stop);
}

static bool is_done(struct pool *pool, uint64_t unused)
{
    (void)unused;
    return atomic_load(&pool->n_working) == 0;
}

/* Waits until is_there(pool, seen): looking first, then asleep on `signal`. */
static void await(struct pool *pool, bool (*is_there)(struct pool *, uint64_t), uint64_t seen,
                  pthread_cond_t *signal)
{
    for (size_t look = 0; look < LOOKS; look++) {
        if (is_there(pool, seen)) {
            return;
        }
        (void)sched_yield();
    }
    (void)pthread_mutex_lock(&pool->mutex);
    while (!is_there(pool, seen)) {
        (void)pthread_cond_wait(signal, &pool->mutex);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct pool *pool = worker->pool;
    uint64_t seen = 0;

    for (;;) {
        await(pool, has_news, seen, &pool->has_work);
        if (atomic_load(&pool->stop)) {
            return NULL;
        }
        seen = atomic_load(&pool->round);
        work(pool, worker->index);
        if (atomic_fetch_sub(&pool->n_working, 1) == 1) {
            (void)pthread_mutex_lock(&pool->mutex);
            (void)pthread_cond_signal(&pool->all_done);
            (void)pthread_mutex_unlock(&pool->mutex);
        }
    }
}

size_t pool_cores(uint64_t *which)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    const bool is_known = sched_getaffinity(0, sizeof cores, &cores) == 0;
    *which = hash_bytes64(&cores, sizeof cores);
    return is_known && CPU_COUNT(&cores) > 1 ? (size_t)CPU_COUNT(&cores) : 1;
}

/* Signals go to the main thread, whose handlers set the stop flag: a worker inherits the mask that
 * is in force while it is made. */
static enum status_code start_workers(struct pool *pool, struct status *status)
{
    sigset_t all;
    sigset_t before;
    enum status_code code = STATUS_OK;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; i + 1 < pool->n_threads; i++) {
        struct worker *worker = &pool->workers[i];
        *worker = (struct worker){.pool = pool, .index = i + 1};
        int error = pthread_create(&worker->thread, NULL, worker_main, worker);
        if (error != 0) {
            code = status_set(status, STATUS_NO_MEMORY,
                              "cannot start worker thread %zu of %zu: %s; ask for fewer threads",
                              i + 1, pool->n_threads - 1, strerror(error));
            break;
        }
        pool->n_started++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

enum status_code pool_new(size_t n_threads, struct pool **out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct pool *pool = NULL;

    uint64_t which;

    TRY(MEM_NEW(&pool, 1, status));
    pool->n_threads = n_threads == 0 ? pool_cores(&which) : n_threads;
    (void)pthread_mutex_init(&pool->mutex, NULL);
    (void)pthread_cond_init(&pool->has_work, NULL);
    (void)pthread_cond_init(&pool->all_done, NULL);
    atomic_init(&pool->next_block, 0);
    atomic_init(&pool->round, 0);
    atomic_init(&pool->n_working, 0);
    atomic_init(&pool->stop, false);
    TRY(MEM_NEW(&pool->workers, pool->n_threads - 1, status));
    TRY(start_workers(pool, status));
    *out = pool;
    pool = NULL;
done:
    pool_free(pool);
    return code;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->stop, true);
    (void)pthread_cond_broadcast(&pool->has_work);
    (void)pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 0; i < pool->n_started; i++) {
        (void)pthread_join(pool->workers[i].thread, NULL);
    }
    (void)pthread_cond_destroy(&pool->all_done);
    (void)pthread_cond_destroy(&pool->has_work);
    (void)pthread_mutex_destroy(&pool->mutex);
    mem_free(pool->workers);
    mem_free(pool);
}

size_t pool_threads(const struct pool *pool)
{
    return pool == NULL ? 1 : pool->n_threads;
}

static bool is_alone(const struct pool *pool)
{
    return pool == NULL || pool->n_threads == 1;
}

void pool_beside(struct pool *pool, pool_task *task, void *data)
{
    if (is_alone(pool)) {
        task(data, 0, 0);
        return;
    }
    assert(pool->beside == NULL);
    pool->beside = task;
    pool->beside_data = data;
}

void pool_drop_beside(struct pool *pool)
{
    if (pool != NULL) {
        pool->beside = NULL;
    }
}

void pool_run(struct pool *pool, size_t n_blocks, pool_task *task, void *data)
{
    if (is_alone(pool) || (n_blocks <= 1 && pool->beside == NULL)) {
        for (size_t block = 0; block < n_blocks; block++) {
            task(data, block, 0);
        }
        return;
    }
    assert(atomic_load(&pool->n_working) == 0);
    pool->task = task;
    pool->data = data;
    pool->n_blocks = n_blocks;
    atomic_store(&pool->next_block, 0);
    atomic_store(&pool->n_working, pool->n_threads - 1);
    (void)pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->round, 1);
    (void)pthread_cond_broadcast(&pool->has_work);
    (void)pthread_mutex_unlock(&pool->mutex);
    work(pool, 0);
    await(pool, is_done, 0, &pool->all_done);
    pool->beside = NULL;
}

struct rows_loop {
    pool_rows_task *task;
    void *data;
    size_t n, block;
};

static void rows_block(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct rows_loop *loop = data;
    const size_t first = block * loop->block, left = loop->n - first;
    loop->task(loop->data, first, left < loop->block ? loop->n : first + loop->block);
}

void pool_run_rows(struct pool *pool, size_t n, size_t block, pool_rows_task *task, void *data)
{
    struct rows_loop loop = {task, data, n, block};
    pool_run(pool, (n + block - 1) / block, rows_block, &loop);
}
