/* The epochs of the tower that reads sequences. */
#include "sequence/sequence_trainer.h"

#include "base/mem.h"
#include "math/vec.h"
#include "sequence/sequence_step.h"
#include "training/embedding_health.h"

#include <math.h>

/* Item vectors that are given hold for one of so many parts of the schedule at the most: layers
 * that cannot read them yet would pull them apart. */
enum { HELD_PARTS = 2 };

/* Without a validation part so many users, evenly taken, say how the vectors lie. */
enum { MEASURED_USERS = 256 };

/* Of the schedule, an epoch at most: at its peak the rate would throw about what has no moments
 * yet, and with a rise before it less of it is enough. */
static const double WARMUP_SHARE = 0.2;

struct trainer {
    const struct sequence_input *input;
    const struct trainer_hooks *hooks;
    struct pool *pool;
    struct sequence_model model;
    struct sequence_step step;
    struct artifact best; /* weights of the best epoch */
    size_t n_users;       /* who has something that comes next */
    int32_t *users;       /* (n_users) ascending */
    uint32_t *order;      /* (n_users) of the epoch */
    int32_t *batch;       /* (n_users) */
    double n_places;      /* of all users */
    float *user_vectors;  /* (those of validation or measured ones, d) */
    float *item_vectors;  /* (n_items, d) */
    size_t epochs_done, best_epoch;
    size_t n_resumed;
    double best_metric;
    bool is_cut_short;
    struct curve_point *curve; /* (stop_after) */
};

static void trainer_release(struct trainer *trainer)
{
    sequence_step_release(&trainer->step);
    sequence_model_release(&trainer->model);
    artifact_release(&trainer->best);
    mem_free(trainer->users);
    mem_free(trainer->order);
    mem_free(trainer->batch);
    mem_free(trainer->user_vectors);
    mem_free(trainer->item_vectors);
    mem_free(trainer->curve);
}

/* Of the components of a given vector as many as there are here: they are of one kind, so that the
 * first say as much as any others. */
static void begin_at_items(struct trainer *trainer)
{
    const struct const_matrix given = trainer->input->items;
    const size_t d = trainer->model.dimension, n = given.columns < d ? given.columns : d;
    for (size_t i = 0; i < given.rows; i++) {
        float *row = trainer->model.items.weights + i * d;
        memcpy(row, matrix_row(given, i), n * sizeof *row);
        (void)vec_unit(vec_ops(), row, n);
    }
}

/* In epoch `epoch`, counted from 0: while each validation is better than the one before, for half
 * of the schedule at the most. */
static bool is_held(const struct trainer *trainer, size_t epoch)
{
    const struct sequence_input *input = trainer->input;
    bool holds = input->items.rows > 0 && HELD_PARTS * (epoch + 1) <= input->settings->epochs;
    for (size_t e = 1; holds && e < epoch; e++) {
        holds = !(trainer->curve[e].metric <= trainer->curve[e - 1].metric);
    }
    return holds;
}

static enum status_code trainer_init(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sequence_input *input = trainer->input;
    const struct sequences *sequences = input->sequences;
    const size_t n = sequences->n_users, d = input->settings->dimension;
    artifact_init(&trainer->best, "sequence");
    trainer->best_metric = NAN;
    TRY(MEM_NEW(&trainer->users, n, status));
    TRY(MEM_NEW(&trainer->order, n, status));
    TRY(MEM_NEW(&trainer->batch, n, status));
    TRY(MEM_NEW(&trainer->curve, input->stop_after, status));
    TRY(MEM_NEW(&trainer->item_vectors, input->n_items * d, status));
    TRY(MEM_NEW(&trainer->user_vectors,
                (input->validation == NULL ? MEASURED_USERS : input->validation->n_users) * d,
                status));
    for (size_t u = 0; u < n; u++) {
        if (sequence_steps(sequences, u) > 1) {
            trainer->users[trainer->n_users++] = (int32_t)u;
            trainer->n_places += (double)sequence_steps(sequences, u);
        }
    }
    TRY(sequence_model_init(&trainer->model, input->settings, input->n_items, input->seed,
                            trainer->pool, status));
    begin_at_items(trainer);
    if (input->start != NULL) {
        TRY(sequence_weights_start(&trainer->model, input->start->weights, input->start->n_items,
                                   input->start->rows, status));
    }
    TRY(sequence_step_init(&trainer->step, input->settings, sequences, input->negatives,
                           input->item_counts, input->n_items, &trainer->model, trainer->pool,
                           status));
    trainer->step.strip_bytes = input->strip_bytes;
    trainer->step.user_keys = input->user_keys;
    trainer->step.watch = &trainer->hooks->watch;
done:
    return code;
}

