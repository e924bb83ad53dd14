/* What makes the plans of a training's steps, and how a plan is laid out. The candidates and the
 * order of things are in step_plan.h; the entries of each contrast in a file of its own. Seen by
 * step_plan.h and these files only. */
#ifndef NIGHTJAR_TRAINING_PLANNER_H
#define NIGHTJAR_TRAINING_PLANNER_H

#include "negatives/candidate_set.h"
#include "towers/encoder.h"
#include "training/contrast_entries.h"
#include "training/train_step.h"
#include "training/trainer_input.h"

/* Zero-initialise; step_plan_init before use. */
struct step_plan {
    struct view view;                /* what the main contrasts see */
    struct candidate_set candidates; /* items of the step */
    struct contrast_entries user_items, item_pairs;
    double n_positives; /* of the step, over all ranks; when it has been weighed */
};

/* What makes plans, one after the other and in the order of the steps. */
struct planner {
    const struct trainer_input *input;
    const struct token_source *hiding; /* users' histories of which a step hides a part; or NULL */
    struct sampler sampler;
    bool own_lists; /* negatives per positive instead of shared ones */
    bool exclude_own;
    struct workspace workspace;
    int32_t *positives; /* items of the batch's positives, with repeats: of this rank, or of all */
    size_t n_positives;
    int32_t *draw_items; /* room for the draws of one anchor */
    float *draw_offsets;
    /* while it makes one */
    struct step_plan *plan;
    const struct train_step *step;
};

/* The sampler is made from the input's negatives. `user_tower` is borrowed. */
MUST_CHECK enum status_code planner_init(struct planner *planner, const struct trainer_input *input,
                                         const struct tower *user_tower, size_t n_items,
                                         struct status *status);
void planner_release(struct planner *planner);

/* Whether the shared negatives of a step depend on its positives. */
bool planner_takes_positives(const struct planner *planner);
/* planner->positives: of the step's users, in order; and room for draws. Before step_plan_make. */
MUST_CHECK enum status_code planner_own_positives(struct planner *planner,
                                                  const struct train_step *step,
                                                  struct status *status);

/* Negatives drawn for one anchor, until the next draw. */
struct drawn_list {
    size_t n;
    const int32_t *items;
    const float *offsets;
};
struct drawn_list planner_draw(struct planner *planner, struct rng *rng);

/* planner_user_items.c */
MUST_CHECK enum status_code planner_add_user_items(struct planner *planner, struct status *status);
/* planner_pairs.c, after it: adds anchors and partners to the candidates. */
MUST_CHECK enum status_code planner_add_pairs(struct planner *planner, struct status *status);

#endif
