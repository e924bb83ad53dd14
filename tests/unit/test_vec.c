/* Every element-wise kernel against a plain loop, for every instruction set that this CPU has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bfloat16.h"
#include "base/mem.h"
#include "math/vec.h"
#include "tests/support/random_matrix.h"

#include <math.h>

static const struct vec_ops *sets[VEC_SETS_MAX];
static size_t n_sets;
static const size_t lengths[] = {0, 1, 7, 15, 16, 17, 31, 64, 100, 257};

enum { N_LENGTHS = sizeof lengths / sizeof lengths[0] };

typedef void check(const struct vec_ops *ops, struct rng *rng, size_t n);

static void on_every_set_and_length(check *run)
{
    for (size_t s = 0; s < n_sets; s++) {
        const struct vec_ops *ops = sets[s];
        for (size_t l = 0; l < N_LENGTHS; l++) {
            struct rng rng;
            rng_init(&rng, 7, "test.vec", s, l);
            run(ops, &rng, lengths[l]);
        }
    }
}

static void check_sums(const struct vec_ops *ops, struct rng *rng, size_t n)
{
    float *x = random_matrix(rng, 1, n, false), *y = random_matrix(rng, 1, n, false);
    double dot = 0.0;
    float best = -INFINITY, best_offset = -INFINITY;
    for (size_t j = 0; j < n; j++) {
        dot += (double)x[j] * y[j];
        best = x[j] > best ? x[j] : best;
        best_offset = x[j] + y[j] > best_offset ? x[j] + y[j] : best_offset;
    }
    assert_true(fabs(ops->dot(x, y, n) - dot) <= 1e-5 * (1.0 + (double)n));
    assert_true(ops->max(x, n) == best);
    assert_true(ops->max_offset(x, NULL, n) == best);
    assert_true(ops->max_offset(x, y, n) == best_offset);
    for (size_t j = 0; j < n; j++) {
        size_t first = 0, first_offset = 0;
        while (x[first] < x[j]) {
            first++;
        }
        while (x[first_offset] + y[first_offset] < x[j] + y[j]) {
            first_offset++;
        }
        assert_int_equal(ops->first_reaching(x, NULL, n, x[j]), first);
        assert_int_equal(ops->first_reaching(x, y, n, x[j] + y[j]), first_offset);
    }
    assert_int_equal(ops->first_reaching(x, NULL, n, INFINITY), n);
    assert_int_equal(ops->first_reaching(x, y, n, NAN), n);
    mem_free(x);
    mem_free(y);
}

static void check_updates(const struct vec_ops *ops, struct rng *rng, size_t n)
{
    float *x = random_matrix(rng, 1, n, false), *y = random_matrix(rng, 1, n, false);
    float *z = random_matrix(rng, 1, n, false);
    memcpy(z, y, n * sizeof *z);
    ops->axpy(0.75f, x, z, n);
    for (size_t j = 0; j < n; j++) {
        assert_true(fabsf(z[j] - (y[j] + 0.75f * x[j])) <= 1e-6f * (1.0f + fabsf(z[j])));
    }
    memcpy(z, y, n * sizeof *z);
    ops->scale(-2.5f, z, n);
    for (size_t j = 0; j < n; j++) {
        assert_true(z[j] == -2.5f * y[j]);
    }
    mem_free(x);
    mem_free(y);
    mem_free(z);
}

static void check_exp(const struct vec_ops *ops, struct rng *rng, size_t n)
{
    float *x = random_matrix(rng, 1, n, false), *offset = random_matrix(rng, 1, n, false);
    float *out = random_matrix(rng, 1, n, false);
    double sum = 0.0;
    for (size_t j = 0; j < n; j++) {
        x[j] = -40.0f * fabsf(x[j]);
        out[j] = x[j];
    }
    float got = ops->exp_shift_sum(out, offset, 5.0f, n);
    for (size_t j = 0; j < n; j++) {
        double argument = (double)(x[j] - 5.0f + offset[j]);
        double want = argument < -87.0 ? 0.0 : exp(argument);
        sum += want;
        /* the argument itself is rounded: 2^-24 of up to 100 moves exp by 6e-6 of itself */
        assert_true(fabs((double)out[j] - want) <= 2e-5 * want + 2e-38);
    }
    assert_true(fabs((double)got - sum) <= 2e-5 * sum + 1e-37);
    mem_free(x);
    mem_free(offset);
    mem_free(out);
}

static void sums_and_maxima_match_plain_loops(void **state)
{
    (void)state;
    on_every_set_and_length(check_sums);
}

