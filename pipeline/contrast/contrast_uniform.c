/* The kernel for directau:
 *     L = sum_a sum_p w_ap (2 - 2 cos_ap) + gamma / 2 W (U(anchors) + U(shared negatives)),
 * W the sum of all weights and U the uniformity (contrast_uniform.h) with v_c = exp(b_c):
 * alignment, which is |A_a - C_p|^2 of unit vectors, and uniformity of users and items (DirectAU,
 * Wang et al. 2022, arXiv 2206.12811), times W so that the loss grows with its weights as the
 * others do. Fewer than two shared negatives keep nothing apart: then every anchor counts as empty.
 */
#include "contrast/contrast_uniform.h"

#include "contrast/contrast_internal.h"
#include "math/blas.h"

#include <math.h>

/* ---- uniformity: over tiles of the square of points, row i of a task's block against all columns
 * j, so that one pass gives the row's sum and its gradient ---- */

enum { ROWS = 128, COLUMNS = 256 };

struct uniformity_job {
    float *tiles; /* one a worker, (ROWS, COLUMNS) */
    double *sums; /* (n) */
    struct const_matrix points;
    const float *offsets;
    float high_offset;
    struct matrix gradient;
    const struct vec_ops *vec;
};

/* The row's own weight v_i. */
static double weight_of(const struct uniformity_job *job, size_t i)
{
    return job->offsets == NULL ? 1.0 : exp((double)(job->offsets[i] - job->high_offset));
}

/* sums[i] = sum over j != i of v_j exp(4 <x_i, x_j> - 4), gradient row i = the same sum of x_j. */
static void row_block_task(void *data, size_t block, size_t worker)
{
    const struct uniformity_job *job = data;
    size_t n = job->points.rows, d = job->points.columns, first = block * ROWS;
    size_t rows = n - first < ROWS ? n - first : ROWS;
    float *tile = job->tiles + worker * ROWS * COLUMNS;
    double *sums = job->sums + first;
    memset(sums, 0, rows * sizeof *sums);
    for (size_t column = 0; column < n; column += COLUMNS) {
        size_t count = n - column < COLUMNS ? n - column : COLUMNS;
        const float *offsets = job->offsets == NULL ? NULL : job->offsets + column;
        struct const_matrix others = matrix_rows(job->points, column, count);
        blas_nt(4.0f, matrix_rows(job->points, first, rows), others, 0.0f,
                (struct matrix){tile, rows, count, COLUMNS});
        for (size_t i = 0; i < rows; i++) {
            float *row = tile + i * COLUMNS;
            if (first + i >= column && first + i < column + count) {
                row[first + i - column] = -INFINITY;
            }
            sums[i] +=
                (double)job->vec->exp_shift_sum(row, offsets, 4.0f + job->high_offset, count);
        }
        if (job->gradient.data != NULL) {
            blas_nn(1.0f, (struct const_matrix){tile, rows, count, COLUMNS}, others,
                    column == 0 ? 0.0f : 1.0f, matrix_of(job->gradient.data + first * d, rows, d));
        }
    }
}

enum status_code uniformity_run(struct workspace *workspace, struct const_matrix points,
                                const float *offsets, struct pool *pool, struct matrix gradient,
                                double *value, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t n = points.rows, d = points.columns;
    struct uniformity_job job = {
        .points = points, .offsets = offsets, .gradient = gradient, .vec = vec_ops()};
    double sum = 0.0, weight = 0.0, square = 0.0;
    if (n < 2) {
        if (gradient.data != NULL) {
            memset(gradient.data, 0, n * d * sizeof(float));
        }
        *value = 0.0;
        return code;
    }
    workspace_begin(workspace);
    WORKSPACE_ADD(workspace, &job.tiles, pool_threads(pool) * ROWS * COLUMNS);
    WORKSPACE_ADD(workspace, &job.sums, n);
    TRY(workspace_reserve(workspace, status));
    job.high_offset = offsets == NULL ? 0.0f : job.vec->max(offsets, n);
    pool_run(pool, (n + ROWS - 1) / ROWS, row_block_task, &job);
    for (size_t i = 0; i < n; i++) {
        double v = weight_of(&job, i);
        sum += v * job.sums[i];
        weight += v;
        square += v * v;
    }
    /* a pair stands twice in the sum, once a side: hence 8, not 4 */
    for (size_t i = 0; i < n && gradient.data != NULL; i++) {
        job.vec->scale((float)(8.0 * weight_of(&job, i) / sum), gradient.data + i * d, d);
    }
    *value = log(sum / (weight * weight - square));
done:
    return code;
}

/* ---- the loss ---- */

/* Alignment of a block of anchors. */
static void align_task(void *data, size_t first, size_t last)
{
    const struct contrast_job *job = data;
    const struct sparse *positives = &job->batch->positives;
    double *row_loss = job->row_loss, temperature = job->settings->temperature;
    bool is_empty = job->batch->n_negatives < 2;
    for (size_t a = first; a < last; a++) {
        contrast_entry_logits(job, positives, a, job->positive_logits);
        row_loss[a] = 0.0;
        job->is_empty[a] = is_empty;
        for (int64_t p = positives->offsets[a]; p < positives->offsets[a + 1]; p++) {
            double weight = is_empty ? 0.0 : (double)positives->values[p];
            row_loss[a] += weight * (2.0 - 2.0 * temperature * (double)job->positive_logits[p]);
            job->positive_gradient[p] = (float)(-2.0 * weight * temperature);
        }
    }
}

enum status_code contrast_uniform(struct contrast_job *job, struct pool *pool,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct contrast_batch *batch = job->batch;
    size_t b = batch->anchors.rows, n = batch->n_negatives, d = batch->anchors.columns;
    size_t entries = sparse_entries(&batch->positives);
    struct matrix anchors = matrix_of(job->partial, b, d);
    struct matrix candidates = matrix_of(job->result->candidates.data, n, d);
    double anchor_value = 0.0, candidate_value = 0.0, share = 0.0;
    pool_run_rows(pool, b, ROW_BLOCK, align_task, job);
    if (sparse_entries(&batch->listed) > 0) {
        memset(job->listed_logits, 0, sparse_entries(&batch->listed) * sizeof(float));
    }
    TRY(uniformity_run(job->uniformity, batch->anchors, NULL, pool, anchors, &anchor_value,
                       status));
    TRY(uniformity_run(job->uniformity, matrix_rows(batch->candidates, 0, n), batch->offsets, pool,
                       candidates, &candidate_value, status));
    for (size_t p = 0; p < entries && n >= 2; p++) {
        share += (double)batch->positives.values[p];
    }
    share *= 0.5 * job->settings->loss_settings.uniformity;
    job->vec->scale((float)share, anchors.data, b * d);
    job->vec->scale((float)share, candidates.data, n * d);
    if (b > 0) {
        job->row_loss[0] += share * (anchor_value + candidate_value);
    }
done:
    return code;
}
