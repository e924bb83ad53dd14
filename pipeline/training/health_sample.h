/* The rows that the health of embeddings (embedding_health.h) is measured on: some users of all
 * ranks, each with one of its positives, and some items. They are the same in every epoch and at
 * any number of ranks.
 *
 *     struct health_sample sample = {0};
 *     TRY(health_sample_init(&sample, &input, status));
 *     each epoch: TRY(health_sample_fill(&sample, users, towers, &items, &health_input, status));
 *     health_sample_release(&sample); */
#ifndef NIGHTJAR_TRAINING_HEALTH_SAMPLE_H
#define NIGHTJAR_TRAINING_HEALTH_SAMPLE_H

#include "base/workspace.h"
#include "training/embedding_health.h"
#include "training/item_rows.h"
#include "training/trainer_input.h"

/* Zero-initialise. */
struct health_sample {
    struct ranks *ranks;
    size_t d, n_all; /* users of the sample */
    size_t n;        /* of them this rank's: */
    struct health_user {
        int32_t row, place, item; /* a positive, -1: none */
    } * users;                    /* (n) */
    size_t n_items;               /* of the catalogue */
    size_t n_norms;               /* items of the sample */
    struct workspace workspace;
    float *vectors;    /* (n_all, d) */
    float *norms;      /* (n_all) of the weights */
    float *item_norms; /* (n_norms) */
    int32_t *pairs;    /* (n_all, 2) */
    struct ranks_bytes all;
};

MUST_CHECK enum status_code health_sample_init(struct health_sample *sample,
                                               const struct trainer_input *input,
                                               struct status *status);
void health_sample_release(struct health_sample *sample);

/* Fills in users, weights and positives of the health's input, by an exchange. users (n, d): the
 * vectors of this rank's; towers: whose weights; items: which of them are here. */
MUST_CHECK enum status_code health_sample_fill(struct health_sample *sample, const float *users,
                                               const struct tower towers[N_SIDES],
                                               const struct item_rows *items,
                                               struct embedding_health_input *out,
                                               struct status *status);

#endif
