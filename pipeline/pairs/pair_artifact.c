/* Names and weights: pair_artifact.h. */
#include "pairs/pair_artifact.h"

#include <math.h>

const char *const pairs_positive_slots[N_BASES] = {"fit.user_item", "all.user_item"};
const char *const pairs_item_item_slots[N_BASES] = {"fit.item_item", "all.item_item"};
const char *const pairs_evidence_slots[N_BASES] = {"fit.evidence", "all.evidence"};
const char *const pairs_transition_slots[N_BASES] = {"fit.transitions", "all.transitions"};
const char *const pairs_ridge_slots[N_BASES] = {"fit.ridge", "all.ridge"};

const char *const positive_weights_names[] = {"value", "log", "one", NULL};
const char *const pairs_positive_weights_slot = "positive_weights";

void pairs_weigh_positives(enum positive_weights which, const float *values, size_t n, float *out)
{
    for (size_t e = 0; e < n; e++) {
        out[e] = which == POSITIVES_ONE   ? 1
                 : which == POSITIVES_LOG ? log2f(1 + values[e])
                                          : values[e];
    }
}

enum status_code pairs_positive_weights(const struct artifact *artifact, enum basis basis,
                                        size_t n_entries, const float **weights,
                                        struct status *status)
{
    const char *name = pairs_positive_slots[basis];
    const void *data = NULL;
    enum status_code code = STATUS_OK;
    if (artifact_find(artifact, name) != NULL) {
        code = artifact_get_sized(artifact, name, ARRAY_F32, n_entries, 1, &data, status);
    }
    if (code == STATUS_OK) {
        *weights = data;
    }
    return code;
}
