/* Trains the user and item towers on one dataset: epochs over shuffled users, the contrasts of each
 * batch, early stopping on a validation metric, checkpoints, the training curve. Shared by the
 * stages that choose (train) and that serve (refit).
 *
 *     const struct trainer_input input = {.settings = &settings,      train_options.h makes them
 *                                         .negatives = &negatives,
 *                                         .train = &dataset->train,
 *                                         .item_counts = counts,
 *                                         .stop_after = settings.epochs};
 *     const struct trainer_hooks hooks = {0};                         nobody looks on
 *     struct trainer_result result = {0};
 *     TRY(trainer_run(&input, &hooks, pool, &result, status));
 *     result.vectors[SIDE_USERS] is (n_users, dimension), at unit length
 *     trainer_result_release(&result);
 *
 * Inside: trainer.c has the epochs; of each batch step_plan.h says what it is about, train_batch.h
 * makes the step: vectors from the towers, contrasts, gradients back. */
#ifndef NIGHTJAR_TRAINING_TRAINER_H
#define NIGHTJAR_TRAINING_TRAINER_H

#include "base/pool.h"
#include "config/stage.h"
#include "training/curve.h"
#include "training/trainer_input.h"

/* Release with trainer_result_release. */
struct trainer_result {
    size_t n_users, n_items, dimension;
    size_t sequence_dimension; /* of these the last, where sequences were read (sequence/) */
    float *vectors[N_SIDES];   /* (n_users, dimension) and (n_items, dimension) at unit length */
    float *cold[N_SIDES];      /* (sources[side].n_cold, dimension); zeros: nothing to read */
    float *bias;               /* (n_items) learned popularity term, or NULL */
    double temperature;        /* of the best epoch */
    size_t best_epoch;         /* whose towers these are */
    size_t n_resumed;          /* epochs that the checkpoint of an earlier run had */
    size_t n_lost;             /* the same of one that some ranks' parts were missing of */
    struct status lost;        /* why such a part cannot be read; STATUS_OK: it is not there */
    bool is_cut_short;         /* by hooks.time_is_up */
    double best_metric;        /* NAN without validation */
    double drift[N_SIDES]; /* mean cosine of the rows with the vectors they started from; NAN: cold
                              start */
    double step_bytes;     /* that this rank sent in a step on average; NAN: all rows are here */
    size_t n_batches;      /* steps of an epoch */
    size_t n_curve;
    struct curve_point *curve; /* (n_curve) */
};

/* Errors: STATUS_DATA when the loss or a vector stops being finite (epoch and batch named), the
 * embeddings collapse, or no anchor of an epoch had any negative; what the hooks return;
 * STATUS_NO_MEMORY. */
MUST_CHECK enum status_code trainer_run(const struct trainer_input *input,
                                        const struct trainer_hooks *hooks, struct pool *pool,
                                        struct trainer_result *result, struct status *status);
void trainer_result_release(struct trainer_result *result);
/* Its vectors by the metric, at every weight of the grid, whose `learned` is the result's own:
 * means (grid->n), of_users (grid->n, n_all of the validation). A collective. */
MUST_CHECK enum status_code trainer_result_judge(const struct trainer_result *result,
                                                 const struct validation *validation,
                                                 const double *weights, size_t n_weights,
                                                 struct pool *pool, double *means, double *of_users,
                                                 struct status *status);

/* Memory and time of training for `epochs` epochs, without validation. */
void trainer_estimate(const struct trainer_settings *settings, const struct stage_sizes *sizes,
                      double epochs, struct stage_estimate *out);

#endif
