/* The tiled contrastive kernel. See contrast.h for what it computes; this file reads from top to
 * bottom in the order of the work: memory, the logits of sparse entries, pass 1, rows, pass 2, the
 * gradients of sparse entries. Shapes: B anchors, M candidates, d dimensions, T = TILE columns. */
#include "model/contrast.h"

#include "base/mem.h"
#include "math/blas.h"
#include "math/vec.h"

#include <assert.h>
#include <math.h>

enum {
    TILE = 256,         /* candidates in a tile: with 512 anchors, 0.5 MB of logits, half an L2 */
    ROW_BLOCK = 64,     /* anchors in a block of row work */
    COLUMN_BLOCK = 512, /* candidates in a block of sparse gradient work */
    MAX_CHUNKS = 8      /* pass 2 sums dA over runs of tiles, one partial sum a run */
};

/* Sparse entries ordered by column, to add up dC without two threads on one row. */
struct by_column {
    struct scratch first; /* (M + 1) int64: entries of column c are [first[c], first[c + 1]) */
    struct scratch row;   /* (entries) int32 */
    struct scratch entry; /* (entries) int64: position in the row-wise arrays */
};

struct contrast {
    struct scratch tiles;             /* kept: (n_tiles, B, T); else one (B, T) a worker */
    struct scratch tile_max;          /* (n_tiles, B) float */
    struct scratch tile_sum;          /* (n_tiles, B) float: sum of exp(s + b - max) */
    struct scratch partial;           /* (n_chunks, B, d) */
    struct scratch log_sum, mass;     /* (B) double */
    struct scratch row_loss;          /* (B) double */
    struct scratch positive_logits;   /* (positives) float */
    struct scratch positive_gradient; /* (positives) float */
    struct scratch listed_logits;     /* (listed) float, turned into gradients */
    struct by_column positive_columns, listed_columns;
};

/* What the tasks of one call share. */
struct job {
    const struct contrast_settings *settings;
    const struct contrast_batch *batch;
    const struct contrast_result *result;
    const struct vec_ops *vec;
    struct contrast *work;
    size_t n_tiles, n_chunks;
    bool keep;
    float scale; /* 1 / temperature */
};

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
    struct scratch *all[] = {
        &contrast->tiles,        &contrast->tile_max,        &contrast->tile_sum,

        &contrast->partial,      &contrast->log_sum,         &contrast->mass,
        &contrast->row_loss,     &contrast->positive_logits, &contrast->positive_gradient,
        &contrast->listed_logits};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        scratch_release(all[i]);
    }
    by_column_release(&contrast->positive_columns);
    by_column_release(&contrast->listed_columns);
    mem_free(contrast);
}

