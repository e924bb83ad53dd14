/* The options of the stage train, and the settings that they make. These are kept in its artifact
 * `training`, by which refit and catch_up go.
 *
 * A new setting is a field of struct trainer_settings, a row of train_options_table with its name,
 * range, default and help, and its use: by its row it is read, checked, described, kept and loaded.
 */
#ifndef NIGHTJAR_TRAINING_TRAIN_OPTIONS_H
#define NIGHTJAR_TRAINING_TRAIN_OPTIONS_H

#include "config/option.h"
#include "training/trainer_input.h"

enum search_start { START_PUBLISHED, START_RECIPES };

/* What the search for the settings that are auto may spend. */
struct search_options {
    bool given;
    double budget;   /* share of the work of the training, or of a small one where that is less */
    int start;       /* enum search_start */
    double max_time; /* seconds after which no trial begins; 0: no limit */
};

struct train_options {
    struct trainer_settings settings; /* as the file has them; some may be auto */
    struct search_options search;
    size_t search_epochs;
    const char *metric;
    size_t validate_every, patience, validation_users;
    double checkpoint_every; /* seconds */
};
extern const struct option train_options_table[];

/* The `validate` of the stage. */
void train_options_validate(const void *values, struct option_report *report);
/* Groups that are not given are off. What is auto is NAN here, and 0 for the hops. */
struct trainer_settings train_options_settings(const struct train_options *options);

/* As numbers "setting.*" of an artifact, so that refit uses what train chose. */
MUST_CHECK enum status_code trainer_settings_save(const struct trainer_settings *settings,
                                                  struct artifact *artifact, struct status *status);
MUST_CHECK enum status_code trainer_settings_load(struct trainer_settings *settings,
                                                  const struct artifact *artifact,
                                                  struct status *status);

/* What of them does not work over several ranks (config/stage.h). */
void train_options_refuse_ranks(const void *values, struct option_report *report);

#endif
