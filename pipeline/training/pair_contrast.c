/* The contrast within the item tower: an item against the items that it is interacted with
 * together. Rows and entries are those of the step's plan. */
#include "training/train_parts.h"

#include "math/vec.h"

enum status_code pair_contrast_run(struct train_batch *batch, struct train_outcome *outcome,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_settings *settings = batch->input->settings;
    const struct step_plan *plan = batch->plan;
    const struct contrast_entries *entries = &plan->item_pairs;
    struct side *side = &batch->pair_side;
    const size_t d = batch->encoder->towers[SIDE_ITEMS].dimension;
    const bool is_spread = item_rows_are_spread(batch->items);
    struct contrast_parts parts = {0};
    struct contrast_result result = {.adds = !is_spread, .parts = is_spread ? &parts : NULL};
    struct contrast_settings contrast = {
        .loss = &loss_table[0], /* softmax */
        .loss_settings = {.denominators = DENOMINATORS_DECOUPLED, .t2 = 1.0},
        .temperature = settings->co_items.temperature,
        .strip_bytes = settings->strip_bytes,
        .rounds = settings->wire == RANKS_BFLOAT16};
    /* with other ranks it may be they who have anchors */
    if (is_spread ? settings->co_items.weight == 0.0 : entries->n == 0) {
        return code;
    }
    side->entries = entries;
    side->width = d;
    side->candidates = batch->items->vectors;
    side->n_candidates = plan->candidates.n;
    side->offsets = plan->candidates.offsets;
    side->candidate_gradient = is_spread ? batch->pair_gradient : batch->item_gradient;
    workspace_begin(&side->workspace);
    WORKSPACE_ADD(&side->workspace, &side->own_anchors, entries->n * d);
    WORKSPACE_ADD(&side->workspace, &side->anchor_gradient, entries->n * d);
    TRY(workspace_reserve(&side->workspace, status));
    side->anchors = side->own_anchors;
    matrix_gather(const_matrix_of(side->candidates, side->n_candidates, d), entries->places,
                  entries->n, side->own_anchors);
    TRY(side_run(side, batch->contrast, &contrast, batch->pool, &result, outcome, status));
    if (contrast.rounds) { /* each anchor's by itself, as it is sent */
        vec_ops()->round_bfloat16(side->anchor_gradient, entries->n * d);
    }
    if (is_spread) {
        TRY(item_rows_take(batch->items, side->candidate_gradient, &parts, status));
        TRY(item_rows_take_rows(batch->items, entries->places, side->anchor_gradient, entries->n,
                                status));
        goto done;
    }
    for (size_t a = 0; a < entries->n; a++) { /* the anchors are items of the step, too */
        vec_ops()->axpy(1.0f, side->anchor_gradient + a * d,
                        side->candidate_gradient + (size_t)entries->places[a] * d, d);
    }
done:
    return code;
}