/* The nearest of the two bfloat16 around x, in double; of the halves the one with an even end. */
static float naive_bfloat16(float x)
{
    uint32_t bits;
    float below, above;
    memcpy(&bits, &x, sizeof bits);
    bits &= 0xffff0000;
    memcpy(&below, &bits, sizeof below);
    if (below == x || isnan(x)) { /* infinity, too */
        return x;
    }
    const bool is_even = (bits & 0x10000) == 0;
    bits += 0x10000;
    memcpy(&above, &bits, sizeof above);
    /* beyond the largest one follows what would be next if the range went on */
    const double up = isinf(above) ? copysign(ldexp(1.0, 128), (double)x) : (double)above;
    const double far = fabs((double)x - (double)below) - fabs(up - (double)x);
    return far < 0.0 || (far == 0.0 && is_even) ? below : above;
}

static void check_bfloat16(const struct vec_ops *ops, struct rng *rng, size_t n)
{
    float *x = random_matrix(rng, 1, n, false), *y = random_matrix(rng, 1, n, false);
    float *z = random_matrix(rng, 1, n, false);
    uint16_t *sent = NULL;
    struct status status = {0};
    assert_int_equal(MEM_NEW(&sent, n, &status), STATUS_OK);
    for (size_t j = 0; j < n; j++) { /* any float, many of them ties */
        const uint32_t bits = (uint32_t)rng_below(rng, 1ull << 32);
        const uint32_t ends[] = {bits, bits & 0xffff8000, bits | 0x8000, bits & 0x8000ffff};
        memcpy(&x[j], &ends[j % 4], sizeof x[j]);
    }
    memcpy(z, x, n * sizeof *z);
    ops->round_bfloat16(z, n);
    bfloat16_pack(x, sent, n);
    bfloat16_unpack(sent, x, n);
    assert_memory_equal(x, z, n * sizeof *z);
    memcpy(z, y, n * sizeof *z);
    ops->add_bfloat16(x, z, n);
    for (size_t j = 0; j < n; j++) {
        const float want = x[j] + naive_bfloat16(y[j]);
        assert_true(z[j] == want || (isnan(z[j]) && isnan(want)));
    }
    mem_free(x);
    mem_free(y);
    mem_free(z);
    mem_free(sent);
}

static void bfloat16_is_the_nearest_one(void **state)
{
    (void)state;
    const uint32_t all[] = {0,          0x80000000, 1,          0x7fff,     0x8000,     0x8001,
                            0x18000,    0x7f7f7fff, 0x7f7f8000, 0x7f7fffff, 0x7f800000, 0xff800000,
                            0x7f800001, 0x7fc00000, 0xffffffff, 0x3f808000, 0x3f818000, 0xbf80ffff};
    struct rng rng;
    rng_init(&rng, 7, "test.bfloat16", 0, 0);
    for (size_t i = 0; i < 20000; i++) {
        const uint32_t bits = i < sizeof all / sizeof *all ? all[i]
                              : i % 3 == 0 ? (uint32_t)rng_below(&rng, 1 << 16) << 16 | 0x8000
                                           : (uint32_t)rng_below(&rng, 1ull << 32);
        float x;
        memcpy(&x, &bits, sizeof x);
        const float got = bfloat16_round(x), want = naive_bfloat16(x);
        assert_true(isnan(x) ? isnan(got) : memcmp(&got, &want, sizeof got) == 0);
        assert_true(isnan(x) || bfloat16_round(got) == got);
    }
    on_every_set_and_length(check_bfloat16);
}

static void axpy_and_scale_match_plain_loops(void **state)
{
    (void)state;
    on_every_set_and_length(check_updates);
}

static void exp_of_shifted_rows_matches_libm(void **state)
{
    (void)state;
    on_every_set_and_length(check_exp);
}

static void exp_error_stays_below_its_bound(void **state)
{
    (void)state;
    for (size_t s = 0; s < n_sets; s++) {
        const struct vec_ops *ops = sets[s];
        double worst = 0.0;
        for (float x = -86.9f; x <= 0.0f; x += 0.0037f) {
            float y = x;
            (void)ops->exp_shift_sum(&y, NULL, 0.0f, 1);
            double error = fabs((double)y / exp((double)x) - 1.0);
            worst = error > worst ? error : worst;
        }
        assert_true(worst < 3e-7);
    }
}

static void exp_of_minus_infinity_is_zero_and_nan_stays(void **state)
{
    (void)state;
    for (size_t s = 0; s < n_sets; s++) {
        const struct vec_ops *ops = sets[s];
        float x[20];
        for (size_t j = 0; j < 20; j++) {
            x[j] = -INFINITY;
        }
        assert_true(ops->exp_shift_sum(x, NULL, 0.0f, 20) == 0.0f);
        x[3] = NAN;
        assert_true(isnan(ops->exp_shift_sum(x, NULL, 0.0f, 20)));
    }
}

