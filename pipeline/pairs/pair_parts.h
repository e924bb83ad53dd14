/* The finished rows of an item-by-item product, which each rank has made for its own items, brought
 * to all. */
#ifndef NIGHTJAR_PAIRS_PAIR_PARTS_H
#define NIGHTJAR_PAIRS_PAIR_PARTS_H

#include "math/sparse.h"
#include "pairs/pair_row.h"

/* Whether this rank owns the item. */
bool pair_parts_is_own(const struct pair_rows *rows, size_t item);
/* out (n_items, n_items) = all ranks' rows, of which this one has those of its own items: columns
 * and values from bounds[i] on, lengths[i] of them. A collective. */
MUST_CHECK enum status_code pair_parts_gather(const struct pair_rows *rows, const int64_t *bounds,
                                              const int64_t *lengths, const int32_t *columns,
                                              const float *values, struct sparse *out,
                                              struct status *status);

#endif
