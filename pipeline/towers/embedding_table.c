/* Trainable tables: row-sparse gradients, their clipping, and their steps. */
#include "towers/embedding_table.h"

#include "base/mem.h"
#include "base/rng.h"
#include "math/vec.h"

#include <assert.h>
#include <math.h>

enum { ROW_BLOCK = 64 };

struct table_job {
    const struct embedding_table *table;
    struct embedding_table *into; /* the same, where its gradient is added to */
    const int32_t *rows;
    const float *values;
    const struct sparse *matrix;
    float *out;
    const uint64_t *keys;
    uint64_t seed;
    const char *purpose;
    double scale;
};

static void init_task(void *data, size_t first, size_t last)
{
    const struct table_job *job = data;
    size_t d = job->table->dimension;
    for (size_t i = first; i < last; i++) {
        struct rng rng;
        rng_init(&rng, job->seed, job->purpose, 0, job->keys == NULL ? i : job->keys[i]);
        for (size_t j = 0; j < d; j++) {
            job->out[i * d + j] = (float)(job->scale * rng_normal(&rng));
        }
    }
}

void embedding_table_draw(struct embedding_table *table, const uint64_t *keys, uint64_t seed,
                          const char *purpose, double scale, struct pool *pool)
{
    struct table_job job = {.table = table,
                            .out = table->weights,
                            .keys = keys,
                            .seed = seed,
                            .purpose = purpose,
                            .scale = scale};
    if (scale > 0.0) {
        pool_run_rows(pool, table->n, ROW_BLOCK, init_task, &job);
    }
}

enum status_code embedding_table_init(struct embedding_table *table, size_t n, size_t dimension,
                                      const struct optimizer_settings *optimizer, uint64_t seed,
                                      const char *purpose, double scale, struct pool *pool,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    struct embedding_table made = {.n = n, .dimension = dimension};
    TRY(MEM_NEW(&made.weights, n * dimension, status));
    TRY(MEM_NEW(&made.slot_of, n, status));
    TRY(optimizer_init(&made.optimizer, optimizer, n, dimension, status));
    for (size_t i = 0; i < n; i++) {
        made.slot_of[i] = -1;
    }
    embedding_table_draw(&made, NULL, seed, purpose, scale, pool);
    *table = made;
done:
    if (code != STATUS_OK) {
        embedding_table_release(&made);
    }
    return code;
}

void embedding_table_release(struct embedding_table *table)
{
    mem_free(table->weights);
    mem_free(table->slot_of);
    optimizer_release(&table->optimizer);
    mem_free(table->touched);
    mem_free(table->gradient);
    mem_free(table->is_empty);
    workspace_release(&table->workspace);
    ranks_bytes_release(&table->shared);
    *table = (struct embedding_table){0};
}

/* Room for `more` rows in play beside those that are; their gradients are kept. */
static enum status_code reserve_slots(struct embedding_table *table, size_t more,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t d = table->dimension, room = table->n_room, want = table->n_touched + more;
    want = want < table->n ? want : table->n;
    if (want > room) {
        TRY(MEM_RESIZE(&table->touched, room, want, status));
        TRY(MEM_RESIZE(&table->is_empty, room, want, status));
        TRY(MEM_RESIZE(&table->gradient, room * d, want * d, status));
        table->n_room = want;
    }
done:
    return code;
}

enum status_code embedding_table_join(struct embedding_table *table, const int32_t *rows,
                                      size_t count, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t before = table->n_touched;
    count = rows == NULL ? table->n : count;
    TRY(reserve_slots(table, count, status));
    for (size_t i = 0; i < count; i++) {
        int32_t row = rows == NULL ? (int32_t)i : rows[i];
        if (table->slot_of[row] < 0) {
            table->slot_of[row] = (int32_t)table->n_touched;
            table->touched[table->n_touched++] = row;
        }
    }
    for (size_t s = before; s < table->n_touched; s++) {
        table->is_empty[s] = true;
    }
done:
    return code;
}

enum status_code embedding_table_touch(struct embedding_table *table, const int32_t *rows,
                                       size_t count, double rate, struct pool *pool,
                                       struct status *status)
{
    size_t before = table->n_touched;
    enum status_code code = embedding_table_join(table, rows, count, status);
    if (code == STATUS_OK) {
        optimizer_catch_up(&table->optimizer, table->weights, table->touched + before,
                           table->n_touched - before, rate, pool);
    }
    return code;
}

void embedding_table_add_row(struct embedding_table *table, size_t row, const float *values)
{
    size_t d = table->dimension, slot = (size_t)table->slot_of[row];
    float *gradient = table->gradient + slot * d;
    if (table->is_empty[slot]) {
        memcpy(gradient, values, d * sizeof *values);
        table->is_empty[slot] = false;
    } else {
        vec_ops()->axpy(1.0f, values, gradient, d);
    }
}

static void add_task(void *data, size_t first, size_t last)
{
    const struct table_job *job = data;
    for (size_t i = first; i < last; i++) {
        size_t row = job->rows == NULL ? i : (size_t)job->rows[i];
        embedding_table_add_row(job->into, row, job->values + i * job->into->dimension);
    }
}

