/* The plain reference: every matrix product and every element-wise kernel as the loop that defines
 * it, with libm's functions. Linked in front of the library it takes the place of OpenBLAS and of
 * the vector kernels, and the program is nightjar as it would be without any of them
 * (`make bench`: what the fast kernels are worth, and that they cost no quality). */
#include "math/vec.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* b^T (k, n) of b (n, k), so that all products are the same loop. */
static float *transposed(const float *b, int stride, int n, int k)
{
    float *out = malloc((size_t)n * (size_t)k * sizeof *out);
    if (out == NULL) {
        abort();
    }
    for (int j = 0; j < n; j++) {
        for (int p = 0; p < k; p++) {
            out[(size_t)p * (size_t)n + (size_t)j] = b[(size_t)j * (size_t)stride + (size_t)p];
        }
    }
    return out;
}

void cblas_sgemm(OPENBLAS_CONST enum CBLAS_ORDER order,
                 OPENBLAS_CONST enum CBLAS_TRANSPOSE transpose_a,
                 OPENBLAS_CONST enum CBLAS_TRANSPOSE transpose_b, OPENBLAS_CONST blasint m,
                 OPENBLAS_CONST blasint n, OPENBLAS_CONST blasint k, OPENBLAS_CONST float alpha,
                 OPENBLAS_CONST float *a, OPENBLAS_CONST blasint lda, OPENBLAS_CONST float *b,
                 OPENBLAS_CONST blasint ldb, OPENBLAS_CONST float beta, float *c,
                 OPENBLAS_CONST blasint ldc)
{
    float *turned = transpose_b == CblasTrans ? transposed(b, ldb, n, k) : NULL;
    const float *rows = turned != NULL ? turned : b;
    const size_t stride = (size_t)(turned != NULL ? n : ldb);
    if (order != CblasRowMajor) {
        abort();
    }
    for (int i = 0; i < m; i++) {
        float *out = c + (size_t)i * (size_t)ldc;
        for (int j = 0; j < n; j++) {
            out[j] = beta == 0.0f ? 0.0f : beta * out[j];
        }
        for (int p = 0; p < k; p++) {
            const float factor =
                alpha * (transpose_a == CblasTrans ? a[(size_t)p * (size_t)lda + (size_t)i]
                                                   : a[(size_t)i * (size_t)lda + (size_t)p]);
            const float *row = rows + (size_t)p * stride;
            for (int j = 0; j < n; j++) {
                out[j] += factor * row[j];
            }
        }
    }
    free(turned);
}

static float offset_at(const float *offset, size_t j)
{
    return offset == NULL ? 0.0f : offset[j];
}

static float plain_max_offset(const float *x, const float *offset, size_t n)
{
    float largest = -INFINITY;
    for (size_t j = 0; j < n; j++) {
        largest = fmaxf(largest, x[j] + offset_at(offset, j));
    }
    return largest;
}

static float plain_max(const float *x, size_t n)
{
    return plain_max_offset(x, NULL, n);
}

static float plain_exp_shift_sum(float *x, const float *offset, float shift, size_t n)
{
    double sum = 0.0;
    for (size_t j = 0; j < n; j++) {
        x[j] = expf(x[j] + offset_at(offset, j) - shift);
        sum += (double)x[j];
    }
    return (float)sum;
}

static size_t plain_first_reaching(const float *x, const float *offset, size_t n, float threshold)
{
    size_t j = 0;
    while (j < n && !(x[j] + offset_at(offset, j) >= threshold)) {
        j++;
    }
    return j;
}

static float plain_dot(const float *x, const float *y, size_t n)
{
    double sum = 0.0;
    for (size_t j = 0; j < n; j++) {
        sum += (double)x[j] * (double)y[j];
    }
    return (float)sum;
}

static void plain_axpy(float a, const float *x, float *y, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        y[j] += a * x[j];
    }
}

static void plain_sigmoid(const float *x, float *share, float *product, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        const float v = x[j];
        share[j] = 1.0f / (1.0f + expf(-v));
        if (product != NULL) {
            product[j] = v * share[j];
        }
    }
}

static void plain_silu_gradient(const float *gradient, const float *silu, float *share, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        share[j] = gradient[j] * (share[j] + silu[j] * (1.0f - share[j]));
    }
}

static void plain_recur_gradient(const float *s, const float *before, const float *silu,
                                 const float *later, float *mixed, float *out, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        const float old = before == NULL ? 0.0f : before[j], g = mixed[j];
        const float back = out[j] * silu[j] + (later == NULL ? 0.0f : later[j]);
        float *content = mixed + n + j, *way = mixed + 2 * n + j;
        *way = out[j] * s[j] * (*way + silu[j] * (1.0f - *way));
        mixed[j] = back * (*content - old) * g * (1.0f - g);
        *content = back * g;
        out[j] = back * (1.0f - g);
    }
}

static void plain_scale(float a, float *x, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        x[j] *= a;
    }
}

