/* The user-item contrast of a step.
 *
 * Shared negatives: an anchor is a user, all of its positives share its row; hard negatives and
 * dislikes are listed beside the shared ones. Negatives of their own (`shared: false`, or stored
 * ones): an anchor is one (user, positive) pair with its list. */
#include "model/train_parts.h"

#include "math/vec.h"

#include <assert.h>
#include <math.h>

static const struct sparse *train_of(const struct train_batch *batch)
{
    return &batch->input->train->matrix;
}

static void add_listed(struct train_batch *batch, int32_t item, float offset)
{
    row_builder_add(&batch->user_side.listed, candidate_set_add(&batch->candidates, item), offset);
}

/* Whether `item` may stand among the negatives of the user. */
static bool is_negative_of_user(const struct train_batch *batch, size_t user, int32_t item)
{
    const struct sparse *excluded = batch->input->false_negatives;
    return (!batch->exclude_own || !sparse_has(train_of(batch), user, item)) &&
           (excluded == NULL || !sparse_has(excluded, user, item));
}

/* What the step asks of the user: with hidden histories the hidden part of the positives. */
static bool is_target(const struct train_batch *batch, size_t user, int32_t item)
{
    const struct tower *tower = &batch->encoder->towers[SIDE_USERS];
    for (size_t p = 0; p < tower->n_parts; p++) {
        const struct token_source *source = tower->parts[p].source;
        if (source->is_history && source->hide > 0.0) {
            return token_source_hides(source, &batch->look.view, user, item);
        }
    }
    return true;
}

/* ---- negatives of an anchor's own ---- */

/* The stored negatives of a user's train entry. */
static void add_stored_list(struct train_batch *batch, size_t user, int64_t entry)
{
    size_t n = batch->input->n_stored;
    const int32_t *items = batch->input->stored_negatives + (size_t)entry * n;
    for (size_t j = 0; j < n; j++) {
        if (is_negative_of_user(batch, user, items[j])) {
            add_listed(batch, items[j], sampler_offset(&batch->sampler, items[j], n));
        }
    }
}

static void add_drawn_list(struct train_batch *batch, struct rng *rng, size_t user)
{
    size_t n = batch->input->negatives->count;
    const int32_t *items = batch->draw_items.data;
    const float *offsets = batch->draw_offsets.data;
    sampler_draw_each(&batch->sampler, rng, n, batch->draw_items.data, batch->draw_offsets.data);
    for (size_t j = 0; j < n; j++) {
        if (is_negative_of_user(batch, user, items[j])) {
            add_listed(batch, items[j], offsets[j]);
        }
    }
}

/* Hard negatives and dislikes of a user. */
static void add_user_list(struct train_batch *batch, const struct train_step *step, size_t user)
{
    const struct trainer_input *input = batch->input;
    const struct hard_negatives *hard = step->hard;
    if (hard != NULL && hard->settings.count > 0) {
        int32_t *items = batch->draw_items.data;
        size_t n = hard_negatives_draw(hard, input->seed, step->epoch, user, items);
        for (size_t j = 0; j < n; j++) {
            add_listed(batch, items[j], hard_negatives_offset(hard, &batch->sampler, items[j], n));
        }
    }
    if (input->dislikes != NULL) {
        const struct sparse *m = input->dislikes;
        float offset = (float)log(input->negatives->dislike_weight);
        for (int64_t e = m->offsets[user]; e < m->offsets[user + 1]; e++) {
            add_listed(batch, m->columns[e], offset);
        }
    }
}

/* Entries that the lists of the step's users can have together. */
static size_t listed_room(const struct train_batch *batch, const struct train_step *step,
                          size_t n_positives)
{
    const struct trainer_input *input = batch->input;
    if (batch->own_lists) {
        size_t each = input->stored_negatives != NULL ? input->n_stored : input->negatives->count;
        return n_positives * each;
    }
    size_t room = step->hard == NULL ? 0 : step->n_users * step->hard->settings.count;
    for (size_t i = 0; i < step->n_users && input->dislikes != NULL; i++) {
        room += sparse_row_length(input->dislikes, (size_t)step->users[i]);
    }
    return room;
}

/* ---- rows ---- */

