/* The kernel for log-sum losses, in the order of the work: pass 1 over the tiles, rows, pass 2. */
#include "contrast/contrast_internal.h"

#include "math/log_add.h"

/* Turns the logits of a block into exp(s + b - max of the row in this tile). The first pass finds
 * the maxima and sums; a second one reuses the maxima, so that it gives the same bytes. */
static void exp_block(const struct contrast_job *job, const struct contrast_tile *tile,
                      const struct contrast_block *block, bool first_pass)
{
    size_t at = tile->tile * job->batch->anchors.rows + block->first;
    float *tile_max = (float *)job->work->tile_max.data + at;
    float *tile_sum = (float *)job->work->tile_sum.data + at;
    const float *offsets = job->batch->offsets == NULL ? NULL : job->batch->offsets + tile->first;
    for (size_t r = 0; r < block->count; r++) {
        float *row = block->logits + r * TILE_STRIDE;
        if (first_pass) {
            tile_max[r] = job->vec->max_offset(row, offsets, tile->count);
        }
        float shift = tile_max[r] == -INFINITY ? 0.0f : tile_max[r];
        float sum = job->vec->exp_shift_sum(row, offsets, shift, tile->count);
        if (first_pass) {
            tile_sum[r] = sum;
        }
        if (first_pass && job->settings->diagnose) {
            ((float *)job->work->tile_square.data)[at + r] = job->vec->dot(row, row, tile->count);
        }
    }
}

static void first_pass_task(void *data, size_t index, size_t worker)
{
    const struct contrast_job *job = data;
    struct contrast_tile tile = contrast_tile_open(job, index, worker);
    contrast_pack_turned(job, &tile);
    for (size_t i = 0; i < contrast_n_blocks(job); i++) {
        struct contrast_block block = contrast_block_of(job, &tile, i);
        contrast_block_logits(job, &tile, &block);
        exp_block(job, &tile, &block, true);
    }
}

enum status_code contrast_log_sum_tiles(struct contrast_job *job, struct pool *pool,
                                        struct status *status)
{
    enum status_code code = STATUS_OK;
    struct contrast *w = job->work;
    size_t b = job->batch->anchors.rows;
    TRY(scratch_reserve(&w->tile_max, job->n_tiles * b, sizeof(float), status));
    TRY(scratch_reserve(&w->tile_sum, job->n_tiles * b, sizeof(float), status));
    TRY(scratch_reserve(&w->log_sum, b, sizeof(double), status));
    if (job->n_tiles > 0) { /* else what runs beside is left to a round that has work */
        pool_run(pool, job->n_tiles, first_pass_task, job);
    }
done:
    return code;
}

/* log sum exp over the tiles of one row, in tile order. */
static double shared_log_sum(const struct contrast_job *job, size_t row)
{
    size_t b = job->batch->anchors.rows;
    const float *tile_max = job->work->tile_max.data, *tile_sum = job->work->tile_sum.data;
    double high = -INFINITY, sum = 0.0, spoilt = 0.0;
    for (size_t t = 0; t < job->n_tiles; t++) {
        high = tile_max[t * b + row] > high ? tile_max[t * b + row] : high;
        spoilt += tile_sum[t * b + row]; /* maxima pass over NaN, sums do not */
    }
    if (high == -INFINITY) {
        return isnan(spoilt) ? spoilt : high;
    }
    for (size_t t = 0; t < job->n_tiles; t++) {
        if (tile_sum[t * b + row] != 0.0f) {
            sum += exp(tile_max[t * b + row] - high) * tile_sum[t * b + row];
        }
    }
    return high + log(sum);
}

/* The same over a row's own list, adding the offsets into the logits. */
static double listed_log_sum(const struct sparse *listed, size_t row, float *logits)
{
    double high = -INFINITY, sum = 0.0;
    for (int64_t e = listed->offsets[row]; e < listed->offsets[row + 1]; e++) {
        logits[e] += listed->values[e];
        high = logits[e] > high || isnan(logits[e]) ? logits[e] : high;
    }
    if (high == -INFINITY) {
        return high;
    }
    for (int64_t e = listed->offsets[row]; e < listed->offsets[row + 1]; e++) {
        sum += exp(logits[e] - high);
    }
    return high + log(sum);
}

void contrast_log_sum_row(const struct contrast_job *job, size_t row)
{
    const struct contrast_batch *batch = job->batch;
    struct contrast *w = job->work;
    float *listed_logits = w->listed_logits.data;
    double log_sum = shared_log_sum(job, row);
    contrast_entry_logits(job, &batch->positives, row, w->positive_logits.data);
    if (batch->listed.n_rows != 0) {
        contrast_entry_logits(job, &batch->listed, row, listed_logits);
        log_sum = log_add(log_sum, listed_log_sum(&batch->listed, row, listed_logits));
    }
    ((double *)w->log_sum.data)[row] = log_sum;
}

