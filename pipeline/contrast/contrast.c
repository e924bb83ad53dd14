/* The tiled contrastive kernel. See contrast.h for what it computes. This file holds what every
 * kind of loss needs: the sparse entries, the logits and the products of a tile, and the gradients
 * of sparse entries; contrast_log_sum.c, contrast_cut.c and contrast_uniform.c do the rest. */
#include "contrast/contrast_internal.h"

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
        &w->workspaces,
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
    by_column_release(&w->excluded_tiles);
    uniformity_release(&w->uniformity);
    mem_free(w);
}

/* Runs of 2^bits columns. */
static size_t n_runs_of(const struct sparse *m, unsigned bits)
{
    return (m->n_columns + ((size_t)1 << bits) - 1) >> bits;
}

static enum status_code by_column_reserve(struct by_column *out, const struct sparse *m,
                                          unsigned bits, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t entries = sparse_entries(m);
    TRY(scratch_reserve(&out->first, n_runs_of(m, bits) + 2, sizeof(int64_t), status));
    TRY(scratch_reserve(&out->row, entries, sizeof(int32_t), status));
    TRY(scratch_reserve(&out->entry, entries, sizeof(int64_t), status));
done:
    return code;
}

/* Counting sort of the entries by runs of 2^bits columns; rows stay ascending within a run. */
static void by_column_fill(struct by_column *out, const struct sparse *m, unsigned bits)
{
    size_t entries = sparse_entries(m), n_runs = n_runs_of(m, bits);
    int64_t *first = out->first.data, *entry = out->entry.data;
    int32_t *rows = out->row.data;
    memset(first, 0, (n_runs + 2) * sizeof *first);
    for (size_t e = 0; e < entries; e++) {
        first[((size_t)m->columns[e] >> bits) + 2]++;
    }
    for (size_t c = 0; c < n_runs; c++) {
        first[c + 2] += first[c + 1];
    }
    /* first[c + 1] now moves from the start to the end of run c */
    for (size_t r = 0; r < m->n_rows; r++) {
        for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
            int64_t place = first[((size_t)m->columns[e] >> bits) + 1]++;
            rows[place] = (int32_t)r;
            entry[place] = e;
        }
    }
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

/* ---- tiles ---- */

/* Floats of the parts of a worker's memory, in the order of struct contrast_tile; each starts on a
 * cache line. */
enum { WORKSPACE_PARTS = 5 };
static void workspace_parts(const struct contrast_job *job, size_t parts[WORKSPACE_PARTS])
{
    const struct product_ops *product = job->vec->product;
    size_t d = job->batch->anchors.columns;
    parts[0] = product_packed_size(product, d, TILE);
    parts[1] = product_packed_size(product, TILE, d);
    parts[2] = product_packed_size(product, ANCHOR_BLOCK, d);
    parts[3] = job->keep ? 0 : (size_t)ANCHOR_BLOCK * TILE_STRIDE;
    parts[4] = ANCHOR_BLOCK;
    for (size_t i = 0; i < WORKSPACE_PARTS; i++) {
        parts[i] = (parts[i] + 15) / 16 * 16;
    }
}

struct contrast_tile contrast_tile_open(const struct contrast_job *job, size_t tile, size_t worker)
{
    size_t parts[WORKSPACE_PARTS], left = job->batch->n_negatives - tile * TILE;
    float *memory = (float *)job->work->workspaces.data + worker * job->workspace;
    const int64_t *first = job->work->excluded_tiles.first.data;
    workspace_parts(job, parts);
    struct contrast_tile out = {
        .tile = tile, .first = tile * TILE, .count = left < TILE ? left : TILE};
    float **places[WORKSPACE_PARTS] = {&out.turned, &out.packed, &out.anchors, &out.logits,
                                       &out.factors};
    for (size_t i = 0; i < WORKSPACE_PARTS; i++) {
        *places[i] = memory;
        memory += parts[i];
    }
    out.next_excluded = job->batch->excluded.n_rows == 0 ? 0 : first[tile];
    return out;
}

size_t contrast_n_blocks(const struct contrast_job *job)
{
    return (job->batch->anchors.rows + ANCHOR_BLOCK - 1) / ANCHOR_BLOCK;
}

struct contrast_block contrast_block_of(const struct contrast_job *job,
                                        const struct contrast_tile *tile, size_t block)
{
    size_t b = job->batch->anchors.rows, first = block * ANCHOR_BLOCK, left = b - first;
    float *logits = tile->logits;
    if (job->keep) {
        logits = (float *)job->work->tiles.data + (tile->tile * b + first) * TILE_STRIDE;
    }
    return (struct contrast_block){
        .first = first, .count = left < ANCHOR_BLOCK ? left : ANCHOR_BLOCK, .logits = logits};
}

void contrast_pack_turned(const struct contrast_job *job, struct contrast_tile *tile)
{
    job->vec->product->pack_transposed(
        matrix_rows(job->batch->candidates, tile->first, tile->count), job->scale, tile->turned);
}

void contrast_pack_candidates(const struct contrast_job *job, struct contrast_tile *tile)
{
    job->vec->product->pack(matrix_rows(job->batch->candidates, tile->first, tile->count), NULL,
                            tile->packed);
}

