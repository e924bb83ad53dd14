/* What a search has found out, kept in the table tune_trial of its work database, so that a search
 * that was interrupted, or one with more trials, does not do again what is known. */
#ifndef NIGHTJAR_TUNING_TUNE_STORE_H
#define NIGHTJAR_TUNING_TUNE_STORE_H

#include "base/hash.h"
#include "tuning/tune_request.h"
#include "store/db.h"

/* What the values of trials depend on beside their settings and epochs. */
struct tune_identity {
    char config[HASH_TEXT_MAX]; /* the stages of a trial with their options, the source, the seed */
    char data[HASH_TEXT_MAX];   /* the extracted interactions */
};

/* Opens the work database, made when missing, with its tables. Close with db_close. */
MUST_CHECK enum status_code tune_store_open(const char *path, double busy_seconds, struct db **out,
                                            struct status *status);
/* *found: the trial with these settings and trial->epochs is known; then value, user_values and
 * message (in `arena`) and seconds are filled. */
MUST_CHECK enum status_code tune_store_find(struct db *db, const struct tune_identity *identity,
                                            struct tune_trial *trial, struct arena *arena,
                                            bool *found, struct status *status);
MUST_CHECK enum status_code tune_store_put(struct db *db, const struct tune_identity *identity,
                                           const struct tune_trial *trial, struct status *status);
/* Drops the trials of the configuration, whatever the data. */
MUST_CHECK enum status_code tune_store_forget(struct db *db, const struct tune_identity *identity,
                                              struct status *status);

#endif
