/* The epochs of training: shuffling, schedule, validation, early stopping. What they begin with is
 * made in trainer_init.c, what happens inside a batch is in train_batch.c, what a checkpoint holds
 * in trainer_checkpoint.c. */
#include "training/trainer.h"

#include "base/mem.h"
#include "math/vec.h"
#include "training/embedding_health.h"
#include "training/trainer_state.h"
#include "towers/embeddings.h"

#include <math.h>

/* ---- an epoch ---- */

static double temperature_now(const struct trainer *trainer)
{
    const struct trainer_settings *settings = trainer->input->settings;
    return settings->temperature_mode == TEMPERATURE_LEARNED
               ? temperature_learner_tau(&trainer->temperature)
               : settings->temperature;
}

/* The vectors as they are now into trainer->vectors: of this rank's users and of all items. */
static enum status_code encode(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(encoder_encode(&trainer->encoder, trainer->vectors[SIDE_USERS], trainer->own_items,
                       trainer->pool, status));
    TRY(item_rows_gather(&trainer->items, trainer->own_items, trainer->vectors[SIDE_ITEMS],
                         status));
done:
    return code;
}

static struct const_matrix vectors_of(const struct trainer *trainer, enum tower_side side)
{
    return const_matrix_of(trainer->vectors[side], trainer->n[side],
                           trainer->input->settings->dimension);
}

/* What an epoch takes from the towers as they are at its start: hard negatives. */
static enum status_code prepare_epoch(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_input *input = trainer->input;
    train_batch_start_epoch(trainer->batch);
    if (!hard_negatives_due(&trainer->hard, trainer->epochs_done)) {
        goto done;
    }
    TRY(encode(trainer, status));
    embeddings_popularity_bias(input->item_counts, NULL, trainer->n[SIDE_ITEMS],
                               input->negatives->alpha, trainer->score_bias);
    /* a threshold is compared with the logits of positives, which have no popularity term */
    struct hard_scores scores = {.users = vectors_of(trainer, SIDE_USERS),
                                 .items = vectors_of(trainer, SIDE_ITEMS),
                                 .scale = (float)(1.0 / temperature_now(trainer)),
                                 .bias = trainer->hard.top_k > 0 ? NULL : trainer->score_bias,
                                 .excluded = &input->train->matrix,
                                 .watch = trainer->hooks->watch};
    TRY(hard_negatives_refresh(&trainer->hard, &scores, trainer->pool, status));
done:
    return code;
}

static struct train_step step_of(const struct trainer *trainer, size_t number)
{
    const struct trainer_settings *settings = trainer->input->settings;
    size_t n = trainer->order.n_batches;
    double position = (double)trainer->epochs_done + ((double)number + 1.0) / (double)n;
    struct train_step step = {
        .epoch = trainer->epochs_done,
        .number = number,
        .rate = settings->learning_rate *
                rate_share(&settings->schedule, (double)settings->epochs, position),
        .temperature = temperature_now(trainer),
        .hard = &trainer->hard,
        .diagnose = number + 1 == n,
    };
    epoch_order_step(&trainer->order, number, &step);
    return step;
}

static enum status_code diverged(const struct trainer *trainer, const char *what, size_t batch,
                                 struct status *status)
{
    const struct trainer_settings *settings = trainer->input->settings;
    return status_set(status, STATUS_DATA,
                      "training diverged: %s is not finite in epoch %zu, batch %zu of %zu "
                      "(learning_rate %g, temperature %g); a lower learning rate usually helps",
                      what, trainer->epochs_done + 1, batch, trainer->order.n_batches,
                      settings->learning_rate, temperature_now(trainer));
}

static enum status_code run_batch(struct trainer *trainer, size_t number,
                                  struct train_outcome *outcome, double *rate,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_settings *settings = trainer->input->settings;
    bool has_next = number + 1 < trainer->order.n_batches;
    struct train_step step = step_of(trainer, number), next;
    if (has_next) {
        next = step_of(trainer, number + 1);
    }
    TRY(train_batch_step(trainer->batch, &step, has_next ? &next : NULL, outcome, status));
    if (!isfinite(outcome->loss)) {
        code = diverged(trainer, "the loss", number + 1, status);
        goto done;
    }
    if (settings->temperature_mode == TEMPERATURE_LEARNED && outcome->n_all_positives > 0) {
        double slope = outcome->scale_slope;
        TRY(ranks_tree_sum(trainer->input->ranks, &slope, 1, status));
        temperature_learner_step(&trainer->temperature,
                                 step.temperature * slope / outcome->n_all_positives,
                                 settings->temperature_rate);
    }
    trainer->losses[number] = outcome->loss;
    *rate = step.rate;
done:
    return code;
}

