/* Products with one packed operand, one portable source compiled once per instruction set (see the
 * Makefile and lanes.h). A block of ROWS x 2 vectors of `out` stays in registers over the whole
 * depth: 24 or 12 sums hide the latency of the multiply-add, and a panel of 2 vectors and a
 * broadcast fit beside them. */
#include "math/product.h"

#include "math/lanes.h"

#include <string.h>

#if defined __AVX512F__ || defined __aarch64__ /* 32 registers */
enum { ROWS = 12 };
#else
enum { ROWS = 6 };
#endif
enum { PANEL = 2 * LANES, ROWS_MOST = 12 /* of any set */ };

/* Writes one row of a block: the `columns` of it that exist. */
static inline __attribute__((always_inline)) void store_row(const struct product *p, size_t row,
                                                            size_t first, size_t columns, lanes low,
                                                            lanes high)
{
    float *out = p->out.data + row * p->out.stride + first;
    if (p->factors != NULL) {
        low *= p->factors[row];
        high *= p->factors[row];
    }
    if (columns < PANEL) {
        float part[PANEL];
        STORE(part, low);
        STORE(part + LANES, high);
        for (size_t j = 0; j < columns; j++) {
            float sum = p->add ? out[j] + part[j] : part[j];
            for (size_t s = 0; s < p->n_sums; s++) {
                sum += p->sums[s][row * p->out.stride + first + j];
            }
            out[j] = sum;
        }
        return;
    }
    if (p->add) {
        low += LOAD(out);
        high += LOAD(out + LANES);
    }
    for (size_t s = 0; s < p->n_sums; s++) {
        const float *sum = p->sums[s] + row * p->out.stride + first;
        low += LOAD(sum);
        high += LOAD(sum + LANES);
    }
    STORE(out, low);
    STORE(out + LANES, high);
}

/* A vector of what the sums of a row begin with; of `columns` the first LANES are its. */
static inline __attribute__((always_inline)) lanes load_start(const float *start, size_t columns)
{
    float part[LANES] = {0};
    if (columns >= LANES) {
        return LOAD(start);
    }
    memcpy(part, start, columns * sizeof *part);
    return LOAD(part);
}

/* Rows [row, row + n) against one panel; n, and a step that is 1, are constants of the caller. */
static inline __attribute__((always_inline)) void block_of(const struct product *p, size_t n,
                                                           size_t row_step, size_t depth_step,
                                                           size_t row, const float *panel,
                                                           size_t first, size_t columns)
{
    lanes low[ROWS_MOST], high[ROWS_MOST]; /* the first n */
    const float *x = p->x + row * row_step;
    if (p->start == NULL) {
#pragma GCC unroll 12
        for (size_t i = 0; i < n; i++) {
            low[i] = high[i] = (lanes){0};
        }
    } else {
        const float *start = p->start + row * p->out.stride + first;
#pragma GCC unroll 12
        for (size_t i = 0; i < n; i++, start += p->out.stride) {
            low[i] = load_start(start, columns);
            high[i] = columns > LANES ? load_start(start + LANES, columns - LANES) : (lanes){0};
        }
    }
    for (size_t k = 0; k < p->depth; k++) {
        const lanes left = LOAD(panel + k * PANEL), right = LOAD(panel + k * PANEL + LANES);
#pragma GCC unroll 12
        for (size_t i = 0; i < n; i++) {
            const lanes value = ALL(x[i * row_step + k * depth_step]);
            low[i] = lanes_fma(value, left, low[i]);
            high[i] = lanes_fma(value, right, high[i]);
        }
    }
#pragma GCC unroll 12
    for (size_t i = 0; i < n; i++) {
        store_row(p, row + i, first, columns, low[i], high[i]);
    }
}