/* Turns the logits of a row's own list into dL/ds. */
static void listed_gradient(const struct sparse *listed, size_t row, double mass, double log_sum,
                            float *logits)
{
    for (int64_t e = listed->offsets[row]; e < listed->offsets[row + 1]; e++) {
        logits[e] = log_sum == -INFINITY ? 0.0f : (float)(mass * exp(logits[e] - log_sum));
    }
}

/* Marks the positives of a row that stand among its shared negatives. */
static void mark_negatives(const struct contrast_batch *batch, size_t row, bool *is_negative)
{
    const struct sparse *positives = &batch->positives;
    for (int64_t e = positives->offsets[row]; e < positives->offsets[row + 1]; e++) {
        int32_t c = positives->columns[e];
        is_negative[e] = (size_t)c < batch->n_negatives &&
                         (batch->excluded.n_rows == 0 || !sparse_has(&batch->excluded, row, c));
    }
}

/* Rows: logits of the sparse entries, the loss, the factors of pass 2. */
static void row_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct contrast_job *job = data;
    const struct contrast_batch *batch = job->batch;
    struct contrast *w = job->work;
    double *mass = w->mass.data, *row_loss = w->row_loss.data;
    const double *log_sum = w->log_sum.data;
    float *gradient = w->positive_gradient.data;
    bool *is_empty = w->is_empty.data, *is_negative = w->is_negative.data;
    size_t first_row = 0, last_row = 0;
    contrast_row_block(job, block, &first_row, &last_row);
    for (size_t a = first_row; a < last_row; a++) {
        int64_t first = batch->positives.offsets[a];
        contrast_log_sum_row(job, a);
        mark_negatives(batch, a, is_negative);
        is_empty[a] = log_sum[a] == -INFINITY;
        struct loss_row row = {.log_sum_negatives = log_sum[a],
                               .n_positives = sparse_row_length(&batch->positives, a),
                               .logits = (const float *)w->positive_logits.data + first,
                               .weights = batch->positives.values + first,
                               .is_negative = is_negative + first,
                               .threshold =
                                   batch->thresholds == NULL ? -INFINITY : batch->thresholds[a]};
        row_loss[a] = job->settings->loss->row(&job->settings->loss_settings, &row,
                                               gradient + first, &mass[a]);
        if (job->settings->diagnose) {
            contrast_diagnose_row(job, a);
        }
        if (batch->listed.n_rows != 0) {
            listed_gradient(&batch->listed, a, mass[a], log_sum[a], w->listed_logits.data);
        }
    }
}

/* What turns a block's exp into dL/ds. */
static void block_factors(const struct contrast_job *job, const struct contrast_tile *tile,
                          const struct contrast_block *block)
{
    const double *log_sum = (const double *)job->work->log_sum.data + block->first;
    const double *mass = (const double *)job->work->mass.data + block->first;
    const float *tile_max = (const float *)job->work->tile_max.data +
                            tile->tile * job->batch->anchors.rows + block->first;
    for (size_t r = 0; r < block->count; r++) {
        double high = tile_max[r];
        tile->factors[r] = high == -INFINITY ? 0.0f : (float)(mass[r] * exp(high - log_sum[r]));
    }
}

/* Pass 2 over one run of tiles: dC of its columns, and a partial dA. */
static void second_pass_task(void *data, size_t chunk, size_t worker)
{
    const struct contrast_job *job = data;
    size_t first_tile = 0, last_tile = 0;
    contrast_chunk(job, chunk, &first_tile, &last_tile);
    for (size_t t = first_tile; t < last_tile; t++) {
        struct contrast_tile tile = contrast_tile_open(job, t, worker);
        contrast_pack_candidates(job, &tile);
        if (!job->keep) {
            contrast_pack_turned(job, &tile);
        }
        for (size_t i = 0; i < contrast_n_blocks(job); i++) {
            struct contrast_block block = contrast_block_of(job, &tile, i);
            if (!job->keep) {
                contrast_block_logits(job, &tile, &block);
                exp_block(job, &tile, &block, false);
            }
            block_factors(job, &tile, &block);
            contrast_block_products(job, chunk, &tile, &block);
        }
    }
}

enum status_code contrast_log_sum(struct contrast_job *job, struct pool *pool,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct contrast *w = job->work;
    size_t b = job->batch->anchors.rows;
    TRY(scratch_reserve(&w->mass, b, sizeof(double), status));
    TRY(scratch_reserve(&w->is_negative, sparse_entries(&job->batch->positives), sizeof(bool),
                        status));
    TRY(contrast_log_sum_tiles(job, pool, status));
    pool_run(pool, (b + ROW_BLOCK - 1) / ROW_BLOCK, row_task, job);
    pool_run(pool, job->n_chunks, second_pass_task, job);
done:
    return code;
}
