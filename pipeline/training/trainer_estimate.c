/* Training settings in artifacts; the memory estimate. */
#include "training/trainer.h"

#include <math.h>
#include <string.h>

/* One row a number of the struct, so that saving and loading cannot drift apart. Enums are stored
 * as the unsigned number that they are in this compiler. */
struct setting_row {
    const char *name;
    size_t offset;
    enum { SETTING_SIZE, SETTING_INT, SETTING_DOUBLE, SETTING_ENUM, SETTING_BOOL } type;
    double most;              /* of a number, at the least 0 */
    const char *const *names; /* of a choice: as many values as it has names */
};

#define AT(field) offsetof(struct trainer_settings, field)

static const struct setting_row setting_rows[] = {
    {"setting.dimension", AT(dimension), SETTING_SIZE, 512, NULL},
    {"setting.loss", AT(loss), SETTING_INT, 0, loss_names},
    {"setting.denominators", AT(loss_settings.denominators), SETTING_ENUM, 0,
     loss_denominators_names},
    {"setting.t2", AT(loss_settings.t2), SETTING_DOUBLE, 1e12, NULL},
    {"setting.margin", AT(loss_settings.margin), SETTING_DOUBLE, 1e12, NULL},
    {"setting.negative_weight", AT(loss_settings.negative_weight), SETTING_DOUBLE, 1e12, NULL},
    {"setting.uniformity", AT(loss_settings.uniformity), SETTING_DOUBLE, 1e12, NULL},
    {"setting.slk_width", AT(loss_settings.slk_width), SETTING_DOUBLE, 1e12, NULL},
    {"setting.slk_top_k", AT(slk_top_k), SETTING_SIZE, 10000, NULL},
    {"setting.temperature", AT(temperature), SETTING_DOUBLE, 1e12, NULL},
    {"setting.temperature_mode", AT(temperature_mode), SETTING_ENUM, 0, temperature_mode_names},
    {"setting.temperature_rate", AT(temperature_rate), SETTING_DOUBLE, 1e12, NULL},
    {"setting.optimizer", AT(optimizer.rule), SETTING_INT, 0, optimizer_names},
    {"setting.weight_decay", AT(optimizer.weight_decay), SETTING_DOUBLE, 1e12, NULL},
    {"setting.momentum", AT(optimizer.momentum), SETTING_DOUBLE, 1, NULL},
    {"setting.clip", AT(clip), SETTING_DOUBLE, 1e12, NULL},
    {"setting.learning_rate", AT(learning_rate), SETTING_DOUBLE, 1e12, NULL},
    {"setting.schedule", AT(schedule.shape), SETTING_ENUM, 0, rate_schedule_names},
    {"setting.warmup_epochs", AT(schedule.warmup_epochs), SETTING_DOUBLE, 1e12, NULL},
    {"setting.final_rate", AT(schedule.final_rate), SETTING_DOUBLE, 1, NULL},
    {"setting.step_factor", AT(schedule.step_factor), SETTING_DOUBLE, 1e12, NULL},
    {"setting.step_every", AT(schedule.step_every), SETTING_DOUBLE, 1e12, NULL},
    {"setting.epochs", AT(epochs), SETTING_SIZE, 100000, NULL},
    {"setting.batch_users", AT(batch_users), SETTING_SIZE, 1 << 20, NULL},
    {"setting.degree_exponent", AT(degree_exponent), SETTING_DOUBLE, 1e12, NULL},
    {"setting.init_scale", AT(init_scale), SETTING_DOUBLE, 1e12, NULL},
    {"setting.history", AT(history.on), SETTING_BOOL, 1, NULL},
    {"setting.history.pooling", AT(history.pooling), SETTING_ENUM, 0, pooling_names},
    {"setting.history.half_life", AT(history.half_life), SETTING_DOUBLE, 1e12, NULL},
    {"setting.history.newest", AT(history.newest), SETTING_SIZE, 100000, NULL},
    {"setting.history.hide", AT(history.hide), SETTING_DOUBLE, 1, NULL},
    {"setting.id_dropout", AT(id_dropout), SETTING_DOUBLE, 1, NULL},
    {"setting.dropout", AT(dropout), SETTING_DOUBLE, 1, NULL},
    {"setting.hidden_layers", AT(hidden_layers), SETTING_SIZE, HIDDEN_MAX_LAYERS, NULL},
    {"setting.hidden_units", AT(hidden_units), SETTING_SIZE, 4096, NULL},
    {"setting.activation", AT(activation), SETTING_ENUM, 0, activation_names},
    {"setting.hops", AT(propagation.hops), SETTING_SIZE, 3, NULL},
    {"setting.hop_weight", AT(propagation.weight), SETTING_DOUBLE, 1e12, NULL},
    {"setting.hop_sides", AT(propagation.sides), SETTING_ENUM, 0, propagation_sides_names},
    {"setting.learn_bias", AT(learn_bias), SETTING_BOOL, 1, NULL},
    {"setting.co_items.weight", AT(co_items.weight), SETTING_DOUBLE, 1e12, NULL},
    {"setting.co_items.temperature", AT(co_items.temperature), SETTING_DOUBLE, 1e12, NULL},
    {"setting.co_items.share", AT(co_items.share), SETTING_DOUBLE, 1, NULL},
    {"setting.co_items.samples", AT(co_items.samples), SETTING_SIZE, 1000, NULL},
    {"setting.views.weight", AT(views.weight), SETTING_DOUBLE, 1e12, NULL},
    {"setting.views.temperature", AT(views.temperature), SETTING_DOUBLE, 1e12, NULL},
    {"setting.views.change", AT(views.change), SETTING_ENUM, 0, view_change_names},
    {"setting.views.strength", AT(views.strength), SETTING_DOUBLE, 1, NULL},
    {"setting.strip_bytes", AT(strip_bytes), SETTING_SIZE, 1e15, NULL},
};

