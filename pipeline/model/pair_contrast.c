/* Contrasts within one tower: an item against the items that it is interacted with together, a user
 * against the users of the same items. Anchors and partners are rows that have a vector in this
 * step anyway or get one; negatives are those of the step: its shared items, its users. */
#include "model/train_parts.h"

#include "math/vec.h"

#include <math.h>

/* One of the two. */
struct pair_task {
    struct side *side;
    const struct pair_contrast_settings *settings;
    const struct sparse *pairs; /* (n_entities, n_entities) */
    bool is_items;
    const char *stream;
};

static int32_t place_of(struct train_batch *batch, const struct pair_task *task, int32_t entity)
{
    return task->is_items ? candidate_set_add(&batch->candidates, entity)
                          : row_set_add(&batch->user_set, entity);
}

/* Where the entity stands now, -1: nowhere. */
static int32_t known_place(const struct train_batch *batch, const struct pair_task *task,
                           int32_t entity)
{
    if (task->is_items) {
        return batch->candidates.every_item ? entity : batch->candidates.column_of[entity];
    }
    return batch->user_set.place_of[entity];
}

/* Draws an entity's partners in proportion to their weights; every draw weighs 1. */
static void draw_partners(struct train_batch *batch, const struct pair_task *task, struct rng *rng,
                          size_t entity)
{
    const struct sparse *pairs = task->pairs;
    int64_t first = pairs->offsets[entity], last = pairs->offsets[entity + 1];
    double total = 0.0;
    for (int64_t e = first; e < last; e++) {
        total += pairs->values[e];
    }
    for (size_t s = 0; s < task->settings->samples; s++) {
        double left = rng_double(rng) * total;
        int64_t e = first;
        while (e + 1 < last && left >= pairs->values[e]) {
            left -= pairs->values[e++];
        }
        row_builder_add(&task->side->positives, place_of(batch, task, pairs->columns[e]), 1.0f);
        task->side->total_weight += 1.0;
    }
    row_builder_end_row(&task->side->positives);
}

