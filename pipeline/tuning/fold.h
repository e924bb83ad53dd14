/* Another validation part than the one that `interactions` cut: the same users, as many pairs of
 * each, drawn anew out of train and validation together. A setting that is better on several of
 * them is better by less chance.
 *
 *     if (fold_is_sound(&training)) {
 *         TRY(fold_init(&fold, &training, 1, status));
 *         fold.input is training.input with another train part and validation
 *         fold_release(&fold);
 *     } */
#ifndef NIGHTJAR_TUNING_FOLD_H
#define NIGHTJAR_TUNING_FOLD_H

#include "training/train_session.h"

/* Zero-initialise. Points into itself, so it is not copied. */
struct fold {
    struct dataset dataset; /* the training's but for train and valid, which are its own */
    int64_t *item_counts;   /* (n_items) of all ranks */
    struct sparse item_pairs;
    struct training_sources sources;
    struct validation validation; /* owns `exclude`; users and ties are the training's */
    struct trainer_input input;
};

/* Whether another draw is as good as the first one: it was drawn, and all that was made of the
 * train part can be made of another. The same on all ranks. */
MUST_CHECK enum status_code fold_is_sound(const struct training *training, bool *is_sound,
                                          struct status *status);
/* The draw of this number, by the run's seed and the users' ids: of the users of several ranks it
 * is what it is of all in one process. Every item keeps a user. `training` must outlive it. A
 * collective. */
MUST_CHECK enum status_code fold_init(struct fold *fold, const struct training *training,
                                      size_t number, struct status *status);
void fold_release(struct fold *fold);

#endif