/* Sums of one cut by plain loops, in double. */
static void naive_cut(const float *x, const float *weight, float cut, bool is_hinge, size_t n,
                      double sums[3], double *slopes)
{
    memset(sums, 0, 3 * sizeof *sums);
    for (size_t j = 0; j < n; j++) {
        double t = (double)(x[j] - cut);
        double value = is_hinge ? fmax(t, 0.0) : (t > 0.0 ? t : 0.0) + log1p(exp(-fabs(t)));
        slopes[j] = is_hinge ? (double)(t > 0.0) : 1.0 / (1.0 + exp(-t));
        sums[0] += (double)weight[j] * value;
        sums[1] += (double)weight[j] * slopes[j];
        sums[2] += t > 0.0 ? 1.0 : 0.0;
    }
}

static void check_cuts(const struct vec_ops *ops, struct rng *rng, size_t n)
{
    float *x = random_matrix(rng, 1, n, false), *weight = random_matrix(rng, 1, n, false);
    float *gradient = random_matrix(rng, 1, n, false), *before = random_matrix(rng, 1, n, false);
    double slopes[257];
    for (size_t j = 0; j < n; j++) {
        x[j] = j % 5 == 4 ? -INFINITY : 20.0f * x[j];
        weight[j] = fabsf(weight[j]);
    }
    for (int is_hinge = 0; is_hinge < 2; is_hinge++) {
        double want[3];
        memcpy(before, gradient, n * sizeof *before);
        naive_cut(x, weight, 0.5f, is_hinge == 1, n, want, slopes);
        struct vec_sums got =
            (is_hinge ? ops->hinge_cut : ops->softplus_cut)(x, weight, 0.5f, -1.5f, n, gradient);
        assert_true(fabs((double)got.value - want[0]) <= 2e-6 * want[0]);
        assert_true(fabs((double)got.slope - want[1]) <= 2e-6 * want[1]);
        assert_true((double)got.count == want[2]);
        for (size_t j = 0; j < n; j++) {
            double moved = (double)gradient[j] - (double)before[j];
            assert_true(fabs(moved + 1.5 * (double)weight[j] * slopes[j]) <= 1e-5);
        }
        struct vec_sums again =
            (is_hinge ? ops->hinge_cut : ops->softplus_cut)(x, weight, 0.5f, -1.5f, n, NULL);
        assert_true(again.value == got.value && again.slope == got.slope);
    }
    mem_free(x);
    mem_free(weight);
    mem_free(gradient);
    mem_free(before);
}

static void hinge_and_softplus_match_plain_loops(void **state)
{
    (void)state;
    on_every_set_and_length(check_cuts);
}

static void softplus_keeps_its_relative_error_and_nan(void **state)
{
    (void)state;
    for (size_t s = 0; s < n_sets; s++) {
        const struct vec_ops *ops = sets[s];
        float one = 1.0f, nan = NAN;
        double worst = 0.0;
        for (float x = -86.0f; x <= 86.0f; x += 0.0113f) {
            double got = (double)ops->softplus_cut(&x, &one, 0.0f, 0.0f, 1, NULL).value;
            double want = (x > 0.0f ? (double)x : 0.0) + log1p(exp(-fabs((double)x)));
            worst = fmax(worst, fabs(got / want - 1.0));
        }
        assert_true(worst < 1e-6);
        assert_true(isnan(ops->softplus_cut(&nan, &one, 0.0f, 0.0f, 1, NULL).value));
        assert_true(isnan(ops->hinge_cut(&nan, &one, 0.0f, 0.0f, 1, NULL).value));
    }
}

static void check_adam(const struct vec_ops *ops, struct rng *rng, size_t n)
{
    float *w = random_matrix(rng, 1, n, false), *g = random_matrix(rng, 1, n, false);
    float *m = random_matrix(rng, 1, n, false), *v = random_matrix(rng, 1, n, false);
    float *first = random_matrix(rng, 3, n, false);
    for (size_t j = 0; j < n; j++) {
        v[j] = fabsf(v[j]);
        double mm = 0.9 * (double)m[j] + 0.1 * (double)g[j];
        double vv = 0.999 * (double)v[j] + 0.001 * (double)g[j] * (double)g[j];
        first[j] = (float)((double)w[j] - 0.01 * (mm * 2.0) / (sqrt(vv * 3.0) + 1e-8));
        first[n + j] = (float)mm;
        first[2 * n + j] = (float)vv;
    }
    ops->adam(w, m, v, g, n, 0.01f, 0.9f, 0.999f, 2.0f, 3.0f, 1e-8f);
    for (size_t j = 0; j < n; j++) {
        assert_true(fabsf(w[j] - first[j]) <= 1e-5f * (1.0f + fabsf(first[j])));
        assert_true(fabsf(m[j] - first[n + j]) <= 1e-5f);
        assert_true(fabsf(v[j] - first[2 * n + j]) <= 1e-5f);
    }
    float *all[] = {w, g, m, v, first};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        mem_free(all[i]);
    }
}

