/* The artifact "towers": what the train and refit stages leave behind for everyone who ranks. */
#include "model/towers.h"

#include <assert.h>
#include <math.h>

static enum status_code load_matrix(const struct artifact *artifact, const char *name,
                                    struct const_matrix *out, struct status *status)
{
    const void *data;
    size_t rows, columns;
    enum status_code code;
    TRY(artifact_get(artifact, name, ARRAY_F32, &data, &rows, &columns, status));
    *out = const_matrix_of(data, rows, columns);
done:
    return code;
}

enum status_code towers_load(struct towers *towers, const struct artifact *artifact,
                             struct status *status)
{
    struct towers loaded = {0};
    double basis;
    enum status_code code;
    TRY(load_matrix(artifact, "users", &loaded.users, status));
    TRY(load_matrix(artifact, "items", &loaded.items, status));
    TRY(artifact_get_number(artifact, "basis", &basis, status));
    TRY(artifact_get_number(artifact, "temperature", &loaded.temperature, status));
    TRY(artifact_get_number(artifact, "alpha", &loaded.alpha, status));
    TRY(artifact_get_number(artifact, "epochs", &loaded.epochs, status));
    loaded.basis = basis == (double)BASIS_ALL ? BASIS_ALL : BASIS_FIT;
    if (loaded.users.columns != loaded.items.columns || !(loaded.temperature > 0.0)) {
        code = status_set(status, STATUS_INTERNAL,
                          "artifact towers: users have dimension %zu, items %zu, temperature %g; "
                          "the work database is damaged or of another version: delete it",
                          loaded.users.columns, loaded.items.columns, loaded.temperature);
        goto done;
    }
    *towers = loaded;
done:
    return code;
}

enum status_code towers_save(const struct towers *towers, struct artifact *artifact,
                             struct status *status)
{
    enum status_code code;
    assert(towers->users.stride == towers->users.columns);
    assert(towers->items.stride == towers->items.columns);
    artifact_init(artifact, "towers");
    TRY(artifact_copy(artifact, "users", ARRAY_F32, towers->users.rows, towers->users.columns,
                      towers->users.data, status));
    TRY(artifact_copy(artifact, "items", ARRAY_F32, towers->items.rows, towers->items.columns,
                      towers->items.data, status));
    TRY(artifact_set_number(artifact, "basis", (double)towers->basis, status));
    TRY(artifact_set_number(artifact, "temperature", towers->temperature, status));
    TRY(artifact_set_number(artifact, "alpha", towers->alpha, status));
    TRY(artifact_set_number(artifact, "epochs", towers->epochs, status));
done:
    if (code != STATUS_OK) {
        artifact_release(artifact);
    }
    return code;
}

void towers_popularity_bias(const int64_t *counts, size_t n_items, double beta, float *out)
{
    for (size_t i = 0; i < n_items; i++) {
        out[i] = (float)(beta * log1p((double)counts[i]));
    }
}
