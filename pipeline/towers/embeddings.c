/* The artifact "towers": what the train and refit stages leave behind for everyone who ranks. */
#include "towers/embeddings.h"

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

/* Arrays NAME and NAME.codes, absent when there are no such vectors. */
static enum status_code load_cold(const struct artifact *artifact, const char *name,
                                  const char *codes_name, struct const_matrix *out,
                                  const int32_t **codes, struct status *status)
{
    enum status_code code = STATUS_OK;
    const void *data;
    if (artifact_find(artifact, name) != NULL) {
        TRY(load_matrix(artifact, name, out, status));
        TRY(artifact_get_sized(artifact, codes_name, ARRAY_I32, out->rows, 1, &data, status));
        *codes = data;
        if (!codes_are_sound(*codes, out->rows, SIZE_MAX)) {
            TRY(artifact_misfit(artifact, codes_name, "its codes do not ascend", status));
        }
    }
done:
    return code;
}

static enum status_code save_cold(const struct const_matrix *vectors, const int32_t *codes,
                                  const char *name, const char *codes_name,
                                  struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (vectors->rows > 0) {
        assert(vectors->stride == vectors->columns);
        TRY(artifact_copy(artifact, name, ARRAY_F32, vectors->rows, vectors->columns, vectors->data,
                          status));
        TRY(artifact_copy(artifact, codes_name, ARRAY_I32, vectors->rows, 1, codes, status));
    }
done:
    return code;
}

/* Whether no element is NaN or infinite. */
static bool is_finite(struct const_matrix matrix)
{
    const uint32_t exponent = UINT32_C(0x7f800000);
    bool has_other = false;
    for (size_t row = 0; row < matrix.rows; row++) {
        for (size_t column = 0; column < matrix.columns; column++) {
            uint32_t bits;
            memcpy(&bits, matrix.data + row * matrix.stride + column, sizeof bits);
            has_other |= (bits & exponent) == exponent;
        }
    }
    return !has_other;
}

bool embeddings_know_all(const struct plan *plan, size_t position)
{
    const bool has_sequences = plan_has_group(plan, position, "training", "sequence");
    size_t p = plan_producer(plan, position, "towers");
    while (p != SIZE_MAX) {
        const double events = plan_stage_number(&plan->stages[p], "events");
        if (events == BASIS_ALL || (events == BASIS_FIT && has_sequences)) {
            return true;
        }
        p = plan_producer(plan, p, "towers"); /* a small night's go on from those above it */
    }
    return false;
}

enum status_code embeddings_load(struct embeddings *embeddings, const struct artifact *artifact,
                                 struct status *status)
{
    struct embeddings loaded = {0};
    double basis;
    enum status_code code;
    TRY(load_matrix(artifact, "users", &loaded.users, status));
    TRY(load_matrix(artifact, "items", &loaded.items, status));
    TRY(artifact_get_number(artifact, "basis", &basis, status));
    TRY(artifact_get_number(artifact, "temperature", &loaded.temperature, status));
    TRY(artifact_get_number(artifact, "alpha", &loaded.alpha, status));
    TRY(artifact_get_number(artifact, "epochs", &loaded.epochs, status));
    loaded.sequence_dimension = -1;
    if (artifact_find(artifact, "sequence_dimension") != NULL) {
        size_t n = 0;
        TRY(artifact_get_count(artifact, "sequence_dimension", loaded.users.columns, &n, status));
        loaded.sequence_dimension = (int64_t)n;
    }
    TRY(load_cold(artifact, "cold_users", "cold_users.codes", &loaded.cold_users,
                  &loaded.cold_user_codes, status));
    TRY(load_cold(artifact, "cold_items", "cold_items.codes", &loaded.cold_items,
                  &loaded.cold_item_codes, status));
    if (artifact_find(artifact, "item_bias") != NULL) {
        const void *bias = NULL;
        TRY(artifact_get_sized(artifact, "item_bias", ARRAY_F32, loaded.items.rows, 1, &bias,
                               status));
        loaded.item_bias = bias;
    }
    if (basis != (double)BASIS_ALL && basis != (double)BASIS_FIT) {
        TRY(artifact_misfit(artifact, "basis", "it is none", status));
    }
    loaded.basis = basis == (double)BASIS_ALL ? BASIS_ALL : BASIS_FIT;
    const size_t d = loaded.users.columns;
    if (loaded.items.columns != d || !(loaded.temperature > 0.0) ||
        (loaded.cold_users.rows > 0 && loaded.cold_users.columns != d) ||
        (loaded.cold_items.rows > 0 && loaded.cold_items.columns != d)) {
        TRY(artifact_misfit(artifact, "users, items",
                            "they differ in their dimension, or the temperature is none", status));
    }
    if (!is_finite(loaded.users) || !is_finite(loaded.items) || !is_finite(loaded.cold_users) ||
        !is_finite(loaded.cold_items) ||
        (loaded.item_bias != NULL &&
         !is_finite(const_matrix_of(loaded.item_bias, loaded.items.rows, 1)))) {
        TRY(artifact_misfit(artifact, "users, items", "some are not finite", status));
    }
    *embeddings = loaded;
done:
    return code;
}

