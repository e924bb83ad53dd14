/* A search in the making: shared by auto_settings.c, which makes it, and auto_record.c, which
 * leaves behind what was tried. */
#ifndef NIGHTJAR_TUNING_AUTO_CHOOSER_H
#define NIGHTJAR_TUNING_AUTO_CHOOSER_H

#include "training/train_options.h"
#include "tuning/auto_axes.h"
#include "tuning/auto_trial.h"
#include "tuning/fold.h"

/* Validation parts where trials are small: one is a small sample. */
enum { FOLDS = 3 };

struct chooser {
    struct training *training;
    const struct train_options *options;
    struct trial_data data;
    double share; /* of the budget */
    struct trial_size size;
    double started;           /* monotonic seconds */
    char name[HASH_TEXT_MAX]; /* what the trials depend on; "": that is not known of all ranks */
    struct auto_axes axes;
    struct joint_search search;
    struct fold folds[FOLDS]; /* made when they are needed; the first is the training's own */
};

struct trial_size chooser_size(const struct chooser *chooser, const struct search_trial *trial);
/* Epochs of a trial. */
size_t chooser_epochs(const struct chooser *chooser, const struct search_trial *trial);

/* The trials so far, to go on from, which the first rank keeps for all and for any number of them.
 * Load is a collective; it finds the name, for which the search must be set up. */
MUST_CHECK enum status_code chooser_save(const struct chooser *chooser, struct status *status);
MUST_CHECK enum status_code chooser_load(struct chooser *chooser, struct status *status);
/* As rows of the table search_trial, by the first rank. */
MUST_CHECK enum status_code chooser_record(const struct chooser *chooser, struct status *status);
/* One line of the log. */
MUST_CHECK enum status_code chooser_log(const struct chooser *chooser, size_t number,
                                        const struct search_trial *trial, struct status *status);

#endif
