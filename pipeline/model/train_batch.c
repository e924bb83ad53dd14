/* One step of training. Shapes: B anchors, M candidates, d dimensions.
 *
 * Shared negatives: an anchor is a user, all of its positives share its row. Negatives of their own
 * (`shared: false`, or stored ones): an anchor is one (user, positive) pair with its list. The
 * item-item contrast takes items as anchors against the same candidates. Losses are scaled so that
 * a positive weighs 1 on average, the item-item contrast as a whole co_weight times the user-item
 * one: the units of the learning rate do not depend on batch size or weights. */
#include "model/train_batch.h"

#include "base/mem.h"
#include "math/vec.h"
#include "model/candidate_set.h"
#include "model/row_builder.h"

#include <assert.h>
#include <float.h>
#include <math.h>

/* One contrast of the step: its anchors and their entries. */
struct side {
    size_t n;                      /* anchors */
    struct scratch unit, gradient; /* (n, d) float */
    struct row_builder positives, excluded, listed;
    double total_weight;
};

struct train_batch {
    const struct trainer_input *input;
    struct tower *users, *items;
    struct pool *pool;
    struct sampler sampler;
    struct candidate_set candidates;
    struct contrast *contrast;
    bool own_lists; /* negatives per positive instead of shared ones */
    bool exclude_own;
    struct side user_side, item_side;
    struct scratch user_unit, user_norms, user_gradient; /* of the step's users */
    struct scratch candidate_unit, candidate_norms, candidate_gradient, candidate_addition;
    struct scratch batch_positives; /* int32: items of the batch's positives, with repeats */
    struct scratch pair_user;       /* int32: own lists: the step's user of each anchor */
    struct scratch anchor_columns;  /* int32: candidate of each item anchor */
    struct scratch draw_items, draw_offsets;
};

static void side_release(struct side *side)
{
    scratch_release(&side->unit);
    scratch_release(&side->gradient);
    row_builder_release(&side->positives);
    row_builder_release(&side->excluded);
    row_builder_release(&side->listed);
}

enum status_code train_batch_new(const struct trainer_input *input, struct tower *users,
                                 struct tower *items, struct pool *pool, struct train_batch **out,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    struct train_batch *batch = NULL;
    TRY(MEM_NEW(&batch, 1, status));
    batch->input = input;
    batch->users = users;
    batch->items = items;
    batch->pool = pool;
    batch->own_lists = !input->negatives->shared || input->stored_negatives != NULL;
    /* the other denominators leave own positives out by definition */
    batch->exclude_own = input->negatives->exclude_own ||
                         input->settings->loss_settings.denominators != DENOMINATORS_INFONCE;
    TRY(sampler_init(&batch->sampler, input->negatives, input->item_counts, items->n, status));
    TRY(candidate_set_init(&batch->candidates, &batch->sampler, status));
    TRY(contrast_new(&batch->contrast, status));
    *out = batch;
done:
    if (code != STATUS_OK) {
        train_batch_free(batch);
    }
    return code;
}

void train_batch_free(struct train_batch *batch)
{
    if (batch == NULL) {
        return;
    }
    struct scratch *all[] = {
        &batch->user_unit,          &batch->user_norms,      &batch->user_gradient,
        &batch->candidate_unit,     &batch->candidate_norms, &batch->candidate_gradient,
        &batch->candidate_addition, &batch->batch_positives, &batch->pair_user,
        &batch->draw_items,         &batch->draw_offsets,    &batch->anchor_columns,
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        scratch_release(all[i]);
    }
    side_release(&batch->user_side);
    side_release(&batch->item_side);
    sampler_release(&batch->sampler);
    candidate_set_release(&batch->candidates);
    contrast_free(batch->contrast);
    mem_free(batch);
}

/* The items of all positives of the step's users, in order; returns how many. */
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

static void add_listed(struct train_batch *batch, struct side *side, int32_t item, float offset)
{
    row_builder_add(&side->listed, candidate_set_add(&batch->candidates, item), offset);
}

