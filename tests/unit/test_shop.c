/* The made-up shop: repeatable, true to its documented probabilities, honest about time. */
#include "base/mem.h"
#include "shop/shop.h"
#include "shop/shop_names.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct shop_options small = {
    .n_users = 300, .n_items = 400, .n_events = 20000, .n_days = 60, .seed = 7};

static struct shop *make(const struct shop_options *options)
{
    struct status status = {0};
    struct shop *shop = NULL;
    assert_int_equal(shop_new(options, &shop, &status), STATUS_OK);
    return shop;
}

static int64_t end_of(const struct shop *shop, const struct shop_options *options)
{
    return shop_start(shop) + options->n_days * 86400;
}

static void equal_seeds_give_equal_logs_and_others_do_not(void **state)
{
    (void)state;
    struct shop_options other = small;
    other.seed = 8;
    struct shop *a = make(&small);
    struct shop *b = make(&small);
    struct shop *c = make(&other);
    double *scratch = NULL;
    struct status status = {0};
    size_t n_equal = 0;
    assert_int_equal(MEM_NEW(&scratch, small.n_items, &status), STATUS_OK);
    for (int64_t i = 0; i < small.n_events; i++) {
        struct shop_event x;
        struct shop_event y;
        struct shop_event z;
        assert_true(shop_next_event(a, &x) && shop_next_event(b, &y) && shop_next_event(c, &z));
        assert_true(x.user == y.user && x.item == y.item && x.type == y.type &&
                    x.created_at == y.created_at);
        n_equal += x.user == z.user && x.item == z.item ? 1 : 0;
        if (i % 5000 == 0) {
            shop_probabilities(b, 3, i % small.n_days, scratch); /* must not disturb the log */
        }
    }
    struct shop_event none = {.item = 42};
    assert_false(shop_next_event(a, &none));
    assert_int_equal(none.item, 42);
    assert_true(n_equal < (size_t)small.n_events / 50);
    mem_free(scratch);
    shop_free(a);
    shop_free(b);
    shop_free(c);
}

static void nothing_happens_before_its_time(void **state)
{
    (void)state;
    struct shop *shop = make(&small);
    struct shop_event event;
    int64_t hour = shop_start(shop);
    size_t n_late_items = 0;
    size_t n_new_items_seen = 0;
    for (size_t i = 0; i < small.n_items; i++) {
        struct shop_item item;
        shop_item(shop, i, &item);
        assert_true(item.created_at < end_of(shop, &small) && item.price_cents > 0);
        n_late_items += item.created_at >= shop_start(shop) ? 1 : 0;
    }
    assert_int_equal(n_late_items, 48); /* 12 % of 400 */
    while (shop_next_event(shop, &event)) {
        struct shop_user user;
        struct shop_item item;
        assert_true(event.user < small.n_users && event.item < small.n_items);
        shop_user(shop, event.user, &user);
        shop_item(shop, event.item, &item);
        assert_true(user.created_at <= event.created_at);
        assert_true(item.created_at <= event.created_at);
        assert_true(event.created_at >= hour && event.created_at < end_of(shop, &small));
        /* a session of 40 views lasts less than four hours: later ones begin no earlier */
        hour = event.created_at - INT64_C(5) * 3600 > hour ? event.created_at - INT64_C(5) * 3600
                                                           : hour;
        n_new_items_seen += item.created_at >= shop_start(shop) ? 1 : 0;
    }
    assert_true(n_new_items_seen > 200);
    shop_free(shop);
}

static void probabilities_add_up_to_one_and_unsold_items_have_none(void **state)
{
    (void)state;
    static const struct shop_options shops[] = {{300, 400, 0, 60, 7, 0, SHOP_STEADY},
                                                {5, 1, 0, 1, 1, 0, SHOP_STEADY},
                                                {1, 23, 0, 9, 3, 0, SHOP_STEADY}};
    static double p[400];
    for (size_t s = 0; s < sizeof shops / sizeof *shops; s++) {
        struct shop *shop = make(&shops[s]);
        for (size_t user = 0; user < shops[s].n_users; user += 37) {
            for (int64_t day = 0; day < shops[s].n_days; day += 13) {
                double sum = 0.0;
                shop_probabilities(shop, user, day, p);
                for (size_t i = 0; i < shops[s].n_items; i++) {
                    struct shop_item item;
                    shop_item(shop, i, &item);
                    int64_t begins = shop_start(shop) + day * CLOCK_DAY;
                    assert_true(item.created_at <= begins ? p[i] > 0.0 : p[i] == 0.0);
                    sum += p[i];
                }
                assert_true(fabs(sum - 1.0) < 1e-9);
            }
        }
        shop_free(shop);
    }
}

