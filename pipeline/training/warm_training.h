/* A training that goes on from what is published: reads the vectors, remembers which generation
 * they came from, tells how far they moved.
 *
 *      night 1   nothing published -> cold -> generation 1
 *      night 2   from generation 1 -> generation 2
 *      night 3   no new events: generation 2 came out of the towers at hand -> nothing to do
 */
#ifndef NIGHTJAR_TRAINING_WARM_TRAINING_H
#define NIGHTJAR_TRAINING_WARM_TRAINING_H

#include "publishing/generation.h"
#include "training/warm_vectors.h"
#include "training/train_session.h"

/* Zero-initialise. */
struct warm_training {
    bool is_warm;        /* false: nothing to start from */
    int64_t generation;  /* that was read; 0: none */
    int64_t run_started; /* of the run that made it, Unix seconds */
    struct warm_vectors vectors;
};

/* The database in which something is published, in a read transaction; the caller's to close. *out
 * NULL and generation 0 where there is nothing; tables of a newer nightjar count as nothing, too,
 * and `why` says so. */
MUST_CHECK enum status_code warm_published_open(struct context *context, struct db **out,
                                                struct published_info *info, struct buf *why,
                                                struct status *status);

/* For stage.fingerprint: what the running stage would start from. A published generation that came
 * out of the stage's last towers counts as the one which these were started from, so that
 * publishing them does not make them out of date. */
MUST_CHECK enum status_code warm_training_fingerprint(struct context *context,
                                                      char out[HASH_TEXT_MAX],
                                                      struct status *status);
/* Connects the published vectors to the prepared training, unless it is one without ids. Where
 * there are none, or they do not fit, the training stays as it is and a message says why. A
 * checkpoint of a training that was started from another generation is not gone on from. */
MUST_CHECK enum status_code warm_training_begin(struct warm_training *warm,
                                                struct training *training, struct status *status);
/* The metrics warm_matched_users, warm_new_users, warm_drift_users (mean cosine of the matched rows
 * with the vectors they started from; left out where none matched) and the same for items, under
 * the model "data"; and a line in the log. Nothing of a training without ids. */
MUST_CHECK enum status_code warm_training_report(const struct warm_training *warm,
                                                 const struct training *training,
                                                 const struct trainer_result *result,
                                                 struct status *status);
void warm_training_release(struct warm_training *warm);

#endif
