/* Towers: what their rows read, unit length, and the way back. Shapes: B rows of d. */
#include "towers/tower.h"

#include "base/mem.h"
#include "base/rng.h"
#include "math/vec.h"

#include <assert.h>
#include <math.h>

enum { ROW_BLOCK = 64 };

static bool has_attention(const struct tower_part *part)
{
    return part->query.n > 0;
}

static enum status_code init_part(struct tower *tower, const struct token_source *source,
                                  uint64_t seed, const char *purpose, struct pool *pool,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct tower_settings *settings = &tower->settings;
    struct tower_part *part = &tower->parts[tower->n_parts++];
    char stream[64];
    part->source = source;
    snprintf(stream, sizeof stream, "%s.%s", purpose, source->is_history ? "history" : "features");
    TRY(embedding_table_init(&part->table, source->matrix.n_columns, tower->dimension,
                             &settings->optimizer, seed, stream, settings->init_scale, pool,
                             status));
    if (source->is_history && source->pooling == POOLING_ATTENTION) {
        snprintf(stream, sizeof stream, "%s.query", purpose);
        TRY(embedding_table_init(&part->query, 1, tower->dimension, &settings->optimizer, seed,
                                 stream, settings->init_scale, pool, status));
    }
done:
    return code;
}

enum status_code tower_init(struct tower *tower, size_t n, const struct tower_settings *settings,
                            const struct token_source *sources, size_t n_sources, uint64_t seed,
                            const char *purpose, struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct tower made = {.n = n, .dimension = settings->dimension, .settings = *settings};
    assert(n_sources <= TOWER_MAX_SOURCES);
    TRY(embedding_table_init(&made.ids, n, made.dimension, &settings->optimizer, seed, purpose,
                             settings->init_scale, pool, status));
    for (size_t s = 0; s < n_sources; s++) {
        assert(sources[s].matrix.n_rows == n);
        TRY(init_part(&made, &sources[s], seed, purpose, pool, status));
    }
    TRY(hidden_init(&made.hidden, settings->hidden_layers, settings->hidden_units,
                    settings->activation, made.dimension, &settings->optimizer, seed, purpose, pool,
                    status));
    *tower = made;
    made = (struct tower){0};
done:
    tower_release(&made);
    return code;
}

void tower_release(struct tower *tower)
{
    embedding_table_release(&tower->ids);
    for (size_t p = 0; p < TOWER_MAX_SOURCES; p++) {
        embedding_table_release(&tower->parts[p].table);
        embedding_table_release(&tower->parts[p].query);
    }
    hidden_release(&tower->hidden);
}

void tower_pass_release(struct tower_pass *pass)
{
    workspace_release(&pass->workspace);
    for (size_t p = 0; p < TOWER_MAX_SOURCES; p++) {
        workspace_release(&pass->token_workspaces[p]);
    }
}

struct tower_job {
    const struct tower *tower;
    struct optimizer_step now;   /* gather: of the ids */
    struct embedding_table *ids; /* backward: the tower's, when gradients go straight to it */
    const struct optimizer_update
        *update; /* backward: their step is taken with it; NULL: gathered */
    const struct tower_pass *pass;
    const struct tower_part *part;
    struct sparse *tokens;
    size_t count;
    float *out;
    bool is_straight; /* forward: normalise what is gathered */
};

static size_t block_end(size_t block, size_t count)
{
    return (block + 1) * ROW_BLOCK < count ? (block + 1) * ROW_BLOCK : count;
}

static size_t n_blocks(size_t count)
{
    return (count + ROW_BLOCK - 1) / ROW_BLOCK;
}

static size_t row_at(const struct tower_input *input, size_t i)
{
    return input->rows == NULL ? i : (size_t)input->rows[i];
}

/* A stream for one row of one view. */
static void row_stream(struct rng *rng, const struct view *view, const char *purpose, size_t row)
{
    rng_init(rng, view->seed ^ (view->number * 0x9e3779b97f4a7c15u), purpose,
             view->epoch * 1000003u + view->step, row);
}

/* ---- x ---- */

static double dropout_share(const struct tower *tower, const struct view *view)
{
    if (view->change == VIEW_DROPOUT) {
        return view->strength;
    }
    return view->training ? tower->settings.dropout : 0.0;
}

/* Whether an id, or a row of the base, is all that its vector is made of: then a row is gathered
 * and normalised, and goes back, while it is in the cache. */
static bool is_straight(const struct tower *tower, const struct tower_input *input)
{
    return (tower->n_parts == 0 || input->base != NULL) && tower->hidden.n_layers == 0 &&
           dropout_share(tower, &input->view) == 0.0;
}