/* One user, one day: the views are independent draws up to the topic that a session's views share.
 * That makes counts vary more than independent draws would, at most by the mean number of views in
 * the session of a view, 3: six standard deviations of that are allowed. */
static void views_follow_the_stated_probabilities(void **state)
{
    (void)state;
    enum { ITEMS = 40, EVENTS = 200000 };
    for (uint64_t seed = 1; seed <= 3; seed++) {
        const struct shop_options options = {1, ITEMS, EVENTS, 1, seed, 0, SHOP_STEADY};
        struct shop *shop = make(&options);
        struct shop_event event;
        double p[ITEMS];
        double views[ITEMS] = {0};
        double n = 0.0;
        while (shop_next_event(shop, &event)) {
            if (event.type == SHOP_VIEW) {
                views[event.item] += 1.0;
                n += 1.0;
            }
        }
        shop_probabilities(shop, 0, 0, p);
        for (size_t i = 0; i < ITEMS; i++) {
            assert_true(fabs(views[i] - n * p[i]) < 6.0 * sqrt(3.0 * n * p[i] + 1.0));
        }
        shop_free(shop);
    }
}

static void carts_follow_views_and_purchases_follow_carts(void **state)
{
    (void)state;
    struct shop *shop = make(&small);
    struct shop_event before = {0};
    struct shop_event event;
    double counts[3] = {0};
    while (shop_next_event(shop, &event)) {
        counts[event.type] += 1.0;
        if (event.type != SHOP_VIEW) {
            assert_int_equal(before.type, event.type - 1);
            assert_true(before.user == event.user && before.item == event.item);
            assert_true(before.created_at < event.created_at ||
                        event.created_at == end_of(shop, &small) - 1);
        }
        before = event;
    }
    assert_int_equal((int64_t)(counts[0] + counts[1] + counts[2]), small.n_events);
    /* a third of the views is curious: 1/3 * 1/30 + 2/3 * 1/8 */
    assert_true(fabs(counts[SHOP_CART] / counts[SHOP_VIEW] - 0.094) < 0.02);
    assert_true(fabs(counts[SHOP_PURCHASE] / counts[SHOP_CART] - 0.5) < 0.06);
    assert_string_equal(shop_event_name(SHOP_CART), "cart");
    shop_free(shop);
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x > y ? -1 : x < y ? 1 : 0;
}

