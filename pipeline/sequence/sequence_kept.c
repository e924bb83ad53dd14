/* The artifact "sequence". */
#include "sequence/sequence_kept.h"

#include "math/vec.h"

#include <math.h>

static const char items_prefix[] = "ids";

enum status_code sequence_kept_save(const struct sequence_model *model,
                                    const struct sequence_facts *facts, struct vocabulary *items,
                                    struct artifact *artifact, struct status *status)
{
    enum status_code code;
    artifact_init(artifact, "sequence");
    TRY(sequence_weights_keep(model, artifact, status));
    TRY(artifact_set_number(artifact, "items", (double)model->items.n, status));
    TRY(artifact_set_number(artifact, "layers", (double)model->n_layers, status));
    TRY(artifact_set_number(artifact, "dimension", (double)model->dimension, status));
    TRY(artifact_set_number(artifact, "length", (double)facts->length, status));
    TRY(artifact_set_number(artifact, "weight", facts->weight, status));
    TRY(artifact_set_number(artifact, "run_started", (double)facts->run_started, status));
    TRY(vocabulary_save(items, artifact, items_prefix, status));
done:
    if (code != STATUS_OK) {
        artifact_release(artifact);
    }
    return code;
}

enum status_code sequence_facts_load(struct sequence_facts *facts, const struct artifact *artifact,
                                     struct status *status)
{
    enum status_code code;
    struct sequence_facts loaded = {0};
    double started = 0.0;
    TRY(artifact_get_count(artifact, "items", INT32_MAX, &loaded.n_items, status));
    TRY(artifact_get_count(artifact, "layers", SEQUENCE_LAYERS_MAX, &loaded.layers, status));
    TRY(artifact_get_count(artifact, "dimension", 512, &loaded.dimension, status));
    TRY(artifact_get_count(artifact, "length", 100000, &loaded.length, status));
    TRY(artifact_get_number(artifact, "weight", &loaded.weight, status));
    if (!(loaded.weight > 0.0 && loaded.weight <= 1.0) || loaded.dimension == 0) {
        TRY(artifact_misfit(artifact, "weight", "it is none, or there are no dimensions", status));
    }
    if (artifact_find(artifact, "run_started") != NULL) {
        TRY(artifact_get_number(artifact, "run_started", &started, status));
    }
    loaded.run_started = started > 0.0 && started < 1e15 ? (int64_t)started : 0;
    *facts = loaded;
done:
    return code;
}

enum status_code sequence_kept_items(struct vocabulary *items, const struct artifact *artifact,
                                     struct status *status)
{
    *items = (struct vocabulary){0};
    return artifact_find(artifact, "run_started") == NULL
               ? STATUS_OK
               : vocabulary_load(items, artifact, items_prefix, status);
}

enum status_code sequence_kept_load(struct sequence_kept *kept, const struct artifact *artifact,
                                    struct status *status)
{
    enum status_code code;
    struct sequence_facts facts;
    struct sequence_kept loaded = {0};
    TRY(sequence_facts_load(&facts, artifact, status));
    const struct sequence_settings settings = {.layers = facts.layers,
                                               .dimension = facts.dimension};
    loaded.length = facts.length;
    loaded.weight = facts.weight;
    TRY(sequence_model_init(&loaded.model, &settings, facts.n_items, 0, NULL, status));
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
    if (d > 0) {
        vec->axpy((float)sqrt(1.0 - w), id, out, d);
    }
    if (sequence != NULL) {
        vec->axpy((float)sqrt(w), sequence, out + d, s);
    }
    (void)vec_unit(vec, out, d + s);
}
