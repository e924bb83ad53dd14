/* The settings of each pass of the search (calibration.c). */
#ifndef NIGHTJAR_EVALUATION_CALIBRATION_GRIDS_H
#define NIGHTJAR_EVALUATION_CALIBRATION_GRIDS_H

#include "evaluation/calibration_trials.h"

enum { GRID_MAX = 1000, GRID_HALF_LIVES = 8 };
extern const double grid_half_life[GRID_HALF_LIVES]; /* days */

/* Settings to try next; each of the functions adds some. */
struct settings {
    size_t n;
    struct score_weights list[GRID_MAX];
};

void grid_coarse(struct settings *settings, const struct calibration_grid *grid, double half_life);
void grid_fine(struct settings *settings, const struct trials *trials);
void grid_half_lives(struct settings *settings, const struct calibration_request *request);
void grid_around_half_life(struct settings *settings, const struct calibration_request *request,
                           const struct score_weights *best);
void grid_evidence(struct settings *settings, const struct calibration_request *request,
                   const struct score_weights *towers);
void grid_around(struct settings *settings, const struct calibration_request *request,
                 const struct score_weights *best);
void grid_ridge(struct settings *settings, const struct score_weights *towers);
void grid_around_ridge(struct settings *settings, const struct score_weights *best);
void grid_both(struct settings *settings, const struct score_weights *ridge, double exponent);
void grid_around_both(struct settings *settings, const struct score_weights *best);

#endif
