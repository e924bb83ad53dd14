/* Makes the data of a basis ready for the trainer and connects its callbacks to the run. */
#include "training/train_session.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "dataset/crowd.h"
#include "dataset/dataset_ranks.h"
#include "math/vec.h"
#include "negatives/negatives_options.h"
#include "pairs/item_pairs.h"
#include "pairs/pair_artifact.h"
#include "run/context_data.h"
#include "run/context_databases.h"
#include "training/step_bytes.h"
#include "training/training_name.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static enum status_code hook_check_stop(void *data, struct status *status)
{
    struct training *training = data;
    if (!training->has_epoch && clock_monotonic() > training->deadline) {
        return status_set(
            status, STATUS_BUSY,
            "the time that --max-time gives was over before the first epoch was done; "
            "nothing is published, the stages before are kept; give more time");
    }
    return context_check_stop(training->context, status);
}

/* The next epoch is expected to take as long as those of this run did. */
static bool hook_time_is_up(void *data, size_t epochs_done)
{
    struct training *training = data;
    double now = clock_monotonic(), took = now - training->started;
    if (!training->has_epoch) {
        training->has_epoch = true;
        training->epochs_before = epochs_done - 1;
    }
    return now + took / (double)(epochs_done - training->epochs_before) > training->deadline;
}

static void hook_tell(void *data, double epochs_done, double loss, double metric)
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

/* Checkpoints that any number of ranks may find are kept in two slots in turn: while some ranks
 * have overwritten one, all of them have the other. One rank alone needs no second. */
enum { KEPT_SLOTS = 2 };

static void kept_name(const struct training *training, size_t slot, char out[HASH_TEXT_MAX + 8])
{
    snprintf(out, HASH_TEXT_MAX + 8, "%s/%zu", training->name, slot);
}

static enum status_code hook_checkpoint_save(void *data, const struct artifact *artifact,
                                             struct status *status)
{
    struct training *training = data;
    const size_t n_ranks = ranks_n(context_ranks(training->context));
    enum status_code code;
    char name[HASH_TEXT_MAX + 8];
    kept_name(training, n_ranks > 1 ? training->n_kept++ % KEPT_SLOTS : 0, name);
    code = training->name[0] == '\0'
               ? context_checkpoint_save(training->context, NULL, artifact, status)
               : context_checkpoint_keep(training->context, name, artifact, status);
    training->last_checkpoint = clock_monotonic();
    return code;
}

/* Of what rank `rank` of n has kept that of `epochs`, or the last, SIZE_MAX. */
static enum status_code find_kept(struct training *training, size_t rank, size_t n, size_t epochs,
                                  struct artifact *out, bool *found, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact kept = {0};
    size_t newest = 0, done = 0, n_of = 0;
    *found = false;
    for (size_t slot = 0; slot < KEPT_SLOTS && !training->ignore_checkpoint; slot++) {
        char name[HASH_TEXT_MAX + 8];
        bool is_there = false;
        kept_name(training, slot, name);
        TRY(context_checkpoint_find(training->context, name, rank, n, &kept, &is_there, status));
        if (is_there) {
            TRY(artifact_get_count(&kept, "epochs_done", INT32_MAX, &done, status));
            TRY(artifact_get_count(&kept, "ranks", RANKS_MAX, &n_of, status));
            if (epochs == SIZE_MAX ? done >= newest : done == epochs && n_of == n) {
                artifact_release(out);
                *out = kept;
                kept = (struct artifact){0};
                newest = done;
                *found = true;
                training->n_kept = slot + 1; /* the next one goes to the other */
            }
        }
        artifact_release(&kept);
        kept = (struct artifact){0};
    }
done:
    artifact_release(&kept);
    return code;
}

static enum status_code hook_checkpoint_load(void *data, struct artifact *artifact, bool *found,
                                             struct status *status)
{
    struct training *training = data;
    struct ranks *ranks = context_ranks(training->context);
    *found = false;
    if (training->name[0] != '\0') {
        return find_kept(training, ranks_mine(ranks), ranks_n(ranks), SIZE_MAX, artifact, found,
                         status);
    }
    return training->ignore_checkpoint
               ? STATUS_OK
               : context_checkpoint_load(training->context, NULL, artifact, found, status);
}

static enum status_code hook_checkpoint_find(void *data, size_t rank, size_t n, size_t epochs,
                                             struct artifact *artifact, bool *found,
                                             struct status *status)
{
    struct training *training = data;
    *found = false;
    return training->name[0] == '\0'
               ? STATUS_OK
               : find_kept(training, rank, n, epochs, artifact, found, status);
}

