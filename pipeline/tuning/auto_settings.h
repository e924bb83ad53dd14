/* The settings that the configuration leaves to `auto`, chosen for a prepared training by short
 * trainings on its validation part; with the record of what was tried. */
#ifndef NIGHTJAR_TUNING_AUTO_SETTINGS_H
#define NIGHTJAR_TUNING_AUTO_SETTINGS_H

#include "tuning/auto_trial.h"
#include "training/train_session.h"

/* Adds what the negatives stage left to train, and writes the chosen values into training->settings
 * and training->negatives; nothing happens when nothing is auto. The trials, of `epochs` epochs
 * each, are logged, stand in the table search_trial of the work database and are kept in a
 * checkpoint: a run that goes on does not repeat them. training->input.validation NULL: no search,
 * but the values of auto_candidates, and a warning. training->metric must be set. */
MUST_CHECK enum status_code auto_settings_choose(struct training *training,
                                                 const bool is_auto[N_AUTO_SETTINGS], size_t epochs,
                                                 struct status *status);

#endif
