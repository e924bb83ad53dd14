/* The tiled contrastive kernel. See contrast.h for what it computes. This file holds what every
 * kind of loss needs: the sparse entries, the logits and the products of a tile, and the gradients
 * of sparse entries; contrast_log_sum.c, contrast_cut.c and contrast_uniform.c do the rest. */
#include "model/contrast_internal.h"

#include "math/blas.h"

#include <assert.h>
#include <math.h>

enum status_code contrast_new(struct contrast **out, struct status *status)
{
    return MEM_NEW(out, 1, status);
}

static void by_column_release(struct by_column *columns)
{
    scratch_release(&columns->first);
    scratch_release(&columns->row);
    scratch_release(&columns->entry);
}

void contrast_free(struct contrast *contrast)
{
    if (contrast == NULL) {
        return;
    }
    struct contrast *w = contrast;
    struct scratch *all[] = {
        &w->tiles,
        &w->partial,
        &w->row_loss,
        &w->is_empty,
        &w->positive_logits,
        &w->positive_gradient,
        &w->listed_logits,
        &w->tile_max,
        &w->tile_sum,
        &w->log_sum,
        &w->mass,
        &w->is_negative,
        &w->cuts,
        &w->factors,
        &w->cut_sums,
        &w->shared_weights,
        &w->listed_weights,
        &w->negatives,
        &w->tile_square,
        &w->candidate_sum,
        &w->effective,
        &w->positive_total,
        &w->negative_total,
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        scratch_release(all[i]);
    }
    by_column_release(&w->positive_columns);
    by_column_release(&w->listed_columns);
    uniformity_release(&w->uniformity);
    mem_free(w);
}

/* Counting sort of the entries by column; rows stay ascending within a column. */
static enum status_code by_column_build(struct by_column *out, const struct sparse *m,
                                        struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t entries = sparse_entries(m);
    TRY(scratch_reserve(&out->first, m->n_columns + 2, sizeof(int64_t), status));
    TRY(scratch_reserve(&out->row, entries, sizeof(int32_t), status));
    TRY(scratch_reserve(&out->entry, entries, sizeof(int64_t), status));
    int64_t *first = out->first.data, *entry = out->entry.data;
    int32_t *rows = out->row.data;
    memset(first, 0, (m->n_columns + 2) * sizeof *first);
    for (size_t e = 0; e < entries; e++) {
        first[m->columns[e] + 2]++;
    }
    for (size_t c = 0; c < m->n_columns; c++) {
        first[c + 2] += first[c + 1];
    }
    /* first[c + 1] now runs from the start to the end of column c */
    for (size_t r = 0; r < m->n_rows; r++) {
        for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
            int64_t place = first[m->columns[e] + 1]++;
            rows[place] = (int32_t)r;
            entry[place] = e;
        }
    }
done:
    return code;
}

/* ---- steps of every kind ---- */

void contrast_row_block(const struct contrast_job *job, size_t block, size_t *first, size_t *last)
{
    size_t b = job->batch->anchors.rows;
    *first = block * ROW_BLOCK;
    *last = *first + ROW_BLOCK < b ? *first + ROW_BLOCK : b;
}

void contrast_chunk(const struct contrast_job *job, size_t chunk, size_t *first, size_t *last)
{
    *first = chunk * job->n_tiles / job->n_chunks;
    *last = (chunk + 1) * job->n_tiles / job->n_chunks;
}

size_t contrast_tile_columns(const struct contrast_job *job, size_t tile)
{
    size_t left = job->batch->n_negatives - tile * TILE;
    return left < TILE ? left : TILE;
}

float *contrast_tile_memory(const struct contrast_job *job, size_t tile, size_t worker)
{
    size_t index = job->keep ? tile : worker;
    return (float *)job->work->tiles.data + index * job->batch->anchors.rows * TILE;
}

void contrast_entry_logits(const struct contrast_job *job, const struct sparse *m, size_t row,
                           float *logits)
{
    const struct contrast_batch *batch = job->batch;
    size_t d = batch->anchors.columns;
    for (int64_t e = m->offsets[row]; e < m->offsets[row + 1]; e++) {
        const float *candidate = batch->candidates.data + (size_t)m->columns[e] * d;
        logits[e] = job->scale * job->vec->dot(batch->anchors.data + row * d, candidate, d);
    }
}

/* Sets what row a leaves out of columns [first, first + count) to -infinity. */
static void mask_excluded(const struct sparse *excluded, size_t row, size_t first, size_t count,
                          float *logits)
{
    int64_t low = excluded->offsets[row], high = excluded->offsets[row + 1], end = high;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if ((size_t)excluded->columns[middle] < first) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < end && (size_t)excluded->columns[low] < first + count; low++) {
        logits[(size_t)excluded->columns[low] - first] = -INFINITY;
    }
}