/* What an epoch came to over all ranks, from what it came to here: the losses of its batches, the
 * counts of `total`, and the diagnostics of the last batch. */
static enum status_code sum_epoch(struct trainer *trainer, struct train_outcome *total,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct ranks *ranks = trainer->input->ranks;
    struct contrast_diagnostics *last = &total->diagnostics;
    double *const means = &last->positive_cosine.sum;
    int64_t counts[] = {(int64_t)total->n_positives, (int64_t)total->n_anchors,
                        (int64_t)total->n_empty};
    TRY(ranks_tree_sum(ranks, trainer->losses, trainer->order.n_batches, status));
    TRY(ranks_sum_int64(ranks, counts, sizeof counts / sizeof *counts, status));
    TRY(ranks_tree_sum(ranks, means, sizeof *last / sizeof *means, status));
    total->loss = 0.0;
    for (size_t b = 0; b < trainer->order.n_batches; b++) {
        total->loss += trainer->losses[b];
    }
    total->n_positives = (size_t)counts[0];
    total->n_anchors = (size_t)counts[1];
    total->n_empty = (size_t)counts[2];
done:
    return code;
}

static enum status_code run_epoch(struct trainer *trainer, struct curve_point *point,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_hooks *hooks = trainer->hooks;
    struct train_outcome total = {0}, outcome = {0};
    curve_point_init(point, trainer->epochs_done + 1);
    TRY(prepare_epoch(trainer, status));
    epoch_order_draw(&trainer->order, trainer->input->seed, trainer->epochs_done);
    for (size_t b = 0; b < trainer->order.n_batches; b++) {
        TRY(watch_check(&hooks->watch, status));
        TRY(run_batch(trainer, b, &outcome, &point->rate, status));
        total.loss += outcome.loss;
        total.n_positives += outcome.n_positives;
        total.n_anchors += outcome.n_anchors;
        total.n_empty += outcome.n_empty;
        if (hooks->tell != NULL) {
            hooks->tell(hooks->data,
                        (double)trainer->epochs_done +
                            ((double)b + 1.0) / (double)trainer->order.n_batches,
                        total.loss / (double)total.n_positives, trainer->best_metric);
        }
    }
    total.diagnostics = outcome.diagnostics;
    TRY(sum_epoch(trainer, &total, status));
    if (total.n_empty == total.n_anchors) {
        code = status_set(status, STATUS_DATA,
                          "no user has a negative: each one's positives are all of the candidates "
                          "(%zu items, %zu negatives drawn)",
                          trainer->n[SIDE_ITEMS], trainer->input->negatives->count);
        goto done;
    }
    point->loss = total.loss / (double)total.n_positives;
    point->positive_similarity = contrast_mean(total.diagnostics.positive_cosine);
    point->negative_similarity = contrast_mean(total.diagnostics.negative_cosine);
    point->effective_negatives = contrast_mean(total.diagnostics.effective_negatives);
done:
    return code;
}

/* ---- after an epoch ---- */

/* The vectors as they are now, and how they lie. */
static enum status_code measure(struct trainer *trainer, struct curve_point *point,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    struct embedding_health health;
    struct embedding_health_input input = {.items = vectors_of(trainer, SIDE_ITEMS),
                                           .seed = trainer->input->seed};
    TRY(encode(trainer, status));
    TRY(health_sample_fill(&trainer->health, trainer->vectors[SIDE_USERS], trainer->encoder.towers,
                           &trainer->items, &input, status));
    TRY(embedding_health_measure(&input, &health, status));
    if (!isfinite(health.norm) || isinf(health.cosine_items)) {
        code = diverged(trainer, "a vector", trainer->order.n_batches, status);
        goto done;
    }
    if (health.collapsed) {
        code = status_set(status, STATUS_DATA,
                          "the embeddings collapsed in epoch %zu: %s; a lower learning rate, more "
                          "negatives or less weight on the other contrasts usually helps",
                          trainer->epochs_done + 1, health.reason);
        goto done;
    }
    point->alignment = health.alignment;
    point->uniformity_users = health.uniformity_users;
    point->uniformity_items = health.uniformity_items;
    point->norm = health.norm;
    point->dead_dimensions = health.dead_dimensions;
    point->participation = health.participation;
done:
    return code;
}