/* One panel of `out`. */
static inline __attribute__((always_inline)) void panel_of(const struct product *p, size_t row_step,
                                                           size_t depth_step, const float *panel,
                                                           size_t first, size_t columns)
{
    size_t row = 0;
    for (; row + ROWS <= p->out.rows; row += ROWS) {
        block_of(p, ROWS, row_step, depth_step, row, panel, first, columns);
    }
    if (ROWS > 8 && row + 8 <= p->out.rows) {
        block_of(p, 8, row_step, depth_step, row, panel, first, columns);
        row += 8;
    }
    if (row + 4 <= p->out.rows) {
        block_of(p, 4, row_step, depth_step, row, panel, first, columns);
        row += 4;
    }
    if (row + 2 <= p->out.rows) {
        block_of(p, 2, row_step, depth_step, row, panel, first, columns);
        row += 2;
    }
    if (row < p->out.rows) {
        block_of(p, 1, row_step, depth_step, row, panel, first, columns);
    }
}

static void run_along_rows(const struct product *p, const float *panel, size_t first,
                           size_t columns)
{
    panel_of(p, p->row_step, 1, panel, first, columns);
}

static void run_across_rows(const struct product *p, const float *panel, size_t first,
                            size_t columns)
{
    panel_of(p, 1, p->depth_step, panel, first, columns);
}

static void product_run(const struct product *p)
{
    for (size_t first = 0; first < p->out.columns; first += PANEL) {
        size_t left = p->out.columns - first, columns = left < PANEL ? left : PANEL;
        (p->depth_step == 1 ? run_along_rows : run_across_rows)(p, p->panels + first * p->depth,
                                                                first, columns);
    }
}

static void product_pack(struct const_matrix rows, const float *factors, float *out)
{
    for (size_t first = 0; first < rows.columns; first += PANEL) {
        size_t left = rows.columns - first, columns = left < PANEL ? left : PANEL;
        for (size_t r = 0; r < rows.rows; r++, out += PANEL) {
            const float *row = rows.data + r * rows.stride + first;
            const float factor = factors == NULL ? 1.0f : factors[r];
            if (columns == PANEL) {
                STORE(out, LOAD(row) * factor);
                STORE(out + LANES, LOAD(row + LANES) * factor);
                continue;
            }
            memset(out, 0, PANEL * sizeof *out);
            for (size_t j = 0; j < columns; j++) {
                out[j] = row[j] * factor;
            }
        }
    }
}

/* Four rows become four columns, `step` floats apart. */
static inline void transpose_four(const float *rows, size_t stride, float factor, float *out,
                                  size_t step)
{
    typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));
    const quad *a = (const void *)rows, *b = (const void *)(rows + stride);
    const quad *c = (const void *)(rows + 2 * stride), *d = (const void *)(rows + 3 * stride);
    const quad ab_low = __builtin_shufflevector(*a, *b, 0, 4, 1, 5) * factor;
    const quad cd_low = __builtin_shufflevector(*c, *d, 0, 4, 1, 5) * factor;
    const quad ab_high = __builtin_shufflevector(*a, *b, 2, 6, 3, 7) * factor;
    const quad cd_high = __builtin_shufflevector(*c, *d, 2, 6, 3, 7) * factor;
    *(quad *)(void *)out = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
    *(quad *)(void *)(out + step) = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
    *(quad *)(void *)(out + 2 * step) = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
    *(quad *)(void *)(out + 3 * step) = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}

static void product_pack_transposed(struct const_matrix rows, float factor, float *out)
{
    for (size_t first = 0; first < rows.rows; first += PANEL, out += PANEL * rows.columns) {
        size_t left = rows.rows - first, n = left < PANEL ? left : PANEL, whole = n / 4 * 4;
        size_t k = 0;
        if (n < PANEL) {
            memset(out, 0, PANEL * rows.columns * sizeof *out);
        }
        for (; k + 4 <= rows.columns; k += 4) {
            for (size_t j = 0; j < whole; j += 4) {
                transpose_four(rows.data + (first + j) * rows.stride + k, rows.stride, factor,
                               out + k * PANEL + j, PANEL);
            }
        }
        for (size_t j = 0; j < n; j++) {
            const float *row = rows.data + (first + j) * rows.stride;
            for (size_t i = j < whole ? k : 0; i < rows.columns; i++) {
                out[i * PANEL + j] = factor * row[i];
            }
        }
    }
}

extern const struct product_ops ISA_NAME(product_ops_);
const struct product_ops ISA_NAME(product_ops_) = {
    .panel = PANEL,
    .pack = product_pack,
    .pack_transposed = product_pack_transposed,
    .run = product_run,
};
