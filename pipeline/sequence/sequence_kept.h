/* The tower as a full night leaves it, the artifact "sequence": its weights, how its vectors stand
 * beside those of ids, and whose they are. Small nights read on with it, and the next full night
 * may start from it (sequence_warm.h). */
#ifndef NIGHTJAR_SEQUENCE_SEQUENCE_KEPT_H
#define NIGHTJAR_SEQUENCE_SEQUENCE_KEPT_H

#include "sequence/sequence_model.h"

/* What is known of it before its tables are read. */
struct sequence_facts {
    size_t n_items, layers, dimension;
    size_t length;       /* the newest steps of a user are read */
    double weight;       /* w of the cosine of sequences in the joined one; 1: there are no ids */
    int64_t run_started; /* of the run that trained it, Unix seconds; 0: an older nightjar's */
    enum basis basis;    /* whose items and users its rows are */
};

/* Zero-initialise. */
struct sequence_kept {
    struct sequence_model model;
    size_t length; /* the newest steps of a user are read */
    double weight; /* w of the cosine of sequences in the joined one */
    enum basis basis;
    struct sequence_memory memory; /* of the artifact, which outlives it; without users: none */
};

/* What a small night goes on from. */
struct sequence_read {
    struct sequences *sequences; /* of the users whose vectors the artifact stands beside */
    float *states;               /* see sequence_encode; NULL: nobody will go on */
};

/* facts: length, weight, run_started and basis; the others are the model's. items: the ids of its
 * rows. Arrays of items and of what was read move into the artifact, which is not initialised
 * before; the caller releases it. */
MUST_CHECK enum status_code sequence_kept_save(const struct sequence_model *model,
                                               const struct sequence_facts *facts,
                                               struct vocabulary *items, struct sequence_read *read,
                                               struct artifact *artifact, struct status *status);
/* Errors: STATUS_DATA where a number is none or out of range. */
MUST_CHECK enum status_code sequence_facts_load(struct sequence_facts *facts,
                                                const struct artifact *artifact,
                                                struct status *status);
/* A view of the ids; of an artifact from before there were any it is empty. */
MUST_CHECK enum status_code sequence_kept_items(struct vocabulary *items,
                                                const struct artifact *artifact,
                                                struct status *status);
/* The model's tables are copies, the memory is a view. Errors: STATUS_DATA where a number or a
 * shape does not fit. */
MUST_CHECK enum status_code sequence_kept_load(struct sequence_kept *kept,
                                               const struct artifact *artifact,
                                               struct status *status);
void sequence_kept_release(struct sequence_kept *kept);

/* out (d + s) = (sqrt(1 - w) id, sqrt(w) sequence), at unit length also where one of them is
 * missing: zeros, or `sequence` NULL. d 0: the sequence alone. */
void sequence_join_row(const float *id, size_t d, const float *sequence, size_t s, double w,
                       float *out);

#endif
