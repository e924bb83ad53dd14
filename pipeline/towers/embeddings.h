/* Trained towers as the stages behind training see them, and the artifact that carries them. */
#ifndef NIGHTJAR_TOWERS_EMBEDDINGS_H
#define NIGHTJAR_TOWERS_EMBEDDINGS_H

#include "config/plan.h"
#include "dataset/dataset.h"
#include "math/matrix.h"

/* A view over the artifact "towers", which must outlive it. */
struct embeddings {
    struct const_matrix users; /* (n_users of the basis, d), unit length */
    struct const_matrix items; /* (n_items of the basis, d), unit length */
    enum basis basis;          /* which dataset the rows belong to */
    double temperature;        /* tau: score = cos / tau + beta log(1 + n_i) */
    double alpha;              /* popularity exponent in training: the default of beta */
    double epochs;             /* trained for */
    /* of d the last components, which come from reading sequences; -1: an older nightjar's, which
       did not say */
    int64_t sequence_dimension;
    /* Entities without a row that the encoder gave a vector: users with a history or features,
       items with features alone. Codes are ascending: of the master vocabulary, then of the
       features' extra one (features/feature_table.h). None: 0 and NULL. */
    const int32_t *cold_user_codes, *cold_item_codes; /* (cold_users.rows), (cold_items.rows) */
    struct const_matrix cold_users, cold_items;       /* (n, d), unit length */
    const float *item_bias; /* (n_items) learned popularity term; NULL: log(1 + n_i) */
};

/* Whether towers that a stage at `position` reads know what is held out: those of a refit with
 * `events: all`, and those with `events: fit` that read sequences, to their end. */
bool embeddings_know_all(const struct plan *plan, size_t position);
MUST_CHECK enum status_code embeddings_load(struct embeddings *embeddings,
                                            const struct artifact *artifact, struct status *status);
/* Whether they are those of a basis with so many users and items; else STATUS_DATA. */
MUST_CHECK enum status_code embeddings_check_rows(const struct embeddings *embeddings,
                                                  size_t n_users, size_t n_items,
                                                  struct status *status);
/* Copies into arrays users, items, what there is of cold ones and bias, and the numbers. */
MUST_CHECK enum status_code embeddings_save(const struct embeddings *embeddings,
                                            struct artifact *artifact, struct status *status);
/* out (n_items) = beta * log(1 + n_i), or beta * learned[i] where `learned` (n_items) is not NULL.
 */
void embeddings_popularity_bias(const int64_t *counts, const float *learned, size_t n_items,
                                double beta, float *out);
/* The same term of an item that no user has (n_i = 0): 0, or that of the least popular item where
 * the term is learned. */
float embeddings_cold_bias(const float *learned, size_t n_items, double beta);

#endif
