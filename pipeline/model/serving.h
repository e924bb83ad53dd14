/* Makes the lists that are published: exact top-k for every user of the master vocabulary, similar
 * items and the popular list.
 *
 * Where a user's list comes from:
 *   model    the user has a row in the towers:
 *            the blended score of evidence.h, n_i and evidence of the towers' basis; the history
 *            is the user's whole log
 *   cold     no row, but items with vectors in the log: the same score, with the normalised mean of
 *            those vectors as the user's
 *   popular  neither: items by their number of users in the log; score = log(1 + that number)
 * A model or cold list covers items with vectors. Where fewer than `top` of them are left, the rest
 * of the catalogue follows by popularity, as rows of the source popular; scores compare within one
 * source only. Equal scores stand by the lower item code. The catalogue is what the log shows: an
 * item without any accepted event there is never recommended. */
#ifndef NIGHTJAR_MODEL_SERVING_H
#define NIGHTJAR_MODEL_SERVING_H

#include "base/pool.h"
#include "model/evidence.h"
#include "model/recommendations.h"
#include "model/towers.h"

struct serving_request {
    const struct interactions *interactions;
    const struct towers *towers;
    struct score_weights weights;
    const struct evidence *evidence; /* of the towers' basis; NULL: gamma is 0 */
    size_t top;                      /* > 0: rows a user */
    bool exclude_seen;               /* items of the user's log are left out */
    size_t similar;                  /* similar items per item; 0: none */
    size_t popular;                  /* items of the popular list; 0: none */
    /* called between blocks of lists; another code than STATUS_OK abandons; may be NULL */
    enum status_code (*between)(void *data, double done, double total, struct status *status);
    void *data;
};

/* `out` zeroed; release with recommendations_release. A list has exactly `top` rows whenever the
 * catalogue holds as many eligible items. */
MUST_CHECK enum status_code serving_run(const struct serving_request *request, struct pool *pool,
                                        struct recommendations *out, struct status *status);

#endif
