/* Trains the user and item towers on one dataset: epochs over shuffled users, the contrast of each
 * batch, early stopping on a validation metric, checkpoints, the training curve. Shared by the
 * stages that choose (train) and that serve (refit). */
#ifndef NIGHTJAR_MODEL_TRAINER_H
#define NIGHTJAR_MODEL_TRAINER_H

#include "config/stage.h"
#include "model/contrast.h"
#include "model/metrics.h"
#include "model/sampler.h"
#include "model/tower.h"
#include "model/validation.h"

enum rate_schedule { SCHEDULE_CONSTANT, SCHEDULE_LINEAR, SCHEDULE_COSINE };
extern const char *const rate_schedule_names[]; /* NULL-terminated, in enum order */

struct trainer_settings {
    size_t dimension;
    int64_t loss; /* row of loss_table */
    struct loss_settings loss_settings;
    double temperature;
    int64_t optimizer;    /* row of optimizer_table */
    double learning_rate; /* at its peak */
    enum rate_schedule schedule;
    double final_rate;    /* share of the peak that linear and cosine end at */
    double warmup_epochs; /* the rate rises linearly from 0 over them */
    size_t epochs;        /* that the schedule spans */
    size_t batch_users;
    double degree_exponent; /* p: a positive of a user with n positives weighs n^-p */
    double init_scale;      /* standard deviation of the first weights */
    double co_weight;       /* weight of the item-item contrast; 0: none */
    double co_temperature;
    double co_share;    /* share of the items that are anchors of it in an epoch, (0, 1] */
    size_t co_samples;  /* partners drawn per item and epoch */
    size_t strip_bytes; /* see contrast.h */
};

/* Callbacks into the run; any may be NULL. `data` is handed through. */
struct trainer_hooks {
    void *data;
    /* between batches; a code other than STATUS_OK stops at once: the last checkpoint is what a
       later run goes on from */
    enum status_code (*check_stop)(void *data, struct status *status);
    void (*progress)(void *data, double epochs_done, double loss, double metric);
    /* between epochs; `due` says whether enough time has passed, so that large ones are rare */
    bool (*checkpoint_due)(void *data);
    enum status_code (*checkpoint_save)(void *data, const struct artifact *artifact,
                                        struct status *status);
    enum status_code (*checkpoint_load)(void *data, struct artifact *artifact, bool *found,
                                        struct status *status);
};

struct trainer_input {
    const struct trainer_settings *settings;
    const struct negative_settings *negatives;
    const struct history *train;     /* (n_users, n_items) positives */
    const int64_t *item_counts;      /* (n_items) n_i */
    const struct sparse *item_pairs; /* (n_items, n_items), needed when co_weight > 0 */
    const int32_t *stored_negatives; /* (train entries, n_stored), used as they are; or NULL */
    size_t n_stored;
    struct validation *validation; /* NULL: run `stop_after` epochs and keep the last */
    size_t validate_every;         /* epochs */
    size_t patience;               /* validations without a new best before stopping; 0: never */
    size_t stop_after;             /* epochs to run at the most, of settings->epochs */
    uint64_t seed;
};

/* One line of the training curve. */
struct curve_point {
    int32_t epoch; /* one-based */
    double loss;   /* mean per positive */
    double rate;   /* learning rate at the epoch's end */
    double metric; /* validation metric, NAN when not taken */
};

/* Release with trainer_result_release. */
struct trainer_result {
    size_t n_users, n_items, dimension;
    float *users;       /* (n_users, dimension) unit length */
    float *items;       /* (n_items, dimension) */
    size_t best_epoch;  /* whose towers these are */
    double best_metric; /* NAN without validation */
    size_t n_curve;
    struct curve_point *curve; /* (n_curve) */
};

/* Errors: STATUS_DATA when the loss stops being finite (epoch and batch named) or no anchor of an
 * epoch had any negative; what the hooks return; STATUS_NO_MEMORY. */
MUST_CHECK enum status_code trainer_run(const struct trainer_input *input,
                                        const struct trainer_hooks *hooks, struct pool *pool,
                                        struct trainer_result *result, struct status *status);
void trainer_result_release(struct trainer_result *result);

/* As numbers "setting.*" of an artifact, so that refit uses what train chose. */
MUST_CHECK enum status_code trainer_settings_save(const struct trainer_settings *settings,
                                                  struct artifact *artifact, struct status *status);
MUST_CHECK enum status_code trainer_settings_load(struct trainer_settings *settings,
                                                  const struct artifact *artifact,
                                                  struct status *status);
/* Arrays curve.epoch, curve.loss, curve.rate, curve.metric. */
MUST_CHECK enum status_code curve_save(const struct curve_point *curve, size_t n,
                                       struct artifact *artifact, struct status *status);
/* *curve is allocated; free with mem_free. */
MUST_CHECK enum status_code curve_load(struct curve_point **curve, size_t *n,
                                       const struct artifact *artifact, struct status *status);
/* Memory and time of training for `epochs` epochs. The number of negatives of a batch is not known
 * here: every item is assumed, up to 16,384. */
void trainer_estimate(const struct trainer_settings *settings, const struct stage_sizes *sizes,
                      double epochs, struct stage_estimate *out);

#endif