static enum status_code reserve_all(struct job *job, struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct contrast *w = job->work;
    size_t b = job->batch->anchors.rows, d = job->batch->anchors.columns;
    size_t kept_tiles = job->keep ? job->n_tiles : pool_threads(pool);
    TRY(scratch_reserve(&w->tiles, kept_tiles * b * TILE, sizeof(float), status));
    TRY(scratch_reserve(&w->tile_max, job->n_tiles * b, sizeof(float), status));
    TRY(scratch_reserve(&w->tile_sum, job->n_tiles * b, sizeof(float), status));
    TRY(scratch_reserve(&w->partial, job->n_chunks * b * d, sizeof(float), status));
    TRY(scratch_reserve(&w->log_sum, b, sizeof(double), status));
    TRY(scratch_reserve(&w->mass, b, sizeof(double), status));
    TRY(scratch_reserve(&w->row_loss, b, sizeof(double), status));
    size_t positives = sparse_entries(&job->batch->positives);
    TRY(scratch_reserve(&w->positive_logits, positives, sizeof(float), status));
    TRY(scratch_reserve(&w->positive_gradient, positives, sizeof(float), status));
    TRY(scratch_reserve(&w->listed_logits, sparse_entries(&job->batch->listed), sizeof(float),
                        status));
done:
    return code;
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

/* logits[e] = scale <A_row, C_column> for the entries of one row. */
static void entry_logits(const struct job *job, const struct sparse *m, size_t row, float *logits)
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

static size_t tile_columns(const struct job *job, size_t tile)
{
    size_t left = job->batch->n_negatives - tile * TILE;
    return left < TILE ? left : TILE;
}

/* Fills exp_tile (B, TILE) with exp(s + b - max of the row in this tile). The first pass finds the
 * maxima and sums; a second one reuses the maxima, so that it gives the same bytes. */
static void compute_tile(const struct job *job, size_t tile, bool first_pass, float *exp_tile)
{
    const struct contrast_batch *batch = job->batch;
    size_t b = batch->anchors.rows, first = tile * TILE, count = tile_columns(job, tile);
    float *tile_max = (float *)job->work->tile_max.data + tile * b;
    float *tile_sum = (float *)job->work->tile_sum.data + tile * b;
    const float *offsets = batch->offsets == NULL ? NULL : batch->offsets + first;
    blas_nt(job->scale, batch->anchors, matrix_rows(batch->candidates, first, count), 0.0f,
            (struct matrix){exp_tile, b, count, TILE});
    for (size_t a = 0; a < b; a++) {
        float *row = exp_tile + a * TILE;
        if (batch->excluded.n_rows != 0) {
            mask_excluded(&batch->excluded, a, first, count, row);
        }
        if (first_pass) {
            tile_max[a] = job->vec->max_offset(row, offsets, count);
        }
        float shift = tile_max[a] == -INFINITY ? 0.0f : tile_max[a];
        tile_sum[a] = job->vec->exp_shift_sum(row, offsets, shift, count);
    }
}

static float *tile_memory(const struct job *job, size_t tile, size_t worker)
{
    size_t index = job->keep ? tile : worker;
    return (float *)job->work->tiles.data + index * job->batch->anchors.rows * TILE;
}

static void first_pass_task(void *data, size_t block, size_t worker)
{
    const struct job *job = data;
    compute_tile(job, block, true, tile_memory(job, block, worker));
}

/* log sum exp over the tiles of one row, in tile order. */
static double shared_log_sum(const struct job *job, size_t row)
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

/* Turns the logits of a row's own list into dL/ds. */
static void listed_gradient(const struct sparse *listed, size_t row, double mass, double log_sum,
                            float *logits)
{
    for (int64_t e = listed->offsets[row]; e < listed->offsets[row + 1]; e++) {
        logits[e] = log_sum == -INFINITY ? 0.0f : (float)(mass * exp(logits[e] - log_sum));
    }
}

/* Rows: logits of the sparse entries, the loss, the factors of pass 2. */
static void row_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct job *job = data;
    const struct contrast_batch *batch = job->batch;
    struct contrast *w = job->work;
    double *log_sum = w->log_sum.data, *mass = w->mass.data, *row_loss = w->row_loss.data;
    float *logits = w->positive_logits.data, *gradient = w->positive_gradient.data;
    float *listed_logits = w->listed_logits.data;
    size_t last = (block + 1) * ROW_BLOCK;
    last = last < batch->anchors.rows ? last : batch->anchors.rows;
    for (size_t a = block * ROW_BLOCK; a < last; a++) {
        entry_logits(job, &batch->positives, a, logits);
        if (batch->listed.n_rows != 0) {
            entry_logits(job, &batch->listed, a, listed_logits);
            log_sum[a] = listed_log_sum(&batch->listed, a, listed_logits);
        } else {
            log_sum[a] = shared_log_sum(job, a);
        }
        int64_t first = batch->positives.offsets[a];
        struct loss_row row = {log_sum[a], sparse_row_length(&batch->positives, a), logits + first,
                               batch->positives.values + first};
        row_loss[a] = job->settings->loss->row(&job->settings->loss_settings, &row,
                                               gradient + first, &mass[a]);
        if (batch->listed.n_rows != 0) {
            listed_gradient(&batch->listed, a, mass[a], log_sum[a], listed_logits);
        }
    }
}

