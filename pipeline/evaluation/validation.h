/* The validation metric of towers in training: full ranking for a seeded sample of the users that
 * have a validation part. Under several ranks each ranks for its own users of the sample, and all
 * know everybody's values. */
#ifndef NIGHTJAR_EVALUATION_VALIDATION_H
#define NIGHTJAR_EVALUATION_VALIDATION_H

#include "dataset/crowd.h"
#include "evaluation/metrics.h"
#include "math/matrix.h"

/* Zero-initialise. */
struct validation {
    const struct dataset *dataset;
    const struct metric *metric;
    size_t k;
    struct crowd crowd;    /* whose rows the dataset has */
    size_t n_all;          /* users sampled, of all ranks */
    size_t n_users;        /* of them those of this rank */
    int32_t *users;        /* (n_users) dataset rows, ascending */
    int32_t *places;       /* (n_users) of them in [0, n_all) */
    uint32_t *tie_rank;    /* (n_items) seeded permutation */
    struct sparse exclude; /* dataset_excluded; no rows: train alone */
    float *bias;           /* (n_items) popularity term of the score; 0 until it is set */
};

/* Weights of the popularity term, looked at side by side. */
struct validation_grid {
    const float *learned;  /* (n_items) the term; NULL: log(1 + n_i) */
    const double *weights; /* (n) */
    size_t n;              /* 1 to VALIDATION_WEIGHTS_MAX */
};
enum { VALIDATION_WEIGHTS_MAX = 16 };

/* metric_name such as "ndcg@20". Samples at most max_users of the users with validation items;
 * n_all is 0 when there are none. `crowd` NULL: all users are here, and rows are their keys. A
 * collective. */
MUST_CHECK enum status_code validation_init(struct validation *validation,
                                            const struct dataset *dataset,
                                            const struct crowd *crowd, const char *metric_name,
                                            size_t max_users, uint64_t seed, struct status *status);
void validation_release(struct validation *validation);

/* What no judged list has: (users, items) of the dataset. */
const struct sparse *validation_excluded(const struct validation *validation);
/* Makes the validation's own popularity term bias_weight log(1 + n_i). */
MUST_CHECK enum status_code validation_set_bias(struct validation *validation, double bias_weight,
                                                struct status *status);

/* The metric of lists (n, n_users of the validation, k), n to a user: of_users (n, n_all), on all
 * ranks. A collective. */
MUST_CHECK enum status_code validation_judge(const struct validation *validation,
                                             const int32_t *lists, size_t n, double *of_users,
                                             struct status *status);
/* users (n_users of the validation, d) in the order of validation->users; items (n_items, d); both
 * unit length. bias (n_items): a learned popularity term in place of the validation's own; or NULL.
 * A collective. */
MUST_CHECK enum status_code validation_run(const struct validation *validation,
                                           struct const_matrix users, struct const_matrix items,
                                           const float *bias, double temperature, struct pool *pool,
                                           double *value, struct status *status);
/* The same at every weight of the grid, in one pass over the products. means (grid->n); of_users
 * (grid->n, n_all) the metric of each user, NAN for one that does not count. */
MUST_CHECK enum status_code validation_run_grid(
    const struct validation *validation, struct const_matrix users, struct const_matrix items,
    const struct validation_grid *grid, double temperature, struct pool *pool, double *means,
    double *of_users, struct status *status);

#endif
