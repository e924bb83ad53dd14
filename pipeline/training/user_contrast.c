/* The user-item contrast of a step: vectors of its anchors, the kernel, gradients back to the rows.
 */
#include "training/train_parts.h"

#include "math/vec.h"

/* The step's user of an anchor. */
static size_t user_of_anchor(const struct train_batch *batch, size_t anchor)
{
    return batch->planner.own_lists
               ? (size_t)((const int32_t *)batch->plan->user_items.places.data)[anchor]
               : anchor;
}

/* Whether anchors and candidates can be taken as the towers gave them. */
static bool is_plain(const struct train_batch *batch)
{
    return !batch->planner.own_lists && batch->encoder->bias.n == 0;
}

/* Candidates with the learned bias as one more component, against the anchors' tau:
 * <(u, tau), (v, b)> / tau = <u, v> / tau + b. */
static enum status_code widen_candidates(struct train_batch *batch, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct candidate_set *set = &batch->plan->candidates;
    size_t d = batch->user_side.width - 1;
    const float *unit = batch->items.unit.data;
    TRY(scratch_reserve(&batch->wide_items, set->n * (d + 1), sizeof(float), status));
    float *out = batch->wide_items.data;
    for (size_t c = 0; c < set->n; c++) {
        size_t item = set->every_item ? c : (size_t)set->items[c];
        memcpy(out + c * (d + 1), unit + c * d, d * sizeof *unit);
        out[c * (d + 1) + d] = batch->encoder->bias.weights[item];
    }
    batch->user_side.candidates = out;
done:
    return code;
}

static enum status_code gather_anchors(struct train_batch *batch, const struct train_step *step,
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    struct side *side = &batch->user_side;
    size_t d = batch->encoder->towers[SIDE_USERS].dimension;
    const float *unit = batch->users.unit.data;
    side->anchors = unit;
    side->candidates = batch->items.unit.data;
    side->width = d + (batch->encoder->bias.n > 0);
    if (is_plain(batch)) {
        goto done;
    }
    TRY(scratch_reserve(&side->anchor_copy, side->entries->n * side->width, sizeof(float), status));
    float *out = side->anchor_copy.data;
    for (size_t a = 0; a < side->entries->n; a++) {
        float *anchor = out + a * side->width;
        memcpy(anchor, unit + user_of_anchor(batch, a) * d, d * sizeof *unit);
        if (side->width > d) {
            anchor[d] = (float)step->temperature;
        }
    }
    side->anchors = out;
    if (side->width > d) {
        TRY(widen_candidates(batch, status));
    }
done:
    return code;
}

/* Where the contrast's gradients go: to those of users and items at once, when every one of its
 * rows stands for one of theirs. */
static enum status_code place_gradients(struct train_batch *batch, struct status *status)
{
    struct side *side = &batch->user_side;
    if (!is_plain(batch)) {
        return side_own_gradients(side, status);
    }
    side->anchor_gradient = batch->user_gradient.data;
    side->candidate_gradient = batch->item_gradient.data;
    return STATUS_OK;
}

/* Brings the contrast's gradients to those of users and items, which they are the first of. */
static void scatter_gradients(struct train_batch *batch, const struct train_step *step)
{
    const struct vec_ops *vec = vec_ops();
    const struct side *side = &batch->user_side;
    const struct candidate_set *set = &batch->plan->candidates;
    struct table *bias = &batch->encoder->bias;
    size_t d = batch->encoder->towers[SIDE_USERS].dimension, width = side->width;
    const float *anchors = side->anchor_gradient, *candidates = side->candidate_gradient;
    float *users = batch->user_gradient.data, *items = batch->item_gradient.data;
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
        int32_t item = set->every_item ? (int32_t)c : set->items[c];
        memcpy(items + c * d, candidates + c * width, d * sizeof *items);
        table_add(bias, &item, 1, candidates + c * width + d, NULL);
    }
}

/* dL / d(1/tau): the logits are <A, C> / tau, so it is tau times the sum of <dL/dA, A>, the bias'
 * component left out. */
static double scale_slope(const struct train_batch *batch, double temperature)
{
    const struct side *side = &batch->user_side;
    size_t d = batch->encoder->towers[SIDE_USERS].dimension;
    const float *gradient = side->anchor_gradient;
    double sum = 0.0;
    for (size_t a = 0; a < side->entries->n; a++) {
        sum += vec_ops()->dot(gradient + a * side->width, side->anchors + a * side->width, d);
    }
    return temperature * sum;
}

static enum status_code gather_thresholds(struct train_batch *batch, const struct train_step *step,
                                          struct status *status)
{
    enum status_code code = STATUS_OK;
    struct side *side = &batch->user_side;
    side->thresholds = NULL;
    if (step->hard != NULL && step->hard->thresholds != NULL && step->hard->is_ready) {
        TRY(scratch_reserve(&batch->thresholds, side->entries->n, sizeof(float), status));
        float *out = batch->thresholds.data;
        for (size_t a = 0; a < side->entries->n; a++) {
            out[a] = step->hard->thresholds[step->users[user_of_anchor(batch, a)]];
        }
        side->thresholds = out;
    }
done:
    return code;
}

enum status_code user_contrast_run(struct train_batch *batch, const struct train_step *step,
                                   struct train_outcome *outcome, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_settings *settings = batch->input->settings;
    struct side *side = &batch->user_side;
    struct contrast_result result = {0};
    struct contrast_settings contrast = {.loss = &loss_table[settings->loss],
                                         .loss_settings = settings->loss_settings,
                                         .temperature = step->temperature,
                                         .strip_bytes = settings->strip_bytes,
                                         .diagnose = step->diagnose};
    side->entries = &batch->plan->user_items;
    side->n_candidates = batch->plan->candidates.n;
    side->offsets = batch->plan->candidates.offsets;
    TRY(gather_anchors(batch, step, status));
    TRY(gather_thresholds(batch, step, status));
    TRY(place_gradients(batch, status));
    TRY(side_run(batch, side, &contrast, &result, status));
    scatter_gradients(batch, step);
    outcome->loss += result.loss;
    outcome->n_positives = side->entries->positives.n_entries;
    outcome->n_anchors = side->entries->n;
    outcome->n_empty = result.n_empty;
    outcome->diagnostics = result.diagnostics;
    outcome->scale_slope = scale_slope(batch, step->temperature);
done:
    return code;
}
