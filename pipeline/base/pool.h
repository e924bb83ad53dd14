/* Worker threads for loops over fixed blocks. What a block is depends on data and options, never on
 * the number of threads; so results are the same bytes with any number of them, as long as a task
 * writes only what belongs to its block (or to its worker, where the result does not depend on it).
 */
#ifndef NIGHTJAR_BASE_POOL_H
#define NIGHTJAR_BASE_POOL_H

#include "base/status.h"

struct pool;

/* `worker` is in [0, pool_threads): the index of per-thread scratch memory. */
typedef void pool_task(void *data, size_t block, size_t worker);

/* How many cores this process may use (sched_getaffinity); *which is the same for the same ones. */
size_t pool_cores(uint64_t *which);
/* n_threads 0 means all of pool_cores. The calling thread is
 * worker 0; n_threads - 1 threads are started, with all signals blocked. */
MUST_CHECK enum status_code pool_new(size_t n_threads, struct pool **out, struct status *status);
void pool_free(struct pool *pool); /* NULL allowed; joins the threads */

size_t pool_threads(const struct pool *pool); /* NULL gives 1 */

/* Runs task(data, b, worker) for every b in [0, n_blocks), in any order; returns when all are done.
 * pool NULL runs inline. Not reentrant: a task must not call pool_run. */
void pool_run(struct pool *pool, size_t n_blocks, pool_task *task, void *data);

/* The same over rows: task(data, first, last) for every `block` rows of [0, n). */
typedef void pool_rows_task(void *data, size_t first, size_t last);
void pool_run_rows(struct pool *pool, size_t n, size_t block, pool_rows_task *task, void *data);

/* Lets the next pool_run do task(data, 0, worker), too: work that cannot be divided, that shares
 * nothing with the blocks and does not call pool_run. One at a time. A thread takes it up before
 * any block. With one thread, or pool NULL, it is done at once. */
void pool_beside(struct pool *pool, pool_task *task, void *data);
/* Forgets it when pool_run did not come to it: before `data` goes. NULL allowed. */
void pool_drop_beside(struct pool *pool);

#endif
