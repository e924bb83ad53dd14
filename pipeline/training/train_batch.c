/* One step of training: its plan, the vectors of its rows, the contrasts one after the other (see
 * train_parts.h), the gradients back to the towers. */
#include "training/train_batch.h"

#include "base/mem.h"
#include "training/train_parts.h"

#include <assert.h>

enum status_code train_batch_new(const struct trainer_input *input, struct encoder *encoder,
                                 struct pool *pool, struct train_batch **out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct train_batch *batch = NULL;
    TRY(MEM_NEW(&batch, 1, status));
    batch->input = input;
    batch->encoder = encoder;
    batch->pool = pool;
    batch->view.is_only = encoder_is_plain(encoder) && input->settings->views.weight == 0.0;
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
    workspace_release(&batch->workspace);
    workspace_release(&batch->user_side.workspace);
    workspace_release(&batch->pair_side.workspace);
    workspace_release(&batch->view_side.workspace);
    contrast_entries_release(&batch->views);
    encoder_view_release(&batch->view);
    tower_pass_release(&batch->users);
    tower_pass_release(&batch->items);
    for (size_t k = 0; k < 2; k++) {
        encoder_view_release(&batch->changed[k]);
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
    if (batch->next_status.code != STATUS_OK) {
        *status = batch->next_status;
        return status->code;
    }
    assert(batch->plan->view.epoch == step->epoch && batch->plan->view.step == step->number);
    return STATUS_OK;
}

static void plan_next_task(void *data, size_t block, size_t worker)
{
    (void)block;
    (void)worker;
    struct train_batch *batch = data;
    batch->next_status.code =
        step_plan_make(batch->next_plan, &batch->planner, batch->next, &batch->next_status);
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
    workspace_begin(&batch->workspace);
    WORKSPACE_ADD(&batch->workspace, &batch->user_gradient, b * d);
    WORKSPACE_ADD(&batch->workspace, &batch->item_gradient, m * d);
    TRY(workspace_reserve(&batch->workspace, status));
    TRY(encoder_view_begin(batch->encoder, &batch->view, &plan->view, step->rate, batch->pool,
                           status));
    TRY(encoder_forward(batch->encoder, SIDE_USERS, &batch->view, step->users, b, step->rate,
                        &batch->users, batch->pool, status));
    TRY(encoder_forward(batch->encoder, SIDE_ITEMS, &batch->view, items, m, step->rate,
                        &batch->items, batch->pool, status));
    if (batch->encoder->bias.n > 0) {
        TRY(embedding_table_touch(&batch->encoder->bias, items, m, step->rate, batch->pool,
                                  status));
    }
done:
    return code;
}

/* The gradients back to the tables, the contrast of views, and the step of all together. */
static enum status_code backward_and_step(struct train_batch *batch, const struct train_step *step,
                                          struct train_outcome *made, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(encoder_backward(batch->encoder, SIDE_USERS, &batch->view, &batch->users,
                         batch->user_gradient, batch->pool, status));
    TRY(encoder_backward(batch->encoder, SIDE_ITEMS, &batch->view, &batch->items,
                         batch->item_gradient, batch->pool, status));
    TRY(encoder_view_end(batch->encoder, &batch->view, batch->pool, status));
    TRY(view_contrast_run(batch, step, made, status));
    encoder_step(batch->encoder, step->rate, batch->pool);
done:
    return code;
}

enum status_code train_batch_step(struct train_batch *batch, const struct train_step *step,
                                  const struct train_step *next, struct train_outcome *outcome,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct train_outcome made = {0};
    TRY(take_plan(batch, step, status));
    TRY(forward(batch, step, status));
    if (next != NULL && pool_threads(batch->pool) > 1) {
        /* beside the kernel's first round, which is what the pool runs next */
        batch->next = next;
        batch->next_plan = &batch->plans[batch->plan == &batch->plans[0]];
        pool_beside(batch->pool, plan_next_task, batch);
    }
    TRY(user_contrast_run(batch, step, &made, status));
    TRY(pair_contrast_run(batch, &made, status));
    if (batch->view.is_only) {
        struct tower_pass *const passes[N_SIDES] = {&batch->users, &batch->items};
        float *const gradients[N_SIDES] = {batch->user_gradient, batch->item_gradient};
        encoder_step_back(batch->encoder, passes, gradients, step->rate, batch->pool);
    } else {
        TRY(backward_and_step(batch, step, &made, status));
    }
    *outcome = made;
done:
    if (code != STATUS_OK) {
        pool_drop_beside(batch->pool);
    }
    return code;
}