void training_connect(struct training *training)
{
    training->hooks = (struct trainer_hooks){
        .data = training,
        .watch = {.check_stop = hook_check_stop, .data = training},
        .tell = hook_tell,
        .time_is_up = hook_time_is_up,
        .checkpoint_due = hook_checkpoint_due,
        .checkpoint_save = hook_checkpoint_save,
        .checkpoint_load = hook_checkpoint_load,
        .checkpoint_find = hook_checkpoint_find,
    };
}

/* Item pairs and the weights of the positives. */
static enum status_code load_pairs(struct training *training, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct artifact *pairs = NULL;
    const float *weights = NULL;
    bool has_items = false;
    TRY(context_input(training->context, "pairs", &pairs, status));
    if (pairs != NULL) {
        size_t n = sparse_entries(&training->positives.matrix);
        TRY(sparse_load(&training->item_pairs, pairs, pairs_item_item_slots[training->basis],
                        &has_items, status));
        const struct sparse *stored = &training->item_pairs;
        const size_t n_items = training->positives.matrix.n_columns;
        if (has_items && (stored->n_rows != n_items || stored->n_columns != n_items)) {
            TRY(artifact_misfit(pairs, pairs_item_item_slots[training->basis],
                                "it is of other items", status));
        }
        TRY(pairs_positive_weights(pairs, training->basis, n, &weights, status));
        training->positives.matrix.values = (float *)(uintptr_t)weights;
    }
    assert(has_items || training->settings.co_items.weight == 0.0); /* by the plan */
    training->input.item_pairs = has_items ? &training->item_pairs : NULL;
done:
    return code;
}

static enum status_code load_sources(struct training *training, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct artifact *artifact = NULL;
    const struct dataset *dataset = &training->interactions.basis[training->basis];
    TRY(context_input(training->context, "features", &artifact, status));
    if (artifact != NULL) {
        TRY(features_load(&training->features, artifact, status));
    }
    TRY(training_sources_init(&training->sources, &training->interactions, dataset,
                              context_ranks(training->context),
                              artifact == NULL ? NULL : &training->features,
                              &training->settings.history, training->input.item_pairs, status));
    for (size_t s = 0; s < N_SIDES; s++) {
        const struct side_sources *side = &training->sources.side[s];
        training->input.sources[s] = (struct tower_sources){.n = side->n,
                                                            .rows = side->rows,
                                                            .cold = side->cold,
                                                            .n_cold = side->n_cold,
                                                            .cold_keys = side->cold_keys};
    }
done:
    return code;
}