/* Whether `item` may stand in a negative list of the user. */
static bool is_negative_of_user(const struct train_batch *batch, size_t user, int32_t item)
{
    return !batch->exclude_own || !sparse_has(&batch->input->train->matrix, user, item);
}

/* The stored negatives of a user's train entry. */
static void add_stored_list(struct train_batch *batch, size_t user, int64_t entry)
{
    size_t n = batch->input->n_stored;
    const int32_t *items = batch->input->stored_negatives + (size_t)entry * n;
    for (size_t j = 0; j < n; j++) {
        if (is_negative_of_user(batch, user, items[j])) {
            add_listed(batch, &batch->user_side, items[j],
                       sampler_offset(&batch->sampler, items[j], n));
        }
    }
}

/* Draws the negatives of one anchor into draw_items and draw_offsets; returns how many. */
static size_t draw_list(struct train_batch *batch, struct rng *rng)
{
    size_t n = batch->input->negatives->count;
    sampler_draw_each(&batch->sampler, rng, n, batch->draw_items.data, batch->draw_offsets.data);
    return n;
}

static void add_drawn_list(struct train_batch *batch, struct rng *rng, size_t user)
{
    const int32_t *items = batch->draw_items.data;
    const float *offsets = batch->draw_offsets.data;
    size_t n = draw_list(batch, rng);
    for (size_t j = 0; j < n; j++) {
        if (is_negative_of_user(batch, user, items[j])) {
            add_listed(batch, &batch->user_side, items[j], offsets[j]);
        }
    }
}

/* One user in shared mode: one anchor row with every positive. */
static void add_user_row(struct train_batch *batch, size_t user, double weight)
{
    const struct sparse *train = &batch->input->train->matrix;
    struct side *side = &batch->user_side;
    for (int64_t e = train->offsets[user]; e < train->offsets[user + 1]; e++) {
        int32_t column = candidate_set_add(&batch->candidates, train->columns[e]);
        double w = weight * (train->values == NULL ? 1.0 : (double)train->values[e]);
        row_builder_add(&side->positives, column, (float)w);
        side->total_weight += w;
        if (batch->exclude_own && (size_t)column < batch->candidates.n_negatives) {
            row_builder_add(&side->excluded, column, 0.0f);
        }
    }
    row_builder_end_row(&side->positives);
    row_builder_end_row(&side->excluded);
}

