/* The entries of the user-item contrast.
 *
 * Shared negatives: an anchor is a user, all of its positives share its row; hard negatives and
 * dislikes are listed beside the shared ones. Negatives of their own (`shared: false`, or stored
 * ones): an anchor is one (user, positive) pair with its list. */
#include "training/planner.h"

#include <math.h>

static const struct sparse *train_of(const struct planner *planner)
{
    return &planner->input->train->matrix;
}

static void add_listed(struct planner *planner, int32_t item, float offset)
{
    struct step_plan *plan = planner->plan;
    row_builder_add(&plan->user_items.listed, candidate_set_add(&plan->candidates, item), offset);
}

/* Whether `item` may stand among the negatives of the user. */
static bool is_negative_of_user(const struct planner *planner, size_t user, int32_t item)
{
    return !planner->exclude_own || !sparse_has(train_of(planner), user, item);
}

/* What the step asks of the user: with hidden histories the hidden part of the positives. */
static bool is_target(const struct planner *planner, size_t user, int32_t item)
{
    const struct token_source *hiding = planner->hiding;
    return hiding == NULL || token_source_hides(hiding, &planner->plan->view, user, item);
}

/* ---- negatives of an anchor's own ---- */

/* The stored negatives of a user's train entry. */
static void add_stored_list(struct planner *planner, size_t user, int64_t entry)
{
    size_t n = planner->input->n_stored;
    const int32_t *items = planner->input->stored_negatives + (size_t)entry * n;
    for (size_t j = 0; j < n; j++) {
        if (is_negative_of_user(planner, user, items[j])) {
            add_listed(planner, items[j], sampler_offset(&planner->sampler, items[j], n));
        }
    }
}

static void add_drawn_list(struct planner *planner, struct rng *rng, size_t user)
{
    const struct drawn_list drawn = planner_draw(planner, rng);
    for (size_t j = 0; j < drawn.n; j++) {
        if (is_negative_of_user(planner, user, drawn.items[j])) {
            add_listed(planner, drawn.items[j], drawn.offsets[j]);
        }
    }
}

/* Hard negatives and dislikes of a user. */
static void add_user_list(struct planner *planner, size_t user)
{
    const struct trainer_input *input = planner->input;
    const struct hard_negatives *hard = planner->step->hard;
    if (hard != NULL && hard->settings.count > 0) {
        int32_t *items = planner->draw_items;
        size_t n = hard_negatives_draw(hard, input->seed, planner->step->epoch, user,
                                       trainer_user_key(input, user), items);
        for (size_t j = 0; j < n; j++) {
            add_listed(planner, items[j],
                       hard_negatives_offset(hard, &planner->sampler, items[j], n));
        }
    }
    if (input->dislikes != NULL) {
        const struct sparse *m = input->dislikes;
        float offset = (float)log(input->negatives->dislike_weight);
        for (int64_t e = m->offsets[user]; e < m->offsets[user + 1]; e++) {
            add_listed(planner, m->columns[e], offset);
        }
    }
}

/* Entries that the lists of the step's users can have together. */
static size_t listed_room(const struct planner *planner, size_t n_positives)
{
    const struct trainer_input *input = planner->input;
    if (planner->own_lists) {
        size_t each = input->stored_negatives != NULL ? input->n_stored : input->negatives->count;
        return n_positives * each;
    }
    size_t room = planner->step->hard == NULL
                      ? 0
                      : planner->step->n_users * planner->step->hard->settings.count;
    for (size_t i = 0; i < planner->step->n_users && input->dislikes != NULL; i++) {
        room += sparse_row_length(input->dislikes, (size_t)planner->step->users[i]);
    }
    return room;
}

/* ---- rows ---- */