/* What the user leaves out of the shared negatives: own positives and false negatives, in the order
 * of candidates. */
static void exclude_items(struct train_batch *batch, size_t user)
{
    const struct candidate_set *set = &batch->candidates;
    const struct sparse *own = train_of(batch), *others = batch->input->false_negatives;
    int64_t a = own->offsets[user], a_end = batch->exclude_own ? own->offsets[user + 1] : a;
    int64_t b = others == NULL ? 0 : others->offsets[user];
    int64_t b_end = others == NULL ? 0 : others->offsets[user + 1];
    while (a < a_end || b < b_end) {
        bool take_own = b == b_end || (a < a_end && own->columns[a] < others->columns[b]);
        int32_t item = take_own ? own->columns[a++] : others->columns[b++];
        int32_t column = set->every_item ? item : set->column_of[item];
        if (column >= 0 && (size_t)column < set->n_negatives) {
            row_builder_add(&batch->user_side.excluded, column, 0.0f);
        }
    }
    row_builder_end_row(&batch->user_side.excluded);
}

static double positive_weight(const struct train_batch *batch, int64_t entry, double user_weight)
{
    const struct sparse *train = train_of(batch);
    return user_weight * (train->values == NULL ? 1.0 : (double)train->values[entry]);
}

/* One user in shared mode: one anchor row with every positive. */
static void add_user_row(struct train_batch *batch, const struct train_step *step, size_t user,
                         double weight)
{
    const struct sparse *train = train_of(batch);
    struct side *side = &batch->user_side;
    for (int64_t e = train->offsets[user]; e < train->offsets[user + 1]; e++) {
        if (is_target(batch, user, train->columns[e])) {
            double w = positive_weight(batch, e, weight);
            row_builder_add(&side->positives,
                            candidate_set_add(&batch->candidates, train->columns[e]), (float)w);
            side->total_weight += w;
        }
    }
    row_builder_end_row(&side->positives);
    exclude_items(batch, user);
    add_user_list(batch, step, user);
    row_builder_end_row(&side->listed);
}

/* One user with lists of its own: an anchor row for each positive. */
static void add_user_pairs(struct train_batch *batch, const struct train_step *step, size_t index,
                           double weight)
{
    const struct sparse *train = train_of(batch);
    struct side *side = &batch->user_side;
    size_t user = (size_t)step->users[index];
    struct rng rng;
    rng_init(&rng, batch->input->seed, "train.negatives", step->epoch, user);
    for (int64_t e = train->offsets[user]; e < train->offsets[user + 1]; e++) {
        if (!is_target(batch, user, train->columns[e])) {
            continue;
        }
        double w = positive_weight(batch, e, weight);
        ((int32_t *)batch->pair_user.data)[side->positives.matrix.n_rows] = (int32_t)index;
        row_builder_add(&side->positives, candidate_set_add(&batch->candidates, train->columns[e]),
                        (float)w);
        row_builder_end_row(&side->positives);
        side->total_weight += w;
        if (batch->input->stored_negatives != NULL) {
            add_stored_list(batch, user, e);
        } else {
            add_drawn_list(batch, &rng, user);
        }
        row_builder_end_row(&side->listed);
    }
}

enum status_code user_contrast_build(struct train_batch *batch, const struct train_step *step,
                                     size_t n_positives, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_input *input = batch->input;
    struct side *side = &batch->user_side;
    size_t anchors = batch->own_lists ? n_positives : step->n_users, excluded = n_positives;
    size_t draws = input->negatives->count > input->negatives->hard.count
                       ? input->negatives->count
                       : input->negatives->hard.count;
    for (size_t i = 0; i < step->n_users && input->false_negatives != NULL; i++) {
        excluded += sparse_row_length(input->false_negatives, (size_t)step->users[i]);
    }
    TRY(side_start(side, anchors, n_positives, excluded, listed_room(batch, step, n_positives),
                   status));
    TRY(scratch_reserve(&batch->pair_user, anchors, sizeof(int32_t), status));
    TRY(scratch_reserve(&batch->draw_items, draws, sizeof(int32_t), status));
    TRY(scratch_reserve(&batch->draw_offsets, draws, sizeof(float), status));
    for (size_t i = 0; i < step->n_users; i++) {
        size_t user = (size_t)step->users[i];
        double n = (double)sparse_row_length(train_of(batch), user);
        double weight = n > 0.0 ? pow(n, -input->settings->degree_exponent) : 0.0;
        if (batch->own_lists) {
            add_user_pairs(batch, step, i, weight);
        } else {
            add_user_row(batch, step, user, weight);
        }
    }
    side->n = side->positives.matrix.n_rows;
    side_scale_weights(side, (double)side->positives.n_entries);
done:
    return code;
}

