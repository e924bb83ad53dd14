/* What a column of side data is worth to towers that were trained with it: how much of the
 * validation metric is lost when its values are given to the wrong entities, by a seeded
 * permutation of the rows (Breiman 2001, Random Forests, section 10), of users within their shards.
 * Two columns that say the same stand in for each other: each then loses little. */
#ifndef NIGHTJAR_TRAINING_COLUMN_WORTH_H
#define NIGHTJAR_TRAINING_COLUMN_WORTH_H

#include "training/train_session.h"

/* Metrics of the run, of the model "towers": the group "validation" with the columns as they are,
 * and "without:items.category" for each column. Nothing without validation users or side data. It
 * is the hook at_end (training/trainer_input.h) of the struct training that `data` is. */
MUST_CHECK enum status_code column_worth_report(void *data, const struct trainer_end *end,
                                                struct status *status);

/* out = m with the tokens [first, first + count) of row i put in place of those of row
 * permutation[i]; tokens ascend within the rows. `out` zeroed, sparse_release is the caller's. */
MUST_CHECK enum status_code column_shuffle(const struct sparse *m, size_t first, size_t count,
                                           const uint32_t *permutation, struct sparse *out,
                                           struct status *status);

#endif