void embedding_table_add(struct embedding_table *table, const int32_t *rows, size_t count,
                         const float *values, struct pool *pool)
{
    struct table_job job = {.into = table, .rows = rows, .values = values};
    pool_run_rows(pool, count, ROW_BLOCK, add_task, &job);
}

/* Writes the 0 of a slot that nothing was added to. */
static void open_slot(struct embedding_table *table, size_t slot)
{
    size_t d = table->dimension;
    if (table->is_empty[slot]) {
        memset(table->gradient + slot * d, 0, d * sizeof(float));
        table->is_empty[slot] = false;
    }
}

float *embedding_table_gradient(struct embedding_table *table)
{
    for (size_t s = 0; s < table->n_touched; s++) {
        open_slot(table, s);
    }
    return table->gradient;
}

/* Adds the entries [begin, end) of the slots' to `sum`. Their rows lie anywhere: one before `last`
 * is on its way while those before it are added. */
static void add_entries(const struct table_job *job, int64_t begin, int64_t end, int64_t last,
                        float *sum)
{
    enum { AHEAD = 4 };
    const struct embedding_table *table = job->table;
    const struct vec_ops *vec = vec_ops();
    const size_t d = table->dimension;
    const float *values = job->matrix->values;
    for (int64_t p = begin; p < end; p++) {
        const int64_t entry = table->entries[table->by_slot.entry[p]];
        const size_t row = (size_t)table->row_places[table->by_slot.row[p]];
        if (last - p > AHEAD) {
            const size_t ahead = (size_t)table->row_places[table->by_slot.row[p + AHEAD]];
            mem_prefetch(job->values + ahead * d, d * sizeof(float));
        }
        vec->axpy(values == NULL ? 1.0f : values[entry], job->values + row * d, sum, d);
    }
}

/* Slots in blocks; each takes its entries in the order of rows. */
static void add_sparse_task(void *data, size_t first, size_t last)
{
    const struct table_job *job = data;
    struct embedding_table *table = job->into;
    const struct by_column *by_slot = &table->by_slot;
    const size_t d = table->dimension;
    struct shard_tree tree;
    for (size_t s = first; s < last; s++) {
        float *sum = table->gradient + s * d;
        open_slot(table, s);
        const int64_t begin = by_slot->first[s], end = by_slot->first[s + 1];
        if (table->row_shards == NULL || begin == end ||
            table->row_shards[by_slot->row[begin]] == table->row_shards[by_slot->row[end - 1]]) {
            add_entries(job, begin, end, end, sum);
            continue;
        }
        shard_tree_begin(&tree, d);
        for (int64_t p = begin, next = begin; p < end; p = next) {
            const size_t shard = table->row_shards[by_slot->row[p]];
            while (next < end && table->row_shards[by_slot->row[next]] == shard) {
                next++;
            }
            add_entries(job, p, next, end, shard_tree_leaf(&tree, shard));
        }
        const float *all = shard_tree_end(&tree);
        if (all != NULL) {
            vec_ops()->axpy(1.0f, all, sum, d);
        }
    }
}

/* The rows of m and their entries in the order that they are summed in. */
static void arrange(struct embedding_table *table, const struct sparse *m,
                    const struct row_order *order)
{
    size_t n = 0, shard = 0;
    table->offsets[0] = 0;
    for (size_t i = 0; i < m->n_rows; i++) {
        const size_t row = order == NULL ? i : (size_t)order->places[i];
        for (int64_t e = m->offsets[row]; e < m->offsets[row + 1]; e++) {
            assert(table->slot_of[m->columns[e]] >= 0);
            table->slots[n] = table->slot_of[m->columns[e]];
            table->entries[n++] = e;
        }
        table->offsets[i + 1] = (int64_t)n;
        table->row_places[i] = (int32_t)row;
        if (order != NULL) {
            while (i >= order->first[shard + 1]) {
                shard++;
            }
            table->row_shards[i] = (uint8_t)shard;
        }
    }
}

enum status_code embedding_table_add_sparse(struct embedding_table *table, const struct sparse *m,
                                            const struct row_order *order, const float *values,
                                            struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sparse in_slots = {.n_rows = m->n_rows, .n_columns = table->n_touched};
    size_t entries = sparse_entries(m);
    assert(order == NULL || order->n == m->n_rows);
    in_slots.offsets = m->offsets;
    workspace_begin(&table->workspace);
    WORKSPACE_ADD(&table->workspace, &table->slots, entries);
    WORKSPACE_ADD(&table->workspace, &table->entries, entries);
    WORKSPACE_ADD(&table->workspace, &table->offsets, m->n_rows + 1);
    WORKSPACE_ADD(&table->workspace, &table->row_places, m->n_rows);
    table->row_shards = NULL;
    if (order != NULL) {
        WORKSPACE_ADD(&table->workspace, &table->row_shards, m->n_rows);
    }
    by_column_memory(&table->by_slot, &in_slots, 0, &table->workspace);
    TRY(workspace_reserve(&table->workspace, status));
    arrange(table, m, order);
    in_slots.offsets = table->offsets;
    in_slots.columns = table->slots;
    by_column_fill(&table->by_slot, &in_slots, 0);
    struct table_job job = {.table = table, .into = table, .values = values, .matrix = m};
    pool_run_rows(pool, table->n_touched, ROW_BLOCK, add_sparse_task, &job);
done:
    return code;
}

