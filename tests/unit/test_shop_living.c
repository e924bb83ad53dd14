/* The living shop: frozen, true to its stated probabilities, and nothing is chosen out of its time.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "shop/shop.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { USERS = 200, ITEMS = 300, EVENTS = 30000, DAYS = 60 };

static const struct shop_options small = {.n_users = USERS,
                                          .n_items = ITEMS,
                                          .n_events = EVENTS,
                                          .n_days = DAYS,
                                          .seed = 7,
                                          .kind = SHOP_LIVING};

static struct shop *make(const struct shop_options *options)
{
    struct status status = {0};
    struct shop *shop = NULL;
    assert_int_equal(shop_new(options, &shop, &status), STATUS_OK);
    return shop;
}

static int64_t day_of(const struct shop *shop, const struct shop_event *event)
{
    return (event->created_at - shop_start(shop)) / CLOCK_DAY;
}

/* Figures are told as shares of this log's oracle: another log would be another measure. The
 * probabilities are rounded to what no library's exp() can change. */
static void the_log_and_its_truth_are_frozen(void **state)
{
    (void)state;
    struct status status = {0};
    struct shop *shop = make(&small);
    struct hash_state *hash = NULL;
    struct shop_event event;
    double p[ITEMS];
    char text[HASH_TEXT_MAX];
    size_t n = 0;
    assert_int_equal(hash_new(&hash, &status), STATUS_OK);
    while (shop_next_event(shop, &event)) {
        hash_add_int64(hash, (int64_t)event.user);
        hash_add_int64(hash, (int64_t)event.item);
        hash_add_int64(hash, (int64_t)event.type);
        hash_add_int64(hash, event.created_at);
        if (n++ % 1000 == 0) {
            shop_probabilities(shop, event.user, day_of(shop, &event), p);
            for (size_t i = 0; i < ITEMS; i++) {
                hash_add_int64(hash, llround(p[i] * 1e9));
            }
        }
    }
    for (size_t i = 0; i < ITEMS; i++) {
        struct shop_item item;
        shop_item(shop, i, &item);
        hash_add_text(hash, item.title);
        hash_add_int64(hash, item.created_at);
        hash_add_int64(hash, item.left_at);
    }
    hash_text(hash, text);
    hash_free(hash);
    shop_free(shop);
    assert_string_equal(text, "c97fd67471dd71a201aa78612ed5283d");
}

static void items_are_chosen_while_they_are_sold(void **state)
{
    (void)state;
    struct shop *shop = make(&small);
    struct shop_item items[ITEMS];
    struct shop_event event;
    size_t n_left = 0;
    size_t n_new = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        shop_item(shop, i, &items[i]);
        n_left += items[i].left_at != 0 ? 1 : 0;
        n_new += items[i].created_at >= shop_start(shop) ? 1 : 0;
        assert_true(items[i].left_at == 0 || items[i].left_at > items[i].created_at);
    }
    assert_true(n_left > ITEMS / 5 && n_left < ITEMS / 2);
    assert_int_equal(n_new, ITEMS * 9 / 25);
    int64_t last_day = 0;
    while (shop_next_event(shop, &event)) {
        const struct shop_item *item = &items[event.item];
        assert_true(item->created_at < event.created_at);
        assert_true(item->left_at == 0 || event.created_at < item->left_at);
        assert_true(day_of(shop, &event) >= last_day); /* no session goes on after midnight */
        last_day = day_of(shop, &event);
    }
    assert_int_equal(last_day, DAYS - 1);
    shop_free(shop);
}

/* Of all (view, item), by the stated probability: as many were chosen as it says. The views of a
 * session share a topic, so counts vary more than those of independent draws, at most by the mean
 * number of views in the session of a view, 3: five standard deviations of that are allowed. */
