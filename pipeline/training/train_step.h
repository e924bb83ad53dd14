/* One step of training, as the trainer asks for it. */
#ifndef NIGHTJAR_TRAINING_TRAIN_STEP_H
#define NIGHTJAR_TRAINING_TRAIN_STEP_H

#include "negatives/hard_negatives.h"

struct train_step {
    const int32_t *users; /* (n_users) distinct rows */
    size_t n_users;
    const int32_t *items; /* (n_items) distinct anchors of the item-item and view contrasts */
    size_t n_items;
    uint64_t epoch, number; /* of the batch in the epoch: they key the random streams */
    double rate, temperature;
    const struct hard_negatives *hard; /* NULL: none */
    bool diagnose;
};

#endif
