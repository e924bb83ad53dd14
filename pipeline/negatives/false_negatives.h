/* False negatives: items that a user has not touched but would likely take, because users of the
 * user's own positives often do. With `exclude_neighbours: n` they do not count among the user's
 * negatives (debiasing of the false negatives as in Chuang et al. 2020, arXiv 2007.00224, by
 * leaving out instead of by reweighting). */
#ifndef NIGHTJAR_NEGATIVES_FALSE_NEGATIVES_H
#define NIGHTJAR_NEGATIVES_FALSE_NEGATIVES_H

#include "math/sparse.h"

/* out (n_users, n_items), without values, columns ascending: for each user the union of the
 * n_neighbours strongest partners of each own positive, less the positives themselves. train
 * (n_users, n_items); item_pairs (n_items, n_items) with weights, of equal ones the lower column
 * first. `out` zeroed; release with sparse_release. Time: two walks over train entries x
 * n_neighbours. */
MUST_CHECK enum status_code false_negatives_find(const struct sparse *train,
                                                 const struct sparse *item_pairs,
                                                 size_t n_neighbours, struct sparse *out,
                                                 struct status *status);

#endif