static void sum_rows_task(void *data, size_t first, size_t last)
{
    const struct table_job *job = data;
    const struct sparse *m = job->matrix;
    const struct vec_ops *vec = vec_ops();
    size_t d = job->table->dimension;
    for (size_t r = first; r < last; r++) {
        for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
            vec->axpy(m->values == NULL ? 1.0f : m->values[e],
                      job->table->weights + (size_t)m->columns[e] * d, job->out + r * d, d);
        }
    }
}

void embedding_table_pool(const struct embedding_table *table, const struct sparse *m, float *out,
                          struct pool *pool)
{
    struct table_job job = {.table = table, .matrix = m, .out = out};
    pool_run_rows(pool, m->n_rows, ROW_BLOCK, sum_rows_task, &job);
}

/* ---- clipping ---- */

enum { PARTS = 64 };

struct gradient_job {
    float *scaled;
    size_t n;
    float factor;
};

static size_t part_start(const struct gradient_job *job, size_t part)
{
    size_t length = (job->n + PARTS - 1) / PARTS;
    return part * length < job->n ? part * length : job->n;
}

double gradient_clip_factor(double clip, double square)
{
    double norm = sqrt(square);
    return clip > 0.0 && isfinite(norm) && norm > clip ? clip / norm : 1.0;
}

static void scale_task(void *data, size_t part, size_t worker)
{
    (void)worker;
    struct gradient_job *job = data;
    size_t first = part_start(job, part);
    vec_ops()->scale(job->factor, job->scaled + first, part_start(job, part + 1) - first);
}

void gradient_scale(float *gradient, size_t n, double factor, struct pool *pool)
{
    struct gradient_job job = {.scaled = gradient, .n = n, .factor = (float)factor};
    if (factor != 1.0) {
        pool_run(pool, PARTS, scale_task, &job);
    }
}

/* ---- steps ---- */

void embedding_table_step(struct embedding_table *table, double rate, double scale,
                          struct pool *pool)
{
    float *gradient = embedding_table_gradient(table);
    gradient_scale(gradient, table->n_touched * table->dimension, scale, pool);
    optimizer_apply(&table->optimizer, table->weights, table->touched, table->n_touched, gradient,
                    rate, pool);
    for (size_t s = 0; s < table->n_touched; s++) {
        table->slot_of[table->touched[s]] = -1;
    }
    table->n_touched = 0;
}

/* Array i of a checkpoint, (n, *width): the weights, then the states. */
static float *array_of(const struct embedding_table *table, size_t i, const char *prefix,
                       char name[ARTIFACT_NAME_MAX], size_t *width)
{
    if (i == 0) {
        snprintf(name, ARTIFACT_NAME_MAX, "%s.weights", prefix);
        *width = table->dimension;
        return table->weights;
    }
    snprintf(name, ARTIFACT_NAME_MAX, "%s.state%zu", prefix, i - 1);
    *width = optimizer_state_width(&table->optimizer, i - 1);
    return table->optimizer.states[i - 1];
}

enum status_code embedding_table_save(const struct embedding_table *table,
                                      struct artifact *artifact, const char *prefix,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    char name[ARTIFACT_NAME_MAX];
    for (size_t i = 0; i <= table->optimizer.rule->n_states; i++) {
        size_t width;
        const float *values = array_of(table, i, prefix, name, &width);
        TRY(artifact_lend(artifact, name, ARRAY_F32, table->n, width, values, status));
    }
    snprintf(name, sizeof name, "%s.steps", prefix);
    TRY(artifact_set_number(artifact, name, (double)table->optimizer.n_steps, status));
done:
    return code;
}

enum status_code embedding_table_restore(struct embedding_table *table,
                                         const struct artifact *artifact, const char *prefix,
                                         struct status *status)
{
    enum status_code code = STATUS_OK;
    char name[ARTIFACT_NAME_MAX];
    double steps = 0.0;
    for (size_t i = 0; i <= table->optimizer.rule->n_states; i++) {
        size_t width;
        const void *values = NULL;
        float *out = array_of(table, i, prefix, name, &width);
        TRY(artifact_get_sized(artifact, name, ARRAY_F32, table->n, width, &values, status));
        memcpy(out, values, table->n * width * sizeof *out);
    }
    snprintf(name, sizeof name, "%s.steps", prefix);
    TRY(artifact_get_number(artifact, name, &steps, status));
    table->optimizer.n_steps = (int64_t)steps;
    for (size_t i = 0; i < table->n; i++) {
        table->optimizer.row_steps[i] = (int64_t)steps;
    }
done:
    return code;
}