/* Noise of length strength |y| in a random direction. Its length counts as a constant on the way
 * back. */
static void add_noise(const struct tower_input *input, size_t row, float *y, size_t d)
{
    const struct vec_ops *vec = vec_ops();
    struct rng rng;
    double noise[512], square = 0.0;
    assert(d <= sizeof noise / sizeof noise[0]);
    row_stream(&rng, &input->view, "tower.noise", row);
    for (size_t j = 0; j < d; j++) {
        noise[j] = rng_normal(&rng);
        square += noise[j] * noise[j];
    }
    double length = input->view.strength * sqrt((double)vec->dot(y, y, d) / square);
    for (size_t j = 0; j < d; j++) {
        y[j] += (float)(length * noise[j]);
    }
}

static void normalise_row(const struct tower_job *job, size_t i)
{
    const struct tower_input *input = &job->pass->input;
    const struct vec_ops *vec = vec_ops();
    size_t d = job->tower->dimension;
    float *y = job->out + i * d;
    if (input->view.change == VIEW_NOISE) {
        add_noise(input, row_at(input, i), y, d);
    }
    float square = vec->dot(y, y, d);
    float inverse = square > 0.0f ? 1.0f / sqrtf(square) : square; /* keeps NaN, 0 stays 0 */
    vec->scale(inverse, y, d);
    job->pass->inverse_norms[i] = inverse;
}

static void prefetch_row(const struct tower_job *job, size_t row)
{
    const struct tower *tower = job->tower;
    const float *base = job->pass->input.base;
    if (base != NULL) {
        mem_prefetch(base + row * tower->dimension, tower->dimension * sizeof *base);
    } else {
        embedding_table_prefetch_row(&tower->ids, row);
    }
}

static void gather_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct tower_job *job = data;
    const struct tower_input *input = &job->pass->input;
    size_t d = job->tower->dimension;
    const size_t end = block_end(block, job->count);
    for (size_t i = block * ROW_BLOCK; i < end; i++) {
        float *out = job->out + i * d;
        if (input->rows != NULL && i + OPTIMIZER_AHEAD < end) {
            prefetch_row(job, (size_t)input->rows[i + OPTIMIZER_AHEAD]);
        }
        if (!job->pass->has_id[i]) {
            memset(out, 0, d * sizeof *out);
        } else if (input->base != NULL) {
            memcpy(out, input->base + row_at(input, i) * d, d * sizeof *out);
        } else {
            embedding_table_read_row(&job->tower->ids, &job->now, row_at(input, i), out);
        }
        if (job->is_straight) {
            normalise_row(job, i);
        }
    }
}

/* Which rows' ids take part in this view. */
static void choose_ids(const struct tower *tower, struct tower_pass *pass)
{
    const struct tower_input *input = &pass->input;
    for (size_t i = 0; i < input->count; i++) {
        pass->has_id[i] = input->base != NULL || !input->without_ids;
        if (pass->drops_ids) {
            struct rng rng;
            row_stream(&rng, &input->view, "tower.id", row_at(input, i));
            pass->has_id[i] = pass->has_id[i] && rng_double(&rng) >= tower->settings.id_dropout;
        }
    }
}

/* All memory of a pass but that of tokens, whose number is found by choosing them. `is_base`: x
 * goes elsewhere, and nothing is made of it. */
static enum status_code reserve_pass(const struct tower *tower, struct tower_pass *pass,
                                     bool is_base, struct status *status)
{
    const struct tower_input *input = &pass->input;
    struct workspace *workspace = &pass->workspace;
    const bool training = input->view.training, reads_ids = input->base == NULL;
    const size_t n = input->count, d = tower->dimension;
    bool attends = false;
    for (size_t p = 0; p < tower->n_parts && reads_ids; p++) {
        attends = attends || has_attention(&tower->parts[p]);
    }
    pass->drops_ids =
        reads_ids && training && tower->n_parts > 0 && tower->settings.id_dropout > 0.0;
    workspace_begin(workspace);
    WORKSPACE_ADD(workspace, &pass->has_id, n);
    WORKSPACE_ADD(workspace, &pass->pooled, attends ? n * d : 0);
    WORKSPACE_ADD(workspace, &pass->id_rows, pass->drops_ids ? n : 0);
    WORKSPACE_ADD(workspace, &pass->id_values, pass->drops_ids ? n * d : 0);
    if (!is_base) {
        WORKSPACE_ADD(workspace, &pass->vectors, n * d);
        WORKSPACE_ADD(workspace, &pass->inverse_norms, n);
        WORKSPACE_ADD(workspace, &pass->mask, dropout_share(tower, &input->view) > 0.0 ? n * d : 0);
        hidden_pass_memory(&tower->hidden, &pass->hidden, n, training, workspace);
    }
    return workspace_reserve(workspace, status);
}

