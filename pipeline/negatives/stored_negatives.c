/* Draws that end in the work database and in training as they are. */
#include "negatives/stored_negatives.h"

#include <math.h>

enum {
    USERS_PER_BLOCK = 64,
    USERS_BETWEEN_CHECKS = 256 * USERS_PER_BLOCK,
    REDRAWS = 64 /* of a blocked item, before the items that are left are listed */
};

struct store_job {
    const struct stored_request *request;
    size_t first_user;
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

static void store_task(void *data, size_t first, size_t last)
{
    const struct store_job *job = data;
    const struct stored_request *request = job->request;
    const struct sparse *train = request->train;
    for (size_t user = job->first_user + first; user < job->first_user + last; user++) {
        struct rng rng;
        rng_init(&rng, request->seed, "negatives.stored", 0,
                 request->user_keys == NULL ? user : request->user_keys[user]);
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
    const size_t n_users = request->train->n_rows;
    struct store_job job = {.request = request, .stored = stored};
    enum status_code code = STATUS_OK;
    for (; job.first_user < n_users; job.first_user += USERS_BETWEEN_CHECKS) {
        const size_t left = n_users - job.first_user;
        pool_run_rows(pool, left < USERS_BETWEEN_CHECKS ? left : USERS_BETWEEN_CHECKS,
                      USERS_PER_BLOCK, store_task, &job);
        TRY(watch_check(&request->watch, status));
    }
done:
    return code;
}