static void popularity_rhythm_and_activity_are_uneven_as_documented(void **state)
{
    (void)state;
    struct shop *shop = make(&small);
    struct shop_event event;
    double items[400] = {0};
    double users[300] = {0};
    double night = 0.0;
    double evening = 0.0;
    double sundays = 0.0;
    double tuesdays = 0.0;
    double first_half = 0.0;
    while (shop_next_event(shop, &event)) {
        int64_t hour = event.created_at / 3600 % 24;
        int64_t weekday = (event.created_at / CLOCK_DAY + 3) % 7; /* 0: Monday */
        items[event.item] += 1.0;
        users[event.user] += 1.0;
        night += hour >= 2 && hour < 5 ? 1.0 : 0.0;
        evening += hour >= 19 && hour < 22 ? 1.0 : 0.0;
        sundays += weekday == 6 ? 1.0 : 0.0;
        tuesdays += weekday == 1 ? 1.0 : 0.0;
        first_half += event.created_at < (shop_start(shop) + end_of(shop, &small)) / 2 ? 1.0 : 0.0;
    }
    qsort(items, 400, sizeof *items, descending);
    qsort(users, 300, sizeof *users, descending);
    double top_items = 0.0;
    double top_users = 0.0;
    for (size_t i = 0; i < 40; i++) {
        top_items += items[i];
        top_users += i < 30 ? users[i] : 0.0;
    }
    assert_true(top_items > 0.3 * 20000 && top_items < 0.7 * 20000);
    assert_true(top_users > 0.25 * 20000 && top_users < 0.6 * 20000);
    assert_true(evening > 6.0 * night);
    assert_true(sundays > 1.2 * tuesdays && sundays < 1.9 * tuesdays);
    assert_true(first_half > 0.4 * 20000 && first_half < 0.5 * 20000);
    shop_free(shop);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void no_two_titles_are_equal(void **state)
{
    (void)state;
    enum { PER_STYLE = 800, N = SHOP_TOPICS * SHOP_STYLES * PER_STYLE };
    struct status status = {0};
    char(*titles)[SHOP_TITLE_MAX] = NULL;
    size_t n = 0;
    assert_int_equal(mem_new(N, SHOP_TITLE_MAX, (void **)&titles, &status), STATUS_OK);
    for (size_t topic = 0; topic < SHOP_TOPICS; topic++) {
        for (size_t style = 0; style < SHOP_STYLES; style++) {
            for (uint64_t i = 0; i < PER_STYLE; i++) {
                shop_title(topic, style, i, titles[n++], SHOP_TITLE_MAX);
            }
        }
    }
    qsort(titles, n, SHOP_TITLE_MAX, by_text);
    for (size_t i = 1; i < n; i++) {
        assert_string_not_equal(titles[i - 1], titles[i]);
    }
    char longest[SHOP_TITLE_MAX];
    shop_title(0, 0, UINT32_MAX, longest, sizeof longest);
    assert_true(strlen(longest) < SHOP_TITLE_MAX - 20);
    mem_free(titles);
}

static void countries_have_their_shares(void **state)
{
    (void)state;
    const struct shop_options options = {20000, 30, 0, 30, 1, 0, SHOP_STEADY};
    struct shop *shop = make(&options);
    double sum = 0.0;
    double german = 0.0;
    size_t n_new = 0;
    int64_t last = 0;
    for (size_t u = 0; u < options.n_users; u++) {
        struct shop_user user;
        shop_user(shop, u, &user);
        german += strcmp(user.country, "DE") == 0 ? 1.0 : 0.0;
        n_new += user.created_at >= shop_start(shop) ? 1 : 0;
        assert_true(user.created_at >= last);
        last = user.created_at;
    }
    for (size_t c = 0; c < SHOP_COUNTRIES; c++) {
        sum += shop_countries[c].share;
    }
    assert_true(fabs(sum - 1.0) < 1e-12);
    assert_true(fabs(german / 20000.0 - shop_countries[0].share) < 0.02);
    assert_int_equal(n_new, 8000);
    shop_free(shop);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct shop_options options;
        const char *message;
    } cases[] = {{{0, 1, 1, 1, 1, 0, SHOP_STEADY}, "0 users: a shop has 1 to 2147483647"},
                 {{1, 0, 1, 1, 1, 0, SHOP_STEADY}, "0 items: a shop has 1 to 2147483647"},
                 {{1, (size_t)INT32_MAX + 1, 1, 1, 1, 0, SHOP_STEADY},
                  "2147483648 items: a shop has 1 to 2147483647"},
                 {{1, 1, -1, 1, 1, 0, SHOP_STEADY}, "-1 events: must not be negative"},
                 {{1, 1, 1, 0, 1, 0, SHOP_STEADY}, "0 days: a log has 1 to 36500"},
                 {{1, 1, 1, 36501, 1, 0, SHOP_STEADY}, "36501 days: a log has 1 to 36500"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct status status = {0};
        struct shop *shop = NULL;
        assert_int_equal(shop_new(&cases[i].options, &shop, &status), STATUS_USAGE);
        assert_string_equal(status.message, cases[i].message);
        assert_null(shop);
    }
    shop_free(NULL);
}

static void the_longest_log_begins_a_century_ago(void **state)
{
    (void)state;
    const struct shop_options options = {3, 30, 1000, SHOP_DAYS_MAX, 1, 0, SHOP_STEADY};
    struct shop *shop = make(&options);
    struct shop_event event;
    int64_t n = 0;
    assert_true(shop_start(shop) < 0);
    while (shop_next_event(shop, &event)) {
        assert_true(event.created_at >= shop_start(shop) &&
                    event.created_at < end_of(shop, &options));
        n++;
    }
    assert_int_equal(n, 1000);
    shop_free(shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_seeds_give_equal_logs_and_others_do_not),
        cmocka_unit_test(nothing_happens_before_its_time),
        cmocka_unit_test(probabilities_add_up_to_one_and_unsold_items_have_none),
        cmocka_unit_test(views_follow_the_stated_probabilities),
        cmocka_unit_test(carts_follow_views_and_purchases_follow_carts),
        cmocka_unit_test(popularity_rhythm_and_activity_are_uneven_as_documented),
        cmocka_unit_test(no_two_titles_are_equal),
        cmocka_unit_test(countries_have_their_shares),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(the_longest_log_begins_a_century_ago),
    };
    return cmocka_run_group_tests_name("shop", tests, NULL, NULL);
}
