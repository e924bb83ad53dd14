/* Directed transitions: what followed what.
 *
 *   T[h, i] = sum over users, steps A with h and later steps B with i of
 *             decay^(distance - 1) / sqrt(|A| |B|)
 *   value   = T[h, i] / out(h)^out_exponent / max(in(i), 1)^in_exponent
 *
 * with out and in the row and column sums of T. Steps are the events of a history that have one and
 * the same time: baskets, or single events; nothing depends on an order within them. `distance` is
 * the number of steps from A to B. Which steps are looked at, and how many of their events, stands
 * in pair_windows.h (PAIR_FOLLOWING).
 *
 * The artifact "transitions" (BASIS is fit or all):
 *      BASIS.transitions.*  sparse (n_items, n_items), row = the item before, columns = what
 *                           followed, the strongest of them */
#ifndef NIGHTJAR_PAIRS_TRANSITIONS_H
#define NIGHTJAR_PAIRS_TRANSITIONS_H

#include "base/pool.h"
#include "base/watch.h"
#include "dataset/crowd.h"

struct transition_settings {
    bool given;   /* in the configuration; nobody else asks */
    size_t reach; /* places, as max_positions of PAIR_FOLLOWING; >= 1 */
    double decay; /* in (0, 1] */
    double out_exponent, in_exponent;
    size_t top;            /* strongest values kept per item */
    size_t max_user_items; /* a longer history counts with its newest items only; 0: no cap */
    struct watch watch;    /* told in additions */
    struct crowd crowd;    /* whose histories they are */
};

/* out (n_items, n_items): values > 0, no diagonal, columns ascending; equal values are kept by
 * lower column. `out` zeroed; release with sparse_release. Histories without times are
 * STATUS_CONFIG. Time: the sum over users of (counted items x partners within reach). */
MUST_CHECK enum status_code transitions_count(const struct history *train,
                                              const struct transition_settings *settings,
                                              struct pool *pool, struct sparse *out,
                                              struct status *status);

#endif