/* Turns a row's weights into softmax(<q, t> / sqrt(d)). */
static void attention_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct tower_job *job = data;
    const struct vec_ops *vec = vec_ops();
    struct sparse *m = job->tokens;
    size_t d = job->tower->dimension;
    const float *query = job->part->query.weights, *table = job->part->table.weights;
    double scale = 1.0 / sqrt((double)d);
    for (size_t r = block * ROW_BLOCK; r < block_end(block, job->count); r++) {
        double high = -INFINITY, sum = 0.0;
        for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
            m->values[e] = (float)(scale * vec->dot(query, table + (size_t)m->columns[e] * d, d));
            high = fmax(high, m->values[e]);
        }
        for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
            m->values[e] = (float)exp(m->values[e] - high);
            sum += m->values[e];
        }
        for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
            m->values[e] = (float)(m->values[e] / sum);
        }
    }
}

static enum status_code forward_part(struct tower *tower, size_t p, double rate,
                                     struct tower_pass *pass, float *x, struct pool *pool,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    struct tower_part *part = &tower->parts[p];
    const struct tower_input *input = &pass->input;
    struct row_builder *tokens = &pass->tokens[p];
    size_t d = tower->dimension;
    TRY(token_source_select(input->sources != NULL ? &input->sources[p] : part->source, input->rows,
                            input->count, &input->view, tokens, &pass->token_workspaces[p],
                            status));
    if (input->view.training) {
        TRY(embedding_table_touch(&part->table, tokens->matrix.columns, tokens->n_entries, rate,
                                  pool, status));
    }
    if (!has_attention(part)) {
        embedding_table_pool(&part->table, &tokens->matrix, x, pool);
        goto done;
    }
    if (input->view.training) {
        TRY(embedding_table_touch(&part->query, NULL, 0, rate, pool, status));
    }
    struct tower_job job = {
        .tower = tower, .part = part, .tokens = &tokens->matrix, .count = input->count};
    pool_run(pool, n_blocks(input->count), attention_task, &job);
    /* the backward pass needs what attention gave */
    memset(pass->pooled, 0, input->count * d * sizeof(float));
    embedding_table_pool(&part->table, &tokens->matrix, pass->pooled, pool);
    vec_ops()->axpy(1.0f, pass->pooled, x, input->count * d);
done:
    return code;
}

/* x without propagation, hidden layers and noise; is_straight: at unit length, with noise. */
static enum status_code forward_base(struct tower *tower, bool is_straight, double rate,
                                     struct tower_pass *pass, float *x, struct pool *pool,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct tower_input *input = &pass->input;
    choose_ids(tower, pass);
    if (input->view.training && input->base == NULL && !input->is_only_view) {
        TRY(embedding_table_join(&tower->ids, input->rows, input->count, status));
    }
    struct tower_job job = {.tower = tower,
                            .pass = pass,
                            .now = embedding_table_now(&tower->ids, rate),
                            .count = input->count,
                            .out = x,
                            .is_straight = is_straight};
    pool_run(pool, n_blocks(input->count), gather_task, &job);
    for (size_t p = 0; p < tower->n_parts && input->base == NULL; p++) {
        TRY(forward_part(tower, p, rate, pass, x, pool, status));
    }
done:
    return code;
}

/* ---- from x to the vector ---- */

static void dropout_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct tower_job *job = data;
    const struct tower_input *input = &job->pass->input;
    size_t d = job->tower->dimension;
    double share = dropout_share(job->tower, &input->view);
    float *mask = job->pass->mask, kept = (float)(1.0 / (1.0 - share));
    for (size_t i = block * ROW_BLOCK; i < block_end(block, job->count); i++) {
        struct rng rng;
        row_stream(&rng, &input->view, "tower.dropout", row_at(input, i));
        for (size_t j = i * d; j < (i + 1) * d; j++) {
            mask[j] = rng_double(&rng) < share ? 0.0f : kept;
            job->out[j] *= mask[j];
        }
    }
}

static void normalise_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct tower_job *job = data;
    for (size_t i = block * ROW_BLOCK; i < block_end(block, job->count); i++) {
        normalise_row(job, i);
    }
}