static struct vec_sums plain_cut(bool soft, const float *x, const float *weight, float cut,
                                 float factor, size_t n, float *gradient)
{
    double value = 0.0, slope = 0.0, count = 0.0;
    for (size_t j = 0; j < n; j++) {
        const double t = (double)x[j] - (double)cut, w = (double)weight[j];
        const double s = soft ? 1.0 / (1.0 + exp(-t)) : (t > 0.0 ? 1.0 : 0.0);
        value += w * (soft ? fmax(t, 0.0) + log1p(exp(-fabs(t))) : fmax(t, 0.0));
        slope += w * s;
        count += t > 0.0 ? 1.0 : 0.0;
        if (gradient != NULL) {
            gradient[j] += (float)((double)factor * w * s);
        }
    }
    return (struct vec_sums){(float)value, (float)slope, (float)count};
}

static struct vec_sums plain_hinge_cut(const float *x, const float *weight, float cut, float factor,
                                       size_t n, float *gradient)
{
    return plain_cut(false, x, weight, cut, factor, n, gradient);
}

static struct vec_sums plain_softplus_cut(const float *x, const float *weight, float cut,
                                          float factor, size_t n, float *gradient)
{
    return plain_cut(true, x, weight, cut, factor, n, gradient);
}

static void plain_adam(float *w, float *m, float *v, const float *g, size_t n, float rate,
                       float beta1, float beta2, float inverse_c1, float inverse_c2, float epsilon)
{
    for (size_t j = 0; j < n; j++) {
        m[j] = beta1 * m[j] + (1.0f - beta1) * g[j];
        v[j] = beta2 * v[j] + (1.0f - beta2) * g[j] * g[j];
        w[j] -= rate * m[j] * inverse_c1 / (sqrtf(v[j] * inverse_c2) + epsilon);
    }
}

static void plain_adam_drift(float *w, const float *m, const float *v, size_t n, float move,
                             float inverse_c1, float inverse_c2, float epsilon)
{
    for (size_t j = 0; j < n; j++) {
        w[j] -= move * m[j] * inverse_c1 / (sqrtf(v[j] * inverse_c2) + epsilon);
    }
}

static void plain_momentum(float *w, float *m, const float *g, size_t n, float keep, float add,
                           float move)
{
    for (size_t j = 0; j < n; j++) {
        m[j] = keep * m[j] + add * g[j];
        w[j] -= move * m[j];
    }
}

static void plain_adagrad(float *w, float *s, const float *g, size_t n, float rate, float epsilon)
{
    for (size_t j = 0; j < n; j++) {
        s[j] += g[j] * g[j];
        w[j] -= rate * g[j] / (sqrtf(s[j]) + epsilon);
    }
}

/* Panels of one column: a packed matrix is its transpose. */
static void plain_pack(struct const_matrix rows, const float *factors, float *out)
{
    for (size_t j = 0; j < rows.columns; j++) {
        for (size_t k = 0; k < rows.rows; k++) {
            out[j * rows.rows + k] =
                rows.data[k * rows.stride + j] * (factors == NULL ? 1.0f : factors[k]);
        }
    }
}

static void plain_pack_transposed(struct const_matrix rows, float factor, float *out)
{
    for (size_t j = 0; j < rows.rows; j++) {
        for (size_t k = 0; k < rows.columns; k++) {
            out[j * rows.columns + k] = factor * rows.data[j * rows.stride + k];
        }
    }
}

static void plain_product(const struct product *p)
{
    for (size_t i = 0; i < p->out.rows; i++) {
        for (size_t j = 0; j < p->out.columns; j++) {
            float *out = p->out.data + i * p->out.stride + j;
            float sum = 0.0f;
            for (size_t k = 0; k < p->depth; k++) {
                sum += p->x[i * p->row_step + k * p->depth_step] * p->panels[j * p->depth + k];
            }
            sum *= p->factors == NULL ? 1.0f : p->factors[i];
            *out = p->add ? *out + sum : sum;
        }
    }
}

static const struct product_ops plain_product_ops = {
    .panel = 1,
    .pack = plain_pack,
    .pack_transposed = plain_pack_transposed,
    .run = plain_product,
};

static const struct vec_ops plain_ops = {
    .name = "plain",
    .product = &plain_product_ops,
    .max = plain_max,
    .exp_shift_sum = plain_exp_shift_sum,
    .max_offset = plain_max_offset,
    .first_reaching = plain_first_reaching,
    .dot = plain_dot,
    .axpy = plain_axpy,
    .scale = plain_scale,
    .sigmoid = plain_sigmoid,
    .silu_gradient = plain_silu_gradient,
    .recur_gradient = plain_recur_gradient,
    .hinge_cut = plain_hinge_cut,
    .softplus_cut = plain_softplus_cut,
    .adam = plain_adam,
    .adam_drift = plain_adam_drift,
    .momentum = plain_momentum,
    .adagrad = plain_adagrad,
};

const struct vec_ops *vec_ops(void)
{
    return &plain_ops;
}

size_t vec_ops_all(const struct vec_ops *sets[VEC_SETS_MAX])
{
    sets[0] = &plain_ops;
    return 1;
}
