/* The element-wise kernels, one portable source compiled once per instruction set: the Makefile
 * defines VEC_ISA and the flags. Lanes of the set's own width through the compiler's vector types
 * (wider ones are lowered to scalar code), so the order of a sum is the same in every build of a
 * kind; tails go through a padded block. */
#include "math/vec.h"

#include "base/bfloat16.h"
#include "math/lanes.h"

#include <math.h>
#include <string.h>

#define VEC_TEXT(x) #x
#define VEC_NAME(x) VEC_TEXT(x)

enum {
    CHAINS = 4, /* sums that do not wait for one another */
    RUN = CHAINS * LANES
};

/* x[0..n), n < LANES, and `fill` behind them. */
static inline lanes load_part(const float *x, size_t n, float fill)
{
    lanes v = ALL(fill);
    memcpy(&v, x, n * sizeof *x);
    return v;
}

/* Halves are added until one lane is left. */
static inline float lanes_sum(lanes x)
{
    float part[LANES];
    memcpy(part, &x, sizeof part);
    for (size_t half = LANES / 2; half > 0; half /= 2) {
        for (size_t l = 0; l < half; l++) {
            part[l] += part[l + half];
        }
    }
    return part[0];
}

static inline lanes lanes_larger(lanes x, lanes best)
{
    return SELECT(x > best, x, best);
}

static inline float lanes_max(lanes x)
{
    float best = x[0];
    for (int l = 1; l < LANES; l++) {
        best = x[l] > best ? x[l] : best;
    }
    return best;
}

static inline bool lanes_any(int_lanes mask)
{
    uint64_t words[WIDTH / sizeof(uint64_t)], any = 0;
    memcpy(words, &mask, sizeof words);
    for (size_t i = 0; i < WIDTH / sizeof(uint64_t); i++) {
        any |= words[i];
    }
    return any != 0;
}

/* exp(x) for arguments up to 88: x = n ln 2 + r with |r| <= ln 2 / 2, exp(r) by a polynomial of
 * degree 5 (minimax in relative error with value and slope 1 at 0, 1.1e-7 by itself) times 2^n
 * through the exponent bits. Below -87 it is 0; NaN stays. */
static inline lanes lanes_exp(lanes x)
{
    /* adding 1.5 * 2^23 rounds, and leaves n + 127 in the low bits */
    const float magic = 12582912.0f + 127.0f;
    lanes shifted = lanes_fma(x, ALL(1.44269504088896341f), ALL(magic));
    lanes n = shifted - magic;
    lanes r = lanes_fma(n, ALL(-0.693359375f), x);
    r = lanes_fma(n, ALL(2.12194440e-4f), r);
    /* in pairs: half the length of Horner's chain */
    lanes square = r * r;
    lanes high = lanes_fma(r, ALL(8.3125023491e-3f), ALL(4.1890335210e-2f));
    lanes low = lanes_fma(r, ALL(1.6667115391e-1f), ALL(4.9999230283e-1f));
    lanes p = lanes_fma(lanes_fma(high, square, low), square, r + 1.0f);
    lanes power = (lanes)((int_lanes)shifted << 23);
    return SELECT(x < -87.0f, (lanes){0}, p * power);
}

static inline lanes lanes_shifted(const float *x, const float *offset)
{
    lanes v = LOAD(x);
    if (offset != NULL) {
        v += LOAD(offset);
    }
    return v;
}

static inline float at_offset(const float *x, const float *offset, size_t j)
{
    return offset == NULL ? x[j] : x[j] + offset[j];
}

/* Inlined with and without an offset. */
static inline __attribute__((always_inline)) float max_of(const float *x, const float *offset,
                                                          size_t n)
{
    lanes best[CHAINS];
    size_t j = 0;
    for (size_t c = 0; c < CHAINS; c++) {
        best[c] = ALL(-INFINITY);
    }
    for (; j + RUN <= n; j += RUN) {
        for (size_t c = 0; c < CHAINS; c++) {
            size_t at = j + c * LANES;
            best[c] =
                lanes_larger(lanes_shifted(x + at, offset == NULL ? NULL : offset + at), best[c]);
        }
    }
    float result =
        lanes_max(lanes_larger(lanes_larger(best[0], best[1]), lanes_larger(best[2], best[3])));
    for (; j < n; j++) {
        float v = at_offset(x, offset, j);
        result = v > result ? v : result;
    }
    return result;
}

