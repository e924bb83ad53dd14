/* The settings of each pass of the search (calibration.c). */
#ifndef NIGHTJAR_EVALUATION_CALIBRATION_GRIDS_H
#define NIGHTJAR_EVALUATION_CALIBRATION_GRIDS_H

#include "evaluation/calibration_trials.h"

enum { GRID_MAX = 1000, GRID_HALF_LIVES = 8 };
extern const double grid_half_life[GRID_HALF_LIVES]; /* days */

/* Settings to try next. Each function adds those of a pass, of what `given` leaves open. */
struct settings {
    size_t n;
    struct score_weights list[GRID_MAX];
};

/* Pass 0: every half-life at a few weights, greater ones too, because what is new has small counts.
 */
void grid_half_lives(struct settings *settings, const struct calibration_request *request);
/* Pass 1: from, from + step ... up to `to` inclusive, which always ends it. */
void grid_coarse(struct settings *settings, const struct calibration_grid *grid, double half_life);
/* Pass 2: the points strictly between the best one's neighbours in the trials. */
void grid_fine(struct settings *settings, const struct trials *trials);
/* Pass 3, once a half-life is found. */
void grid_around_half_life(struct settings *settings, const struct calibration_request *request,
                           const struct score_weights *best);
/* Pass 4 around the best popularity term so far, and that alone. */
void grid_evidence(struct settings *settings, const struct calibration_request *request,
                   const struct score_weights *towers);
/* Pass 5: finer than the grids around the best of all, and its neighbours without popularity. */
void grid_around(struct settings *settings, const struct calibration_request *request,
                 const struct score_weights *best);
/* Pass 6, over the best popularity term, and then finer around its best. */
void grid_ridge(struct settings *settings, const struct score_weights *towers);
void grid_around_ridge(struct settings *settings, const struct score_weights *best);
/* Pass 7, over the best with ridge (both count popular items, so either may need less of the rest),
 * and then finer around its best. */
void grid_both(struct settings *settings, const struct score_weights *ridge, double exponent);
void grid_around_both(struct settings *settings, const struct score_weights *best);

#endif
