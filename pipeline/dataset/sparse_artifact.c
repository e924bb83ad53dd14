/* Sparse matrices in artifacts. */
#include "dataset/sparse_artifact.h"

#include "base/mem.h"

#include <stdio.h>

static void array_name(char out[ARTIFACT_NAME_MAX], const char *prefix, const char *part)
{
    (void)snprintf(out, ARTIFACT_NAME_MAX, "%s.%s", prefix, part);
}

/* Hands *data over, so that it is NULL (or the artifact's) whatever happens. */
static enum status_code take_part(struct artifact *artifact, const char *prefix, const char *part,
                                  enum array_type type, size_t rows, void *data,
                                  struct status *status)
{
    char name[ARTIFACT_NAME_MAX];
    array_name(name, prefix, part);
    return artifact_take(artifact, name, type, rows, 1, data, status);
}

static enum status_code set_extent(struct artifact *artifact, const char *prefix, const char *part,
                                   size_t extent, struct status *status)
{
    char name[ARTIFACT_NAME_MAX];
    array_name(name, prefix, part);
    return artifact_set_number(artifact, name, (double)extent, status);
}

enum status_code sparse_save(struct sparse *m, struct artifact *artifact, const char *prefix,
                             struct status *status)
{
    const size_t entries = sparse_entries(m);
    struct sparse owned = *m; /* what the artifact has not taken yet */
    struct sparse view = *m;
    enum status_code code = STATUS_OK;
    *m = (struct sparse){0};
    if (owned.offsets == NULL) {
        TRY(MEM_NEW(&owned.offsets, owned.n_rows + 1, status));
        view.offsets = owned.offsets;
    }
    if (owned.columns == NULL) {
        TRY(MEM_NEW(&owned.columns, entries, status));
        view.columns = owned.columns;
    }
    TRY(set_extent(artifact, prefix, "n_rows", owned.n_rows, status));
    TRY(set_extent(artifact, prefix, "n_columns", owned.n_columns, status));
    owned.offsets = NULL;
    TRY(take_part(artifact, prefix, "offsets", ARRAY_I64, view.n_rows + 1, view.offsets, status));
    owned.columns = NULL;
    TRY(take_part(artifact, prefix, "columns", ARRAY_I32, entries, view.columns, status));
    if (view.values != NULL) {
        owned.values = NULL;
        TRY(take_part(artifact, prefix, "values", ARRAY_F32, entries, view.values, status));
    }
    *m = view;
done:
    mem_free(owned.offsets);
    mem_free(owned.columns);
    mem_free(owned.values);
    return code;
}

static enum status_code get_extent(const struct artifact *artifact, const char *prefix,
                                   const char *part, size_t *extent, struct status *status)
{
    char name[ARTIFACT_NAME_MAX];
    array_name(name, prefix, part);
    return artifact_get_count(artifact, name, INT32_MAX, extent, status);
}

/* The array PREFIX.PART of `rows` elements. The view is not written through: a load is read-only by
 * contract, and struct sparse has no const twin. */
static enum status_code get_part(const struct artifact *artifact, const char *prefix,
                                 const char *part, enum array_type type, size_t rows, void **data,
                                 struct status *status)
{
    char name[ARTIFACT_NAME_MAX];
    array_name(name, prefix, part);
    return artifact_get_sized(artifact, name, type, rows, 1, (const void **)data, status);
}

enum status_code sparse_load(struct sparse *m, const struct artifact *artifact, const char *prefix,
                             bool *found, struct status *status)
{
    char name[ARTIFACT_NAME_MAX];
    struct sparse view = {0};
    void *data = NULL;
    enum status_code code = STATUS_OK;
    *m = (struct sparse){0};
    array_name(name, prefix, "offsets");
    *found = artifact_find(artifact, name) != NULL;
    if (!*found) {
        return STATUS_OK;
    }
    TRY(get_extent(artifact, prefix, "n_rows", &view.n_rows, status));
    TRY(get_extent(artifact, prefix, "n_columns", &view.n_columns, status));
    TRY(get_part(artifact, prefix, "offsets", ARRAY_I64, view.n_rows + 1, &data, status));
    view.offsets = data;
    const size_t entries = view.offsets[view.n_rows] < 0 ? 0 : (size_t)view.offsets[view.n_rows];
    TRY(get_part(artifact, prefix, "columns", ARRAY_I32, entries, &data, status));
    view.columns = data;
    if (!sparse_is_sound(&view, entries)) {
        TRY(artifact_misfit(artifact, prefix, "its offsets or columns are no matrix", status));
    }
    array_name(name, prefix, "values");
    if (artifact_find(artifact, name) != NULL) {
        TRY(get_part(artifact, prefix, "values", ARRAY_F32, entries, &data, status));
        view.values = data;
    }
    *m = view;
done:
    return code;
}
