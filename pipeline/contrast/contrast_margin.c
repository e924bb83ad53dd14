/* The kernel for margin losses: L_a = sum_p w_p positive(s_p) + sum_k factor_k sum_c v_c
 * psi(s_c - cut_k). One pass over the tiles gives sums and gradients, where the factors are known
 * before; losses by rank take the sums in a pass of their own. */
#include "contrast/contrast_internal.h"

#include <math.h>

/* Adds the sums of one cut over n negatives; gradient (n), NULL allowed, += factor v psi'. */
static void add_sums(const struct contrast_job *job, const float *logits, const float *weights,
                     float cut, float factor, size_t n, float *gradient, struct cut_sums *sums)
{
    struct vec_sums part = job->settings->loss->shape == SHAPE_HINGE
                               ? job->vec->hinge_cut(logits, weights, cut, factor, n, gradient)
                               : job->vec->softplus_cut(logits, weights, cut, factor, n, gradient);
    sums->value += (double)part.value;
    sums->slope += (double)part.slope;
    sums->count += (double)part.count;
}

/* The cuts [*first, *last) of an anchor: its positives, or its own. */
static void cuts_of(const struct contrast_job *job, size_t a, size_t *first, size_t *last)
{
    const struct sparse *positives = &job->batch->positives;
    bool each = job->settings->loss->cut_each;
    *first = each ? (size_t)positives->offsets[a] : a;
    *last = each ? (size_t)positives->offsets[a + 1] : a + 1;
}

/* ---- before the tiles ---- */

static float highest_offset(const struct contrast_batch *batch)
{
    const struct vec_ops *vec = vec_ops();
    const struct sparse *listed = &batch->listed;
    const float own =
        listed->n_rows == 0 ? -INFINITY : vec->max(listed->values, sparse_entries(listed));
    const float shared =
        batch->offsets == NULL ? 0.0f : vec->max(batch->offsets, batch->n_negatives);
    return batch->n_negatives > 0 && shared > own ? shared : own;
}

/* v = exp(b - high offset) of the shared negatives. */
static void weigh_shared(struct contrast_job *job)
{
    const struct contrast_batch *batch = job->batch;
    float *weights = job->shared_weights;
    const float high = batch->high_offset != NULL ? *batch->high_offset : highest_offset(batch);
    job->high_offset = high == -INFINITY ? 0.0f : high;
    job->shared_weight = 0.0;
    for (size_t c = 0; c < batch->n_negatives; c++) {
        weights[c] = expf((batch->offsets == NULL ? 0.0f : batch->offsets[c]) - job->high_offset);
        job->shared_weight += (double)weights[c];
    }
}

/* V of an anchor; 0 when it has no negative. Fills the weights of its list. */
static double weigh_row(const struct contrast_job *job, size_t a)
{
    const struct contrast_batch *batch = job->batch;
    const struct sparse *excluded = &batch->excluded, *listed = &batch->listed;
    const float *weights = job->shared_weights;
    double total = job->shared_weight;
    size_t n = batch->n_negatives;
    if (excluded->n_rows != 0) {
        for (int64_t e = excluded->offsets[a]; e < excluded->offsets[a + 1]; e++) {
            total -= (double)weights[excluded->columns[e]];
        }
        n -= sparse_row_length(excluded, a);
    }
    total = n == 0 ? 0.0 : total; /* what is left of the subtractions is rounding */
    if (listed->n_rows != 0) {
        for (int64_t e = listed->offsets[a]; e < listed->offsets[a + 1]; e++) {
            job->listed_weights[e] = expf(listed->values[e] - job->high_offset);
            total += (double)job->listed_weights[e];
        }
    }
    return total > 0.0 ? total : 0.0;
}

/* The factor of one cut; its sums are NULL before they are known. */
static float factor_of(const struct contrast_job *job, size_t a, double weight,
                       const struct cut_sums *sums)
{
    const struct loss *loss = job->settings->loss;
    struct loss_cut cut = {.weight = weight,
                           .negatives = job->negatives[a],
                           .temperature = job->settings->temperature};
    if (loss->by_rank) {
        cut.count = sums->count;
        cut.slope = sums->slope;
    }
    return cut.negatives > 0.0 ? (float)loss->factor(&job->settings->loss_settings, &cut) : 0.0f;
}

static double row_weight(const struct sparse *positives, size_t a)
{
    double total = 0.0;
    for (int64_t e = positives->offsets[a]; e < positives->offsets[a + 1]; e++) {
        total += (double)positives->values[e];
    }
    return total;
}

/* Rows: logits of the sparse entries, weights of the negatives, cuts, and factors where they are
 * known already. */