/* Keeps the vectors of now, and those of the entities that training does not know. */
static enum status_code keep_best(struct trainer *trainer, double metric, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t d = trainer->input->settings->dimension;
    for (size_t s = 0; s < N_SIDES; s++) {
        const struct tower_sources *sources = &trainer->input->sources[s];
        memcpy(trainer->best_vectors[s], trainer->vectors[s], trainer->n[s] * d * sizeof(float));
        spill_rest(trainer->best_vectors[s]);
        if (sources->n > 0 && sources->n_cold > 0) {
            TRY(encoder_encode_cold(&trainer->encoder, (enum tower_side)s, sources->cold,
                                    sources->n_cold, trainer->best_cold_vectors[s], trainer->pool,
                                    status));
        }
    }
    if (trainer->encoder.bias.n > 0) {
        memcpy(trainer->best_bias, trainer->encoder.bias.weights,
               trainer->n[SIDE_ITEMS] * sizeof(float));
    }
    trainer->best_temperature = temperature_now(trainer);
    trainer->best_epoch = trainer->epochs_done;
    trainer->best_metric = metric;
    trainer->n_bad = 0;
done:
    return code;
}

/* The metric of the vectors of now. */
static enum status_code judge(const struct trainer *trainer, double *metric, struct status *status)
{
    const struct validation *validation = trainer->input->validation;
    const struct embedding_table *bias = &trainer->encoder.bias;
    const size_t d = trainer->input->settings->dimension, n = validation->n_users;
    matrix_gather(vectors_of(trainer, SIDE_USERS), validation->users, n, trainer->validation_users);
    return validation_run(validation, const_matrix_of(trainer->validation_users, n, d),
                          vectors_of(trainer, SIDE_ITEMS), bias->n > 0 ? bias->weights : NULL,
                          temperature_now(trainer), trainer->pool, metric, status);
}

/* Of trainer_end. */
static enum status_code encode_and_judge(void *data, double *metric, struct status *status)
{
    enum status_code code = encode(data, status);
    return code == STATUS_OK ? judge(data, metric, status) : code;
}

/* Validates the vectors of now and keeps them when they are the best so far. */
static enum status_code validate(struct trainer *trainer, double *metric, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(judge(trainer, metric, status));
    if (isnan(trainer->best_metric) || *metric > trainer->best_metric) {
        TRY(keep_best(trainer, *metric, status));
    } else {
        trainer->n_bad++;
    }
done:
    return code;
}

static bool is_over(const struct trainer *trainer)
{
    const struct trainer_input *input = trainer->input;
    return trainer->epochs_done >= input->stop_after || trainer->is_cut_short ||
           (input->patience > 0 && trainer->n_bad >= input->patience);
}

/* What depends on the clock is decided by rank 0. */
static enum status_code share_decisions(struct trainer *trainer, bool *is_due,
                                        struct status *status)
{
    enum status_code code = STATUS_OK;
    uint8_t decisions[] = {trainer->is_cut_short, *is_due};
    TRY(ranks_share(trainer->input->ranks, decisions, sizeof decisions, status));
    trainer->is_cut_short = decisions[0] != 0;
    *is_due = decisions[1] != 0;
done:
    return code;
}

static enum status_code run_epochs(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_input *input = trainer->input;
    const struct trainer_hooks *hooks = trainer->hooks;
    while (!is_over(trainer)) {
        struct curve_point *point = &trainer->curve[trainer->epochs_done];
        TRY(run_epoch(trainer, point, status));
        encoder_settle(&trainer->encoder, point->rate, trainer->pool);
        TRY(measure(trainer, point, status));
        trainer->epochs_done++;
        trainer->is_cut_short = trainer->epochs_done < input->stop_after &&
                                hooks->time_is_up != NULL &&
                                hooks->time_is_up(hooks->data, trainer->epochs_done);
        bool is_due = hooks->checkpoint_due != NULL && hooks->checkpoint_due(hooks->data);
        TRY(share_decisions(trainer, &is_due, status));
        if (input->validation != NULL &&
            (trainer->epochs_done % input->validate_every == 0 || is_over(trainer))) {
            TRY(validate(trainer, &point->metric, status));
        }
        if (hooks->checkpoint_save != NULL && (trainer->is_cut_short || is_due)) {
            TRY(trainer_checkpoint_save(trainer, status));
        }
    }
    if (input->validation == NULL) {
        /* a run that went on from a checkpoint after the last epoch has not measured yet */
        TRY(encode(trainer, status));
        TRY(keep_best(trainer, NAN, status));
    }
done:
    return code;
}

/* ---- the result ---- */

/* Mean cosine of the rows that started warm with the vectors they started from; of the users of all
 * ranks. */