enum status_code tower_forward(struct tower *tower, const struct tower_input *input, double rate,
                               struct tower_pass *pass, struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    pass->input = *input;
    TRY(reserve_pass(tower, pass, false, status));
    float *x = pass->vectors;
    bool straight = is_straight(tower, input);
    TRY(forward_base(tower, straight, rate, pass, x, pool, status));
    if (straight) {
        goto done;
    }
    struct tower_job job = {.tower = tower, .pass = pass, .count = input->count, .out = x};
    if (dropout_share(tower, &input->view) > 0.0) {
        pool_run(pool, n_blocks(input->count), dropout_task, &job);
    }
    if (input->view.training) {
        TRY(hidden_touch(&tower->hidden, rate, pool, status));
    }
    hidden_forward(&tower->hidden, &pass->hidden, x, input->count, pool);
    pool_run(pool, n_blocks(input->count), normalise_task, &job);
done:
    return code;
}

/* ---- backward ---- */

/* The derivative of y / |y|: (g - <g, unit> unit) / |y|. */
static void normalise_backward_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct tower_job *job = data;
    const struct vec_ops *vec = vec_ops();
    const int32_t *rows = job->pass->input.rows;
    size_t d = job->tower->dimension;
    const size_t end = block_end(block, job->count);
    for (size_t i = block * ROW_BLOCK; i < end; i++) {
        const float *unit = job->pass->vectors + i * d;
        float *gradient = job->out + i * d;
        if (job->update != NULL && rows != NULL && i + OPTIMIZER_AHEAD < end) {
            prefetch_row(job, (size_t)rows[i + OPTIMIZER_AHEAD]);
        }
        vec->axpy(-vec->dot(gradient, unit, d), unit, gradient, d);
        vec->scale(job->pass->inverse_norms[i], gradient, d);
        if (job->update != NULL) {
            embedding_table_step_row(job->ids, job->update, row_at(&job->pass->input, i), gradient);
        } else if (job->ids != NULL && job->pass->has_id[i]) {
            embedding_table_add_row(job->ids, row_at(&job->pass->input, i), gradient);
        }
    }
}

/* Through attention: with weights a_h and output o = sum a_h t_h, dL/d logit_h = a_h <g, t_h - o>.
 * What comes by t_h's part in o is gathered by embedding_table_add_sparse; here its part in the
 * logits, and the query's. Rows in order on one thread: histories are short. */
static void attention_backward(struct tower *tower, size_t p, struct tower_pass *pass,
                               const float *gradient)
{
    struct tower_part *part = &tower->parts[p];
    const struct sparse *m = &pass->tokens[p].matrix;
    const struct vec_ops *vec = vec_ops();
    size_t d = tower->dimension;
    const float *query = part->query.weights, *pooled = pass->pooled;
    float *query_gradient = embedding_table_gradient(&part->query);
    float *token_gradient = embedding_table_gradient(&part->table);
    double scale = 1.0 / sqrt((double)d);
    for (size_t r = 0; r < m->n_rows; r++) {
        const float *g = gradient + r * d;
        double mean = vec->dot(g, pooled + r * d, d);
        for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
            const float *token = part->table.weights + (size_t)m->columns[e] * d;
            size_t slot = (size_t)part->table.slot_of[m->columns[e]];
            float slope = (float)(scale * m->values[e] * ((double)vec->dot(g, token, d) - mean));
            vec->axpy(slope, token, query_gradient, d);
            vec->axpy(slope, query, token_gradient + slot * d, d);
        }
    }
}

/* Gathers the gradients of ids and tokens from dL/dx (count, d). */
static enum status_code backward_base(struct tower *tower, struct tower_pass *pass,
                                      const float *gradient, struct pool *pool,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct tower_input *input = &pass->input;
    size_t d = tower->dimension, n = 0;
    for (size_t i = 0; i < input->count && pass->drops_ids; i++) {
        if (pass->has_id[i]) {
            memcpy(pass->id_values + n * d, gradient + i * d, d * sizeof(float));
            pass->id_rows[n++] = (int32_t)row_at(input, i);
        }
    }
    if (pass->drops_ids) {
        embedding_table_add(&tower->ids, pass->id_rows, n, pass->id_values, pool);
    } else {
        embedding_table_add(&tower->ids, input->rows, input->count, gradient, pool);
    }
    for (size_t p = 0; p < tower->n_parts; p++) {
        struct tower_part *part = &tower->parts[p];
        TRY(embedding_table_add_sparse(&part->table, &pass->tokens[p].matrix, gradient, pool,
                                       status));
        if (has_attention(part)) {
            attention_backward(tower, p, pass, gradient);
        }
    }
done:
    return code;
}

