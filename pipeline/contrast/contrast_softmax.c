/* The kernel for softmax losses, in the order of the work: pass 1 over the tiles, rows, pass 2; and
 * the diagnostics of every kind, which rest on pass 1: cosines of positives and negatives, and how
 * many negatives there are in effect. */
#include "contrast/contrast_internal.h"

#include "math/log_add.h"

/* Turns the logits of a block into exp(s + b - max of the row in this tile). The first pass finds
 * the maxima and sums; a second one reuses the maxima, so that it gives the same bytes. */
static void exp_block(const struct contrast_job *job, const struct contrast_tile *tile,
                      const struct contrast_block *block, bool first_pass)
{
    size_t at = tile->tile * job->batch->anchors.rows + block->first;
    float *tile_max = job->tile_max + at;
    const float *offsets = job->batch->offsets == NULL ? NULL : job->batch->offsets + tile->first;
    for (size_t r = 0; r < block->count; r++) {
        float *row = block->logits + r * TILE_STRIDE;
        if (first_pass) {
            tile_max[r] = job->vec->max_offset(row, offsets, tile->count);
        }
        float shift = tile_max[r] == -INFINITY ? 0.0f : tile_max[r];
        float sum = job->vec->exp_shift_sum(row, offsets, shift, tile->count);
        if (first_pass) {
            job->tile_sum[at + r] = sum;
        }
        if (first_pass && job->settings->diagnose) {
            job->tile_square[at + r] = job->vec->dot(row, row, tile->count);
        }
    }
}

static void first_pass_task(void *data, size_t index, size_t worker)
{
    const struct contrast_job *job = data;
    struct contrast_tile tile = contrast_tile_open(job, index, worker, PACK_LOGITS);
    for (size_t i = 0; i < contrast_n_blocks(job); i++) {
        struct contrast_block block = contrast_block_of(job, &tile, i);
        contrast_block_logits(job, &tile, &block);
        exp_block(job, &tile, &block, true);
    }
}

static void first_pass(struct contrast_job *job, struct pool *pool)
{
    if (job->n_tiles > 0) { /* else what runs beside is left to a round that has work */
        pool_run(pool, job->n_tiles, first_pass_task, job);
    }
}

/* log sum exp over the tiles of one row, in tile order. */
static double shared_log_sum(const struct contrast_job *job, size_t row)
{
    size_t b = job->batch->anchors.rows;
    const float *tile_max = job->tile_max, *tile_sum = job->tile_sum;
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

/* The logits of a row's entries, and log_sum. */
static void find_log_sum(const struct contrast_job *job, size_t row)
{
    const struct contrast_batch *batch = job->batch;
    double log_sum = shared_log_sum(job, row);
    contrast_entry_logits(job, &batch->positives, row, job->positive_logits);
    if (batch->listed.n_rows != 0) {
        contrast_entry_logits(job, &batch->listed, row, job->listed_logits);
        log_sum = log_add(log_sum, listed_log_sum(&batch->listed, row, job->listed_logits));
    }
    job->log_sum[row] = log_sum;
}

/* ---- diagnostics ---- */

void contrast_diagnose_memory(struct contrast_job *job, struct workspace *workspace)
{
    size_t b = job->batch->anchors.rows;
    WORKSPACE_ADD(workspace, &job->tile_square, job->n_tiles * b);
    WORKSPACE_ZERO(workspace, &job->candidate_sum, job->batch->candidates.columns);
    WORKSPACE_ADD(workspace, &job->effective, b);
    WORKSPACE_ADD(workspace, &job->positive_total, b);
    WORKSPACE_ADD(workspace, &job->negative_total, b);
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
    const struct sparse *listed = &job->batch->listed;
    size_t b = job->batch->anchors.rows;
    const float *tile_max = job->tile_max, *tile_square = job->tile_square;
    double log_sum = job->log_sum[row], square = 0.0;
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
        square += exp(2.0 * (job->listed_logits[e] - log_sum));
    }
    return 1.0 / square;
}

/* After find_log_sum. */
static void diagnose_row(const struct contrast_job *job, size_t row)
{
    const struct contrast_batch *batch = job->batch;
    size_t d = batch->anchors.columns;
    double negative = entry_cosines(job, &batch->listed, row);
    for (size_t j = 0; j < d; j++) {
        negative += (double)batch->anchors.data[row * d + j] * job->candidate_sum[j];
    }
    negative -= entry_cosines(job, &batch->excluded, row);
    job->negative_total[row] = negative;
    job->positive_total[row] = entry_cosines(job, &batch->positives, row);
    job->effective[row] = effective_negatives(job, row);
}

