/* Uniformity over tiles of the square of points: row i of a task's block against all columns j, so
 * that one pass gives the row's sum and its gradient. */
#include "contrast/uniformity.h"

#include "math/blas.h"
#include "math/vec.h"

#include <math.h>

enum { ROWS = 128, COLUMNS = 256 };

struct uniformity_job {
    struct uniformity *work;
    struct const_matrix points;
    const float *offsets;
    float high_offset;
    struct matrix gradient;
    const struct vec_ops *vec;
};

void uniformity_release(struct uniformity *work)
{
    scratch_release(&work->tiles);
    scratch_release(&work->sums);
    *work = (struct uniformity){0};
}

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
    float *tile = (float *)job->work->tiles.data + worker * ROWS * COLUMNS;
    double *sums = (double *)job->work->sums.data + first;
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

enum status_code uniformity_run(struct uniformity *work, struct const_matrix points,
                                const float *offsets, struct pool *pool, struct matrix gradient,
                                double *value, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t n = points.rows, d = points.columns;
    struct uniformity_job job = {work, points, offsets, 0.0f, gradient, vec_ops()};
    double sum = 0.0, weight = 0.0, square = 0.0;
    if (n < 2) {
        if (gradient.data != NULL) {
            memset(gradient.data, 0, n * d * sizeof(float));
        }
        *value = 0.0;
        return code;
    }
    TRY(scratch_reserve(&work->tiles, pool_threads(pool) * ROWS * COLUMNS, sizeof(float), status));
    TRY(scratch_reserve(&work->sums, n, sizeof(double), status));
    job.high_offset = offsets == NULL ? 0.0f : job.vec->max(offsets, n);
    pool_run(pool, (n + ROWS - 1) / ROWS, row_block_task, &job);
    for (size_t i = 0; i < n; i++) {
        double v = weight_of(&job, i);
        sum += v * ((const double *)work->sums.data)[i];
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