enum { N_SETTINGS = sizeof setting_rows / sizeof setting_rows[0] };

static double read_setting(const struct setting_row *row, const struct trainer_settings *settings)
{
    const void *place = (const char *)settings + row->offset;
    switch (row->type) {
    case SETTING_SIZE:
        return (double)*(const size_t *)place;
    case SETTING_INT:
        return (double)*(const int64_t *)place;
    case SETTING_DOUBLE:
        return *(const double *)place;
    case SETTING_BOOL:
        return *(const bool *)place ? 1.0 : 0.0;
    case SETTING_ENUM:
        break;
    }
    unsigned number;
    memcpy(&number, place, sizeof number);
    return (double)number;
}

static bool is_allowed(const struct setting_row *row, double value)
{
    const double least = row->offset == AT(loss_settings.margin) ? -1.0 : 0.0;
    double most = row->most;
    for (size_t n = 0; row->names != NULL && row->names[n] != NULL; n++) {
        most = (double)n;
    }
    most += row->names == view_change_names ? 1.0 : 0.0; /* none, which has no name */
    return value >= least && value <= most;
}

static void write_setting(const struct setting_row *row, double value,
                          struct trainer_settings *settings)
{
    void *place = (char *)settings + row->offset;
    unsigned number = (unsigned)value;
    switch (row->type) {
    case SETTING_SIZE:
        *(size_t *)place = (size_t)value;
        break;
    case SETTING_INT:
        *(int64_t *)place = (int64_t)value;
        break;
    case SETTING_DOUBLE:
        *(double *)place = value;
        break;
    case SETTING_BOOL:
        *(bool *)place = value != 0.0;
        break;
    case SETTING_ENUM:
        memcpy(place, &number, sizeof number);
        break;
    }
}

enum status_code trainer_settings_save(const struct trainer_settings *settings,
                                       struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < N_SETTINGS; i++) {
        TRY(artifact_set_number(artifact, setting_rows[i].name,
                                read_setting(&setting_rows[i], settings), status));
    }
done:
    return code;
}

enum status_code trainer_settings_load(struct trainer_settings *settings,
                                       const struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct trainer_settings loaded = {0};
    for (size_t i = 0; i < N_SETTINGS; i++) {
        double value = 0.0;
        TRY(artifact_get_number(artifact, setting_rows[i].name, &value, status));
        if (!is_allowed(&setting_rows[i], value)) {
            TRY(artifact_misfit(artifact, setting_rows[i].name, "it is out of range", status));
        }
        write_setting(&setting_rows[i], value, &loaded);
    }
    *settings = loaded;
done:
    return code;
}

/* Different items among the shared negatives of a batch of b users. Popular items come again and
 * again, so that the positives of a batch are worth about half as many uniform draws (0.42 and 0.54
 * in generated shops of one and ten million events). */
static double batch_negatives(const struct stage_sizes *sizes, double b)
{
    const double items = fmax(sizes->n_items, 1.0);
    double draws = sizes->batch_negatives;
    if (draws == 0 && !sizes->in_batch) {
        return sizes->n_items;
    }
    if (sizes->in_batch) {
        draws += b * sizes->n_interactions / fmax(sizes->n_users, 1.0) / 2.0;
    }
    return items * (1.0 - exp(-draws / items));
}

/* Anchors of an epoch: every user, and a share of the items for the contrast of pairs. */
static double epoch_anchors(const struct trainer_settings *settings,
                            const struct stage_sizes *sizes)
{
    double anchors = sizes->n_users;
    anchors += settings->co_items.weight > 0 ? settings->co_items.share * sizes->n_items : 0.0;
    return anchors;
}

void trainer_estimate(const struct trainer_settings *settings, const struct stage_sizes *sizes,
                      double epochs, struct stage_estimate *out)
{
    /* an element of a vector that is gathered, changed by its gradient or added up; measured */
    const double element_seconds = 1.5e-9 / fmax(sizes->n_threads, 1.0);
    double d = (double)settings->dimension, b = (double)settings->batch_users;
    double users = sizes->n_users, items = sizes->n_items;
    b = b < users ? b : users;
    double negatives = batch_negatives(sizes, b);
    double strip = b * negatives * sizeof(float);
    strip = strip < (double)settings->strip_bytes ? strip : (double)settings->strip_bytes;
    /* weights, the optimizer's states, the vectors of now (encoded) and of the best epoch */
    const struct optimizer_rule *rule = &optimizer_table[settings->optimizer.rule];
    double kept = 2.0;
    for (size_t s = 0; s < rule->n_states; s++) {
        kept += rule->is_row_state[s] ? 1.0 / d : 1.0;
    }
    double hops = (double)settings->propagation.hops;
    double units = (double)settings->hidden_layers * (double)settings->hidden_units;
    double entities = users + items, read = b + negatives; /* rows that a batch encodes */
    out->memory_bytes = sizeof(float) * (entities * d * (kept + 1.0 + 2.0 * hops) +
                                         items * (d * 4.0 + 6.0) + 2.0 * units * read) +
                        strip;
    out->result_bytes = sizeof(float) * entities * d;
    out->disk_bytes = sizeof(float) * entities * d * kept; /* a checkpoint */
    const double batches = users / fmax(b, 1.0);
    const double elements = batches * read * (d + 6.0 * units) + sizes->n_interactions * 1.5 * d;
    out->seconds = epochs * (epoch_anchors(settings, sizes) * negatives * sizes->speeds.contrast +
                             elements * element_seconds);
    out->rows = sizes->n_interactions;
}
