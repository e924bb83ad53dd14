/* The tower that reads sequences, in a stage. */
#include "sequence/sequence_session.h"

#include "base/clock.h"
#include "base/mem.h"
#include "math/vec.h"
#include "run/context_data.h"
#include "sequence/sequence_kept.h"
#include "sequence/sequence_pass.h"
#include "sequence/sequence_scale.h"
#include "sequence/sequence_share.h"
#include "sequence/sequence_trainer.h"
#include "sequence/sequence_warm.h"

#include <math.h>

/* The tower and who it is asked about. Zero-initialise. */
struct work {
    struct training *training;
    struct trainer_hooks hooks;
    struct sequences sequences; /* of the basis' users, train part */
    struct sequences cold;      /* of the cold users */
    struct sequence_warm warm;
    struct sequence_result result;
    float *vectors[N_SIDES];   /* (n, d) at unit length */
    float *cold_users;         /* (n_cold, d), zeros: none */
    struct sequence_read read; /* by whom the users' vectors are made */
};

static void work_release(struct work *work)
{
    sequences_release(&work->sequences);
    sequences_release(&work->cold);
    sequence_warm_release(&work->warm);
    sequence_result_release(&work->result);
    mem_free(work->vectors[SIDE_USERS]);
    mem_free(work->vectors[SIDE_ITEMS]);
    mem_free(work->cold_users);
    mem_free(work->read.states);
}

static const struct dataset *dataset_of(const struct training *training)
{
    return &training->interactions.basis[training->basis];
}

/* ---- training ---- */

static const char checkpoint_part[] = "sequence";

static enum status_code save_checkpoint(void *data, const struct artifact *artifact,
                                        struct status *status)
{
    struct training *training = data;
    enum status_code code =
        context_checkpoint_save(training->context, checkpoint_part, artifact, status);
    training->last_checkpoint = clock_monotonic();
    return code;
}

static enum status_code load_checkpoint(void *data, struct artifact *artifact, bool *found,
                                        struct status *status)
{
    const struct training *training = data;
    if (training->ignore_checkpoint) {
        *found = false;
        return STATUS_OK;
    }
    return context_checkpoint_load(training->context, checkpoint_part, artifact, found, status);
}

/* What of the epochs did not run here and now. */
static void tell_course(const struct work *work, size_t stop_after)
{
    struct context *context = work->training->context;
    const struct sequence_result *result = &work->result;
    if (result->n_resumed > 0) {
        log_write(context_log(context), LOG_INFO,
                  "training of sequences went on from the checkpoint of epoch %zu",
                  result->n_resumed);
    }
    if (result->is_cut_short) {
        context_set_cut_short(context);
        log_write(context_log(context), LOG_WARNING,
                  "training of sequences stopped after %zu of %zu epochs, for --max-time would not "
                  "last for one more; the tower is that of epoch %zu",
                  result->n_curve, stop_after, result->best_epoch);
    }
}

/* ids: whose vectors of items it begins with; NULL, or of dimension 0: drawn ones. */
static enum status_code train(struct work *work, const struct validation *validation,
                              const struct trainer_result *ids,
                              const struct sequence_settings *settings, size_t stop_after,
                              struct status *status)
{
    enum status_code code = STATUS_OK;
    struct training *training = work->training;
    const struct trainer_input *towers = &training->input;
    struct progress *progress = context_progress(training->context);
    struct negative_settings negatives = training->negatives;
    negatives.shared = true;
    if (negatives.count > settings->negatives) {
        negatives.count = settings->negatives;
    }
    const bool has_ids = ids != NULL && ids->dimension > 0;
    const struct sequence_input input = {
        .settings = settings,
        .sequences = &work->sequences,
        .negatives = &negatives,
        .item_counts = training->item_counts,
        .n_items = dataset_of(training)->n_items,
        .validation = validation,
        .validate_every = towers->validate_every > 0 ? towers->validate_every : 1,
        .patience = towers->patience,
        .stop_after = stop_after,
        .start = work->warm.is_warm ? &work->warm.start : NULL,
        .items = has_ids ? const_matrix_of(ids->vectors[SIDE_ITEMS], ids->n_items, ids->dimension)
                         : (struct const_matrix){0},
        .strip_bytes = training->settings.strip_bytes,
        .user_keys = training->user_keys,
        .seed = towers->seed};
    work->hooks = training->hooks;
    work->hooks.checkpoint_save = save_checkpoint;
    work->hooks.checkpoint_load = load_checkpoint;
    training->started = training->last_checkpoint = clock_monotonic();
    training->epochs_before = 0;
    progress_start(progress, "sequences", "epochs", (double)stop_after);
    code = sequence_train(&input, &work->hooks, context_pool(training->context), &work->result,
                          status);
    progress_finish(progress);
    if (code == STATUS_OK) {
        tell_course(work, stop_after);
        code = training_record_curve(training->context, ".sequence", work->result.curve,
                                     work->result.n_curve, status);
    }
    return code;
}