static void adam_matches_its_formula(void **state)
{
    (void)state;
    on_every_set_and_length(check_adam);
}

static void check_momentum(const struct vec_ops *ops, struct rng *rng, size_t n)
{
    float *w = random_matrix(rng, 1, n, false), *g = random_matrix(rng, 1, n, false);
    float *m = random_matrix(rng, 1, n, false), *want = random_matrix(rng, 2, n, false);
    for (size_t j = 0; j < n; j++) {
        double moved = 0.9 * (double)m[j] + 0.1 * (double)g[j];
        want[j] = (float)((double)w[j] - 0.5 * moved);
        want[n + j] = (float)moved;
    }
    ops->momentum(w, m, g, n, 0.9f, 0.1f, 0.5f);
    for (size_t j = 0; j < n; j++) {
        assert_true(fabsf(w[j] - want[j]) <= 1e-5f * (1.0f + fabsf(want[j])));
        assert_true(fabsf(m[j] - want[n + j]) <= 1e-5f * (1.0f + fabsf(want[n + j])));
    }
    float *all[] = {w, g, m, want};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        mem_free(all[i]);
    }
}

static void momentum_matches_its_formula(void **state)
{
    (void)state;
    on_every_set_and_length(check_momentum);
}

static void check_adagrad(const struct vec_ops *ops, struct rng *rng, size_t n)
{
    float *w = random_matrix(rng, 1, n, false), *g = random_matrix(rng, 1, n, false);
    float *s = random_matrix(rng, 1, n, false), *want = random_matrix(rng, 2, n, false);
    for (size_t j = 0; j < n; j++) {
        s[j] = fabsf(s[j]);
        double sum = (double)s[j] + (double)g[j] * (double)g[j];
        want[j] = (float)((double)w[j] - 0.1 * (double)g[j] / (sqrt(sum) + 1e-8));
        want[n + j] = (float)sum;
    }
    ops->adagrad(w, s, g, n, 0.1f, 1e-8f);
    for (size_t j = 0; j < n; j++) {
        assert_true(fabsf(w[j] - want[j]) <= 1e-5f * (1.0f + fabsf(want[j])));
        assert_true(fabsf(s[j] - want[n + j]) <= 1e-5f * (1.0f + want[n + j]));
    }
    float *all[] = {w, g, s, want};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        mem_free(all[i]);
    }
}

static void adagrad_matches_its_formula(void **state)
{
    (void)state;
    on_every_set_and_length(check_adagrad);
}

/* One product of both forms and either way through x, with and without factors, addition, a
 * start and sums. */
static void check_product(const struct product_ops *ops, struct rng *rng, const size_t shape[3],
                          unsigned form)
{
    const size_t m = shape[0], n = shape[1], depth = shape[2];
    const bool turned = form & 1, across = form & 2, add = form & 4, with_factors = form & 8;
    const bool with_sums = form & 16, with_start = form & 32;
    float *x = random_matrix(rng, m, depth, false), *y = random_matrix(rng, n, depth, false);
    float *out = random_matrix(rng, m, n + 3, false), *before = random_matrix(rng, m, n + 3, false);
    float *factors = random_matrix(rng, 1, m + depth, false), *packed = NULL;
    struct status status = {0};
    assert_int_equal(MEM_NEW(&packed, product_packed_size(ops, depth, n), &status), STATUS_OK);
    memcpy(before, out, m * (n + 3) * sizeof *out);
    if (turned) {
        ops->pack_transposed(const_matrix_of(y, n, depth), -2.0f, packed);
    } else {
        ops->pack(const_matrix_of(y, depth, n), factors + m, packed);
    }
    const float *const sums[] = {before, before};
    ops->run(&(struct product){.x = x,
                               .row_step = across ? 1 : depth,
                               .depth_step = across ? m : 1,
                               .panels = packed,
                               .depth = depth,
                               .factors = with_factors ? factors : NULL,
                               .add = add,
                               .out = {out, m, n, n + 3},
                               .start = with_start ? before : NULL,
                               .n_sums = with_sums ? 2 : 0,
                               .sums = sums});
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            double want = 0.0;
            for (size_t k = 0; k < depth; k++) {
                double right = turned ? -2.0 * (double)y[j * depth + k]
                                      : (double)factors[m + k] * (double)y[k * n + j];
                want += (double)x[across ? k * m + i : i * depth + k] * right;
            }
            want += with_start ? (double)before[i * (n + 3) + j] : 0.0;
            want *= with_factors ? (double)factors[i] : 1.0;
            want += (add + 2.0 * with_sums) * (double)before[i * (n + 3) + j];
            assert_true(fabs((double)out[i * (n + 3) + j] - want) <= 1e-5 * (1.0 + (double)depth));
        }
        assert_memory_equal(out + i * (n + 3) + n, before + i * (n + 3) + n, 3 * sizeof *out);
    }
    float *all[] = {x, y, out, before, factors, packed};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        mem_free(all[i]);
    }
}

