/* What every metric of the towers is shown beside: popularity and item-item cosine. Both rank all
 * items of a dataset for some of its users, but what they have already. */
#ifndef NIGHTJAR_EVALUATION_BASELINES_H
#define NIGHTJAR_EVALUATION_BASELINES_H

#include "base/pool.h"
#include "base/watch.h"
#include "math/sparse.h"
#include "dataset/crowd.h"

struct baseline_request {
    const struct dataset *dataset;
    const int32_t *rows; /* (n_rows) dataset rows of the users to rank for */
    size_t n_rows;
    const uint32_t *tie_rank; /* (n_items) equal scores: lower first */
    size_t k;
    const struct sparse *exclude; /* (users, items) not to be ranked */
    const float *entry_weights;   /* (train entries) what each counts for item-item; NULL: 1 */
};

/* items (n_rows, k): columns, best first; -1 ends a list when fewer than k items are left. */

/* The first k of an order that each row does not exclude. */
struct order_request {
    const int32_t *order; /* (n_items) best first */
    size_t n_items;
    const struct sparse *exclude; /* (its rows, n_items) */
    const int32_t *rows;          /* (n_rows) rows of `exclude` */
    size_t n_rows, k;
};
void baseline_in_order(const struct order_request *request, struct pool *pool, int32_t *items);

/* order (n_items) = the items by falling popularity, equal ones by tie_rank. */
MUST_CHECK enum status_code baseline_order(const double *popularity, const uint32_t *tie_rank,
                                           size_t n_items, int32_t *order, struct status *status);

/* By sum over the user's train items h of w[h][i], times the weight of h: item-based top-n
 * (Deshpande and Karypis, TOIS 2004) with plain sums. Items without any weight follow in tie order.
 */
MUST_CHECK enum status_code baseline_item_item(const struct baseline_request *request,
                                               const struct sparse *weights, struct pool *pool,
                                               int32_t *items, struct status *status);

/* w of the item-item baseline: cosine over whole histories, the 500 strongest partners of each
 * item. `weights` zeroed; release with sparse_release. `crowd`: whose rows the dataset has. */
MUST_CHECK enum status_code baseline_item_weights(const struct dataset *dataset,
                                                  const struct crowd *crowd,
                                                  const struct watch *watch, struct pool *pool,
                                                  struct sparse *weights, struct status *status);

#endif