static enum status_code load_negatives(struct training *training, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct artifact *negatives = NULL;
    TRY(context_input(training->context, "negatives", &negatives, status));
    TRY(negative_settings_load(&training->negatives, negatives, status));
    const char *name = negative_stored_slots[training->basis];
    const struct array *stored = artifact_find(negatives, name);
    if (stored != NULL) {
        const struct sparse *train = &training->positives.matrix;
        const void *data = NULL;
        TRY(artifact_get_sized(negatives, name, ARRAY_I32, sparse_entries(train), stored->columns,
                               &data, status));
        const int32_t *items = data;
        for (size_t i = 0; i < stored->rows * stored->columns; i++) {
            if (items[i] < 0 || (size_t)items[i] >= train->n_columns) {
                TRY(artifact_misfit(negatives, name, "it has items that are not there", status));
            }
        }
        training->input.stored_negatives = items;
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
    training->deadline = clock_monotonic() + context_training_time(context);
    training->basis = basis;
    training->settings = *settings;
    TRY(context_input(context, "interactions", &artifact, status));
    TRY(interactions_load(&training->interactions, artifact, status));
    const struct dataset *dataset = &training->interactions.basis[basis];
    const struct crowd crowd = crowd_of(context_ranks(context), &training->interactions, dataset);
    training->positives = dataset->train;
    TRY(MEM_NEW(&training->item_counts, dataset->n_items, status));
    dataset_item_counts(dataset, training->item_counts);
    TRY(MEM_NEW(&training->user_keys, dataset->n_users, status));
    for (size_t u = 0; u < dataset->n_users; u++) {
        training->user_keys[u] = crowd_key(&crowd, u);
    }
    TRY(load_pairs(training, status));
    TRY(load_negatives(training, status));
    TRY(load_sources(training, status));
    training_connect(training);
    training->input.settings = &training->settings;
    training->input.negatives = &training->negatives;
    training->input.train = &training->positives;
    const struct history *dislikes = &training->interactions.basis[basis].dislikes;
    if (training->negatives.dislike_weight > 0.0 && dislikes->matrix.n_rows > 0) {
        training->input.dislikes = &dislikes->matrix;
    }
    training->input.item_counts = training->item_counts;
    training->input.user_keys = training->user_keys;
    training->input.ranks = context_ranks(context);
    training->input.seed = context_seed(context);
    training->input.spill = context_settings(context)->work.database;
done:
    return code;
}

/* A place for each of curve_columns, in their order. */
static const char insert_curve[] =
    "INSERT OR REPLACE INTO training_curve (run, stage, epoch, loss, learning_rate, validation,"
    " positive_similarity, negative_similarity, effective_negatives, alignment, uniformity_users,"
    " uniformity_items, norm, dead_dimensions, participation)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
_Static_assert(CURVE_COLUMNS == 12, "insert_curve and the table training_curve have 12 figures");

/* The training curve of the running stage: rows of training_curve, replacing those of this run. */
enum status_code training_record_curve(struct context *context, const char *suffix,
                                       const struct curve_point *curve, size_t n,
                                       struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    struct db *work = context_work(context);
    struct buf stage = {0};
    buf_addf(&stage, "%s%s", context_label(context), suffix);
    TRY(buf_check(&stage, status));
    TRY(db_begin_write(work, status));
    TRY(db_prepare(work, insert_curve, &query, status));
    TRY(db_bind_int64(query, 1, context_run_number(context), status));
    TRY(db_bind_text(query, 2, stage.data, stage.length, true, status));
    for (size_t i = 0; i < n; i++) {
        TRY(db_bind_int64(query, 3, curve[i].epoch, status));
        for (size_t c = 0; c < CURVE_COLUMNS; c++) {
            TRY(db_bind_number(query, 4 + (int)c, curve_value(&curve[i], c), status));
        }
        TRY(db_run(query, status));
    }
    TRY(db_commit(work, status));
done:
    db_finalize(query);
    db_rollback(work);
    buf_release(&stage);
    return code;
}

/* What was counted, beside what it should be where that is known. */
static enum status_code tell_step_bytes(const struct training *training,
                                        const struct trainer_result *result, struct status *status)
{
    struct buf text = {0};
    double expected;
    enum status_code code;
    TRY(step_bytes_expect(&training->input, result->n_batches, &expected, status));
    buf_addf(&text, "%s: a step of training sent %.0f bytes", context_label(training->context),
             result->step_bytes);
    if (!isnan(expected)) {
        buf_addf(&text, "; expected of how many users each item has: %.0f", expected);
    }
    TRY(buf_check(&text, status));
    log_write(context_log(training->context), LOG_DEBUG, "%s", buf_text(&text));
done:
    buf_release(&text);
    return code;
}

static void tell_lost(const struct training *training, const struct trainer_result *result)
{
    char why[STATUS_FILE_MAX + 512] = "what other ranks have kept must be readable to all";
    if (result->lost.code != STATUS_OK) {
        status_format(&result->lost, why, sizeof why);
    }
    log_write(context_log(training->context), LOG_WARNING,
              "training began anew: of the checkpoint of epoch %zu not every rank finds its part; "
              "%s",
              result->n_lost, why);
}

static struct trainer_result nothing_trained(const struct training *training)
{
    const struct dataset *dataset = &training->interactions.basis[training->basis];
    return (struct trainer_result){.n_users = dataset->n_users,
                                   .n_items = dataset->n_items,
                                   .temperature = NAN,
                                   .best_metric = NAN,
                                   .drift = {NAN, NAN},
                                   .step_bytes = NAN};
}

/* The pairs that are learned from, of all ranks. */
static void set_rows(const struct training *training)
{
    const struct dataset *dataset = &training->interactions.basis[training->basis];
    context_set_rows(training->context, dataset_totals(dataset).pairs);
}

enum status_code training_run(struct training *training, struct trainer_result *result,
                              struct status *status)
{
    struct progress *progress = context_progress(training->context);
    enum status_code code = STATUS_OK;
    if (training->without_ids) {
        *result = nothing_trained(training);
        set_rows(training);
        goto done;
    }
    TRY(training_name(&training->input, &training->interactions, training->basis, training->metric,
                      training->name, status));
    training->started = training->last_checkpoint = clock_monotonic();
    progress_start(progress, "training", "epochs", (double)training->input.stop_after);
    code = trainer_run(&training->input, &training->hooks, context_pool(training->context), result,
                       status);
    progress_finish(progress);
    if (code == STATUS_OK && result->n_resumed > 0) {
        log_write(context_log(training->context), LOG_INFO,
                  "training went on from the checkpoint of epoch %zu", result->n_resumed);
    }
    if (code == STATUS_OK && result->n_lost > 0) {
        tell_lost(training, result);
    }
    if (code == STATUS_OK && !isnan(result->step_bytes)) {
        code = tell_step_bytes(training, result, status);
    }
    if (code == STATUS_OK && result->is_cut_short) {
        context_set_cut_short(training->context);
        log_write(context_log(training->context), LOG_WARNING,
                  "training stopped after %zu of %zu epochs, for --max-time would not last for one "
                  "more; the towers are those of epoch %zu",
                  result->n_curve, training->input.stop_after, result->best_epoch);
    }
    if (code == STATUS_OK) {
        set_rows(training);
        code = training_record_curve(training->context, "", result->curve, result->n_curve, status);
    }
done:
    return code;
}

/* A cold user without a vector of the tower's own: the mean of the history's items, at unit length
 * (zeros when there are none). */
static void encode_by_items(const struct dataset *dataset, const struct trainer_result *result,
                            size_t row, float *out)
{
    const struct vec_ops *vec = vec_ops();
    const struct sparse *m = &dataset->cold.history.matrix;
    size_t d = result->dimension;
    for (int64_t e = m->offsets[row]; e < m->offsets[row + 1]; e++) {
        vec->axpy(1.0f, result->vectors[SIDE_ITEMS] + (size_t)m->columns[e] * d, out, d);
    }
    (void)vec_unit(vec, out, d);
}

/* The cold entities that have a vector, packed to the front of `vectors` and `codes`; returns how
 * many. */
static size_t pack_cold(float *vectors, int32_t *codes, size_t n, size_t d)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (vec_ops()->dot(vectors + i * d, vectors + i * d, d) > 0.0f) {
            memmove(vectors + kept * d, vectors + i * d, d * sizeof *vectors);
            codes[kept++] = codes[i];
        }
    }
    return kept;
}

