/* What a training is given: its settings, its data, and callbacks into the run. */
#ifndef NIGHTJAR_TRAINING_TRAINER_INPUT_H
#define NIGHTJAR_TRAINING_TRAINER_INPUT_H

#include "base/watch.h"
#include "contrast/loss.h"
#include "evaluation/validation.h"
#include "negatives/sampler.h"
#include "ranks/ranks.h"
#include "towers/encoder.h"
#include "towers/optimizer.h"
#include "training/temperature.h"

/* The contrast of items against their co-interaction partners. */
struct pair_contrast_settings {
    bool given;    /* in the configuration; nobody else asks, here and below */
    double weight; /* against the user-item contrast; 0: none */
    double temperature;
    double share;   /* share of the items that are anchors in an epoch, (0, 1] */
    size_t samples; /* partners drawn per anchor and epoch */
};

/* The contrast of two changed views of the same entity. */
struct view_settings {
    bool given;
    double weight; /* 0: none */
    double temperature;
    enum view_change change;
    double strength; /* see view.h */
};

/* The tower that reads what each user did in order (sequence/sequence_model.h). */
enum { SEQUENCE_LAYERS_MAX = 3 };
struct sequence_settings {
    bool given;
    double share;             /* of the logits that the sequence makes up; NAN: auto */
    size_t length;            /* the newest steps of a user are read, no more than these */
    size_t layers, dimension; /* of the states; dimension OPTION_AUTO_COUNT: auto */
    double dropout;           /* share of what a layer adds that a training step leaves out */
    double hide;              /* share of the events that a training step does not see */
    double temperature, learning_rate;
    double weight_decay; /* it, dropout NAN: auto, see sequence_scale.h */
    size_t epochs;
    size_t batch;     /* steps of users in a step of training */
    size_t negatives; /* at the most drawn for it */
    size_t reach;     /* how many steps ahead are asked for, each `decay` of the one before */
    double decay;
};

/* Where the choice of a dimension that is auto begins. */
enum { DIMENSION_AUTO = 128 };

struct trainer_settings {
    size_t dimension;
    int loss; /* row of loss_table */
    struct loss_settings loss_settings;
    size_t slk_top_k;   /* K of the thresholds that the slk loss reads */
    double temperature; /* at the start, when it is learned */
    enum temperature_mode temperature_mode;
    double temperature_rate; /* learned: the learning rate of its logarithm */
    struct optimizer_settings optimizer;
    double clip;          /* largest L2 norm of a batch's gradient; 0: no limit */
    double learning_rate; /* at its peak */
    struct schedule schedule;
    size_t epochs; /* that the schedule spans */
    size_t batch_users;
    double degree_exponent; /* p: a positive of a user with n positives weighs n^-p */
    double init_scale;      /* standard deviation of the first weights */
    struct history_settings history;
    double id_dropout, dropout; /* see tower.h */
    struct hidden_settings hidden;
    struct propagation_settings propagation;
    bool learn_bias; /* a popularity term of its own for each item, learned with the towers */
    struct pair_contrast_settings co_items;
    struct view_settings views;
    struct sequence_settings sequence;
    enum ranks_floats wire; /* as what vectors and gradients of items are exchanged */
    size_t strip_bytes;     /* see contrast.h */
};

/* The towers after the last epoch. */
struct trainer_end {
    struct encoder *encoder; /* of this epoch, settled */
    /* *metric = the validation's, of the encoder as it is; of all ranks at once */
    enum status_code (*judge)(void *trainer, double *metric, struct status *status);
    void *trainer;
};

/* Callbacks into the run; any may be NULL. `data` is handed through. */
struct trainer_hooks {
    void *data;
    /* asked between batches; when it stops the training, a later run goes on from the last
       checkpoint */
    struct watch watch;
    void (*tell)(void *data, double epochs_done, double loss, double metric);
    /* between epochs; `due` says whether enough time has passed, so that large ones are rare */
    bool (*checkpoint_due)(void *data);
    enum status_code (*checkpoint_save)(void *data, const struct artifact *artifact,
                                        struct status *status);
    enum status_code (*checkpoint_load)(void *data, struct artifact *artifact, bool *found,
                                        struct status *status);
    /* between epochs: whether the next one would go beyond the time that the run has */
    bool (*time_is_up)(void *data, size_t epochs_done);
    /* after the last epoch */
    enum status_code (*at_end)(void *data, const struct trainer_end *end, struct status *status);
    /* what rank `rank` of `n` has saved of this training after `epochs`, while checkpoint_load
       gives this rank's last; needed over several ranks alone */
    enum status_code (*checkpoint_find)(void *data, size_t rank, size_t n, size_t epochs,
                                        struct artifact *artifact, bool *found,
                                        struct status *status);
};

/* What a tower reads beside ids, in the order of its parts, for its own rows and for the entities
 * that training does not know. Over several ranks rows are those of the tower that are here, cold
 * users the rank's, cold items the same on all. */
struct tower_sources {
    size_t n;                        /* the same for both */
    const struct token_source *rows; /* (n) over the tower's rows */
    const struct token_source *cold; /* (n) over n_cold entities; unused when that is 0 */
    size_t n_cold;
    const uint64_t *cold_keys; /* (n_cold) who they are, for checkpoints; NULL: their numbers */
};

/* Vectors of an earlier training to start from. */
struct warm_start {
    const float *vectors;    /* (rows of the tower, d) unit length */
    const uint8_t *is_known; /* (rows) whether the row has one */
};

struct trainer_input {
    const struct trainer_settings *settings;
    const struct negative_settings *negatives;
    const struct history *train;     /* (n_users, n_items) positives */
    const int64_t *item_counts;      /* (n_items) n_i */
    const struct sparse *item_pairs; /* (n_items, n_items), needed when co_items has a weight */
    const struct sparse *dislikes;   /* (n_users, n_items) negatives of their own; or NULL */
    const int32_t *stored_negatives; /* (train entries, n_stored), used as they are; or NULL */
    size_t n_stored;
    struct tower_sources sources[N_SIDES];
    const struct warm_start *warm[N_SIDES]; /* NULL: none */
    const float *warm_bias; /* (n_items) where a learned popularity term starts; NULL: at 0 */
    struct validation *validation; /* NULL: run `stop_after` epochs and keep the last */
    size_t validate_every;         /* epochs */
    size_t patience;               /* validations without a new best before stopping; 0: never */
    size_t stop_after;             /* epochs to run at the most, of settings->epochs */
    uint64_t seed;
    const uint64_t *user_keys; /* (n_users) of their random streams; NULL: their rows */
    struct ranks *ranks;       /* whose users those of `train` are; NULL: all there are */
    const char *spill;         /* a file in whose folder large vectors are put; NULL: in memory */
};

/* What keys the random streams of a user. */
static inline uint64_t trainer_user_key(const struct trainer_input *input, size_t user)
{
    return input->user_keys == NULL ? user : input->user_keys[user];
}

#endif
