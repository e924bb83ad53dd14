/* What a training depends on, as one name: its settings, its seed and its data, those of all ranks
 * (ranks/ranks.h) together. However many they are, the same training has the same name, so that one
 * number of them finds the checkpoints of another. */
#ifndef NIGHTJAR_TRAINING_TRAINING_NAME_H
#define NIGHTJAR_TRAINING_TRAINING_NAME_H

#include "training/trainer_input.h"

/* basis: which of the interactions the input trains on; metric: what is validated, NULL where
 * nothing is. "" for a training that reads histories, which is no matter of several ranks. A
 * collective. */
MUST_CHECK enum status_code training_name(const struct trainer_input *input,
                                          const struct interactions *interactions, enum basis basis,
                                          const char *metric, char out[HASH_TEXT_MAX],
                                          struct status *status);

#endif
