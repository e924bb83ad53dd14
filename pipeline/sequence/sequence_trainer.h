/* Trains the tower that reads sequences: epochs over shuffled users, early stopping on the
 * validation metric, checkpoints, the training curve.
 *
 *     const struct sequence_input input = {.settings = &settings, .sequences = &sequences, ...};
 *     struct sequence_result result = {0};
 *     TRY(sequence_train(&input, &hooks, pool, &result, status));
 *     TRY(sequence_encode(&result.model, &sequences, NULL, n_users, vectors, NULL, pool, status));
 *     sequence_result_release(&result); */
#ifndef NIGHTJAR_SEQUENCE_SEQUENCE_TRAINER_H
#define NIGHTJAR_SEQUENCE_SEQUENCE_TRAINER_H

#include "evaluation/validation.h"
#include "sequence/sequence_model.h"
#include "training/curve.h"
#include "training/trainer_input.h"

/* The weights of another night to start from. */
struct sequence_start {
    const struct artifact *weights; /* as sequence_weights_keep leaves them, of the same shape */
    size_t n_items;                 /* rows of their items */
    const int32_t *rows;            /* (n_items of the input) which of those each is, -1: new */
};

struct sequence_input {
    const struct sequence_settings *settings;
    const struct sequences *sequences; /* of the users of the train part */
    const struct negative_settings *negatives;
    const int64_t *item_counts; /* (n_items) */
    size_t n_items;
    const struct validation *validation; /* NULL: run `stop_after` epochs and keep the last */
    size_t validate_every, patience;     /* as in struct trainer_input */
    size_t stop_after;                   /* epochs, of settings->epochs */
    const struct sequence_start *start;  /* NULL: from nothing */
    struct const_matrix items; /* (n_items, any) vectors to begin with; no rows: drawn ones */
    size_t strip_bytes;        /* see contrast.h */
    const uint64_t *user_keys; /* see sequence_places.h */
    uint64_t seed;
};

/* Release with sequence_result_release. */
struct sequence_result {
    struct sequence_model model; /* of the best epoch */
    size_t best_epoch;
    double best_metric; /* NAN without validation */
    bool is_cut_short;  /* by hooks.time_is_up */
    size_t n_resumed;   /* epochs that a checkpoint had done */
    size_t n_curve;
    struct curve_point *curve; /* (n_curve) */
};

/* Errors: STATUS_DATA when the loss stops being finite (epoch and batch named); what the hooks
 * return; STATUS_NO_MEMORY. */
MUST_CHECK enum status_code sequence_train(const struct sequence_input *input,
                                           const struct trainer_hooks *hooks, struct pool *pool,
                                           struct sequence_result *result, struct status *status);
void sequence_result_release(struct sequence_result *result);

#endif
