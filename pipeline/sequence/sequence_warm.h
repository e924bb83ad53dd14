/* What refit's tower starts from: the one that its last run left, for as long as what is published
 * was made with it; or the one that train has just chosen. */
#ifndef NIGHTJAR_SEQUENCE_SEQUENCE_WARM_H
#define NIGHTJAR_SEQUENCE_SEQUENCE_WARM_H

#include "sequence/sequence_trainer.h"
#include "training/train_session.h"

/* Zero-initialise. */
struct sequence_warm {
    bool is_warm;             /* false: nothing to start from */
    struct artifact artifact; /* that holds it */
    int32_t *rows;            /* (items of the basis) its row of each, -1: new */
    struct sequence_start start;
};

/* published: the start of the run that made what is published, Unix seconds; 0: nothing is. Where
 * there is no tower of that run or before it, or one that does not fit, warm stays empty and a
 * message says why. Release in any case. */
MUST_CHECK enum status_code sequence_warm_open(struct sequence_warm *warm,
                                               const struct training *training, int64_t published,
                                               struct status *status);
/* weights: of train's tower, whose items are those of the FIT basis; they must outlive warm. */
MUST_CHECK enum status_code sequence_warm_of_train(struct sequence_warm *warm,
                                                   const struct training *training,
                                                   const struct artifact *weights,
                                                   struct status *status);
void sequence_warm_release(struct sequence_warm *warm);

#endif