enum status_code embeddings_check_rows(const struct embeddings *embeddings, size_t n_users,
                                       size_t n_items, struct status *status)
{
    return embeddings->users.rows == n_users && embeddings->items.rows == n_items
               ? STATUS_OK
               : status_set(status, STATUS_DATA,
                            "artifact towers: vectors of %zu users and %zu items for interactions "
                            "of %zu and %zu; the work database is of another version or damaged: "
                            "delete it and run again",
                            embeddings->users.rows, embeddings->items.rows, n_users, n_items);
}

enum status_code embeddings_save(const struct embeddings *embeddings, struct artifact *artifact,
                                 struct status *status)
{
    enum status_code code;
    assert(embeddings->users.stride == embeddings->users.columns);
    assert(embeddings->items.stride == embeddings->items.columns);
    artifact_init(artifact, "towers");
    TRY(artifact_copy(artifact, "users", ARRAY_F32, embeddings->users.rows,
                      embeddings->users.columns, embeddings->users.data, status));
    TRY(artifact_copy(artifact, "items", ARRAY_F32, embeddings->items.rows,
                      embeddings->items.columns, embeddings->items.data, status));
    TRY(save_cold(&embeddings->cold_users, embeddings->cold_user_codes, "cold_users",
                  "cold_users.codes", artifact, status));
    TRY(save_cold(&embeddings->cold_items, embeddings->cold_item_codes, "cold_items",
                  "cold_items.codes", artifact, status));
    if (embeddings->item_bias != NULL) {
        TRY(artifact_copy(artifact, "item_bias", ARRAY_F32, embeddings->items.rows, 1,
                          embeddings->item_bias, status));
    }
    TRY(artifact_set_number(artifact, "basis", (double)embeddings->basis, status));
    TRY(artifact_set_number(artifact, "temperature", embeddings->temperature, status));
    TRY(artifact_set_number(artifact, "alpha", embeddings->alpha, status));
    TRY(artifact_set_number(artifact, "epochs", embeddings->epochs, status));
    if (embeddings->sequence_dimension >= 0) {
        TRY(artifact_set_number(artifact, "sequence_dimension",
                                (double)embeddings->sequence_dimension, status));
    }
done:
    if (code != STATUS_OK) {
        artifact_release(artifact);
    }
    return code;
}

void embeddings_popularity_bias(const int64_t *counts, const float *learned, size_t n_items,
                                double beta, float *out)
{
    for (size_t i = 0; i < n_items; i++) {
        out[i] = (float)(beta * (learned != NULL ? (double)learned[i] : log1p((double)counts[i])));
    }
}

float embeddings_cold_bias(const float *learned, size_t n_items, double beta)
{
    if (learned == NULL || n_items == 0) {
        return 0.0f;
    }
    float least = learned[0];
    for (size_t i = 1; i < n_items; i++) {
        least = learned[i] < least ? learned[i] : least;
    }
    return (float)(beta * (double)least);
}
