/* The contrast within the item tower: an item against the items that it is interacted with
 * together. Rows and entries are those of the step's plan. */
#include "training/train_parts.h"

#include "math/vec.h"

/* Adds the gradients of the anchors to those of the step's items. */
static void scatter(const struct side *side, float *total)
{
    const struct vec_ops *vec = vec_ops();
    const int32_t *places = side->entries->places.data;
    size_t d = side->width;
    for (size_t a = 0; a < side->entries->n; a++) {
        vec->axpy(1.0f, side->anchor_gradient + a * d, total + (size_t)places[a] * d, d);
    }
}

static enum status_code gather_anchors(struct side *side, struct status *status)
{
    enum status_code code = STATUS_OK;
    const int32_t *places = side->entries->places.data;
    size_t n = side->entries->n, d = side->width;
    TRY(scratch_reserve(&side->anchor_copy, n * d, sizeof(float), status));
    float *anchors = side->anchor_copy.data;
    for (size_t a = 0; a < n; a++) {
        memcpy(anchors + a * d, side->candidates + (size_t)places[a] * d, d * sizeof *anchors);
    }
    side->anchors = anchors;
done:
    return code;
}

enum status_code pair_contrast_run(struct train_batch *batch, double *loss, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_settings *settings = batch->input->settings;
    const struct step_plan *plan = batch->plan;
    const struct contrast_entries *entries = &plan->item_pairs;
    struct side *side = &batch->pair_side;
    struct contrast_result result = {.adds = true};
    struct contrast_settings contrast = {
        .loss = &loss_table[0], /* softmax */
        .loss_settings = {.denominators = DENOMINATORS_DECOUPLED, .t2 = 1.0},
        .temperature = settings->co_items.temperature,
        .strip_bytes = settings->strip_bytes};
    if (entries->n == 0) {
        return code;
    }
    side->entries = entries;
    side->width = batch->encoder->towers[SIDE_ITEMS].dimension;
    side->candidates = batch->items.unit.data;
    side->n_candidates = plan->candidates.n;
    side->offsets = plan->candidates.offsets;
    TRY(gather_anchors(side, status));
    TRY(scratch_reserve(&side->anchor_room, entries->n * side->width, sizeof(float), status));
    side->anchor_gradient = side->anchor_room.data;
    side->candidate_gradient = batch->item_gradient.data;
    TRY(side_run(batch, side, &contrast, &result, status));
    scatter(side, side->candidate_gradient);
    *loss += result.loss;
done:
    return code;
}