/* ---- checkpoints ---- */

static enum status_code checkpoint_save(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact artifact;
    artifact_init(&artifact, "checkpoint");
    TRY(sequence_model_save(&trainer->model, &artifact, status));
    for (size_t a = 0; a < trainer->best.n_arrays; a++) {
        const struct array *array = &trainer->best.arrays[a];
        TRY(artifact_lend(&artifact, array->name, array->type, array->rows, array->columns,
                          array->data, status));
    }
    TRY(artifact_set_number(&artifact, "epochs_done", (double)trainer->epochs_done, status));
    TRY(artifact_set_number(&artifact, "best_epoch", (double)trainer->best_epoch, status));
    TRY(artifact_set_number(&artifact, "best_metric", trainer->best_metric, status));
    TRY(curve_save(trainer->curve, trainer->epochs_done, &artifact, status));
    TRY(trainer->hooks->checkpoint_save(trainer->hooks->data, &artifact, status));
done:
    artifact_release(&artifact);
    return code;
}

/* Through the model, which is restored after it. */
static enum status_code take_best(struct trainer *trainer, const struct artifact *artifact,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(sequence_weights_take(&trainer->model, artifact, status));
    TRY(sequence_weights_keep(&trainer->model, &trainer->best, status));
done:
    return code;
}

static enum status_code restore(struct trainer *trainer, const struct artifact *artifact,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    struct curve_point *curve = NULL;
    size_t n_curve = 0;
    const size_t most = trainer->input->stop_after;
    TRY(artifact_get_count(artifact, "epochs_done", most, &trainer->epochs_done, status));
    TRY(artifact_get_count(artifact, "best_epoch", most, &trainer->best_epoch, status));
    TRY(artifact_get_number(artifact, "best_metric", &trainer->best_metric, status));
    if (trainer->best_epoch > 0) {
        TRY(take_best(trainer, artifact, status));
    }
    TRY(sequence_model_restore(&trainer->model, artifact, status));
    TRY(curve_load(&curve, &n_curve, artifact, status));
    if (n_curve != trainer->epochs_done || trainer->best_epoch > n_curve) {
        TRY(artifact_misfit(artifact, "curve.epoch", "it does not fit epochs_done", status));
    }
    memcpy(trainer->curve, curve, n_curve * sizeof *curve);
done:
    mem_free(curve);
    return code;
}

static enum status_code checkpoint_load(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact artifact = {0};
    bool found = false;
    if (trainer->hooks->checkpoint_load != NULL) {
        TRY(trainer->hooks->checkpoint_load(trainer->hooks->data, &artifact, &found, status));
    }
    if (found) {
        TRY(restore(trainer, &artifact, status));
        trainer->n_resumed = trainer->epochs_done;
    }
done:
    artifact_release(&artifact);
    return code;
}

/* ---- an epoch ---- */

/* Fills trainer->batch with the users from `at` on until they have `settings->batch` places. */
static size_t next_batch(struct trainer *trainer, size_t at, double *places)
{
    size_t n = 0;
    double has = 0.0;
    while (at + n < trainer->n_users && (n == 0 || has < (double)trainer->input->settings->batch)) {
        const int32_t user = trainer->users[trainer->order[at + n]];
        has += (double)sequence_steps(trainer->input->sequences, (size_t)user);
        trainer->batch[n++] = user;
    }
    *places += has;
    return n;
}

static double rate_at(const struct trainer *trainer, double position)
{
    const struct sequence_settings *settings = trainer->input->settings;
    const double epochs = (double)settings->epochs;
    const struct schedule schedule = {.shape = SCHEDULE_COSINE,
                                      .warmup_epochs = fmin(1.0, WARMUP_SHARE * epochs),
                                      .final_rate = 0.05};
    return settings->learning_rate * rate_share(&schedule, epochs, position);
}

