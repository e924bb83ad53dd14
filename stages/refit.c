/* refit: the towers that are served. Trains on every event of the log (the ALL basis) with the
 * settings that `train` kept and for as many epochs as it chose, so that yesterday's events count
 * tomorrow morning; or, with warm_start, goes on from the published vectors for fewer epochs; or,
 * with `events: fit`, on those of train again, so that nothing held out reaches a parameter or a
 * count. The tower that reads sequences goes on from train's. Writes the artifact "towers" again:
 * stages below read these. */
#include "base/hash.h"
#include "run/context_data.h"
#include "negatives/negatives_options.h"
#include "sequence/sequence_session.h"
#include "training/train_options.h"
#include "training/warm_training.h"

#include <math.h>

struct refit_options {
    int64_t epochs;
    int events; /* enum basis */
    bool warm_start;
    int64_t warm_epochs;
    double warm_rate;
};

static const char *const events_names[] = {
    [BASIS_FIT] = "fit", [BASIS_ALL] = "all", [N_BASES] = NULL};

static const struct option options[] = {
    OPT_CHOICE(refit_options, "events", events, "all", events_names,
               "What towers and counts may know: all events; or only the train part (fit), as in "
               "published leave-one-out protocols. Lists read whole histories and leave out "
               "everything seen in either case."),
    OPT_INT(refit_options, "epochs", epochs, "0", 0, 100000,
            "Epochs to run. 0 takes the number that train chose on validation.", .unit = "epochs"),
    OPT_BOOL(refit_options, "warm_start", warm_start, "false",
             "Go on from the published vectors of the users and items that are known by their ids; "
             "new ones start from nothing. The tower that reads sequences goes on from its last "
             "weights, as long as they belong to what is published, else, as without this, from "
             "those that train has just found. Takes fewer epochs and keeps "
             "vectors close to yesterday's, as the metrics warm_drift_users and warm_drift_items "
             "tell (mean cosine). Only refit does this: the published vectors have seen the events "
             "that train "
             "and evaluate hold out. Where nothing is published, or vectors of another dimension, "
             "or of fewer than half of today's users or items, the start is cold."),
    OPT_INT(refit_options, "warm_epochs", warm_epochs, "0", 0, 100000,
            "Epochs after a warm start, over which the learning rate's schedule then spans. 0 "
            "takes a third of those of a cold start.",
            .unit = "epochs"),
    OPT_FLOAT(refit_options, "warm_rate", warm_rate, "0.5", 1e-6, 10,
              "Learning rate after a warm start, as a share of that of a cold one. Where much is "
              "new between two runs, 1 follows better."),
    OPT_END};

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
    {.name = "sequence", .help = "the tower that reads sequences, for small nights", true},
    {.name = NULL},
};

static void refit_validate(const void *values, struct option_report *report)
{
    const struct refit_options *o = values;
    if (o->events == BASIS_FIT && o->warm_start) {
        option_mistake(report, "warm_start",
                       "goes on from published vectors, which `events: fit` must not know");
    }
}

static void refit_estimate(const void *values, const struct stage_sizes *sizes,
                           struct stage_estimate *out)
{
    const struct refit_options *o = values;
    /* the settings are those that train will have found: here, most of its defaults */
    struct trainer_settings settings = {
        .dimension = (size_t)sizes->dimension,
        .batch_users = (size_t)sizes->batch_users,
        .co_items = {.weight = 1, .share = sizes->co_share},
        .propagation = {.hops = (size_t)sizes->hops, .sides = PROPAGATE_ITEMS},
        .strip_bytes = (size_t)256 << 20};
    const double epochs = o->epochs > 0 ? (double)o->epochs : sizes->epochs;
    if (!sizes->sequence.alone) {
        trainer_estimate(&settings, sizes, epochs > 0 ? epochs : 20.0, out);
    }
    struct stage_sizes left = *sizes; /* of what train has done for sequences */
    left.sequence.epochs = o->events == BASIS_FIT ? 0 : ceil(sizes->sequence.epochs / 3);
    sequence_estimate(&left, out);
    if (sizes->has_key && left.sequence.dimension > 0) { /* small nights read on from there */
        const double numbers = left.sequence.layers * left.sequence.dimension;
        const double states = sizes->n_users * (4 * numbers + 16);
        out->memory_bytes += states;
        out->result_bytes += states;
        out->disk_bytes += states;
    }
    out->provided = o->epochs == 0 && sizes->may_end_early ? STAGE_ALL_EPOCHS : NULL;
    if (o->warm_start) { /* the published vectors stay beside the training */
        out->memory_bytes += (sizes->n_users + sizes->n_items) * (4 * sizes->dimension + 1);
        out->memory_bytes += sizes->n_items * (4 * sizes->sequence.dimension + 8);
    }
}

