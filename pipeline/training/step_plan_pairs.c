/* The entries of the contrasts within one tower (see pair_contrast.c): which entities are anchors,
 * which partners they are drawn with. Anchors and partners are rows that stand in this step anyway
 * or are added to it; negatives are those of the step: its shared items, its users. */
#include "training/step_plan.h"

#include <math.h>

/* One of the two contrasts. */
struct pair_task {
    struct contrast_entries *entries;
    const struct pair_contrast_settings *settings;
    const struct sparse *pairs; /* (n_entities, n_entities) */
    bool is_items;
    const char *stream;
};

static int32_t place_of(struct planner *planner, const struct pair_task *task, int32_t entity)
{
    return task->is_items ? candidate_set_add(&planner->plan->candidates, entity)
                          : row_set_add(&planner->plan->users, entity);
}

/* Where the entity stands now, -1: nowhere. */
static int32_t known_place(const struct planner *planner, const struct pair_task *task,
                           int32_t entity)
{
    const struct step_plan *plan = planner->plan;
    if (task->is_items) {
        return plan->candidates.every_item ? entity : plan->candidates.column_of[entity];
    }
    return plan->users.place_of[entity];
}

/* Draws an entity's partners in proportion to their weights; every draw weighs 1. */
static void draw_partners(struct planner *planner, const struct pair_task *task, struct rng *rng,
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
        row_builder_add(&task->entries->positives, place_of(planner, task, pairs->columns[e]),
                        1.0f);
        task->entries->total_weight += 1.0;
    }
    row_builder_end_row(&task->entries->positives);
}

/* What an anchor leaves out of the shared negatives: itself and all its partners. */
static void exclude_partners(struct planner *planner, const struct pair_task *task, size_t entity)
{
    struct row_builder *excluded = &task->entries->excluded;
    const struct sparse *pairs = task->pairs;
    size_t first = excluded->n_entries;
    for (int64_t e = pairs->offsets[entity] - 1; e < pairs->offsets[entity + 1]; e++) {
        bool itself = e < pairs->offsets[entity];
        int32_t place = known_place(planner, task, itself ? (int32_t)entity : pairs->columns[e]);
        if (place >= 0 && (size_t)place < task->entries->n_negatives) {
            row_builder_add(excluded, place, 0.0f);
        }
    }
    /* users stand in the order of the batch, so their places do not ascend by themselves */
    columns_sort(excluded->matrix.columns + first, excluded->n_entries - first);
    row_builder_end_row(excluded);
}

/* Negatives drawn for one item alone. */
static void add_partner_list(struct planner *planner, const struct pair_task *task, struct rng *rng,
                             size_t item)
{
    const struct drawn_list drawn = planner_draw(planner, rng);
    for (size_t j = 0; j < drawn.n; j++) {
        if (drawn.items[j] != (int32_t)item && !sparse_has(task->pairs, item, drawn.items[j])) {
            row_builder_add(&task->entries->listed, place_of(planner, task, drawn.items[j]),
                            drawn.offsets[j]);
        }
    }
    row_builder_end_row(&task->entries->listed);
}

static enum status_code plan_pairs(struct planner *planner, const struct pair_task *task,
                                   const int32_t *anchors, size_t n, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct contrast_entries *entries = task->entries;
    bool own_lists = task->is_items && planner->own_lists;
    size_t n_partners = 0;
    entries->n_negatives = !task->is_items ? planner->step->n_users
                           : own_lists     ? 0
                                           : planner->plan->candidates.n_negatives;
    for (size_t i = 0; i < n; i++) {
        n_partners += sparse_row_length(task->pairs, (size_t)anchors[i]);
    }
    TRY(contrast_entries_start(entries, n, n * task->settings->samples, n_partners + n,
                               own_lists ? n * planner->input->negatives->count : 0, status));
    TRY(scratch_reserve(&entries->places, n, sizeof(int32_t), status));
    int32_t *places = entries->places.data;
    for (size_t i = 0; i < n; i++) {
        size_t entity = (size_t)anchors[i];
        if (sparse_row_length(task->pairs, entity) == 0) {
            continue;
        }
        struct rng rng;
        rng_init(&rng, planner->input->seed, task->stream, planner->step->epoch, entity);
        places[entries->n++] = place_of(planner, task, (int32_t)entity);
        draw_partners(planner, task, &rng, entity);
        if (own_lists) {
            add_partner_list(planner, task, &rng, entity);
        } else {
            exclude_partners(planner, task, entity);
            row_builder_end_row(&entries->listed);
        }
    }
    contrast_entries_scale(entries, task->settings->weight *
                                        (double)planner->plan->user_items.positives.n_entries);
done:
    return code;
}

static struct pair_task task_of(const struct planner *planner, bool is_items)
{
    const struct trainer_input *input = planner->input;
    struct step_plan *plan = planner->plan;
    return (struct pair_task){
        .entries = is_items ? &plan->item_pairs : &plan->user_pairs,
        .settings = is_items ? &input->settings->co_items : &input->settings->co_users,
        .pairs = is_items ? input->item_pairs : input->user_pairs,
        .is_items = is_items,
        .stream = is_items ? "train.partners" : "train.user_partners",
    };
}

enum status_code step_plan_pairs(struct planner *planner, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct train_step *step = planner->step;
    struct step_plan *plan = planner->plan;
    const struct pair_task items = task_of(planner, true), users = task_of(planner, false);
    plan->item_pairs.n = plan->user_pairs.n = 0;
    if (items.settings->weight > 0.0) {
        TRY(plan_pairs(planner, &items, step->items, step->n_items, status));
    }
    if (users.settings->weight > 0.0) {
        /* the batch is a random part of the users, so its first ones are a random part, too */
        size_t n = (size_t)ceil(users.settings->share * (double)step->n_users);
        TRY(plan_pairs(planner, &users, step->users, n, status));
    }
done:
    return code;
}