static void packed_products_match_plain_loops(void **state)
{
    (void)state;
    /* rows, columns, depth: whole blocks and panels, every remainder, nothing */
    static const size_t shapes[][3] = {{24, 64, 64}, {1, 1, 1},   {11, 33, 7}, {7, 15, 20},
                                       {23, 50, 3},  {12, 17, 0}, {0, 16, 4},  {4, 0, 4}};
    for (size_t s = 0; s < n_sets; s++) {
        const struct vec_ops *ops = sets[s];
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
            for (unsigned form = 0; form < 64; form++) {
                struct rng rng;
                rng_init(&rng, 9, "test.vec.product", i, form);
                check_product(ops->product, &rng, shapes[i], form);
            }
        }
    }
}

/* ---- the same bits, however a kernel is asked ---- */

enum { N_ARRAYS = 4, N_ELEMENT_WISE = 10 };

/* Element-wise kernel `which` on [first, first + n) of four arrays. */
static void run_element_wise(const struct vec_ops *ops, int which, float *const arrays[N_ARRAYS],
                             size_t first, size_t n)
{
    float *w = arrays[0] + first, *m = arrays[1] + first, *v = arrays[2] + first;
    float *g = arrays[3] + first;
    switch (which) {
    case 0:
        ops->axpy(0.7f, g, w, n);
        break;
    case 1:
        ops->scale(0.7f, w, n);
        break;
    case 2:
        (void)ops->exp_shift_sum(w, NULL, 1.3f, n);
        break;
    case 3:
        (void)ops->exp_shift_sum(w, m, 1.3f, n);
        break;
    case 4:
        (void)ops->hinge_cut(w, v, 0.1f, -1.7f, n, g);
        break;
    case 5:
        (void)ops->softplus_cut(w, v, 0.1f, -1.7f, n, g);
        break;
    case 6:
        ops->adam(w, m, v, g, n, 0.01f, 0.9f, 0.999f, 1.9f, 2.9f, 1e-8f);
        break;
    case 7:
        ops->adam_drift(w, m, v, n, 0.3f, 1.9f, 2.9f, 1e-8f);
        break;
    case 8:
        ops->momentum(w, m, g, n, 0.9f, 0.1f, 0.3f);
        break;
    default:
        ops->adagrad(w, v, g, n, 0.1f, 1e-8f);
        break;
    }
}

/* A value is the same in a whole vector, in a tail and alone. */
static void check_element_wise(const struct vec_ops *ops, struct rng *rng, size_t n)
{
    float *given = random_matrix(rng, N_ARRAYS, n, false);
    float *whole = random_matrix(rng, N_ARRAYS, n, false);
    float *pieces = random_matrix(rng, N_ARRAYS, n, false);
    float *whole_arrays[] = {whole, whole + n, whole + 2 * n, whole + 3 * n};
    float *piece_arrays[] = {pieces, pieces + n, pieces + 2 * n, pieces + 3 * n};
    for (size_t j = 2 * n; j < 3 * n; j++) {
        given[j] = fabsf(given[j]);
    }
    for (int which = 0; which < N_ELEMENT_WISE; which++) {
        for (size_t piece = 1; piece <= n; piece = piece * 3 + 1) {
            memcpy(whole, given, N_ARRAYS * n * sizeof *given);
            memcpy(pieces, given, N_ARRAYS * n * sizeof *given);
            run_element_wise(ops, which, whole_arrays, 0, n);
            for (size_t first = 0; first < n; first += piece) {
                run_element_wise(ops, which, piece_arrays, first,
                                 n - first < piece ? n - first : piece);
            }
            assert_memory_equal(whole, pieces, N_ARRAYS * n * sizeof *whole);
        }
    }
    mem_free(given);
    mem_free(whole);
    mem_free(pieces);
}

