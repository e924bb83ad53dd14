/* The order of an epoch. */
#include "training/epoch_order.h"

#include "base/mem.h"
#include "base/rng.h"

#include <inttypes.h>

size_t epoch_order_leaves(size_t batch_users)
{
    size_t n = 1;
    while (n < SHARDS && 2 * n * LEAF_USERS <= batch_users) {
        n *= 2;
    }
    return n;
}

/* ---- making one ---- */

static enum status_code find_shards(struct epoch_order *order, const uint64_t *keys,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    uint8_t *shards = NULL;
    TRY(MEM_NEW(&shards, order->n_users, status));
    shards_of_keys(keys, order->n_users, shards);
    TRY(shard_rows_init(&order->shards, shards, order->n_users, status));
done:
    mem_free(shards);
    return code;
}

/* Where in a shard's n rows batch b begins. The shards' remainders fall into different batches, so
 * that those are of one size; bits reversed, so that the leaves are, too. */
static size_t part_start(const struct epoch_order *order, size_t shard, size_t n, size_t b)
{
    size_t turned = 0;
    for (size_t bit = 1; bit < SHARDS; bit *= 2) {
        turned = turned * 2 + ((shard & bit) != 0);
    }
    return (b * n + turned * order->n_batches / SHARDS) / order->n_batches;
}

static size_t shard_size(const struct epoch_order *order, size_t shard)
{
    return order->shards.first[shard + 1] - order->shards.first[shard];
}

enum status_code epoch_order_init(struct epoch_order *order, const struct trainer_input *input,
                                  size_t n_anchors, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t batch_users = input->settings->batch_users;
    struct epoch_order made = {.ranks = input->ranks,
                               .n_leaves = epoch_order_leaves(batch_users),
                               .n_users = input->train->matrix.n_rows,
                               .n_items = input->train->matrix.n_columns,
                               .n_anchors = n_anchors};
    const size_t most = made.n_users > made.n_items ? made.n_users : made.n_items;
    size_t n_all = made.n_users;
    if (ranks_n(input->ranks) > made.n_leaves) {
        code = status_set(status, STATUS_CONFIG,
                          "train: batch_users %zu is enough for %zu ranks, there are %zu: give at "
                          "least %zu",
                          batch_users, made.n_leaves, ranks_n(input->ranks),
                          LEAF_USERS * ranks_n(input->ranks));
        goto done;
    }
    TRY(ranks_sum_count(input->ranks, &n_all, status));
    made.n_batches = (n_all + batch_users - 1) / batch_users;
    TRY(find_shards(&made, input->user_keys, status));
    workspace_begin(&made.workspace);
    WORKSPACE_ADD(&made.workspace, &made.users, made.n_users);
    WORKSPACE_ADD(&made.workspace, &made.items, n_anchors);
    WORKSPACE_ADD(&made.workspace, &made.arranged, most);
    WORKSPACE_ADD(&made.workspace, &made.shuffled, most);
    WORKSPACE_ADD(&made.workspace, &made.first_user, made.n_batches + 1);
    TRY(workspace_reserve(&made.workspace, status));
    for (size_t b = 0; b <= made.n_batches; b++) {
        made.first_user[b] = 0;
        for (size_t s = 0; s < SHARDS; s++) {
            made.first_user[b] += part_start(&made, s, shard_size(&made, s), b);
        }
    }
    *order = made;
    made = (struct epoch_order){0};
done:
    epoch_order_release(&made);
    return code;
}

void epoch_order_release(struct epoch_order *order)
{
    shard_rows_release(&order->shards);
    workspace_release(&order->workspace);
}

/* ---- an epoch ---- */

/* A permutation of the users of every shard, from a stream of its own; its parts to the batches. */
static void draw_users(struct epoch_order *order, uint64_t seed, size_t epoch)
{
    int32_t *out = order->users;
    for (size_t s = 0; s < SHARDS; s++) {
        const size_t first = order->shards.first[s], n = shard_size(order, s);
        struct rng rng;
        rng_init(&rng, seed, "train.shuffle.users", epoch, s);
        rng_permutation(&rng, n, order->shuffled + first);
        for (size_t i = first; i < first + n; i++) {
            order->arranged[i] = order->shards.rows[first + order->shuffled[i]];
        }
    }
    for (size_t b = 0; b < order->n_batches; b++) {
        for (size_t s = 0; s < SHARDS; s++) {
            const size_t n = shard_size(order, s), start = part_start(order, s, n, b);
            const size_t count = part_start(order, s, n, b + 1) - start;
            memcpy(out, order->arranged + order->shards.first[s] + start, count * sizeof *out);
            out += count;
        }
    }
}

static size_t first_item(const struct epoch_order *order, size_t b)
{
    return b * order->n_anchors / order->n_batches;
}

/* The first n_anchors of a permutation of all items, those of a batch by shards. */
static void draw_items(struct epoch_order *order, uint64_t seed, size_t epoch)
{
    struct rng rng;
    if (order->n_anchors == 0) {
        return;
    }
    rng_init(&rng, seed, "train.shuffle.items", epoch, 0);
    rng_permutation(&rng, order->n_items, order->shuffled);
    for (size_t b = 0; b < order->n_batches; b++) {
        const size_t first = first_item(order, b), last = first_item(order, b + 1);
        size_t next[SHARDS + 1] = {0};
        for (size_t i = first; i < last; i++) {
            next[shard_of_item(order->shuffled[i]) + 1]++;
        }
        for (size_t s = 0; s < SHARDS; s++) {
            next[s + 1] += next[s];
        }
        for (size_t i = first; i < last; i++) {
            order->items[first + next[shard_of_item(order->shuffled[i])]++] =
                (int32_t)order->shuffled[i];
        }
    }
}

void epoch_order_draw(struct epoch_order *order, uint64_t seed, size_t epoch)
{
    draw_users(order, seed, epoch);
    draw_items(order, seed, epoch);
}

/* ---- a step ---- */

void epoch_order_step(const struct epoch_order *order, size_t number, struct train_step *step)
{
    const size_t n_ranks = ranks_n(order->ranks), mine = ranks_mine(order->ranks);
    const size_t shards = SHARDS / order->n_leaves; /* of a leaf */
    const size_t first_shard = ranks_first_shard(order->ranks, mine);
    const int32_t *items = order->items + first_item(order, number);
    const int32_t *end = order->items + first_item(order, number + 1);
    step->n_leaves = order->n_leaves / n_ranks;
    step->users = order->users + order->first_user[number];
    step->n_users = order->first_user[number + 1] - order->first_user[number];
    while (items < end && shard_of_item((size_t)*items) < first_shard) {
        items++;
    }
    step->items = items;
    step->leaves[0] = step->item_leaves[0] = 0;
    for (size_t l = 0; l < step->n_leaves; l++) {
        const size_t last_shard = first_shard + (l + 1) * shards;
        step->leaves[l + 1] = step->leaves[l];
        for (size_t s = last_shard - shards; s < last_shard; s++) {
            const size_t n = shard_size(order, s);
            step->leaves[l + 1] +=
                part_start(order, s, n, number + 1) - part_start(order, s, n, number);
        }
        while (items < end && shard_of_item((size_t)*items) < last_shard) {
            items++;
        }
        step->item_leaves[l + 1] = (size_t)(items - step->items);
    }
    step->n_items = step->item_leaves[step->n_leaves];
}
