/* Evidence: what the items of a history say about every other item, added to the towers' score
 * (ranking/score.h) as a share of its maximum.
 *
 *   c(u, i) = sum over the history's items h of w_h G[h, i], w_h = 1 / sqrt(n_h)
 *   share   = c(u, i) n_i^p / max over j of c(u, j) n_j^p
 *
 * with G the artifact "evidence" (item_pairs.h) and n_i the train users of an item. With G of the
 * degree_normalised weighting, c is the user's row of Rn Rn^T Rn, the linear filter of GF-CF (Shen
 * et al. 2021, How powerful is graph convolution for recommendation?, eq. 8), up to a factor of the
 * user that the maximum takes away. The maximum goes over items outside the history, which are the
 * ones that are recommended; an item of the history itself may so get more than gamma. Where
 * repeats count, it goes over all: with nothing but places of its own a history has next to nothing
 * outside. */
#ifndef NIGHTJAR_PAIRS_EVIDENCE_H
#define NIGHTJAR_PAIRS_EVIDENCE_H

#include "math/index_set.h"
#include "dataset/dataset.h"

/* Zero-initialise. */
struct evidence {
    struct sparse pairs; /* (n_items, n_items) G: a view over the artifact, unless it is owned */
    bool owns_pairs;
    float *history_weight; /* (n_items) w_h */
    float *log_count;      /* (n_items) log max(1, n_i) */
};

/* Which product of the stage `pairs` speaks: co-interaction, what followed what (transitions.h), or
 * what partners foretell (ridge.h); w_h of the last two is 1. */
enum evidence_kind { EVIDENCE_CO_INTERACTION, EVIDENCE_TRANSITIONS, EVIDENCE_RIDGE };

/* The evidence of a basis out of the artifact that the kind has, which must outlive it; NULL
 * allowed. *found false (and *evidence zeroed) where there is none. `dataset` is that basis.
 */
MUST_CHECK enum status_code evidence_load(struct evidence *evidence, enum evidence_kind kind,
                                          const struct artifact *artifact, enum basis basis,
                                          const struct dataset *dataset, bool *found,
                                          struct status *status);
/* The same for a dataset with other items than the one that the artifact was made of: item_of
 * (n_before) = the column in `dataset` of each item of that, ascending, -1: none. item_of NULL: its
 * own items. */
MUST_CHECK enum status_code evidence_load_renumbered(struct evidence *evidence,
                                                     enum evidence_kind kind,
                                                     const struct artifact *artifact,
                                                     enum basis basis, const int32_t *item_of,
                                                     size_t n_before, const struct dataset *dataset,
                                                     bool *found, struct status *status);
/* What an item says about itself alone, for users who come back to their own: G is the identity. */
MUST_CHECK enum status_code evidence_of_own(struct evidence *evidence, size_t n_items,
                                            struct status *status);
void evidence_release(struct evidence *evidence);

/* out (n_items) = n_i^p, 1 for an item without users. */
void evidence_powers(const struct evidence *evidence, double exponent, float *out);

/* One thread's memory for rows; zero-initialise. */
struct evidence_scratch {
    float *sums; /* (n_items), zero between rows */
    struct index_set touched;
};

MUST_CHECK enum status_code evidence_scratch_init(struct evidence_scratch *scratch,
                                                  const struct evidence *evidence,
                                                  struct status *status);
void evidence_scratch_release(struct evidence_scratch *scratch);

/* No row of this history has more entries; at most n_items. */
size_t evidence_row_bound(const struct evidence *evidence, const int32_t *history, size_t n);
/* The entries c > 0 of a history (n items, ascending), whose items count `weights` (n; NULL: 1):
 * columns ascend, own items among them; columns and values hold evidence_row_bound elements.
 * Returns how many there are. */
size_t evidence_row(const struct evidence *evidence, struct evidence_scratch *scratch,
                    const int32_t *history, const float *weights, size_t n, int32_t *columns,
                    float *values);
/* What turns entries into shares of the maximum: 1 / max of c n^p over the items of the row that
 * are not in the history; 0 where there is none. `powers` (n_items) as of evidence_powers; NULL:
 * the values are weighed already. */
float evidence_norm(const int32_t *columns, const float *values, size_t n_entries,
                    const int32_t *history, size_t n, const float *powers);

#endif
