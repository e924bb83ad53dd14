/* Towers: what their rows read, unit length, and the way back. Shapes: B rows of d. */
#include "towers/tower.h"

#include "base/mem.h"
#include "base/rng.h"
#include "math/vec.h"

#include <assert.h>
#include <math.h>

enum { ROW_BLOCK = 64 };

enum status_code tower_init(struct tower *tower, size_t n, const struct tower_settings *settings,
                            const struct token_source *sources, size_t n_sources, uint64_t seed,
                            const char *purpose, struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct tower made = {.n = n, .dimension = settings->dimension, .settings = *settings};
    assert(n_sources <= TOWER_MAX_SOURCES);
    TRY(embedding_table_init(&made.ids, n, made.dimension, &settings->optimizer, seed, purpose, 0.0,
                             pool, status));
    embedding_table_draw(&made.ids, settings->keys, seed, purpose, settings->init_scale, pool);
    for (size_t s = 0; s < n_sources; s++) {
        assert(sources[s].matrix.n_rows == n);
        TRY(part_init(&made.parts[made.n_parts++], &sources[s], made.dimension,
                      &settings->optimizer, seed, purpose, settings->init_scale, pool, status));
    }
    TRY(hidden_init(&made.hidden, &settings->hidden, made.dimension, &settings->optimizer, seed,
                    purpose, pool, status));
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
    workspace_release(&pass->hidden.workspace);
    row_order_release(&pass->order);
    for (size_t p = 0; p < TOWER_MAX_SOURCES; p++) {
        workspace_release(&pass->parts[p].workspace);
    }
}

struct tower_job {
    const struct tower *tower;
    struct optimizer_step now;   /* gather: of the ids */
    struct embedding_table *ids; /* backward: the tower's, when gradients go straight to it */
    const struct optimizer_update
        *update; /* backward: their step is taken with it; NULL: gathered */
    const struct tower_pass *pass;
    float *out;
    bool is_straight; /* forward: normalise what is gathered */
};

static size_t row_at(const struct tower_input *input, size_t i)
{
    return input->rows == NULL ? i : (size_t)input->rows[i];
}

/* A stream for one row of one view. */
static void row_stream(struct rng *rng, const struct tower *tower, const struct view *view,
                       const char *purpose, size_t row)
{
    const uint64_t *keys = tower->settings.keys;
    rng_init(rng, view->seed ^ (view->number * 0x9e3779b97f4a7c15u), purpose,
             view->epoch * 1000003u + view->step, keys == NULL ? row : keys[row]);
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
static void add_noise(const struct tower *tower, const struct tower_input *input, size_t row,
                      float *y)
{
    const size_t d = tower->dimension;
    const struct vec_ops *vec = vec_ops();
    struct rng rng;
    double noise[512], square = 0.0;
    assert(d <= sizeof noise / sizeof noise[0]);
    row_stream(&rng, tower, &input->view, "tower.noise", row);
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
        add_noise(job->tower, input, row_at(input, i), y);
    }
    job->pass->inverse_norms[i] = vec_unit(vec, y, d);
}

static void prefetch_row(const struct tower_job *job, size_t row)
{
    const struct tower *tower = job->tower;
    const float *base = job->pass->input.base;
    if (base != NULL) {
        mem_prefetch(base + row * tower->dimension, tower->dimension * sizeof *base);
    } else {
        optimizer_prefetch_row(&tower->ids.optimizer, tower->ids.weights, row);
    }
}

static void gather_task(void *data, size_t first, size_t last)
{
    const struct tower_job *job = data;
    const struct tower_input *input = &job->pass->input;
    size_t d = job->tower->dimension;
    for (size_t i = first; i < last; i++) {
        float *out = job->out + i * d;
        if (input->rows != NULL && i + OPTIMIZER_AHEAD < last) {
            prefetch_row(job, (size_t)input->rows[i + OPTIMIZER_AHEAD]);
        }
        if (!job->pass->has_id[i]) {
            memset(out, 0, d * sizeof *out);
        } else if (input->base != NULL) {
            memcpy(out, input->base + row_at(input, i) * d, d * sizeof *out);
        } else {
            const struct embedding_table *ids = &job->tower->ids;
            optimizer_read_row(&ids->optimizer, &job->now, ids->weights, row_at(input, i), out);
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
            row_stream(&rng, tower, &input->view, "tower.id", row_at(input, i));
            pass->has_id[i] = pass->has_id[i] && rng_double(&rng) >= tower->settings.id_dropout;
        }
    }
}