/* What the user leaves out of the shared negatives: own positives, in the order of candidates. */
static void exclude_items(struct planner *planner, size_t user)
{
    const struct candidate_set *set = &planner->plan->candidates;
    const struct sparse *own = train_of(planner);
    int64_t end = planner->exclude_own ? own->offsets[user + 1] : own->offsets[user];
    for (int64_t e = own->offsets[user]; e < end; e++) {
        int32_t item = own->columns[e];
        int32_t column = set->every_item ? item : set->column_of[item];
        if (column >= 0 && (size_t)column < set->n_negatives) {
            row_builder_add(&planner->plan->user_items.excluded, column, 0.0f);
        }
    }
    row_builder_end_row(&planner->plan->user_items.excluded);
}

static double positive_weight(const struct planner *planner, int64_t entry, double user_weight)
{
    const struct sparse *train = train_of(planner);
    return user_weight * (train->values == NULL ? 1.0 : (double)train->values[entry]);
}

/* One user in shared mode: one anchor row with every positive. */
static void add_user_row(struct planner *planner, size_t user, double weight)
{
    const struct sparse *train = train_of(planner);
    struct contrast_entries *entries = &planner->plan->user_items;
    for (int64_t e = train->offsets[user]; e < train->offsets[user + 1]; e++) {
        if (is_target(planner, user, train->columns[e])) {
            double w = positive_weight(planner, e, weight);
            contrast_entries_add(
                entries, candidate_set_add(&planner->plan->candidates, train->columns[e]), w);
        }
    }
    row_builder_end_row(&entries->positives);
    exclude_items(planner, user);
    add_user_list(planner, user);
    row_builder_end_row(&entries->listed);
}

/* One user with lists of its own: an anchor row for each positive. */
static void add_user_pairs(struct planner *planner, size_t index, double weight)
{
    const struct sparse *train = train_of(planner);
    struct contrast_entries *entries = &planner->plan->user_items;
    size_t user = (size_t)planner->step->users[index];
    struct rng rng;
    rng_init(&rng, planner->input->seed, "train.negatives", planner->step->epoch,
             trainer_user_key(planner->input, user));
    for (int64_t e = train->offsets[user]; e < train->offsets[user + 1]; e++) {
        if (!is_target(planner, user, train->columns[e])) {
            continue;
        }
        double w = positive_weight(planner, e, weight);
        entries->places[entries->positives.matrix.n_rows] = (int32_t)index;
        contrast_entries_add(entries,
                             candidate_set_add(&planner->plan->candidates, train->columns[e]), w);
        row_builder_end_row(&entries->positives);
        if (planner->input->stored_negatives != NULL) {
            add_stored_list(planner, user, e);
        } else {
            add_drawn_list(planner, &rng, user);
        }
        row_builder_end_row(&entries->listed);
    }
}

enum status_code planner_add_user_items(struct planner *planner, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct train_step *step = planner->step;
    struct step_plan *plan = planner->plan;
    const struct trainer_input *input = planner->input;
    struct contrast_entries *entries = &plan->user_items;
    size_t n_positives = 0;
    for (size_t i = 0; i < step->n_users; i++) {
        n_positives += sparse_row_length(train_of(planner), (size_t)step->users[i]);
    }
    size_t anchors = planner->own_lists ? n_positives : step->n_users;
    TRY(contrast_entries_start(entries, anchors, n_positives, n_positives,
                               listed_room(planner, n_positives), status));
    for (size_t i = 0; i < step->n_users; i++) {
        size_t user = (size_t)step->users[i];
        double n = (double)sparse_row_length(train_of(planner), user);
        double weight = n > 0.0 ? pow(n, -input->settings->degree_exponent) : 0.0;
        while (entries->n_leaves < step->n_leaves && i == step->leaves[entries->n_leaves + 1]) {
            contrast_entries_end_leaf(entries);
        }
        if (planner->own_lists) {
            add_user_pairs(planner, i, weight);
        } else {
            add_user_row(planner, user, weight);
        }
    }
    while (entries->n_leaves < step->n_leaves) {
        contrast_entries_end_leaf(entries);
    }
    entries->n = entries->positives.matrix.n_rows;
    entries->n_negatives = planner->own_lists ? 0 : plan->candidates.n_negatives;
done:
    return code;
}
