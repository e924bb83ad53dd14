/* Vectors of what is new tonight, made of those that are known: an item's of the users who have it,
 * a user's of the items then; what has neither begins with the mean of all items. */
#ifndef NIGHTJAR_CATCH_UP_NEWCOMERS_H
#define NIGHTJAR_CATCH_UP_NEWCOMERS_H

#include "base/status.h"
#include "math/sparse.h"

/* One kind of vectors, zeros where there is none yet; users by row, or in the order of the active
 * ones. */
struct known_vectors {
    float *users, *items; /* (n, d) unit length */
    size_t d;
    bool are_by_row;
};

/* Brings to unit length. False, and zeros, where there is nothing of a direction. */
bool known_normalise(float *vector, size_t d);
bool known_is_missing(const float *vector, size_t d);
/* out (d) = the direction of the mean of the items' vectors; false: there is none. */
bool known_mean_of_items(const struct known_vectors *known, const int32_t *items, size_t n,
                         float *out);
/* New items by the users of tonight who are known, new users by their items then. train (all users,
 * all items), active (n_active) rows of it. */
MUST_CHECK enum status_code newcomers_start(const struct known_vectors *known,
                                            const struct sparse *train, const int32_t *active,
                                            size_t n_active, struct status *status);

#endif
