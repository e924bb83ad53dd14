/* The kernel for directau:
 *     L = sum_a sum_p w_ap (2 - 2 cos_ap) + gamma / 2 W (U(anchors) + U(shared negatives)),
 * W the sum of all weights and U the uniformity (uniformity.h) with v_c = exp(b_c): alignment,
 * which is |A_a - C_p|^2 of unit vectors, and uniformity of users and items (DirectAU, Wang et al.
 * 2022, arXiv 2206.12811), times W so that the loss grows with its weights as the others do. Fewer
 * than two shared negatives keep nothing apart: then every anchor counts as empty. */
#include "contrast/contrast_internal.h"

/* Alignment of a block of anchors. */
static void align_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct contrast_job *job = data;
    const struct sparse *positives = &job->batch->positives;
    struct contrast *w = job->work;
    const float *logits = w->positive_logits.data;
    float *gradient = w->positive_gradient.data;
    double *row_loss = w->row_loss.data, temperature = job->settings->temperature;
    bool is_empty = job->batch->n_negatives < 2;
    size_t first = 0, last = 0;
    contrast_row_block(job, block, &first, &last);
    for (size_t a = first; a < last; a++) {
        contrast_entry_logits(job, positives, a, w->positive_logits.data);
        row_loss[a] = 0.0;
        ((bool *)w->is_empty.data)[a] = is_empty;
        for (int64_t p = positives->offsets[a]; p < positives->offsets[a + 1]; p++) {
            double weight = is_empty ? 0.0 : (double)positives->values[p];
            row_loss[a] += weight * (2.0 - 2.0 * temperature * (double)logits[p]);
            gradient[p] = (float)(-2.0 * weight * temperature);
        }
    }
}

enum status_code contrast_uniform(struct contrast_job *job, struct pool *pool,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct contrast_batch *batch = job->batch;
    struct contrast *w = job->work;
    size_t b = batch->anchors.rows, n = batch->n_negatives, d = batch->anchors.columns;
    size_t entries = sparse_entries(&batch->positives);
    struct matrix anchors = matrix_of(w->partial.data, b, d);
    struct matrix candidates = matrix_of(job->result->candidates.data, n, d);
    double anchor_value = 0.0, candidate_value = 0.0, share = 0.0;
    pool_run(pool, (b + ROW_BLOCK - 1) / ROW_BLOCK, align_task, job);
    if (sparse_entries(&batch->listed) > 0) {
        memset(w->listed_logits.data, 0, sparse_entries(&batch->listed) * sizeof(float));
    }
    TRY(uniformity_run(&w->uniformity, batch->anchors, NULL, pool, anchors, &anchor_value, status));
    TRY(uniformity_run(&w->uniformity, matrix_rows(batch->candidates, 0, n), batch->offsets, pool,
                       candidates, &candidate_value, status));
    for (size_t p = 0; p < entries && n >= 2; p++) {
        share += (double)batch->positives.values[p];
    }
    share *= 0.5 * job->settings->loss_settings.uniformity;
    job->vec->scale((float)share, anchors.data, b * d);
    job->vec->scale((float)share, candidates.data, n * d);
    if (b > 0) {
        ((double *)w->row_loss.data)[0] += share * (anchor_value + candidate_value);
    }
done:
    return code;
}
