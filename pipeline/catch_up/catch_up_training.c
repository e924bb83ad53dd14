/* The trainer's input of a small night: the rows of the users who are trained as a dataset of their
 * own, over all items. */
#include "catch_up/catch_up_training.h"

#include "base/mem.h"
#include "dataset/crowd.h"
#include "negatives/negatives_options.h"
#include "pairs/item_pairs.h"
#include "pairs/pair_artifact.h"
#include "catch_up/catch_up_vectors.h"
#include "catch_up/merged.h"
#include "run/context.h"
#include "run/context_data.h"
#include "training/train_options.h"

#include <math.h>

/* Draws beside a batch's own positives, where the pipeline has none: a small night may have a
 * handful of users, whose positives alone are no sample of the items. */
enum { LEAST_DRAWS = 1024 };

/* What the training borrows. Zero-initialise. */
struct parts {
    struct training training;
    struct catch_up_vectors vectors;
    struct sparse positives, item_pairs, dislikes;
    float *start_users; /* (n_active, d) */
    uint8_t *is_known[N_SIDES];
    struct warm_start warm[N_SIDES];
};

static void parts_release(struct parts *parts)
{
    training_release(&parts->training);
    catch_up_vectors_release(&parts->vectors);
    sparse_release(&parts->positives);
    sparse_release(&parts->item_pairs);
    sparse_release(&parts->dislikes);
    mem_free(parts->start_users);
    for (size_t s = 0; s < N_SIDES; s++) {
        mem_free(parts->is_known[s]);
    }
}

/* ---- settings ---- */

/* What train chose, without what a tower reads beside ids; few epochs, the schedule drawn together
 * to them. */
static void adapt(struct trainer_settings *settings, const struct catch_up_request *request)
{
    const double share = (double)request->epochs / (double)settings->epochs;

    settings->temperature = request->start->embeddings.temperature;
    settings->temperature_mode = TEMPERATURE_FIXED;
    settings->learning_rate *= request->rate;
    settings->schedule.warmup_epochs *= share;
    settings->schedule.step_every *= share;
    settings->epochs = request->epochs;
    settings->history.given = false;
    settings->hidden.layers = 0;
    settings->propagation.hops = 0;
    settings->views.weight = 0.0;
}

static enum status_code load_negatives(struct training *training, const struct artifact *chosen,
                                       struct status *status)
{
    enum status_code code;
    const struct artifact *artifact = NULL;
    struct negative_settings *negatives = &training->negatives;

    TRY(context_input(training->context, "negatives", &artifact, status));
    TRY(negative_settings_load(negatives, artifact, status));
    TRY(negative_choice_load(negatives, chosen, status));
    negatives->hard.from_epoch = 1;
    if (negatives->strategy == NEGATIVES_IN_BATCH || negatives->strategy == NEGATIVES_QUEUE) {
        negatives->strategy = NEGATIVES_MIXED;
        negatives->count = negatives->count > LEAST_DRAWS ? negatives->count : LEAST_DRAWS;
    }
done:
    return code;
}

/* ---- data ---- */

/* Positives of the users who are trained, weighed as the stage pairs does. */
static enum status_code load_positives(struct parts *parts, const struct catch_up_request *request,
                                       const struct artifact *pairs, struct status *status)
{
    enum status_code code;
    struct sparse *positives = &parts->positives;
    double which = POSITIVES_VALUE;

    TRY(sparse_gather(&request->now->basis[BASIS_ALL].train.matrix, parts->vectors.active,
                      parts->vectors.n_active, positives, status));
    if (pairs != NULL) {
        TRY(artifact_get_number(pairs, pairs_positive_weights_slot, &which, status));
        pairs_weigh_positives((enum positive_weights)which, positives->values,
                              sparse_entries(positives), positives->values);
    }
    parts->training.positives = (struct history){.matrix = *positives};
    parts->training.input.train = &parts->training.positives;
done:
    return code;
}

static enum status_code load_pairs(struct parts *parts, const struct catch_up_request *request,
                                   const struct artifact *pairs, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct training *training = &parts->training;
    struct sparse stored = {0};
    int32_t *item_of = NULL;
    bool found = false;

    if (pairs != NULL) {
        TRY(sparse_load(&stored, pairs, pairs_item_item_slots[BASIS_ALL], &found, status));
    }
    if (found) {
        TRY(merged_map_items(request->base, request->now, &item_of, status));
        TRY(sparse_renumber(&stored, item_of, request->now->basis[BASIS_ALL].n_items,
                            &parts->item_pairs, status));
        training->input.item_pairs = &parts->item_pairs;
    }
done:
    mem_free(item_of);
    return code;
}

static enum status_code load_dislikes(struct parts *parts, const struct catch_up_request *request,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sparse *all = &request->now->basis[BASIS_ALL].dislikes.matrix;

    if (parts->training.negatives.dislike_weight > 0.0 && all->n_rows > 0) {
        TRY(sparse_gather(all, parts->vectors.active, parts->vectors.n_active, &parts->dislikes,
                          status));
        parts->training.input.dislikes = &parts->dislikes;
    }
done:
    return code;
}

/* A vector of zeros is none: such a row starts from nothing. */
static enum status_code connect_warm(struct parts *parts, size_t n_items, struct status *status)
{
    enum status_code code;
    struct catch_up_vectors *vectors = &parts->vectors;
    const size_t d = vectors->dimension, n[N_SIDES] = {vectors->n_active, n_items};
    const float *from[N_SIDES];

