/* One step of training: its plan, the vectors of its rows, the contrasts one after the other (see
 * train_parts.h), the gradients back to the towers. */
#include "training/train_parts.h"

#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>

void side_release(struct side *side)
{
    scratch_release(&side->anchor_copy);
    scratch_release(&side->anchor_room);
    scratch_release(&side->candidate_room);
}

enum status_code side_own_gradients(struct side *side, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(scratch_reserve(&side->anchor_room, side->entries->n * side->width, sizeof(float), status));
    TRY(scratch_reserve(&side->candidate_room, side->n_candidates * side->width, sizeof(float),
                        status));
    side->anchor_gradient = side->anchor_room.data;
    side->candidate_gradient = side->candidate_room.data;
done:
    return code;
}

enum status_code side_run(struct train_batch *batch, const struct side *side,
                          const struct contrast_settings *settings, struct contrast_result *result,
                          struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct contrast_entries *entries = side->entries;
    size_t m = side->n_candidates, width = side->width;
    struct contrast_batch work = {
        .anchors = const_matrix_of(side->anchors, entries->n, width),
        .candidates = const_matrix_of(side->candidates, m, width),
        .positives = entries->positives.matrix,
        .n_negatives = entries->n_negatives,
        .offsets = side->offsets,
        .thresholds = side->thresholds,
    };
    if (entries->excluded.n_entries > 0) {
        work.excluded = entries->excluded.matrix;
    }
    /* where nothing is shared, a row without a list is an anchor without negatives */
    if (entries->listed.n_entries > 0 || entries->n_negatives == 0) {
        work.listed = entries->listed.matrix;
    }
    work.positives.n_columns = work.excluded.n_columns = work.listed.n_columns = m;
    result->anchors = matrix_of(side->anchor_gradient, entries->n, width);
    result->candidates = matrix_of(side->candidate_gradient, m, width);
    double began = clock_cpu();
    TRY(contrast_run(batch->contrast, settings, &work, batch->pool, result, status));
    batch->kernel_seconds += clock_cpu() - began;
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
    TRY(planner_init(&batch->planner, input, &encoder->towers[SIDE_USERS],
                     encoder->towers[SIDE_ITEMS].n, status));
    for (size_t k = 0; k < N_PLANS; k++) {
        /* with one thread nothing is planned ahead */
        if (k == 0 || pool_threads(pool) > 1) {
            TRY(step_plan_init(&batch->plans[k], &batch->planner, status));
        }
    }
    batch->plan = &batch->plans[0];
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
    struct scratch *all[] = {&batch->user_gradient, &batch->item_gradient, &batch->wide_items,
                             &batch->thresholds};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        scratch_release(all[i]);
    }
    side_release(&batch->user_side);
    side_release(&batch->pair_side);
    side_release(&batch->view_side);
    contrast_entries_release(&batch->views);
    encoder_look_release(&batch->look);
    tower_pass_release(&batch->users);
    tower_pass_release(&batch->items);
    for (size_t k = 0; k < 2; k++) {
        encoder_look_release(&batch->changed[k]);
        tower_pass_release(&batch->view_passes[k]);
    }
    for (size_t k = 0; k < N_PLANS; k++) {
        step_plan_release(&batch->plans[k]);
    }
    planner_release(&batch->planner);
    contrast_free(batch->contrast);
    mem_free(batch);
}

void train_batch_start_epoch(struct train_batch *batch)
{
    sampler_start_epoch(&batch->planner.sampler);
}

/* ---- plans ---- */

/* Makes the plan of the step, unless that was done beside the step before. */
static enum status_code take_plan(struct train_batch *batch, const struct train_step *step,
                                  struct status *status)
{
    if (batch->next_plan == NULL) {
        return step_plan_make(batch->plan, &batch->planner, step, status);
    }
    batch->plan = batch->next_plan;
    batch->next_plan = NULL;
    if (batch->next_code != STATUS_OK) {
        *status = batch->next_status;
        return batch->next_code;
    }
    assert(batch->plan->view.epoch == step->epoch && batch->plan->view.step == step->number);
    return STATUS_OK;
}

static void plan_next_task(void *data, size_t block, size_t worker)
{
    (void)block;
    (void)worker;
    struct train_batch *batch = data;
    batch->next_code =
        step_plan_make(batch->next_plan, &batch->planner, batch->next, &batch->next_status);
}

/* Has the next step planned beside the kernel's first round, which is what the pool runs next. */
static void plan_next(struct train_batch *batch, const struct train_step *next)
{
    if (next != NULL && pool_threads(batch->pool) > 1) {
        batch->next = next;
        batch->next_plan = &batch->plans[batch->plan == &batch->plans[0]];
        pool_beside(batch->pool, plan_next_task, batch);
    }
}

/* ---- the step ---- */

/* Vectors of the step's rows, and room for their gradients, which the user-item contrast fills. */
static enum status_code forward(struct train_batch *batch, const struct train_step *step,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t d = batch->input->settings->dimension;
    const struct step_plan *plan = batch->plan;
    const int32_t *items = candidate_set_rows(&plan->candidates);
    size_t b = step->n_users, m = plan->candidates.n;
    TRY(scratch_reserve(&batch->user_gradient, b * d, sizeof(float), status));
    TRY(scratch_reserve(&batch->item_gradient, m * d, sizeof(float), status));
    TRY(encoder_look_begin(batch->encoder, &batch->look, &plan->view, step->rate, batch->pool,
                           status));
    TRY(encoder_forward(batch->encoder, SIDE_USERS, &batch->look, step->users, b, step->rate,
                        &batch->users, batch->pool, status));
    TRY(encoder_forward(batch->encoder, SIDE_ITEMS, &batch->look, items, m, step->rate,
                        &batch->items, batch->pool, status));
    if (batch->encoder->bias.n > 0) {
        TRY(table_touch(&batch->encoder->bias, items, m, step->rate, batch->pool, status));
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
                                  const struct train_step *next, struct train_outcome *outcome,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct train_outcome made = {0};
    batch->kernel_seconds = 0.0;
    TRY(take_plan(batch, step, status));
    TRY(forward(batch, step, status));
    plan_next(batch, next);
    TRY(user_contrast_run(batch, step, &made, status));
    TRY(pair_contrast_run(batch, &made.loss, status));
    if (batch->look.is_only) {
        step_back(batch, step->rate);
    } else {
        TRY(backward_and_step(batch, step, &made, status));
    }
    made.kernel_seconds = batch->kernel_seconds;
    *outcome = made;
done:
    if (code != STATUS_OK) {
        pool_drop_beside(batch->pool);
    }
    return code;
}