/* What the towers would start from; a cold start looks at nothing. */
static enum status_code refit_fingerprint(struct context *context, const void *values,
                                          char out[HASH_TEXT_MAX], struct status *status)
{
    const struct refit_options *o = values;
    if (!o->warm_start) {
        snprintf(out, HASH_TEXT_MAX, "cold");
        return STATUS_OK;
    }
    return warm_training_fingerprint(context, out, status);
}

/* After a warm start. */
static size_t fewer_epochs(const struct refit_options *o, size_t cold)
{
    return o->warm_epochs > 0 ? (size_t)o->warm_epochs : (cold + 2) / 3;
}

/* Fewer epochs at a lower rate, the schedule drawn together to them. Hard negatives need not wait:
 * the scores that choose them are there from the start. */
static void shorten(struct training *training, const struct refit_options *o)
{
    struct trainer_settings *settings = &training->settings;
    size_t epochs = fewer_epochs(o, training->input.stop_after);
    double share = (double)epochs / (double)settings->epochs;
    settings->learning_rate *= o->warm_rate;
    settings->schedule.warmup_epochs *= share;
    settings->schedule.step_every *= share;
    settings->epochs = epochs;
    training->input.stop_after = epochs;
    training->negatives.hard.from_epoch = 1;
}

static enum status_code refit_run(struct context *context, const void *values,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct refit_options *o = values;
    const struct artifact *artifact = NULL;
    struct training training = {0};
    struct warm_training warm = {0};
    struct trainer_result result = {0};
    struct trainer_settings settings = {0};
    struct sequence_choice sequence = {0};
    struct sequence_pace pace = {0};
    size_t best_epoch = 0;
    TRY(context_input(context, "training", &artifact, status));
    TRY(trainer_settings_load(&settings, artifact, status));
    TRY(artifact_get_count(artifact, "best_epoch", 100000, &best_epoch, status));
    TRY(training_prepare(&training, context, (enum basis)o->events, &settings, status));
    TRY(negative_choice_load(&training.negatives, artifact, status));
    TRY(sequence_choice_load(&sequence, artifact, status));
    TRY(artifact_get_number(artifact, "checkpoint_every", &training.checkpoint_every, status));
    training.input.stop_after = o->epochs > 0 ? (size_t)o->epochs : best_epoch;
    if (training.input.stop_after > settings.epochs) {
        training.settings.epochs = training.input.stop_after;
    }
    training.without_ids = sequence.share >= 1.0;
    if (o->warm_start) {
        TRY(warm_training_begin(&warm, &training, status));
    }
    if (warm.is_warm) {
        shorten(&training, o);
        pace = (struct sequence_pace){.published = warm.run_started,
                                      .epochs = fewer_epochs(o, sequence.epochs),
                                      .rate = o->warm_rate};
    }
    TRY(training_run(&training, &result, status));
    if (o->warm_start) {
        TRY(warm_training_report(&warm, &training, &result, status));
    }
    TRY(sequence_refit(&training, &sequence, &pace, &result, status));
    TRY(training_output_towers(&training, &result, status));
done:
    sequence_choice_release(&sequence);
    trainer_result_release(&result);
    warm_training_release(&warm);
    training_release(&training);
    return code;
}

extern const struct stage stage_refit;
const struct stage stage_refit = {
    .name = "refit",
    .summary = "Trains the served towers on every event, with the settings and epochs chosen.",
    .version = 11,
    .options_size = sizeof(struct refit_options),
    .options = options,
    .inputs = inputs,
    .outputs = outputs,
    .validate = refit_validate,
    .estimate = refit_estimate,
    .fingerprint = refit_fingerprint,
    .works_in_ranks = true,
    .run = refit_run,
};
