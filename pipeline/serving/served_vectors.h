/* The vectors of one side as they are published: those of the towers and the cold ones in one list.
 *
 *     TRY(served_vectors_merge(&parts, &ids, &vectors, status));
 *     content.user_vectors = vectors.values ...
 *     served_vectors_release(&vectors); */
#ifndef NIGHTJAR_SERVING_SERVED_VECTORS_H
#define NIGHTJAR_SERVING_SERVED_VECTORS_H

#include "math/matrix.h"
#include "serving/served_ids.h"

/* Vectors of one side, by ascending served code. Zero-initialise. */
struct served_vectors {
    size_t n;
    int32_t *codes;   /* (n) */
    float *values;    /* (n, dimension) */
    float *bias;      /* (n) of items */
    uint8_t *sources; /* (n) enum publish_source */
};

/* Of one side: what the towers know and what is cold. */
struct served_vector_parts {
    struct const_matrix known, cold;
    const int32_t *known_codes; /* (known.rows) source codes */
    const int32_t *cold_codes;  /* (cold.rows) served codes, or source codes: cold_are_sources */
    bool cold_are_sources;
    const float *bias; /* (known.rows + cold.rows) or NULL */
};

/* By ascending served code; `out` zeroed, to be released after errors, too. */
MUST_CHECK enum status_code served_vectors_merge(const struct served_vector_parts *parts,
                                                 const struct served_ids *ids,
                                                 struct served_vectors *out, struct status *status);
void served_vectors_release(struct served_vectors *vectors);

#endif
