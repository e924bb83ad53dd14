/* ranks: each exchange and sum against what one rank works out alone; a rank that fails. One rank
 * when started by itself; tests/fault/ranks.sh starts it as several. */
#include "ranks/shards.h"

#include "base/bfloat16.h"
#include "base/mem.h"
#include "tests/support/ranked.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MANY = 1000 };

/* What rank r has at place i: known to all, so that each can work out what all together give. */
static double value_of(size_t r, size_t i)
{
    return (double)((r * 7919 + i * 104729) % 10007) / 3.0;
}

/* Bytes that rank r has for rank to: of some none. */
static size_t length_of(size_t r, size_t to)
{
    return (r * 5 + to * 3) % 7 * 11;
}

static char byte_of(size_t r, size_t to, size_t i)
{
    return (char)((r * 31 + to * 17 + i) % 251);
}

/* The sum over ranks [first, first + n) at place i, along the tree. */
static double tree_of(size_t first, size_t n, size_t i)
{
    double sums[RANKS_MAX];
    for (size_t r = 0; r < n; r++) {
        sums[r] = value_of(first + r, i);
    }
    for (; n > 1; n /= 2) {
        for (size_t r = 0; r < n / 2; r++) {
            sums[r] = sums[2 * r] + sums[2 * r + 1];
        }
    }
    return sums[0];
}

static void integers_are_added_and_compared(void **state)
{
    (void)state;
    struct status status = {0};
    int64_t sums[MANY], greatest[MANY];
    for (size_t i = 0; i < MANY; i++) {
        sums[i] = greatest[i] = (int64_t)value_of(ranks_mine(ranks), i) - 1000;
    }
    assert_int_equal(ranks_sum_int64(ranks, sums, MANY, &status), STATUS_OK);
    assert_int_equal(ranks_max_int64(ranks, greatest, MANY, &status), STATUS_OK);
    for (size_t i = 0; i < MANY; i++) {
        int64_t sum = 0, most = INT64_MIN;
        for (size_t r = 0; r < ranks_n(ranks); r++) {
            const int64_t value = (int64_t)value_of(r, i) - 1000;
            sum += value;
            most = value > most ? value : most;
        }
        assert_int_equal(sums[i], sum);
        assert_int_equal(greatest[i], most);
    }
}

static void single_numbers_are_added_and_compared(void **state)
{
    (void)state;
    struct status status = {0};
    const size_t n = ranks_n(ranks), mine = ranks_mine(ranks);
    const double scales[] = {1.5, -1.5, 1e-310, -1e300, 0, INFINITY, -INFINITY};
    size_t count = mine + 1;
    assert_int_equal(ranks_sum_count(ranks, &count, &status), STATUS_OK);
    assert_int_equal(count, n * (n + 1) / 2);
    for (size_t r = 0; r <= n; r++) { /* of rank n there is none */
        bool any = mine == r;
        assert_int_equal(ranks_any(ranks, &any, &status), STATUS_OK);
        assert_int_equal(any, r < n);
    }
    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
        double value = scales[s] * (double)(mine + 1), most = -INFINITY;
        for (size_t r = 0; r < n; r++) {
            most = fmax(most, scales[s] * (double)(r + 1));
        }
        assert_int_equal(ranks_max_double(ranks, &value, &status), STATUS_OK);
        assert_true(value == most);
    }
}

static void what_the_first_has_all_get(void **state)
{
    (void)state;
    struct status status = {0};
    double values[MANY];
    for (size_t i = 0; i < MANY; i++) {
        values[i] = value_of(ranks_mine(ranks), i);
    }
    assert_int_equal(ranks_share(ranks, values, sizeof values, &status), STATUS_OK);
    for (size_t i = 0; i < MANY; i++) {
        assert_true(values[i] == value_of(0, i));
    }
}

/* That `bytes` holds, by rank, what each had for rank `to`. */
static void assert_from_all(const struct ranks_bytes *bytes, size_t to)
{
    for (size_t r = 0; r < ranks_n(ranks); r++) {
        const size_t n = length_of(r, to);
        assert_int_equal(bytes->first[r + 1] - bytes->first[r], n);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(bytes->data[bytes->first[r] + i], byte_of(r, to, i));
        }
    }
}

