/* A training under way, as trainer_init.c makes it, trainer.c runs it, and trainer_checkpoint.c and
 * checkpoint_parts.c keep it. Seen by these only. */
#ifndef NIGHTJAR_TRAINING_TRAINER_STATE_H
#define NIGHTJAR_TRAINING_TRAINER_STATE_H

#include "training/curve.h"
#include "training/epoch_order.h"
#include "training/health_sample.h"
#include "training/train_batch.h"

struct trainer {
    const struct trainer_input *input;
    const struct trainer_hooks *hooks;
    struct pool *pool;
    struct encoder encoder;
    struct train_batch *batch;
    struct hard_negatives hard;
    struct temperature_learner temperature;
    size_t n[N_SIDES];        /* users, items */
    uint8_t *shards[N_SIDES]; /* of the towers' rows */
    struct epoch_order order;
    float *best_vectors[N_SIDES];      /* (n, d) of the best epoch so far */
    float *best_cold_vectors[N_SIDES]; /* (n_cold, d) of that epoch */
    float *best_bias;                  /* (n_items) of that epoch */
    struct workspace workspace;
    float *vectors[N_SIDES]; /* (n, d) vectors after the last epoch */
    float *validation_users; /* (validation users, d) */
    float *score_bias;       /* (n_items) */
    float *own_items;        /* (rows of the item tower here, d); all: vectors[SIDE_ITEMS] */
    double *losses;          /* (batches) of the epoch */
    struct health_sample health;
    struct item_rows items;
    size_t epochs_done, best_epoch, n_bad;
    size_t n_lost;      /* epochs of a checkpoint of which parts are missing */
    struct status lost; /* why one of them cannot be read */
    bool is_cut_short;
    double best_metric, best_temperature;
    struct curve_point *curve; /* (stop_after) */
};

/* input, hooks and pool are set; released by trainer_release whatever came of it. */
MUST_CHECK enum status_code trainer_init(struct trainer *trainer, struct status *status);
void trainer_release(struct trainer *trainer);

MUST_CHECK enum status_code trainer_checkpoint_save(struct trainer *trainer, struct status *status);
/* Nothing happens when there is no checkpoint. */
MUST_CHECK enum status_code trainer_checkpoint_load(struct trainer *trainer, struct status *status);

#endif
