/* The contrasts of one training step, each in a file of its own; train_batch.c puts them together.
 * Seen by these files only.
 *
 *   user_contrast.c   users against items: the batch's positives and negatives
 *   pair_contrast.c   items against their co-interaction partners, users against theirs
 *   view_contrast.c   two changed looks at the same entity against those of others
 *
 * Losses are scaled so that a positive of the user-item contrast weighs 1 on average, any other
 * contrast as a whole its weight times that: the units of the learning rate do not depend on batch
 * size or weights. */
#ifndef NIGHTJAR_MODEL_TRAIN_PARTS_H
#define NIGHTJAR_MODEL_TRAIN_PARTS_H

#include "model/candidate_set.h"
#include "model/encoder.h"
#include "model/row_builder.h"
#include "model/train_batch.h"

/* One contrast: its anchors and their entries. Zero-initialise. */
struct side {
    size_t n;                /* anchors */
    size_t width;            /* of anchors and candidates: d, or d + 1 with a bias */
    const float *anchors;    /* (n, width) */
    const float *candidates; /* (n_candidates, width) */
    size_t n_candidates;
    size_t n_negatives;                         /* shared: candidates [0, n_negatives) */
    const float *offsets;                       /* (n_negatives) or NULL */
    const float *thresholds;                    /* (n) or NULL */
    struct scratch anchor_copy;                 /* where anchors are gathered */
    float *anchor_gradient;                     /* (n, width) dL / d anchors */
    float *candidate_gradient;                  /* (n_candidates, width) */
    struct scratch anchor_room, candidate_room; /* for gradients of its own */
    struct scratch places; /* (n) int32: where the anchors of a pair contrast stand */
    struct row_builder positives, excluded, listed;
    double total_weight;
};

/* Entities of one tower that stand in a contrast, each once. Zero-initialise. */
struct row_set {
    size_t n;
    int32_t *place_of; /* (n_entities) or -1 */
    int32_t *rows;     /* (n), room for n_entities */
};

struct train_batch {
    const struct trainer_input *input;
    struct encoder *encoder;
    struct pool *pool;
    struct sampler sampler;
    struct candidate_set candidates; /* items of the step */
    struct row_set user_set;         /* the step's users, then partners of theirs */
    struct contrast *contrast;
    double kernel_seconds; /* CPU time of the step's contrasts so far */
    bool own_lists;        /* negatives per positive instead of shared ones */
    bool exclude_own;
    struct encoder_look look;                    /* the look that the main contrasts see */
    struct encoder_look changed[2];              /* those of the view contrast */
    struct tower_pass users, items;              /* of user_set and candidates */
    struct scratch user_gradient, item_gradient; /* (rows of these, d): filled by the user-item
                                                    contrast, added to by the others */
    struct side user_side, item_pairs, user_pairs, views;
    struct scratch batch_positives; /* int32: items of the batch's positives, with repeats */
    struct scratch pair_user;       /* int32: own lists: the step's user of each anchor */
    struct scratch draw_items, draw_offsets;
    struct scratch wide_items; /* (candidates, d + 1): vectors with the learned bias */
    struct scratch thresholds; /* (anchors) float */
    struct tower_pass view_passes[2];
};

void side_release(struct side *side);
/* Empties it and makes room for the entries of n_anchors rows. */
MUST_CHECK enum status_code side_start(struct side *side, size_t n_anchors, size_t positives,
                                       size_t excluded, size_t listed, struct status *status);
/* Scales the positives so that they weigh `mass` together. */
void side_scale_weights(struct side *side, double mass);
/* Lets the gradients stand in room of the contrast's own, once n, n_candidates and width are set.
 */
MUST_CHECK enum status_code side_own_gradients(struct side *side, struct status *status);
/* Runs the contrast; side->anchor_gradient and side->candidate_gradient are overwritten. */
MUST_CHECK enum status_code side_run(struct train_batch *batch, struct side *side,
                                     const struct contrast_settings *settings,
                                     struct contrast_result *result, struct status *status);

/* The place of a row, added behind the others when it is new. */
int32_t row_set_add(struct row_set *set, int32_t row);

/* user_contrast.c */
MUST_CHECK enum status_code user_contrast_build(struct train_batch *batch,
                                                const struct train_step *step, size_t n_positives,
                                                struct status *status);
MUST_CHECK enum status_code user_contrast_run(struct train_batch *batch,
                                              const struct train_step *step,
                                              struct train_outcome *outcome, struct status *status);

/* pair_contrast.c: build adds anchors and partners to the batch's rows, run follows when they have
 * vectors. */
MUST_CHECK enum status_code pair_contrast_build(struct train_batch *batch,
                                                const struct train_step *step,
                                                struct status *status);
/* `mass`: what the user-item contrast's positives weigh together. */
MUST_CHECK enum status_code pair_contrast_run(struct train_batch *batch, double mass, double *loss,
                                              struct status *status);

/* view_contrast.c */
MUST_CHECK enum status_code view_contrast_run(struct train_batch *batch,
                                              const struct train_step *step, double mass,
                                              double *loss, struct status *status);

#endif
