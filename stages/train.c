/* train: the user and item towers, trained contrastively on the FIT basis, with early stopping on
 * its validation part. Chooses the number of epochs; `refit` then trains on everything with the
 * settings kept in the artifact "training". The work itself is in model/trainer.c. */
#include "run/training.h"

#include <math.h>

struct co_interaction_options {
    bool given;
    double weight, temperature, share;
    int64_t samples;
};

struct train_options {
    int64_t dimension;
    int loss, denominators;
    double t2, temperature;
    int optimizer;
    double learning_rate;
    int schedule;
    double final_rate, warmup;
    int64_t epochs, batch_users;
    double degree_exponent, init_scale;
    struct co_interaction_options co_interaction;
    const char *metric;
    int64_t validate_every, patience, validation_users;
    double checkpoint_every;
    int64_t strip;
};

#define AT(field)    offsetof(struct train_options, field)
#define CO_AT(field) offsetof(struct co_interaction_options, field)

static const struct option co_interaction_options[] = {
    {.name = "weight",
     .type = OPTION_FLOAT,
     .offset = CO_AT(weight),
     .default_text = "0.1",
     .min = 0,
     .max = 100,
     .help = "Weight of the item-item contrast against the user-item one. 0 switches it off."},
    {.name = "temperature",
     .type = OPTION_FLOAT,
     .offset = CO_AT(temperature),
     .default_text = "0.15",
     .min = 0.01,
     .max = 10,
     .help = "Temperature of the item-item contrast."},
    {.name = "share",
     .type = OPTION_FLOAT,
     .offset = CO_AT(share),
     .default_text = "0.25",
     .min = 0.001,
     .max = 1,
     .help = "Share of the items that are anchors in an epoch, others the next time."},
    {.name = "samples",
     .type = OPTION_INT,
     .offset = CO_AT(samples),
     .default_text = "5",
     .min = 1,
     .max = 1000,
     .unit = "partners",
     .help = "Partners drawn per item and epoch, in proportion to their pair weights."},
    {.name = NULL},
};

