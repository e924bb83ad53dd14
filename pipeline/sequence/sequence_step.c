/* What a step asks of whom, and the way there and back. */
#include "sequence/sequence_step.h"

#include "math/vec.h"

enum { ROW_BLOCK = 64 };

enum status_code sequence_step_init(struct sequence_step *step,
                                    const struct sequence_settings *settings,
                                    const struct sequences *sequences,
                                    const struct negative_settings *negatives,
                                    const int64_t *item_counts, size_t n_items,
                                    struct sequence_model *model, struct pool *pool,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    step->settings = settings;
    step->sequences = sequences;
    step->model = model;
    step->pool = pool;
    step->part_entries = SEQUENCE_PART_ENTRIES;
    TRY(sampler_init(&step->sampler, negatives, item_counts, n_items, status));
    TRY(candidate_set_init(&step->candidates, &step->sampler, status));
    TRY(contrast_new(&step->contrast, status));
done:
    return code;
}

void sequence_step_release(struct sequence_step *step)
{
    contrast_free(step->contrast);
    candidate_set_release(&step->candidates);
    sampler_release(&step->sampler);
    sequence_places_release(&step->places);
    sequence_pass_release(&step->pass);
    workspace_release(&step->workspace);
    *step = (struct sequence_step){0};
}

/* ---- what is asked ---- */

/* Room for the anchors: every place with one behind it; `reach` steps ahead are asked for. */
static enum status_code reserve_entries(struct sequence_step *step, struct status *status)
{
    const struct sequence_places *places = &step->places;
    const size_t entries = sparse_entries(&places->steps), reach = step->settings->reach;
    struct workspace *workspace = &step->workspace;
    workspace_begin(workspace);
    WORKSPACE_ADD(workspace, &step->next_items, entries);
    WORKSPACE_ADD(workspace, &step->anchors, places->n);
    row_builder_memory(&step->positives, places->n, entries * reach, workspace);
    row_builder_memory(&step->excluded, places->n, entries * reach, workspace);
    return workspace_reserve(workspace, status);
}

/* The items that come next, for a sampler that draws among them. */
static size_t list_next_items(struct sequence_step *step)
{
    const struct sequence_places *places = &step->places;
    size_t n = 0;
    for (size_t u = 0; u < places->n_users; u++) {
        if (places->first[u + 1] - places->first[u] > 1) {
            const int64_t from = places->steps.offsets[places->first[u] + 1];
            const int64_t end = places->steps.offsets[places->first[u + 1]];
            memcpy(step->next_items + n, places->steps.columns + from,
                   (size_t)(end - from) * sizeof *step->next_items);
            n += (size_t)(end - from);
        }
    }
    return n;
}

/* One anchor: the items of the steps behind its place, each step less than the one before. They do
 * not count as negatives of it. Returns their weight. */
static double add_anchor(struct sequence_step *step, int64_t place, int64_t end)
{
    const struct sequence_places *places = &step->places;
    double weight = 1.0, total = 0.0;
    for (int64_t p = place + 1; p < end && p <= place + (int64_t)step->settings->reach; p++) {
        size_t n;
        const int32_t *items = sparse_row(&places->steps, (size_t)p, &n);
        for (size_t i = 0; i < n; i++) {
            const int32_t column = candidate_set_add(&step->candidates, items[i]);
            row_builder_add(&step->positives, column, (float)weight);
            if ((size_t)column < step->candidates.n_negatives) {
                row_builder_add(&step->excluded, column, 0.0f);
            }
            total += weight;
        }
        weight *= step->settings->decay;
    }
    return total;
}

/* The columns of the row that is being written ascend, each once: an item may come in two steps. */
static void tidy_row(struct row_builder *builder)
{
    const size_t first = (size_t)builder->matrix.offsets[builder->matrix.n_rows];
    int32_t *columns = builder->matrix.columns;
    size_t to = first;
    columns_sort(columns + first, builder->n_entries - first);
    for (size_t e = first; e < builder->n_entries; e++) {
        if (to == first || columns[to - 1] != columns[e]) {
            columns[to++] = columns[e];
        }
    }
    builder->n_entries = to;
}

