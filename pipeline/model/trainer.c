/* The epochs of training: shuffling, schedule, validation, early stopping, checkpoints. What
 * happens inside a batch is in train_batch.c. */
#include "model/trainer.h"

#include "base/mem.h"
#include "model/train_batch.h"

#include <math.h>

const char *const rate_schedule_names[] = {"constant", "linear", "cosine", NULL};

struct trainer {
    const struct trainer_input *input;
    const struct trainer_hooks *hooks;
    struct pool *pool;
    struct tower users, items;
    struct train_batch *batch;
    size_t n_batches; /* in an epoch */
    uint32_t *user_order, *item_order;
    int32_t *step_users, *step_items;
    float *norms;                   /* scratch: (max(n_users, n_items)) */
    float *best_users, *best_items; /* unit vectors of the best epoch so far */
    float *validation_users;        /* (validation users, d) */
    size_t epochs_done, best_epoch, n_bad;
    double best_metric;
    struct curve_point *curve; /* (stop_after) */
};

/* The learning rate at `position` epochs, as a share of the peak: warm-up, then constant, linear
 * or half a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts) down to
 * final_rate. */
static double rate_share(const struct trainer_settings *settings, double position)
{
    if (position < settings->warmup_epochs) {
        return position / settings->warmup_epochs;
    }
    double span = (double)settings->epochs - settings->warmup_epochs;
    double done = span > 0.0 ? (position - settings->warmup_epochs) / span : 1.0;
    double left = 1.0;
    if (settings->schedule == SCHEDULE_LINEAR) {
        left = 1.0 - done;
    } else if (settings->schedule == SCHEDULE_COSINE) {
        left = 0.5 * (1.0 + cos(acos(-1.0) * done));
    }
    return settings->final_rate + (1.0 - settings->final_rate) * left;
}

static void trainer_release(struct trainer *trainer)
{
    train_batch_free(trainer->batch);
    tower_release(&trainer->users);
    tower_release(&trainer->items);
    void *blocks[] = {
        trainer->user_order, trainer->item_order, trainer->step_users, trainer->step_items,
        trainer->norms,      trainer->best_users, trainer->best_items, trainer->validation_users,
        trainer->curve};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        mem_free(blocks[i]);
    }
}

static enum status_code trainer_init(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_input *input = trainer->input;
    const struct trainer_settings *settings = input->settings;
    size_t n_users = input->train->matrix.n_rows, n_items = input->train->matrix.n_columns;
    size_t d = settings->dimension, n_most = n_users > n_items ? n_users : n_items;
    const struct optimizer_rule *rule = &optimizer_table[settings->optimizer];
    TRY(tower_init(&trainer->users, n_users, d, rule, input->seed, "tower.user",
                   settings->init_scale, trainer->pool, status));
    TRY(tower_init(&trainer->items, n_items, d, rule, input->seed, "tower.item",
                   settings->init_scale, trainer->pool, status));
    TRY(train_batch_new(input, &trainer->users, &trainer->items, trainer->pool, &trainer->batch,
                        status));
    TRY(MEM_NEW(&trainer->user_order, n_users, status));
    TRY(MEM_NEW(&trainer->item_order, n_items, status));
    TRY(MEM_NEW(&trainer->step_users, n_users, status));
    TRY(MEM_NEW(&trainer->step_items, n_items, status));
    TRY(MEM_NEW(&trainer->norms, n_most, status));
    TRY(MEM_NEW(&trainer->best_users, n_users * d, status));
    TRY(MEM_NEW(&trainer->best_items, n_items * d, status));
    TRY(MEM_NEW(&trainer->curve, input->stop_after, status));
    if (input->validation != NULL) {
        TRY(MEM_NEW(&trainer->validation_users, input->validation->n_users * d, status));
    }
    trainer->n_batches = (n_users + settings->batch_users - 1) / settings->batch_users;
    trainer->best_metric = NAN;
done:
    return code;
}

static enum status_code save_checkpoint(const struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact artifact;
    size_t d = trainer->users.dimension;
    artifact_init(&artifact, "checkpoint");
    TRY(tower_save(&trainer->users, &artifact, "user", status));
    TRY(tower_save(&trainer->items, &artifact, "item", status));
    TRY(artifact_copy(&artifact, "best.users", ARRAY_F32, trainer->users.n, d, trainer->best_users,
                      status));
    TRY(artifact_copy(&artifact, "best.items", ARRAY_F32, trainer->items.n, d, trainer->best_items,
                      status));
    TRY(artifact_set_number(&artifact, "epochs_done", (double)trainer->epochs_done, status));
    TRY(artifact_set_number(&artifact, "best_epoch", (double)trainer->best_epoch, status));
    TRY(artifact_set_number(&artifact, "best_metric", trainer->best_metric, status));
    TRY(artifact_set_number(&artifact, "n_bad", (double)trainer->n_bad, status));
    TRY(curve_save(trainer->curve, trainer->epochs_done, &artifact, status));
    TRY(trainer->hooks->checkpoint_save(trainer->hooks->data, &artifact, status));
done:
    artifact_release(&artifact);
    return code;
}

