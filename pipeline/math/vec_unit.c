/* Vectors at length 1. Apart from the choice of the kernels, in whose place bench and tests put
 * another. */
#include "math/vec.h"

#include <math.h>

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