static enum status_code run_epoch(struct trainer *trainer, struct curve_point *point,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sequence_input *input = trainer->input;
    const struct trainer_hooks *hooks = trainer->hooks;
    struct sequence_outcome outcome = {0};
    struct sequence_noise noise = {
        .training = true, .seed = input->seed, .epoch = trainer->epochs_done};
    double places = 0.0, loss = 0.0, positives = 0.0;
    struct rng rng;
    trainer->model.holds_items = is_held(trainer, trainer->epochs_done);
    curve_point_init(point, trainer->epochs_done + 1);
    rng_init(&rng, input->seed, "sequence.shuffle", trainer->epochs_done, 0);
    rng_permutation(&rng, trainer->n_users, trainer->order);
    sampler_start_epoch(&trainer->step.sampler);
    for (size_t at = 0; at < trainer->n_users; noise.step++) {
        TRY(watch_check(&hooks->watch, status));
        const size_t n = next_batch(trainer, at, &places);
        const double done = (double)trainer->epochs_done + places / trainer->n_places;
        at += n;
        point->rate = rate_at(trainer, done);
        TRY(sequence_step_gradients(&trainer->step, trainer->batch, n, &noise, point->rate,
                                    at == trainer->n_users, &outcome, status));
        loss += outcome.loss;
        positives += outcome.n_positives;
        if (!isfinite(loss)) {
            code = status_set(status, STATUS_DATA,
                              "training of sequences diverged: the loss is not finite in epoch "
                              "%zu, batch %llu (learning_rate %g, temperature %g); a lower "
                              "sequence.learning_rate usually helps",
                              trainer->epochs_done + 1, (unsigned long long)noise.step + 1,
                              input->settings->learning_rate, input->settings->temperature);
            goto done;
        }
        sequence_model_step(&trainer->model, point->rate, trainer->pool);
        if (hooks->tell != NULL) {
            hooks->tell(hooks->data, done, loss / positives, trainer->best_metric);
        }
    }
    sequence_model_settle(&trainer->model, point->rate, trainer->pool);
    point->loss = loss / positives;
    point->positive_similarity = contrast_mean(outcome.diagnostics.positive_cosine);
    point->negative_similarity = contrast_mean(outcome.diagnostics.negative_cosine);
    point->effective_negatives = contrast_mean(outcome.diagnostics.effective_negatives);
    point->alignment = 2.0 - 2.0 * point->positive_similarity; /* |u - v|^2 at unit length */
done:
    return code;
}

/* ---- after an epoch ---- */

static enum status_code keep_best(struct trainer *trainer, double metric, struct status *status)
{
    trainer->best_epoch = trainer->epochs_done;
    trainer->best_metric = metric;
    artifact_release(&trainer->best);
    artifact_init(&trainer->best, "sequence");
    return sequence_weights_keep(&trainer->model, &trainer->best, status);
}

static enum status_code measure(struct trainer *trainer, size_t n_users, struct curve_point *point,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sequence_input *input = trainer->input;
    const size_t d = input->settings->dimension;
    struct embedding_health health;
    const struct embedding_health_input measured = {
        .users = const_matrix_of(trainer->user_vectors, n_users, d),
        .items = const_matrix_of(trainer->item_vectors, input->n_items, d),
        .item_weights = const_matrix_of(trainer->model.items.weights, input->n_items, d),
        .seed = input->seed};
    TRY(embedding_health_measure(&measured, &health, status));
    point->uniformity_users = health.uniformity_users;
    point->uniformity_items = health.uniformity_items;
    point->norm = health.norm;
    point->dead_dimensions = health.dead_dimensions;
    point->participation = health.participation;
done:
    return code;
}

/* Of the last epoch, where no validation has measured it: the vectors of a sample of users. */
static enum status_code measure_sample(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n = trainer->n_users < MEASURED_USERS ? trainer->n_users : MEASURED_USERS;
    for (size_t i = 0; i < n; i++) {
        trainer->batch[i] = trainer->users[i * trainer->n_users / n];
    }
    TRY(sequence_encode(&trainer->model, trainer->input->sequences, trainer->batch, n,
                        trainer->user_vectors, NULL, &trainer->hooks->watch, trainer->pool,
                        status));
    sequence_model_items(&trainer->model, trainer->item_vectors, trainer->pool);
    TRY(measure(trainer, n, &trainer->curve[trainer->epochs_done - 1], status));
done:
    return code;
}