/* ---- vectors ---- */

/* Users by what is read, items, cold users. */
static enum status_code encode(struct work *work, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct training *training = work->training;
    const struct sequence_settings *settings = &training->settings.sequence;
    const struct dataset *dataset = dataset_of(training);
    const struct side_sources *users = &training->sources.side[SIDE_USERS];
    const size_t d = settings->dimension;
    struct pool *pool = context_pool(training->context);
    const struct watch *watch = &training->hooks.watch;
    TRY(SPILL_NEW(training->input.spill, &work->vectors[SIDE_USERS], dataset->n_users * d, status));
    TRY(SPILL_NEW(training->input.spill, &work->vectors[SIDE_ITEMS], dataset->n_items * d, status));
    TRY(MEM_NEW(&work->cold_users, users->n_cold * d, status));
    TRY(sequence_encode(&work->result.model, work->read.sequences, NULL, dataset->n_users,
                        work->vectors[SIDE_USERS], work->read.states, watch, pool, status));
    sequence_model_items(&work->result.model, work->vectors[SIDE_ITEMS], pool);
    const struct sequence_view view = {.rows = users->history_rows, .n_rows = users->n_cold};
    if (users->n_cold > 0 && dataset->cold.history.times != NULL) {
        TRY(sequences_init(&work->cold, &dataset->cold.history, &view, settings->length, status));
        TRY(sequence_encode(&work->result.model, &work->cold, NULL, users->n_cold, work->cold_users,
                            NULL, watch, pool, status));
    }
done:
    return code;
}

/* *ids (n, d), NULL where d is 0, becomes (n, d + s). sequences (n, s), or NULL: none of them has
 * one. */
static enum status_code join(const struct training *training, float **ids, size_t n, size_t d,
                             const float *sequences, size_t s, double w, struct status *status)
{
    enum status_code code = STATUS_OK;
    float *joined = NULL;
    TRY(SPILL_NEW(training->input.spill, &joined, n * (d + s), status));
    for (size_t r = 0; r < n; r++) {
        sequence_join_row(d == 0 ? NULL : *ids + r * d, d,
                          sequences == NULL ? NULL : sequences + r * s, s, w, joined + r * (d + s));
    }
    mem_free(*ids);
    *ids = joined;
done:
    return code;
}

static enum status_code join_all(struct work *work, double share, struct trainer_result *result,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    struct training *training = work->training;
    const size_t d = share < 1.0 ? result->dimension : 0;
    const size_t s = training->settings.sequence.dimension;
    double tau;
    const double w =
        sequence_mix(share, result->temperature, training->settings.sequence.temperature, &tau);
    training_encode_cold_users(training, result);
    TRY(join(training, &result->vectors[SIDE_USERS], result->n_users, d, work->vectors[SIDE_USERS],
             s, w, status));
    TRY(join(training, &result->vectors[SIDE_ITEMS], result->n_items, d, work->vectors[SIDE_ITEMS],
             s, w, status));
    TRY(join(training, &result->cold[SIDE_USERS], training->sources.side[SIDE_USERS].n_cold, d,
             work->cold_users, s, w, status));
    TRY(join(training, &result->cold[SIDE_ITEMS], training->sources.side[SIDE_ITEMS].n_cold, d,
             NULL, s, w, status));
    result->dimension = d + s;
    result->sequence_dimension = s;
    result->temperature = tau;
    if (d == 0) { /* nothing of the towers of ids is left, nor of the popularity they learned */
        mem_free(result->bias);
        result->bias = NULL;
        result->best_epoch = work->result.best_epoch;
        result->best_metric = work->result.best_metric;
    }
done:
    return code;
}

/* ---- its share ---- */

/* Whether anybody has a vector by side data alone, which a sequence cannot give. */
static bool needs_side_data(const struct training *training)
{
    const struct side_sources *users = &training->sources.side[SIDE_USERS];
    const struct side_sources *items = &training->sources.side[SIDE_ITEMS];
    const struct feature_table *tables = training->features.side;
    for (size_t u = 0; tables[FEATURE_USERS].matrix.n_columns > 0 && u < users->n_cold; u++) {
        if (users->history_rows[u] < 0) {
            return true;
        }
    }
    return tables[FEATURE_ITEMS].matrix.n_columns > 0 && items->n_cold > 0;
}

