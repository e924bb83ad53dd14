/* The order of an epoch: every user once, batches and leaves of nearly one size, each
 * leaf of the users of its shards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "training/epoch_order.h"

enum { USERS = 5000, ITEMS = 700, BATCH = 512 };

static uint64_t keys[USERS];

static struct epoch_order order_of(const uint64_t *user_keys)
{
    static struct trainer_settings settings;
    static struct history train;
    struct status status = {0};
    struct epoch_order order = {0};
    settings.batch_users = BATCH;
    train.matrix.n_rows = USERS;
    train.matrix.n_columns = ITEMS;
    const struct trainer_input input = {
        .settings = &settings, .train = &train, .user_keys = user_keys};
    assert_int_equal(epoch_order_init(&order, &input, ITEMS / 4, &status), STATUS_OK);
    epoch_order_draw(&order, 7, 3);
    return order;
}

static int set_up(void **state)
{
    (void)state;
    for (size_t u = 0; u < USERS; u++) {
        keys[u] = 1000 + 3 * u;
    }
    return 0;
}

static void every_user_stands_in_one_batch_and_the_batches_are_of_one_size(void **state)
{
    (void)state;
    struct epoch_order order = order_of(keys);
    bool seen[USERS] = {false}, is_anchor[ITEMS] = {false};
    size_t n_users = 0, n_items = 0;
    assert_int_equal(order.n_batches, (USERS + BATCH - 1) / BATCH);
    assert_int_equal(order.n_leaves, epoch_order_leaves(BATCH));
    for (size_t b = 0; b < order.n_batches; b++) {
        struct train_step step = {0};
        epoch_order_step(&order, b, &step);
        assert_in_range(step.n_users, USERS / order.n_batches - 8, USERS / order.n_batches + 8);
        assert_int_equal(step.leaves[step.n_leaves], step.n_users);
        assert_int_equal(step.item_leaves[step.n_leaves], step.n_items);
        for (size_t l = 0, i = 0, j = 0; l < step.n_leaves; l++) {
            const size_t first = l * SHARDS / step.n_leaves;
            for (; i < step.leaves[l + 1]; i++, n_users++) {
                assert_in_range(shard_of_key(keys[step.users[i]]), first,
                                first + SHARDS / step.n_leaves - 1);
                assert_false(seen[step.users[i]]);
                seen[step.users[i]] = true;
            }
            for (; j < step.item_leaves[l + 1]; j++, n_items++) {
                assert_in_range(shard_of_item((size_t)step.items[j]), first,
                                first + SHARDS / step.n_leaves - 1);
                assert_false(is_anchor[step.items[j]]);
                is_anchor[step.items[j]] = true;
            }
        }
    }
    assert_int_equal(n_users, USERS);
    assert_int_equal(n_items, ITEMS / 4);
    epoch_order_release(&order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_user_stands_in_one_batch_and_the_batches_are_of_one_size),
    };
    return cmocka_run_group_tests_name("epoch_order", tests, set_up, NULL);
}