void contrast_tile_logits(const struct contrast_job *job, size_t tile, float *logits)
{
    const struct contrast_batch *batch = job->batch;
    size_t b = batch->anchors.rows, first = tile * TILE, count = contrast_tile_columns(job, tile);
    blas_nt(job->scale, batch->anchors, matrix_rows(batch->candidates, first, count), 0.0f,
            (struct matrix){logits, b, count, TILE});
    for (size_t a = 0; a < b && batch->excluded.n_rows != 0; a++) {
        mask_excluded(&batch->excluded, a, first, count, logits + a * TILE);
    }
}

void contrast_tile_products(const struct contrast_job *job, size_t chunk, size_t tile,
                            const float *gradient)
{
    const struct contrast_batch *batch = job->batch;
    size_t b = batch->anchors.rows, d = batch->anchors.columns;
    size_t first = tile * TILE, count = contrast_tile_columns(job, tile);
    size_t first_tile = 0, last_tile = 0;
    struct const_matrix g = {gradient, b, count, TILE};
    contrast_chunk(job, chunk, &first_tile, &last_tile);
    blas_tn(job->scale, g, batch->anchors, 0.0f,
            matrix_of(job->result->candidates.data + first * d, count, d));
    blas_nn(job->scale, g, matrix_rows(batch->candidates, first, count),
            tile == first_tile ? 0.0f : 1.0f,
            matrix_of((float *)job->work->partial.data + chunk * b * d, b, d));
}

/* ---- gradients of sparse entries ---- */

/* dA of a block of rows: the partial sums in chunk order, then the sparse entries. */
static void anchor_gradient_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct contrast_job *job = data;
    const struct contrast_batch *batch = job->batch;
    size_t b = batch->anchors.rows, d = batch->anchors.columns, first = 0, last = 0;
    const float *partial = job->work->partial.data;
    const struct sparse *lists[2] = {&batch->positives, &batch->listed};
    const float *gradients[2] = {job->work->positive_gradient.data, job->work->listed_logits.data};
    contrast_row_block(job, block, &first, &last);
    for (size_t a = first; a < last; a++) {
        float *out = job->result->anchors.data + a * d;
        memset(out, 0, d * sizeof *out);
        for (size_t chunk = 0; chunk < job->n_chunks; chunk++) {
            job->vec->axpy(1.0f, partial + (chunk * b + a) * d, out, d);
        }
        for (size_t l = 0; l < 2; l++) {
            const struct sparse *m = lists[l];
            for (int64_t e = m->n_rows == 0 ? 0 : m->offsets[a];
                 m->n_rows != 0 && e < m->offsets[a + 1]; e++) {
                job->vec->axpy(job->scale * gradients[l][e],
                               batch->candidates.data + (size_t)m->columns[e] * d, out, d);
            }
        }
    }
}

static void add_columns(const struct contrast_job *job, const struct by_column *columns,
                        const float *gradient, size_t first, size_t last)
{
    size_t d = job->batch->anchors.columns;
    const int64_t *start = columns->first.data, *entry = columns->entry.data;
    const int32_t *row = columns->row.data;
    for (size_t c = first; c < last; c++) {
        for (int64_t p = start[c]; p < start[c + 1]; p++) {
            job->vec->axpy(job->scale * gradient[entry[p]],
                           job->batch->anchors.data + (size_t)row[p] * d,
                           job->result->candidates.data + c * d, d);
        }
    }
}

/* dC of a block of columns: what the sparse entries add to that of the tiles. */
static void candidate_gradient_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct contrast_job *job = data;
    const struct contrast_batch *batch = job->batch;
    size_t d = batch->anchors.columns, m = batch->candidates.rows;
    size_t first = block * COLUMN_BLOCK;
    size_t last = first + COLUMN_BLOCK < m ? first + COLUMN_BLOCK : m;
    size_t bare = first > batch->n_negatives ? first : batch->n_negatives;
    if (bare < last) {
        memset(job->result->candidates.data + bare * d, 0, (last - bare) * d * sizeof(float));
    }
    add_columns(job, &job->work->positive_columns, job->work->positive_gradient.data, first, last);
    if (batch->listed.n_rows != 0) {
        add_columns(job, &job->work->listed_columns, job->work->listed_logits.data, first, last);
    }
}

