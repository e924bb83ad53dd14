/* One contrast at work. */
#include "training/train_side.h"

#include "base/clock.h"

void side_gradients_memory(struct side *side)
{
    WORKSPACE_ADD(&side->workspace, &side->anchor_gradient, side->entries->n * side->width);
    WORKSPACE_ADD(&side->workspace, &side->candidate_gradient, side->n_candidates * side->width);
}

enum status_code side_run(const struct side *side, struct contrast *contrast,
                          const struct contrast_settings *settings, struct pool *pool,
                          struct contrast_result *result, struct train_outcome *outcome,
                          struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct contrast_entries *entries = side->entries;
    size_t m = side->n_candidates, width = side->width;
    struct contrast_batch work = {
        .anchors = const_matrix_of(side->anchors, entries->n, width),
        .candidates = const_matrix_of(side->candidates, m, width),
        .positives = entries->positives.matrix,
        .n_negatives = entries->n_negatives,
        .offsets = side->offsets,
        .thresholds = side->thresholds,
        .n_leaves = entries->n_leaves,
        .leaves = entries->leaves,
        .high_offset = side->high_offset,
    };
    if (entries->excluded.n_entries > 0) {
        work.excluded = entries->excluded.matrix;
    }
    /* where nothing is shared, a row without a list is an anchor without negatives */
    if (entries->listed.n_entries > 0 || entries->n_negatives == 0) {
        work.listed = entries->listed.matrix;
    }
    work.positives.n_columns = work.excluded.n_columns = work.listed.n_columns = m;
    result->anchors = matrix_of(side->anchor_gradient, entries->n, width);
    result->candidates = matrix_of(side->candidate_gradient, m, width);
    double began = clock_cpu();
    TRY(contrast_run(contrast, settings, &work, pool, result, status));
    outcome->kernel_seconds += clock_cpu() - began;
    outcome->loss += result->loss;
done:
    return code;
}