/* Sums hang neither on the outputs asked for, nor on an offset of zeros, nor on values behind the
 * last that count for nothing, nor on where the arrays lie. */
static void check_sums_asked_otherwise(const struct vec_ops *ops, struct rng *rng, size_t n)
{
    enum { PAD = 5 };
    float *x = random_matrix(rng, 1, n + PAD, false), *y = random_matrix(rng, 1, n + PAD, false);
    float *zeros = random_matrix(rng, 1, n + PAD, false);
    float *a = random_matrix(rng, 1, n + PAD, false), *b = random_matrix(rng, 1, n + PAD, false);
    memset(zeros, 0, (n + PAD) * sizeof *zeros);
    float product = ops->dot(x, y, n);
    memcpy(a + 1, x, n * sizeof *x);
    memcpy(b + 1, y, n * sizeof *y);
    float moved = ops->dot(a + 1, b + 1, n);
    assert_memory_equal(&product, &moved, sizeof product);
    for (size_t j = 0; j < n + PAD; j++) {
        x[j] = j < n ? 3.0f * x[j] : -INFINITY;
        y[j] = j < n ? fabsf(y[j]) : 0.0f;
    }
    assert_true(ops->max_offset(x, zeros, n) == ops->max(x, n));
    for (size_t j = 0; j < n; j++) {
        assert_int_equal(ops->first_reaching(x, zeros, n, x[j]),
                         ops->first_reaching(x, NULL, n, x[j]));
    }
    for (int is_hinge = 0; is_hinge < 2; is_hinge++) {
        struct vec_sums (*cut)(const float *, const float *, float, float, size_t, float *) =
            is_hinge ? ops->hinge_cut : ops->softplus_cut;
        struct vec_sums plain = cut(x, y, 0.5f, -1.5f, n, NULL);
        struct vec_sums others[] = {cut(x, y, 0.5f, -1.5f, n, a), cut(x, y, 0.5f, 2.5f, n, NULL),
                                    cut(x, y, 0.5f, -1.5f, n + PAD, NULL),
                                    cut(x, y, 0.5f, -1.5f, n + PAD, a)};
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
            assert_memory_equal(&plain, others + i, sizeof plain);
        }
    }
    const float *const offsets[] = {NULL, zeros};
    float sums[4];
    for (size_t i = 0; i < 4; i++) {
        memcpy(a, x, (n + PAD) * sizeof *x);
        sums[i] = ops->exp_shift_sum(a, offsets[i % 2], 1.3f, i < 2 ? n : n + PAD);
        assert_memory_equal(sums, sums + i, sizeof *sums);
    }
    float *all[] = {x, y, zeros, a, b};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        mem_free(all[i]);
    }
}

/* Every element of a product alone, with factors of one, added to zero, either way through x and
 * packed from either side. */
static void check_product_asked_otherwise(const struct product_ops *ops, struct rng *rng,
                                          const size_t shape[3])
{
    const size_t m = shape[0], n = shape[1], depth = shape[2];
    float *x = random_matrix(rng, m, depth, false), *x_turned = random_matrix(rng, depth, m, false);
    float *y = random_matrix(rng, depth, n, false), *y_turned = random_matrix(rng, n, depth, false);
    float *out = random_matrix(rng, m, n, false), *other = random_matrix(rng, m, n, false);
    float *factors = random_matrix(rng, 1, m + depth, false);
    float *packed = random_matrix(rng, 1, product_packed_size(ops, depth, n), false);
    float *packed_again = random_matrix(rng, 1, product_packed_size(ops, depth, n), false);
    for (size_t k = 0; k < depth; k++) {
        factors[m + k] = -2.3f;
        for (size_t i = 0; i < m; i++) {
            x_turned[k * m + i] = x[i * depth + k];
        }
        for (size_t j = 0; j < n; j++) {
            y_turned[j * depth + k] = y[k * n + j];
        }
    }
    for (size_t i = 0; i < m; i++) {
        factors[i] = 1.0f;
    }
    ops->pack(const_matrix_of(y, depth, n), factors + m, packed);
    ops->pack_transposed(const_matrix_of(y_turned, n, depth), -2.3f, packed_again);
    assert_memory_equal(packed, packed_again, product_packed_size(ops, depth, n) * sizeof *packed);
    struct product product = {.x = x, .row_step = depth, .depth_step = 1, .panels = packed};
    product.depth = depth;
    product.out = (struct matrix){out, m, n, n};
    ops->run(&product);
    product.out.data = other;
    for (unsigned form = 1; form < 8; form++) {
        product.x = form & 1 ? x_turned : x;
        product.row_step = form & 1 ? 1 : depth;
        product.depth_step = form & 1 ? m : 1;
        product.factors = form & 2 ? factors : NULL;
        product.add = form & 4;
        memset(other, 0, m * n * sizeof *other);
        ops->run(&product);
        assert_memory_equal(out, other, m * n * sizeof *out);
    }
    for (size_t j = 0; j < n; j++) {
        const struct const_matrix column = {y + j, depth, 1, n};
        ops->pack(column, factors + m, packed);
        for (size_t i = 0; i < m; i++) {
            float alone;
            ops->run(&(struct product){.x = x + i * depth,
                                       .row_step = depth,
                                       .depth_step = 1,
                                       .panels = packed,
                                       .depth = depth,
                                       .out = matrix_of(&alone, 1, 1)});
            assert_memory_equal(out + i * n + j, &alone, sizeof alone);
        }
    }
    float *all[] = {x, x_turned, y, y_turned, out, other, factors, packed, packed_again};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        mem_free(all[i]);
    }
}

