/* Positive item-item co-interaction pairs out of user histories. Weightings are rows of a table in
 * item_pairs.c, each with its formula and source. Interactions count as present or absent here:
 * their weights belong to the user-item positives.
 *
 * The artifact "pairs" (BASIS is fit or all):
 *      BASIS.user_item    F32 (train entries)  weight of each positive, in the order of the train
 *                                              matrix; absent: every positive weighs 1
 *      BASIS.item_item.*  sparse (n_items, n_items), absent when no item pairs were asked for
 * The artifact "evidence":
 *      BASIS.evidence.*   sparse (n_items, n_items), absent when no evidence was asked for
 *
 * The ten items most often bought by the same users as item i:
 *
 *     const struct pair_settings settings = {
 *         .window = PAIR_WHOLE_HISTORY, .min_count = 2, .top = 10};
 *     struct sparse pairs = {0};
 *     TRY(pairs_item_item(&dataset->train, &settings, pool, &pairs, status));
 *     for (int64_t e = pairs.offsets[i]; e < pairs.offsets[i + 1]; e++) {
 *         use(pairs.columns[e], pairs.values[e]);
 *     }
 *     sparse_release(&pairs); */
#ifndef NIGHTJAR_PAIRS_ITEM_PAIRS_H
#define NIGHTJAR_PAIRS_ITEM_PAIRS_H

#include "pairs/pair_windows.h"

extern const char *const pair_weighting_names[]; /* count, cosine, pmi, lift, ultragcn,
                                                    degree_normalised; NULL-terminated */
/* The place of one of these names. */
int pair_weighting_named(const char *name);

/* out (n_items, n_items): row = anchor item, entries = its strongest partners, value = weight > 0,
 * no diagonal. Equal weights are kept by lower column. `out` zeroed; release with sparse_release.
 * A window on histories without times is STATUS_CONFIG. Time: the sum over users of (counted items
 * x partners within the window). */
MUST_CHECK enum status_code pairs_item_item(const struct history *train,
                                            const struct pair_settings *settings, struct pool *pool,
                                            struct sparse *out, struct status *status);

#endif
