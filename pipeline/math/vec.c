/* Chooses among the builds of vec_kernels.c. */
#include "math/vec.h"

#include <math.h>

extern const struct vec_ops vec_ops_portable;

#if defined __x86_64__
extern const struct vec_ops vec_ops_avx2, vec_ops_avx512;
#elif defined __aarch64__
extern const struct vec_ops vec_ops_neon; /* every 64-bit ARM has it */
#endif

size_t vec_ops_all(const struct vec_ops *sets[VEC_SETS_MAX])
{
    size_t n = 0;
#if defined __x86_64__
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
        sets[n++] = &vec_ops_avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        sets[n++] = &vec_ops_avx2;
    }
#elif defined __aarch64__
    sets[n++] = &vec_ops_neon;
#endif
    sets[n++] = &vec_ops_portable;
    return n;
}

const struct vec_ops *vec_ops(void)
{
    const struct vec_ops *sets[VEC_SETS_MAX];
    (void)vec_ops_all(sets);
    return sets[0];
}

float vec_unit(const struct vec_ops *vec, float *x, size_t n)
{
    const float square = vec->dot(x, x, n);
    const float inverse = square > 0.0f ? 1.0f / sqrtf(square) : square; /* keeps NaN */
    vec->scale(inverse, x, n);
    return inverse;
}

void vec_unit_gradient(const struct vec_ops *vec, const float *unit, float inverse, float *gradient,
                       size_t n)
{
    vec->axpy(-vec->dot(gradient, unit, n), unit, gradient, n);
    vec->scale(inverse, gradient, n);
}

bool vec_unit_of_sum(const double *sum, size_t n, float *out)
{
    const double least_square = 1e-8;
    double squares = 0.0;
    for (size_t j = 0; j < n; j++) {
        squares += sum[j] * sum[j];
    }
    if (!(squares >= least_square)) {
        return false;
    }
    for (size_t j = 0; j < n; j++) {
        out[j] = (float)(sum[j] / sqrt(squares));
    }
    return true;
}
