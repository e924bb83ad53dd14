/* The contrast of two changed views of the same entities (SimCLR, Chen et al. 2020, arXiv
 * 2002.05709, with one direction): a row of the first view against the same row of the second,
 * among the others of the batch. */
#include "training/train_parts.h"

static struct view view_of(const struct train_batch *batch, const struct train_step *step,
                           uint64_t number)
{
    const struct view_settings *settings = &batch->input->settings->views;
    return (struct view){.training = true,
                         .seed = batch->input->seed,
                         .epoch = step->epoch,
                         .step = step->number,
                         .number = number,
                         .change = settings->change,
                         .strength = settings->strength};
}

/* Each row is its own positive, the others are its negatives. */
static enum status_code build(struct contrast_entries *entries, size_t n, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(contrast_entries_start(entries, n, n, n, 0, status));
    for (size_t i = 0; i < n; i++) {
        contrast_entries_add(entries, (int32_t)i, 1.0);
        row_builder_end_row(&entries->positives);
        row_builder_add(&entries->excluded, (int32_t)i, 0.0f);
        row_builder_end_row(&entries->excluded);
        row_builder_end_row(&entries->listed);
    }
    entries->n = entries->n_negatives = n;
done:
    return code;
}

static enum status_code contrast_views(struct train_batch *batch, enum tower_side tower,
                                       const int32_t *rows, size_t n, double rate,
                                       struct train_outcome *outcome, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct side *side = &batch->view_side;
    const struct view_settings *settings = &batch->input->settings->views;
    struct tower_pass *passes = batch->view_passes;
    struct contrast_result result = {0};
    struct contrast_settings contrast = {
        .loss = &loss_table[0], /* softmax */
        .loss_settings = {.denominators = DENOMINATORS_INFONCE, .t2 = 1.0},
        .temperature = settings->temperature,
        .strip_bytes = batch->input->settings->strip_bytes};
    for (size_t k = 0; k < 2; k++) {
        TRY(encoder_forward(batch->encoder, tower, &batch->changed[k], rows, n, rate, &passes[k],
                            batch->pool, status));
    }
    TRY(build(&batch->views, n, status));
    contrast_entries_scale(&batch->views, settings->weight * (double)outcome->n_positives,
                           contrast_entries_weight(&batch->views));
    side->entries = &batch->views;
    side->n_candidates = n;
    side->width = batch->encoder->towers[tower].dimension;
    side->anchors = passes[0].vectors;
    side->candidates = passes[1].vectors;
    workspace_begin(&side->workspace);
    side_gradients_memory(side);
    TRY(workspace_reserve(&side->workspace, status));
    TRY(side_run(side, batch->contrast, &contrast, batch->pool, &result, outcome, status));
    TRY(encoder_backward(batch->encoder, tower, &batch->changed[0], &passes[0],
                         side->anchor_gradient, batch->pool, status));
    TRY(encoder_backward(batch->encoder, tower, &batch->changed[1], &passes[1],
                         side->candidate_gradient, batch->pool, status));
done:
    return code;
}

enum status_code view_contrast_run(struct train_batch *batch, const struct train_step *step,
                                   struct train_outcome *outcome, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct view_settings *settings = &batch->input->settings->views;
    if (settings->weight == 0.0) {
        return code;
    }
    for (size_t k = 0; k < 2; k++) {
        struct view view = view_of(batch, step, k + 1);
        TRY(encoder_view_begin(batch->encoder, &batch->changed[k], &view, step->rate, batch->pool,
                               status));
    }
    TRY(contrast_views(batch, SIDE_USERS, step->users, step->n_users, step->rate, outcome, status));
    if (step->n_items > 1 && !view_needs_history(settings->change)) {
        TRY(contrast_views(batch, SIDE_ITEMS, step->items, step->n_items, step->rate, outcome,
                           status));
    }
    for (size_t k = 0; k < 2; k++) {
        TRY(encoder_view_end(batch->encoder, &batch->changed[k], batch->pool, status));
    }
done:
    return code;
}
