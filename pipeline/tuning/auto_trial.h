/* The settings that may be `auto`, and the short training by which one combination of them is
 * judged. Which combinations are tried is search/coordinate_search.h's business. */
#ifndef NIGHTJAR_TUNING_AUTO_TRIAL_H
#define NIGHTJAR_TUNING_AUTO_TRIAL_H

#include "search/coordinate_search.h"
#include "training/trainer.h"

/* In the order in which they are searched. */
enum auto_setting {
    AUTO_TEMPERATURE,
    AUTO_ALPHA,    /* the popularity exponent of the negatives */
    AUTO_CO_ITEMS, /* weight of the item-item contrast */
    AUTO_DEGREE_EXPONENT,
    AUTO_HOPS, /* of the propagation */
    AUTO_HARD, /* number of hard negatives */
    N_AUTO_SETTINGS
};

struct auto_candidates {
    const char *name; /* as the configuration calls it, behind the stage */
    size_t n;
    const double *values; /* (n) ascending */
    double start;         /* NAN: the closed form's neighbour */
    double otherwise;     /* where nothing can be validated; NAN: the closed form itself */
    size_t most_trials;   /* see search/coordinate_search.h */
    bool start_is_simpler;
};
extern const struct auto_candidates auto_candidates[N_AUTO_SETTINGS];

/* Index of the candidate nearest to x; by ratio for the temperature. */
size_t auto_nearest(enum auto_setting setting, double x);
/* About how many short trainings a search over the settings marked makes; 0 when none is. */
size_t auto_trials_expected(const bool is_auto[N_AUTO_SETTINGS]);
/* Marks the settings of train that are auto as the file has them (train_options.h); those of
 * negatives are not. */
void auto_settings_asked(const struct trainer_settings *settings, bool is_auto[N_AUTO_SETTINGS]);
/* Sets it in train's or negatives' settings, by the row of its name in their option tables. */
void auto_setting_apply(enum auto_setting setting, double value, struct trainer_settings *settings,
                        struct negative_settings *negatives);

/* Trains as `input` says, but in at most 64 dimensions, against at most 1,024 shared negatives and
 * for `epochs` epochs, into which the schedule is compressed, without
 * checkpoints and cold entities, and validates the last one. *value is the best of the metric over
 * a few weights of the popularity term (*popularity), because calibrate will choose that weight and
 * alpha must not be judged at a wrong one; user_values (validation users) are those at that weight.
 * input->validation must not be NULL. A training that diverges or collapses is STATUS_OK with value
 * NAN: it says something about the settings. Errors: STATUS_NO_MEMORY and what the hooks return. */
MUST_CHECK enum status_code auto_trial_run(const struct trainer_input *input, size_t epochs,
                                           const struct trainer_hooks *hooks, struct pool *pool,
                                           double *value, double *popularity, double *user_values,
                                           struct status *status);

#endif
