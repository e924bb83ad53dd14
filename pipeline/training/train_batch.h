/* One step of training: plans it (step_plan.h), runs its contrasts and moves the towers. trainer.c
 * owns the epochs around it. */
#ifndef NIGHTJAR_TRAINING_TRAIN_BATCH_H
#define NIGHTJAR_TRAINING_TRAIN_BATCH_H

#include "towers/encoder.h"
#include "training/item_rows.h"
#include "training/train_step.h"
#include "training/trainer_input.h"

struct train_batch;

/* `encoder`, and `items`, whose are the rows of its item tower, are borrowed and moved by every
 * step. The sampler is made from the input's negatives. */
MUST_CHECK enum status_code train_batch_new(const struct trainer_input *input,
                                            struct encoder *encoder, struct item_rows *items,
                                            struct pool *pool, struct train_batch **out,
                                            struct status *status);
void train_batch_free(struct train_batch *batch); /* NULL allowed */

/* Before the first step of an epoch. */
void train_batch_start_epoch(struct train_batch *batch);

/* `next`, when it is not NULL, is the step of the next call, in the same epoch: it is planned
 * beside the work on this one. Of it users, items, epoch, number and hard must be known already and
 * stay as they are until that call. Errors: what the kernel and memory give, those of the plan of
 * `next` with the next call; after one the batch can only be freed. */
MUST_CHECK enum status_code train_batch_step(struct train_batch *batch,
                                             const struct train_step *step,
                                             const struct train_step *next,
                                             struct train_outcome *outcome, struct status *status);

#endif
