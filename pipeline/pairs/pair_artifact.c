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

/* ---- how item pairs are made ---- */

static const char settings_slot[] = "item_item.settings";
enum { N_SETTINGS = 7 };

enum status_code pairs_settings_save(const struct pair_settings *settings,
                                     struct artifact *artifact, struct status *status)
{
    const double values[N_SETTINGS] = {settings->window,
                                       (double)settings->max_gap,
                                       (double)settings->max_positions,
                                       settings->weighting,
                                       settings->min_count,
                                       (double)settings->top,
                                       (double)settings->max_user_items};
    return artifact_copy(artifact, settings_slot, ARRAY_F64, N_SETTINGS, 1, values, status);
}

enum status_code pairs_settings_load(struct pair_settings *settings,
                                     const struct artifact *artifact, bool *found,
                                     struct status *status)
{
    const void *data = NULL;
    *found = artifact_find(artifact, settings_slot) != NULL;
    if (!*found) {
        return STATUS_OK;
    }
    const enum status_code code =
        artifact_get_sized(artifact, settings_slot, ARRAY_F64, N_SETTINGS, 1, &data, status);
    if (code == STATUS_OK) {
        const double *values = data;
        *settings = (struct pair_settings){.window = (enum pair_window)values[0],
                                           .max_gap = (int64_t)values[1],
                                           .max_positions = (size_t)values[2],
                                           .weighting = (int)values[3],
                                           .min_count = values[4],
                                           .top = (size_t)values[5],
                                           .max_user_items = (size_t)values[6]};
    }
    return code;
}
