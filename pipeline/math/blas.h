/* Single-precision matrix products and equations through OpenBLAS, single-threaded in the calling
 * thread: our own pool owns the threads. Its .c file alone sees OpenBLAS's headers. */
#ifndef NIGHTJAR_MATH_BLAS_H
#define NIGHTJAR_MATH_BLAS_H

#include "base/status.h"
#include "math/matrix.h"

/* Once, before any product and before threads start: sets OpenBLAS to one thread and makes it
 * allocate its buffers (it hangs, rather than fails, when that runs out of memory later). */
void blas_init(void);
/* Before that: whether there is room for these buffers; STATUS_NO_MEMORY. */
MUST_CHECK enum status_code blas_check_memory(struct status *status);

/* "OpenBLAS 0.3.21 ... SkylakeX": part of the cache key, for results differ between CPU kernels. */
const char *blas_identity(void);

/* Shapes are asserted; each extent must be at most INT_MAX, which callers check once for their
 * sizes. beta 0 overwrites c without reading it. */
void blas_nt(float alpha, struct const_matrix a, struct const_matrix b, float beta,
             struct matrix c); /* c = alpha a b^T + beta c: (m,k) (n,k) (m,n) */
void blas_nn(float alpha, struct const_matrix a, struct const_matrix b, float beta,
             struct matrix c); /* c = alpha a b + beta c:   (m,k) (k,n) (m,n) */
void blas_tn(float alpha, struct const_matrix a, struct const_matrix b, float beta,
             struct matrix c); /* c = alpha a^T b + beta c: (k,m) (k,n) (m,n) */

/* b (n) = x with a x = b, by Cholesky; a (n, n) is symmetric, its lower triangle is read and used
 * up. False, with b unchanged, where a is not positive definite in floats. */
MUST_CHECK bool blas_solve_positive(struct matrix a, float *b);

#endif
