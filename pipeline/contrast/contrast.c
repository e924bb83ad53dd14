/* One call of the contrastive kernel, and the gradients of sparse entries. See contrast.h. */
#include "contrast/contrast.h"

#include "base/mem.h"
#include "contrast/contrast_internal.h"

#include <assert.h>

struct contrast {
    struct workspace workspace, uniformity;
};

enum status_code contrast_new(struct contrast **out, struct status *status)
{
    return MEM_NEW(out, 1, status);
}

void contrast_free(struct contrast *contrast)
{
    if (contrast != NULL) {
        workspace_release(&contrast->workspace);
        workspace_release(&contrast->uniformity);
        mem_free(contrast);
    }
}

/* ---- gradients of sparse entries ---- */

/* dA of a block of rows: the partial sums in chunk order, then the sparse entries. */
static void anchor_gradient_task(void *data, size_t first, size_t last)
{
    const struct contrast_job *job = data;
    const struct contrast_batch *batch = job->batch;
    size_t b = batch->anchors.rows, d = batch->anchors.columns;
    const struct sparse *lists[2] = {&batch->positives, &batch->listed};
    const float *gradients[2] = {job->positive_gradient, job->listed_logits};
    for (size_t a = first; a < last; a++) {
        float *out = job->result->anchors.data + a * d;
        memset(out, 0, d * sizeof *out);
        for (size_t chunk = 0; chunk < job->n_chunks; chunk++) {
            job->vec->axpy(1.0f, job->partial + (chunk * b + a) * d, out, d);
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
    for (size_t c = first; c < last; c++) {
        for (int64_t p = columns->first[c]; p < columns->first[c + 1]; p++) {
            job->vec->axpy(job->scale * gradient[columns->entry[p]],
                           job->batch->anchors.data + (size_t)columns->row[p] * d,
                           job->result->candidates.data + c * d, d);
        }
    }
}

/* Orders the sparse entries for candidate_gradient_task: for one thread, beside other work. */
static void order_columns_task(void *data, size_t block, size_t worker)
{
    (void)block;
    (void)worker;
    struct contrast_job *job = data;
    by_column_fill(&job->positive_columns, &job->batch->positives, 0);
    if (job->batch->listed.n_rows != 0) {
        by_column_fill(&job->listed_columns, &job->batch->listed, 0);
    }
}

/* dC of a block of columns: what the sparse entries add to that of the tiles. */
static void candidate_gradient_task(void *data, size_t first, size_t last)
{
    const struct contrast_job *job = data;
    const struct contrast_batch *batch = job->batch;
    size_t d = batch->anchors.columns;
    size_t filled = batch->anchors.rows == 0 ? 0 : batch->n_negatives; /* by the tiles */
    size_t bare = first > filled ? first : filled;
    if (bare < last && !job->result->adds) {
        memset(job->result->candidates.data + bare * d, 0, (last - bare) * d * sizeof(float));
    }
    add_columns(job, &job->positive_columns, job->positive_gradient, first, last);
    if (batch->listed.n_rows != 0) {
        add_columns(job, &job->listed_columns, job->listed_logits, first, last);
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

/* Names the memory of a call: what every kind needs, then its own. */
static void name_memory(struct contrast_job *job, struct pool *pool, struct workspace *workspace)
{
    const struct contrast_batch *batch = job->batch;
    size_t b = batch->anchors.rows, d = batch->anchors.columns;
    size_t positives = sparse_entries(&batch->positives);
    workspace_begin(workspace);
    contrast_tiles_memory(job, pool_threads(pool), workspace);
    WORKSPACE_ADD(workspace, &job->partial, job->n_chunks * b * d);
    WORKSPACE_ADD(workspace, &job->row_loss, b);
    WORKSPACE_ADD(workspace, &job->is_empty, b);
    WORKSPACE_ADD(workspace, &job->positive_logits, positives);
    WORKSPACE_ADD(workspace, &job->positive_gradient, positives);
    WORKSPACE_ADD(workspace, &job->listed_logits, sparse_entries(&batch->listed));
    by_column_memory(&job->positive_columns, &batch->positives, 0, workspace);
    if (batch->listed.n_rows != 0) {
        by_column_memory(&job->listed_columns, &batch->listed, 0, workspace);
    }
    if (batch->excluded.n_rows != 0) {
        by_column_memory(&job->excluded_tiles, &batch->excluded, TILE_BITS, workspace);
    }
    if (job->settings->loss->kind == LOSS_SOFTMAX || job->settings->diagnose) {
        contrast_softmax_memory(job, workspace);
    }
    if (job->settings->loss->kind == LOSS_MARGIN) {
        contrast_margin_memory(job, workspace);
    }
    if (job->settings->diagnose) {
        contrast_diagnose_memory(job, workspace);
    }
}

static struct contrast_job job_of(struct contrast *contrast,
                                  const struct contrast_settings *settings,
                                  const struct contrast_batch *batch,
                                  struct contrast_result *result)
{
    const struct loss *loss = settings->loss;
    const size_t b = batch->anchors.rows, n_tiles = (batch->n_negatives + TILE - 1) / TILE;
    return (struct contrast_job){
        .settings = settings,
        .batch = batch,
        .result = result,
        .vec = vec_ops(),
        .n_tiles = n_tiles,
        .n_chunks = loss->kind == LOSS_UNIFORM ? 1 /* the gradient of the anchors' uniformity */
                    : n_tiles < MAX_CHUNKS     ? n_tiles
                                               : MAX_CHUNKS,
        .keep = (loss->kind == LOSS_SOFTMAX || loss->by_rank) &&
                n_tiles * b * TILE_STRIDE * sizeof(float) <= settings->strip_bytes,
        .scale = (float)(1.0 / settings->temperature),
        .uniformity = &contrast->uniformity};
}

enum status_code contrast_run(struct contrast *contrast, const struct contrast_settings *settings,
                              const struct contrast_batch *batch, struct pool *pool,
                              struct contrast_result *result, struct status *status)
{
    enum status_code code = STATUS_OK;
    check_shapes(batch, result);
    struct contrast_job job = job_of(contrast, settings, batch, result);
    name_memory(&job, pool, &contrast->workspace);
    TRY(workspace_reserve(&contrast->workspace, status));
    if (batch->excluded.n_rows != 0) {
        by_column_fill(&job.excluded_tiles, &batch->excluded, TILE_BITS);
    }
    if (settings->diagnose) {
        contrast_diagnose_start(&job, pool);
    }
    switch (settings->loss->kind) {
    case LOSS_SOFTMAX:
        contrast_softmax(&job, pool);
        break;
    case LOSS_MARGIN:
        contrast_margin(&job, pool);
        break;
    case LOSS_UNIFORM:
        assert(!result->adds);
        TRY(contrast_uniform(&job, pool, status));
        break;
    }
    pool_beside(pool, order_columns_task, &job);
    pool_run_rows(pool, batch->anchors.rows, ROW_BLOCK, anchor_gradient_task, &job);
    pool_run_rows(pool, batch->candidates.rows, COLUMN_BLOCK, candidate_gradient_task, &job);
    result->loss = 0.0;
    result->n_empty = 0;
    for (size_t a = 0; a < batch->anchors.rows; a++) {
        result->loss += job.row_loss[a];
        result->n_empty += job.is_empty[a];
    }
    if (settings->diagnose) {
        contrast_diagnose_end(&job, &result->diagnostics);
    }
done:
    return code;
}
