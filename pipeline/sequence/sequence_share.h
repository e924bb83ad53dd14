/* How much of the score is said by sequences: nothing, a part beside the towers of ids, or all of
 * it in their place. Chosen on validation users, by what each of them has of every share. */
#ifndef NIGHTJAR_SEQUENCE_SEQUENCE_SHARE_H
#define NIGHTJAR_SEQUENCE_SEQUENCE_SHARE_H

#include "training/train_session.h"

/* The two temperatures as one, and the weight of the sequences' cosine under it: of logits
 * (1 - share) c / tau + share c' / tau' the sum of both factors is 1 / tau of the joined cosine. */
double sequence_mix(double share, double tau, double tau_sequence, double *joined_tau);

/* Vectors of sequences beside the towers of ids. */
struct sequence_shares {
    const struct training *training;
    const struct validation *validation;
    const struct trainer_result *ids;
    const float *users, *items; /* (n, d) of sequences, all users and items at unit length */
    bool alone_is_offered;      /* that they stand in the place of ids */
};

/* The best share, unless it does not beat the towers of ids alone by two standard errors: then 0.
 * Sequences alone are taken where no share beside ids beats them by one, for then nights need no
 * tower of ids. `epochs`: that the tower has, for the line in the log. */
MUST_CHECK enum status_code sequence_share_choose(const struct sequence_shares *shares,
                                                  size_t epochs, double *share,
                                                  struct status *status);
/* Says in the log what the share that is given has, and what ids have without it, if there are any.
 */
MUST_CHECK enum status_code sequence_share_tell(const struct sequence_shares *shares, size_t epochs,
                                                struct status *status);

#endif