static const struct option options[] = {
    {.name = "dimension",
     .type = OPTION_INT,
     .offset = AT(dimension),
     .default_text = "64",
     .min = 8,
     .max = 512,
     .help = "Length of the embeddings."},
    {.name = "loss",
     .type = OPTION_CHOICE,
     .offset = AT(loss),
     .default_text = "softmax",
     .choices = loss_names,
     .help = "The contrastive loss."},
    {.name = "denominators",
     .type = OPTION_CHOICE,
     .offset = AT(denominators),
     .default_text = "decoupled",
     .choices = loss_denominators_names,
     .help = "What stands under the softmax's logarithm beside the negatives: the positive itself "
             "(infonce), all of the anchor's positives (all), or nothing (decoupled)."},
    {.name = "t2",
     .type = OPTION_FLOAT,
     .offset = AT(t2),
     .default_text = "1",
     .min = 0.1,
     .max = 10,
     .help = "Weight of the negative side of the loss; 1 is the softmax loss, other "
             "values weigh it as bilateral softmax does."},
    {.name = "temperature",
     .type = OPTION_FLOAT,
     .offset = AT(temperature),
     .default_text = "0.12",
     .min = 0.01,
     .max = 10,
     .help = "Divides cosines before the softmax. Lower concentrates on the hardest negatives."},
    {.name = "optimizer",
     .type = OPTION_CHOICE,
     .offset = AT(optimizer),
     .default_text = "adam",
     .choices = optimizer_names,
     .help = "How gradients move the embeddings."},
    {.name = "learning_rate",
     .type = OPTION_FLOAT,
     .offset = AT(learning_rate),
     .default_text = "0.01",
     .min = 1e-7,
     .max = 10,
     .help = "Learning rate at its peak."},
    {.name = "schedule",
     .type = OPTION_CHOICE,
     .offset = AT(schedule),
     .default_text = "cosine",
     .choices = rate_schedule_names,
     .help = "How the learning rate falls over the epochs."},
    {.name = "final_rate",
     .type = OPTION_FLOAT,
     .offset = AT(final_rate),
     .default_text = "0.05",
     .min = 0,
     .max = 1,
     .help = "Share of the learning rate at which linear and cosine schedules end."},
    {.name = "warmup",
     .type = OPTION_FLOAT,
     .offset = AT(warmup),
     .default_text = "0",
     .min = 0,
     .max = 1000,
     .unit = "epochs",
     .help = "The learning rate rises from 0 over these epochs."},
    {.name = "epochs",
     .type = OPTION_INT,
     .offset = AT(epochs),
     .default_text = "20",
     .min = 1,
     .max = 100000,
     .unit = "epochs",
     .help = "Epochs that the schedule spans; early stopping may end sooner."},
    {.name = "batch_users",
     .type = OPTION_INT,
     .offset = AT(batch_users),
     .default_text = "512",
     .min = 1,
     .max = 1048576,
     .unit = "users",
     .help = "Users in a batch, each with all of its positives."},
    {.name = "degree_exponent",
     .type = OPTION_FLOAT,
     .offset = AT(degree_exponent),
     .default_text = "0",
     .min = 0,
     .max = 1,
     .help = "A positive of a user with n positives weighs n^-p: 0 counts every interaction "
             "alike, 1 every user."},
    {.name = "init_scale",
     .type = OPTION_FLOAT,
     .offset = AT(init_scale),
     .default_text = "0.1",
     .min = 1e-6,
     .max = 100,
     .help = "Standard deviation of the first embeddings."},
    {.name = "co_interaction",
     .type = OPTION_GROUP,
     .offset = AT(co_interaction),
     .group = co_interaction_options,
     .group_size = sizeof(struct co_interaction_options),
     .help = "Adds the contrast of items against the items they are interacted with together; "
             "needs item pairs from the pairs stage."},
    {.name = "metric",
     .type = OPTION_TEXT,
     .offset = AT(metric),
     .default_text = "ndcg@20",
     .help = "Validation metric that chooses the epoch, such as ndcg@20 or recall@50."},
    {.name = "validate_every",
     .type = OPTION_INT,
     .offset = AT(validate_every),
     .default_text = "1",
     .min = 1,
     .max = 100000,
     .unit = "epochs",
     .help = "Epochs between validations; the last epoch is always validated."},
    {.name = "patience",
     .type = OPTION_INT,
     .offset = AT(patience),
     .default_text = "5",
     .min = 0,
     .max = 100000,
     .unit = "validations",
     .help = "Validations without a new best after which training stops. 0 never stops early."},
    {.name = "validation_users",
     .type = OPTION_INT,
     .offset = AT(validation_users),
     .default_text = "5000",
     .min = 1,
     .max = INT32_MAX,
     .unit = "users",
     .help = "Users ranked in a validation, a seeded sample when there are more."},
    {.name = "checkpoint_every",
     .type = OPTION_DURATION,
     .offset = AT(checkpoint_every),
     .default_text = "60s",
     .help = "Time between checkpoints in the work database; 0s writes one after every epoch."},
    {.name = "strip",
     .type = OPTION_BYTES,
     .offset = AT(strip),
     .default_text = "256M",
     .help = "Memory for a batch's logits between the kernel's two passes; beyond it they are "
             "computed twice."},
    {.name = NULL},
};

static const struct stage_artifact inputs[] = {
    {.name = "interactions"},
    {.name = "pairs", .optional = true, .help = "weights of positives, item pairs"},
    {.name = "negatives"},
    {.name = NULL},
};

static const struct stage_artifact outputs[] = {
    {.name = "towers", .help = "unit-length user and item vectors of the best epoch"},
    {.name = "training", .help = "settings, chosen epochs and the training curve, for refit"},
    {.name = NULL},
};

