/* The weights of the blended score (evidence.h), chosen on validation data: beta of popularity,
 * gamma of the evidence and its popularity exponent p. It looks at the validation part of the
 * dataset only; the test part is never touched. */
#ifndef NIGHTJAR_EVALUATION_CALIBRATION_H
#define NIGHTJAR_EVALUATION_CALIBRATION_H

#include "evaluation/calibration_trials.h"
#include "evaluation/score_worth.h"
#include "store/artifact.h"

/* The artifact "calibration": numbers beta, half_life, gamma, exponent, towers_beta,
 * towers_half_life, popular_half_life, alpha, value, towers_value; grid.beta, grid.half_life,
 * grid.gamma, grid.exponent, grid.ridge, grid.value and grid.users (n_grid), part.kind,
 * part.half_life, part.half_places and part.weight (n_parts) and user_values (n_users) F64; the
 * metric's name as strings "metric". Zero-initialise; release frees what calibration_search made,
 * never the view of a load.
 */
struct calibration {
    struct score_weights weights;         /* chosen; learned evidence is a part */
    double towers_beta, towers_half_life; /* the best without evidence */
    double popular_half_life;             /* of popularity alone: what users without a vector get */
    double blended_value, blended_base;   /* of users who were judged by weights of the others, with
                                             all parts and with the base; 0: not looked at */
    double alpha;               /* of the training: what beta is without validation data */
    double value, towers_value; /* of the metric with and without evidence; NAN: not measured */
    size_t n_users;
    double *user_values; /* (n_users) of the metric with the weights chosen; not loaded */
    size_t n_grid;
    /* (n_grid) everything tried, and the number of users that it was tried on: values compare
       where that is the same. First all that was tried on every user, in the order of the search */
    double *grid_beta, *grid_half_life, *grid_gamma, *grid_exponent, *grid_ridge;
    double *grid_value, *grid_users;
    struct score_worth worth; /* of the weights chosen; not loaded */
    bool is_blended;          /* the parts were learned at once, and help; not loaded */
    bool is_view;
};

/* How the search goes, and when the simpler setting wins, is written in calibration.c. */
MUST_CHECK enum status_code calibration_search(const struct calibration_request *request,
                                               struct pool *pool, struct calibration *out,
                                               struct status *status);

MUST_CHECK enum status_code calibration_save(const struct calibration *calibration,
                                             const char *metric, struct artifact *artifact,
                                             struct status *status);
/* A view over the artifact, which must outlive it. With `artifact` NULL what counts without a
 * calibration: beta is the exponent alpha that the training took out of the towers, gamma is 0. */
MUST_CHECK enum status_code calibration_load(struct calibration *calibration,
                                             const struct artifact *artifact,
                                             const struct embeddings *embeddings,
                                             struct status *status);
void calibration_release(struct calibration *calibration);

#endif