/* ---- vectors ---- */

/* The step's user of an anchor. */
static size_t user_of_anchor(const struct train_batch *batch, size_t anchor)
{
    return batch->own_lists ? (size_t)((const int32_t *)batch->pair_user.data)[anchor] : anchor;
}

/* An anchor's factor tau / tau_u: the kernel knows one temperature. */
static float anchor_scale(const struct train_batch *batch, const struct train_step *step,
                          size_t anchor)
{
    if (step->user_temperatures == NULL) {
        return 1.0f;
    }
    int32_t user = step->users[user_of_anchor(batch, anchor)];
    return (float)step->temperature / step->user_temperatures[user];
}

/* Whether anchors and candidates can be taken as the towers gave them. */
static bool is_plain(const struct train_batch *batch, const struct train_step *step)
{
    return !batch->own_lists && step->user_temperatures == NULL && batch->encoder->bias.n == 0;
}

/* Candidates with the learned bias as one more component, against the anchors' tau:
 * <(u, tau), (v, b)> / tau = <u, v> / tau + b. */
static enum status_code widen_candidates(struct train_batch *batch, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct candidate_set *set = &batch->candidates;
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
    if (is_plain(batch, step)) {
        goto done;
    }
    TRY(scratch_reserve(&side->anchor_copy, side->n * side->width, sizeof(float), status));
    float *out = side->anchor_copy.data;
    for (size_t a = 0; a < side->n; a++) {
        float *anchor = out + a * side->width;
        memcpy(anchor, unit + user_of_anchor(batch, a) * d, d * sizeof *unit);
        vec_ops()->scale(anchor_scale(batch, step, a), anchor, d);
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
static enum status_code place_gradients(struct train_batch *batch, const struct train_step *step,
                                        struct status *status)
{
    struct side *side = &batch->user_side;
    if (!is_plain(batch, step)) {
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
    const struct candidate_set *set = &batch->candidates;
    struct table *bias = &batch->encoder->bias;
    size_t d = batch->encoder->towers[SIDE_USERS].dimension, width = side->width;
    const float *anchors = side->anchor_gradient, *candidates = side->candidate_gradient;
    float *users = batch->user_gradient.data, *items = batch->item_gradient.data;
    if (is_plain(batch, step)) { /* they are there; partners of users follow */
        memset(users + side->n * d, 0, (batch->user_set.n - side->n) * d * sizeof *users);
        return;
    }
    memset(users, 0, batch->user_set.n * d * sizeof *users);
    for (size_t a = 0; a < side->n; a++) {
        vec->axpy(anchor_scale(batch, step, a), anchors + a * width,
                  users + user_of_anchor(batch, a) * d, d);
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
    for (size_t a = 0; a < side->n; a++) {
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
        TRY(scratch_reserve(&batch->thresholds, side->n, sizeof(float), status));
        float *out = batch->thresholds.data;
        for (size_t a = 0; a < side->n; a++) {
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
    side->n_candidates = batch->candidates.n;
    side->n_negatives = batch->own_lists ? 0 : batch->candidates.n_negatives;
    side->offsets = batch->candidates.offsets;
    TRY(gather_anchors(batch, step, status));
    TRY(gather_thresholds(batch, step, status));
    TRY(place_gradients(batch, step, status));
    TRY(side_run(batch, side, &contrast, &result, status));
    scatter_gradients(batch, step);
    outcome->loss += result.loss;
    outcome->n_positives = side->positives.n_entries;
    outcome->n_anchors = side->n;
    outcome->n_empty = result.n_empty;
    outcome->diagnostics = result.diagnostics;
    outcome->scale_slope = scale_slope(batch, step->temperature);
done:
    return code;
}