enum status_code tower_backward(struct tower *tower, struct tower_pass *pass, float *gradient,
                                float *base_gradient, struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct tower_input *input = &pass->input;
    size_t d = tower->dimension;
    struct tower_job job = {.tower = tower, .pass = pass, .count = input->count, .out = gradient};
    bool to_ids = input->base == NULL && is_straight(tower, input);
    assert(input->sources == NULL && !input->without_ids);
    job.ids = to_ids ? &tower->ids : NULL;
    pool_run(pool, n_blocks(input->count), normalise_backward_task, &job);
    if (to_ids) {
        goto done;
    }
    hidden_backward(&tower->hidden, &pass->hidden, gradient, input->count, pool);
    if (dropout_share(tower, &input->view) > 0.0) {
        const float *mask = pass->mask;
        for (size_t i = 0; i < input->count * d; i++) {
            gradient[i] *= mask[i];
        }
    }
    if (input->base == NULL) {
        TRY(backward_base(tower, pass, gradient, pool, status));
        goto done;
    }
    for (size_t i = 0; i < input->count; i++) {
        if (pass->has_id[i]) {
            vec_ops()->axpy(1.0f, gradient + i * d, base_gradient + row_at(input, i) * d, d);
        }
    }
done:
    return code;
}

bool tower_is_plain(const struct tower *tower)
{
    const struct tower_input training = {.view = {.training = true, .change = VIEW_NONE}};
    return is_straight(tower, &training);
}

void tower_step_back(struct tower *tower, struct tower_pass *pass, float *gradient, double rate,
                     struct pool *pool)
{
    assert(is_straight(tower, &pass->input) && pass->input.is_only_view);
    const struct optimizer_update update = embedding_table_begin_step(&tower->ids, rate);
    struct tower_job job = {.tower = tower,
                            .ids = &tower->ids,
                            .update = &update,
                            .pass = pass,
                            .count = pass->input.count,
                            .out = gradient};
    pool_run(pool, n_blocks(job.count), normalise_backward_task, &job);
}

enum status_code tower_base(struct tower *tower, const struct view *view, double rate,
                            struct tower_pass *pass, float *out, struct pool *pool,
                            struct status *status)
{
    enum status_code code;
    pass->input = (struct tower_input){.count = tower->n, .view = *view};
    TRY(reserve_pass(tower, pass, true, status));
    TRY(forward_base(tower, false, rate, pass, out, pool, status));
done:
    return code;
}

enum status_code tower_base_backward(struct tower *tower, struct tower_pass *pass,
                                     const float *gradient, struct pool *pool,
                                     struct status *status)
{
    return backward_base(tower, pass, gradient, pool, status);
}

/* ---- all tables ---- */

size_t tower_tables(struct tower *tower, struct embedding_table *out[TOWER_MAX_TABLES])
{
    size_t n = 0;
    out[n++] = &tower->ids;
    for (size_t p = 0; p < tower->n_parts; p++) {
        out[n++] = &tower->parts[p].table;
        if (has_attention(&tower->parts[p])) {
            out[n++] = &tower->parts[p].query;
        }
    }
    for (size_t l = 0; l <= tower->hidden.n_layers && tower->hidden.n_layers > 0; l++) {
        out[n++] = &tower->hidden.weights[l];
        out[n++] = &tower->hidden.biases[l];
    }
    return n;
}

enum status_code tower_save(struct tower *tower, struct artifact *artifact, const char *prefix,
                            struct status *status)
{
    enum status_code code = STATUS_OK;
    struct embedding_table *tables[TOWER_MAX_TABLES];
    size_t n = tower_tables(tower, tables);
    for (size_t t = 0; t < n; t++) {
        char name[ARTIFACT_NAME_MAX];
        snprintf(name, sizeof name, "%s.%zu", prefix, t);
        TRY(embedding_table_save(tables[t], artifact, name, status));
    }
done:
    return code;
}

enum status_code tower_restore(struct tower *tower, const struct artifact *artifact,
                               const char *prefix, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct embedding_table *tables[TOWER_MAX_TABLES];
    size_t n = tower_tables(tower, tables);
    for (size_t t = 0; t < n; t++) {
        char name[ARTIFACT_NAME_MAX];
        snprintf(name, sizeof name, "%s.%zu", prefix, t);
        TRY(embedding_table_restore(tables[t], artifact, name, status));
    }
done:
    return code;
}
