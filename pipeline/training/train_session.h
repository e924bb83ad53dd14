/* What the two stages that train have in common: the data of a basis made ready for the trainer,
 * the trainer's callbacks connected to the run, the towers made an artifact. */
#ifndef NIGHTJAR_TRAINING_TRAIN_SESSION_H
#define NIGHTJAR_TRAINING_TRAIN_SESSION_H

#include "towers/embeddings.h"
#include "training/trainer.h"
#include "run/context.h"
#include "training/train_sources.h"

/* Lives on the stage's stack; holds pointers into itself, so it is not copied. */
struct training {
    struct context *context;
    enum basis basis;
    struct interactions interactions;
    struct negative_settings negatives;
    struct trainer_settings settings;
    struct history positives; /* the basis' train part with the weights of the pairs stage */
    struct sparse item_pairs;
    struct features features; /* a view; no side data: no tokens */
    struct training_sources sources;
    int64_t *item_counts;
    uint64_t *user_keys;      /* (n_users) */
    double checkpoint_every;  /* seconds between checkpoints; 0: after every epoch */
    double last_checkpoint;   /* monotonic seconds */
    double started, deadline; /* monotonic seconds; INFINITY: no limit on the time */
    size_t epochs_before;     /* done by the run that this one goes on from */
    bool has_epoch;
    size_t n_kept;            /* checkpoints so far */
    char name[HASH_TEXT_MAX]; /* of its checkpoints: all that they depend on; "": the stage's key */
    bool without_ids; /* no towers of ids are trained: what reads sequences stands in their place */
    bool ignore_checkpoint; /* one that is there belongs to another start (training/warm_training.h)
                             */
    struct strings chosen;  /* NAME=VALUE of each setting that a search chose */
    const char *metric;     /* shown beside the loss; NULL: none */
    struct trainer_hooks hooks;
    struct trainer_input input; /* complete but for validation and stop_after */
};

/* Loads the inputs interactions, features and pairs (may be missing) and negatives.
 * Zero-initialise. */
MUST_CHECK enum status_code training_prepare(struct training *training, struct context *context,
                                             enum basis basis,
                                             const struct trainer_settings *settings,
                                             struct status *status);
/* Connects the trainer's callbacks, for a training that is prepared by someone else; the settings,
 * the context and the input stay as they are. */
void training_connect(struct training *training);
/* Trains, with a progress bar over input.stop_after epochs; without_ids: trains nothing, and the
 * result is of dimension 0, without vectors. When the time that the run was given
 * ends first, the result is what the epochs so far have made; STATUS_BUSY when there is none. */
MUST_CHECK enum status_code training_run(struct training *training, struct trainer_result *result,
                                         struct status *status);
/* The curve as rows of training_curve under the running stage's label with `suffix`. */
MUST_CHECK enum status_code training_record_curve(struct context *context, const char *suffix,
                                                  const struct curve_point *curve, size_t n,
                                                  struct status *status);
/* Gives cold users with a history, of whom the tower had nothing to read, the mean of their items.
 */
void training_encode_cold_users(const struct training *training, struct trainer_result *result);
/* Makes the artifact "towers"; fills in the vectors of cold users by those of their items where the
 * tower had nothing of its own to read. */
MUST_CHECK enum status_code training_output_towers(struct training *training,
                                                   struct trainer_result *result,
                                                   struct status *status);
void training_release(struct training *training);

#endif
