/* Diagnostics of a call: cosines of positives and negatives, and how many negatives there are in
 * effect. They rest on the log-sum kind's first pass, whatever the loss, so that the figures of
 * different losses compare. */
#include "contrast/contrast_internal.h"

#include <math.h>

enum status_code contrast_diagnose_start(struct contrast_job *job, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct contrast *w = job->work;
    const struct const_matrix *candidates = &job->batch->candidates;
    size_t b = job->batch->anchors.rows, d = candidates->columns;
    TRY(scratch_reserve(&w->tile_square, job->n_tiles * b, sizeof(float), status));
    TRY(scratch_reserve(&w->candidate_sum, d, sizeof(double), status));
    TRY(scratch_reserve(&w->effective, b, sizeof(double), status));
    TRY(scratch_reserve(&w->positive_total, b, sizeof(double), status));
    TRY(scratch_reserve(&w->negative_total, b, sizeof(double), status));
    double *sum = w->candidate_sum.data;
    memset(sum, 0, d * sizeof *sum);
    for (size_t c = 0; c < job->batch->n_negatives; c++) {
        for (size_t j = 0; j < d; j++) {
            sum[j] += (double)candidates->data[c * d + j];
        }
    }
done:
    return code;
}

/* Sum of <A_row, C_column> over the entries of one row. */
static double entry_cosines(const struct contrast_job *job, const struct sparse *m, size_t row)
{
    const struct contrast_batch *batch = job->batch;
    size_t d = batch->anchors.columns;
    double sum = 0.0;
    for (int64_t e = m->n_rows == 0 ? 0 : m->offsets[row];
         m->n_rows != 0 && e < m->offsets[row + 1]; e++) {
        const float *candidate = batch->candidates.data + (size_t)m->columns[e] * d;
        sum += (double)job->vec->dot(batch->anchors.data + row * d, candidate, d);
    }
    return sum;
}

/* (sum x)^2 / sum x^2, both relative to the row's sum. */
static double effective_negatives(const struct contrast_job *job, size_t row)
{
    struct contrast *w = job->work;
    const struct sparse *listed = &job->batch->listed;
    size_t b = job->batch->anchors.rows;
    const float *tile_max = w->tile_max.data, *tile_square = w->tile_square.data;
    const float *logits = w->listed_logits.data;
    double log_sum = ((const double *)w->log_sum.data)[row], square = 0.0;
    if (log_sum == -INFINITY) {
        return 0.0;
    }
    for (size_t t = 0; t < job->n_tiles; t++) {
        if (tile_square[t * b + row] != 0.0f) {
            square += exp(2.0 * (tile_max[t * b + row] - log_sum)) * tile_square[t * b + row];
        }
    }
    for (int64_t e = listed->n_rows == 0 ? 0 : listed->offsets[row];
         listed->n_rows != 0 && e < listed->offsets[row + 1]; e++) {
        square += exp(2.0 * (logits[e] - log_sum));
    }
    return 1.0 / square;
}

void contrast_diagnose_row(const struct contrast_job *job, size_t row)
{
    struct contrast *w = job->work;
    const struct contrast_batch *batch = job->batch;
    size_t d = batch->anchors.columns;
    const double *sum = w->candidate_sum.data;
    double negative = entry_cosines(job, &batch->listed, row);
    for (size_t j = 0; j < d; j++) {
        negative += (double)batch->anchors.data[row * d + j] * sum[j];
    }
    negative -= entry_cosines(job, &batch->excluded, row);
    ((double *)w->negative_total.data)[row] = negative;
    ((double *)w->positive_total.data)[row] = entry_cosines(job, &batch->positives, row);
    ((double *)w->effective.data)[row] = effective_negatives(job, row);
}

static void rows_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct contrast_job *job = data;
    size_t first = 0, last = 0;
    contrast_row_block(job, block, &first, &last);
    for (size_t a = first; a < last; a++) {
        contrast_log_sum_row(job, a);
        contrast_diagnose_row(job, a);
    }
}

enum status_code contrast_diagnose_beside(struct contrast_job *job, struct pool *pool,
                                          struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(contrast_log_sum_tiles(job, pool, status));
    pool_run(pool, (job->batch->anchors.rows + ROW_BLOCK - 1) / ROW_BLOCK, rows_task, job);
done:
    return code;
}

void contrast_diagnose_end(const struct contrast_job *job, struct contrast_diagnostics *diagnostics)
{
    const struct contrast *w = job->work;
    const struct contrast_batch *batch = job->batch;
    const double *effective = w->effective.data;
    size_t b = batch->anchors.rows;
    double positive = 0.0, negative = 0.0, sum = 0.0, n_effective = 0.0;
    for (size_t a = 0; a < b; a++) {
        positive += ((const double *)w->positive_total.data)[a];
        negative += ((const double *)w->negative_total.data)[a];
        sum += effective[a];
        n_effective += effective[a] != 0.0 ? 1.0 : 0.0;
    }
    double n_negatives = (double)batch->n_negatives * (double)b +
                         (double)sparse_entries(&batch->listed) -
                         (double)sparse_entries(&batch->excluded);
    diagnostics->positive_cosine = positive / (double)sparse_entries(&batch->positives);
    diagnostics->negative_cosine = n_negatives > 0.0 ? negative / n_negatives : (double)NAN;
    diagnostics->effective_negatives = sum / n_effective;
}