/* All memory of a pass but that of its parts. `is_base`: x goes elsewhere, and nothing is made of
 * it.
 */
static enum status_code reserve_pass(const struct tower *tower, struct tower_pass *pass,
                                     bool is_base, struct status *status)
{
    const struct tower_input *input = &pass->input;
    struct workspace *workspace = &pass->workspace;
    const bool training = input->view.training, reads_ids = input->base == NULL;
    const size_t n = input->count, d = tower->dimension;
    pass->drops_ids =
        reads_ids && training && tower->n_parts > 0 && tower->settings.id_dropout > 0.0;
    pass->vectors = input->out;
    workspace_begin(workspace);
    if (!is_base && input->out == NULL) {
        WORKSPACE_ADD(workspace, &pass->vectors, n * d);
    }
    WORKSPACE_ADD(workspace, &pass->has_id, n);
    WORKSPACE_ADD(workspace, &pass->id_rows, pass->drops_ids ? n : 0);
    WORKSPACE_ADD(workspace, &pass->id_values, pass->drops_ids ? n * d : 0);
    if (!is_base) {
        WORKSPACE_ADD(workspace, &pass->inverse_norms, n);
        WORKSPACE_ADD(workspace, &pass->mask, dropout_share(tower, &input->view) > 0.0 ? n * d : 0);
        hidden_pass_memory(&tower->hidden, &pass->hidden, n, training, workspace);
    }
    return workspace_reserve(workspace, status);
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
                            .now = optimizer_now(&tower->ids.optimizer, rate),
                            .out = x,
                            .is_straight = is_straight};
    pool_run_rows(pool, input->count, ROW_BLOCK, gather_task, &job);
    for (size_t p = 0; p < tower->n_parts && input->base == NULL; p++) {
        TRY(part_forward(
            &tower->parts[p], input->sources != NULL ? &input->sources[p] : tower->parts[p].source,
            input->rows, input->count, &input->view, rate, &pass->parts[p], x, pool, status));
    }
done:
    return code;
}

/* ---- from x to the vector ---- */

static void dropout_task(void *data, size_t first, size_t last)
{
    const struct tower_job *job = data;
    const struct tower_input *input = &job->pass->input;
    size_t d = job->tower->dimension;
    double share = dropout_share(job->tower, &input->view);
    float *mask = job->pass->mask, kept = (float)(1.0 / (1.0 - share));
    for (size_t i = first; i < last; i++) {
        struct rng rng;
        row_stream(&rng, job->tower, &input->view, "tower.dropout", row_at(input, i));
        for (size_t j = i * d; j < (i + 1) * d; j++) {
            mask[j] = rng_double(&rng) < share ? 0.0f : kept;
            job->out[j] *= mask[j];
        }
    }
}

