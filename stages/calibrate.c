/* calibrate: how much popularity counts at scoring time. The score of an item is
 * cos / tau + beta log(1 + n_i); beta is chosen on the validation part, 0 being a legal answer. The
 * stage reads the FIT basis' train and validation parts and nothing of its test part. The search is
 * in model/calibration.c. */
#include "model/calibration.h"
#include "run/context.h"

#include <math.h>

struct calibrate_options {
    double popularity; /* NAN: auto */
    double from, to, step;
    const char *metric;
    int64_t users;
};

#define AT(field) offsetof(struct calibrate_options, field)

static const struct option options[] = {
    {.name = "popularity",
     .type = OPTION_AUTO,
     .offset = AT(popularity),
     .default_text = "auto",
     .min = -10,
     .max = 10,
     .help = "Weight beta of log(1 + users of the item) in the score. auto chooses it on the "
             "validation part; a number is taken as it is."},
    {.name = "from",
     .type = OPTION_FLOAT,
     .offset = AT(from),
     .default_text = "0",
     .min = -10,
     .max = 10,
     .help = "Smallest weight that auto tries."},
    {.name = "to",
     .type = OPTION_FLOAT,
     .offset = AT(to),
     .default_text = "1.4",
     .min = -10,
     .max = 10,
     .help = "Largest weight that auto tries."},
    {.name = "step",
     .type = OPTION_FLOAT,
     .offset = AT(step),
     .default_text = "0.1",
     .min = 0.001,
     .max = 10,
     .help = "Distance of the weights that auto tries; around the best it tries again in steps "
             "five times smaller."},
    {.name = "metric",
     .type = OPTION_TEXT,
     .offset = AT(metric),
     .default_text = "ndcg@20",
     .help = "Validation metric to maximise, such as ndcg@20 or recall@50."},
    {.name = "users",
     .type = OPTION_INT,
     .offset = AT(users),
     .default_text = "10000",
     .min = 1,
     .max = INT32_MAX,
     .unit = "users",
     .help = "Users ranked for every weight, a seeded sample when there are more."},
    {.name = NULL},
};

static const struct stage_artifact inputs[] = {
    {.name = "interactions", .help = "train and validation parts; the test part is not read"},
    {.name = "towers", .help = "of the train stage: those of refit have seen the validation part"},
    {.name = NULL},
};

static const struct stage_artifact outputs[] = {
    {.name = "calibration", .help = "the popularity weight and every weight tried"},
    {.name = NULL},
};

enum { GRID_POINTS_MAX = 100 };

static void calibrate_validate(const void *values, struct option_report *report)
{
    const struct calibrate_options *o = values;
    const struct metric *metric;
    size_t k;
    if (!metric_parse(o->metric, strlen(o->metric), &metric, &k)) {
        option_mistake(report, "metric", "%s is not a metric such as ndcg@20", o->metric);
    }
    if (o->from > o->to) {
        option_mistake(report, "from", "%g is above to: %g", o->from, o->to);
    } else if ((o->to - o->from) / o->step > GRID_POINTS_MAX) {
        option_mistake(report, "step", "%g makes more than %d weights between %g and %g", o->step,
                       GRID_POINTS_MAX, o->from, o->to);
    }
}

static void calibrate_estimate(const void *values, const struct stage_sizes *sizes,
                               struct stage_estimate *out)
{
    const struct calibrate_options *o = values;
    double users = fmin((double)o->users, sizes->n_users);
    double points = (o->to - o->from) / o->step + 1.0;
    double entries = users * sizes->n_items;
    /* two grids of products at about 50 GFLOP/s a core, and a look at every score per weight */
    out->seconds = (2.0 * entries * sizes->dimension * 2.0 / 5e10 + entries * points * 4e-10) /
                   fmax(sizes->n_threads, 1.0);
    out->memory_bytes = points * (sizes->n_items * 4.0 + users * 8.0 + 2048.0 * 20.0 * 8.0);
    out->rows = users;
}

static enum status_code show_progress(void *data, double done, double total, struct status *status)
{
    struct context *context = data;
    (void)total;
    progress_update(context_progress(context), done, NULL);
    return context_check_stop(context, status);
}

/* beta as given, measured where there is a validation part, or searched for. */
static enum status_code choose(struct context *context, const struct calibrate_options *o,
                               const struct validation *validation, const struct towers *towers,
                               struct calibration *out, struct status *status)
{
    struct calibration_grid grid = {o->from, o->to, o->step};
    enum status_code code;
    if (!isnan(o->popularity)) {
        grid = (struct calibration_grid){o->popularity, o->popularity, 1.0};
    }
    if (validation->n_users == 0) {
        bool is_auto = isnan(o->popularity);
        *out = (struct calibration){.beta = is_auto ? towers->alpha : o->popularity,
                                    .alpha = towers->alpha,
                                    .value = (double)NAN};
        log_write(context_log(context), LOG_WARNING,
                  "calibrate: no validation part to choose the popularity weight on; it is %g, %s",
                  out->beta, is_auto ? "the exponent of the training" : "as given");
        return STATUS_OK;
    }
    progress_start(context_progress(context), "calibrating", "users",
                   2.0 * (double)validation->n_users);
    code = calibration_search(validation, towers, &grid, show_progress, context,
                              context_pool(context), out, status);
    progress_finish(context_progress(context));
    if (code == STATUS_OK) {
        log_write(context_log(context), LOG_INFO,
                  "calibrate: popularity weight %g (training used %g), validation %s %.5f on %zu "
                  "users",
                  out->beta, out->alpha, o->metric, out->value, validation->n_users);
    }
    return code;
}

static enum status_code check_basis(const struct towers *towers, struct status *status)
{
    if (towers->basis == BASIS_FIT) {
        return STATUS_OK;
    }
    return status_set(status, STATUS_CONFIG,
                      "calibrate stands below refit, whose towers were trained on the validation "
                      "part too; it must stand between train and refit");
}

static enum status_code calibrate_run(struct context *context, const void *values,
                                      struct status *status)
{
    const struct calibrate_options *o = values;
    const struct artifact *artifact = NULL;
    struct interactions interactions = {0};
    struct towers towers = {0};
    struct validation validation = {0};
    struct calibration calibration = {0};
    struct artifact out = {0};
    enum status_code code;
    TRY(context_input(context, "towers", &artifact, status));
    TRY(towers_load(&towers, artifact, status));
    TRY(check_basis(&towers, status));
    TRY(context_input(context, "interactions", &artifact, status));
    TRY(interactions_load(&interactions, artifact, status));
    TRY(validation_init(&validation, &interactions.basis[BASIS_FIT], o->metric, (size_t)o->users,
                        0.0, context_seed(context), status));
    TRY(choose(context, o, &validation, &towers, &calibration, status));
    TRY(calibration_save(&calibration, o->metric, &out, status));
    context_set_rows(context, (int64_t)validation.n_users);
    TRY(context_output(context, &out, status));
done:
    artifact_release(&out);
    calibration_release(&calibration);
    validation_release(&validation);
    interactions_release(&interactions);
    return code;
}

extern const struct stage stage_calibrate;
const struct stage stage_calibrate = {
    .name = "calibrate",
    .summary = "Chooses how much an item's popularity counts in its score, on validation data.",
    .version = 1,
    .options_size = sizeof(struct calibrate_options),
    .options = options,
    .inputs = inputs,
    .outputs = outputs,
    .validate = calibrate_validate,
    .estimate = calibrate_estimate,
    .run = calibrate_run,
};
