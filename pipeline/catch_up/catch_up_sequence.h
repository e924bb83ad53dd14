/* The part of the vectors that reads sequences, on a small night: of users with new rows it is the
 * newest state, by the weights of the last full night, which has left what it read and where that
 * ended: their new events alone are read. Who is new, whose older events are others than then (a
 * late row, an item once more) or are as many as `length` is read from the start. Items keep
 * their vectors. */
#ifndef NIGHTJAR_CATCH_UP_CATCH_UP_SEQUENCE_H
#define NIGHTJAR_CATCH_UP_CATCH_UP_SEQUENCE_H

#include "catch_up/catch_up_start.h"
#include "sequence/sequence_kept.h"

/* How much went through the tower. */
struct catch_up_read {
    size_t n_on, n_on_steps;     /* users who were read on, by so many steps */
    size_t n_anew, n_anew_steps; /* users who were read from the start */
};

/* Zero-initialise. */
struct catch_up_sequence {
    size_t dimension; /* 0: the towers at hand read none, and there is nothing else here */
    struct sequence_kept kept;
    float *items;       /* (items of tonight's ALL, dimension) unit length; zeros: a new one */
    float *states;      /* (active users, dimension) */
    float *cold_states; /* (cold users with a history, dimension); zeros: no new rows */
    struct catch_up_read read;
};

/* Loads the optional input "sequence". */
MUST_CHECK enum status_code catch_up_sequence_load(struct catch_up_sequence *sequence,
                                                   struct context *context, struct status *status);
/* States of tonight. active (n_active): rows of users; is_updated by master code. */
MUST_CHECK enum status_code catch_up_sequence_read(struct catch_up_sequence *sequence,
                                                   const struct catch_up_request *request,
                                                   const int32_t *active, size_t n_active,
                                                   const uint8_t *is_updated,
                                                   struct status *status);
void catch_up_sequence_release(struct catch_up_sequence *sequence);

#endif