static enum status_code drift(const struct trainer *trainer, size_t side, double *out,
                              struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct warm_start *warm = trainer->input->warm[side];
    const size_t d = trainer->input->settings->dimension;
    double *values = NULL, sum = 0.0;
    int64_t n = 0;
    *out = NAN;
    if (warm == NULL) {
        goto done;
    }
    TRY(MEM_NEW(&values, trainer->n[side], status));
    for (size_t i = 0; i < trainer->n[side]; i++) {
        if (warm->is_known[i]) {
            const float *vector = trainer->best_vectors[side] + i * d;
            values[i] = (double)vec_ops()->dot(warm->vectors + i * d, vector, d);
            sum += values[i];
            n++;
        }
    }
    if (side == SIDE_USERS) {
        TRY(shard_sum_values(trainer->input->ranks, &trainer->order.shards, values, &sum, status));
        TRY(ranks_sum_int64(trainer->input->ranks, &n, 1, status));
    }
    *out = n > 0 ? sum / (double)n : NAN;
done:
    mem_free(values);
    return code;
}

static enum status_code hand_over(struct trainer *trainer, struct trainer_result *result,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct item_rows *items = &trainer->items;
    double drifts[N_SIDES];
    for (size_t s = 0; s < N_SIDES; s++) {
        TRY(drift(trainer, s, &drifts[s], status));
    }
    *result = (struct trainer_result){
        .n_users = trainer->n[SIDE_USERS],
        .n_items = trainer->n[SIDE_ITEMS],
        .dimension = trainer->input->settings->dimension,
        .temperature = trainer->best_temperature,
        .best_epoch = trainer->best_epoch,
        .best_metric = trainer->best_metric,
        .is_cut_short = trainer->is_cut_short,
        .step_bytes = items->n_steps > 0 ? (double)items->n_sent / (double)items->n_steps : NAN,
        .n_batches = trainer->order.n_batches,
        .n_curve = trainer->epochs_done,
        .curve = trainer->curve,
    };
    trainer->curve = NULL;
    for (size_t s = 0; s < N_SIDES; s++) {
        result->drift[s] = drifts[s];
        result->vectors[s] = trainer->best_vectors[s];
        result->cold[s] = trainer->best_cold_vectors[s];
        trainer->best_vectors[s] = trainer->best_cold_vectors[s] = NULL;
    }
    if (trainer->encoder.bias.n > 0) {
        result->bias = trainer->best_bias;
        trainer->best_bias = NULL;
    }
done:
    return code;
}

enum status_code trainer_run(const struct trainer_input *input, const struct trainer_hooks *hooks,
                             struct pool *pool, struct trainer_result *result,
                             struct status *status)
{
    enum status_code code = STATUS_OK;
    struct trainer trainer = {.input = input, .hooks = hooks, .pool = pool};
    TRY(trainer_init(&trainer, status));
    if (hooks->checkpoint_load != NULL) {
        TRY(trainer_checkpoint_load(&trainer, status));
    }
    const size_t n_resumed = trainer.epochs_done;
    TRY(run_epochs(&trainer, status));
    if (hooks->at_end != NULL) {
        const struct trainer_end end = {
            .encoder = &trainer.encoder, .judge = encode_and_judge, .trainer = &trainer};
        TRY(hooks->at_end(hooks->data, &end, status));
    }
    TRY(hand_over(&trainer, result, status));
    result->n_resumed = n_resumed;
    result->n_lost = trainer.n_lost;
    result->lost = trainer.lost;
done:
    trainer_release(&trainer);
    return code;
}

enum status_code trainer_result_judge(const struct trainer_result *result,
                                      const struct validation *validation, const double *weights,
                                      size_t n_weights, struct pool *pool, double *means,
                                      double *of_users, struct status *status)
{
    const size_t n = validation->n_users, d = result->dimension;
    const struct validation_grid grid = {result->bias, weights, n_weights};
    float *users = NULL;
    enum status_code code;
    TRY(MEM_NEW(&users, n * d, status));
    matrix_gather(const_matrix_of(result->vectors[SIDE_USERS], result->n_users, d),
                  validation->users, n, users);
    TRY(validation_run_grid(validation, const_matrix_of(users, n, d),
                            const_matrix_of(result->vectors[SIDE_ITEMS], result->n_items, d), &grid,
                            result->temperature, pool, means, of_users, status));
done:
    mem_free(users);
    return code;
}

void trainer_result_release(struct trainer_result *result)
{
    for (size_t s = 0; s < N_SIDES; s++) {
        mem_free(result->vectors[s]);
        mem_free(result->cold[s]);
    }
    mem_free(result->bias);
    mem_free(result->curve);
    *result = (struct trainer_result){0};
}
