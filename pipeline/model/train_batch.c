/* One step of training: which rows are in it, their vectors, the contrasts one after the other (see
 * train_parts.h), the gradients back to the towers. */
#include "model/train_parts.h"

#include "base/clock.h"
#include "base/mem.h"
#include "math/vec.h"

#include <float.h>
#include <math.h>

void side_release(struct side *side)
{
    scratch_release(&side->anchor_copy);
    scratch_release(&side->anchor_room);
    scratch_release(&side->candidate_room);
    scratch_release(&side->places);
    row_builder_release(&side->positives);
    row_builder_release(&side->excluded);
    row_builder_release(&side->listed);
}

enum status_code side_start(struct side *side, size_t n_anchors, size_t positives, size_t excluded,
                            size_t listed, struct status *status)
{
    enum status_code code = STATUS_OK;
    side->n = 0;
    side->total_weight = 0.0;
    TRY(row_builder_start(&side->positives, n_anchors, positives, status));
    TRY(row_builder_start(&side->excluded, n_anchors, excluded, status));
    TRY(row_builder_start(&side->listed, n_anchors, listed, status));
done:
    return code;
}

/* A batch of events that decayed to the smallest float can ask for more than a float holds. */
void side_scale_weights(struct side *side, double mass)
{
    if (side->total_weight > 0.0) {
        double factor = fmin(mass / side->total_weight, (double)FLT_MAX);
        vec_ops()->scale((float)factor, side->positives.values.data, side->positives.n_entries);
    }
}

enum status_code side_own_gradients(struct side *side, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(scratch_reserve(&side->anchor_room, side->n * side->width, sizeof(float), status));
    TRY(scratch_reserve(&side->candidate_room, side->n_candidates * side->width, sizeof(float),
                        status));
    side->anchor_gradient = side->anchor_room.data;
    side->candidate_gradient = side->candidate_room.data;
done:
    return code;
}

enum status_code side_run(struct train_batch *batch, struct side *side,
                          const struct contrast_settings *settings, struct contrast_result *result,
                          struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t m = side->n_candidates, width = side->width;
    struct contrast_batch work = {
        .anchors = const_matrix_of(side->anchors, side->n, width),
        .candidates = const_matrix_of(side->candidates, m, width),
        .positives = side->positives.matrix,
        .n_negatives = side->n_negatives,
        .offsets = side->offsets,
        .thresholds = side->thresholds,
    };
    if (side->excluded.n_entries > 0) {
        work.excluded = side->excluded.matrix;
    }
    /* where nothing is shared, a row without a list is an anchor without negatives */
    if (side->listed.n_entries > 0 || side->n_negatives == 0) {
        work.listed = side->listed.matrix;
    }
    work.positives.n_columns = work.excluded.n_columns = work.listed.n_columns = m;
    result->anchors = matrix_of(side->anchor_gradient, side->n, width);
    result->candidates = matrix_of(side->candidate_gradient, m, width);
    double began = clock_cpu();
    TRY(contrast_run(batch->contrast, settings, &work, batch->pool, result, status));
    batch->kernel_seconds += clock_cpu() - began;
done:
    return code;
}

int32_t row_set_add(struct row_set *set, int32_t row)
{
    if (set->place_of[row] < 0) {
        set->place_of[row] = (int32_t)set->n;
        set->rows[set->n++] = row;
    }
    return set->place_of[row];
}

static void row_set_clear(struct row_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        set->place_of[set->rows[i]] = -1;
    }
    set->n = 0;
}

static enum status_code row_set_init(struct row_set *set, size_t n_entities, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(MEM_NEW(&set->place_of, n_entities, status));
    TRY(MEM_NEW(&set->rows, n_entities, status));
    memset(set->place_of, 0xff, n_entities * sizeof *set->place_of);
done:
    return code;
}

enum status_code train_batch_new(const struct trainer_input *input, struct encoder *encoder,
                                 struct pool *pool, struct train_batch **out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct train_batch *batch = NULL;
    TRY(MEM_NEW(&batch, 1, status));
    batch->input = input;
    batch->encoder = encoder;
    batch->pool = pool;
    batch->look.is_only = encoder_is_plain(encoder) && input->settings->views.weight == 0.0;
    batch->own_lists = !input->negatives->shared || input->stored_negatives != NULL;
    /* the other denominators leave own positives out by definition */
    bool has_denominators = (loss_table[input->settings->loss].uses & LOSS_USES_DENOMINATORS) != 0;
    batch->exclude_own =
        input->negatives->exclude_own ||
        (has_denominators && input->settings->loss_settings.denominators != DENOMINATORS_INFONCE);
    TRY(sampler_init(&batch->sampler, input->negatives, input->item_counts,
                     encoder->towers[SIDE_ITEMS].n, status));
    TRY(candidate_set_init(&batch->candidates, &batch->sampler, status));
    TRY(row_set_init(&batch->user_set, encoder->towers[SIDE_USERS].n, status));
    TRY(contrast_new(&batch->contrast, status));
    *out = batch;
    batch = NULL;
done:
    train_batch_free(batch);
    return code;
}

