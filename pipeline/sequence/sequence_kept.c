/* The artifact "sequence". */
#include "sequence/sequence_kept.h"

#include "math/vec.h"

#include <math.h>

enum status_code sequence_kept_save(const struct sequence_model *model, size_t length,
                                    double weight, struct artifact *artifact, struct status *status)
{
    enum status_code code;
    artifact_init(artifact, "sequence");
    TRY(sequence_weights_keep(model, artifact, status));
    TRY(artifact_set_number(artifact, "items", (double)model->items.n, status));
    TRY(artifact_set_number(artifact, "layers", (double)model->n_layers, status));
    TRY(artifact_set_number(artifact, "dimension", (double)model->dimension, status));
    TRY(artifact_set_number(artifact, "length", (double)length, status));
    TRY(artifact_set_number(artifact, "weight", weight, status));
done:
    if (code != STATUS_OK) {
        artifact_release(artifact);
    }
    return code;
}

enum status_code sequence_kept_load(struct sequence_kept *kept, const struct artifact *artifact,
                                    struct status *status)
{
    enum status_code code;
    struct sequence_settings settings = {0};
    struct sequence_kept loaded = {0};
    size_t n_items = 0;
    TRY(artifact_get_count(artifact, "items", INT32_MAX, &n_items, status));
    TRY(artifact_get_count(artifact, "layers", SEQUENCE_LAYERS_MAX, &settings.layers, status));
    TRY(artifact_get_count(artifact, "dimension", 512, &settings.dimension, status));
    TRY(artifact_get_count(artifact, "length", 100000, &loaded.length, status));
    TRY(artifact_get_number(artifact, "weight", &loaded.weight, status));
    if (!(loaded.weight > 0.0 && loaded.weight < 1.0) || settings.dimension == 0) {
        TRY(artifact_misfit(artifact, "weight", "it is none, or there are no dimensions", status));
    }
    TRY(sequence_model_init(&loaded.model, &settings, n_items, 0, NULL, status));
    TRY(sequence_weights_take(&loaded.model, artifact, status));
    *kept = loaded;
    loaded = (struct sequence_kept){0};
done:
    sequence_kept_release(&loaded);
    return code;
}

void sequence_kept_release(struct sequence_kept *kept)
{
    sequence_model_release(&kept->model);
    *kept = (struct sequence_kept){0};
}

void sequence_join_row(const float *id, size_t d, const float *sequence, size_t s, double w,
                       float *out)
{
    const struct vec_ops *vec = vec_ops();
    memset(out, 0, (d + s) * sizeof *out);
    vec->axpy((float)sqrt(1.0 - w), id, out, d);
    if (sequence != NULL) {
        vec->axpy((float)sqrt(w), sequence, out + d, s);
    }
    const float square = vec->dot(out, out, d + s);
    if (square > 0.0f) {
        vec->scale(1.0f / sqrtf(square), out, d + s);
    }
}
