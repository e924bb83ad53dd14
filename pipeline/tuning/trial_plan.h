/* The part of a plan that one trial of a search runs, and the plan of a trial with its own settings
 * and fewer epochs. */
#ifndef NIGHTJAR_TUNING_TRIAL_PLAN_H
#define NIGHTJAR_TUNING_TRIAL_PLAN_H

#include "config/plan.h"

/* The option that makes a trial short. */
#define TRIAL_EPOCHS "stages.train.epochs"

/* Some stages of a plan under a work database of their own. Zero-initialise. `plan` borrows
 * everything else from the plan it was made of, which must outlive it. */
struct trial_view {
    struct plan plan;
    struct plan_stage *stages; /* owned */
};

/* *position of the stage whose outcome is a trial's value: `calibrate`, without one `train`.
 * Without either, or without whole epochs in train: STATUS_CONFIG. */
MUST_CHECK enum status_code trial_target(const struct plan *plan, size_t *position,
                                         struct status *status);
/* The epochs of the train stage. */
size_t trial_epochs(const struct plan *plan);
/* The stage at `target` and those that make its inputs, directly or not. Stages that leave no
 * artifact (import, evaluate, publish) are never among them. */
MUST_CHECK enum status_code trial_view_init(struct trial_view *view, const struct plan *plan,
                                            size_t target, const char *work_database,
                                            struct status *status);
/* The stages above `before` that leave no artifact: what fills the source (import). */
MUST_CHECK enum status_code trial_view_sources(struct trial_view *view, const struct plan *plan,
                                               size_t before, struct status *status);
void trial_view_release(struct trial_view *view);

/* The plan of `file` with the settings and `epochs` epochs. Every other option that counts epochs
 * shrinks in proportion (a whole number to no less than 1), so that a short training is a complete
 * one, its warm-up and schedule included. Settings that do not fit together are STATUS_USAGE.
 * Free with plan_free. */
MUST_CHECK enum status_code trial_plan_load(const char *file, const struct stage_registry *registry,
                                            const char *const *settings, size_t n_settings,
                                            size_t epochs, struct plan **out,
                                            struct status *status);

#endif