/* Whether anybody has events of two times: without, there is nothing to learn. */
static bool teaches(const struct history *train)
{
    const int64_t *offsets = train->matrix.offsets;
    for (size_t u = 0; u < train->matrix.n_rows; u++) {
        for (int64_t e = offsets[u] + 1; e < offsets[u + 1]; e++) {
            if (train->times[e] != train->times[offsets[u]]) {
                return true;
            }
        }
    }
    return false;
}

/* NULL: they can be. */
static const char *why_not_read(const struct training *training,
                                const struct validation *validation)
{
    const struct dataset *dataset = dataset_of(training);
    if (dataset->train.times == NULL) {
        return "sequence needs times, and the log has none: name a third column in the query; the "
               "towers are those of ids alone";
    }
    if (!teaches(&dataset->train)) {
        return "sequence has nothing to learn from: nobody has events of two times; the towers are "
               "those of ids alone";
    }
    if (validation->n_users == 0 && isnan(training->settings.sequence.share)) {
        return "no validation part, so nothing tells whether sequences help: they are not read, "
               "as no share is given";
    }
    return NULL;
}

void sequence_prepare(struct training *training, const struct validation *validation,
                      struct sequence_choice *choice)
{
    struct log *log = context_log(training->context);
    const struct sequence_settings *settings = &training->settings.sequence;
    if (!settings->given || settings->share <= 0.0) {
        return;
    }
    const char *why = why_not_read(training, validation);
    choice->is_read = why == NULL;
    training->without_ids = choice->is_read && settings->share >= 1.0;
    if (why != NULL) {
        log_write(log, LOG_WARNING, "train: %s", why);
        if (settings->dimension == OPTION_AUTO_COUNT) { /* nobody will choose */
            training->settings.sequence.dimension = 0;
        }
    } else if (training->without_ids && needs_side_data(training)) {
        log_write(log, LOG_INFO,
                  "train: sequence.share is 1, so who is known by side data alone gets no vector");
    }
}

static enum status_code choose_share(const struct work *work, const struct validation *validation,
                                     const struct trainer_result *ids, double *share,
                                     struct status *status)
{
    const struct sequence_shares shares = {.training = work->training,
                                           .validation = validation,
                                           .ids = ids,
                                           .users = work->vectors[SIDE_USERS],
                                           .items = work->vectors[SIDE_ITEMS],
                                           .alone_is_offered = !needs_side_data(work->training)};
    const double given = work->training->settings.sequence.share;
    if (isnan(given)) {
        return sequence_share_choose(&shares, work->result.best_epoch, share, status);
    }
    *share = given;
    return validation == NULL ? STATUS_OK
                              : sequence_share_tell(&shares, work->result.best_epoch, status);
}

enum status_code sequence_choose(struct training *training, const struct validation *validation,
                                 struct trainer_result *result, struct sequence_choice *choice,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sequence_settings *settings = &training->settings.sequence;
    const struct validation *judge = validation->n_users > 0 ? validation : NULL;
    struct work work = {.training = training};
    artifact_init(&choice->weights, "sequence");
    if (!choice->is_read) {
        goto done;
    }
    TRY(sequences_init(&work.sequences, &dataset_of(training)->train, NULL, settings->length,
                       status));
    sequence_settings_scale(&training->settings.sequence, &work.sequences);
    log_write(context_log(training->context), LOG_INFO,
              "train: sequences have dimension %zu, dropout %.2f, weight_decay %.2f",
              settings->dimension, settings->dropout, settings->weight_decay);
    TRY(train(&work, judge, result, settings, settings->epochs, status));
    work.read.sequences = &work.sequences;
    TRY(encode(&work, status));
    TRY(choose_share(&work, judge, result, &choice->share, status));
    choice->epochs = work.result.best_epoch;
    if (choice->share > 0.0) {
        TRY(sequence_weights_keep(&work.result.model, &choice->weights, status));
        TRY(join_all(&work, choice->share, result, status));
    }
done:
    work_release(&work);
    return code;
}

/* The artifact "sequence"; before the vectors are joined. */
static enum status_code output_kept(struct work *work, double share,
                                    const struct trainer_result *result, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct training *training = work->training;
    const struct sequence_settings *settings = &training->settings.sequence;
    const struct dataset *dataset = dataset_of(training);
    struct artifact artifact = {0};
    struct vocabulary items = {0};
    double tau;
    const struct sequence_facts facts = {
        .length = settings->length,
        .weight = sequence_mix(share, result->temperature, settings->temperature, &tau),
        .run_started = context_run_started(training->context),
        .basis = training->basis};
    for (size_t i = 0; i < dataset->n_items; i++) {
        const struct row_id id =
            vocabulary_id(&training->interactions.items, (size_t)dataset->items[i]);
        int32_t ignored;
        TRY(vocabulary_add(&items, &id, &ignored, status));
    }
    TRY(sequence_kept_save(&work->result.model, &facts, &items, &work->read, &artifact, status));
    TRY(context_output(training->context, &artifact, status));
done:
    artifact_release(&artifact);
    vocabulary_release(&items);
    return code;
}

