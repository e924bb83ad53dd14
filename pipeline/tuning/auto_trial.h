/* The settings that may be `auto`, and the short training by which one combination of them is
 * judged. Which combinations are tried is search/joint_search.h's business. */
#ifndef NIGHTJAR_TUNING_AUTO_TRIAL_H
#define NIGHTJAR_TUNING_AUTO_TRIAL_H

#include "search/joint_search.h"
#include "training/trainer.h"

/* In the order in which steps are made along them. */
enum auto_setting {
    AUTO_TEMPERATURE,
    AUTO_ALPHA, /* the popularity exponent of the negatives */
    AUTO_DEGREE_EXPONENT,
    AUTO_CO_ITEMS, /* weight of the item-item contrast */
    AUTO_RATE,     /* the learning rate */
    AUTO_EPOCHS,
    AUTO_HOPS,  /* of the propagation */
    AUTO_T2,    /* weight of the negative side of the loss */
    AUTO_HARD,  /* number of hard negatives */
    AUTO_DECAY, /* of the weights */
    N_AUTO_SETTINGS
};

/* Recipes that are known to be good for a kind of data. */
enum auto_recipe { RECIPE_SPARSE, RECIPE_DENSE, N_RECIPES };

struct auto_candidates {
    const char *name; /* as the configuration calls it, behind the stage */
    size_t n;
    const double *values;    /* (n) ascending */
    double start[N_RECIPES]; /* where a search starts, and what is taken where nothing can be
                                validated; NAN: the closed form of the temperature */
};
extern const struct auto_candidates auto_candidates[N_AUTO_SETTINGS];

/* Index of the candidate nearest to x among the first n; by ratio for what is scaled so. */
size_t auto_nearest(enum auto_setting setting, double x, size_t n);
/* Marks the settings of train that are auto as the file has them (train_options.h); those of
 * negatives are not. */
void auto_settings_asked(const struct trainer_settings *settings, bool is_auto[N_AUTO_SETTINGS]);
/* Sets it in train's or negatives' settings, by the row of its name in their option tables. */
void auto_setting_apply(enum auto_setting setting, double value, struct trainer_settings *settings,
                        struct negative_settings *negatives);

/* How much of a training a trial is. */
struct trial_size {
    bool is_narrow; /* at most 64 dimensions and 1,024 shared negatives */
    double share;   /* of the epochs, into which the schedule is drawn together */
};
/* What a trial of the input's settings trains with. */
void auto_trial_shrink(const struct trial_size *size, struct trainer_settings *settings,
                       struct negative_settings *negatives);

/* Multiply-adds of a training with these settings, `n_valid` users ranked once; a number that
 * depends on data and settings alone. */
double auto_trial_work(const struct trainer_input *input, const struct trainer_settings *settings,
                       const struct negative_settings *negatives);

/* Trains as `input` says, but of this size, without checkpoints and cold entities, and validates
 * the last epoch. *value is the best of the metric over a few weights of the popularity term
 * (*popularity), because calibrate will choose that weight and alpha must not be judged at a wrong
 * one; user_values (validation users) are those at that weight. input->validation must not be NULL.
 * A training that diverges or collapses is STATUS_OK with value NAN: it says something about the
 * settings. Errors: STATUS_NO_MEMORY and what the hooks return. */
MUST_CHECK enum status_code auto_trial_run(const struct trainer_input *input,
                                           const struct trial_size *size,
                                           const struct trainer_hooks *hooks, struct pool *pool,
                                           double *value, double *popularity, double *user_values,
                                           struct status *status);

#endif
