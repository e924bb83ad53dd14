/* The union of two sorted vocabularies. */
#ifndef NIGHTJAR_DATASET_VOCABULARY_MERGE_H
#define NIGHTJAR_DATASET_VOCABULARY_MERGE_H

#include "dataset/vocabulary.h"

/* out = the ids of a or b, ascending. map_a (a->n) and map_b (b->n), NULL allowed, get the code of
 * each id in it; both ascend. Both are sorted (vocabulary_sort) and of one type, unless one is
 * empty; else STATUS_INTERNAL. `out` zeroed; it owns its ids. */
MUST_CHECK enum status_code vocabulary_merge(const struct vocabulary *a, const struct vocabulary *b,
                                             struct vocabulary *out, int32_t *map_a, int32_t *map_b,
                                             struct status *status);

#endif