static void train_validate(const void *values, struct option_report *report)
{
    const struct train_options *o = values;
    const struct metric *metric = NULL;
    size_t k = 0;
    if (!metric_parse(o->metric, strlen(o->metric), &metric, &k)) {
        option_mistake(report, "metric", "%s is not a metric such as ndcg@20", o->metric);
    }
    if (o->warmup >= (double)o->epochs) {
        option_mistake(report, "warmup", "%g epochs, the whole training has %lld", o->warmup,
                       (long long)o->epochs);
    }
}

static struct trainer_settings settings_of(const struct train_options *o)
{
    return (struct trainer_settings){
        .dimension = (size_t)o->dimension,
        .loss = o->loss,
        .loss_settings = {(enum loss_denominators)o->denominators, o->t2},
        .temperature = o->temperature,
        .optimizer = o->optimizer,
        .learning_rate = o->learning_rate,
        .schedule = (enum rate_schedule)o->schedule,
        .final_rate = o->final_rate,
        .warmup_epochs = o->warmup,
        .epochs = (size_t)o->epochs,
        .batch_users = (size_t)o->batch_users,
        .degree_exponent = o->degree_exponent,
        .init_scale = o->init_scale,
        .co_weight = o->co_interaction.given ? o->co_interaction.weight : 0.0,
        .co_temperature = o->co_interaction.temperature,
        .co_share = o->co_interaction.share,
        .co_samples = (size_t)o->co_interaction.samples,
        .strip_bytes = (size_t)o->strip,
    };
}

static void train_estimate(const void *values, const struct stage_sizes *sizes,
                           struct stage_estimate *out)
{
    const struct train_options *o = values;
    struct trainer_settings settings = settings_of(o);
    trainer_estimate(&settings, sizes, (double)o->epochs, out);
}

static enum status_code save_training(struct context *context, const struct training *training,
                                      const struct trainer_result *result, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact artifact;
    artifact_init(&artifact, "training");
    TRY(trainer_settings_save(&training->settings, &artifact, status));
    TRY(artifact_set_number(&artifact, "best_epoch", (double)result->best_epoch, status));
    TRY(artifact_set_number(&artifact, "best_metric", result->best_metric, status));
    TRY(artifact_set_number(&artifact, "checkpoint_every", training->checkpoint_every, status));
    TRY(curve_save(result->curve, result->n_curve, &artifact, status));
    TRY(context_output(context, &artifact, status));
done:
    artifact_release(&artifact);
    return code;
}

static enum status_code train_run(struct context *context, const void *values,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct train_options *o = values;
    struct training training = {0};
    struct trainer_result result = {0};
    struct validation validation = {0};
    struct trainer_settings settings = settings_of(o);
    TRY(training_prepare(&training, context, BASIS_FIT, &settings, status));
    TRY(validation_init(&validation, &training.interactions.basis[BASIS_FIT], o->metric,
                        (size_t)o->validation_users, training.negatives.alpha,
                        context_seed(context), status));
    if (validation.n_users == 0) {
        log_write(context_log(context), LOG_WARNING,
                  "train: no validation part, so all %lld epochs are run and none is chosen",
                  (long long)o->epochs);
    }
    training.metric = o->metric;
    training.checkpoint_every = o->checkpoint_every;
    training.input.validation = validation.n_users == 0 ? NULL : &validation;
    training.input.validate_every = (size_t)o->validate_every;
    training.input.patience = (size_t)o->patience;
    training.input.stop_after = (size_t)o->epochs;
    TRY(training_run(&training, &result, status));
    TRY(training_output_towers(&training, &result, status));
    TRY(save_training(context, &training, &result, status));
done:
    trainer_result_release(&result);
    validation_release(&validation);
    training_release(&training);
    return code;
}

extern const struct stage stage_train;
const struct stage stage_train = {
    .name = "train",
    .summary = "Trains the user and item towers contrastively and chooses the epoch on validation.",
    .version = 1,
    .options_size = sizeof(struct train_options),
    .options = options,
    .inputs = inputs,
    .outputs = outputs,
    .validate = train_validate,
    .estimate = train_estimate,
    .run = train_run,
};
