/* What the stage `pairs` leaves in its artifacts: the positives' weights, and where each product of
 * each basis stands. */
#ifndef NIGHTJAR_PAIRS_PAIR_ARTIFACT_H
#define NIGHTJAR_PAIRS_PAIR_ARTIFACT_H

#include "dataset/dataset.h"
#include "pairs/pair_windows.h"
#include "dataset/sparse_artifact.h"

/* What a positive weighs, by the weight of its pair: that itself, log2(1 + weight), 1. */
enum positive_weights { POSITIVES_VALUE, POSITIVES_LOG, POSITIVES_ONE };
extern const char *const positive_weights_names[];    /* NULL-terminated, in enum order */
extern const char *const pairs_positive_weights_slot; /* number of the artifact "pairs": which */
/* out (n) = the weights of positives with `values` (n). */
void pairs_weigh_positives(enum positive_weights which, const float *values, size_t n, float *out);

/* Where each basis stands in the artifacts "pairs" (positives, item pairs), "evidence",
 * "transitions" and "ridge". */
extern const char *const pairs_positive_slots[N_BASES];
extern const char *const pairs_item_item_slots[N_BASES];
extern const char *const pairs_evidence_slots[N_BASES];
extern const char *const pairs_transition_slots[N_BASES];
extern const char *const pairs_ridge_slots[N_BASES];

/* The weights of the positives in the artifact "pairs": *weights (n_entries) is borrowed, or NULL
 * when every positive weighs 1. `n_entries` is that of the basis' train matrix. */
MUST_CHECK enum status_code pairs_positive_weights(const struct artifact *artifact,
                                                   enum basis basis, size_t n_entries,
                                                   const float **weights, struct status *status);

/* How the item pairs of the artifact "pairs" were made, so that others can be made alike. *found
 * false: it has none, or an earlier version made them. */
MUST_CHECK enum status_code pairs_settings_save(const struct pair_settings *settings,
                                                struct artifact *artifact, struct status *status);
MUST_CHECK enum status_code pairs_settings_load(struct pair_settings *settings,
                                                const struct artifact *artifact, bool *found,
                                                struct status *status);

#endif
