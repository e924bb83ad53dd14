/* Negatives drawn once for each positive and kept, instead of anew in every batch.
 *
 *     const struct stored_request request = {
 *         .sampler = &sampler, .train = &train, .seed = 1, .n_stored = 8};
 *     TRY(stored_negatives_draw(&request, pool, stored, status));
 *     stored[8 e .. 8 e + 8) are the negatives of train's entry e */
#ifndef NIGHTJAR_NEGATIVES_STORED_NEGATIVES_H
#define NIGHTJAR_NEGATIVES_STORED_NEGATIVES_H

#include "base/pool.h"
#include "base/watch.h"
#include "math/sparse.h"
#include "negatives/sampler.h"

struct stored_request {
    const struct sampler *sampler; /* strategies uniform and popularity */
    const struct sparse *train;    /* (n_users, n_items) positives */
    const struct sparse *blocked;  /* (n_users, n_items) what is not drawn for a user; NULL: nothing
                                    */
    uint64_t seed;
    const uint64_t *user_keys; /* (n_users) of their streams; NULL: their rows */
    size_t n_stored;           /* of each positive */
    struct watch watch;        /* asked now and then */
};

/* stored (train entries, n_stored): items in the order of the train matrix, from the stream (seed,
 * user). Of a user for whom every item that can be drawn is blocked: the positive itself. */
MUST_CHECK enum status_code stored_negatives_draw(const struct stored_request *request,
                                                  struct pool *pool, int32_t *stored,
                                                  struct status *status);

#endif
