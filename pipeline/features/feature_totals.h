/* What the cells of all ranks (ranks/ranks.h) come to: the columns of people are the same tokens
 * everywhere, though a rank has read its own people alone. Collectives; `ranks` NULL is one rank.
 */
#ifndef NIGHTJAR_FEATURES_FEATURE_TOTALS_H
#define NIGHTJAR_FEATURES_FEATURE_TOTALS_H

#include "dataset/vocabulary.h"
#include "features/feature_encoder.h"
#include "ranks/shards.h"

/* How many different ones of `hashes` (n; moved about) all ranks have together. */
MUST_CHECK enum status_code feature_count_distinct(struct ranks *ranks, uint64_t *hashes, size_t n,
                                                   size_t *out, struct status *status);

/* out = the texts, ascending by bytes, whose counts over all ranks are at least min_count; counts
 * (values->n) of this rank's. `out` zeroed, and to be released on error, too. */
MUST_CHECK enum status_code feature_frequent_values(struct ranks *ranks,
                                                    const struct vocabulary *values,
                                                    const int64_t *counts, int64_t min_count,
                                                    struct vocabulary *out, struct status *status);

/* The counts of a column, and its first bad value, over all ranks. */
MUST_CHECK enum status_code feature_block_add_up(struct ranks *ranks, struct feature_block *block,
                                                 struct status *status);

#endif