/* Users of the FIT basis by the whole log: rows and columns of it are master codes. */
static enum status_code read_whole_log(const struct training *training, struct sequences *out,
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct dataset *dataset = dataset_of(training);
    int32_t *columns = NULL;
    TRY(MEM_NEW(&columns, training->interactions.items.n, status));
    dataset_invert(dataset->items, dataset->n_items, training->interactions.items.n, columns);
    const struct sequence_view view = {
        .rows = dataset->users, .n_rows = dataset->n_users, .columns = columns};
    TRY(sequences_init(out, &training->interactions.log, &view, training->settings.sequence.length,
                       status));
done:
    mem_free(columns);
    return code;
}

/* Where refit begins, and how much it then learns: what came after train's part is little, so a
 * third of the epochs at half the rate do, the schedule drawn together. */
static enum status_code choose_start(struct work *work, const struct sequence_choice *choice,
                                     const struct sequence_pace *pace,
                                     struct sequence_settings *settings, size_t *epochs,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct training *training = work->training;
    if (pace->published != 0) {
        TRY(sequence_warm_open(&work->warm, training, pace->published, status));
    }
    if (work->warm.is_warm) {
        settings->epochs = *epochs = pace->epochs;
        settings->learning_rate *= pace->rate;
    } else if (choice->weights.n_arrays > 0) {
        TRY(sequence_warm_of_train(&work->warm, training, &choice->weights, status));
        *epochs = training->basis == BASIS_FIT ? 0 : (choice->epochs + 2) / 3;
        settings->epochs = *epochs;
        settings->learning_rate *= 0.5;
    }
done:
    return code;
}

enum status_code sequence_refit(struct training *training, const struct sequence_choice *choice,
                                const struct sequence_pace *pace, struct trainer_result *result,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sequence_settings settings = training->settings.sequence;
    size_t epochs = choice->epochs;
    struct work work = {.training = training};
    struct sequences whole = {0};
    const bool is_fit = training->basis == BASIS_FIT;
    if (choice->share <= 0.0) { /* else train has read a part of the same log */
        goto done;
    }
    TRY(sequences_init(&work.sequences, &dataset_of(training)->train, NULL, settings.length,
                       status));
    TRY(choose_start(&work, choice, pace, &settings, &epochs, status));
    TRY(train(&work, NULL, NULL, &settings, epochs, status));
    if (is_fit) {
        TRY(read_whole_log(training, &whole, status));
    }
    work.read.sequences = is_fit ? &whole : &work.sequences;
    if (plan_find(context_plan(training->context), "catch_up") != NULL) {
        TRY(SPILL_NEW(training->input.spill, &work.read.states,
                      work.sequences.n_users * settings.layers * settings.dimension, status));
    }
    TRY(encode(&work, status));
    TRY(output_kept(&work, choice->share, result, status));
    TRY(join_all(&work, choice->share, result, status));
done:
    sequences_release(&whole);
    work_release(&work);
    return code;
}

/* ---- records ---- */

static const char weights_prefix[] = "best.sequence.";

/* Copies: the results of a stage outlive it, and what it read. */
static enum status_code copy_weights(struct artifact *to, const struct artifact *from,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    for (size_t a = 0; a < from->n_arrays; a++) {
        const struct array *array = &from->arrays[a];
        if (strncmp(array->name, weights_prefix, sizeof weights_prefix - 1) == 0) {
            TRY(artifact_copy(to, array->name, array->type, array->rows, array->columns,
                              array->data, status));
        }
    }
done:
    return code;
}

void sequence_choice_release(struct sequence_choice *choice)
{
    artifact_release(&choice->weights);
    *choice = (struct sequence_choice){0};
}

enum status_code sequence_choice_save(const struct sequence_choice *choice,
                                      struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (choice->share > 0.0) {
        TRY(artifact_set_number(artifact, "sequence.share", choice->share, status));
        TRY(artifact_set_number(artifact, "sequence.best_epoch", (double)choice->epochs, status));
        TRY(copy_weights(artifact, &choice->weights, status));
    }
done:
    return code;
}

enum status_code sequence_choice_load(struct sequence_choice *choice,
                                      const struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;
    *choice = (struct sequence_choice){0};
    if (artifact_find(artifact, "sequence.share") != NULL) {
        TRY(artifact_get_number(artifact, "sequence.share", &choice->share, status));
        TRY(artifact_get_count(artifact, "sequence.best_epoch", 100000, &choice->epochs, status));
        artifact_init(&choice->weights, "sequence");
        TRY(copy_weights(&choice->weights, artifact, status));
    }
done:
    return code;
}
