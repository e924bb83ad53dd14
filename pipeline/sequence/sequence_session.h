/* What the stages that train call to have sequences read beside the towers of ids: trains the
 * tower, chooses its weight, and puts both vectors of everybody side by side.
 *
 *      user = (sqrt(1 - w) id vector, sqrt(w) newest state)     item likewise
 *      cosine = (1 - w) cosine of ids + w cosine of sequences
 *
 * so that whoever reads vectors need not know of it. w = 0 leaves everything as it was. */
#ifndef NIGHTJAR_SEQUENCE_SEQUENCE_SESSION_H
#define NIGHTJAR_SEQUENCE_SEQUENCE_SESSION_H

#include "config/stage.h"
#include "training/train_session.h"

/* What train found, for refit. Zero-initialise, release. */
struct sequence_choice {
    bool is_read;            /* there is something to read, and a share of it to be found */
    double share;            /* of the logits that the sequence makes up; 0: it is not read */
    size_t epochs;           /* trained for */
    struct artifact weights; /* as sequence_weights_keep leaves them; without arrays: none */
};
void sequence_choice_release(struct sequence_choice *choice);

/* For `train`, before its search: whether sequences are read, and, where the share that is given
 * is 1, that no tower of ids is trained. A message says why they are not, though they are asked
 * for: no order in the log, or nobody to choose a share on. */
void sequence_prepare(struct training *training, const struct validation *validation,
                      struct sequence_choice *choice);
/* Behind training_run: trains the tower, unless it is not read, chooses its share on validation (0
 * unless it is clearly better) where none is given, and joins it to the result. */
MUST_CHECK enum status_code sequence_choose(struct training *training,
                                            const struct validation *validation,
                                            struct trainer_result *result,
                                            struct sequence_choice *choice, struct status *status);
/* How refit goes on from the tower of the night before. */
struct sequence_pace {
    int64_t published; /* start of the run that made what is published; 0: it does not */
    size_t epochs;     /* in place of train's */
    double rate;       /* learning rate as a share of a cold start's */
};
/* For `refit`: goes on from train's tower, or last night's, and joins it with the share chosen. On
 * the FIT basis, where train's has learned all that may be known, it is that one; users are read
 * with all that the log has of them. */
MUST_CHECK enum status_code sequence_refit(struct training *training,
                                           const struct sequence_choice *choice,
                                           const struct sequence_pace *pace,
                                           struct trainer_result *result, struct status *status);

/* Numbers and weights of the artifact "training"; what an older one does not have is 0. */
MUST_CHECK enum status_code sequence_choice_save(const struct sequence_choice *choice,
                                                 struct artifact *artifact, struct status *status);
MUST_CHECK enum status_code sequence_choice_load(struct sequence_choice *choice,
                                                 const struct artifact *artifact,
                                                 struct status *status);

/* Adds what training the tower takes; nothing where sizes->sequence says that there is none. */
void sequence_estimate(const struct stage_sizes *sizes, struct stage_estimate *out);

#endif
