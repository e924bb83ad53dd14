/* Trained towers as the stages behind training see them, and the artifact that carries them. */
#ifndef NIGHTJAR_MODEL_TOWERS_H
#define NIGHTJAR_MODEL_TOWERS_H

#include "math/matrix.h"
#include "model/dataset.h"

/* A view over the artifact "towers", which must outlive it. */
struct towers {
    struct const_matrix users; /* (n_users of the basis, d), unit length */
    struct const_matrix items; /* (n_items of the basis, d), unit length */
    enum basis basis;          /* which dataset the rows belong to */
    double temperature;        /* tau: score = cos / tau + beta log(1 + n_i) */
    double alpha;              /* popularity exponent in training: the default of beta */
    double epochs;             /* trained for */
};

MUST_CHECK enum status_code towers_load(struct towers *towers, const struct artifact *artifact,
                                        struct status *status);
/* Copies into arrays users, items and the numbers. */
MUST_CHECK enum status_code towers_save(const struct towers *towers, struct artifact *artifact,
                                        struct status *status);
/* out (n_items) = beta * log(1 + n_i). */
void towers_popularity_bias(const int64_t *counts, size_t n_items, double beta, float *out);

#endif
