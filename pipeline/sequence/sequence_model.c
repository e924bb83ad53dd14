/* The parameters of the tower. */
#include "sequence/sequence_model.h"

#include "math/vec.h"

#include <math.h>

enum { ROW_BLOCK = 256 };

size_t sequence_product_out(size_t dimension, enum sequence_product product)
{
    return product == PRODUCT_MIX    ? 3 * dimension
           : product == PRODUCT_WIDE ? 2 * dimension
                                     : dimension;
}

size_t sequence_product_in(size_t dimension, enum sequence_product product)
{
    return product == PRODUCT_NARROW ? 2 * dimension : dimension;
}

bool sequence_product_has_bias(enum sequence_product product)
{
    return product == PRODUCT_MIX || product == PRODUCT_WIDE;
}

static void add_table(struct sequence_table *out, size_t *n, struct embedding_table *table,
                      const char *what, size_t layer)
{
    struct sequence_table *named = &out[(*n)++];
    named->table = table;
    named->by_rows = false;
    if (layer == 0) {
        snprintf(named->name, sizeof named->name, "sequence.%s", what);
    } else {
        snprintf(named->name, sizeof named->name, "sequence.layer%zu.%s", layer, what);
    }
}

size_t sequence_model_tables(struct sequence_model *model,
                             struct sequence_table out[SEQUENCE_TABLES_MAX])
{
    static const char *const weights[] = {"mix", "out", "wide", "narrow"};
    static const char *const biases[] = {"mix_bias", NULL, "wide_bias", NULL};
    size_t n = 0;
    add_table(out, &n, &model->items, "items", 0);
    out[0].by_rows = true;
    add_table(out, &n, &model->ages, "ages", 0);
    for (size_t l = 0; l < model->n_layers; l++) {
        for (enum sequence_product p = PRODUCT_MIX; p < SEQUENCE_PRODUCTS; p++) {
            add_table(out, &n, &model->layers[l].weights[p], weights[p], l + 1);
            if (biases[p] != NULL) {
                add_table(out, &n, &model->layers[l].biases[p], biases[p], l + 1);
            }
        }
    }
    return n;
}

static int rule_adamw(void)
{
    int rule = 0;
    while (strcmp(optimizer_names[rule], "adamw") != 0) {
        rule++;
    }
    return rule;
}

/* The standard deviation of a product's first weights: what it adds to the place is small at first,
 * so that a new tower is the mean of what it read last. */
static double first_scale(size_t in, enum sequence_product product)
{
    const bool is_added = product == PRODUCT_OUT || product == PRODUCT_NARROW;
    return (is_added ? 0.15 : 0.6) / sqrt((double)in);
}

enum status_code sequence_model_init(struct sequence_model *model,
                                     const struct sequence_settings *settings, size_t n_items,
                                     uint64_t seed, struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t d = settings->dimension;
    const struct optimizer_settings optimizer = {.rule = rule_adamw(),
                                                 .weight_decay = settings->weight_decay};
    struct sequence_model made = {
        .n_layers = settings->layers, .dimension = d, .dropout = settings->dropout};
    TRY(embedding_table_init(&made.items, n_items, d, &optimizer, seed, "sequence.items", 0.1, pool,
                             status));
    TRY(embedding_table_init(&made.ages, SEQUENCE_AGES, d, &optimizer, seed, "sequence.ages", 0.02,
                             pool, status));
    for (size_t l = 0; l < made.n_layers; l++) {
        for (enum sequence_product p = PRODUCT_MIX; p < SEQUENCE_PRODUCTS; p++) {
            char stream[64];
            const size_t out = sequence_product_out(d, p), in = sequence_product_in(d, p);
            snprintf(stream, sizeof stream, "sequence.layer%zu.%d", l, p);
            TRY(embedding_table_init(&made.layers[l].weights[p], out, in, &optimizer, seed, stream,
                                     first_scale(in, p), pool, status));
            if (sequence_product_has_bias(p)) {
                TRY(embedding_table_init(&made.layers[l].biases[p], 1, out, &optimizer, seed,
                                         stream, 0.0, pool, status));
            }
        }
    }
    *model = made;
    made = (struct sequence_model){0};
done:
    sequence_model_release(&made);
    return code;
}

void sequence_model_release(struct sequence_model *model)
{
    embedding_table_release(&model->items);
    embedding_table_release(&model->ages);
    for (size_t l = 0; l < SEQUENCE_LAYERS_MAX; l++) {
        for (enum sequence_product p = PRODUCT_MIX; p < SEQUENCE_PRODUCTS; p++) {
            embedding_table_release(&model->layers[l].weights[p]);
            embedding_table_release(&model->layers[l].biases[p]);
        }
    }
    *model = (struct sequence_model){0};
}

enum status_code sequence_model_save(const struct sequence_model *model, struct artifact *artifact,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sequence_table tables[SEQUENCE_TABLES_MAX];
    struct sequence_model view = *model; /* of which nothing is changed */
    const size_t n = sequence_model_tables(&view, tables);
    for (size_t i = 0; i < n; i++) {
        TRY(embedding_table_save(tables[i].table, artifact, tables[i].name, status));
    }
done:
    return code;
}

