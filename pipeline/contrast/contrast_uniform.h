/* Uniformity: how evenly points are spread on the sphere (Wang and Isola 2020, arXiv 2005.10242),
 * with its gradient. Part of the loss directau. */
#ifndef NIGHTJAR_CONTRAST_CONTRAST_UNIFORM_H
#define NIGHTJAR_CONTRAST_CONTRAST_UNIFORM_H

#include "base/pool.h"
#include "base/workspace.h"
#include "math/matrix.h"

/* *value = log of the mean over pairs i != j of exp(-2 |x_i - x_j|^2), a pair weighing v_i v_j with
 * v = exp(offset). Points are taken as unit vectors, for which |x_i - x_j|^2 = 2 - 2 <x_i, x_j>.
 * points (n, d), rows packed; offsets (n) or NULL: 0; gradient (n, d), rows packed, receives
 * d value / d points, data NULL: not wanted. Fewer than two points: 0, gradient 0. From -8 (every
 * pair opposite) to 0 (all in one place). 2 d flops a pair (i, j), 4 d with the gradient. Errors:
 * STATUS_NO_MEMORY. */
MUST_CHECK enum status_code uniformity_run(struct workspace *workspace, struct const_matrix points,
                                           const float *offsets, struct pool *pool,
                                           struct matrix gradient, double *value,
                                           struct status *status);

#endif
