/* The options of the train stage: what they are called, what they allow, and the settings that they
 * make. */
#ifndef NIGHTJAR_STAGES_TRAIN_OPTIONS_H
#define NIGHTJAR_STAGES_TRAIN_OPTIONS_H

#include "tuning/auto_trial.h"
#include "training/trainer.h"

struct co_interaction_options {
    bool given;
    double weight; /* NAN: auto */
    double temperature, share;
    int64_t samples;
};

struct history_options {
    bool given;
    int pooling;
    double half_life, hide;
    int64_t newest;
};

struct hidden_options {
    bool given;
    int64_t layers, units;
    int activation;
};

struct propagation_options {
    bool given;
    double hops; /* a whole number; NAN: auto */
    double weight;
    int sides;
};

struct views_options {
    bool given;
    double weight, temperature, strength;
    int change;
};

struct train_options {
    int64_t dimension;
    int loss, denominators;
    double t2, margin, negative_weight, uniformity, slk_width;
    int64_t slk_top_k;
    double temperature; /* NAN: auto */
    int temperature_mode;
    double temperature_rate;
    int optimizer;
    double weight_decay, momentum, clip, learning_rate;
    int schedule;
    double final_rate, step_factor, step_every, warmup;
    int64_t epochs, search_epochs, batch_users;
    double degree_exponent; /* NAN: auto */
    double init_scale;
    struct history_options history;
    double id_dropout, dropout;
    struct hidden_options hidden;
    struct propagation_options propagation;
    bool item_bias;
    struct co_interaction_options co_interaction;
    struct views_options views;
    const char *metric;
    int64_t validate_every, patience, validation_users;
    double checkpoint_every;
    int64_t strip;
};

extern const struct option train_options_table[]; /* of struct train_options */

/* The `validate` of the stage. */
void train_options_validate(const void *values, struct option_report *report);
/* What is auto is NAN here, and 0 for the hops. */
struct trainer_settings train_options_settings(const struct train_options *options);
/* Which settings are auto, alpha of the negatives left out. */
void train_options_auto(const struct train_options *options, bool is_auto[N_AUTO_SETTINGS]);
/* Epochs of each trial of the search for them. */
size_t train_options_search_epochs(const struct train_options *options);

#endif
