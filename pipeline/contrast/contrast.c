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

/* The entries of a column, in the order of their rows. */
struct column_entries {
    const struct by_column *columns;
    const float *gradient;
    int64_t at, end;
};

static struct column_entries entries_of(const struct by_column *columns, const float *gradient,
                                        size_t column)
{
    return (struct column_entries){columns, gradient, columns->first[column],
                                   columns->first[column + 1]};
}

/* The next entry's row, or no row at all. */
static size_t next_row(const struct column_entries *entries)
{
    return entries->at < entries->end ? (size_t)entries->columns->row[entries->at] : SIZE_MAX;
}

/* sum += the gradients of the entries in front of row `end`. */
static void add_entries(const struct contrast_job *job, struct column_entries *entries, size_t end,
                        float *sum)
{
    const size_t d = job->batch->anchors.columns;
    for (; next_row(entries) < end; entries->at++) {
        job->vec->axpy(job->scale * entries->gradient[entries->columns->entry[entries->at]],
                       job->batch->anchors.data + next_row(entries) * d, sum, d);
    }
}

static void skip_entries(struct column_entries *entries, size_t end)
{
    while (next_row(entries) < end) {
        entries->at++;
    }
}

/* The sparse entries of a column, leaf by leaf. */
struct column_walk {
    struct column_entries positives, listed;
    size_t leaf; /* of the entries that are next */
};

static struct column_walk walk_column(const struct contrast_job *job, size_t column)
{
    struct column_walk walk = {
        .positives = entries_of(&job->positive_columns, job->positive_gradient, column)};
    if (job->batch->listed.n_rows != 0) {
        walk.listed = entries_of(&job->listed_columns, job->listed_logits, column);
    }
    return walk;
}

/* Goes to the leaf of the next entry, if there is one. */
static bool next_leaf(const struct contrast_job *job, struct column_walk *walk)
{
    const size_t positive = next_row(&walk->positives), listed = next_row(&walk->listed);
    const size_t row = positive < listed ? positive : listed;
    while (row != SIZE_MAX && job->leaves[walk->leaf + 1] <= row) {
        walk->leaf++;
    }
    return row != SIZE_MAX;
}

/* What the sparse entries of a column add to its dC: each leaf's sum apart, in the order of leaves.
 */
static void add_column(const struct contrast_job *job, size_t column, float *leaf_sum, float *out)
{
    const size_t d = job->batch->anchors.columns;
    struct column_walk walk = walk_column(job, column);
    size_t part = job->result->parts == NULL ? 0 : job->first_part[column];
    for (; next_leaf(job, &walk); part++) {
        float *sum = job->result->parts == NULL ? leaf_sum : job->part_values + part * d;
        const size_t end = job->leaves[walk.leaf + 1];
        memset(sum, 0, d * sizeof *sum);
        add_entries(job, &walk.positives, end, sum);
        add_entries(job, &walk.listed, end, sum);
        if (job->settings->rounds) {
            job->vec->round_bfloat16(sum, d);
        }
        if (job->result->parts == NULL) {
            job->vec->axpy(1.0f, sum, out, d);
        }
    }
}

/* Which parts there are, and room for them. */
static enum status_code reserve_parts(struct contrast_job *job, struct workspace *workspace,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t m = job->batch->candidates.rows, d = job->batch->candidates.columns;
    struct contrast_parts *parts = job->result->parts;
    size_t n = 0;
    for (size_t c = 0; c < m; c++) {
        struct column_walk walk = walk_column(job, c);
        for (job->first_part[c] = n; next_leaf(job, &walk); n++) {
            const size_t end = job->leaves[walk.leaf + 1];
            job->part_columns[n] = (int32_t)c;
            job->part_leaves[n] = (int32_t)walk.leaf;
            skip_entries(&walk.positives, end);
            skip_entries(&walk.listed, end);
        }
    }
    WORKSPACE_ADD(workspace, &job->part_values, n * d);
    TRY(workspace_reserve(workspace, status));
    *parts = (struct contrast_parts){n, job->part_columns, job->part_leaves, job->part_values};
done:
    return code;
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
    for (size_t c = first; c < last; c++) {
        add_column(job, c, job->leaf_sums + first / COLUMN_BLOCK * d,
                   job->result->candidates.data + c * d);
    }
}

static void check_shapes(const struct contrast_batch *batch, const struct contrast_result *result)
{
    size_t b = batch->anchors.rows, m = batch->candidates.rows, d = batch->anchors.columns;
    assert(batch->anchors.stride == d && batch->candidates.stride == d);
    assert(batch->candidates.columns == d && batch->n_negatives <= m);
    assert(batch->positives.n_rows == b && batch->positives.n_columns == m);
    assert(result->anchors.rows == b);
    assert(result->candidates.rows == m || result->candidates.rows == 0);
    assert(batch->excluded.n_rows == 0 || batch->excluded.n_rows == b);
    assert(batch->listed.n_rows == 0 || batch->listed.n_rows == b);
    assert(batch->n_leaves <= TREE_LEAVES_MAX && (batch->n_leaves & (batch->n_leaves - 1)) == 0);
    assert(batch->n_leaves == 0 || batch->leaves[batch->n_leaves] == b);
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
    WORKSPACE_ADD(workspace, &job->leaf_sums,
                  (batch->candidates.rows + COLUMN_BLOCK - 1) / COLUMN_BLOCK * d);
    if (job->result->parts != NULL) {
        const size_t entries = positives + sparse_entries(&batch->listed);
        WORKSPACE_ADD(workspace, &job->first_part, batch->candidates.rows);
        WORKSPACE_ADD(workspace, &job->part_columns, entries);
        WORKSPACE_ADD(workspace, &job->part_leaves, entries);
    }
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
        .n_leaves = batch->n_leaves,
        .leaves = batch->leaves,
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
    if (batch->n_leaves == 0) {
        job.whole[1] = batch->anchors.rows;
        job.leaves = job.whole;
        job.n_leaves = 1;
    }
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
    if (result->candidates.rows > 0) {
        pool_beside(pool, order_columns_task, &job);
    }
    pool_run_rows(pool, batch->anchors.rows, ROW_BLOCK, anchor_gradient_task, &job);
    if (result->parts != NULL) {
        TRY(reserve_parts(&job, &contrast->workspace, status));
    }
    pool_run_rows(pool, result->candidates.rows, COLUMN_BLOCK, candidate_gradient_task, &job);
    result->loss = contrast_sum(&job, job.row_loss);
    result->n_empty = 0;
    for (size_t a = 0; a < batch->anchors.rows; a++) {
        result->n_empty += job.is_empty[a];
    }
    if (settings->diagnose) {
        contrast_diagnose_end(&job, &result->diagnostics);
    }
done:
    return code;
}