/* One user with lists of its own: an anchor row for each positive. */
static void add_user_pairs(struct train_batch *batch, const struct train_step *step, size_t index,
                           double weight)
{
    const struct sparse *train = &batch->input->train->matrix;
    struct side *side = &batch->user_side;
    size_t user = (size_t)step->users[index];
    struct rng rng;
    rng_init(&rng, batch->input->seed, "train.negatives", step->epoch, user);
    for (int64_t e = train->offsets[user]; e < train->offsets[user + 1]; e++) {
        double w = weight * (train->values == NULL ? 1.0 : (double)train->values[e]);
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

static enum status_code build_user_side(struct train_batch *batch, const struct train_step *step,
                                        size_t n_positives, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_input *input = batch->input;
    struct side *side = &batch->user_side;
    size_t list = input->stored_negatives != NULL ? input->n_stored : input->negatives->count;
    side->n = batch->own_lists ? n_positives : step->n_users;
    side->total_weight = 0.0;
    TRY(row_builder_start(&side->positives, side->n, n_positives, status));
    TRY(row_builder_start(&side->excluded, side->n, n_positives, status));
    TRY(row_builder_start(&side->listed, side->n, batch->own_lists ? n_positives * list : 0,
                          status));
    TRY(scratch_reserve(&batch->pair_user, side->n, sizeof(int32_t), status));
    TRY(scratch_reserve(&batch->draw_items, input->negatives->count, sizeof(int32_t), status));
    TRY(scratch_reserve(&batch->draw_offsets, input->negatives->count, sizeof(float), status));
    for (size_t i = 0; i < step->n_users; i++) {
        size_t user = (size_t)step->users[i];
        double n = (double)sparse_row_length(&input->train->matrix, user);
        double weight = n > 0.0 ? pow(n, -input->settings->degree_exponent) : 0.0;
        if (batch->own_lists) {
            add_user_pairs(batch, step, i, weight);
        } else {
            add_user_row(batch, user, weight);
        }
    }
done:
    return code;
}

/* Draws an item's co-interaction partners in proportion to their weights; every draw weighs 1. */
static void draw_partners(struct train_batch *batch, struct rng *rng, size_t item)
{
    const struct sparse *pairs = batch->input->item_pairs;
    struct side *side = &batch->item_side;
    int64_t first = pairs->offsets[item], last = pairs->offsets[item + 1];
    double total = 0.0;
    for (int64_t e = first; e < last; e++) {
        total += pairs->values[e];
    }
    for (size_t s = 0; s < batch->input->settings->co_samples; s++) {
        double left = rng_double(rng) * total;
        int64_t e = first;
        while (e + 1 < last && left >= pairs->values[e]) {
            left -= pairs->values[e++];
        }
        row_builder_add(&side->positives, candidate_set_add(&batch->candidates, pairs->columns[e]),
                        1.0f);
        side->total_weight += 1.0;
    }
    row_builder_end_row(&side->positives);
}

/* What an item anchor leaves out of the shared negatives: itself and all its partners. */
static void exclude_partners(struct train_batch *batch, size_t item)
{
    const struct sparse *pairs = batch->input->item_pairs;
    const struct candidate_set *set = &batch->candidates;
    int64_t e = pairs->offsets[item], last = pairs->offsets[item + 1];
    bool self_done = false;
    while (e < last || !self_done) {
        bool take_self = !self_done && (e == last || pairs->columns[e] > (int32_t)item);
        int32_t other = take_self ? (int32_t)item : pairs->columns[e++];
        self_done = self_done || take_self;
        int32_t column = set->every_item ? other : set->column_of[other];
        if (column >= 0 && (size_t)column < set->n_negatives) {
            row_builder_add(&batch->item_side.excluded, column, 0.0f);
        }
    }
    row_builder_end_row(&batch->item_side.excluded);
}

/* The same for a list of its own. */
static void add_partner_list(struct train_batch *batch, struct rng *rng, size_t item)
{
    const int32_t *items = batch->draw_items.data;
    const float *offsets = batch->draw_offsets.data;
    size_t n = draw_list(batch, rng);
    for (size_t j = 0; j < n; j++) {
        if (items[j] != (int32_t)item && !sparse_has(batch->input->item_pairs, item, items[j])) {
            add_listed(batch, &batch->item_side, items[j], offsets[j]);
        }
    }
}

static enum status_code build_item_side(struct train_batch *batch, const struct train_step *step,
                                        struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_input *input = batch->input;
    struct side *side = &batch->item_side;
    side->n = 0;
    side->total_weight = 0.0;
    if (input->settings->co_weight == 0.0) {
        return code;
    }
    size_t samples = input->settings->co_samples, n_partners = 0;
    for (size_t i = 0; i < step->n_items; i++) {
        n_partners += sparse_row_length(input->item_pairs, (size_t)step->items[i]);
    }
    TRY(row_builder_start(&side->positives, step->n_items, step->n_items * samples, status));
    TRY(scratch_reserve(&batch->anchor_columns, step->n_items, sizeof(int32_t), status));
    TRY(row_builder_start(&side->excluded, step->n_items, n_partners + step->n_items, status));
    TRY(row_builder_start(&side->listed, step->n_items,
                          batch->own_lists ? step->n_items * input->negatives->count : 0, status));
    for (size_t i = 0; i < step->n_items; i++) {
        size_t item = (size_t)step->items[i];
        if (sparse_row_length(input->item_pairs, item) == 0) {
            continue;
        }
        struct rng rng;
        rng_init(&rng, input->seed, "train.partners", step->epoch, item);
        ((int32_t *)batch->anchor_columns.data)[side->n] =
            candidate_set_add(&batch->candidates, (int32_t)item);
        draw_partners(batch, &rng, item);
        if (batch->own_lists) {
            add_partner_list(batch, &rng, item);
            row_builder_end_row(&side->listed);
        } else {
            exclude_partners(batch, item);
        }
        side->n++;
    }
done:
    return code;
}

/* Scales the positives of a side so that they weigh `mass` together. A batch of events that decayed
 * to the smallest float can ask for more than a float holds. */
static void scale_weights(struct side *side, double mass)
{
    if (side->total_weight > 0.0) {
        double factor = fmin(mass / side->total_weight, (double)FLT_MAX);
        vec_ops()->scale((float)factor, side->positives.values.data, side->positives.n_entries);
    }
}

/* Unit vectors of the step's users and candidates, and room for their gradients. */
static enum status_code forward_towers(struct train_batch *batch, const struct train_step *step,
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t d = batch->users->dimension, b = step->n_users, m = batch->candidates.n;
    TRY(scratch_reserve(&batch->user_unit, b * d, sizeof(float), status));
    TRY(scratch_reserve(&batch->user_gradient, b * d, sizeof(float), status));
    TRY(scratch_reserve(&batch->user_norms, b, sizeof(float), status));
    TRY(scratch_reserve(&batch->candidate_unit, m * d, sizeof(float), status));
    TRY(scratch_reserve(&batch->candidate_gradient, m * d, sizeof(float), status));
    TRY(scratch_reserve(&batch->candidate_norms, m, sizeof(float), status));
    tower_catch_up(batch->users, step->users, b, step->rate, batch->pool);
    tower_catch_up(batch->items, candidate_set_rows(&batch->candidates), m, step->rate,
                   batch->pool);
    tower_forward(batch->users, step->users, b, batch->user_unit.data, batch->user_norms.data,
                  batch->pool);
    tower_forward(batch->items, candidate_set_rows(&batch->candidates), m,
                  batch->candidate_unit.data, batch->candidate_norms.data, batch->pool);
done:
    return code;
}

/* Runs one contrast; the side's gradient receives dL / d anchors, `candidates` dL / d candidates.
 */
static enum status_code run_side(struct train_batch *batch, struct side *side, const float *anchors,
                                 double temperature, float *candidates,
                                 struct contrast_result *result, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_settings *settings = batch->input->settings;
    size_t d = batch->users->dimension, m = batch->candidates.n;
    TRY(scratch_reserve(&side->gradient, side->n * d, sizeof(float), status));
    struct contrast_settings contrast = {&loss_table[settings->loss], settings->loss_settings,
                                         temperature, settings->strip_bytes};
    struct contrast_batch work = {
        .anchors = const_matrix_of(anchors, side->n, d),
        .candidates = const_matrix_of(batch->candidate_unit.data, m, d),
        .positives = side->positives.matrix,
    };
    if (batch->own_lists) {
        work.listed = side->listed.matrix;
    } else {
        work.n_negatives = batch->candidates.n_negatives;
        work.offsets = batch->candidates.offsets;
        work.excluded = side->excluded.matrix;
    }
    work.positives.n_columns = work.excluded.n_columns = work.listed.n_columns = m;
    result->anchors = matrix_of(side->gradient.data, side->n, d);
    result->candidates = matrix_of(candidates, m, d);
    TRY(contrast_run(batch->contrast, &contrast, &work, batch->pool, result, status));
done:
    return code;
}

/* The user-item contrast: user gradients end in user_gradient. */
static enum status_code run_users(struct train_batch *batch, const struct train_step *step,
                                  struct contrast_result *result, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct side *side = &batch->user_side;
    size_t d = batch->users->dimension;
    const float *anchors = batch->user_unit.data;
    float *out = batch->user_gradient.data;
    const int32_t *pair_user = batch->pair_user.data;
    if (batch->own_lists) {
        TRY(scratch_reserve(&side->unit, side->n * d, sizeof(float), status));
        for (size_t a = 0; a < side->n; a++) {
            memcpy((float *)side->unit.data + a * d, anchors + (size_t)pair_user[a] * d,
                   d * sizeof *anchors);
        }
        anchors = side->unit.data;
    }
    TRY(run_side(batch, side, anchors, batch->input->settings->temperature,
                 batch->candidate_gradient.data, result, status));
    const float *gradient = side->gradient.data;
    if (!batch->own_lists) {
        memcpy(out, gradient, side->n * d * sizeof *out);
    } else {
        memset(out, 0, step->n_users * d * sizeof *out);
        for (size_t a = 0; a < side->n; a++) {
            vec_ops()->axpy(1.0f, gradient + a * d, out + (size_t)pair_user[a] * d, d);
        }
    }
done:
    return code;
}

/* The item-item contrast: both its gradients are added to candidate_gradient. */
static enum status_code run_items(struct train_batch *batch, struct contrast_result *result,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct side *side = &batch->item_side;
    const struct vec_ops *vec = vec_ops();
    size_t d = batch->items->dimension, m = batch->candidates.n;
    const int32_t *columns = batch->anchor_columns.data;
    const float *unit = batch->candidate_unit.data;
    float *total = batch->candidate_gradient.data;
    TRY(scratch_reserve(&side->unit, side->n * d, sizeof(float), status));
    TRY(scratch_reserve(&batch->candidate_addition, m * d, sizeof(float), status));
    for (size_t a = 0; a < side->n; a++) {
        memcpy((float *)side->unit.data + a * d, unit + (size_t)columns[a] * d, d * sizeof *unit);
    }
    TRY(run_side(batch, side, side->unit.data, batch->input->settings->co_temperature,
                 batch->candidate_addition.data, result, status));
    vec->axpy(1.0f, batch->candidate_addition.data, total, m * d);
    for (size_t a = 0; a < side->n; a++) {
        vec->axpy(1.0f, (const float *)side->gradient.data + a * d, total + (size_t)columns[a] * d,
                  d);
    }
done:
    return code;
}

enum status_code train_batch_step(struct train_batch *batch, const struct train_step *step,
                                  struct train_outcome *outcome, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t n = 0;
    struct contrast_result users = {0}, items = {0};
    struct rng rng;
    TRY(gather_positives(batch, step, &n, status));
    rng_init(&rng, batch->input->seed, "train.shared", step->epoch, step->number);
    if (batch->own_lists) {
        candidate_set_clear(&batch->candidates);
    } else {
        candidate_set_draw(&batch->candidates, &batch->sampler, &rng, batch->batch_positives.data,
                           n);
    }
    TRY(build_user_side(batch, step, n, status));
    TRY(build_item_side(batch, step, status));
    scale_weights(&batch->user_side, (double)n);
    scale_weights(&batch->item_side, batch->input->settings->co_weight * (double)n);
    TRY(forward_towers(batch, step, status));
    TRY(run_users(batch, step, &users, status));
    if (batch->item_side.n > 0) {
        TRY(run_items(batch, &items, status));
    }
    tower_backward(batch->users, step->users, step->n_users, batch->user_unit.data,
                   batch->user_norms.data, batch->user_gradient.data, step->rate, batch->pool);
    tower_backward(batch->items, candidate_set_rows(&batch->candidates), batch->candidates.n,
                   batch->candidate_unit.data, batch->candidate_norms.data,
                   batch->candidate_gradient.data, step->rate, batch->pool);
    *outcome = (struct train_outcome){.loss = users.loss + items.loss,
                                      .n_positives = n,
                                      .n_anchors = batch->user_side.n,
                                      .n_empty = users.n_empty};
done:
    return code;
}
