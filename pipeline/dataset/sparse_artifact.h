/* Sparse matrices as arrays of an artifact: the one form in which they pass from stage to stage.
 *
 *   sparse_save(&matrix, &artifact, "fit.item_item", status);   the artifact owns the arrays now
 *   sparse_load(&matrix, &artifact, "fit.item_item", &found, status);   a view, nothing to release
 */
#ifndef NIGHTJAR_DATASET_SPARSE_ARTIFACT_H
#define NIGHTJAR_DATASET_SPARSE_ARTIFACT_H

#include "math/sparse.h"
#include "store/artifact.h"

/* Artifact arrays PREFIX.offsets, PREFIX.columns, PREFIX.values and the two extents (PREFIX.n_rows,
 * PREFIX.n_columns), for any sparse matrix. Save moves the arrays into the artifact and leaves `m`
 * a view over it, not to be released any more; on error the arrays are gone and `m` is zeroed. */
MUST_CHECK enum status_code sparse_save(struct sparse *m, struct artifact *artifact,
                                        const char *prefix, struct status *status);
/* A view over the artifact, which must outlive it. *found false (and *m zeroed) when the artifact
 * has no such matrix. */
MUST_CHECK enum status_code sparse_load(struct sparse *m, const struct artifact *artifact,
                                        const char *prefix, bool *found, struct status *status);

#endif
