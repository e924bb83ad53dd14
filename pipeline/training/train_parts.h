/* The contrasts of one training step, each in a file of its own; train_batch.c puts them together.
 * Seen by these files only. What they are about is in the step's plan (step_plan.h).
 *
 *   user_contrast.c   users against items: the batch's positives and negatives
 *   pair_contrast.c   items against their co-interaction partners
 *   view_contrast.c   two changed views of the same entity against those of others
 *
 * Losses are scaled so that a positive of the user-item contrast weighs 1 on average, any other
 * contrast as a whole its weight times that: the units of the learning rate do not depend on batch
 * size or weights. */
#ifndef NIGHTJAR_TRAINING_TRAIN_PARTS_H
#define NIGHTJAR_TRAINING_TRAIN_PARTS_H

#include "training/item_rows.h"
#include "training/step_plan.h"
#include "training/train_side.h"

enum { N_PLANS = 2 }; /* of this step and of the next one */

struct train_batch {
    const struct trainer_input *input;
    struct encoder *encoder;
    struct pool *pool;
    struct planner planner;
    struct step_plan plans[N_PLANS];
    struct step_plan *plan; /* of this step */
    /* the plan that is made beside the kernel, NULL: none; of which step, and how that went */
    struct step_plan *next_plan;
    const struct train_step *next; /* the caller's, while its call lasts */
    struct status next_status;
    bool is_next_made;
    struct ranks_bytes positives; /* of all ranks, of the step that is planned */
    struct contrast *contrast;
    struct encoder_view view;       /* what the main contrasts see */
    struct encoder_view changed[2]; /* those of the view contrast */
    struct tower_pass users;        /* of the plan's users */
    struct item_rows *items;        /* of its candidates; the caller's */
    struct workspace workspace;
    /* (users, d), (candidates, d): filled by the user-item contrast, added to by the others, unless
       the items' rows are spread */
    float *user_gradient, *item_gradient;
    float *pair_gradient; /* (candidates, d) of the pair contrast, where they are */
    struct side user_side, pair_side, view_side;
    struct contrast_entries views;
    struct tower_pass view_passes[2];
};

/* user_contrast.c */
MUST_CHECK enum status_code user_contrast_run(struct train_batch *batch,
                                              const struct train_step *step,
                                              struct train_outcome *outcome, struct status *status);

/* pair_contrast.c, after it: adds to its gradients. */
MUST_CHECK enum status_code pair_contrast_run(struct train_batch *batch,
                                              struct train_outcome *outcome, struct status *status);

/* view_contrast.c, after it: takes its weight from outcome->n_positives. */
MUST_CHECK enum status_code view_contrast_run(struct train_batch *batch,
                                              const struct train_step *step,
                                              struct train_outcome *outcome, struct status *status);

#endif