static void a_value_hangs_neither_on_its_place_nor_on_its_neighbours(void **state)
{
    (void)state;
    on_every_set_and_length(check_element_wise);
}

static void sums_hang_on_nothing_but_their_values(void **state)
{
    (void)state;
    on_every_set_and_length(check_sums_asked_otherwise);
}

static void packed_products_are_the_same_however_asked(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{25, 33, 17}, {12, 16, 64}, {11, 7, 5}};
    for (size_t s = 0; s < n_sets; s++) {
        const struct vec_ops *ops = sets[s];
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
            struct rng rng;
            rng_init(&rng, 11, "test.vec.product", s, i);
            check_product_asked_otherwise(ops->product, &rng, shapes[i]);
        }
    }
}

static void sigmoid_and_silu_match_plain_loops(void **state)
{
    (void)state;
    enum { N = 37 };
    static const float ends[] = {0.0f, -0.0f, 90.0f, -90.0f, INFINITY, -INFINITY};
    for (size_t s = 0; s < n_sets; s++) {
        float x[N], share[N], silu[N], alone[N], gradient[N];
        for (size_t j = 0; j < N; j++) {
            x[j] = j < 6 ? ends[j] : ((float)j - 20.0f) * 0.7f;
            gradient[j] = 0.1f * (float)j - 1.0f;
        }
        memcpy(alone, x, sizeof x);
        sets[s]->sigmoid(alone, alone, NULL, N);
        sets[s]->sigmoid(x, share, silu, N);
        assert_memory_equal(alone, share, sizeof share);
        for (size_t j = 0; j < N; j++) {
            const double exact = 1.0 / (1.0 + exp(-(double)x[j]));
            assert_true(fabs((double)share[j] - exact) <= 5e-7 * exact + 1e-37);
            assert_true(!isfinite(x[j]) ||
                        fabs((double)silu[j] - (double)x[j] * exact) <= 1e-6 * fabs((double)x[j]));
        }
        sets[s]->silu_gradient(gradient + 6, silu + 6, share + 6, N - 6);
        for (size_t j = 6; j < N; j++) {
            const double exact = (double)alone[j];
            const double slope = exact + (double)x[j] * exact * (1.0 - exact);
            assert_true(fabs((double)share[j] - slope * (double)gradient[j]) < 1e-6);
        }
        x[0] = NAN;
        sets[s]->sigmoid(x, share, NULL, 1);
        assert_true(isnan(share[0]));
    }
}

