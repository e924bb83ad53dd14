/* The tower as a full night leaves it for small ones, the artifact "sequence": its weights, and how
 * its vectors stand beside those of ids. */
#ifndef NIGHTJAR_SEQUENCE_SEQUENCE_KEPT_H
#define NIGHTJAR_SEQUENCE_SEQUENCE_KEPT_H

#include "sequence/sequence_model.h"

/* Zero-initialise. */
struct sequence_kept {
    struct sequence_model model;
    size_t length; /* the newest steps of a user are read */
    double weight; /* w of the cosine of sequences in the joined one */
};

/* artifact: not initialised before; the caller releases it. */
MUST_CHECK enum status_code sequence_kept_save(const struct sequence_model *model, size_t length,
                                               double weight, struct artifact *artifact,
                                               struct status *status);
/* The model's tables are copies. Errors: STATUS_DATA where a number or a shape does not fit. */
MUST_CHECK enum status_code sequence_kept_load(struct sequence_kept *kept,
                                               const struct artifact *artifact,
                                               struct status *status);
void sequence_kept_release(struct sequence_kept *kept);

/* out (d + s) = (sqrt(1 - w) id, sqrt(w) sequence), at unit length also where one of them is
 * missing: zeros, or `sequence` NULL. */
void sequence_join_row(const float *id, size_t d, const float *sequence, size_t s, double w,
                       float *out);

#endif
