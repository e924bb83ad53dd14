/* What a basis is over all ranks (ranks/ranks.h), of which each holds its own users alone: a rank
 * without a user of the validation part knows by these that there is one. */
#ifndef NIGHTJAR_DATASET_DATASET_TOTALS_H
#define NIGHTJAR_DATASET_DATASET_TOTALS_H

#include "store/artifact.h"

struct dataset_totals {
    int64_t users, pairs;                                 /* rows, and entries of train */
    int64_t valid_pairs, test_pairs;                      /* that each part asks */
    int64_t cold_users, cold_user_pairs, cold_item_pairs; /* of the cold part: those with a history,
                                                             and what is asked */
    int64_t newest;                                       /* history_newest of train */
    const int64_t *counts; /* (n_items) n_i, the train users of each item; NULL: the dataset holds
                              all users there are, and the rest of this is not filled */
};

/* Numbers PREFIX.totals.NAME, nothing where there are no counts, which are left to the caller. */
MUST_CHECK enum status_code dataset_totals_save(const struct dataset_totals *totals,
                                                struct artifact *artifact, const char *prefix,
                                                struct status *status);
MUST_CHECK enum status_code dataset_totals_load(struct dataset_totals *totals,
                                                const struct artifact *artifact, const char *prefix,
                                                struct status *status);

#endif