static void bytes_of_any_length_are_gathered_and_exchanged(void **state)
{
    (void)state;
    struct status status = {0};
    struct ranks_bytes out = {0};
    const size_t mine = ranks_mine(ranks), n = ranks_n(ranks);
    char send[RANKS_MAX * 77];
    size_t first[RANKS_MAX + 1] = {0};
    for (size_t to = 0; to < n; to++) {
        first[to + 1] = first[to] + length_of(mine, to);
        for (size_t i = 0; i < length_of(mine, to); i++) {
            send[first[to] + i] = byte_of(mine, to, i);
        }
    }
    for (int again = 0; again < 2; again++) { /* the memory is used again */
        assert_int_equal(ranks_exchange(ranks, send, first, &out, &status), STATUS_OK);
        assert_from_all(&out, mine);
        assert_int_equal(ranks_gather(ranks, send, first[1], &out, &status), STATUS_OK);
        assert_from_all(&out, 0);
        assert_int_equal(ranks_collect(ranks, send, first[1], &out, &status), STATUS_OK);
        if (mine == 0) {
            assert_from_all(&out, 0);
        } else {
            assert_int_equal(out.first[n], 0);
        }
    }
    ranks_bytes_release(&out);
}

/* Longer than what goes over the wire as one message. */
static void long_messages_are_cut_and_joined(void **state)
{
    (void)state;
    const size_t length = (size_t)40 << 20, mine = ranks_mine(ranks), n = ranks_n(ranks);
    struct status status = {0};
    struct ranks_bytes out = {0};
    size_t first[RANKS_MAX + 1] = {0};
    char *send = NULL;
    if (n != 2) {
        return; /* two tell as much as eight */
    }
    assert_int_equal(MEM_NEW(&send, length, &status), STATUS_OK);
    for (size_t i = 0; i < length; i++) {
        send[i] = byte_of(mine, 0, i);
    }
    first[1] = mine == 0 ? 0 : length; /* both to the second, or the first: one way each */
    first[2] = length;
    assert_int_equal(ranks_exchange(ranks, send, first, &out, &status), STATUS_OK);
    assert_int_equal(out.first[2] - out.first[0], length);
    for (size_t i = 0; i < length; i += 4093) {
        assert_int_equal(out.data[i], byte_of(1 - mine, 0, i));
    }
    ranks_bytes_release(&out);
    mem_free(send);
}

static void floats_are_added_along_the_tree(void **state)
{
    (void)state;
    enum { WIDTH = 3 };
    struct status status = {0};
    const size_t mine = ranks_mine(ranks), n = ranks_n(ranks);
    double sums[MANY];
    float rows[MANY * WIDTH];
    size_t first[RANKS_MAX + 1] = {0};
    for (size_t i = 0; i < MANY; i++) {
        sums[i] = value_of(mine, i);
    }
    assert_int_equal(ranks_tree_sum(ranks, sums, MANY, &status), STATUS_OK);
    for (size_t i = 0; i < MANY; i++) {
        assert_true(sums[i] == tree_of(0, n, i)); /* to the bit */
    }
    for (size_t r = 0; r < n; r++) { /* some have no rows */
        first[r + 1] = first[r] + r * 7 % 5;
    }
    for (size_t i = 0; i < first[n] * WIDTH; i++) {
        rows[i] = (float)(int)value_of(mine, i); /* of which the sums are exact */
    }
    assert_int_equal(ranks_tree_scatter(ranks, rows, first, WIDTH, RANKS_FLOAT32, &status),
                     STATUS_OK);
    for (size_t i = first[mine] * WIDTH; i < first[mine + 1] * WIDTH; i++) {
        float sum = 0;
        for (size_t r = 0; r < n; r++) {
            sum += (float)(int)value_of(r, i);
        }
        assert_true(rows[i] == sum);
    }
}

/* The float sum over ranks [first, first + n) at place i, each side of every sum rounded. */
static float rounded_tree_of(size_t first, size_t n, size_t i)
{
    return n == 1 ? (float)value_of(first, i)
                  : bfloat16_round(rounded_tree_of(first, n / 2, i)) +
                        bfloat16_round(rounded_tree_of(first + n / 2, n / 2, i));
}