static int ascending(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* What an anchor leaves out of the shared negatives: itself and all its partners. */
static void exclude_partners(struct train_batch *batch, const struct pair_task *task, size_t entity)
{
    struct row_builder *excluded = &task->side->excluded;
    const struct sparse *pairs = task->pairs;
    size_t first = excluded->n_entries;
    for (int64_t e = pairs->offsets[entity] - 1; e < pairs->offsets[entity + 1]; e++) {
        bool itself = e < pairs->offsets[entity];
        int32_t place = known_place(batch, task, itself ? (int32_t)entity : pairs->columns[e]);
        if (place >= 0 && (size_t)place < task->side->n_negatives) {
            row_builder_add(excluded, place, 0.0f);
        }
    }
    /* users stand in the order of the batch, so their places do not ascend by themselves */
    qsort(excluded->matrix.columns + first, excluded->n_entries - first, sizeof(int32_t),
          ascending);
    row_builder_end_row(excluded);
}

/* Negatives drawn for one item alone. */
static void add_partner_list(struct train_batch *batch, const struct pair_task *task,
                             struct rng *rng, size_t item)
{
    size_t n = batch->input->negatives->count;
    const int32_t *items = batch->draw_items.data;
    const float *offsets = batch->draw_offsets.data;
    sampler_draw_each(&batch->sampler, rng, n, batch->draw_items.data, batch->draw_offsets.data);
    for (size_t j = 0; j < n; j++) {
        if (items[j] != (int32_t)item && !sparse_has(task->pairs, item, items[j])) {
            row_builder_add(&task->side->listed, place_of(batch, task, items[j]), offsets[j]);
        }
    }
    row_builder_end_row(&task->side->listed);
}

static enum status_code build(struct train_batch *batch, const struct train_step *step,
                              const struct pair_task *task, const int32_t *anchors, size_t n,
                              struct status *status)
{
    enum status_code code = STATUS_OK;
    struct side *side = task->side;
    bool own_lists = task->is_items && batch->own_lists;
    size_t n_partners = 0;
    side->n_negatives = !task->is_items ? step->n_users
                        : own_lists     ? 0
                                        : batch->candidates.n_negatives;
    for (size_t i = 0; i < n; i++) {
        n_partners += sparse_row_length(task->pairs, (size_t)anchors[i]);
    }
    TRY(side_start(side, n, n * task->settings->samples, n_partners + n,
                   own_lists ? n * batch->input->negatives->count : 0, status));
    TRY(scratch_reserve(&side->places, n, sizeof(int32_t), status));
    int32_t *places = side->places.data;
    for (size_t i = 0; i < n; i++) {
        size_t entity = (size_t)anchors[i];
        if (sparse_row_length(task->pairs, entity) == 0) {
            continue;
        }
        struct rng rng;
        rng_init(&rng, batch->input->seed, task->stream, step->epoch, entity);
        places[side->n++] = place_of(batch, task, (int32_t)entity);
        draw_partners(batch, task, &rng, entity);
        if (own_lists) {
            add_partner_list(batch, task, &rng, entity);
        } else {
            exclude_partners(batch, task, entity);
            row_builder_end_row(&side->listed);
        }
    }
done:
    return code;
}

static struct pair_task task_of(struct train_batch *batch, bool is_items)
{
    const struct trainer_input *input = batch->input;
    return (struct pair_task){
        .side = is_items ? &batch->item_pairs : &batch->user_pairs,
        .settings = is_items ? &input->settings->co_items : &input->settings->co_users,
        .pairs = is_items ? input->item_pairs : input->user_pairs,
        .is_items = is_items,
        .stream = is_items ? "train.partners" : "train.user_partners",
    };
}

enum status_code pair_contrast_build(struct train_batch *batch, const struct train_step *step,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_settings *settings = batch->input->settings;
    struct pair_task items = task_of(batch, true), users = task_of(batch, false);
    batch->item_pairs.n = batch->user_pairs.n = 0;
    if (settings->co_items.weight > 0.0) {
        TRY(build(batch, step, &items, step->items, step->n_items, status));
    }
    if (settings->co_users.weight > 0.0) {
        /* the batch is a random part of the users, so its first ones are a random part, too */
        size_t n = (size_t)ceil(settings->co_users.share * (double)step->n_users);
        TRY(build(batch, step, &users, step->users, n, status));
    }
done:
    return code;
}

/* Adds the gradients of the anchors to those of the tower's rows. */
static void scatter(const struct side *side, float *total, const int32_t *places)
{
    const struct vec_ops *vec = vec_ops();
    size_t d = side->width;
    for (size_t a = 0; a < side->n; a++) {
        vec->axpy(1.0f, side->anchor_gradient + a * d, total + (size_t)places[a] * d, d);
    }
}

static enum status_code run(struct train_batch *batch, const struct pair_task *task, double mass,
                            double *loss, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct side *side = task->side;
    struct contrast_result result = {.adds = true};
    struct contrast_settings contrast = {
        .loss = &loss_table[0], /* softmax */
        .loss_settings = {.denominators = DENOMINATORS_DECOUPLED, .t2 = 1.0},
        .temperature = task->settings->temperature,
        .strip_bytes = batch->input->settings->strip_bytes};
    if (side->n == 0) {
        return code;
    }
    const float *unit = task->is_items ? batch->items.unit.data : batch->users.unit.data;
    const int32_t *places = side->places.data;
    side->width = batch->encoder->towers[SIDE_ITEMS].dimension;
    side->candidates = unit;
    side->n_candidates = task->is_items ? batch->candidates.n : batch->user_set.n;
    side->offsets = task->is_items ? batch->candidates.offsets : NULL;
    side_scale_weights(side, task->settings->weight * mass);
    TRY(scratch_reserve(&side->anchor_copy, side->n * side->width, sizeof(float), status));
    float *anchors = side->anchor_copy.data;
    for (size_t a = 0; a < side->n; a++) {
        memcpy(anchors + a * side->width, unit + (size_t)places[a] * side->width,
               side->width * sizeof *unit);
    }
    side->anchors = anchors;
    float *total = task->is_items ? batch->item_gradient.data : batch->user_gradient.data;
    TRY(scratch_reserve(&side->anchor_room, side->n * side->width, sizeof(float), status));
    side->anchor_gradient = side->anchor_room.data;
    side->candidate_gradient = total;
    TRY(side_run(batch, side, &contrast, &result, status));
    scatter(side, total, places);
    *loss += result.loss;
done:
    return code;
}

enum status_code pair_contrast_run(struct train_batch *batch, double mass, double *loss,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    struct pair_task items = task_of(batch, true), users = task_of(batch, false);
    TRY(run(batch, &items, mass, loss, status));
    TRY(run(batch, &users, mass, loss, status));
done:
    return code;
}
