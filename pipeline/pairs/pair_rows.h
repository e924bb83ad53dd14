/* The rows of an item-by-item product: sums over users, made one by one by whoever knows what
 * stands in them, in blocks of items on all threads; of each the strongest entries are kept.
 *
 * Under several ranks each makes the rows of the items that it owns (shard_of_item), slice by
 * slice, of what window_parts.h brings of all ranks' users; at the end every rank has all rows.
 * Sums are integers, of PAIR_UNIT, so neither the ranks nor the threads nor the order of users
 * changes them. */
#ifndef NIGHTJAR_PAIRS_PAIR_ROWS_H
#define NIGHTJAR_PAIRS_PAIR_ROWS_H

#include "base/pool.h"
#include "math/sparse.h"
#include "pairs/pair_row.h"

/* out (n_items, n_items), zeroed before. */
MUST_CHECK enum status_code pair_rows_run(const struct pair_rows *rows, struct pool *pool,
                                          struct sparse *out, struct status *status);

#endif
