/* How the embeddings lie on the sphere: measured after each epoch for the training curve, and to
 * stop a training whose vectors have all become one. Costs O(sample), not O(users x items): tens of
 * milliseconds at dimension 128. */
#ifndef NIGHTJAR_TRAINING_EMBEDDING_HEALTH_H
#define NIGHTJAR_TRAINING_EMBEDDING_HEALTH_H

#include "math/matrix.h"
#include "base/status.h"

enum {
    HEALTH_PAIRS = 2000, /* pairs drawn for alignment, uniformity and mean cosines, each */
    HEALTH_ROWS = 20000, /* rows that norms and covariance are taken over, evenly spaced */
    HEALTH_MIN_ROWS = 32 /* tables with fewer rows are measured, but never called collapsed */
};

struct embedding_health_input {
    struct const_matrix users;        /* (n_users, d) unit length */
    struct const_matrix items;        /* (n_items, d) unit length */
    struct const_matrix user_weights; /* (n_users, any) before normalisation; data NULL: none */
    struct const_matrix item_weights; /* (n_items, any) */
    const int32_t *positives;         /* (n_positives, 2) rows of users and items */
    size_t n_positives;
    uint64_t seed; /* of the pairs drawn: equal seeds give the same pairs in every epoch */
};

/* NAN where there is nothing to measure: no positives, one row, no weights. */
struct embedding_health {
    double alignment;        /* mean |u - v|^2 over the positives (Wang and Isola 2020, eq. 1) */
    double uniformity_users; /* log mean exp(-2 |x - y|^2) over pairs of rows (eq. 2, t = 2) */
    double uniformity_items;
    double cosine_users; /* mean cosine of the same pairs */
    double cosine_items;
    double norm;            /* mean L2 norm of the weights of both tables */
    double dead_dimensions; /* share of the items' dimensions whose variance is at most 1e-3 of the
                               mean variance */
    /* trace(C)^2 / |C|_F^2 of the items' covariance C, = (sum of eigenvalues)^2 / sum of squared
       eigenvalues: the number of dimensions in use, 1 to d; 0 when all items are one point */
    double participation;
    bool collapsed;
    char reason[256]; /* when collapsed: which table, what was seen, what would be allowed */
};

/* Collapsed: a table's mean cosine is above .99; or the items use fewer than 1.5 dimensions and
 * their mean cosine is above .9. The second needs both, for two groups of users with nothing in
 * common rightly end as two opposite points. The same bytes with any number of threads. Errors:
 * STATUS_NO_MEMORY. */
MUST_CHECK enum status_code embedding_health_measure(const struct embedding_health_input *input,
                                                     struct embedding_health *out,
                                                     struct status *status);

#endif
