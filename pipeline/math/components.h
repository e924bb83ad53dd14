/* The directions in which the rows of a matrix vary most. */
#ifndef NIGHTJAR_MATH_COMPONENTS_H
#define NIGHTJAR_MATH_COMPONENTS_H

#include "math/matrix.h"
#include "base/watch.h"

/* out (n_out, rows.columns) = an orthonormal basis of the n_out greatest principal components of
 * `rows`, whose mean is 0; n_out <= rows.rows and <= rows.columns. By subspace iteration (Halko,
 * Martinsson and Tropp 2011, arXiv 0909.4061, algorithm 4.4) from a seeded start, over at most
 * COMPONENT_ROWS rows at equal distances: within the basis the order is left open. Directions in
 * which nothing varies come out as zeros. */
enum { COMPONENT_ROWS = 20000 };
MUST_CHECK enum status_code principal_components(struct const_matrix rows, size_t n_out,
                                                 uint64_t seed, const struct watch *watch,
                                                 float *out, struct status *status);

#endif
