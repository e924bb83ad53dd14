/* The user-item contrast of a step: vectors of its anchors, the kernel, gradients back to the rows.
 */
#include "training/train_parts.h"

#include "base/tree_sum.h"
#include "math/vec.h"

#include <math.h>
#include <string.h>

/* The step's user of an anchor. */
static size_t user_of_anchor(const struct train_batch *batch, size_t anchor)
{
    return batch->planner.own_lists ? (size_t)batch->plan->user_items.places[anchor] : anchor;
}

/* Whether anchors and candidates can be taken as the towers gave them. */
static bool is_plain(const struct train_batch *batch)
{
    return !batch->planner.own_lists && batch->encoder->bias.n == 0;
}

/* Anchors and candidates as the kernel takes them, and where their gradients go: those of users and
 * items themselves when every row of the contrast stands for one of theirs, else the side's own.
 * With a learned bias it is one more component, against the anchors' tau:
 * <(u, tau), (v, b)> / tau = <u, v> / tau + b. */
static enum status_code gather(struct train_batch *batch, const struct train_step *step,
                               struct status *status)
{
    enum status_code code = STATUS_OK;
    struct side *side = &batch->user_side;
    const struct candidate_set *set = &batch->plan->candidates;
    const struct hard_negatives *hard = step->hard;
    const bool has_bias = batch->encoder->bias.n > 0, plain = is_plain(batch);
    const bool has_thresholds = hard != NULL && hard->thresholds != NULL && hard->is_ready;
    const size_t d = batch->encoder->towers[SIDE_USERS].dimension, n = side->entries->n;
    const float *users = batch->users.vectors, *items = batch->items->vectors;
    side->width = d + has_bias;
    side->anchors = users;
    side->candidates = items;
    side->anchor_gradient = batch->user_gradient;
    side->candidate_gradient = batch->item_gradient;
    workspace_begin(&side->workspace);
    WORKSPACE_ADD(&side->workspace, &side->own_anchors, plain ? 0 : n * side->width);
    WORKSPACE_ADD(&side->workspace, &side->own_candidates, has_bias ? set->n * side->width : 0);
    WORKSPACE_ADD(&side->workspace, &side->own_thresholds, has_thresholds ? n : 0);
    if (!plain) {
        side_gradients_memory(side);
    }
    TRY(workspace_reserve(&side->workspace, status));
    for (size_t a = 0; a < n && !plain; a++) {
        float *anchor = side->own_anchors + a * side->width;
        memcpy(anchor, users + user_of_anchor(batch, a) * d, d * sizeof *users);
        if (has_bias) {
            anchor[d] = (float)step->temperature;
        }
        side->anchors = side->own_anchors;
    }
    for (size_t c = 0; c < set->n && has_bias; c++) {
        float *candidate = side->own_candidates + c * side->width;
        memcpy(candidate, items + c * d, d * sizeof *items);
        candidate[d] = batch->encoder->bias.weights[candidate_set_item(set, c)];
        side->candidates = side->own_candidates;
    }
    for (size_t a = 0; a < n && has_thresholds; a++) {
        side->own_thresholds[a] = hard->thresholds[step->users[user_of_anchor(batch, a)]];
    }
    side->thresholds = has_thresholds ? side->own_thresholds : NULL;
done:
    return code;
}

/* Brings the contrast's gradients to those of users and items, which they are the first of. */
static void scatter_gradients(struct train_batch *batch, const struct train_step *step)
{
    const struct vec_ops *vec = vec_ops();
    const struct side *side = &batch->user_side;
    const struct candidate_set *set = &batch->plan->candidates;
    struct embedding_table *bias = &batch->encoder->bias;
    size_t d = batch->encoder->towers[SIDE_USERS].dimension, width = side->width;
    const float *anchors = side->anchor_gradient, *candidates = side->candidate_gradient;
    float *users = batch->user_gradient, *items = batch->item_gradient;
    if (is_plain(batch)) { /* they are there */
        return;
    }
    memset(users, 0, step->n_users * d * sizeof *users);
    for (size_t a = 0; a < side->entries->n; a++) {
        vec->axpy(1.0f, anchors + a * width, users + user_of_anchor(batch, a) * d, d);
    }
    if (width == d) {
        memcpy(items, candidates, set->n * d * sizeof *items);
        return;
    }
    for (size_t c = 0; c < set->n; c++) {
        int32_t item = candidate_set_item(set, c);
        memcpy(items + c * d, candidates + c * width, d * sizeof *items);
        embedding_table_add(bias, &item, 1, candidates + c * width + d, NULL);
    }
}