/* Pass 2 over one run of tiles: dC of its columns, and a partial dA. */
static void second_pass_task(void *data, size_t block, size_t worker)
{
    const struct job *job = data;
    const struct contrast_batch *batch = job->batch;
    struct contrast *w = job->work;
    size_t b = batch->anchors.rows, d = batch->anchors.columns;
    const double *log_sum = w->log_sum.data, *mass = w->mass.data;
    const float *tile_max = w->tile_max.data;
    struct matrix partial = matrix_of((float *)w->partial.data + block * b * d, b, d);
    size_t first_tile = block * job->n_tiles / job->n_chunks;
    size_t last_tile = (block + 1) * job->n_tiles / job->n_chunks;
    for (size_t t = first_tile; t < last_tile; t++) {
        float *tile = tile_memory(job, t, worker);
        size_t first = t * TILE, count = tile_columns(job, t);
        if (!job->keep) {
            compute_tile(job, t, false, tile);
        }
        for (size_t a = 0; a < b; a++) {
            double high = tile_max[t * b + a];
            double factor = high == -INFINITY ? 0.0 : mass[a] * exp(high - log_sum[a]);
            job->vec->scale((float)factor, tile + a * TILE, count);
        }
        struct const_matrix g = {tile, b, count, TILE};
        blas_tn(job->scale, g, batch->anchors, 0.0f,
                matrix_of(job->result->candidates.data + first * d, count, d));
        blas_nn(job->scale, g, matrix_rows(batch->candidates, first, count),
                t == first_tile ? 0.0f : 1.0f, partial);
    }
}

/* dA of a block of rows: the partial sums in chunk order, then the sparse entries. */
static void anchor_gradient_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct job *job = data;
    const struct contrast_batch *batch = job->batch;
    size_t b = batch->anchors.rows, d = batch->anchors.columns;
    const float *partial = job->work->partial.data;
    const struct sparse *lists[2] = {&batch->positives, &batch->listed};
    const float *gradients[2] = {job->work->positive_gradient.data, job->work->listed_logits.data};
    size_t last = (block + 1) * ROW_BLOCK < b ? (block + 1) * ROW_BLOCK : b;
    for (size_t a = block * ROW_BLOCK; a < last; a++) {
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

static void add_columns(const struct job *job, const struct by_column *columns,
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

/* dC of a block of columns: what the sparse entries add to pass 2's. */
static void candidate_gradient_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct job *job = data;
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
    assert(batch->listed.n_rows == 0 || batch->n_negatives == 0);
    (void)b, (void)m, (void)d, (void)result;
}

enum status_code contrast_run(struct contrast *contrast, const struct contrast_settings *settings,
                              const struct contrast_batch *batch, struct pool *pool,
                              struct contrast_result *result, struct status *status)
{
    enum status_code code = STATUS_OK;
    check_shapes(batch, result);
    size_t b = batch->anchors.rows;
    struct job job = {settings, batch, result, vec_ops(), contrast, 0, 0, false, 0.0f};
    job.n_tiles = (batch->n_negatives + TILE - 1) / TILE;
    job.n_chunks = job.n_tiles < MAX_CHUNKS ? job.n_tiles : MAX_CHUNKS;
    job.keep = job.n_tiles * b * TILE * sizeof(float) <= settings->strip_bytes;
    job.scale = (float)(1.0 / settings->temperature);
    TRY(reserve_all(&job, pool, status));
    TRY(by_column_build(&contrast->positive_columns, &batch->positives, status));
    if (batch->listed.n_rows != 0) {
        TRY(by_column_build(&contrast->listed_columns, &batch->listed, status));
    }
    size_t row_blocks = (b + ROW_BLOCK - 1) / ROW_BLOCK;
    pool_run(pool, job.n_tiles, first_pass_task, &job);
    pool_run(pool, row_blocks, row_task, &job);
    pool_run(pool, job.n_chunks, second_pass_task, &job);
    pool_run(pool, row_blocks, anchor_gradient_task, &job);
    pool_run(pool, (batch->candidates.rows + COLUMN_BLOCK - 1) / COLUMN_BLOCK,
             candidate_gradient_task, &job);
    double loss = 0.0;
    size_t n_empty = 0;
    for (size_t a = 0; a < b; a++) {
        loss += ((const double *)contrast->row_loss.data)[a];
        n_empty += ((const double *)contrast->log_sum.data)[a] == -INFINITY;
    }
    result->loss = loss;
    result->n_empty = n_empty;
done:
    return code;
}
