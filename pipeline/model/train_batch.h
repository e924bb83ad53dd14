/* One step of training: assembles a batch (anchors, candidates, positives, exclusions), runs its
 * contrasts and moves the towers. trainer.c owns the epochs around it. */
#ifndef NIGHTJAR_MODEL_TRAIN_BATCH_H
#define NIGHTJAR_MODEL_TRAIN_BATCH_H

#include "model/trainer.h"

struct train_batch;

/* `users` and `items` are borrowed and moved by every step. The sampler is made from the input's
 * negatives. */
MUST_CHECK enum status_code train_batch_new(const struct trainer_input *input, struct tower *users,
                                            struct tower *items, struct pool *pool,
                                            struct train_batch **out, struct status *status);
void train_batch_free(struct train_batch *batch); /* NULL allowed */

struct train_step {
    const int32_t *users; /* (n_users) distinct rows */
    size_t n_users;
    const int32_t *items; /* (n_items) distinct anchors of the item-item contrast; may be none */
    size_t n_items;
    uint64_t epoch, number; /* of the batch in the epoch: they key the random streams */
    double rate;
};

struct train_outcome {
    double loss;        /* sum over positives, of both contrasts */
    size_t n_positives; /* of the step's users */
    size_t n_anchors;   /* of the user-item contrast: users, or positives with lists of their own */
    size_t n_empty;     /* anchors that had no negative */
};

MUST_CHECK enum status_code train_batch_step(struct train_batch *batch,
                                             const struct train_step *step,
                                             struct train_outcome *outcome, struct status *status);

#endif