static float kernel_max(const float *x, size_t n)
{
    return max_of(x, NULL, n);
}

static float kernel_max_offset(const float *x, const float *offset, size_t n)
{
    return offset == NULL ? max_of(x, NULL, n) : max_of(x, offset, n);
}

static inline __attribute__((always_inline)) size_t first_of(const float *x, const float *offset,
                                                             size_t n, float threshold)
{
    enum { LOOK = 2 * RUN }; /* values before a branch */
    size_t j = 0;
    for (; j + LOOK <= n; j += LOOK) {
        int_lanes any = {0};
        for (size_t at = j; at < j + LOOK; at += LANES) {
            any |= lanes_shifted(x + at, offset == NULL ? NULL : offset + at) >= threshold;
        }
        if (lanes_any(any)) {
            break;
        }
    }
    for (; j + LANES <= n; j += LANES) {
        if (lanes_any(lanes_shifted(x + j, offset == NULL ? NULL : offset + j) >= threshold)) {
            break;
        }
    }
    while (j < n && !(at_offset(x, offset, j) >= threshold)) {
        j++;
    }
    return j;
}

static size_t kernel_first_reaching(const float *x, const float *offset, size_t n, float threshold)
{
    return offset == NULL ? first_of(x, NULL, n, threshold) : first_of(x, offset, n, threshold);
}

static inline __attribute__((always_inline)) float exp_sum_of(float *x, const float *offset,
                                                              float shift, size_t n)
{
    lanes sum = {0};
    size_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        lanes v = lanes_exp(lanes_shifted(x + j, offset == NULL ? NULL : offset + j) - shift);
        STORE(x + j, v);
        sum += v;
    }
    if (j < n) {
        lanes v = load_part(x + j, n - j, -INFINITY);
        if (offset != NULL) {
            v += load_part(offset + j, n - j, 0.0f);
        }
        v = lanes_exp(v - shift);
        memcpy(x + j, &v, (n - j) * sizeof *x);
        sum += v;
    }
    return lanes_sum(sum);
}

static float kernel_exp_shift_sum(float *x, const float *offset, float shift, size_t n)
{
    return offset == NULL ? exp_sum_of(x, NULL, shift, n) : exp_sum_of(x, offset, shift, n);
}

/* By exp of what is at most 0. */
static inline lanes lanes_sigmoid(lanes x)
{
    lanes e = lanes_exp(SELECT(x < 0.0f, x, -x));
    lanes share = 1.0f / (1.0f + e);
    return SELECT(x < 0.0f, e * share, share);
}

static void kernel_sigmoid(const float *x, float *share, float *product, size_t n)
{
    size_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        lanes v = LOAD(x + j), s = lanes_sigmoid(v);
        STORE(share + j, s);
        if (product != NULL) {
            STORE(product + j, v * s);
        }
    }
    if (j < n) {
        lanes v = load_part(x + j, n - j, 0.0f), s = lanes_sigmoid(v);
        lanes both = v * s;
        memcpy(share + j, &s, (n - j) * sizeof *share);
        if (product != NULL) {
            memcpy(product + j, &both, (n - j) * sizeof *product);
        }
    }
}

static void kernel_silu_gradient(const float *restrict gradient, const float *restrict silu,
                                 float *restrict share, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        share[j] = gradient[j] * one_fma(silu[j], 1.0f - share[j], share[j]);
    }
}

static void kernel_recur_gradient(const float *restrict s, const float *restrict before,
                                  const float *restrict silu, const float *restrict later,
                                  float *restrict mixed, float *restrict out, size_t n)
{
    float *restrict gate = mixed, *restrict content = mixed + n, *restrict way = mixed + 2 * n;
    for (size_t j = 0; j < n; j++) {
        const float old = before == NULL ? 0.0f : before[j], g = gate[j];
        const float back = out[j] * silu[j] + (later == NULL ? 0.0f : later[j]);
        way[j] = out[j] * s[j] * (way[j] + silu[j] * (1.0f - way[j]));
        gate[j] = back * (content[j] - old) * g * (1.0f - g);
        content[j] = back * g;
        out[j] = back * (1.0f - g);
    }
}

