/* A sort, and a stack of the sums of subtrees. */
#include "towers/row_order.h"

#include "base/num.h"
#include "math/vec.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- the order ---- */

static size_t shard_at(const uint8_t *shards, uint64_t key)
{
    return shards == NULL ? 0 : shards[key >> 32];
}

enum status_code row_order_make(struct row_order *order, const int32_t *rows, size_t n,
                                const uint8_t *shards, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t next[SHARDS + 1] = {0};
    workspace_begin(&order->workspace);
    WORKSPACE_ADD(&order->workspace, &order->places, n);
    WORKSPACE_ADD(&order->workspace, &order->keys, n);
    TRY(workspace_reserve(&order->workspace, status));
    for (size_t i = 0; i < n; i++) {
        const uint64_t row = rows == NULL ? i : (uint64_t)rows[i];
        order->keys[i] = row << 32 | i;
        next[shard_at(shards, order->keys[i]) + 1]++;
    }
    if (rows != NULL && n > 1) {
        qsort(order->keys, n, sizeof *order->keys, num_compare_uint64);
    }
    for (size_t s = 0; s < SHARDS; s++) {
        next[s + 1] += next[s];
    }
    memcpy(order->first, next, sizeof next);
    for (size_t i = 0; i < n; i++) {
        const uint64_t key = order->keys[i];
        order->places[next[shard_at(shards, key)]++] = (int32_t)(uint32_t)key;
    }
    order->n = n;
done:
    return code;
}

void row_order_release(struct row_order *order)
{
    workspace_release(&order->workspace);
}

/* ---- the tree ---- */

void shard_tree_begin(struct shard_tree *tree, size_t d)
{
    assert(d <= SUM_MOST);
    tree->n = 0;
    tree->d = d;
}

/* The upper one of the sums that wait goes to the one below it. */
static void join(struct shard_tree *tree)
{
    tree->n--;
    vec_ops()->axpy(1.0f, tree->sums[tree->n], tree->sums[tree->n - 1], tree->d);
}

/* The greater a ^ b, the higher the node at which a and b come together: two sums that wait are
 * joined when all to come is beyond that node. */
float *shard_tree_leaf(struct shard_tree *tree, size_t shard)
{
    while (tree->n > 1 && (tree->shards[tree->n - 2] ^ tree->shards[tree->n - 1]) <
                              (tree->shards[tree->n - 1] ^ shard)) {
        join(tree);
    }
    assert(tree->n < TREE_LEVELS);
    tree->shards[tree->n] = shard;
    memset(tree->sums[tree->n], 0, tree->d * sizeof(float));
    return tree->sums[tree->n++];
}

const float *shard_tree_end(struct shard_tree *tree)
{
    while (tree->n > 1) {
        join(tree);
    }
    return tree->n == 0 ? NULL : tree->sums[0];
}