static enum status_code restore_numbers(struct trainer *trainer, const struct artifact *artifact,
                                        struct status *status)
{
    enum status_code code = STATUS_OK;
    double epochs_done = 0.0, best_epoch = 0.0, n_bad = 0.0;
    struct curve_point *curve = NULL;
    size_t n_curve = 0;
    TRY(artifact_get_number(artifact, "epochs_done", &epochs_done, status));
    TRY(artifact_get_number(artifact, "best_epoch", &best_epoch, status));
    TRY(artifact_get_number(artifact, "best_metric", &trainer->best_metric, status));
    TRY(artifact_get_number(artifact, "n_bad", &n_bad, status));
    TRY(curve_load(&curve, &n_curve, artifact, status));
    trainer->epochs_done = (size_t)epochs_done;
    trainer->best_epoch = (size_t)best_epoch;
    trainer->n_bad = (size_t)n_bad;
    memcpy(trainer->curve, curve, n_curve * sizeof *curve);
done:
    mem_free(curve);
    return code;
}

static enum status_code load_checkpoint(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact artifact = {0};
    bool found = false;
    const void *data = NULL;
    size_t d = trainer->users.dimension;
    TRY(trainer->hooks->checkpoint_load(trainer->hooks->data, &artifact, &found, status));
    if (!found) {
        goto done;
    }
    TRY(tower_restore(&trainer->users, &artifact, "user", status));
    TRY(tower_restore(&trainer->items, &artifact, "item", status));
    TRY(artifact_get(&artifact, "best.users", ARRAY_F32, &data, NULL, NULL, status));
    memcpy(trainer->best_users, data, trainer->users.n * d * sizeof(float));
    TRY(artifact_get(&artifact, "best.items", ARRAY_F32, &data, NULL, NULL, status));
    memcpy(trainer->best_items, data, trainer->items.n * d * sizeof(float));
    TRY(restore_numbers(trainer, &artifact, status));
done:
    artifact_release(&artifact);
    return code;
}

/* out = order[from..to); returns how many. */
static size_t slice(const uint32_t *order, size_t from, size_t to, int32_t *out)
{
    for (size_t i = from; i < to; i++) {
        out[i - from] = (int32_t)order[i];
    }
    return to - from;
}

static enum status_code run_batch(struct trainer *trainer, size_t number,
                                  struct train_outcome *outcome, double *rate,
                                  struct status *status)
{
    const struct trainer_settings *settings = trainer->input->settings;
    size_t n_users = trainer->users.n, n = trainer->n_batches;
    /* a new part of the items every epoch: the order is a new permutation */
    size_t n_items = (size_t)ceil(settings->co_share * (double)trainer->items.n);
    double position = (double)trainer->epochs_done + ((double)number + 1.0) / (double)n;
    *rate = settings->learning_rate * rate_share(settings, position);
    struct train_step step = {
        .users = trainer->step_users,
        .items = trainer->step_items,
        .epoch = trainer->epochs_done,
        .number = number,
        .rate = *rate,
    };
    step.n_users = slice(trainer->user_order, number * n_users / n, (number + 1) * n_users / n,
                         trainer->step_users);
    step.n_items = slice(trainer->item_order, number * n_items / n, (number + 1) * n_items / n,
                         trainer->step_items);
    enum status_code code = train_batch_step(trainer->batch, &step, outcome, status);
    if (code == STATUS_OK && !isfinite(outcome->loss)) {
        code = status_set(status, STATUS_DATA,
                          "training diverged: the loss is not finite in epoch %zu, batch %zu of "
                          "%zu (learning_rate %g, temperature %g); a lower learning rate usually "
                          "helps",
                          trainer->epochs_done + 1, number + 1, n, settings->learning_rate,
                          settings->temperature);
    }
    return code;
}

