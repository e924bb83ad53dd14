/* One step of training the tower that reads sequences: the places of some users, each asked for
 * what comes next, against the items drawn for all of them. */
#ifndef NIGHTJAR_SEQUENCE_SEQUENCE_STEP_H
#define NIGHTJAR_SEQUENCE_SEQUENCE_STEP_H

#include "contrast/contrast.h"
#include "math/row_builder.h"
#include "negatives/candidate_set.h"
#include "sequence/sequence_pass.h"

/* Logits between two questions whether to stop: half a second of a core's work. */
enum { SEQUENCE_PART_ENTRIES = 1 << 26 };

/* What is borrowed must outlive it. Zero-initialise. */
struct sequence_step {
    const struct sequence_settings *settings;
    const struct sequences *sequences;
    struct sequence_model *model;
    struct pool *pool;
    struct sampler sampler;
    struct candidate_set candidates;
    struct contrast *contrast;
    const struct watch *watch;
    size_t strip_bytes;
    const uint64_t *user_keys; /* see sequence_places.h */
    size_t part_entries;       /* SEQUENCE_PART_ENTRIES */
    struct sequence_places places;
    struct sequence_pass pass;
    struct workspace workspace;
    int32_t *next_items;                     /* what is asked for, with repeats */
    int64_t *anchors;                        /* (n_anchors) their places */
    struct row_builder positives, excluded;  /* (n_anchors, n_candidates) */
    int64_t *part_offsets[2];                /* (n_anchors + 1) of some of their rows */
    float *anchor_vectors, *anchor_gradient; /* (n_anchors, d) */
    float *item_vectors, *item_gradient;     /* (n_candidates, d) */
    float *item_scales;                      /* (n_candidates) 1 / length */
    float *gradient;                         /* (n places, d) */
};

/* item_counts (n_items): how often each is drawn by popularity. strip_bytes (contrast.h), user_keys
 * and watch, which is asked within a step whether to stop (NULL: nobody), are the caller's to set.
 * After an error sequence_step_release is due, too. */
MUST_CHECK enum status_code sequence_step_init(struct sequence_step *step,
                                               const struct sequence_settings *settings,
                                               const struct sequences *sequences,
                                               const struct negative_settings *negatives,
                                               const int64_t *item_counts, size_t n_items,
                                               struct sequence_model *model, struct pool *pool,
                                               struct status *status);
void sequence_step_release(struct sequence_step *step);

/* What a step measures. */
struct sequence_outcome {
    double loss;        /* sum over what was asked for */
    double n_positives; /* how much that is */
    struct contrast_diagnostics diagnostics;
};

/* Gathers the gradients; sequence_model_step then moves. users (n_users): each with a step. */
MUST_CHECK enum status_code sequence_step_gradients(struct sequence_step *step,
                                                    const int32_t *users, size_t n_users,
                                                    const struct sequence_noise *noise, double rate,
                                                    bool diagnose, struct sequence_outcome *outcome,
                                                    struct status *status);

#endif