static void prepare_task(void *data, size_t first, size_t last)
{
    const struct contrast_job *job = data;
    const struct contrast_batch *batch = job->batch;
    const struct loss *loss = job->settings->loss;
    double side = loss->margin_side * job->settings->loss_settings.margin * (double)job->scale;
    for (size_t a = first; a < last; a++) {
        size_t first_cut = 0, last_cut = 0;
        contrast_entry_logits(job, &batch->positives, a, job->positive_logits);
        if (batch->listed.n_rows != 0) {
            contrast_entry_logits(job, &batch->listed, a, job->listed_logits);
        }
        job->negatives[a] = weigh_row(job, a);
        job->is_empty[a] = job->negatives[a] == 0.0;
        cuts_of(job, a, &first_cut, &last_cut);
        for (size_t k = first_cut; k < last_cut; k++) {
            double weight = loss->cut_each ? (double)batch->positives.values[k]
                                           : row_weight(&batch->positives, a);
            job->cuts[k] = (float)((loss->cut_each ? (double)job->positive_logits[k] : 0.0) + side);
            job->factors[k] = loss->by_rank ? 0.0f : factor_of(job, a, weight, NULL);
        }
    }
}

/* ---- tiles ---- */

/* A logit that no negative of a row exceeds: hinges of cuts from there on are 0. INFINITY where a
 * look at the row costs as much as its cuts, or where NaN has to reach the loss. */
static float reach_of(const struct contrast_job *job, const float *row, size_t n, size_t n_cuts)
{
    enum { FEW = 4 };
    if (job->settings->loss->shape != SHAPE_HINGE || n_cuts < FEW ||
        isnan(job->vec->dot(row, row, n))) {
        return INFINITY;
    }
    return job->vec->max(row, n);
}

/* Every cut of a block's anchors against a tile: the sums, where they are wanted, and the
 * gradients, where they are; these take the place of the logits. */
static void cut_block(const struct contrast_job *job, const struct contrast_tile *tile,
                      const struct contrast_block *block, bool with_gradient, struct cut_sums *sums)
{
    const float *cuts = job->cuts, *weights = job->shared_weights + tile->first;
    size_t first = 0, last = 0;
    for (size_t r = 0; r < block->count; r++) {
        float gradient[TILE] = {0};
        float *row = block->logits + r * TILE_STRIDE;
        cuts_of(job, block->first + r, &first, &last);
        float reach = reach_of(job, row, tile->count, last - first);
        for (size_t k = first; k < last; k++) {
            if (cuts[k] >= reach) {
                continue;
            }
            struct cut_sums ignored = {0};
            add_sums(job, row, weights, cuts[k], job->factors[k], tile->count,
                     with_gradient ? gradient : NULL, sums == NULL ? &ignored : &sums[k]);
        }
        if (with_gradient) {
            memcpy(row, gradient, tile->count * sizeof *row);
        }
    }
}

static struct cut_sums *sums_of_chunk(const struct contrast_job *job, size_t chunk)
{
    return job->cut_sums + chunk * job->n_cuts;
}

/* Losses by rank, pass 1: the sums of a run of tiles. */
static void sums_task(void *data, size_t chunk, size_t worker)
{
    const struct contrast_job *job = data;
    size_t first = 0, last = 0;
    contrast_chunk(job, chunk, &first, &last);
    for (size_t t = first; t < last; t++) {
        struct contrast_tile tile = contrast_tile_open(job, t, worker, PACK_LOGITS);
        for (size_t i = 0; i < contrast_n_blocks(job); i++) {
            struct contrast_block block = contrast_block_of(job, &tile, i);
            contrast_block_logits(job, &tile, &block);
            cut_block(job, &tile, &block, false, sums_of_chunk(job, chunk));
        }
    }
}

/* dL/ds in place of a block's logits, and the run's sums unless they are known. */
static void block_gradient(const struct contrast_job *job, size_t chunk,
                           const struct contrast_tile *tile, const struct contrast_block *block)
{
    struct cut_sums *sums = job->settings->loss->by_rank ? NULL : sums_of_chunk(job, chunk);
    cut_block(job, tile, block, true, sums);
    for (size_t r = 0; r < block->count; r++) {
        tile->factors[r] = 1.0f;
    }
}

static void gradient_task(void *data, size_t chunk, size_t worker)
{
    contrast_gradient_run(data, chunk, worker, block_gradient);
}

/* ---- after the sums ---- */

/* Every cut of an anchor against its own list, TILE entries at a time: the sums, or the gradient,
 * which takes the place of the logits. */
