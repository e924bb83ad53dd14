/* Element-wise float kernels: compiled once per instruction set (SSE2, AVX2, AVX-512) from one
 * portable source, vec_kernels.c, and chosen at run time. Sums are kept in float lanes and added in
 * a fixed order per instruction set, so results repeat exactly on a CPU type. */
#ifndef NIGHTJAR_MATH_VEC_H
#define NIGHTJAR_MATH_VEC_H

#include "math/matrix.h"

struct vec_ops {
    const char *name;                       /* "avx512", "avx2", "sse2": part of the cache key */
    float (*max)(const float *x, size_t n); /* -INFINITY for n = 0 */
    /* x[j] = exp(x[j] + offset[j] - shift), returns the sum; offset may be NULL. Relative error of
     * exp below 3e-7 for arguments in [-87, 0]; below -87 the result is 0. */
    float (*exp_shift_sum)(float *x, const float *offset, float shift, size_t n);
    float (*max_offset)(const float *x, const float *offset, size_t n); /* max of x + offset */
    float (*dot)(const float *x, const float *y, size_t n);
    void (*axpy)(float a, const float *x, float *y, size_t n); /* y += a x */
    void (*scale)(float a, float *x, size_t n);                /* x *= a */
    /* Adam on one slice (Kingma and Ba 2015): m, v moments; step = rate / (sqrt(v / c2) + eps). */
    void (*adam)(float *w, float *m, float *v, const float *g, size_t n, float rate, float beta1,
                 float beta2, float inverse_c1, float inverse_c2, float epsilon);
    /* Adam without a gradient: w -= move (m c1) / (sqrt(v c2) + eps); m *= first; v *= second. */
    void (*adam_idle)(float *w, float *m, float *v, size_t n, float move, float first, float second,
                      float inverse_c1, float inverse_c2, float epsilon);
};

/* The best set for this CPU; `NIGHTJAR_ISA` is not consulted: tests call vec_ops_named. */
const struct vec_ops *vec_ops(void);
/* "sse2", "avx2" or "avx512"; NULL when unknown or when this CPU lacks it. */
const struct vec_ops *vec_ops_named(const char *name);

#endif
