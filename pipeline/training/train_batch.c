/* One step of training: its plan, the vectors of its rows, the contrasts one after the other (see
 * train_parts.h), the gradients back to the towers. */
#include "training/train_batch.h"

#include "base/mem.h"
#include "training/train_parts.h"

#include <assert.h>

/* With one thread nothing is planned beside other work; but where rows are spread the next step's
 * are asked for when this step's gradients are sent, whatever the number of threads is here. */
static bool plans_ahead(const struct train_batch *batch)
{
    return pool_threads(batch->pool) > 1 || item_rows_are_spread(batch->items);
}

enum status_code train_batch_new(const struct trainer_input *input, struct encoder *encoder,
                                 struct item_rows *items, struct pool *pool,
                                 struct train_batch **out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct train_batch *batch = NULL;
    TRY(MEM_NEW(&batch, 1, status));
    batch->input = input;
    batch->encoder = encoder;
    batch->items = items;
    batch->pool = pool;
    batch->view.is_only = encoder_is_plain(encoder) && input->settings->views.weight == 0.0;
    TRY(planner_init(&batch->planner, input, &encoder->towers[SIDE_USERS], items->n_items, status));
    for (size_t k = 0; k < N_PLANS; k++) {
        if (k == 0 || plans_ahead(batch)) {
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
    ranks_bytes_release(&batch->positives);
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

/* What the plan of a step takes from other ranks: the positives that negatives are drawn from. */
static enum status_code gather_positives(struct train_batch *batch, const struct train_step *step,
                                         struct status *status)
{
    enum status_code code = STATUS_OK;
    struct planner *planner = &batch->planner;
    TRY(planner_own_positives(planner, step, status));
    if (item_rows_are_spread(batch->items) && planner_takes_positives(planner)) {
        TRY(ranks_gather(batch->input->ranks, planner->positives,
                         planner->n_positives * sizeof *planner->positives, &batch->positives,
                         status));
        planner->positives = (void *)batch->positives.data;
        planner->n_positives =
            batch->positives.first[ranks_n(batch->input->ranks)] / sizeof *planner->positives;
    }
done:
    return code;
}

/* Weights of a step are relative to all of its positives, whoever has them. */
static enum status_code weigh(struct train_batch *batch, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct step_plan *plan = batch->plan;
    double sums[] = {(double)plan->user_items.positives.n_entries,
                     contrast_entries_weight(&plan->user_items),
                     plan->item_pairs.n > 0 ? contrast_entries_weight(&plan->item_pairs) : 0.0};
    const double of_pairs = batch->input->settings->co_items.weight;
    TRY(ranks_tree_sum(batch->input->ranks, sums, sizeof sums / sizeof *sums, status));
    contrast_entries_scale(&plan->user_items, sums[0], sums[1]);
    if (plan->item_pairs.n > 0) {
        contrast_entries_scale(&plan->item_pairs, of_pairs * sums[0], sums[2]);
    }
    plan->n_positives = sums[0];
done:
    return code;
}

/* Makes the plan of the step, unless that was done beside the step before. */
static enum status_code take_plan(struct train_batch *batch, const struct train_step *step,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    if (batch->next_plan == NULL) {
        TRY(gather_positives(batch, step, status));
        TRY(step_plan_make(batch->plan, &batch->planner, step, status));
    } else {
        batch->plan = batch->next_plan;
        batch->next_plan = NULL;
        if (batch->next_status.code != STATUS_OK) {
            *status = batch->next_status;
            code = status->code;
            goto done;
        }
    }
    assert(batch->plan->view.epoch == step->epoch && batch->plan->view.step == step->number);
    TRY(weigh(batch, status));
done:
    return code;
}

static void plan_next_task(void *data, size_t block, size_t worker)
{
    (void)block;
    (void)worker;
    struct train_batch *batch = data;
    batch->next_status.code =
        step_plan_make(batch->next_plan, &batch->planner, batch->next, &batch->next_status);
    batch->is_next_made = true;
}

/* Has the next step planned beside the kernel's first round, which is what the pool runs next. */
static enum status_code plan_next(struct train_batch *batch, const struct train_step *next,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(gather_positives(batch, next, status));
    batch->next = next;
    batch->next_plan = &batch->plans[batch->plan == &batch->plans[0]];
    batch->is_next_made = false;
    pool_beside(batch->pool, plan_next_task, batch);
done:
    return code;
}

/* The plan of the next step, made by now; NULL: none. */
static enum status_code made_plan(struct train_batch *batch, const struct candidate_set **out,
                                  struct status *status)
{
    *out = NULL;
    if (batch->next_plan == NULL) {
        return STATUS_OK;
    }
    if (!batch->is_next_made) { /* no round of the pool had anything to do */
        pool_drop_beside(batch->pool);
        plan_next_task(batch, 0, 0);
    }
    if (batch->next_status.code != STATUS_OK) {
        *status = batch->next_status;
        return status->code;
    }
    *out = &batch->next_plan->candidates;
    return STATUS_OK;
}

/* ---- the step ---- */

/* Vectors of the step's rows, and room for their gradients, which the user-item contrast fills. */
static enum status_code forward(struct train_batch *batch, const struct train_step *step,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t d = batch->input->settings->dimension;
    const struct step_plan *plan = batch->plan;
    size_t b = step->n_users, m = plan->candidates.n;
    workspace_begin(&batch->workspace);
    WORKSPACE_ADD(&batch->workspace, &batch->user_gradient, b * d);
    WORKSPACE_ADD(&batch->workspace, &batch->item_gradient, m * d);
    WORKSPACE_ADD(&batch->workspace, &batch->pair_gradient,
                  item_rows_are_spread(batch->items) ? m * d : 0);
    TRY(workspace_reserve(&batch->workspace, status));
    TRY(encoder_view_begin(batch->encoder, &batch->view, &plan->view, step->rate, batch->pool,
                           status));
    TRY(encoder_forward(batch->encoder, SIDE_USERS, &batch->view, step->users, b, step->rate,
                        &batch->users, batch->pool, status));
    TRY(item_rows_ask(batch->items, &plan->candidates, status));
    TRY(item_rows_fetch(batch->items, batch->encoder, &batch->view, step->rate, batch->pool,
                        status));
    if (batch->encoder->bias.n > 0) {
        TRY(embedding_table_touch(&batch->encoder->bias, candidate_set_rows(&plan->candidates), m,
                                  step->rate, batch->pool, status));
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
    TRY(encoder_backward(batch->encoder, SIDE_ITEMS, &batch->view, &batch->items->pass,
                         batch->items->gradient, batch->pool, status));
    TRY(encoder_view_end(batch->encoder, &batch->view, batch->pool, status));
    TRY(view_contrast_run(batch, step, made, status));
    TRY(encoder_step(batch->encoder, step->rate, batch->pool, status));
done:
    return code;
}

/* Gradients of the rows of the item tower that are here. */
static enum status_code gather_gradients(struct train_batch *batch, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct candidate_set *next = NULL;
    if (!item_rows_are_spread(batch->items)) {
        batch->items->gradient = batch->item_gradient;
        return code;
    }
    TRY(made_plan(batch, &next, status));
    TRY(item_rows_push(batch->items, next, status));
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
    if (next != NULL && plans_ahead(batch)) {
        TRY(plan_next(batch, next, status));
    }
    TRY(user_contrast_run(batch, step, &made, status));
    TRY(pair_contrast_run(batch, &made, status));
    TRY(gather_gradients(batch, status));
    if (batch->view.is_only) {
        struct tower_pass *const passes[N_SIDES] = {&batch->users, &batch->items->pass};
        float *const gradients[N_SIDES] = {batch->user_gradient, batch->items->gradient};
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
