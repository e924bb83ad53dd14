/* Float kernels: compiled once per instruction set (AVX-512, AVX2, NEON, and what every processor
 * of the architecture has) from one portable source, vec_kernels.c and product_kernels.c, and
 * chosen at run time. Sums are kept in float lanes and added in a fixed order per instruction set,
 * so results repeat exactly on a CPU type.
 *
 *     const struct vec_ops *vec = vec_ops();         once a task, not once a row
 *     float cosine = vec->dot(user, item, d);
 *     vec->axpy(cosine, item, gradient, d);          gradient += cosine * item
 *
 * The room: vec.h rows of floats; product.h a packed tile of them times another; blas.h any
 * product; matrix.h and sparse.h the shapes; row_builder.h a sparse matrix row by row, index_set.h
 * the distinct ones among many, topk.h the best among many. */
#ifndef NIGHTJAR_MATH_VEC_H
#define NIGHTJAR_MATH_VEC_H

#include "math/product.h"

/* Of n values against a cut. */
struct vec_sums {
    float value, slope, count;
};

struct vec_ops {
    const char *name; /* "avx512", "avx2", "neon", "portable": part of the cache key */
    const struct product_ops *product;
    float (*max)(const float *x, size_t n); /* -INFINITY for n = 0 */
    /* x[j] = exp(x[j] + offset[j] - shift), returns the sum; offset may be NULL. Relative error of
     * exp below 3e-7 for arguments in [-87, 0]; below -87 the result is 0. */
    float (*exp_shift_sum)(float *x, const float *offset, float shift, size_t n);
    float (*max_offset)(const float *x, const float *offset, size_t n); /* max of x + offset */
    /* The first j with x[j] + offset[j] >= threshold, or n; offset may be NULL. NaN never does. */
    size_t (*first_reaching)(const float *x, const float *offset, size_t n, float threshold);
    float (*dot)(const float *x, const float *y, size_t n);
    void (*axpy)(float a, const float *x, float *y, size_t n); /* y += a x */
    void (*scale)(float a, float *x, size_t n);                /* x *= a */
    void (*round_bfloat16)(float *x, size_t n);                /* x becomes the nearest one */
    void (*add_bfloat16)(const float *x, float *y, size_t n);  /* y += x, both rounded before */
    /* share[j] = sigmoid(x[j]) = 1 / (1 + exp(-x[j])), and product[j] = x[j] share[j], which is
     * silu, unless it is NULL. Each may be x. Relative error below 5e-7; below -87 it is 0. */
    void (*sigmoid)(const float *x, float *share, float *product, size_t n);
    /* From dL / d silu and silu itself, both of x: share[j], the sigmoid, becomes dL / dx. */
    void (*silu_gradient)(const float *gradient, const float *silu, float *share, size_t n);
    /* Back through one step of a gated recurrence, of s = before + gate (content - before) and
     * o = s silu(b): mixed (3, n), which holds gate, content and sigmoid(b), becomes dL / d of
     * gate's argument, content and b. out: in dL / do, out what goes back to `before` beside
     * `later`, which is what came back to s. before, later: NULL are zeros. */
    void (*recur_gradient)(const float *s, const float *before, const float *silu,
                           const float *later, float *mixed, float *out, size_t n);
    /* With t = x[j] - cut and psi the hinge max(0, t) or softplus log(1 + exp(t)): value = sum of
     * weight[j] psi(t), slope = sum of weight[j] psi'(t), count = how many t > 0 (or NaN);
     * gradient[j] += factor weight[j] psi'(t) unless it is NULL. x may be -INFINITY, which counts
     * for nothing; NaN reaches the value. Relative error of psi below 1e-6 (a psi below e^-87 is
     * 0). */
    struct vec_sums (*hinge_cut)(const float *x, const float *weight, float cut, float factor,
                                 size_t n, float *gradient);
    struct vec_sums (*softplus_cut)(const float *x, const float *weight, float cut, float factor,
                                    size_t n, float *gradient);
    /* Adam on one slice (Kingma and Ba 2015): m, v moments; step = rate / (sqrt(v / c2) + eps). */
    void (*adam)(float *w, float *m, float *v, const float *g, size_t n, float rate, float beta1,
                 float beta2, float inverse_c1, float inverse_c2, float epsilon);
    /* Where Adam's moments take weights: w -= move (m c1) / (sqrt(v c2) + eps). */
    void (*adam_drift)(float *w, const float *m, const float *v, size_t n, float move,
                       float inverse_c1, float inverse_c2, float epsilon);
    /* Momentum on one slice: m = keep m + add g; w -= move m. */
    void (*momentum)(float *w, float *m, const float *g, size_t n, float keep, float add,
                     float move);
    /* AdaGrad on one slice: s += g^2; w -= rate g / (sqrt(s) + epsilon). */
    void (*adagrad)(float *w, float *s, const float *g, size_t n, float rate, float epsilon);
};

enum { VEC_SETS_MAX = 3 };
/* Every set that this CPU runs, the best first; how many. */
size_t vec_ops_all(const struct vec_ops *sets[VEC_SETS_MAX]);
/* The best of them. */
const struct vec_ops *vec_ops(void);

/* x (n) at length 1; returns 1 / |x|. Zeros stay zeros, and what is not a number stays that. */
float vec_unit(const struct vec_ops *vec, float *x, size_t n);
/* From dL / du to dL / dx, in place, of u = x / |x|: (g - <g, u> u) / |x|. inverse: 1 / |x|. */
void vec_unit_gradient(const struct vec_ops *vec, const float *unit, float inverse, float *gradient,
                       size_t n);

/* out (n) = a sum of vectors of length 1, at length 1; false, and out as it was, where the sum is
 * so short that its direction is rounding. Lists and the extension must agree on it. */
bool vec_unit_of_sum(const double *sum, size_t n, float *out);

#endif