/* dL / d(1/tau) by tau: the logits are <A, C> / tau, so it is the sum of <dL/dA, A>, the bias'
 * component left out. */
static double scale_slope(const struct train_batch *batch)
{
    const struct side *side = &batch->user_side;
    size_t d = batch->encoder->towers[SIDE_USERS].dimension;
    const float *gradient = side->anchor_gradient;
    const struct contrast_entries *entries = side->entries;
    const size_t n_leaves = entries->n_leaves == 0 ? 1 : entries->n_leaves;
    double sums[SHARDS] = {0};
    for (size_t a = 0, leaf = 0; a < entries->n; a++) {
        while (leaf + 1 < n_leaves && a >= entries->leaves[leaf + 1]) {
            leaf++;
        }
        sums[leaf] +=
            vec_ops()->dot(gradient + a * side->width, side->anchors + a * side->width, d);
    }
    return tree_sum(sums, n_leaves);
}

/* The highest offset of a negative, those of the other ranks' users included. */
static enum status_code find_high_offset(struct train_batch *batch, float *out,
                                         struct status *status)
{
    const struct vec_ops *vec = vec_ops();
    const struct contrast_entries *entries = &batch->plan->user_items;
    const float *offsets = batch->plan->candidates.offsets;
    double high = (double)vec->max(entries->listed.matrix.values, entries->listed.n_entries);
    if (entries->n_negatives > 0) { /* which are the same on all ranks */
        high = fmax(high, offsets == NULL ? 0.0 : (double)vec->max(offsets, entries->n_negatives));
    }
    const enum status_code code = ranks_max_double(batch->input->ranks, &high, status);
    *out = (float)high;
    return code;
}

enum status_code user_contrast_run(struct train_batch *batch, const struct train_step *step,
                                   struct train_outcome *outcome, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_settings *settings = batch->input->settings;
    struct side *side = &batch->user_side;
    struct contrast_parts parts = {0};
    float high_offset;
    struct contrast_result result = {.parts = item_rows_are_spread(batch->items) ? &parts : NULL};
    struct contrast_settings contrast = {.loss = &loss_table[settings->loss],
                                         .loss_settings = settings->loss_settings,
                                         .temperature = step->temperature,
                                         .strip_bytes = settings->strip_bytes,
                                         .rounds = settings->wire == RANKS_BFLOAT16,
                                         .diagnose = step->diagnose};
    side->entries = &batch->plan->user_items;
    side->n_candidates = batch->plan->candidates.n;
    side->offsets = batch->plan->candidates.offsets;
    if (item_rows_are_spread(batch->items) && contrast.loss->kind == LOSS_MARGIN) {
        TRY(find_high_offset(batch, &high_offset, status));
        side->high_offset = &high_offset;
    }
    TRY(gather(batch, step, status));
    TRY(side_run(side, batch->contrast, &contrast, batch->pool, &result, outcome, status));
    if (result.parts != NULL) {
        TRY(item_rows_take(batch->items, side->candidate_gradient, &parts, status));
    }
    scatter_gradients(batch, step);
    outcome->n_positives = side->entries->positives.n_entries;
    outcome->n_all_positives = batch->plan->n_positives;
    outcome->n_anchors = side->entries->n;
    outcome->n_empty = result.n_empty;
    outcome->diagnostics = result.diagnostics;
    outcome->scale_slope = scale_slope(batch);
done:
    return code;
}
