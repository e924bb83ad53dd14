/* train: the user and item towers, trained contrastively on the FIT basis, with early stopping on
 * its validation part. Chooses the number of epochs and, by short trainings, the settings that are
 * `auto`; `refit` then trains on everything with the settings kept in the artifact "training". The
 * work itself is in training/trainer.c and tuning/auto_settings.c. */
#include "base/mem.h"
#include "run/context.h"
#include "run/context_data.h"
#include "negatives/negatives_options.h"
#include "training/column_worth.h"
#include "tuning/auto_settings.h"
#include "sequence/sequence_scale.h"
#include "sequence/sequence_session.h"
#include "training/train_options.h"
#include "training/train_session.h"

#include <math.h>

static const struct stage_artifact inputs[] = {
    {.name = "interactions"},
    {.name = "features", .optional = true, .help = "side data of users and items"},
    {.name = "pairs", .optional = true, .help = "weights of positives, item pairs"},
    {.name = "negatives"},
    {.name = NULL},
};

static const struct stage_artifact outputs[] = {
    {.name = "towers", .help = "unit-length user and item vectors of the best epoch"},
    {.name = "training", .help = "settings, chosen epochs and the training curve, for refit"},
    {.name = NULL},
};

/* What contrasts pairs of items needs a stage that makes them. */
static void train_validate_plan(const struct plan *plan, const struct plan_stage *self,
                                struct option_report *report)
{
    const struct trainer_settings settings = train_options_settings(self->options);
    const struct {
        bool needs_pairs;
        const char *option;
    } needs[] = {
        /* NAN, one that train has yet to choose, needs them too */
        {settings.co_items.weight != 0.0, "co_interaction"},
        {settings.views.weight > 0.0 && settings.views.change == VIEW_SUBSTITUTE, "views.change"}};
    if (plan_has_group(plan, self->position, "pairs", "item_item")) {
        return;
    }
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        if (needs[i].needs_pairs) {
            option_mistake(report, needs[i].option,
                           "it needs item pairs: put `- pairs: {item_item: {}}` above train");
        }
    }
}

static void train_sizes(const void *values, struct stage_sizes *sizes)
{
    const struct train_options *o = values;
    const struct sequence_settings *sequence = &o->settings.sequence;
    sizes->dimension = (double)auto_dimension_expected(&o->settings);
    sizes->epochs = (double)auto_epochs_expected(&o->settings);
    sizes->may_end_early = o->patience > 0;
    sizes->batch_users = (double)o->settings.batch_users;
    /* a weight that is auto is NAN: there may be one */
    const bool contrasts = o->settings.co_items.given && o->settings.co_items.weight != 0;
    sizes->co_share = contrasts ? o->settings.co_items.share : 0;
    sizes->hops = (double)train_options_settings(o).propagation.hops;
    if (sequence->given && !(sequence->share <= 0.0)) { /* the vectors stand side by side */
        sizes->sequence =
            (struct stage_sequence){.dimension = (double)sequence_dimension_at(sequence, INFINITY),
                                    .few_dimensions = (double)sequence_dimension_at(sequence, 0),
                                    .few_below = SEQUENCE_WIDE_PLACES,
                                    .layers = (double)sequence->layers,
                                    .epochs = (double)sequence->epochs,
                                    .length = (double)sequence->length,
                                    .batch = (double)sequence->batch,
                                    .negatives = (double)sequence->negatives,
                                    .strip_bytes = (double)o->settings.strip_bytes};
        sizes->sequence.alone = sequence->share >= 1.0;
        sizes->dimension =
            sizes->sequence.dimension + (sizes->sequence.alone ? 0.0 : sizes->dimension);
    }
}

static void train_estimate(const void *values, const struct stage_sizes *sizes,
                           struct stage_estimate *out)
{
    const struct train_options *o = values;
    struct trainer_settings settings = train_options_settings(o);
    const double epochs = sizes->epochs;
    if (sizes->sequence.alone) {
        sequence_estimate(sizes, out);
        return;
    }
    settings.dimension = auto_dimension_expected(&settings);
    trainer_estimate(&settings, sizes, epochs, out);
    const double asked = stage_asked(sizes, sizes->n_valid_users);
    const double ranked = fmin((double)o->validation_users, asked) * sizes->n_items;
    out->seconds += ceil(epochs / (double)o->validate_every) * ranked * sizes->speeds.ranking;
    const double budget = auto_budget_expected(o);
    out->search_seconds = budget * fmax(out->seconds, AUTO_LEAST_SECONDS);
    /* trials take steps, too: as their time is to the training's, or what the budget says of it */
    out->n_steps *= 1 + (out->seconds > 0 ? out->search_seconds / out->seconds : budget);
    out->seconds += out->search_seconds;
    sequence_estimate(sizes, out);
    out->provided = sizes->may_end_early ? STAGE_ALL_EPOCHS : NULL;
}

