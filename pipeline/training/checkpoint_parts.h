/* A checkpoint of several ranks (ranks/ranks.h), each of which has kept its users and its item
 * rows, taken on by another number of them: every rank gathers its own rows from the parts in which
 * they are. */
#ifndef NIGHTJAR_TRAINING_CHECKPOINT_PARTS_H
#define NIGHTJAR_TRAINING_CHECKPOINT_PARTS_H

#include "training/trainer_state.h"

/* Whose part it is: numbers of an artifact that save the ranks, and which of them this was. */
MUST_CHECK enum status_code checkpoint_part_save(const struct trainer *trainer,
                                                 struct artifact *artifact, struct status *status);

/* Whether rank `part` of `n` had rows that are this rank's now. */
bool checkpoint_part_overlaps(const struct ranks *ranks, size_t part, size_t n);

/* A checkpoint that is put together. Zero-initialise. */
struct checkpoint_parts {
    struct artifact whole;   /* as this rank would have saved it */
    size_t n_users, n_items; /* rows that have been found */
};
/* Takes this rank's rows from part `part` of `n`; what concerns all ranks alike from the first one
 * that is given. */
MUST_CHECK enum status_code checkpoint_parts_add(struct checkpoint_parts *parts,
                                                 const struct trainer *trainer,
                                                 const struct artifact *from, size_t part, size_t n,
                                                 struct status *status);
void checkpoint_parts_release(struct checkpoint_parts *parts);

#endif