enum status_code sequence_model_restore(struct sequence_model *model,
                                        const struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sequence_table tables[SEQUENCE_TABLES_MAX];
    const size_t n = sequence_model_tables(model, tables);
    for (size_t i = 0; i < n; i++) {
        TRY(embedding_table_restore(tables[i].table, artifact, tables[i].name, status));
    }
done:
    return code;
}

/* Name of a table's weights among those that are kept, in an artifact and in a checkpoint. */
static void kept_name(const struct sequence_table *named, char out[ARTIFACT_NAME_MAX])
{
    snprintf(out, ARTIFACT_NAME_MAX, "best.%.40s", named->name);
}

enum status_code sequence_weights_keep(const struct sequence_model *model,
                                       struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sequence_table tables[SEQUENCE_TABLES_MAX];
    struct sequence_model view = *model; /* of which nothing is changed */
    const size_t n = sequence_model_tables(&view, tables);
    for (size_t i = 0; i < n; i++) {
        const struct embedding_table *table = tables[i].table;
        char name[ARTIFACT_NAME_MAX];
        kept_name(&tables[i], name);
        TRY(artifact_copy(artifact, name, ARRAY_F32, table->n, table->dimension, table->weights,
                          status));
    }
done:
    return code;
}

enum status_code sequence_weights_take(struct sequence_model *model,
                                       const struct artifact *artifact, struct status *status)
{
    return sequence_weights_start(model, artifact, model->items.n, NULL, status);
}

enum status_code sequence_weights_start(struct sequence_model *model,
                                        const struct artifact *artifact, size_t n_before,
                                        const int32_t *rows, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sequence_table tables[SEQUENCE_TABLES_MAX];
    const size_t n = sequence_model_tables(model, tables);
    for (size_t i = 0; i < n; i++) {
        struct embedding_table *table = tables[i].table;
        const size_t d = table->dimension;
        const int32_t *from = tables[i].by_rows ? rows : NULL;
        char name[ARTIFACT_NAME_MAX];
        const void *data = NULL;
        kept_name(&tables[i], name);
        TRY(artifact_get_sized(artifact, name, ARRAY_F32, tables[i].by_rows ? n_before : table->n,
                               d, &data, status));
        for (size_t row = 0; row < table->n; row++) {
            const int64_t at = from == NULL ? (int64_t)row : from[row];
            if (at >= 0) {
                memcpy(table->weights + row * d, (const float *)data + (size_t)at * d,
                       d * sizeof *table->weights);
            }
        }
    }
done:
    return code;
}

/* The tables that a step moves. */
static size_t moving_tables(struct sequence_model *model,
                            struct sequence_table out[SEQUENCE_TABLES_MAX])
{
    size_t n = sequence_model_tables(model, out);
    if (model->holds_items) {
        memmove(out, out + 1, --n * sizeof *out);
    }
    return n;
}

void sequence_model_settle(struct sequence_model *model, double rate, struct pool *pool)
{
    struct sequence_table tables[SEQUENCE_TABLES_MAX];
    const size_t n = moving_tables(model, tables);
    for (size_t i = 0; i < n; i++) {
        struct embedding_table *table = tables[i].table;
        optimizer_catch_up(&table->optimizer, table->weights, NULL, table->n, rate, pool);
    }
}

enum status_code sequence_model_touch(struct sequence_model *model, const int32_t *items, size_t n,
                                      double rate, struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sequence_table tables[SEQUENCE_TABLES_MAX];
    const size_t n_tables = moving_tables(model, tables);
    for (size_t i = 0; i < n_tables; i++) {
        const bool by_rows = tables[i].by_rows;
        TRY(embedding_table_touch(tables[i].table, by_rows ? items : NULL, by_rows ? n : 0, rate,
                                  pool, status));
    }
done:
    return code;
}

void sequence_model_step(struct sequence_model *model, double rate, struct pool *pool)
{
    struct sequence_table tables[SEQUENCE_TABLES_MAX];
    const size_t n = moving_tables(model, tables);
    for (size_t i = 0; i < n; i++) {
        embedding_table_step(tables[i].table, rate, 1.0, pool);
    }
}

struct items_job {
    const struct sequence_model *model;
    float *out;
};

static void items_task(void *data, size_t first, size_t last)
{
    const struct items_job *job = data;
    const struct vec_ops *vec = vec_ops();
    const size_t d = job->model->dimension;
    for (size_t i = first; i < last; i++) {
        float *out = job->out + i * d;
        memcpy(out, job->model->items.weights + i * d, d * sizeof *out);
        (void)vec_unit(vec, out, d);
    }
}

void sequence_model_items(const struct sequence_model *model, float *out, struct pool *pool)
{
    struct items_job job = {model, out};
    pool_run_rows(pool, model->items.n, ROW_BLOCK, items_task, &job);
}