static void views_follow_the_stated_probabilities(void **state)
{
    (void)state;
    enum { BINS = 7 };
    static const double from[BINS] = {0.0, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct shop_options options = small;
        options.seed = seed;
        struct shop *shop = make(&options);
        struct shop_event event;
        double p[ITEMS];
        double expected[BINS] = {0};
        double chosen[BINS] = {0};
        double of_items[ITEMS] = {0}; /* chosen less expected */
        double variances[ITEMS] = {0};
        while (shop_next_event(shop, &event)) {
            double sum = 0.0;
            if (event.type != SHOP_VIEW) {
                continue;
            }
            shop_probabilities(shop, event.user, day_of(shop, &event), p);
            for (size_t i = 0; i < ITEMS; i++) {
                size_t bin = BINS - 1;
                while (p[i] < from[bin]) {
                    bin--;
                }
                sum += p[i];
                expected[bin] += p[i];
                chosen[bin] += i == event.item ? 1.0 : 0.0;
                of_items[i] += (i == event.item ? 1.0 : 0.0) - p[i];
                variances[i] += p[i] * (1.0 - p[i]);
            }
            assert_true(fabs(sum - 1.0) < 1e-9);
            assert_true(p[event.item] > 0.0);
        }
        for (size_t b = 0; b < BINS; b++) {
            assert_true(expected[b] > 5.0);
            assert_true(fabs(chosen[b] - expected[b]) < 5.0 * sqrt(3.0 * expected[b] + 1.0));
        }
        for (size_t i = 0; i < ITEMS; i++) {
            assert_true(fabs(of_items[i]) < 5.0 * sqrt(3.0 * variances[i] + 1.0));
        }
        shop_free(shop);
    }
}

/* Some of the probability is due to purchases, and trends make tomorrow another day than a month
 * ago. */
static void what_came_last_and_the_day_count(void **state)
{
    (void)state;
    struct shop *shop = make(&small);
    struct shop_event event;
    double before[ITEMS];
    double after[ITEMS];
    double moved_by_time = 0.0;
    double moved_by_purchases = 0.0;
    shop_probabilities(shop, 5, 10, before);
    shop_probabilities(shop, 5, 40, after);
    for (size_t i = 0; i < ITEMS; i++) {
        moved_by_time += fabs(after[i] - before[i]) / 2.0;
        before[i] = after[i];
    }
    while (shop_next_event(shop, &event) && day_of(shop, &event) < 40) {
    }
    shop_probabilities(shop, 5, 40, after);
    for (size_t i = 0; i < ITEMS; i++) {
        moved_by_purchases += fabs(after[i] - before[i]) / 2.0;
    }
    assert_true(moved_by_time > 0.2 && moved_by_time < 0.9);
    assert_true(moved_by_purchases > 0.1 && moved_by_purchases < 0.7);
    shop_free(shop);
}

static void tiny_shops_are_made(void **state)
{
    (void)state;
    static const struct shop_options shops[] = {{5, 1, 200, 1, 1, 0, SHOP_LIVING},
                                                {1, 23, 500, 400, 3, 0, SHOP_LIVING},
                                                {3, 30, 1000, SHOP_DAYS_MAX, 1, 0, SHOP_LIVING}};
    for (size_t s = 0; s < sizeof shops / sizeof *shops; s++) {
        struct shop *shop = make(&shops[s]);
        struct shop_event event;
        int64_t n = 0;
        double p[ITEMS];
        double sum = 0.0;
        while (shop_next_event(shop, &event)) {
            n++;
        }
        assert_int_equal(n, shops[s].n_events);
        shop_probabilities(shop, 0, shops[s].n_days - 1, p);
        for (size_t i = 0; i < shops[s].n_items; i++) {
            sum += p[i];
        }
        assert_true(fabs(sum - 1.0) < 1e-9);
        shop_free(shop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_log_and_its_truth_are_frozen),
        cmocka_unit_test(items_are_chosen_while_they_are_sold),
        cmocka_unit_test(views_follow_the_stated_probabilities),
        cmocka_unit_test(what_came_last_and_the_day_count),
        cmocka_unit_test(tiny_shops_are_made),
    };
    return cmocka_run_group_tests_name("shop_living", tests, NULL, NULL);
}
