/* The contrasts of one training step, each in a file of its own; train_batch.c puts them together.
 * Seen by these files only. What they are about is in the step's plan (step_plan.h).
 *
 *   user_contrast.c   users against items: the batch's positives and negatives
 *   pair_contrast.c   items against their co-interaction partners
 *   view_contrast.c   two changed looks at the same entity against those of others
 *
 * Losses are scaled so that a positive of the user-item contrast weighs 1 on average, any other
 * contrast as a whole its weight times that: the units of the learning rate do not depend on batch
 * size or weights. */
#ifndef NIGHTJAR_TRAINING_TRAIN_PARTS_H
#define NIGHTJAR_TRAINING_TRAIN_PARTS_H

#include "training/step_plan.h"
#include "training/train_batch.h"

/* One contrast at work. Zero-initialise. */
struct side {
    const struct contrast_entries *entries;
    size_t width;            /* of anchors and candidates: d, or d + 1 with a bias */
    const float *anchors;    /* (n, width), n of the entries */
    const float *candidates; /* (n_candidates, width) */
    size_t n_candidates;
    const float *offsets;                       /* (n_negatives) or NULL */
    const float *thresholds;                    /* (n) or NULL */
    struct scratch anchor_copy;                 /* where anchors are gathered */
    float *anchor_gradient;                     /* (n, width) dL / d anchors */
    float *candidate_gradient;                  /* (n_candidates, width) */
    struct scratch anchor_room, candidate_room; /* for gradients of its own */
};

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
    enum status_code next_code;
    struct status next_status;
    struct contrast *contrast;
    double kernel_seconds;                       /* CPU time of the step's contrasts so far */
    struct encoder_look look;                    /* the look that the main contrasts see */
    struct encoder_look changed[2];              /* those of the view contrast */
    struct tower_pass users, items;              /* of the plan's users and candidates */
    struct scratch user_gradient, item_gradient; /* (rows of these, d): filled by the user-item
                                                    contrast, added to by the others */
    struct side user_side, pair_side, view_side;
    struct contrast_entries views;
    struct scratch wide_items; /* (candidates, d + 1): vectors with the learned bias */
    struct scratch thresholds; /* (anchors) float */
    struct tower_pass view_passes[2];
};

void side_release(struct side *side);
/* Lets the gradients stand in room of the contrast's own, once entries, n_candidates and width are
 * set. */
MUST_CHECK enum status_code side_own_gradients(struct side *side, struct status *status);
/* Runs the contrast; side->anchor_gradient is overwritten, side->candidate_gradient too unless
 * result->adds. */
MUST_CHECK enum status_code side_run(struct train_batch *batch, const struct side *side,
                                     const struct contrast_settings *settings,
                                     struct contrast_result *result, struct status *status);

/* user_contrast.c */
MUST_CHECK enum status_code user_contrast_run(struct train_batch *batch,
                                              const struct train_step *step,
                                              struct train_outcome *outcome, struct status *status);

/* pair_contrast.c, after it: adds to its gradients and to *loss. */
MUST_CHECK enum status_code pair_contrast_run(struct train_batch *batch, double *loss,
                                              struct status *status);

/* view_contrast.c; `mass`: what the user-item contrast's positives weigh together. */
MUST_CHECK enum status_code view_contrast_run(struct train_batch *batch,
                                              const struct train_step *step, double mass,
                                              double *loss, struct status *status);

#endif
