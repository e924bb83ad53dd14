/* The settings that the configuration leaves to `auto`, chosen for a prepared training by short
 * trainings on its validation part; with the record of what was tried. */
#ifndef NIGHTJAR_TUNING_AUTO_SETTINGS_H
#define NIGHTJAR_TUNING_AUTO_SETTINGS_H

#include "training/train_options.h"
#include "training/train_session.h"

/* Adds what the negatives stage left to train, and writes the chosen values into training->settings
 * and training->negatives; nothing happens when nothing is auto. The trials are logged, stand in
 * the table search_trial of the work database and are kept in a checkpoint: a run that goes on does
 * not repeat them. training->input.validation NULL: no search, but the values of auto_candidates,
 * and a warning. training->metric must be set. */
MUST_CHECK enum status_code auto_settings_choose(struct training *training,
                                                 const struct train_options *options,
                                                 struct status *status);

/* What the search may take where a training takes less. */
#define AUTO_LEAST_SECONDS 3.0
/* Of the budget, for a search that starts where the last one ended. */
#define AUTO_PUBLISHED_SHARE 0.1

/* For estimates: epochs and dimension of the training, and the search's work as a share of its; 0:
 * nothing of train's is auto. */
size_t auto_epochs_expected(const struct trainer_settings *settings);
size_t auto_dimension_expected(const struct trainer_settings *settings);
double auto_budget_expected(const struct train_options *options);

#endif