static enum status_code validate(struct trainer *trainer, struct curve_point *point,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sequence_input *input = trainer->input;
    const struct validation *validation = input->validation;
    const size_t d = input->settings->dimension, n = validation->n_users;
    TRY(sequence_encode(&trainer->model, input->sequences, validation->users, n,
                        trainer->user_vectors, NULL, &trainer->hooks->watch, trainer->pool,
                        status));
    sequence_model_items(&trainer->model, trainer->item_vectors, trainer->pool);
    TRY(measure(trainer, n, point, status));
    TRY(validation_run(validation, const_matrix_of(trainer->user_vectors, n, d),
                       const_matrix_of(trainer->item_vectors, input->n_items, d), NULL,
                       input->settings->temperature, trainer->pool, &point->metric, status));
    if (isnan(trainer->best_metric) || point->metric > trainer->best_metric) {
        TRY(keep_best(trainer, point->metric, status));
    }
done:
    return code;
}

/* Validations without a better one, by the curve. Only those behind what holds count, and among
 * themselves: when items begin to move, what was good may at first become worse. */
static size_t count_bad(const struct trainer *trainer)
{
    double best = NAN;
    size_t n_bad = 0;
    for (size_t e = 0; e < trainer->epochs_done; e++) {
        const double metric = trainer->curve[e].metric;
        if (!isnan(metric) && !is_held(trainer, e)) {
            const bool is_better = isnan(best) || metric > best;
            n_bad = is_better ? 0 : n_bad + 1;
            best = is_better ? metric : best;
        }
    }
    return n_bad;
}

static bool is_over(const struct trainer *trainer)
{
    const struct sequence_input *input = trainer->input;
    return trainer->is_cut_short || trainer->epochs_done >= input->stop_after ||
           (input->patience > 0 && count_bad(trainer) >= input->patience);
}

/* While the rate is high nothing is best: a validation costs a fifth of an epoch. */
static bool is_due(const struct trainer *trainer)
{
    const struct sequence_input *input = trainer->input;
    return 2 * trainer->epochs_done > input->settings->epochs &&
           trainer->epochs_done % input->validate_every == 0;
}

static enum status_code run_epochs(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sequence_input *input = trainer->input;
    const struct trainer_hooks *hooks = trainer->hooks;
    while (!is_over(trainer)) {
        struct curve_point *point = &trainer->curve[trainer->epochs_done];
        TRY(run_epoch(trainer, point, status));
        trainer->epochs_done++;
        trainer->is_cut_short = trainer->epochs_done < input->stop_after &&
                                hooks->time_is_up != NULL &&
                                hooks->time_is_up(hooks->data, trainer->epochs_done);
        if (input->validation != NULL && (is_over(trainer) || is_due(trainer))) {
            TRY(validate(trainer, point, status));
        }
        if (hooks->checkpoint_save != NULL &&
            (trainer->is_cut_short ||
             (hooks->checkpoint_due != NULL && hooks->checkpoint_due(hooks->data)))) {
            TRY(checkpoint_save(trainer, status));
        }
    }
    if (input->validation == NULL) {
        if (trainer->epochs_done > 0) {
            TRY(measure_sample(trainer, status));
        }
        TRY(keep_best(trainer, NAN, status));
    }
done:
    return code;
}

enum status_code sequence_train(const struct sequence_input *input,
                                const struct trainer_hooks *hooks, struct pool *pool,
                                struct sequence_result *result, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct trainer trainer = {.input = input, .hooks = hooks, .pool = pool};
    TRY(trainer_init(&trainer, status));
    TRY(checkpoint_load(&trainer, status));
    TRY(run_epochs(&trainer, status));
    TRY(sequence_weights_take(&trainer.model, &trainer.best, status));
    *result = (struct sequence_result){.model = trainer.model,
                                       .best_epoch = trainer.best_epoch,
                                       .best_metric = trainer.best_metric,
                                       .is_cut_short = trainer.is_cut_short,
                                       .n_resumed = trainer.n_resumed,
                                       .n_curve = trainer.epochs_done,
                                       .curve = trainer.curve};
    trainer.model = (struct sequence_model){0};
    trainer.curve = NULL;
done:
    trainer_release(&trainer);
    return code;
}

void sequence_result_release(struct sequence_result *result)
{
    sequence_model_release(&result->model);
    mem_free(result->curve);
    *result = (struct sequence_result){0};
}