static void normalise_task(void *data, size_t first, size_t last)
{
    const struct tower_job *job = data;
    for (size_t i = first; i < last; i++) {
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
    struct tower_job job = {.tower = tower, .pass = pass, .out = x};
    if (dropout_share(tower, &input->view) > 0.0) {
        pool_run_rows(pool, input->count, ROW_BLOCK, dropout_task, &job);
    }
    if (input->view.training) {
        TRY(hidden_touch(&tower->hidden, rate, pool, status));
    }
    hidden_forward(&tower->hidden, &pass->hidden, x, input->count, pool);
    pool_run_rows(pool, input->count, ROW_BLOCK, normalise_task, &job);
done:
    return code;
}

/* ---- backward ---- */

static void normalise_backward_task(void *data, size_t first, size_t last)
{
    const struct tower_job *job = data;
    const struct vec_ops *vec = vec_ops();
    const int32_t *rows = job->pass->input.rows;
    size_t d = job->tower->dimension;
    for (size_t i = first; i < last; i++) {
        const float *unit = job->pass->vectors + i * d;
        float *gradient = job->out + i * d;
        if (job->update != NULL && rows != NULL && i + OPTIMIZER_AHEAD < last) {
            prefetch_row(job, (size_t)rows[i + OPTIMIZER_AHEAD]);
        }
        vec_unit_gradient(vec, unit, job->pass->inverse_norms[i], gradient, d);
        if (job->update != NULL) {
            optimizer_apply_row(&job->ids->optimizer, job->update, job->ids->weights,
                                row_at(&job->pass->input, i), gradient);
        } else if (job->ids != NULL && job->pass->has_id[i]) {
            embedding_table_add_row(job->ids, row_at(&job->pass->input, i), gradient);
        }
    }
}

enum status_code tower_base_backward(struct tower *tower, struct tower_pass *pass,
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
    if (tower->n_parts > 0) {
        TRY(row_order_make(&pass->order, input->rows, input->count, tower->settings.shards,
                           status));
    }
    for (size_t p = 0; p < tower->n_parts; p++) {
        TRY(part_backward(&tower->parts[p], &pass->parts[p], &pass->order, gradient, pool, status));
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
    struct tower_job job = {.tower = tower, .pass = pass, .out = gradient};
    bool to_ids = input->base == NULL && is_straight(tower, input);
    assert(input->sources == NULL && !input->without_ids);
    job.ids = to_ids ? &tower->ids : NULL;
    pool_run_rows(pool, input->count, ROW_BLOCK, normalise_backward_task, &job);
    if (to_ids) {
        goto done;
    }
    if (tower->hidden.n_layers > 0) {
        TRY(row_order_make(&pass->order, input->rows, input->count, tower->settings.shards,
                           status));
        TRY(hidden_backward(&tower->hidden, &pass->hidden, &pass->order, gradient, input->count,
                            pool, status));
    }
    if (dropout_share(tower, &input->view) > 0.0) {
        const float *mask = pass->mask;
        for (size_t i = 0; i < input->count * d; i++) {
            gradient[i] *= mask[i];
        }
    }
    if (input->base == NULL) {
        TRY(tower_base_backward(tower, pass, gradient, pool, status));
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
    assert(tower->ids.n_touched == 0);
    const struct optimizer_update update = optimizer_begin(&tower->ids.optimizer, rate);
    struct tower_job job = {
        .tower = tower, .ids = &tower->ids, .update = &update, .pass = pass, .out = gradient};
    pool_run_rows(pool, pass->input.count, ROW_BLOCK, normalise_backward_task, &job);
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

/* ---- all tables ---- */

size_t tower_tables(struct tower *tower, struct embedding_table *out[TOWER_MAX_TABLES])
{
    size_t n = 0;
    out[n++] = &tower->ids;
    for (size_t p = 0; p < tower->n_parts; p++) {
        out[n++] = &tower->parts[p].table;
        if (part_attends(&tower->parts[p])) {
            out[n++] = &tower->parts[p].query;
        }
    }
    for (size_t l = 0; l <= tower->hidden.n_layers && tower->hidden.n_layers > 0; l++) {
        out[n++] = &tower->hidden.weights[l];
        out[n++] = &tower->hidden.biases[l];
    }
    return n;
}

enum status_code tower_share(struct tower *tower, struct ranks *ranks, double rate,
                             struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    for (size_t p = 0; p < tower->n_parts; p++) {
        TRY(embedding_table_share(&tower->parts[p].table, ranks, rate, pool, status));
    }
    for (size_t l = 0; l <= tower->hidden.n_layers && tower->hidden.n_layers > 0; l++) {
        TRY(embedding_table_share(&tower->hidden.weights[l], ranks, rate, pool, status));
        TRY(embedding_table_share(&tower->hidden.biases[l], ranks, rate, pool, status));
    }
done:
    return code;
}
