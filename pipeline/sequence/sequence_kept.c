/* The artifact "sequence". */
#include "sequence/sequence_kept.h"

#include "base/mem.h"
#include "math/vec.h"

#include <math.h>

static const char items_prefix[] = "ids";

/* What is given away is NULL afterwards. */
static enum status_code move(struct artifact *artifact, const char *name, enum array_type type,
                             size_t rows, size_t columns, void *place, struct status *status)
{
    void *data = mem_pointer_at(place);
    mem_set_pointer(place, NULL);
    return artifact_take(artifact, name, type, rows, columns, data, status);
}

static enum status_code save_memory(struct sequence_read *read, size_t width,
                                    struct artifact *artifact, struct status *status)
{
    enum status_code code;
    const size_t n = read->sequences->n_users;
    TRY(move(artifact, "memory.states", ARRAY_F32, n, width, &read->states, status));
    TRY(move(artifact, "memory.newest", ARRAY_I64, n, 1, &read->sequences->newest, status));
    TRY(move(artifact, "memory.read", ARRAY_I64, n, 1, &read->sequences->read, status));
done:
    return code;
}

static enum status_code load_memory(struct sequence_memory *memory, size_t width,
                                    const struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;
    const void *states, *newest, *read;
    size_t n, n_newest, n_read, columns;
    if (artifact_find(artifact, "memory.states") == NULL) {
        goto done;
    }
    TRY(artifact_get(artifact, "memory.states", ARRAY_F32, &states, &n, &columns, status));
    TRY(artifact_get(artifact, "memory.newest", ARRAY_I64, &newest, &n_newest, NULL, status));
    TRY(artifact_get(artifact, "memory.read", ARRAY_I64, &read, &n_read, NULL, status));
    if (columns != width || n_newest != n || n_read != n) {
        TRY(artifact_misfit(artifact, "memory.states", "its shape is another", status));
    }
    *memory = (struct sequence_memory){n, states, newest, read};
done:
    return code;
}

enum status_code sequence_kept_save(const struct sequence_model *model,
                                    const struct sequence_facts *facts, struct vocabulary *items,
                                    struct sequence_read *read, struct artifact *artifact,
                                    struct status *status)
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
    TRY(artifact_set_number(artifact, "basis", (double)facts->basis, status));
    if (read->states != NULL) {
        TRY(save_memory(read, model->n_layers * model->dimension, artifact, status));
    }
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
    struct sequence_facts loaded = {.basis = BASIS_ALL};
    double started = 0.0, basis = BASIS_ALL;
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
    if (artifact_find(artifact, "basis") != NULL) {
        TRY(artifact_get_number(artifact, "basis", &basis, status));
    }
    loaded.basis = basis == BASIS_FIT ? BASIS_FIT : BASIS_ALL;
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
    loaded.basis = facts.basis;
    TRY(sequence_model_init(&loaded.model, &settings, facts.n_items, 0, NULL, status));
    TRY(sequence_weights_take(&loaded.model, artifact, status));
    TRY(load_memory(&loaded.memory, facts.layers * facts.dimension, artifact, status));
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
