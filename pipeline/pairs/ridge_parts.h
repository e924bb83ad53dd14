/* The items of the regressions, slice by slice; and, of several ranks, the products that each has
 * made of its own users, brought to the ranks that own the items. */
#ifndef NIGHTJAR_PAIRS_RIDGE_PARTS_H
#define NIGHTJAR_PAIRS_RIDGE_PARTS_H

#include "math/sparse.h"
#include "ranks/shards.h"

/* Zero-initialise, but for the first two. An item with n partners has n (n + 1) / 2 products, most
 * of them 0 where users are few: those are not sent. */
struct ridge_parts {
    struct ranks *ranks;
    const struct sparse *partners; /* (n_items, n_items) of each item; the same on all ranks */
    size_t first_item, end_item;   /* the slice */
    size_t *slots;                 /* (items of the slice + 1) in `packed`: room for all products */
    size_t *lengths;               /* (items) of a slot what is used */
    struct ranks_bytes packed;     /* of this rank's users, for all items of the slice ... */
    struct ranks_bytes send;       /* ... and the same by rank */
    struct ranks_bytes received;   /* of all ranks' users, for the items that are this rank's */
    const char **places;           /* (items, ranks) of an own item: where each rank's part is */
};

/* The slice behind the one before: as much as fits into the memory that a slice may take. */
void ridge_parts_next(struct ridge_parts *parts);
/* Room for the slice. */
MUST_CHECK enum status_code ridge_parts_reserve(struct ridge_parts *parts, struct status *status);
/* This rank's products of an item. */
void ridge_parts_put(struct ridge_parts *parts, size_t item, const int64_t *products);
/* A collective, once they are there. */
MUST_CHECK enum status_code ridge_parts_exchange(struct ridge_parts *parts, struct status *status);
/* products = those of an own item over the users of all ranks. */
void ridge_parts_add(const struct ridge_parts *parts, size_t item, int64_t *products);
void ridge_parts_release(struct ridge_parts *parts);

#endif
