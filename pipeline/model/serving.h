/* Makes the lists that are published: exact top-k for every user of the log (and, when asked, for
 * users that only the side data have), similar items and the popular list, in served codes
 * (served_ids.h).
 *
 * Where a row comes from:
 *   model    the user has a row in the towers, and so has the item: the blended score of
 *            evidence.h, n_i and evidence of the towers' basis; the history is the user's whole log
 *            without items that were disliked since
 *   cold     the same score, where the towers have a row for one of the two at most. A cold user's
 *            vector is the one that the towers encoded (of a history that training did not know, or
 *            of side data), else the normalised mean of the vectors of the history's items. A cold
 *            item's vector is the one that the towers encoded of its side data; it has no evidence
 *            and the popularity of an item without users (towers_cold_bias)
 *   popular  the user has no vector: items by their number of users in the log;
 *            score = log(1 + that number)
 * A list of the towers covers items with vectors. Where fewer than `top` of them are left, the rest
 * of the catalogue follows by popularity, as rows of the source popular, whose scores compare with
 * one another only. Equal scores stand by the lower item code. The catalogue is what the log shows:
 * an item without any accepted event there and without a vector is never recommended. What is not
 * eligible by the rules stands in no list, whatever its source, but has similar items of its own.
 */
#ifndef NIGHTJAR_MODEL_SERVING_H
#define NIGHTJAR_MODEL_SERVING_H

#include "base/pool.h"
#include "model/evidence.h"
#include "model/recommendations.h"
#include "model/served_ids.h"
#include "model/serving_rules.h"
#include "model/towers.h"

struct serving_request {
    const struct interactions *interactions;
    const struct towers *towers;
    const struct served_ids *users, *items; /* of these interactions and towers */
    struct score_weights weights;
    const struct evidence *evidence; /* of the towers' basis; NULL: gamma is 0 */
    size_t top;                      /* > 0: rows a user */
    bool exclude_seen;               /* items of the user's log are left out */
    bool exclude_disliked;           /* items are left out whose last word is the user's dislike */
    bool cold_items; /* the towers' cold items stand among recommendations and similar items */
    bool cold_users; /* users without an event but with a vector get lists, too */
    const struct serving_rules *rules; /* eligible items, excluded pairs; NULL: none */
    size_t similar;                    /* similar items per item; 0: none */
    size_t popular;                    /* items of the popular list; 0: none */
    /* called between blocks of lists; another code than STATUS_OK abandons; may be NULL */
    enum status_code (*between)(void *data, double done, double total, struct status *status);
    void *data;
};

/* `out` zeroed; release with recommendations_release. A list has exactly `top` rows whenever there
 * are as many items that the user may get. */
MUST_CHECK enum status_code serving_run(const struct serving_request *request, struct pool *pool,
                                        struct recommendations *out, struct status *status);

#endif
