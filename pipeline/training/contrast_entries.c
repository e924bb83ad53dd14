/* The entries of a contrast. */
#include "training/contrast_entries.h"

#include "base/tree_sum.h"
#include "math/vec.h"

#include <float.h>
#include <math.h>
#include <string.h>

void contrast_entries_release(struct contrast_entries *entries)
{
    workspace_release(&entries->workspace);
}

enum status_code contrast_entries_start(struct contrast_entries *entries, size_t n_anchors,
                                        size_t positives, size_t excluded, size_t listed,
                                        struct status *status)
{
    enum status_code code = STATUS_OK;
    struct workspace *workspace = &entries->workspace;
    entries->n = 0;
    entries->n_leaves = 0;
    entries->leaves[0] = 0;
    entries->weights[0] = 0.0;
    workspace_begin(workspace);
    row_builder_memory(&entries->positives, n_anchors, positives, workspace);
    row_builder_memory(&entries->excluded, n_anchors, excluded, workspace);
    row_builder_memory(&entries->listed, n_anchors, listed, workspace);
    WORKSPACE_ADD(workspace, &entries->places, n_anchors);
    TRY(workspace_reserve(workspace, status));
    row_builder_clear(&entries->positives);
    row_builder_clear(&entries->excluded);
    row_builder_clear(&entries->listed);
done:
    return code;
}

void contrast_entries_end_leaf(struct contrast_entries *entries)
{
    entries->leaves[++entries->n_leaves] = entries->positives.matrix.n_rows;
    if (entries->n_leaves < SHARDS) {
        entries->weights[entries->n_leaves] = 0.0;
    }
}

double contrast_entries_weight(const struct contrast_entries *entries)
{
    double weights[SHARDS];
    memcpy(weights, entries->weights, sizeof weights);
    return tree_sum(weights, entries->n_leaves == 0 ? 1 : entries->n_leaves);
}

/* A batch of events that decayed to the smallest float can ask for more than a float holds. */
void contrast_entries_scale(struct contrast_entries *entries, double mass, double weight)
{
    if (weight > 0.0) {
        vec_ops()->scale((float)fmin(mass / weight, (double)FLT_MAX),
                         entries->positives.matrix.values, entries->positives.n_entries);
    }
}
