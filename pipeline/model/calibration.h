/* The popularity weight beta of the score cos / tau + beta log(1 + n_i), chosen on validation data.
 * It looks at the validation part of the dataset only; the test part is never touched. */
#ifndef NIGHTJAR_MODEL_CALIBRATION_H
#define NIGHTJAR_MODEL_CALIBRATION_H

#include "model/towers.h"
#include "model/validation.h"

struct calibration_grid {
    double from, to, step; /* from <= to, step > 0 */
};

/* The artifact "calibration": numbers beta, alpha, value; grid.beta and grid.value (n_grid) F64;
 * the metric's name as strings "metric". Zero-initialise; release frees what calibration_search
 * made, never the view of a load. */
struct calibration {
    double beta;  /* chosen */
    double alpha; /* of the training: what beta is without validation data */
    double value; /* of the metric at beta; NAN when nothing was measured */
    size_t n_grid;
    double *grid_beta, *grid_value; /* (n_grid) ascending in beta: everything tried */
    bool is_view;
};

/* Tries the grid, then a grid five times finer between the best point's neighbours. The best value
 * wins, at equal values the smaller beta. `towers` belong to validation->dataset, which must have
 * validation users. `between` (NULL allowed) is called between blocks of users; another code than
 * STATUS_OK abandons. */
MUST_CHECK enum status_code calibration_search(
    const struct validation *validation, const struct towers *towers,
    const struct calibration_grid *grid,
    enum status_code (*between)(void *data, double done, double total, struct status *status),
    void *data, struct pool *pool, struct calibration *out, struct status *status);

MUST_CHECK enum status_code calibration_save(const struct calibration *calibration,
                                             const char *metric, struct artifact *artifact,
                                             struct status *status);
/* A view over the artifact, which must outlive it. */
MUST_CHECK enum status_code calibration_load(struct calibration *calibration,
                                             const struct artifact *artifact,
                                             struct status *status);
/* What counts at scoring time: beta of the artifact; without one (NULL) the exponent alpha that the
 * training took out of the towers. */
MUST_CHECK enum status_code calibration_weight(const struct artifact *artifact,
                                               const struct towers *towers, double *beta,
                                               struct status *status);
void calibration_release(struct calibration *calibration);

#endif
