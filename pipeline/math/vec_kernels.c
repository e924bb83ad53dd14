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

/* The lowest lane that is set, or LANES. Bytes instead of integers, so that a look at two machine
 * words tells. */
static inline size_t first_lane(const int_lanes *mask)
{
    typedef int8_t byte_lanes __attribute__((vector_size(LANES)));
    const byte_lanes bytes = __builtin_convertvector(*mask, byte_lanes);
    uint64_t words[2];
    memcpy(words, &bytes, sizeof words);
    if ((words[0] | words[1]) == 0) {
        return LANES;
    }
    return words[0] != 0 ? (size_t)__builtin_ctzll(words[0]) / 8
                         : 8 + (size_t)__builtin_ctzll(words[1]) / 8;
}

static inline void lanes_reaching(const float *x, const float *offset, float threshold,
                                  int_lanes *mask)
{
    lanes v = LOAD(x);
    if (offset != NULL) {
        v += LOAD(offset);
    }
    *mask = v >= threshold;
}

static size_t kernel_first_reaching(const float *x, const float *offset, size_t n, float threshold)
{
    enum { RUN = 4 * LANES };
    size_t j = 0;
    for (; j + RUN <= n; j += RUN) {
        int_lanes any = {0}, mask;
        for (size_t part = 0; part < RUN; part += LANES) {
            lanes_reaching(x + j + part, offset == NULL ? NULL : offset + j + part, threshold,
                           &mask);
            any |= mask;
        }
        if (first_lane(&any) < LANES) {
            break;
        }
    }
    for (; j + LANES <= n; j += LANES) {
        int_lanes mask;
        lanes_reaching(x + j, offset == NULL ? NULL : offset + j, threshold, &mask);
        const size_t lane = first_lane(&mask);
        if (lane < LANES) {
            return j + lane;
        }
    }
    for (; j < n; j++) {
        if ((offset == NULL ? x[j] : x[j] + offset[j]) >= threshold) {
            return j;
        }
    }
    return n;
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

/* *value = log(1 + exp(*x)), *slope = its derivative. With e = exp(-|x|) in [0, 1], log(1 + e) is
 * 2 atanh(z), z = e / (2 + e) <= 1/3: the series to z^13 leaves a relative 2e-8. */
static inline void lanes_softplus(const lanes *x, lanes *value, lanes *slope)
{
    int_lanes above = *x > 0.0f;
    lanes e = SELECT(above, -*x, *x);
    lanes_exp(&e);
    lanes z = e / (e + 2.0f), inverse = 1.0f / (e + 1.0f);
    lanes q = z * z;
    lanes p = q * (1.0f / 13.0f) + 1.0f / 11.0f;
    p = p * q + 1.0f / 9.0f;
    p = p * q + 1.0f / 7.0f;
    p = p * q + 1.0f / 5.0f;
    p = p * q + 1.0f / 3.0f;
    p = p * q + 1.0f;
    *value = SELECT(above, *x, (lanes){0}) + 2.0f * z * p;
    *slope = SELECT(above, inverse, e * inverse);
}

/* *value = max(0, *x), *slope = its derivative; written so that NaN stays. */
static inline void lanes_hinge(const lanes *x, lanes *value, lanes *slope)
{
    int_lanes below = *x <= 0.0f;
    *value = SELECT(below, (lanes){0}, *x);
    *slope = SELECT(below, (lanes){0}, (lanes){0} + 1.0f);
}

typedef void lanes_shape(const lanes *x, lanes *value, lanes *slope);

/* One body for both shapes, each inlined into a kernel of its own. */
static inline __attribute__((always_inline)) struct vec_sums cut_sums(lanes_shape *shape,
                                                                      const float *x,
                                                                      const float *weight,
                                                                      float cut, float factor,
                                                                      size_t n, float *gradient)
{
    lanes value_sum = {0}, slope_sum = {0}, count = {0};
    for (size_t j = 0; j < n; j += LANES) {
        size_t left = n - j;
        lanes t = (lanes){0} - INFINITY, w = {0}, value, slope;
        if (left >= LANES) {
            t = LOAD(x + j) - cut;
            w = LOAD(weight + j);
        } else {
            for (size_t l = 0; l < left; l++) {
                t[l] = x[j + l] - cut;
                w[l] = weight[j + l];
            }
        }
        shape(&t, &value, &slope);
        slope = slope * w;
        value_sum += value * w;
        slope_sum += slope;
        count += SELECT(t > 0.0f, (lanes){0} + 1.0f, (lanes){0});
        if (gradient != NULL && left >= LANES) {
            STORE(gradient + j, LOAD(gradient + j) + factor * slope);
        } else if (gradient != NULL) {
            for (size_t l = 0; l < left; l++) {
                gradient[j + l] += factor * slope[l];
            }
        }
    }
    return (struct vec_sums){lanes_sum(&value_sum), lanes_sum(&slope_sum), lanes_sum(&count)};
}

static struct vec_sums kernel_hinge_cut(const float *x, const float *weight, float cut,
                                        float factor, size_t n, float *gradient)
{
    return cut_sums(lanes_hinge, x, weight, cut, factor, n, gradient);
}

static struct vec_sums kernel_softplus_cut(const float *x, const float *weight, float cut,
                                           float factor, size_t n, float *gradient)
{
    return cut_sums(lanes_softplus, x, weight, cut, factor, n, gradient);
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

static void kernel_adagrad(float *restrict w, float *restrict s, const float *restrict g, size_t n,
                           float rate, float epsilon)
{
    for (size_t j = 0; j < n; j++) {
        s[j] += g[j] * g[j];
        w[j] -= rate * g[j] / (sqrtf(s[j]) + epsilon);
    }
}

extern const struct vec_ops VEC_TABLE(VEC_ISA);
const struct vec_ops VEC_TABLE(VEC_ISA) = {
    .name = VEC_NAME(VEC_ISA),
    .max = kernel_max,
    .exp_shift_sum = kernel_exp_shift_sum,
    .max_offset = kernel_max_offset,
    .first_reaching = kernel_first_reaching,
    .dot = kernel_dot,
    .axpy = kernel_axpy,
    .scale = kernel_scale,
    .hinge_cut = kernel_hinge_cut,
    .softplus_cut = kernel_softplus_cut,
    .adam = kernel_adam,
    .adam_idle = kernel_adam_idle,
    .adagrad = kernel_adagrad,
};
