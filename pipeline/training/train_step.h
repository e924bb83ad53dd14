/* One step of training, as the trainer asks for it, and what came of it. */
#ifndef NIGHTJAR_TRAINING_TRAIN_STEP_H
#define NIGHTJAR_TRAINING_TRAIN_STEP_H

#include "contrast/contrast_batch.h"
#include "negatives/hard_negatives.h"
#include "ranks/ranks.h"

struct train_step {
    const int32_t *users; /* (n_users) distinct rows */
    size_t n_users;
    const int32_t *items; /* (n_items) distinct anchors of the item-item and view contrasts */
    size_t n_items;
    /* users [leaves[l], leaves[l + 1]) and items likewise make leaf l, see epoch_order.h; n_leaves
       0: one leaf of all */
    size_t n_leaves, leaves[SHARDS + 1], item_leaves[SHARDS + 1];
    uint64_t epoch, number; /* of the batch in the epoch: they key the random streams */
    double rate, temperature;
    const struct hard_negatives *hard; /* NULL: none */
    bool diagnose;
};

struct train_outcome {
    double loss;            /* sum over positives, of all contrasts */
    size_t n_positives;     /* of the step's users */
    double n_all_positives; /* of those of all ranks */
    size_t n_anchors;   /* of the user-item contrast: users, or positives with lists of their own */
    size_t n_empty;     /* anchors that had no negative */
    double scale_slope; /* of the user-item contrast: the sum over its anchors A of <dL/dA, A>,
                           dL / d(1/temperature) by the temperature */
    double kernel_seconds; /* CPU time of the contrasts, all threads, and with threads of the next
                              step's plan beside them: for benchmarks */
    struct contrast_diagnostics diagnostics; /* of the user-item contrast, when asked for */
};

#endif