static enum status_code save_training(struct context *context, const struct training *training,
                                      const struct trainer_result *result,
                                      const struct sequence_choice *sequence, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact artifact;
    double *of_users = NULL;
    artifact_init(&artifact, "training");
    TRY(trainer_settings_save(&training->settings, &artifact, status));
    TRY(negative_choice_save(&training->negatives, &artifact, status));
    TRY(artifact_set_number(&artifact, "best_epoch", (double)result->best_epoch, status));
    TRY(artifact_set_number(&artifact, "best_metric", result->best_metric, status));
    TRY(artifact_set_number(&artifact, "checkpoint_every", training->checkpoint_every, status));
    TRY(sequence_choice_save(sequence, &artifact, status));
    if (training->chosen.n > 0) {
        TRY(artifact_set_strings(&artifact, "chosen", &training->chosen, status));
    }
    TRY(curve_save(result->curve, result->n_curve, &artifact, status));
    if (training->input.validation != NULL) {
        /* of the vectors that go out: `tune` compares trainings by them */
        const size_t n = training->input.validation->n_all;
        const double weight = result->bias == NULL ? training->negatives.alpha : 1.0;
        double mean;
        TRY(MEM_NEW(&of_users, n, status));
        TRY(trainer_result_judge(result, training->input.validation, &weight, 1,
                                 context_pool(context), &mean, of_users, status));
        TRY(artifact_copy(&artifact, "user_values", ARRAY_F64, n, 1, of_users, status));
    }
    TRY(context_output(context, &artifact, status));
done:
    mem_free(of_users);
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
    struct sequence_choice sequence = {0};
    struct trainer_settings settings = train_options_settings(o);
    TRY(training_prepare(&training, context, BASIS_FIT, &settings, status));
    /* what users come back to speaks for itself in the score: the towers are asked for what is new
     */
    training.interactions.basis[BASIS_FIT].repeats = false;
    const struct crowd crowd = crowd_of(context_ranks(context), &training.interactions,
                                        &training.interactions.basis[BASIS_FIT]);
    TRY(validation_init(&validation, &training.interactions.basis[BASIS_FIT], &crowd, o->metric,
                        o->validation_users, context_seed(context), status));
    sequence_prepare(&training, &validation, &sequence);
    if (validation.n_all == 0) {
        log_write(context_log(context), LOG_INFO,
                  "train: no validation part, so all %zu epochs are run and none is chosen",
                  training.without_ids ? settings.sequence.epochs
                                       : auto_epochs_expected(&settings));
    }
    training.metric = o->metric;
    training.checkpoint_every = o->checkpoint_every;
    training.input.validation = validation.n_all == 0 ? NULL : &validation;
    TRY(auto_settings_choose(&training, o, status));
    TRY(validation_set_bias(&validation, training.negatives.alpha, status));
    training.input.validate_every = o->validate_every;
    training.input.patience = o->patience;
    training.input.stop_after = training.settings.epochs;
    training.hooks.at_end = column_worth_report;
    TRY(training_run(&training, &result, status));
    TRY(sequence_choose(&training, &validation, &result, &sequence, status));
    TRY(training_output_towers(&training, &result, status));
    TRY(save_training(context, &training, &result, &sequence, status));
done:
    sequence_choice_release(&sequence);
    trainer_result_release(&result);
    validation_release(&validation);
    training_release(&training);
    return code;
}

extern const struct stage stage_train;
const struct stage stage_train = {
    .name = "train",
    .summary = "Trains the user and item towers contrastively and chooses the epoch on validation.",
    .version = 12,
    .options_size = sizeof(struct train_options),
    .options = train_options_table,
    .inputs = inputs,
    .outputs = outputs,
    .validate = train_options_validate,
    .validate_plan = train_validate_plan,
    .sizes = train_sizes,
    .estimate = train_estimate,
    .works_in_ranks = true,
    .refuse_ranks = train_options_refuse_ranks,
    .run = train_run,
};
