/* The entries of the contrast within the item tower (see pair_contrast.c): which items are anchors,
 * which partners they are drawn with. Anchors and partners are candidates of this step anyway or
 * are added to it; negatives are the step's shared items. */
#include "training/planner.h"

/* Draws an item's partners in proportion to their weights; every draw weighs 1. */
static void draw_partners(struct planner *planner, struct rng *rng, size_t item)
{
    const struct sparse *pairs = planner->input->item_pairs;
    struct contrast_entries *entries = &planner->plan->item_pairs;
    int64_t first = pairs->offsets[item], last = pairs->offsets[item + 1];
    double total = 0.0;
    for (int64_t e = first; e < last; e++) {
        total += pairs->values[e];
    }
    for (size_t s = 0; s < planner->input->settings->co_items.samples; s++) {
        double left = rng_double(rng) * total;
        int64_t e = first;
        while (e + 1 < last && left >= pairs->values[e]) {
            left -= pairs->values[e++];
        }
        contrast_entries_add(entries,
                             candidate_set_add(&planner->plan->candidates, pairs->columns[e]), 1.0);
    }
    row_builder_end_row(&entries->positives);
}

/* What an anchor leaves out of the shared negatives: itself and all its partners. */
static void exclude_partners(struct planner *planner, size_t item)
{
    struct contrast_entries *entries = &planner->plan->item_pairs;
    const struct candidate_set *set = &planner->plan->candidates;
    const struct sparse *pairs = planner->input->item_pairs;
    struct row_builder *excluded = &entries->excluded;
    size_t first = excluded->n_entries;
    for (int64_t e = pairs->offsets[item] - 1; e < pairs->offsets[item + 1]; e++) {
        int32_t left_out = e < pairs->offsets[item] ? (int32_t)item : pairs->columns[e];
        int32_t column = set->every_item ? left_out : set->column_of[left_out];
        if (column >= 0 && (size_t)column < entries->n_negatives) {
            row_builder_add(excluded, column, 0.0f);
        }
    }
    columns_sort(excluded->matrix.columns + first, excluded->n_entries - first);
    row_builder_end_row(excluded);
}

/* Negatives drawn for one item alone. */
static void add_partner_list(struct planner *planner, struct rng *rng, size_t item)
{
    const struct drawn_list drawn = planner_draw(planner, rng);
    const struct sparse *pairs = planner->input->item_pairs;
    struct row_builder *listed = &planner->plan->item_pairs.listed;
    for (size_t j = 0; j < drawn.n; j++) {
        if (drawn.items[j] != (int32_t)item && !sparse_has(pairs, item, drawn.items[j])) {
            row_builder_add(listed, candidate_set_add(&planner->plan->candidates, drawn.items[j]),
                            drawn.offsets[j]);
        }
    }
    row_builder_end_row(listed);
}

enum status_code planner_add_pairs(struct planner *planner, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_input *input = planner->input;
    const struct pair_contrast_settings *settings = &input->settings->co_items;
    const struct train_step *step = planner->step;
    struct step_plan *plan = planner->plan;
    struct contrast_entries *entries = &plan->item_pairs;
    size_t n = step->n_items, n_partners = 0;
    entries->n = 0;
    if (!(settings->weight > 0.0)) {
        return code;
    }
    entries->n_negatives = planner->own_lists ? 0 : plan->candidates.n_negatives;
    for (size_t i = 0; i < n; i++) {
        n_partners += sparse_row_length(input->item_pairs, (size_t)step->items[i]);
    }
    TRY(contrast_entries_start(entries, n, n * settings->samples, n_partners + n,
                               planner->own_lists ? n * input->negatives->count : 0, status));
    for (size_t i = 0; i < n; i++) {
        size_t item = (size_t)step->items[i];
        while (entries->n_leaves < step->n_leaves &&
               i == step->item_leaves[entries->n_leaves + 1]) {
            contrast_entries_end_leaf(entries);
        }
        if (sparse_row_length(input->item_pairs, item) == 0) {
            continue;
        }
        struct rng rng;
        rng_init(&rng, input->seed, "train.partners", step->epoch, item);
        entries->places[entries->n++] = candidate_set_add(&plan->candidates, (int32_t)item);
        draw_partners(planner, &rng, item);
        if (planner->own_lists) {
            add_partner_list(planner, &rng, item);
        } else {
            exclude_partners(planner, item);
            row_builder_end_row(&entries->listed);
        }
    }
    while (entries->n_leaves < step->n_leaves) {
        contrast_entries_end_leaf(entries);
    }
done:
    return code;
}