void train_batch_free(struct train_batch *batch)
{
    if (batch == NULL) {
        return;
    }
    struct scratch *all[] = {
        &batch->user_gradient, &batch->item_gradient, &batch->batch_positives, &batch->pair_user,
        &batch->draw_items,    &batch->draw_offsets,  &batch->wide_items,      &batch->thresholds,
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        scratch_release(all[i]);
    }
    struct side *sides[] = {&batch->user_side, &batch->item_pairs, &batch->user_pairs,
                            &batch->views};
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        side_release(sides[i]);
    }
    encoder_look_release(&batch->look);
    tower_pass_release(&batch->users);
    tower_pass_release(&batch->items);
    for (size_t k = 0; k < 2; k++) {
        encoder_look_release(&batch->changed[k]);
        tower_pass_release(&batch->view_passes[k]);
    }
    sampler_release(&batch->sampler);
    candidate_set_release(&batch->candidates);
    mem_free(batch->user_set.place_of);
    mem_free(batch->user_set.rows);
    contrast_free(batch->contrast);
    mem_free(batch);
}

void train_batch_start_epoch(struct train_batch *batch)
{
    sampler_start_epoch(&batch->sampler);
}

/* The items of all positives of the step's users, in order; *n of them. */
static enum status_code gather_positives(struct train_batch *batch, const struct train_step *step,
                                         size_t *n, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sparse *train = &batch->input->train->matrix;
    size_t total = 0;
    for (size_t i = 0; i < step->n_users; i++) {
        total += sparse_row_length(train, (size_t)step->users[i]);
    }
    TRY(scratch_reserve(&batch->batch_positives, total, sizeof(int32_t), status));
    int32_t *out = batch->batch_positives.data;
    for (size_t i = 0; i < step->n_users; i++) {
        size_t length = sparse_row_length(train, (size_t)step->users[i]);
        memcpy(out, train->columns + train->offsets[step->users[i]], length * sizeof *out);
        out += length;
    }
    *n = total;
done:
    return code;
}

/* The rows of the step and the entries of its contrasts. */
static enum status_code build(struct train_batch *batch, const struct train_step *step,
                              struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t n = 0;
    struct rng rng;
    TRY(gather_positives(batch, step, &n, status));
    rng_init(&rng, batch->input->seed, "train.shared", step->epoch, step->number);
    if (batch->own_lists) {
        candidate_set_clear(&batch->candidates);
    } else {
        candidate_set_draw(&batch->candidates, &batch->sampler, &rng, batch->batch_positives.data,
                           n);
    }
    row_set_clear(&batch->user_set);
    for (size_t i = 0; i < step->n_users; i++) {
        row_set_add(&batch->user_set, step->users[i]);
    }
    TRY(user_contrast_build(batch, step, n, status));
    TRY(pair_contrast_build(batch, step, status));
done:
    return code;
}

/* Vectors of the step's rows, and room for their gradients, which the user-item contrast fills. */
static enum status_code forward(struct train_batch *batch, const struct train_step *step,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t d = batch->input->settings->dimension;
    size_t b = batch->user_set.n, m = batch->candidates.n;
    TRY(scratch_reserve(&batch->user_gradient, b * d, sizeof(float), status));
    TRY(scratch_reserve(&batch->item_gradient, m * d, sizeof(float), status));
    TRY(encoder_look_begin(batch->encoder, &batch->look, &batch->look.view, step->rate, batch->pool,
                           status));
    TRY(encoder_forward(batch->encoder, SIDE_USERS, &batch->look, batch->user_set.rows, b,
                        step->rate, &batch->users, batch->pool, status));
    TRY(encoder_forward(batch->encoder, SIDE_ITEMS, &batch->look,
                        candidate_set_rows(&batch->candidates), m, step->rate, &batch->items,
                        batch->pool, status));
    if (batch->encoder->bias.n > 0) {
        TRY(table_touch(&batch->encoder->bias, candidate_set_rows(&batch->candidates), m,
                        step->rate, batch->pool, status));
    }
done:
    return code;
}

/* The gradients back to the tables, the looks of the views, and the step of all together. */
static enum status_code backward_and_step(struct train_batch *batch, const struct train_step *step,
                                          struct train_outcome *made, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(encoder_backward(batch->encoder, SIDE_USERS, &batch->look, &batch->users,
                         batch->user_gradient.data, batch->pool, status));
    TRY(encoder_backward(batch->encoder, SIDE_ITEMS, &batch->look, &batch->items,
                         batch->item_gradient.data, batch->pool, status));
    TRY(encoder_look_end(batch->encoder, &batch->look, batch->pool, status));
    TRY(view_contrast_run(batch, step, (double)made->n_positives, &made->loss, status));
    encoder_step(batch->encoder, step->rate, batch->pool);
done:
    return code;
}

static void step_back(struct train_batch *batch, double rate)
{
    struct tower_pass *const passes[N_SIDES] = {&batch->users, &batch->items};
    float *const gradients[N_SIDES] = {batch->user_gradient.data, batch->item_gradient.data};
    encoder_step_back(batch->encoder, passes, gradients, rate, batch->pool);
}

enum status_code train_batch_step(struct train_batch *batch, const struct train_step *step,
                                  struct train_outcome *outcome, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct train_outcome made = {0};
    batch->kernel_seconds = 0.0;
    batch->look.view = (struct view){.training = true,
                                     .seed = batch->input->seed,
                                     .epoch = step->epoch,
                                     .step = step->number,
                                     .change = VIEW_NONE};
    TRY(build(batch, step, status));
    TRY(forward(batch, step, status));
    TRY(user_contrast_run(batch, step, &made, status));
    TRY(pair_contrast_run(batch, (double)made.n_positives, &made.loss, status));
    if (batch->look.is_only) {
        step_back(batch, step->rate);
    } else {
        TRY(backward_and_step(batch, step, &made, status));
    }
    made.kernel_seconds = batch->kernel_seconds;
    *outcome = made;
done:
    return code;
}