static double add_anchors(struct sequence_step *step)
{
    const struct sequence_places *places = &step->places;
    double total = 0.0;
    row_builder_clear(&step->positives);
    row_builder_clear(&step->excluded);
    for (size_t u = 0; u < places->n_users; u++) {
        for (int64_t p = places->first[u]; p + 1 < places->first[u + 1]; p++) {
            step->anchors[step->positives.matrix.n_rows] = p;
            total += add_anchor(step, p, places->first[u + 1]);
            tidy_row(&step->excluded);
            row_builder_end_row(&step->positives);
            row_builder_end_row(&step->excluded);
        }
    }
    return total;
}

/* ---- vectors and gradients ---- */

struct vectors_job {
    struct sequence_step *step;
    const int32_t *rows; /* of the candidates, NULL: every item */
};

/* Candidates at unit length. */
static void vectors_task(void *data, size_t first, size_t last)
{
    const struct vectors_job *job = data;
    const struct sequence_step *step = job->step;
    const struct vec_ops *vec = vec_ops();
    const size_t d = step->model->dimension;
    for (size_t c = first; c < last; c++) {
        const size_t row = job->rows == NULL ? c : (size_t)job->rows[c];
        float *out = step->item_vectors + c * d;
        memcpy(out, step->model->items.weights + row * d, d * sizeof *out);
        step->item_scales[c] = vec_unit(vec, out, d);
    }
}

/* From dL / d unit vector to dL / d weights, in place. */
static void unscale_task(void *data, size_t first, size_t last)
{
    const struct vectors_job *job = data;
    const struct sequence_step *step = job->step;
    const struct vec_ops *vec = vec_ops();
    const size_t d = step->model->dimension;
    for (size_t c = first; c < last; c++) {
        vec_unit_gradient(vec, step->item_vectors + c * d, step->item_scales[c],
                          step->item_gradient + c * d, d);
    }
}

/* A second phase of the workspace, when anchors and candidates are known. */
static enum status_code reserve_vectors(struct sequence_step *step, struct status *status)
{
    const size_t d = step->model->dimension, n = step->positives.matrix.n_rows;
    const size_t m = step->candidates.n;
    struct workspace *workspace = &step->workspace;
    WORKSPACE_ADD(workspace, &step->part_offsets[0], n + 1);
    WORKSPACE_ADD(workspace, &step->part_offsets[1], n + 1);
    WORKSPACE_ADD(workspace, &step->anchor_vectors, n * d);
    WORKSPACE_ADD(workspace, &step->anchor_gradient, n * d);
    WORKSPACE_ADD(workspace, &step->item_vectors, m * d);
    WORKSPACE_ADD(workspace, &step->item_gradient, m * d);
    WORKSPACE_ADD(workspace, &step->item_scales, m);
    WORKSPACE_ADD(workspace, &step->gradient, step->places.n * d);
    return workspace_reserve(workspace, status);
}

/* Rows [first, first + n) of m; offsets (n + 1) gets theirs. */
static struct sparse part_of(const struct sparse *m, size_t first, size_t n, int64_t *offsets)
{
    const int64_t from = m->offsets[first];
    for (size_t r = 0; r <= n; r++) {
        offsets[r] = m->offsets[first + r] - from;
    }
    return (struct sparse){n, m->n_columns, offsets, m->columns + from, m->values + from};
}

/* Anchors [first, first + n) against the candidates, to whose gradients it adds. */
static enum status_code contrast_part(struct sequence_step *step, size_t first, size_t n,
                                      bool diagnose, struct sequence_outcome *outcome,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t d = step->model->dimension, m = step->candidates.n;
    const struct contrast_settings settings = {
        .loss = &loss_table[0], /* softmax */
        .loss_settings = {.denominators = DENOMINATORS_DECOUPLED, .t2 = 1.0},
        .temperature = step->settings->temperature,
        .strip_bytes = step->strip_bytes,
        .diagnose = diagnose};
    struct contrast_batch batch = {
        .anchors = const_matrix_of(step->anchor_vectors + first * d, n, d),
        .candidates = const_matrix_of(step->item_vectors, m, d),
        .positives = part_of(&step->positives.matrix, first, n, step->part_offsets[0]),
        .n_negatives = step->candidates.n_negatives,
        .offsets = step->candidates.offsets};
    struct contrast_result result = {
        .anchors = matrix_of(step->anchor_gradient + first * d, n, d),
        .candidates = matrix_of(step->item_gradient, step->model->holds_items ? 0 : m, d),
        .adds = first > 0};
    if (step->excluded.n_entries > 0) {
        batch.excluded = part_of(&step->excluded.matrix, first, n, step->part_offsets[1]);
    }
    TRY(contrast_run(step->contrast, &settings, &batch, step->pool, &result, status));
    outcome->loss += result.loss;
    if (diagnose) {
        outcome->diagnostics = result.diagnostics;
    }
done:
    return code;
}