static float kernel_dot(const float *x, const float *y, size_t n)
{
    lanes sum[CHAINS] = {{0}};
    size_t j = 0;
    for (; j + RUN <= n; j += RUN) {
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] = lanes_fma(LOAD(x + j + c * LANES), LOAD(y + j + c * LANES), sum[c]);
        }
    }
    for (; j + LANES <= n; j += LANES) {
        sum[0] = lanes_fma(LOAD(x + j), LOAD(y + j), sum[0]);
    }
    float result = lanes_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
    for (; j < n; j++) {
        result = one_fma(x[j], y[j], result);
    }
    return result;
}

static void kernel_axpy(float a, const float *x, float *y, size_t n)
{
    size_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        STORE(y + j, lanes_fma(ALL(a), LOAD(x + j), LOAD(y + j)));
    }
    for (; j < n; j++) {
        y[j] = one_fma(a, x[j], y[j]);
    }
}

static void kernel_round_bfloat16(float *x, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        x[j] = bfloat16_round(x[j]);
    }
}

static void kernel_add_bfloat16(const float *restrict x, float *restrict y, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        y[j] = bfloat16_round(x[j]) + bfloat16_round(y[j]);
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

/* log(1 + exp(x)), *slope = weight times its derivative. With e = exp(-|x|) in [0, 1], log(1 + e)
 * is 2 atanh(z), z = e / (2 + e) <= 1/3: the series to z^13 leaves a relative 2e-8. */
static inline lanes lanes_softplus(lanes x, lanes weight, lanes *slope)
{
    int_lanes above = x > 0.0f;
    lanes e = lanes_exp(SELECT(above, -x, x));
    lanes z = e / (e + 2.0f), inverse = 1.0f / (e + 1.0f);
    lanes q = z * z;
    lanes p = lanes_fma(q, ALL(1.0f / 13.0f), ALL(1.0f / 11.0f));
    p = lanes_fma(p, q, ALL(1.0f / 9.0f));
    p = lanes_fma(p, q, ALL(1.0f / 7.0f));
    p = lanes_fma(p, q, ALL(1.0f / 5.0f));
    p = lanes_fma(p, q, ALL(1.0f / 3.0f));
    p = lanes_fma(p, q, ALL(1.0f));
    *slope = weight * SELECT(above, inverse, e * inverse);
    return lanes_fma(2.0f * z, p, SELECT(above, x, (lanes){0}));
}

/* max(0, x), *slope = weight times its derivative; written so that NaN stays. */
static inline lanes lanes_hinge(lanes x, lanes weight, lanes *slope)
{
    int_lanes below = x <= 0.0f;
    *slope = SELECT(below, (lanes){0}, weight);
    return SELECT(below, (lanes){0}, x);
}

typedef lanes lanes_shape(lanes x, lanes weight, lanes *slope);

/* One body for both shapes, with and without a gradient, each inlined into a kernel of its own. */
static inline __attribute__((always_inline)) struct vec_sums cut_sums(lanes_shape *shape,
                                                                      const float *x,
                                                                      const float *weight,
                                                                      float cut, float factor,
                                                                      size_t n, float *gradient)
{
    lanes value_sum = {0}, slope_sum = {0};
    int_lanes above = {0};
    for (size_t j = 0; j < n; j += LANES) {
        size_t left = n - j;
        bool whole = left >= LANES;
        lanes t, w, slope;
        if (whole) {
            t = LOAD(x + j) - cut;
            w = LOAD(weight + j);
        } else {
            t = load_part(x + j, left, -INFINITY) - cut;
            w = load_part(weight + j, left, 0.0f);
        }
        lanes value = shape(t, w, &slope);
        value_sum = lanes_fma(value, w, value_sum);
        slope_sum += slope;
        above += ~(t <= 0.0f); /* all ones are -1 */
        if (gradient != NULL && whole) {
            STORE(gradient + j, lanes_fma(ALL(factor), slope, LOAD(gradient + j)));
        } else if (gradient != NULL) {
            lanes g = lanes_fma(ALL(factor), slope, load_part(gradient + j, left, 0.0f));
            memcpy(gradient + j, &g, left * sizeof *gradient);
        }
    }
    return (struct vec_sums){lanes_sum(value_sum), lanes_sum(slope_sum),
                             -lanes_sum(__builtin_convertvector(above, lanes))};
}

static struct vec_sums kernel_hinge_cut(const float *x, const float *weight, float cut,
                                        float factor, size_t n, float *gradient)
{
    return gradient == NULL ? cut_sums(lanes_hinge, x, weight, cut, factor, n, NULL)
                            : cut_sums(lanes_hinge, x, weight, cut, factor, n, gradient);
}

static struct vec_sums kernel_softplus_cut(const float *x, const float *weight, float cut,
                                           float factor, size_t n, float *gradient)
{
    return gradient == NULL ? cut_sums(lanes_softplus, x, weight, cut, factor, n, NULL)
                            : cut_sums(lanes_softplus, x, weight, cut, factor, n, gradient);
}

static void kernel_adam(float *restrict w, float *restrict m, float *restrict v,
                        const float *restrict g, size_t n, float rate, float beta1, float beta2,
                        float inverse_c1, float inverse_c2, float epsilon)
{
    for (size_t j = 0; j < n; j++) {
        float first = one_fma(beta1, m[j], (1.0f - beta1) * g[j]);
        float second = one_fma(beta2, v[j], (1.0f - beta2) * g[j] * g[j]);
        m[j] = first;
        v[j] = second;
        w[j] -= rate * (first * inverse_c1) / (sqrtf(second * inverse_c2) + epsilon);
    }
}

static void kernel_adam_drift(float *restrict w, const float *restrict m, const float *restrict v,
                              size_t n, float move, float inverse_c1, float inverse_c2,
                              float epsilon)
{
    for (size_t j = 0; j < n; j++) {
        w[j] -= move * (m[j] * inverse_c1) / (sqrtf(v[j] * inverse_c2) + epsilon);
    }
}

static void kernel_momentum(float *restrict w, float *restrict m, const float *restrict g, size_t n,
                            float keep, float add, float move)
{
    for (size_t j = 0; j < n; j++) {
        m[j] = one_fma(keep, m[j], add * g[j]);
        w[j] = one_fma(-move, m[j], w[j]);
    }
}

static void kernel_adagrad(float *restrict w, float *restrict s, const float *restrict g, size_t n,
                           float rate, float epsilon)
{
    for (size_t j = 0; j < n; j++) {
        s[j] = one_fma(g[j], g[j], s[j]);
        w[j] -= rate * g[j] / (sqrtf(s[j]) + epsilon);
    }
}

extern const struct product_ops ISA_NAME(product_ops_);
extern const struct vec_ops ISA_NAME(vec_ops_);
const struct vec_ops ISA_NAME(vec_ops_) = {
    .name = VEC_NAME(VEC_ISA),
    .product = &ISA_NAME(product_ops_),
    .max = kernel_max,
    .exp_shift_sum = kernel_exp_shift_sum,
    .max_offset = kernel_max_offset,
    .first_reaching = kernel_first_reaching,
    .sigmoid = kernel_sigmoid,
    .silu_gradient = kernel_silu_gradient,
    .recur_gradient = kernel_recur_gradient,
    .dot = kernel_dot,
    .axpy = kernel_axpy,
    .scale = kernel_scale,
    .round_bfloat16 = kernel_round_bfloat16,
    .add_bfloat16 = kernel_add_bfloat16,
    .hinge_cut = kernel_hinge_cut,
    .softplus_cut = kernel_softplus_cut,
    .adam = kernel_adam,
    .adam_drift = kernel_adam_drift,
    .momentum = kernel_momentum,
    .adagrad = kernel_adagrad,
};
