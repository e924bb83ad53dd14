/* The steps of some users, packed one user after the other: what a pass of the tower goes over. */
#ifndef NIGHTJAR_SEQUENCE_SEQUENCE_PLACES_H
#define NIGHTJAR_SEQUENCE_SEQUENCE_PLACES_H

#include "base/workspace.h"
#include "sequence/sequences.h"

/* Events of the input that a training pass does not see; what is asked for stays. A user's draws
 * depend on him and the epoch alone. */
struct sequence_hiding {
    double share; /* of the events */
    uint64_t seed, epoch;
    const uint64_t *keys; /* (users of the sequences) of their random streams; NULL: their rows */
};

/* Zero-initialise. */
struct sequence_places {
    size_t n_users, n;
    int64_t *first;      /* (n_users + 1) first place of each user */
    struct sparse steps; /* (n, n_items) the items of each, without values */
    struct sparse read;  /* (n, n_items) those that are seen: 1 / how many */
    struct sparse aged;  /* (n, SEQUENCE_AGES) the age of each */
    int64_t *blocks;     /* (n_blocks + 1) first user of each block */
    size_t n_blocks;
    const struct sequence_memory *memory; /* NULL: every user begins from nothing */
    int32_t *goes_on;                     /* (n_users) row of it, -1: from nothing */
    struct workspace workspace;
};
/* users (n_users): rows of the sequences; every user with a step. hiding NULL: all is seen. */
MUST_CHECK enum status_code sequence_places_set(struct sequence_places *places,
                                                const struct sequences *sequences, size_t n_items,
                                                const int32_t *users, size_t n_users,
                                                const struct sequence_hiding *hiding,
                                                struct status *status);
void sequence_places_release(struct sequence_places *places);

#endif
