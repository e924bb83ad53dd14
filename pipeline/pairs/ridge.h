/* Learned item-item evidence: who has item i, foretold by a ridge regression from who has its
 * strongest partners S(i), which are those of the greatest cosine. With X the interactions, each of
 * them 1, or 2^(-age / half_life) where what is old counts less,
 *
 *   b = argmin |X_i - X_S b|^2 + sum over s in S of penalty_s b_s^2
 *       penalty_s = strength sqrt(n_s), n_s = |X_s|^2, the train users of s where all count 1
 *
 * With every other item for S and one penalty for all this is EASE (Steck 2019, Embarrassingly
 * shallow autoencoders for sparse data, eq. 8); few partners make it sparse as SLIM is (Ning and
 * Karypis 2011) without an l1 term. Coefficients below 0 are dropped: what speaks for an item, not
 * what speaks against it. tests/bench/README.md has what that costs or gains.
 *
 * One call solves for several strengths, which share all but the last step:
 *
 *     TRY(ridge_init(&ridge, &dataset->train, &settings, pool, status));
 *     TRY(ridge_pairs(&ridge, s, &pairs, status));      of settings.strengths[s]
 *     ridge_release(&ridge);
 *
 * The artifact "ridge" (BASIS is fit or all):
 *      BASIS.ridge.*  sparse (n_items, n_items), row = the partner s, columns = the items i that it
 *                     speaks for, value b_s > 0 */
#ifndef NIGHTJAR_PAIRS_RIDGE_H
#define NIGHTJAR_PAIRS_RIDGE_H

#include "base/pool.h"
#include "base/watch.h"
#include "dataset/crowd.h"

struct ridge_settings {
    size_t partners;       /* of an item, >= 1 */
    size_t max_user_items; /* of a longer history the newest items alone name partners; 0: no cap */
    const double *strengths; /* (n_strengths) > 0 */
    size_t n_strengths;
    double half_life;   /* days, ages counted from the newest event; 0, or without times: none */
    struct watch watch; /* told in items */
    struct crowd crowd; /* whose histories they are */
};

/* Zero-initialise. */
struct ridge {
    struct sparse partners; /* (n_items, n_items) row i: S(i); without values */
    float **coefficients;   /* (n_strengths) of arrays (entries of partners) b */
    size_t n_strengths;
};

/* Memory: 4 + 4 n_strengths bytes a partner, and 16 bytes a user and (partners + 1)^2 floats twice
 * for each thread. A regression that has no solution in floats, as of items that the very same
 * users have, gets greater penalties until it has one. */
MUST_CHECK enum status_code ridge_init(struct ridge *ridge, const struct history *train,
                                       const struct ridge_settings *settings, struct pool *pool,
                                       struct status *status);
/* out: what the artifact holds for a basis; zeroed before, release with sparse_release. */
MUST_CHECK enum status_code ridge_pairs(const struct ridge *ridge, size_t strength,
                                        struct sparse *out, struct status *status);
void ridge_release(struct ridge *ridge);

#endif