static enum status_code run_epoch(struct trainer *trainer, struct curve_point *point,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_hooks *hooks = trainer->hooks;
    struct train_outcome total = {0};
    struct rng rng;
    rng_init(&rng, trainer->input->seed, "train.shuffle.users", trainer->epochs_done, 0);
    rng_permutation(&rng, trainer->users.n, trainer->user_order);
    rng_init(&rng, trainer->input->seed, "train.shuffle.items", trainer->epochs_done, 0);
    rng_permutation(&rng, trainer->items.n, trainer->item_order);
    for (size_t b = 0; b < trainer->n_batches; b++) {
        struct train_outcome outcome = {0};
        if (hooks->check_stop != NULL) {
            TRY(hooks->check_stop(hooks->data, status));
        }
        TRY(run_batch(trainer, b, &outcome, &point->rate, status));
        total.loss += outcome.loss;
        total.n_positives += outcome.n_positives;
        total.n_anchors += outcome.n_anchors;
        total.n_empty += outcome.n_empty;
        if (hooks->progress != NULL) {
            hooks->progress(hooks->data,
                            (double)trainer->epochs_done +
                                ((double)b + 1.0) / (double)trainer->n_batches,
                            total.loss / (double)total.n_positives, trainer->best_metric);
        }
    }
    if (total.n_empty == total.n_anchors) {
        code = status_set(status, STATUS_DATA,
                          "no user has a negative: each one's positives are all of the candidates "
                          "(%zu items, %zu negatives drawn)",
                          trainer->items.n, trainer->input->negatives->count);
        goto done;
    }
    point->epoch = (int32_t)trainer->epochs_done + 1;
    point->loss = total.loss / (double)total.n_positives;
    point->metric = NAN;
done:
    return code;
}

static void keep_best(struct trainer *trainer, double metric)
{
    tower_forward(&trainer->users, NULL, trainer->users.n, trainer->best_users, trainer->norms,
                  trainer->pool);
    tower_forward(&trainer->items, NULL, trainer->items.n, trainer->best_items, trainer->norms,
                  trainer->pool);
    trainer->best_epoch = trainer->epochs_done;
    trainer->best_metric = metric;
    trainer->n_bad = 0;
}

/* Validates the towers after the epoch just done and keeps them when they are the best so far. */
static enum status_code validate(struct trainer *trainer, double *metric, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct validation *validation = trainer->input->validation;
    size_t d = trainer->users.dimension;
    float *items = NULL;
    TRY(MEM_NEW(&items, trainer->items.n * d, status));
    tower_forward(&trainer->users, validation->users, validation->n_users,
                  trainer->validation_users, trainer->norms, trainer->pool);
    tower_forward(&trainer->items, NULL, trainer->items.n, items, trainer->norms, trainer->pool);
    TRY(validation_run(validation,
                       const_matrix_of(trainer->validation_users, validation->n_users, d),
                       const_matrix_of(items, trainer->items.n, d),
                       trainer->input->settings->temperature, trainer->pool, metric, status));
    if (isnan(trainer->best_metric) || *metric > trainer->best_metric) {
        keep_best(trainer, *metric);
    } else {
        trainer->n_bad++;
    }
done:
    mem_free(items);
    return code;
}

static bool validation_is_due(const struct trainer *trainer)
{
    const struct trainer_input *input = trainer->input;
    return input->validation != NULL && (trainer->epochs_done % input->validate_every == 0 ||
                                         trainer->epochs_done == input->stop_after);
}

static bool out_of_patience(const struct trainer *trainer)
{
    return trainer->input->patience > 0 && trainer->n_bad >= trainer->input->patience;
}

static enum status_code run_epochs(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_hooks *hooks = trainer->hooks;
    while (trainer->epochs_done < trainer->input->stop_after && !out_of_patience(trainer)) {
        struct curve_point *point = &trainer->curve[trainer->epochs_done];
        TRY(run_epoch(trainer, point, status));
        trainer->epochs_done++;
        tower_catch_up(&trainer->users, NULL, trainer->users.n, point->rate, trainer->pool);
        tower_catch_up(&trainer->items, NULL, trainer->items.n, point->rate, trainer->pool);
        if (validation_is_due(trainer)) {
            TRY(validate(trainer, &point->metric, status));
        }
        if (hooks->checkpoint_due != NULL && hooks->checkpoint_due(hooks->data)) {
            TRY(save_checkpoint(trainer, status));
        }
    }
    if (trainer->input->validation == NULL) {
        keep_best(trainer, NAN);
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
        TRY(load_checkpoint(&trainer, status));
    }
    TRY(run_epochs(&trainer, status));
    *result = (struct trainer_result){
        .n_users = trainer.users.n,
        .n_items = trainer.items.n,
        .dimension = trainer.users.dimension,
        .users = trainer.best_users,
        .items = trainer.best_items,
        .best_epoch = trainer.best_epoch,
        .best_metric = trainer.best_metric,
        .n_curve = trainer.epochs_done,
        .curve = trainer.curve,
    };
    trainer.best_users = trainer.best_items = NULL;
    trainer.curve = NULL;
done:
    trainer_release(&trainer);
    return code;
}

void trainer_result_release(struct trainer_result *result)
{
    mem_free(result->users);
    mem_free(result->items);
    mem_free(result->curve);
    *result = (struct trainer_result){0};
}
