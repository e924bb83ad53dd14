/* Training settings and the training curve in artifacts; the memory estimate. */
#include "base/mem.h"
#include "model/trainer.h"

/* One row a number of the struct, so that saving and loading cannot drift apart. */
struct setting_row {
    const char *name;
    size_t offset;
    enum { SETTING_SIZE, SETTING_INT, SETTING_DOUBLE, SETTING_SCHEDULE, SETTING_DENOMINATORS } type;
};

#define AT(field) offsetof(struct trainer_settings, field)

static const struct setting_row setting_rows[] = {
    {"setting.dimension", AT(dimension), SETTING_SIZE},
    {"setting.loss", AT(loss), SETTING_INT},
    {"setting.denominators", AT(loss_settings.denominators), SETTING_DENOMINATORS},
    {"setting.t2", AT(loss_settings.t2), SETTING_DOUBLE},
    {"setting.temperature", AT(temperature), SETTING_DOUBLE},
    {"setting.optimizer", AT(optimizer), SETTING_INT},
    {"setting.learning_rate", AT(learning_rate), SETTING_DOUBLE},
    {"setting.schedule", AT(schedule), SETTING_SCHEDULE},
    {"setting.final_rate", AT(final_rate), SETTING_DOUBLE},
    {"setting.warmup_epochs", AT(warmup_epochs), SETTING_DOUBLE},
    {"setting.epochs", AT(epochs), SETTING_SIZE},
    {"setting.batch_users", AT(batch_users), SETTING_SIZE},
    {"setting.degree_exponent", AT(degree_exponent), SETTING_DOUBLE},
    {"setting.init_scale", AT(init_scale), SETTING_DOUBLE},
    {"setting.co_weight", AT(co_weight), SETTING_DOUBLE},
    {"setting.co_temperature", AT(co_temperature), SETTING_DOUBLE},
    {"setting.co_share", AT(co_share), SETTING_DOUBLE},
    {"setting.co_samples", AT(co_samples), SETTING_SIZE},
    {"setting.strip_bytes", AT(strip_bytes), SETTING_SIZE},
};

enum { N_SETTINGS = sizeof setting_rows / sizeof setting_rows[0] };

enum status_code trainer_settings_save(const struct trainer_settings *settings,
                                       struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < N_SETTINGS; i++) {
        const void *place = (const char *)settings + setting_rows[i].offset;
        double value = 0.0;
        switch (setting_rows[i].type) {
        case SETTING_SIZE:
            value = (double)*(const size_t *)place;
            break;
        case SETTING_INT:
            value = (double)*(const int64_t *)place;
            break;
        case SETTING_DOUBLE:
            value = *(const double *)place;
            break;
        case SETTING_SCHEDULE:
            value = (double)*(const enum rate_schedule *)place;
            break;
        case SETTING_DENOMINATORS:
            value = (double)*(const enum loss_denominators *)place;
            break;
        }
        TRY(artifact_set_number(artifact, setting_rows[i].name, value, status));
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
        void *place = (char *)&loaded + setting_rows[i].offset;
        double value = 0.0;
        TRY(artifact_get_number(artifact, setting_rows[i].name, &value, status));
        switch (setting_rows[i].type) {
        case SETTING_SIZE:
            *(size_t *)place = (size_t)value;
            break;
        case SETTING_INT:
            *(int64_t *)place = (int64_t)value;
            break;
        case SETTING_DOUBLE:
            *(double *)place = value;
            break;
        case SETTING_SCHEDULE:
            *(enum rate_schedule *)place = (enum rate_schedule)value;
            break;
        case SETTING_DENOMINATORS:
            *(enum loss_denominators *)place = (enum loss_denominators)value;
            break;
        }
    }
    *settings = loaded;
done:
    return code;
}

enum status_code curve_save(const struct curve_point *curve, size_t n, struct artifact *artifact,
                            struct status *status)
{
    enum status_code code = STATUS_OK;
    int32_t *epochs = NULL;
    double *columns = NULL; /* (3, n): loss, rate, metric */
    TRY(MEM_NEW(&epochs, n, status));
    TRY(MEM_NEW(&columns, 3 * n, status));
    for (size_t i = 0; i < n; i++) {
        epochs[i] = curve[i].epoch;
        columns[i] = curve[i].loss;
        columns[n + i] = curve[i].rate;
        columns[2 * n + i] = curve[i].metric;
    }
    TRY(artifact_copy(artifact, "curve.epoch", ARRAY_I32, n, 1, epochs, status));
    TRY(artifact_copy(artifact, "curve.loss", ARRAY_F64, n, 1, columns, status));
    TRY(artifact_copy(artifact, "curve.rate", ARRAY_F64, n, 1, columns + n, status));
    TRY(artifact_copy(artifact, "curve.metric", ARRAY_F64, n, 1, columns + 2 * n, status));
done:
    mem_free(epochs);
    mem_free(columns);
    return code;
}

enum status_code curve_load(struct curve_point **curve, size_t *n, const struct artifact *artifact,
                            struct status *status)
{
    enum status_code code = STATUS_OK;
    const void *epochs = NULL, *loss = NULL, *rate = NULL, *metric = NULL;
    struct curve_point *points = NULL;
    size_t rows = 0;
    TRY(artifact_get(artifact, "curve.epoch", ARRAY_I32, &epochs, &rows, NULL, status));
    TRY(artifact_get(artifact, "curve.loss", ARRAY_F64, &loss, NULL, NULL, status));
    TRY(artifact_get(artifact, "curve.rate", ARRAY_F64, &rate, NULL, NULL, status));
    TRY(artifact_get(artifact, "curve.metric", ARRAY_F64, &metric, NULL, NULL, status));
    TRY(MEM_NEW(&points, rows, status));
    for (size_t i = 0; i < rows; i++) {
        points[i] = (struct curve_point){((const int32_t *)epochs)[i], ((const double *)loss)[i],
                                         ((const double *)rate)[i], ((const double *)metric)[i]};
    }
    *curve = points;
    *n = rows;
done:
    return code;
}

void trainer_estimate(const struct trainer_settings *settings, const struct stage_sizes *sizes,
                      double epochs, struct stage_estimate *out)
{
    const double gemm_flops_per_core = 4e10; /* sustained, whole step: a 2020s core with AVX2 */
    double d = (double)settings->dimension, b = (double)settings->batch_users;
    double users = sizes->n_users, items = sizes->n_items;
    double negatives = items < 16384.0 ? items : 16384.0;
    b = b < users ? b : users;
    double strip = b * negatives * sizeof(float);
    strip = strip < (double)settings->strip_bytes ? strip : (double)settings->strip_bytes;
    double copies = 4.0; /* weights, two moments, the best vectors */
    out->memory_bytes =
        sizeof(float) * ((users + items) * d * copies + items * (d * 4.0 + 6.0)) + strip;
    out->disk_bytes = sizeof(float) * (users + items) * d * copies; /* a checkpoint */
    out->seconds = epochs * 6.0 * d * users * negatives / (gemm_flops_per_core * sizes->n_threads);
    out->rows = sizes->n_interactions;
}
