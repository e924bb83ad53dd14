/* Evidence over small interactions, and its definition computed the naive way in double. */
#ifndef NIGHTJAR_TESTS_EVIDENCE_DATA_H
#define NIGHTJAR_TESTS_EVIDENCE_DATA_H

#include "pairs/evidence.h"

struct evidence_data {
    struct artifact artifact;
    struct evidence evidence; /* a view over the artifact */
};

/* degree_normalised pairs of the dataset's train part, the `top` strongest of each item, in the
 * slot of `basis`. */
void evidence_data_init(struct evidence_data *data, const struct dataset *dataset, enum basis basis,
                        size_t top);
void evidence_data_release(struct evidence_data *data);

/* c(row, item) n_item^p, and its share of the maximum over items outside the history (0 where that
 * is 0). n_i is counted in dataset->train. */
double naive_evidence(const struct evidence_data *data, const struct dataset *dataset,
                      const struct sparse *histories, size_t row, size_t item, double exponent);
double naive_share(const struct evidence_data *data, const struct dataset *dataset,
                   const struct sparse *histories, size_t row, size_t item, double exponent);

#endif
