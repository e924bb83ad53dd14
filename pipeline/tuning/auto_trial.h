/* The training, often a short one, by which a combination of settings is judged. Which combinations
 * are tried is search/joint_search.h's business. */
#ifndef NIGHTJAR_TUNING_AUTO_TRIAL_H
#define NIGHTJAR_TUNING_AUTO_TRIAL_H

#include "training/trainer.h"

/* How much of a training a trial is. */
struct trial_size {
    bool is_narrow; /* at most 64 dimensions and 1,024 shared negatives */
    double share;   /* of the epochs, into which the schedule is drawn together */
};
/* What a trial of the input's settings trains with. */
void auto_trial_shrink(const struct trial_size *size, struct trainer_settings *settings,
                       struct negative_settings *negatives);

/* What the work of a training goes by, over all ranks. */
struct trial_data {
    double users, items, pairs;
    double valid_users; /* that are ranked */
};

/* Multiply-adds of a training with these settings, the users of the validation part ranked once; a
 * number that depends on data and settings alone. */
double auto_trial_work(const struct trial_data *data, const struct trainer_settings *settings,
                       const struct negative_settings *negatives);

/* Trains as `input` says, but of this size, without checkpoints and cold entities, and validates
 * the last epoch. *value is the best of the metric over a few weights of the popularity term
 * (*popularity), because calibrate will choose that weight and alpha must not be judged at a wrong
 * one; user_values (n_all of the validation) are those at that weight. input->validation must not
 * be NULL. A training that diverges or collapses is STATUS_OK with value NAN: it says something
 * about the settings. Errors: STATUS_NO_MEMORY and what the hooks return. A collective. */
MUST_CHECK enum status_code auto_trial_run(const struct trainer_input *input,
                                           const struct trial_size *size,
                                           const struct trainer_hooks *hooks, struct pool *pool,
                                           double *value, double *popularity, double *user_values,
                                           struct status *status);

#endif
