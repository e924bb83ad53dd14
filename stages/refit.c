/* refit: the towers that are served. Trains on every event of the log (the ALL basis) with the
 * settings that `train` kept and for as many epochs as it chose, so that yesterday's events count
 * tomorrow morning. Writes the artifact "towers" again: stages below read these. */
#include "run/training.h"

struct refit_options {
    int64_t epochs;
};

static const struct option options[] = {
    {.name = "epochs",
     .type = OPTION_INT,
     .offset = offsetof(struct refit_options, epochs),
     .default_text = "0",
     .min = 0,
     .max = 100000,
     .unit = "epochs",
     .help = "Epochs to run. 0 takes the number that train chose on validation."},
    {.name = NULL},
};

static const struct stage_artifact inputs[] = {
    {.name = "interactions"},
    {.name = "features", .optional = true},
    {.name = "pairs", .optional = true},
    {.name = "negatives"},
    {.name = "training", .help = "settings and chosen epochs"},
    {.name = NULL},
};

static const struct stage_artifact outputs[] = {
    {.name = "towers", .help = "the served vectors, trained on the whole log"},
    {.name = NULL},
};

static void refit_estimate(const void *values, const struct stage_sizes *sizes,
                           struct stage_estimate *out)
{
    const struct refit_options *o = values;
    struct trainer_settings settings = {.dimension = (size_t)sizes->dimension,
                                        .batch_users = 512,
                                        .strip_bytes = (size_t)256 << 20};
    trainer_estimate(&settings, sizes, o->epochs > 0 ? (double)o->epochs : 20.0, out);
}

static enum status_code refit_run(struct context *context, const void *values,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct refit_options *o = values;
    const struct artifact *artifact = NULL;
    struct training training = {0};
    struct trainer_result result = {0};
    struct trainer_settings settings = {0};
    double best_epoch = 0.0;
    TRY(context_input(context, "training", &artifact, status));
    TRY(trainer_settings_load(&settings, artifact, status));
    TRY(artifact_get_number(artifact, "best_epoch", &best_epoch, status));
    TRY(training_prepare(&training, context, BASIS_ALL, &settings, status));
    TRY(artifact_get_number(artifact, "checkpoint_every", &training.checkpoint_every, status));
    training.input.stop_after = o->epochs > 0 ? (size_t)o->epochs : (size_t)best_epoch;
    if (training.input.stop_after > settings.epochs) {
        training.settings.epochs = training.input.stop_after;
    }
    TRY(training_run(&training, &result, status));
    TRY(training_output_towers(&training, &result, status));
done:
    trainer_result_release(&result);
    training_release(&training);
    return code;
}

extern const struct stage stage_refit;
const struct stage stage_refit = {
    .name = "refit",
    .summary = "Trains the served towers on every event, with the settings and epochs chosen.",
    .version = 2,
    .options_size = sizeof(struct refit_options),
    .options = options,
    .inputs = inputs,
    .outputs = outputs,
    .estimate = refit_estimate,
    .run = refit_run,
};