static void cut_list(const struct contrast_job *job, size_t a, struct cut_sums *sums)
{
    const struct sparse *listed = &job->batch->listed;
    float *logits = job->listed_logits;
    size_t first = 0, last = 0;
    cuts_of(job, a, &first, &last);
    size_t end = listed->n_rows == 0 ? 0 : (size_t)listed->offsets[a + 1];
    for (size_t e = end == 0 ? 0 : (size_t)listed->offsets[a]; e < end; e += TILE) {
        float gradient[TILE] = {0};
        size_t count = end - e < TILE ? end - e : TILE;
        for (size_t k = first; k < last; k++) {
            struct cut_sums ignored = {0};
            add_sums(job, logits + e, job->listed_weights + e, job->cuts[k], job->factors[k], count,
                     sums == NULL ? gradient : NULL, sums == NULL ? &ignored : &sums[k]);
        }
        if (sums == NULL) {
            memcpy(logits + e, gradient, count * sizeof *logits);
        }
    }
}

/* Gathers the sums of an anchor's cuts into those of chunk 0. */
static struct cut_sums *gather_sums(const struct contrast_job *job, size_t a)
{
    struct cut_sums *total = job->cut_sums;
    size_t first = 0, last = 0;
    cuts_of(job, a, &first, &last);
    for (size_t chunk = 1; chunk < job->n_chunks; chunk++) {
        const struct cut_sums *sums = sums_of_chunk(job, chunk);
        for (size_t k = first; k < last; k++) {
            total[k].value += sums[k].value;
            total[k].slope += sums[k].slope;
            total[k].count += sums[k].count;
        }
    }
    cut_list(job, a, total);
    return total;
}

/* The loss of a row from the sums of its cuts, and the gradient of its positives. */
static double finish_row(const struct contrast_job *job, size_t a)
{
    const struct sparse *positives = &job->batch->positives;
    const struct loss *loss = job->settings->loss;
    bool is_empty = job->is_empty[a];
    const struct cut_sums *sums = gather_sums(job, a);
    size_t first = 0, last = 0;
    double total = 0.0;
    cuts_of(job, a, &first, &last);
    for (size_t k = first; k < last; k++) {
        if (loss->by_rank) {
            job->factors[k] = factor_of(job, a, (double)positives->values[k], &sums[k]);
        }
        total += is_empty ? 0.0 : (double)job->factors[k] * sums[k].value;
    }
    for (int64_t p = positives->offsets[a]; p < positives->offsets[a + 1]; p++) {
        double slope = 0.0, weight = is_empty ? 0.0 : (double)positives->values[p];
        if (loss->positive != NULL) {
            total += weight * loss->positive((double)job->positive_logits[p],
                                             job->settings->temperature, &slope);
        }
        /* a cut at s_p moves with it */
        double pull = loss->cut_each && !is_empty ? (double)job->factors[p] * sums[p].slope : 0.0;
        job->positive_gradient[p] = (float)(weight * slope - pull);
    }
    return total;
}

static void finish_task(void *data, size_t first, size_t last)
{
    const struct contrast_job *job = data;
    for (size_t a = first; a < last; a++) {
        job->row_loss[a] = finish_row(job, a);
        cut_list(job, a, NULL);
    }
}

/* ---- one call ---- */

void contrast_margin_memory(struct contrast_job *job, struct workspace *workspace)
{
    const struct contrast_batch *batch = job->batch;
    size_t b = batch->anchors.rows;
    job->n_cuts = job->settings->loss->cut_each ? sparse_entries(&batch->positives) : b;
    WORKSPACE_ADD(workspace, &job->cuts, job->n_cuts);
    WORKSPACE_ADD(workspace, &job->factors, job->n_cuts);
    WORKSPACE_ZERO(workspace, &job->cut_sums,
                   (job->n_chunks > 0 ? job->n_chunks : 1) * job->n_cuts);
    WORKSPACE_ADD(workspace, &job->shared_weights, batch->n_negatives);
    WORKSPACE_ADD(workspace, &job->listed_weights, sparse_entries(&batch->listed));
    WORKSPACE_ADD(workspace, &job->negatives, b);
}

void contrast_margin(struct contrast_job *job, struct pool *pool)
{
    const size_t b = job->batch->anchors.rows;
    weigh_shared(job);
    pool_run_rows(pool, b, ROW_BLOCK, prepare_task, job);
    if (job->settings->loss->by_rank) {
        pool_run(pool, job->n_chunks, sums_task, job);
        pool_run_rows(pool, b, ROW_BLOCK, finish_task, job);
        pool_run(pool, job->n_chunks, gradient_task, job);
    } else {
        pool_run(pool, job->n_chunks, gradient_task, job);
        pool_run_rows(pool, b, ROW_BLOCK, finish_task, job);
    }
}
