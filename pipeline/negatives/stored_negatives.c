/* Draws that end in the work database and in training as they are. */
#include "negatives/stored_negatives.h"

#include <math.h>

enum {
    USERS_PER_BLOCK = 64,
    BLOCKS_BETWEEN_CHECKS = 256,
    REDRAWS = 64 /* of a blocked item, before the items that are left are listed */
};

struct store_job {
    const struct stored_request *request;
    size_t first_block;
    int32_t *stored; /* (train entries, n_stored) */
};

/* An item that is not blocked for the user, in proportion to the proposal: walks through all items.
 * When there is none, `positive` itself. */
static int32_t draw_from_rest(const struct stored_request *request, struct rng *rng, size_t user,
                              int32_t positive)
{
    const struct sampler *sampler = request->sampler;
    double total = 0;
    int32_t chosen = positive;
    /* reservoir sampling: item c takes the place with probability q_c over the sum so far */
    for (size_t c = 0; c < sampler->n_items; c++) {
        const double q = exp(sampler->log_q[c]);
        if (q > 0 && !sparse_has(request->blocked, user, (int32_t)c)) {
            total += q;
            chosen = rng_double(rng) * total < q ? (int32_t)c : chosen;
        }
    }
    return chosen;
}

static int32_t draw_other(const struct stored_request *request, struct rng *rng, size_t user,
                          int32_t positive)
{
    int32_t item = 0;
    if (sparse_row_length(request->blocked, user) == request->blocked->n_columns) {
        return positive;
    }
    for (int redraw = 0; redraw < REDRAWS; redraw++) {
        sampler_draw_each(request->sampler, rng, 1, &item, NULL);
        if (!sparse_has(request->blocked, user, item)) {
            return item;
        }
    }
    return draw_from_rest(request, rng, user, positive);
}

static void store_task(void *data, size_t block, size_t worker)
{
    const struct store_job *job = data;
    const struct stored_request *request = job->request;
    const struct sparse *train = request->train;
    size_t user = (job->first_block + block) * USERS_PER_BLOCK;
    const size_t end =
        user + USERS_PER_BLOCK < train->n_rows ? user + USERS_PER_BLOCK : train->n_rows;
    (void)worker;
    for (; user < end; user++) {
        struct rng rng;
        rng_init(&rng, request->seed, "negatives.stored", 0, user);
        for (int64_t e = train->offsets[user]; e < train->offsets[user + 1]; e++) {
            int32_t *stored = job->stored + (size_t)e * request->n_stored;
            if (request->blocked == NULL) {
                sampler_draw_each(request->sampler, &rng, request->n_stored, stored, NULL);
                continue;
            }
            for (size_t d = 0; d < request->n_stored; d++) {
                stored[d] = draw_other(request, &rng, user, train->columns[e]);
            }
        }
    }
}

enum status_code stored_negatives_draw(const struct stored_request *request, struct pool *pool,
                                       int32_t *stored, struct status *status)
{
    const size_t n_blocks = (request->train->n_rows + USERS_PER_BLOCK - 1) / USERS_PER_BLOCK;
    struct store_job job = {.request = request, .stored = stored};
    enum status_code code = STATUS_OK;
    for (; job.first_block < n_blocks; job.first_block += BLOCKS_BETWEEN_CHECKS) {
        const size_t left = n_blocks - job.first_block;
        pool_run(pool, left < BLOCKS_BETWEEN_CHECKS ? left : BLOCKS_BETWEEN_CHECKS, store_task,
                 &job);
        TRY(watch_check(&request->watch, status));
    }
done:
    return code;
}
