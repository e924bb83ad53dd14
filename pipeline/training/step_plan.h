/* What a step of training is about: the items in it beside its users, and the entries of
 * its contrasts. It takes data, random streams and the epoch's hard negatives, and no vector as it
 * is now: so the plan of the next step of an epoch can be made while the kernel works on this one.
 * Seen by the files of train_parts.h and of planner.h only. */
#ifndef NIGHTJAR_TRAINING_STEP_PLAN_H
#define NIGHTJAR_TRAINING_STEP_PLAN_H

#include "training/planner.h"

MUST_CHECK enum status_code step_plan_init(struct step_plan *plan, const struct planner *planner,
                                           struct status *status);
void step_plan_release(struct step_plan *plan);

/* Of the step, users, items, epoch, number and hard count. The positives are not weighed yet. */
MUST_CHECK enum status_code step_plan_make(struct step_plan *plan, struct planner *planner,
                                           const struct train_step *step, struct status *status);

#endif
