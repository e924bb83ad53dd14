/* One contrast at work: anchors and candidates with their entries, through the kernel, to their
 * gradients. */
#ifndef NIGHTJAR_TRAINING_TRAIN_SIDE_H
#define NIGHTJAR_TRAINING_TRAIN_SIDE_H

#include "contrast/contrast.h"
#include "training/contrast_entries.h"
#include "training/train_step.h"

/* Zero-initialise. */
struct side {
    const struct contrast_entries *entries;
    size_t width;            /* of anchors and candidates: d, or d + 1 with a bias */
    const float *anchors;    /* (n, width), n of the entries */
    const float *candidates; /* (n_candidates, width) */
    size_t n_candidates;
    const float *offsets;      /* (n_negatives) or NULL */
    const float *thresholds;   /* (n) or NULL */
    const float *high_offset;  /* see contrast_batch.h */
    float *anchor_gradient;    /* (n, width) dL / d anchors */
    float *candidate_gradient; /* (n_candidates, width) */
    /* of what the contrast does not take as it is elsewhere; the pointers above may lead here */
    struct workspace workspace;
    float *own_anchors, *own_candidates, *own_thresholds;
};

/* Names room for gradients of the side's own, once entries, n_candidates and width are set. */
void side_gradients_memory(struct side *side);
/* Runs the contrast: adds loss and CPU time to the outcome; side->anchor_gradient is overwritten,
 * side->candidate_gradient too unless result->adds. */
MUST_CHECK enum status_code side_run(const struct side *side, struct contrast *contrast,
                                     const struct contrast_settings *settings, struct pool *pool,
                                     struct contrast_result *result, struct train_outcome *outcome,
                                     struct status *status);

#endif
