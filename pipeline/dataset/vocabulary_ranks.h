/* Ids that several ranks (ranks/ranks.h) have read parts of. */
#ifndef NIGHTJAR_DATASET_VOCABULARY_RANKS_H
#define NIGHTJAR_DATASET_VOCABULARY_RANKS_H

#include "dataset/vocabulary.h"
#include "ranks/ranks.h"

/* The ids of all ranks' vocabularies, ascending, in the place of this one's, which is sorted and no
 * view; all of one type, but for empty ones. map (ids->n before the call, NULL allowed) = what
 * became of each code. Log2 of the ranks rounds, in each of which two swap what they have. */
MUST_CHECK enum status_code vocabulary_unite(struct ranks *ranks, struct vocabulary *ids,
                                             int32_t *map, struct status *status);

#endif
