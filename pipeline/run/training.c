/* Makes the data of a basis ready for the trainer and connects its callbacks to the run. */
#include "run/training.h"

#include "base/clock.h"
#include "base/mem.h"
#include "model/item_pairs.h"
#include "run/run_record.h"

#include <math.h>

static enum status_code hook_check_stop(void *data, struct status *status)
{
    struct training *training = data;
    return context_check_stop(training->context, status);
}

static void hook_progress(void *data, double epochs_done, double loss, double metric)
{
    struct training *training = data;
    char note[96];
    if (isnan(metric) || training->metric == NULL) {
        snprintf(note, sizeof note, "loss %.4f", loss);
    } else {
        snprintf(note, sizeof note, "loss %.4f, best %s %.4f", loss, training->metric, metric);
    }
    progress_update(context_progress(training->context), epochs_done, note);
}

static bool hook_checkpoint_due(void *data)
{
    struct training *training = data;
    return clock_monotonic() - training->last_checkpoint >= training->checkpoint_every;
}

static enum status_code hook_checkpoint_save(void *data, const struct artifact *artifact,
                                             struct status *status)
{
    struct training *training = data;
    enum status_code code = context_checkpoint_save(training->context, artifact, status);
    training->last_checkpoint = clock_monotonic();
    return code;
}

static enum status_code hook_checkpoint_load(void *data, struct artifact *artifact, bool *found,
                                             struct status *status)
{
    struct training *training = data;
    return context_checkpoint_load(training->context, artifact, found, status);
}

static void connect_hooks(struct training *training)
{
    training->hooks = (struct trainer_hooks){
        .data = training,
        .check_stop = hook_check_stop,
        .progress = hook_progress,
        .checkpoint_due = hook_checkpoint_due,
        .checkpoint_save = hook_checkpoint_save,
        .checkpoint_load = hook_checkpoint_load,
    };
}

/* Item pairs and the weights of the positives. */
static enum status_code load_pairs(struct training *training, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct artifact *pairs = NULL;
    const float *weights = NULL;
    bool found = false;
    const char *slot = pairs_item_item_slots[training->basis];
    TRY(context_input(training->context, "pairs", &pairs, status));
    if (pairs != NULL) {
        size_t n = sparse_entries(&training->positives.matrix);
        TRY(sparse_load(&training->item_pairs, pairs, slot, &found, status));
        TRY(pairs_positive_weights(pairs, training->basis, n, &weights, status));
        training->positives.matrix.values = (float *)(uintptr_t)weights;
    }
    if (!found && training->settings.co_weight > 0.0) {
        code = status_set(status, STATUS_CONFIG,
                          "train: co_interaction needs item pairs: put `- pairs: {item_item: {}}` "
                          "above train");
        goto done;
    }
    training->input.item_pairs = found ? &training->item_pairs : NULL;
done:
    return code;
}

static enum status_code load_negatives(struct training *training, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct artifact *negatives = NULL;
    TRY(context_input(training->context, "negatives", &negatives, status));
    TRY(negative_settings_load(&training->negatives, negatives, status));
    const struct array *stored = artifact_find(negatives, negative_stored_slots[training->basis]);
    if (stored != NULL) {
        training->input.stored_negatives = stored->data;
        training->input.n_stored = stored->columns;
    }
done:
    return code;
}

enum status_code training_prepare(struct training *training, struct context *context,
                                  enum basis basis, const struct trainer_settings *settings,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct artifact *artifact = NULL;
    training->context = context;
    training->basis = basis;
    training->settings = *settings;
    TRY(context_input(context, "interactions", &artifact, status));
    TRY(interactions_load(&training->interactions, artifact, status));
    const struct dataset *dataset = &training->interactions.basis[basis];
    training->positives = dataset->train;
    TRY(MEM_NEW(&training->item_counts, dataset->n_items, status));
    dataset_item_counts(dataset, training->item_counts);
    TRY(load_pairs(training, status));
    TRY(load_negatives(training, status));
    connect_hooks(training);
    training->input.settings = &training->settings;
    training->input.negatives = &training->negatives;
    training->input.train = &training->positives;
    training->input.item_counts = training->item_counts;
    training->input.seed = context_seed(context);
done:
    return code;
}

enum status_code training_run(struct training *training, struct trainer_result *result,
                              struct status *status)
{
    struct progress *progress = context_progress(training->context);
    training->last_checkpoint = clock_monotonic();
    progress_start(progress, "training", "epochs", (double)training->input.stop_after);
    enum status_code code = trainer_run(&training->input, &training->hooks,
                                        context_pool(training->context), result, status);
    progress_finish(progress);
    if (code == STATUS_OK) {
        context_set_rows(training->context, (int64_t)sparse_entries(&training->positives.matrix));
        code = run_record_curve(training->context, result->curve, result->n_curve, status);
    }
    return code;
}

enum status_code training_output_towers(struct training *training,
                                        const struct trainer_result *result, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact artifact;
    artifact_init(&artifact, "towers");
    struct towers towers = {
        .users = const_matrix_of(result->users, result->n_users, result->dimension),
        .items = const_matrix_of(result->items, result->n_items, result->dimension),
        .basis = training->basis,
        .temperature = training->settings.temperature,
        .alpha = training->negatives.alpha,
        .epochs = (double)result->best_epoch,
    };
    TRY(towers_save(&towers, &artifact, status));
    TRY(context_output(training->context, &artifact, status));
done:
    artifact_release(&artifact);
    return code;
}

void training_release(struct training *training)
{
    interactions_release(&training->interactions);
    mem_free(training->item_counts);
    training->item_counts = NULL;
}