static void floats_are_sent_rounded(void **state)
{
    (void)state;
    enum { WIDTH = 3 };
    struct status status = {0};
    const size_t mine = ranks_mine(ranks), n = ranks_n(ranks);
    float rows[MANY * WIDTH];
    size_t first[RANKS_MAX + 1] = {0}, rest = 0;
    for (size_t r = 0; r < n; r++) { /* some have no rows */
        first[r + 1] = first[r] + r * 7 % 5;
        rest += r == mine ? 0 : r * 7 % 5;
    }
    for (size_t i = 0; i < first[n] * WIDTH; i++) {
        rows[i] = (float)value_of(mine, i);
    }
    const int64_t before = ranks_traffic(ranks).bytes;
    assert_int_equal(ranks_tree_scatter(ranks, rows, first, WIDTH, RANKS_BFLOAT16, &status),
                     STATUS_OK);
    for (size_t i = first[mine] * WIDTH; i < first[mine + 1] * WIDTH; i++) {
        assert_true(rows[i] == rounded_tree_of(0, n, i));
    }
    /* two bytes of each number, and each goes away once */
    assert_int_equal(ranks_traffic(ranks).bytes - before, rest * WIDTH * 2);
}

static void fill_leaf(void *data, size_t shard, double *leaf)
{
    (void)data;
    leaf[0] = value_of(shard, 1);
    leaf[1] = value_of(shard, 2);
}

static void sums_over_shards_do_not_depend_on_the_ranks(void **state)
{
    (void)state;
    struct status status = {0};
    double sums[2];
    assert_int_equal(shard_sum(ranks, 2, fill_leaf, NULL, sums, &status), STATUS_OK);
    assert_true(sums[0] == tree_of(0, SHARDS, 1));
    assert_true(sums[1] == tree_of(0, SHARDS, 2));
}

/* Last but for what is said at the end: afterwards every call fails. */
static void a_failure_of_one_is_everybodys(void **state)
{
    (void)state;
    struct status status = {0}, again = {0};
    const size_t n = ranks_n(ranks);
    int64_t value = 1;
    if (n == 1) {
        return;
    }
    enum status_code code;
    if (ranks_mine(ranks) == n - 1) {
        status_set_at(&status, STATUS_DATA, "shop.db", 3, 4, "a bad row");
        code = ranks_leave(ranks, &status);
    } else {
        code = ranks_sum_int64(ranks, &value, 1, &status);
    }
    assert_int_equal(code, STATUS_DATA);
    char said[256], host[RANKS_HOST_MAX];
    ranks_host(host);
    snprintf(said, sizeof said, "rank %zu on %s: a bad row", n - 1, host);
    assert_string_equal(status.message, said);
    assert_string_equal(status.file, "shop.db");
    assert_int_equal(status.line, 3);
    assert_int_equal(ranks_agree(ranks, &again), STATUS_DATA);
    assert_string_equal(again.message, said);
    assert_int_equal(ranks_leave(ranks, &again), STATUS_DATA);
    ranks_go_on(ranks);
    value = 1;
    status_clear(&status);
    assert_int_equal(ranks_sum_int64(ranks, &value, 1, &status), STATUS_OK);
    assert_int_equal(value, n);
}

static void two_failures_at_once_are_one(void **state)
{
    (void)state;
    struct status status = {0};
    if (ranks_n(ranks) == 1) {
        return;
    }
    status_set(&status, STATUS_IO, "of rank %zu", ranks_mine(ranks));
    assert_int_equal(ranks_leave(ranks, &status), STATUS_IO);
    assert_string_equal(status.message, "of rank 0");
    ranks_go_on(ranks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_added_and_compared),
        cmocka_unit_test(single_numbers_are_added_and_compared),
        cmocka_unit_test(what_the_first_has_all_get),
        cmocka_unit_test(bytes_of_any_length_are_gathered_and_exchanged),
        cmocka_unit_test(long_messages_are_cut_and_joined),
        cmocka_unit_test(floats_are_added_along_the_tree),
        cmocka_unit_test(floats_are_sent_rounded),
        cmocka_unit_test(sums_over_shards_do_not_depend_on_the_ranks),
        cmocka_unit_test(a_failure_of_one_is_everybodys),
        cmocka_unit_test(two_failures_at_once_are_one),
    };
    return cmocka_run_group_tests(tests, ranked_open, ranked_close);
}
