/* Alignment, uniformity, norms and the spread of the item vectors over their dimensions. */
#include "training/embedding_health.h"

#include "base/mem.h"
#include "base/rng.h"
#include "math/blas.h"
#include "math/vec.h"

#include <assert.h>
#include <math.h>

enum { ROW_BLOCK = 256 };

static const double DEAD_SHARE = 1e-3;  /* of the mean variance */
static const double COSINE_MOST = 0.99; /* above it a table is one point */
/* Both together: hardly more than one dimension, and no second group on the other side. */
static const double PARTICIPATION_LEAST = 1.5, COSINE_OF_ONE_SIDE = 0.9;

static double squared_distance(const float *x, const float *y, size_t n)
{
    double sum = 0.0;
    for (size_t j = 0; j < n; j++) {
        double difference = (double)x[j] - (double)y[j];
        sum += difference * difference;
    }
    return sum;
}

static double alignment_of(const struct embedding_health_input *input)
{
    double sum = 0.0;
    for (size_t i = 0; i < input->n_positives; i++) {
        sum += squared_distance(matrix_row(input->users, (size_t)input->positives[2 * i]),
                                matrix_row(input->items, (size_t)input->positives[2 * i + 1]),
                                input->users.columns);
    }
    return input->n_positives > 0 ? sum / (double)input->n_positives : NAN;
}

/* Over HEALTH_PAIRS pairs of different rows. */
static void measure_pairs(struct const_matrix m, uint64_t seed, const char *purpose,
                          double *uniformity, double *cosine)
{
    const struct vec_ops *vec = vec_ops();
    double kernel = 0.0, cosines = 0.0;
    struct rng rng;
    rng_init(&rng, seed, purpose, 0, 0);
    *uniformity = *cosine = NAN;
    if (m.rows < 2) {
        return;
    }
    for (size_t i = 0; i < HEALTH_PAIRS; i++) {
        size_t x = rng_below(&rng, m.rows), y = rng_below(&rng, m.rows - 1);
        y += y >= x ? 1 : 0;
        kernel += exp(-2.0 * squared_distance(matrix_row(m, x), matrix_row(m, y), m.columns));
        cosines += (double)vec->dot(matrix_row(m, x), matrix_row(m, y), m.columns);
    }
    *uniformity = log(kernel / HEALTH_PAIRS);
    *cosine = cosines / HEALTH_PAIRS;
}

/* Row i of the `n` that are looked at, of m.rows. */
static size_t spaced_row(struct const_matrix m, size_t i, size_t n)
{
    return i * m.rows / n;
}

static size_t spaced_rows(struct const_matrix m)
{
    return m.rows < HEALTH_ROWS ? m.rows : HEALTH_ROWS;
}

static double mean_norm(const struct embedding_health_input *input)
{
    const struct const_matrix tables[] = {input->user_weights, input->item_weights};
    double sum = 0.0;
    size_t rows = 0;
    for (size_t t = 0; t < 2; t++) {
        size_t n = tables[t].data == NULL ? 0 : spaced_rows(tables[t]);
        for (size_t i = 0; i < n; i++) {
            const float *row = matrix_row(tables[t], spaced_row(tables[t], i, n));
            sum += sqrt((double)vec_ops()->dot(row, row, tables[t].columns));
        }
        rows += n;
    }
    return rows > 0 ? sum / (double)rows : NAN;
}

/* covariance (d, d) of the spaced rows of m, not divided by their number. mean (d) and
 * block (ROW_BLOCK, d) are work memory, zeroed. */
static void covariance_of(struct const_matrix m, double *mean, float *block, float *covariance)
{
    size_t d = m.columns, n = spaced_rows(m);
    for (size_t i = 0; i < n; i++) {
        const float *row = matrix_row(m, spaced_row(m, i, n));
        for (size_t j = 0; j < d; j++) {
            mean[j] += (double)row[j];
        }
    }
    for (size_t j = 0; j < d; j++) {
        mean[j] /= (double)n; /* exact when all rows are one: their covariance is 0 then */
    }
    for (size_t first = 0; first < n; first += ROW_BLOCK) {
        size_t count = n - first < ROW_BLOCK ? n - first : ROW_BLOCK;
        for (size_t i = 0; i < count; i++) {
            const float *row = matrix_row(m, spaced_row(m, first + i, n));
            for (size_t j = 0; j < d; j++) {
                block[i * d + j] = (float)((double)row[j] - mean[j]);
            }
        }
        struct const_matrix centred = const_matrix_of(block, count, d);
        blas_tn(1.0f, centred, centred, first == 0 ? 0.0f : 1.0f, matrix_of(covariance, d, d));
    }
}

static enum status_code measure_spread(struct const_matrix m, struct embedding_health *out,
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t d = m.columns, dead = 0;
    double *mean = NULL;
    float *block = NULL, *covariance = NULL;
    double trace = 0.0, squares = 0.0;
    TRY(MEM_NEW(&mean, d, status));
    TRY(MEM_NEW(&block, ROW_BLOCK * d, status));
    TRY(MEM_NEW(&covariance, d * d, status));
    covariance_of(m, mean, block, covariance);
    for (size_t j = 0; j < d; j++) {
        trace += (double)covariance[j * d + j];
    }
    for (size_t j = 0; j < d; j++) {
        dead += (double)covariance[j * d + j] <= DEAD_SHARE * trace / (double)d ? 1 : 0;
        for (size_t k = 0; k < d; k++) {
            squares += (double)covariance[j * d + k] * (double)covariance[j * d + k];
        }
    }
    out->dead_dimensions = (double)dead / (double)d;
    out->participation = squares > 0.0 ? trace * trace / squares : 0.0;
done:
    mem_free(mean);
    mem_free(block);
    mem_free(covariance);
    return code;
}

static void judge(const struct embedding_health_input *input, struct embedding_health *out)
{
    const size_t rows[] = {input->users.rows, input->items.rows};
    const double cosines[] = {out->cosine_users, out->cosine_items};
    const char *const names[] = {"user", "item"};
    for (size_t t = 0; t < 2 && !out->collapsed; t++) {
        if (rows[t] >= HEALTH_MIN_ROWS && cosines[t] > COSINE_MOST) {
            out->collapsed = true;
            snprintf(out->reason, sizeof out->reason,
                     "the %s vectors have collapsed into one: the mean cosine of two of them is "
                     "%.4f, at most %g is allowed",
                     names[t], cosines[t], COSINE_MOST);
        }
    }
    if (!out->collapsed && input->items.rows >= HEALTH_MIN_ROWS &&
        out->participation < PARTICIPATION_LEAST && out->cosine_items > COSINE_OF_ONE_SIDE) {
        out->collapsed = true;
        snprintf(out->reason, sizeof out->reason,
                 "the item vectors have collapsed onto a line: they use %.2f of %zu dimensions, at "
                 "least %g are needed, at a mean cosine of %.4f",
                 out->participation, input->items.columns, PARTICIPATION_LEAST, out->cosine_items);
    }
}

enum status_code embedding_health_measure(const struct embedding_health_input *input,
                                          struct embedding_health *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct embedding_health measured = {0};
    assert(input->users.columns == input->items.columns);
    TRY(measure_spread(input->items, &measured, status));
    measured.alignment = alignment_of(input);
    measure_pairs(input->users, input->seed, "health.users", &measured.uniformity_users,
                  &measured.cosine_users);
    measure_pairs(input->items, input->seed, "health.items", &measured.uniformity_items,
                  &measured.cosine_items);
    measured.norm = mean_norm(input);
    judge(input, &measured);
    *out = measured;
done:
    return code;
}
