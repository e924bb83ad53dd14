/* The vectors of the published generation as a training starts from them: found by id, in the rows
 * of today's dataset. Over several ranks (ranks/ranks.h) the first one reads them for all. */
#ifndef NIGHTJAR_TRAINING_WARM_VECTORS_H
#define NIGHTJAR_TRAINING_WARM_VECTORS_H

#include "dataset/dataset.h"
#include "training/trainer.h"

/* Zero-initialise. */
struct warm_side {
    /* of all ranks: */
    size_t n, n_matched;  /* rows of the dataset; those that the generation has a sound vector of */
    size_t n_bad;         /* known rows whose published vector is of another length in bytes, not
                             finite or not of unit length: they count as new */
    struct buf first_bad; /* id of the first such row, empty: none */
    /* of the rows that are here, of items all: */
    float *vectors;         /* (rows, dimension), zeros where nothing matched */
    uint8_t *is_known;      /* (rows) */
    struct warm_start warm; /* both as the trainer takes them */
};

struct warm_vectors {
    struct warm_side side[N_SIDES];
};

struct warm_request {
    struct db *db; /* in a read transaction; ranks but the first may give NULL */
    const char *prefix;
    int64_t width;    /* of the published vectors, the same on all ranks */
    int64_t sequence; /* their last components, which read sequences; -1: not known */
    struct ranks *ranks;
    struct interactions *interactions; /* the indexes of their vocabularies are built */
    enum basis basis;
    size_t dimension, sequence_dimension; /* of the training: of ids, and beside them */
};

/* Reads user_embeddings and item_embeddings of what is published now, through the views; of vectors
 * in which sequences were read, too, the part of ids. An id of the other type (INTEGER, TEXT)
 * matches nothing. `why` gets one sentence when there is nothing to start from (a generation of
 * another dimension, a view that is gone, fewer than half of today's users or items known): *out is
 * then not to be used and the code is STATUS_OK. `out` zeroed; release in any case. A collective.
 */
MUST_CHECK enum status_code warm_vectors_read(const struct warm_request *request,
                                              struct warm_vectors *out, struct buf *why,
                                              struct status *status);
void warm_vectors_release(struct warm_vectors *vectors);

#endif