/* Part by part, so that a signal in the step of a very long history is heard. Diagnostics are those
 * of the last part. */
static enum status_code contrast(struct sequence_step *step, bool diagnose,
                                 struct sequence_outcome *outcome, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n = step->positives.matrix.n_rows, m = step->candidates.n;
    const size_t part = step->part_entries / (m + 1) + 1;
    size_t first = 0;
    step->positives.matrix.n_columns = step->excluded.matrix.n_columns = m;
    do {
        const size_t count = n - first < part ? n - first : part;
        TRY(watch_check(step->watch, status));
        TRY(contrast_part(step, first, count, diagnose && first + count == n, outcome, status));
        first += count;
    } while (first < n);
done:
    return code;
}

enum status_code sequence_step_gradients(struct sequence_step *step, const int32_t *users,
                                         size_t n_users, const struct sequence_noise *noise,
                                         double rate, bool diagnose,
                                         struct sequence_outcome *outcome, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sequence_model *model = step->model;
    const size_t d = model->dimension;
    struct rng rng;
    struct vectors_job job = {.step = step};
    *outcome = (struct sequence_outcome){0};
    const struct sequence_hiding hiding = {.share = step->settings->hide,
                                           .seed = noise->seed,
                                           .epoch = noise->epoch,
                                           .keys = step->user_keys};
    TRY(sequence_places_set(&step->places, step->sequences, model->items.n, users, n_users,
                            hiding.share > 0.0 ? &hiding : NULL, status));
    TRY(reserve_entries(step, status));
    rng_init(&rng, noise->seed, "sequence.shared", noise->epoch, noise->step);
    const size_t n_next = list_next_items(step);
    candidate_set_draw(&step->candidates, &step->sampler, &rng, step->next_items, n_next);
    outcome->n_positives = add_anchors(step);
    job.rows = candidate_set_rows(&step->candidates);
    const size_t n_anchors = step->positives.matrix.n_rows, m = step->candidates.n;
    TRY(reserve_vectors(step, status));
    TRY(sequence_model_touch(model, step->places.read.columns, sparse_entries(&step->places.read),
                             rate, step->pool, status));
    if (!model->holds_items) {
        TRY(embedding_table_touch(&model->items, job.rows, m, rate, step->pool, status));
    }
    pool_run_rows(step->pool, m, ROW_BLOCK, vectors_task, &job);
    TRY(sequence_forward(model, &step->pass, &step->places, noise, step->pool, status));
    for (size_t a = 0; a < n_anchors; a++) {
        memcpy(step->anchor_vectors + a * d, step->pass.states + (size_t)step->anchors[a] * d,
               d * sizeof(float));
    }
    TRY(contrast(step, diagnose, outcome, status));
    TRY(watch_check(step->watch, status));
    if (!model->holds_items) {
        pool_run_rows(step->pool, m, ROW_BLOCK, unscale_task, &job);
        embedding_table_add(&model->items, job.rows, m, step->item_gradient, step->pool);
    }
    memset(step->gradient, 0, step->places.n * d * sizeof *step->gradient);
    for (size_t a = 0; a < n_anchors; a++) {
        memcpy(step->gradient + (size_t)step->anchors[a] * d, step->anchor_gradient + a * d,
               d * sizeof(float));
    }
    TRY(sequence_backward(model, &step->pass, &step->places, noise, step->gradient, step->pool,
                          status));
done:
    return code;
}
