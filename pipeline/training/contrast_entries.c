/* The entries of a contrast. */
#include "training/contrast_entries.h"

#include "math/vec.h"

#include <float.h>
#include <math.h>

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
    entries->total_weight = 0.0;
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

/* A batch of events that decayed to the smallest float can ask for more than a float holds. */
void contrast_entries_scale(struct contrast_entries *entries, double mass)
{
    if (entries->total_weight > 0.0) {
        double factor = fmin(mass / entries->total_weight, (double)FLT_MAX);
        vec_ops()->scale((float)factor, entries->positives.matrix.values,
                         entries->positives.n_entries);
    }
}
