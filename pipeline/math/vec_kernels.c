/* The element-wise kernels, one portable source compiled once per instruction set: the Makefile
 * defines VEC_ISA and the flags. Blocks of 16 lanes through the compiler's vector types, so the
 * order of a sum is the same in every build of a kind; tails go through a padded block. */
#include "math/vec.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define VEC_JOIN(a, b) a##b
#define VEC_TABLE(isa) VEC_JOIN(vec_ops_, isa)
#define VEC_TEXT(x)    #x
#define VEC_NAME(isa)  VEC_TEXT(isa)

enum { LANES = 16 };
typedef float lanes __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t int_lanes __attribute__((vector_size(64), aligned(4), may_alias));

#define LOAD(p)            (*(const lanes *)(const void *)(p))
#define STORE(p, x)        (*(lanes *)(void *)(p) = (x))
#define SELECT(mask, a, b) ((lanes)(((mask) & (int_lanes)(a)) | (~(mask) & (int_lanes)(b))))

static inline float lanes_sum(const lanes *x)
{
    float half[8];
    for (int l = 0; l < 8; l++) {
        half[l] = (*x)[l] + (*x)[l + 8];
    }
    return ((half[0] + half[4]) + (half[2] + half[6])) +
           ((half[1] + half[5]) + (half[3] + half[7]));
}

static inline float lanes_max(const lanes *x)
{
    float best = (*x)[0];
    for (int l = 1; l < LANES; l++) {
        best = (*x)[l] > best ? (*x)[l] : best;
    }
    return best;
}

/* *x = exp(*x), for arguments up to 0: x = n ln 2 + r with |r| <= ln 2 / 2, exp(r) by a polynomial
 * of degree 7 (coefficients: the Cephes library's expf), times 2^n through the exponent bits. */
static inline void lanes_exp(lanes *x)
{
    const float smallest = -87.0f, magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds */
    int_lanes dead = *x < smallest;
    lanes a = SELECT(dead, (lanes){0} + smallest, *x);
    lanes n = (a * 1.44269504088896341f + magic) - magic;
    lanes r = a - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    lanes p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    int_lanes power = (__builtin_convertvector(n, int_lanes) + 127) << 23;
    *x = SELECT(dead, (lanes){0}, p * (lanes)power);
}

static float kernel_max(const float *x, size_t n)
{
    lanes best = (lanes){0} - INFINITY;
    size_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        lanes v = LOAD(x + j);
        best = SELECT(v > best, v, best);
    }
    float result = lanes_max(&best);
    for (; j < n; j++) {
        result = x[j] > result ? x[j] : result;
    }
    return result;
}

static float kernel_max_offset(const float *x, const float *offset, size_t n)
{
    if (offset == NULL) {
        return kernel_max(x, n);
    }
    lanes best = (lanes){0} - INFINITY;
    size_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        lanes v = LOAD(x + j) + LOAD(offset + j);
        best = SELECT(v > best, v, best);
    }
    float result = lanes_max(&best);
    for (; j < n; j++) {
        float v = x[j] + offset[j];
        result = v > result ? v : result;
    }
    return result;
}

static float kernel_exp_shift_sum(float *x, const float *offset, float shift, size_t n)
{
    lanes sum = {0};
    size_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        lanes v = LOAD(x + j) - shift;
        if (offset != NULL) {
            v += LOAD(offset + j);
        }
        lanes_exp(&v);
        STORE(x + j, v);
        sum += v;
    }
    if (j < n) {
        lanes v = (lanes){0} - INFINITY;
        for (size_t l = 0; j + l < n; l++) {
            v[l] = x[j + l] - shift + (offset == NULL ? 0.0f : offset[j + l]);
        }
        lanes_exp(&v);
        for (size_t l = 0; j + l < n; l++) {
            x[j + l] = v[l];
        }
        sum += v;
    }
    return lanes_sum(&sum);
}

static float kernel_dot(const float *x, const float *y, size_t n)
{
    lanes sum = {0};
    size_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        sum += LOAD(x + j) * LOAD(y + j);
    }
    float result = lanes_sum(&sum);
    for (; j < n; j++) {
        result += x[j] * y[j];
    }
    return result;
}

static void kernel_axpy(float a, const float *x, float *y, size_t n)
{
    size_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        STORE(y + j, LOAD(y + j) + a * LOAD(x + j));
    }
    for (; j < n; j++) {
        y[j] += a * x[j];
    }
}

static void kernel_scale(float a, float *x, size_t n)
{
    size_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        STORE(x + j, LOAD(x + j) * a);
    }
    for (; j < n; j++) {
        x[j] *= a;
    }
}

static void kernel_adam(float *restrict w, float *restrict m, float *restrict v,
                        const float *restrict g, size_t n, float rate, float beta1, float beta2,
                        float inverse_c1, float inverse_c2, float epsilon)
{
    for (size_t j = 0; j < n; j++) {
        float first = beta1 * m[j] + (1.0f - beta1) * g[j];
        float second = beta2 * v[j] + (1.0f - beta2) * g[j] * g[j];
        m[j] = first;
        v[j] = second;
        w[j] -= rate * (first * inverse_c1) / (sqrtf(second * inverse_c2) + epsilon);
    }
}

static void kernel_adam_idle(float *restrict w, float *restrict m, float *restrict v, size_t n,
                             float move, float first, float second, float inverse_c1,
                             float inverse_c2, float epsilon)
{
    for (size_t j = 0; j < n; j++) {
        w[j] -= move * (m[j] * inverse_c1) / (sqrtf(v[j] * inverse_c2) + epsilon);
        m[j] *= first;
        v[j] *= second;
    }
}

extern const struct vec_ops VEC_TABLE(VEC_ISA);
const struct vec_ops VEC_TABLE(VEC_ISA) = {
    .name = VEC_NAME(VEC_ISA),
    .max = kernel_max,
    .exp_shift_sum = kernel_exp_shift_sum,
    .max_offset = kernel_max_offset,
    .dot = kernel_dot,
    .axpy = kernel_axpy,
    .scale = kernel_scale,
    .adam = kernel_adam,
    .adam_idle = kernel_adam_idle,
};
