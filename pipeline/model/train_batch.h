/* One step of training: assembles a batch (anchors, candidates, positives, exclusions), runs its
 * contrasts and moves the towers. trainer.c owns the epochs around it. */
#ifndef NIGHTJAR_MODEL_TRAIN_BATCH_H
#define NIGHTJAR_MODEL_TRAIN_BATCH_H

#include "model/encoder.h"
#include "model/hard_negatives.h"
#include "model/trainer.h"

struct train_batch;

/* `encoder` is borrowed and moved by every step. The sampler is made from the input's negatives. */
MUST_CHECK enum status_code train_batch_new(const struct trainer_input *input,
                                            struct encoder *encoder, struct pool *pool,
                                            struct train_batch **out, struct status *status);
void train_batch_free(struct train_batch *batch); /* NULL allowed */

/* Before the first step of an epoch. */
void train_batch_start_epoch(struct train_batch *batch);

struct train_step {
    const int32_t *users; /* (n_users) distinct rows */
    size_t n_users;
    const int32_t *items; /* (n_items) distinct anchors of the item-item and view contrasts */
    size_t n_items;
    uint64_t epoch, number; /* of the batch in the epoch: they key the random streams */
    double rate, temperature;
    const float *user_temperatures;    /* (all users) tau_u; NULL: `temperature` for all */
    const struct hard_negatives *hard; /* NULL: none */
    bool diagnose;
};

struct train_outcome {
    double loss;        /* sum over positives, of all contrasts */
    size_t n_positives; /* of the step's users */
    size_t n_anchors;   /* of the user-item contrast: users, or positives with lists of their own */
    size_t n_empty;     /* anchors that had no negative */
    double scale_slope; /* dL / d(1/temperature) of the user-item contrast */
    double kernel_seconds; /* CPU time of the contrasts, all threads: for benchmarks */
    struct contrast_diagnostics diagnostics; /* of the user-item contrast, when asked for */
};

/* `next`, when it is not NULL, is the step of the next call: its rows are drawn beside the work on
 * this one, so of it users, items, epoch, number and hard must be known already. */
MUST_CHECK enum status_code train_batch_step(struct train_batch *batch,
                                             const struct train_step *step,
                                             const struct train_step *next,
                                             struct train_outcome *outcome, struct status *status);

#endif