/* Sets what a block's rows leave out to -infinity. */
static void mask_excluded(const struct contrast_job *job, struct contrast_tile *tile,
                          const struct contrast_block *block)
{
    const struct sparse *excluded = &job->batch->excluded;
    const struct by_column *by_tile = &job->work->excluded_tiles;
    const int64_t *first = by_tile->first.data, *entry = by_tile->entry.data;
    const int32_t *rows = by_tile->row.data;
    if (excluded->n_rows == 0) {
        return;
    }
    int64_t at = tile->next_excluded, end = first[tile->tile + 1];
    for (; at < end && (size_t)rows[at] < block->first + block->count; at++) {
        size_t column = (size_t)excluded->columns[entry[at]] - tile->first;
        block->logits[((size_t)rows[at] - block->first) * TILE_STRIDE + column] = -INFINITY;
    }
    tile->next_excluded = at;
}

void contrast_block_logits(const struct contrast_job *job, struct contrast_tile *tile,
                           const struct contrast_block *block)
{
    size_t d = job->batch->anchors.columns;
    job->vec->product->run(
        &(struct product){.x = job->batch->anchors.data + block->first * d,
                          .row_step = d,
                          .depth_step = 1,
                          .panels = tile->turned,
                          .depth = d,
                          .out = {block->logits, block->count, tile->count, TILE_STRIDE}});
    mask_excluded(job, tile, block);
}

void contrast_block_products(const struct contrast_job *job, size_t chunk,
                             struct contrast_tile *tile, const struct contrast_block *block)
{
    const struct product_ops *product = job->vec->product;
    size_t b = job->batch->anchors.rows, d = job->batch->anchors.columns;
    size_t first_tile = 0, last_tile = 0;
    contrast_chunk(job, chunk, &first_tile, &last_tile);
    job->vec->scale(job->scale, tile->factors, block->count);
    /* along the rows first: a kept block comes from memory in the order that is foreseen */
    product->run(&(struct product){
        .x = block->logits,
        .row_step = TILE_STRIDE,
        .depth_step = 1,
        .panels = tile->packed,
        .depth = tile->count,
        .factors = tile->factors,
        .add = tile->tile > first_tile,
        .out = matrix_of((float *)job->work->partial.data + (chunk * b + block->first) * d,
                         block->count, d)});
    product->pack(matrix_rows(job->batch->anchors, block->first, block->count), tile->factors,
                  tile->anchors);
    product->run(&(struct product){
        .x = block->logits,
        .row_step = 1,
        .depth_step = TILE_STRIDE,
        .panels = tile->anchors,
        .depth = block->count,
        .add = block->first > 0 || job->result->adds,
        .out = matrix_of(job->result->candidates.data + tile->first * d, tile->count, d)});
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

/* Orders the sparse entries for candidate_gradient_task: for one thread, beside other work. */
static void order_columns_task(void *data, size_t block, size_t worker)
{
    (void)block;
    (void)worker;
    const struct contrast_job *job = data;
    by_column_fill(&job->work->positive_columns, &job->batch->positives, 0);
    if (job->batch->listed.n_rows != 0) {
        by_column_fill(&job->work->listed_columns, &job->batch->listed, 0);
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
    size_t filled = batch->anchors.rows == 0 ? 0 : batch->n_negatives; /* by the tiles */
    size_t bare = first > filled ? first : filled;
    if (bare < last && !job->result->adds) {
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
    size_t parts[WORKSPACE_PARTS];
    size_t positives = sparse_entries(&batch->positives);
    workspace_parts(job, parts);
    for (size_t i = 0; i < WORKSPACE_PARTS; i++) {
        job->workspace += parts[i];
    }
    TRY(scratch_reserve(&w->workspaces, pool_threads(pool) * job->workspace, sizeof(float),
                        status));
    TRY(scratch_reserve(&w->tiles, job->keep ? job->n_tiles * b * TILE_STRIDE : 0, sizeof(float),
                        status));
    TRY(scratch_reserve(&w->partial, job->n_chunks * b * d, sizeof(float), status));
    TRY(scratch_reserve(&w->row_loss, b, sizeof(double), status));
    TRY(scratch_reserve(&w->is_empty, b, sizeof(bool), status));
    TRY(scratch_reserve(&w->positive_logits, positives, sizeof(float), status));
    TRY(scratch_reserve(&w->positive_gradient, positives, sizeof(float), status));
    TRY(scratch_reserve(&w->listed_logits, sparse_entries(&batch->listed), sizeof(float), status));
    TRY(by_column_reserve(&w->positive_columns, &batch->positives, 0, status));
    if (batch->listed.n_rows != 0) {
        TRY(by_column_reserve(&w->listed_columns, &batch->listed, 0, status));
    }
    if (batch->excluded.n_rows != 0) {
        TRY(by_column_reserve(&w->excluded_tiles, &batch->excluded, TILE_BITS, status));
        by_column_fill(&w->excluded_tiles, &batch->excluded, TILE_BITS);
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
    job.keep =
        (loss->kind == LOSS_LOG_SUM || loss->by_rank) &&
        job.n_tiles * batch->anchors.rows * TILE_STRIDE * sizeof(float) <= settings->strip_bytes;
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
        assert(!result->adds);
        TRY(contrast_uniform(&job, pool, status));
        break;
    }
    pool_beside(pool, order_columns_task, &job);
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
