/* Random inputs for kernel tests. */
#ifndef NIGHTJAR_TESTS_RANDOM_MATRIX_H
#define NIGHTJAR_TESTS_RANDOM_MATRIX_H

#include "base/rng.h"
#include "math/sparse.h"

/* (rows, columns) standard normal values; with `unit`, each row at length 1. Freed with mem_free.
 */
float *random_matrix(struct rng *rng, size_t rows, size_t columns, bool unit);
/* Each entry present with the given probability; values in (0, 2) when with_values. */
struct sparse random_sparse(struct rng *rng, size_t rows, size_t columns, double density,
                            bool with_values);

#endif
