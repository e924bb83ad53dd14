/* What a rank sends in a step of training (item_rows.h), as it is expected of how many of its users
 * have each item and of how likely each item is among the shared negatives. An estimate from sizes
 * alone (trainer.h) has to take all items for equally popular, which is the most that it can be. */
#ifndef NIGHTJAR_TRAINING_STEP_BYTES_H
#define NIGHTJAR_TRAINING_STEP_BYTES_H

#include "training/trainer_input.h"

/* *bytes: of a step of this rank on average; NAN where more than the positives and the shared
 * negatives of users takes part. */
MUST_CHECK enum status_code step_bytes_expect(const struct trainer_input *input, size_t n_batches,
                                              double *bytes, struct status *status);

#endif
