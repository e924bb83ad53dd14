/* A slice of an item-by-item product that every rank has made of its own users: brought to the
 * ranks that own the items, whose rows are the sums. Of one rank nothing is sent, and nobody comes
 * here. */
#ifndef NIGHTJAR_PAIRS_PAIR_PARTS_H
#define NIGHTJAR_PAIRS_PAIR_PARTS_H

#include "math/sparse.h"
#include "pairs/pair_row.h"

/* Zero-initialise, but for the rows. */
struct pair_parts {
    const struct pair_rows *rows;
    size_t first_item, end_item; /* the slice */
    int64_t *bounds;             /* (items of it + 1) a row's entries from bounds[i] on ... */
    int64_t *lengths;            /* ... (items) so many */
    int32_t *partners, *counts;  /* (bounds[items]); counts and sums NULL: not asked for */
    int64_t *sums;
    size_t n_entries; /* that there is room for in these */
    struct ranks_bytes send, received;
    const char **places; /* (items, ranks) of an own item: where each rank's part of it begins */
};

/* Whether this rank owns the item. */
bool pair_parts_is_own(const struct pair_rows *rows, size_t item);
/* Room for the rows of [first_item, end_item). */
MUST_CHECK enum status_code pair_parts_begin(struct pair_parts *parts, size_t first_item,
                                             size_t end_item, struct status *status);
/* The row `item` is what stands in the scratch, which is empty then. */
void pair_parts_take(struct pair_parts *parts, size_t item, struct row_scratch *scratch);
/* A collective, once the slice's rows are taken. */
MUST_CHECK enum status_code pair_parts_exchange(struct pair_parts *parts, struct status *status);
/* Adds the parts of all ranks of an own item to the scratch. */
void pair_parts_add(const struct pair_parts *parts, size_t item, struct row_scratch *scratch);
void pair_parts_release(struct pair_parts *parts);

/* out (n_items, n_items) = all ranks' rows, of which this one has those of its own items: columns
 * and values from bounds[i] on, lengths[i] of them. A collective. */
MUST_CHECK enum status_code pair_parts_gather(const struct pair_rows *rows, const int64_t *bounds,
                                              const int64_t *lengths, const int32_t *columns,
                                              const float *values, struct sparse *out,
                                              struct status *status);

#endif
