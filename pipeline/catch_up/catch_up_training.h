/* The training of a small night: users with new rows, each with all of its positives, against every
 * item, from the vectors at hand. A vector is taken as it is, whatever tower it came from: who
 * reads histories and side data in the towers does so again at the next full run.
 *
 *      rows with a vector   go on from it          users without new rows keep theirs
 *      new items            the mean of their users, or their cold vector of the side data
 *      new users            the mean of their items
 *
 * A small night, in the order of the room's headers:
 *
 *     TRY(new_rows_read(&rows, context, reading, &request, status));     rows behind the base
 *     TRY(catch_up_start_open(&start, context, &base, false, status));   towers to go on from
 *     TRY(delta_build(&rows.extraction, &rules, &delta, status));        the rows, folded
 *     TRY(interactions_merge(&base, &delta, NULL, &now, status));        base and delta
 *     TRY(catch_up_train(&request, &towers, &result, status));           the artifact "towers"
 *
 * The stages behind it load what it left with merged_load (merged.h). */
#ifndef NIGHTJAR_CATCH_UP_CATCH_UP_TRAINING_H
#define NIGHTJAR_CATCH_UP_CATCH_UP_TRAINING_H

#include "catch_up/catch_up_sequence.h"
#include "training/train_session.h"

/* What it made of them, for the record. */
struct catch_up_result {
    size_t n_anchors; /* users that were trained: with a delta, or without a vector before */
    size_t n_new[N_SIDES];
    double drift[N_SIDES]; /* mean cosine of what was trained with what it started from; NAN */
    bool has_sequences;
    struct catch_up_read read; /* of them */
};

/* Makes the artifact "towers" of the ALL basis of `now`; `out` zeroed. Errors as trainer_run. */
MUST_CHECK enum status_code catch_up_train(const struct catch_up_request *request,
                                           struct artifact *out, struct catch_up_result *result,
                                           struct status *status);

#endif
