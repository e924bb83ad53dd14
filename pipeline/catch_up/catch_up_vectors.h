/* The vectors of tonight's rows before and after the training of a small night. */
#ifndef NIGHTJAR_CATCH_UP_CATCH_UP_VECTORS_H
#define NIGHTJAR_CATCH_UP_CATCH_UP_VECTORS_H

#include "catch_up/catch_up_sequence.h"
#include "training/trainer.h"

/* Zero-initialise. */
struct catch_up_vectors {
    size_t dimension; /* of what is trained: what sequences say stands beside it */
    struct catch_up_sequence sequence;
    struct start_side side[N_SIDES];
    float *vectors[N_SIDES]; /* (rows of tonight's ALL, dimension) unit length; zeros: unknown */
    float *bias;             /* (items) learned popularity term, NULL: none */
    uint8_t *is_updated;     /* (master users) has rows that the towers have not seen */
    size_t n_active;
    int32_t *active; /* (n_active) rows of users to train, ascending */
};

/* Every vector at its start. */
MUST_CHECK enum status_code catch_up_vectors_init(struct catch_up_vectors *vectors,
                                                  const struct catch_up_request *request,
                                                  struct status *status);
/* Puts the trained vectors (n_active users, all items) in their places. */
void catch_up_vectors_take(struct catch_up_vectors *vectors, const struct trainer_result *trained);
/* The artifact "towers": rows, cold users and items, numbers as the towers at hand have them. */
MUST_CHECK enum status_code catch_up_vectors_save(const struct catch_up_vectors *vectors,
                                                  const struct catch_up_request *request,
                                                  double epochs, struct artifact *out,
                                                  struct status *status);
void catch_up_vectors_release(struct catch_up_vectors *vectors);

#endif