    TRY(MEM_NEW(&parts->start_users, vectors->n_active * d, status));
    matrix_gather(const_matrix_of(vectors->vectors[SIDE_USERS], parts->positives.n_rows, d),
                  vectors->active, vectors->n_active, parts->start_users);
    from[SIDE_USERS] = parts->start_users;
    from[SIDE_ITEMS] = vectors->vectors[SIDE_ITEMS];
    for (size_t s = 0; s < N_SIDES; s++) {
        TRY(MEM_NEW(&parts->is_known[s], n[s], status));
        for (size_t r = 0; r < n[s]; r++) {
            for (size_t j = 0; j < d && !parts->is_known[s][r]; j++) {
                parts->is_known[s][r] = from[s][r * d + j] < 0 || from[s][r * d + j] > 0;
            }
        }
        parts->warm[s] = (struct warm_start){from[s], parts->is_known[s]};
        parts->training.input.warm[s] = &parts->warm[s];
    }
    parts->training.input.warm_bias = vectors->bias;
done:
    return code;
}

static enum status_code prepare(struct parts *parts, const struct catch_up_request *request,
                                struct status *status)
{
    enum status_code code;
    struct training *training = &parts->training;
    struct context *context = request->context;
    const struct dataset *all = &request->now->basis[BASIS_ALL];
    const struct crowd crowd = crowd_of(context_ranks(context), request->now, all);
    const struct artifact *chosen = NULL, *pairs = NULL;

    training->context = context;
    training->basis = BASIS_ALL;
    TRY(context_input(context, "training", &chosen, status));
    TRY(trainer_settings_load(&training->settings, chosen, status));
    adapt(&training->settings, request);
    training->settings.dimension = parts->vectors.dimension;
    TRY(load_negatives(training, chosen, status));
    TRY(context_input(context, "pairs", &pairs, status));
    TRY(load_positives(parts, request, pairs, status));
    TRY(load_pairs(parts, request, pairs, status));
    TRY(load_dislikes(parts, request, status));
    TRY(connect_warm(parts, all->n_items, status));
    TRY(MEM_NEW(&training->item_counts, all->n_items, status));
    dataset_item_counts(all, training->item_counts);
    TRY(MEM_NEW(&training->user_keys, parts->vectors.n_active, status));
    for (size_t u = 0; u < parts->vectors.n_active; u++) {
        training->user_keys[u] = crowd_key(&crowd, (size_t)parts->vectors.active[u]);
    }
    training->input.user_keys = training->user_keys;
    training_connect(training);
    training->hooks.checkpoint_due = NULL; /* minutes at the most: a killed night starts again */
    training->hooks.checkpoint_save = NULL;
    training->hooks.checkpoint_load = NULL;
    training->deadline = INFINITY; /* what is over after minutes is not cut short */
    training->input.settings = &training->settings;
    training->input.negatives = &training->negatives;
    training->input.item_counts = training->item_counts;
    training->input.seed = context_seed(context);
    training->input.stop_after = request->epochs;
    training->input.spill = context_settings(context)->work.database;
done:
    return code;
}

/* Whether anybody has an item that could be a negative; false where nothing was prepared. */
static bool can_train(const struct parts *parts)
{
    const struct sparse *positives = &parts->positives;

    for (size_t u = 0; u < positives->n_rows; u++) {
        if (sparse_row_length(positives, u) < positives->n_columns) {
            return true;
        }
    }
    return false;
}

static void count_new(const struct parts *parts, size_t n_items, struct catch_up_result *result)
{
    const struct start_side *sides = parts->vectors.side;

    result->n_anchors = parts->vectors.n_active;
    for (size_t a = 0; a < parts->vectors.n_active; a++) {
        result->n_new[SIDE_USERS] += sides[SIDE_USERS].row_of[parts->vectors.active[a]] < 0;
    }
    for (size_t i = 0; i < n_items; i++) {
        result->n_new[SIDE_ITEMS] += sides[SIDE_ITEMS].row_of[i] < 0;
    }
}

enum status_code catch_up_train(const struct catch_up_request *request, struct artifact *out,
                                struct catch_up_result *result, struct status *status)
{
    enum status_code code;
    struct parts *parts = NULL;
    struct trainer_result trained = {0};

    TRY(MEM_NEW(&parts, 1, status));
    *result = (struct catch_up_result){.drift = {NAN, NAN}};
    TRY(catch_up_vectors_init(&parts->vectors, request, status));
    count_new(parts, request->now->basis[BASIS_ALL].n_items, result);
    result->has_sequences = parts->vectors.sequence.dimension > 0;
    result->read = parts->vectors.sequence.read;
    if (parts->vectors.dimension > 0) { /* else sequences are all there is: they are read */
        TRY(prepare(parts, request, status));
    }
    if (can_train(parts)) {
        TRY(training_run(&parts->training, &trained, status));
        catch_up_vectors_take(&parts->vectors, &trained);
        memcpy(result->drift, trained.drift, sizeof result->drift);
    }
    TRY(catch_up_vectors_save(&parts->vectors, request, (double)trained.best_epoch, out, status));
done:
    trainer_result_release(&trained);
    if (parts != NULL) {
        parts_release(parts);
    }
    mem_free(parts);
    return code;
}