static void diagnose_task(void *data, size_t first, size_t last)
{
    const struct contrast_job *job = data;
    for (size_t a = first; a < last; a++) {
        find_log_sum(job, a);
        diagnose_row(job, a);
    }
}

void contrast_diagnose_start(struct contrast_job *job, struct pool *pool)
{
    const struct const_matrix *candidates = &job->batch->candidates;
    size_t d = candidates->columns;
    for (size_t c = 0; c < job->batch->n_negatives; c++) {
        for (size_t j = 0; j < d; j++) {
            job->candidate_sum[j] += (double)candidates->data[c * d + j];
        }
    }
    if (job->settings->loss->kind != LOSS_SOFTMAX) {
        first_pass(job, pool);
        pool_run_rows(pool, job->batch->anchors.rows, ROW_BLOCK, diagnose_task, job);
    }
}

void contrast_diagnose_end(const struct contrast_job *job, struct contrast_diagnostics *diagnostics)
{
    const struct contrast_batch *batch = job->batch;
    double n_effective = 0.0;
    for (size_t a = 0; a < batch->anchors.rows; a++) {
        n_effective += job->effective[a] != 0.0 ? 1.0 : 0.0;
    }
    diagnostics->positive_cosine = (struct contrast_mean){
        contrast_sum(job, job->positive_total), (double)sparse_entries(&batch->positives)};
    diagnostics->negative_cosine = (struct contrast_mean){
        contrast_sum(job, job->negative_total),
        (double)batch->n_negatives * (double)batch->anchors.rows +
            (double)sparse_entries(&batch->listed) - (double)sparse_entries(&batch->excluded)};
    diagnostics->effective_negatives =
        (struct contrast_mean){contrast_sum(job, job->effective), n_effective};
}

/* ---- rows and pass 2 ---- */

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
static void row_task(void *data, size_t first, size_t last)
{
    const struct contrast_job *job = data;
    const struct contrast_batch *batch = job->batch;
    for (size_t a = first; a < last; a++) {
        int64_t p = batch->positives.offsets[a];
        find_log_sum(job, a);
        mark_negatives(batch, a, job->is_negative);
        job->is_empty[a] = job->log_sum[a] == -INFINITY;
        struct loss_row row = {.log_sum_negatives = job->log_sum[a],
                               .n_positives = sparse_row_length(&batch->positives, a),
                               .logits = job->positive_logits + p,
                               .weights = batch->positives.values + p,
                               .is_negative = job->is_negative + p,
                               .threshold =
                                   batch->thresholds == NULL ? -INFINITY : batch->thresholds[a]};
        job->row_loss[a] = job->settings->loss->row(&job->settings->loss_settings, &row,
                                                    job->positive_gradient + p, &job->mass[a]);
        if (job->settings->diagnose) {
            diagnose_row(job, a);
        }
        if (batch->listed.n_rows != 0) {
            listed_gradient(&batch->listed, a, job->mass[a], job->log_sum[a], job->listed_logits);
        }
    }
}

/* The exp of a block, unless it is kept, and what turns it into dL/ds. */
static void block_gradient(const struct contrast_job *job, size_t chunk,
                           const struct contrast_tile *tile, const struct contrast_block *block)
{
    const double *log_sum = job->log_sum + block->first, *mass = job->mass + block->first;
    const float *tile_max = job->tile_max + tile->tile * job->batch->anchors.rows + block->first;
    (void)chunk;
    if (!job->keep) {
        exp_block(job, tile, block, false);
    }
    for (size_t r = 0; r < block->count; r++) {
        double high = tile_max[r];
        tile->factors[r] = high == -INFINITY ? 0.0f : (float)(mass[r] * exp(high - log_sum[r]));
    }
}

/* Pass 2. */
static void second_pass_task(void *data, size_t chunk, size_t worker)
{
    contrast_gradient_run(data, chunk, worker, block_gradient);
}

/* ---- one call ---- */

void contrast_softmax_memory(struct contrast_job *job, struct workspace *workspace)
{
    size_t b = job->batch->anchors.rows;
    WORKSPACE_ADD(workspace, &job->tile_max, job->n_tiles * b);
    WORKSPACE_ADD(workspace, &job->tile_sum, job->n_tiles * b);
    WORKSPACE_ADD(workspace, &job->log_sum, b);
    WORKSPACE_ADD(workspace, &job->mass, b);
    WORKSPACE_ADD(workspace, &job->is_negative, sparse_entries(&job->batch->positives));
}

void contrast_softmax(struct contrast_job *job, struct pool *pool)
{
    first_pass(job, pool);
    pool_run_rows(pool, job->batch->anchors.rows, ROW_BLOCK, row_task, job);
    pool_run(pool, job->n_chunks, second_pass_task, job);
}
