/* What the towers of a training read beside ids: histories and side data, of the entities that the
 * basis knows and of those that it does not. */
#ifndef NIGHTJAR_TRAINING_TRAIN_SOURCES_H
#define NIGHTJAR_TRAINING_TRAIN_SOURCES_H

#include "features/feature_table.h"
#include "training/trainer.h"

/* Of one tower. Over several ranks (ranks/ranks.h) rows are those of the tower that are here, cold
 * users the rank's own, cold items everybody's. */
struct side_sources {
    size_t n;
    struct token_source rows[TOWER_MAX_SOURCES]; /* over the basis' rows */
    struct token_source cold[TOWER_MAX_SOURCES]; /* over n_cold entities */
    size_t n_cold;
    int32_t *cold_codes;   /* (n_cold) ascending: master codes, then those of extra entities */
    uint64_t *cold_keys;   /* (n_cold) vocabulary_key of each; NULL: of items */
    int32_t *history_rows; /* (n_cold) row of the basis' cold.history, -1: none; NULL: of items */
};

/* Zero-initialise. */
struct training_sources {
    struct side_sources side[N_SIDES];
};

/* dataset: a basis of the interactions, or a part of one. features: NULL when the pipeline has
 * none. partners: item pairs that views substitute by, or NULL. The dataset and the features must
 * outlive it. */
MUST_CHECK enum status_code training_sources_init(
    struct training_sources *sources, const struct interactions *interactions,
    const struct dataset *dataset, struct ranks *ranks, const struct features *features,
    const struct history_settings *history, const struct sparse *partners, struct status *status);
void training_sources_release(struct training_sources *sources);

#endif