void training_encode_cold_users(const struct training *training, struct trainer_result *result)
{
    const struct dataset *dataset = &training->interactions.basis[training->basis];
    const struct side_sources *users = &training->sources.side[SIDE_USERS];
    const size_t d = result->dimension;
    for (size_t u = 0; d > 0 && u < users->n_cold; u++) {
        float *vector = result->cold[SIDE_USERS] + u * d;
        if (users->history_rows[u] >= 0 && !(vec_ops()->dot(vector, vector, d) > 0.0f)) {
            encode_by_items(dataset, result, (size_t)users->history_rows[u], vector);
        }
    }
}

enum status_code training_output_towers(struct training *training, struct trainer_result *result,
                                        struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t d = result->dimension, n_cold[N_SIDES];
    struct artifact artifact;
    artifact_init(&artifact, "towers");
    training_encode_cold_users(training, result);
    for (size_t s = 0; s < N_SIDES; s++) {
        struct side_sources *side = &training->sources.side[s];
        n_cold[s] = pack_cold(result->cold[s], side->cold_codes, side->n_cold, d);
    }
    struct embeddings embeddings = {
        .users = const_matrix_of(result->vectors[SIDE_USERS], result->n_users, d),
        .items = const_matrix_of(result->vectors[SIDE_ITEMS], result->n_items, d),
        .basis = training->basis,
        .temperature = result->temperature,
        .alpha = result->bias != NULL ? 1.0 : training->negatives.alpha,
        .epochs = (double)result->best_epoch,
        .sequence_dimension = (int64_t)result->sequence_dimension,
        .cold_user_codes = training->sources.side[SIDE_USERS].cold_codes,
        .cold_item_codes = training->sources.side[SIDE_ITEMS].cold_codes,
        .cold_users = const_matrix_of(result->cold[SIDE_USERS], n_cold[SIDE_USERS], d),
        .cold_items = const_matrix_of(result->cold[SIDE_ITEMS], n_cold[SIDE_ITEMS], d),
        .item_bias = result->bias,
    };
    TRY(embeddings_save(&embeddings, &artifact, status));
    TRY(context_output(training->context, &artifact, status));
done:
    artifact_release(&artifact);
    return code;
}

void training_release(struct training *training)
{
    training_sources_release(&training->sources);
    features_release(&training->features);
    interactions_release(&training->interactions);
    strings_release(&training->chosen);
    mem_free(training->item_counts);
    mem_free(training->user_keys);
    training->item_counts = NULL;
    training->user_keys = NULL;
}