static void check_shapes(const struct contrast_batch *batch, const struct contrast_result *result)
{
    size_t b = batch->anchors.rows, m = batch->candidates.rows, d = batch->anchors.columns;
    assert(batch->anchors.stride == d && batch->candidates.stride == d);
    assert(batch->candidates.columns == d && batch->n_negatives <= m);
    assert(batch->positives.n_rows == b && batch->positives.n_columns == m);
    assert(result->anchors.rows == b && result->candidates.rows == m);
    assert(batch->excluded.n_rows == 0 || batch->excluded.n_rows == b);
    assert(batch->listed.n_rows == 0 || batch->listed.n_rows == b);
    (void)b, (void)m, (void)d, (void)batch, (void)result;
}

/* ---- one call ---- */

static enum status_code reserve_all(struct contrast_job *job, struct pool *pool,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    struct contrast *w = job->work;
    const struct contrast_batch *batch = job->batch;
    size_t b = batch->anchors.rows, d = batch->anchors.columns;
    size_t kept_tiles = job->keep ? job->n_tiles : pool_threads(pool);
    size_t positives = sparse_entries(&batch->positives);
    TRY(scratch_reserve(&w->tiles, kept_tiles * b * TILE, sizeof(float), status));
    TRY(scratch_reserve(&w->partial, job->n_chunks * b * d, sizeof(float), status));
    TRY(scratch_reserve(&w->row_loss, b, sizeof(double), status));
    TRY(scratch_reserve(&w->is_empty, b, sizeof(bool), status));
    TRY(scratch_reserve(&w->positive_logits, positives, sizeof(float), status));
    TRY(scratch_reserve(&w->positive_gradient, positives, sizeof(float), status));
    TRY(scratch_reserve(&w->listed_logits, sparse_entries(&batch->listed), sizeof(float), status));
    TRY(by_column_build(&w->positive_columns, &batch->positives, status));
    if (batch->listed.n_rows != 0) {
        TRY(by_column_build(&w->listed_columns, &batch->listed, status));
    }
done:
    return code;
}

static struct contrast_job job_of(struct contrast *contrast,
                                  const struct contrast_settings *settings,
                                  const struct contrast_batch *batch,
                                  struct contrast_result *result)
{
    const struct loss *loss = settings->loss;
    struct contrast_job job = {.settings = settings,
                               .batch = batch,
                               .result = result,
                               .vec = vec_ops(),
                               .work = contrast,
                               .scale = (float)(1.0 / settings->temperature)};
    job.n_tiles = (batch->n_negatives + TILE - 1) / TILE;
    job.n_chunks = job.n_tiles < MAX_CHUNKS ? job.n_tiles : MAX_CHUNKS;
    job.keep = (loss->kind == LOSS_LOG_SUM || loss->by_rank) &&
               job.n_tiles * batch->anchors.rows * TILE * sizeof(float) <= settings->strip_bytes;
    if (loss->kind == LOSS_UNIFORM) {
        job.n_chunks = 1; /* the gradient of the anchors' uniformity */
    }
    return job;
}

enum status_code contrast_run(struct contrast *contrast, const struct contrast_settings *settings,
                              const struct contrast_batch *batch, struct pool *pool,
                              struct contrast_result *result, struct status *status)
{
    enum status_code code = STATUS_OK;
    check_shapes(batch, result);
    size_t b = batch->anchors.rows;
    struct contrast_job job = job_of(contrast, settings, batch, result);
    TRY(reserve_all(&job, pool, status));
    if (settings->diagnose) {
        TRY(contrast_diagnose_start(&job, status));
        if (settings->loss->kind != LOSS_LOG_SUM) {
            TRY(contrast_diagnose_beside(&job, pool, status));
        }
    }
    switch (settings->loss->kind) {
    case LOSS_LOG_SUM:
        TRY(contrast_log_sum(&job, pool, status));
        break;
    case LOSS_CUT:
        TRY(contrast_cut(&job, pool, status));
        break;
    case LOSS_UNIFORM:
        TRY(contrast_uniform(&job, pool, status));
        break;
    }
    pool_run(pool, (b + ROW_BLOCK - 1) / ROW_BLOCK, anchor_gradient_task, &job);
    pool_run(pool, (batch->candidates.rows + COLUMN_BLOCK - 1) / COLUMN_BLOCK,
             candidate_gradient_task, &job);
    double loss = 0.0;
    size_t n_empty = 0;
    for (size_t a = 0; a < b; a++) {
        loss += ((const double *)contrast->row_loss.data)[a];
        n_empty += ((const bool *)contrast->is_empty.data)[a];
    }
    result->loss = loss;
    result->n_empty = n_empty;
    if (settings->diagnose) {
        contrast_diagnose_end(&job, &result->diagnostics);
    }
done:
    return code;
}
