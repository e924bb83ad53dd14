/* The anchors of a contrast and what each is pulled to and pushed from, as they are collected row
 * by row. */
#ifndef NIGHTJAR_TRAINING_CONTRAST_ENTRIES_H
#define NIGHTJAR_TRAINING_CONTRAST_ENTRIES_H

#include "math/row_builder.h"
#include "ranks/ranks.h"

/* Columns are places among the contrast's candidates. Zero-initialise. */
struct contrast_entries {
    size_t n;           /* anchors */
    size_t n_negatives; /* shared: candidates [0, n_negatives) */
    struct row_builder positives, excluded, listed;
    /* of leaf l the anchors [leaves[l], leaves[l + 1]), and the weight of their positives */
    size_t n_leaves, leaves[SHARDS + 1];
    double weights[SHARDS];
    int32_t *places; /* (n) where the anchors stand among the rows of their tower */
    struct workspace workspace;
};

void contrast_entries_release(struct contrast_entries *entries);
/* Empties them and makes room for the entries of n_anchors rows. */
MUST_CHECK enum status_code contrast_entries_start(struct contrast_entries *entries,
                                                   size_t n_anchors, size_t positives,
                                                   size_t excluded, size_t listed,
                                                   struct status *status);
/* Adds a positive to the row. */
static inline void contrast_entries_add(struct contrast_entries *entries, int32_t column,
                                        double weight)
{
    row_builder_add(&entries->positives, column, (float)weight);
    entries->weights[entries->n_leaves] += weight;
}
/* Ends a leaf with the last row that has ended. Where nobody does, all rows are one leaf. */
void contrast_entries_end_leaf(struct contrast_entries *entries);
/* The weight of all positives. */
double contrast_entries_weight(const struct contrast_entries *entries);
/* Scales the positives so that those that weigh `weight` together weigh `mass`. */
void contrast_entries_scale(struct contrast_entries *entries, double mass, double weight);

#endif
