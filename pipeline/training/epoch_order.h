/* In which order an epoch goes through users and items: which of them make a step, and which leaf
 * of it each belongs to.
 *
 * A batch takes a part of the users of every shard (ranks/shards.h), so that its members do not
 * depend on how the shards are spread over ranks; each rank's steps have its own. Within a batch
 * users stand in the order of shards, and the shards of a batch are cut into leaves: what a step
 * sums over users it sums leaf by leaf, then along the tree of the leaves (contrast/contrast.h). Of
 * a large batch every shard is a leaf, of a small one several are, so that no leaf is smaller than
 * what a product is worth.
 *
 *     struct epoch_order order = {0};
 *     TRY(epoch_order_init(&order, &input, n_anchor_items, status));
 *     each epoch:
 *         epoch_order_draw(&order, seed, epoch);
 *         for each batch b of order.n_batches: epoch_order_step(&order, b, &step);
 *     epoch_order_release(&order); */
#ifndef NIGHTJAR_TRAINING_EPOCH_ORDER_H
#define NIGHTJAR_TRAINING_EPOCH_ORDER_H

#include "base/workspace.h"
#include "ranks/shards.h"
#include "training/train_step.h"
#include "training/trainer_input.h"

/* Zero-initialise. */
struct epoch_order {
    struct ranks *ranks;
    size_t n_batches;          /* in an epoch, of all ranks */
    size_t n_leaves;           /* of a batch, of all ranks */
    size_t n_users;            /* of this rank */
    size_t n_items, n_anchors; /* items; how many are anchors in an epoch */
    struct shard_rows shards;  /* of the users */
    struct workspace workspace;
    int32_t *users;     /* (n_users) by batch, then by shard */
    int32_t *items;     /* (n_anchors) by batch, then by shard: of all ranks */
    int32_t *arranged;  /* (users or items) work memory */
    uint32_t *shuffled; /* (users or items) the same */
    size_t *first_user; /* (n_batches + 1) */
};

/* The leaves of a batch of batch_users: a power of two, 1 to SHARDS, of LEAF_USERS at the least. */
enum { LEAF_USERS = 64 };
size_t epoch_order_leaves(size_t batch_users);

/* n_anchors: items that are anchors of an item-item or a view contrast in an epoch. Errors:
 * STATUS_CONFIG where there are more ranks than leaves; STATUS_NO_MEMORY. */
MUST_CHECK enum status_code epoch_order_init(struct epoch_order *order,
                                             const struct trainer_input *input, size_t n_anchors,
                                             struct status *status);
void epoch_order_release(struct epoch_order *order);

/* A new order, from the stream (seed, epoch). */
void epoch_order_draw(struct epoch_order *order, uint64_t seed, size_t epoch);
/* Fills in the users and items of batch `number`, and their leaves; they stay as they are until the
 * next draw. */
void epoch_order_step(const struct epoch_order *order, size_t number, struct train_step *step);

#endif