/* By the derivatives of o = s silu(b) and s = before + sigmoid(a) (c - before), in double. */
static void a_gated_recurrence_goes_back_as_a_plain_loop(void **state)
{
    (void)state;
    enum { N = 37 };
    for (size_t s = 0; s < 2 * n_sets; s++) {
        float values[8][N], silu[N], mixed[3 * N], out[N]; /* a, c, b, before, later, dL / do */
        const bool alone = s % 2 == 1;
        struct rng rng;
        rng_init(&rng, 3, "test.vec.recurrence", 0, 0);
        for (size_t j = 0; j < 8 * N; j++) {
            values[j / N][j % N] = (float)rng_double(&rng) * 2.0f - 1.0f;
        }
        const float *a = values[0], *c = values[1], *b = values[2], *to = values[5];
        const float *before = alone ? NULL : values[3], *later = alone ? NULL : values[4];
        float *states = values[6], *ways = values[7];
        for (size_t j = 0; j < N; j++) {
            mixed[j] = 1.0f / (1.0f + expf(-a[j]));
            mixed[N + j] = c[j];
            mixed[2 * N + j] = ways[j] = 1.0f / (1.0f + expf(-b[j]));
            silu[j] = b[j] * ways[j];
            states[j] = alone ? mixed[j] * c[j] : before[j] + mixed[j] * (c[j] - before[j]);
            out[j] = to[j];
        }
        sets[s / 2]->recur_gradient(states, before, silu, later, mixed, out, N);
        for (size_t j = 0; j < N; j++) {
            const double gate = 1.0 / (1.0 + exp(-(double)a[j])), way = (double)ways[j];
            const double old = alone ? 0.0 : (double)before[j];
            const double back = (double)to[j] * (double)silu[j] + (alone ? 0.0 : (double)later[j]);
            const double exact[4] = {back * ((double)c[j] - old) * gate * (1.0 - gate), back * gate,
                                     (double)to[j] * (double)states[j] *
                                         (way + (double)b[j] * way * (1.0 - way)),
                                     back * (1.0 - gate)};
            assert_true(fabs((double)mixed[j] - exact[0]) < 1e-6);
            assert_true(fabs((double)mixed[N + j] - exact[1]) < 1e-6);
            assert_true(fabs((double)mixed[2 * N + j] - exact[2]) < 1e-6);
            assert_true(fabs((double)out[j] - exact[3]) < 1e-6);
        }
    }
}

static void a_vector_at_length_1_has_the_gradient_of_its_differences(void **state)
{
    (void)state;
    enum { N = 5 };
    const float x[N] = {0.3f, -1.2f, 0.0f, 2.0f, 0.7f}, g[N] = {1.0f, 0.5f, -2.0f, 0.25f, 3.0f};
    for (size_t s = 0; s < n_sets; s++) {
        float unit[N], gradient[N], zeros[N] = {0};
        memcpy(unit, x, sizeof x);
        memcpy(gradient, g, sizeof g);
        const float inverse = vec_unit(sets[s], unit, N);
        assert_true(fabsf(sets[s]->dot(unit, unit, N) - 1.0f) < 1e-6f);
        vec_unit_gradient(sets[s], unit, inverse, gradient, N);
        for (size_t j = 0; j < N; j++) {
            double sums[2] = {0.0, 0.0};
            for (size_t side = 0; side < 2; side++) {
                double square = 0.0, product = 0.0;
                for (size_t i = 0; i < N; i++) {
                    const double moved = (double)x[i] + (i == j ? (side == 0 ? 1e-4 : -1e-4) : 0.0);
                    square += moved * moved;
                    product += moved * (double)g[i];
                }
                sums[side] = product / sqrt(square);
            }
            assert_true(fabs((double)gradient[j] - (sums[0] - sums[1]) / 2e-4) < 1e-5);
        }
        assert_true(fabsf(vec_unit(sets[s], zeros, N)) <= 0.0f && fabsf(zeros[0]) <= 0.0f);
    }
}

static void the_best_set_is_used(void **state)
{
    (void)state;
    assert_ptr_equal(vec_ops(), sets[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_maxima_match_plain_loops),
        cmocka_unit_test(axpy_and_scale_match_plain_loops),
        cmocka_unit_test(bfloat16_is_the_nearest_one),
        cmocka_unit_test(exp_of_shifted_rows_matches_libm),
        cmocka_unit_test(exp_error_stays_below_its_bound),
        cmocka_unit_test(exp_of_minus_infinity_is_zero_and_nan_stays),
        cmocka_unit_test(hinge_and_softplus_match_plain_loops),
        cmocka_unit_test(softplus_keeps_its_relative_error_and_nan),
        cmocka_unit_test(adam_matches_its_formula),
        cmocka_unit_test(momentum_matches_its_formula),
        cmocka_unit_test(adagrad_matches_its_formula),
        cmocka_unit_test(packed_products_match_plain_loops),
        cmocka_unit_test(a_value_hangs_neither_on_its_place_nor_on_its_neighbours),
        cmocka_unit_test(sums_hang_on_nothing_but_their_values),
        cmocka_unit_test(packed_products_are_the_same_however_asked),
        cmocka_unit_test(sigmoid_and_silu_match_plain_loops),
        cmocka_unit_test(a_gated_recurrence_goes_back_as_a_plain_loop),
        cmocka_unit_test(a_vector_at_length_1_has_the_gradient_of_its_differences),
        cmocka_unit_test(the_best_set_is_used),
    };
    n_sets = vec_ops_all(sets);
    for (size_t s = 0; s < n_sets; s++) {
        print_message("kernels tried: %s\n", sets[s]->name);
    }
    return cmocka_run_group_tests_name("vec", tests, NULL, NULL);
}
