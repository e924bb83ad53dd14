/* The walk through the log of the made-up shop: hour by hour, session by session. The model is
 * described at the top of shop.c. */
#include "shop/shop.h"
#include "shop/shop_model.h"
#include "shop/shop_living.h"

#include <assert.h>
#include <math.h>

/* Traffic by weekday (Monday first) and by hour (UTC): quiet nights, a peak in the evening. */
static const double weekday_traffic[7] = {1.0, 0.95, 0.95, 1.0, 1.05, 1.25, 1.35};
static const double hour_traffic[SHOP_HOURS] = {0.5, 0.3, 0.2, 0.15, 0.15, 0.25, 0.5, 0.8,
                                                1.0, 1.1, 1.1, 1.2,  1.4,  1.3,  1.1, 1.1,
                                                1.2, 1.4, 1.7, 2.0,  2.1,  1.9,  1.4, 0.9};

static const double two_pi = 6.283185307179586476925;

static double steady_weight(const struct item_traits *item, int64_t day)
{
    if (item->first_day > day) {
        return 0.0;
    }
    double angle = two_pi * (double)day / (double)item->period_days + (double)item->phase;
    double age_days = (double)(day - item->first_day);
    double novelty = item->first_day > 0 ? 0.5 * exp(-age_days / 10.0) : 0.0;
    return (double)item->base * exp(0.2 * sin(angle)) * (1.0 + novelty);
}

void shop_build_table(const struct shop *shop, int64_t period, struct period_table *table)
{
    double season[SHOP_TOPICS];
    double all = 0.0;

    if (table->period == period) {
        return;
    }
    for (size_t k = 0; k < SHOP_TOPICS; k++) {
        season[k] = 1.0;
    }
    if (shop->living != NULL) {
        shop_living_season(shop, period / shop->n_periods, season);
    }
    for (size_t cell = 0; cell < SHOP_CELLS; cell++) {
        double sum = 0.0;
        for (size_t place = shop->cell_first[cell]; place < shop->cell_first[cell + 1]; place++) {
            size_t item = (size_t)shop->places[place];
            sum += shop->living != NULL
                       ? season[cell / SHOP_TASTES] * shop_living_weight(shop, item, period)
                       : steady_weight(&shop->items[item], period);
            table->running[place] = sum;
        }
        all += sum;
        table->cells[cell] = sum;
        table->cell_running[cell] = all;
    }
    table->period = period;
}

double shop_taste_weights(const struct user_traits *user, const struct period_table *table,
                          size_t topic, double out[SHOP_TASTES])
{
    double sum = 0.0;
    for (size_t taste = 0; taste < SHOP_TASTES; taste++) {
        out[taste] = table->cells[topic * SHOP_TASTES + taste] * user->style[taste / SHOP_BANDS] *
                     user->band[taste % SHOP_BANDS];
        sum += out[taste];
    }
    return sum;
}

/* The first place of an ascending array whose value exceeds x; the last place when none does. */
static size_t find_running(const double *running, size_t n, double x)
{
    size_t low = 0;
    size_t high = n - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (running[middle] > x) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

double shop_traffic(const struct shop *shop, int64_t slot)
{
    int64_t day = slot / SHOP_HOURS;
    double growth = 1.0 + (double)day / (double)shop->options.n_days / 3.0;
    return weekday_traffic[shop_weekday(shop, day)] * hour_traffic[slot % SHOP_HOURS] * growth;
}

/* How many users had registered by `time`: they are numbered in that order. */
static size_t users_registered(const struct shop *shop, int64_t time)
{
    size_t low = 0;
    size_t high = shop->options.n_users;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (shop_user_created_at(shop, middle) <= time) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Moves on until the share of the events that belongs to the hours passed is above what was given:
 * so the total is exact, and a busy hour borrows from the next one. */
static void find_slot(struct shop *shop)
{
    struct shop_walk *walk = &shop->walk;
    int64_t last = shop->options.n_days * SHOP_HOURS - 1;
    double events_per_traffic = (double)shop->options.n_events / shop->traffic_total;
    int64_t before = walk->slot;
    while (walk->slot < 0 || (walk->slot < last &&
                              walk->traffic_done * events_per_traffic <= (double)walk->n_given)) {
        walk->slot++;
        walk->traffic_done += shop_traffic(shop, walk->slot);
    }
    if (walk->slot != before) {
        walk->n_users = users_registered(shop, shop->start + walk->slot * 3600);
        shop_build_table(shop, walk->slot * shop->n_periods / SHOP_HOURS, &walk->table);
    }
}

static void begin_session(struct shop *shop)
{
    struct shop_walk *walk = &shop->walk;
    double theta[SHOP_TOPICS];
    double active = rng_double(&walk->rng) * shop->activity_running[walk->n_users - 1];

    walk->event.user = find_running(shop->activity_running, walk->n_users, active);
    shop_make_user(shop, walk->event.user, &walk->user);
    shop_interests(shop, &walk->user, walk->table.period, theta);
    walk->topic = shop_draw_weighted(&walk->rng, theta, SHOP_TOPICS);
    walk->event.created_at = shop->start + walk->slot * 3600 + (int64_t)rng_below(&walk->rng, 3600);
    walk->n_views_left = 1;
    while (walk->n_views_left < 40 && rng_double(&walk->rng) < 0.5) {
        walk->n_views_left++;
    }
    if (shop->living != NULL) {
        shop_living_wake(shop, walk->event.user, walk->slot / SHOP_HOURS);
    }
}

/* One more item that the user looks at by interest, or out of curiosity. */
static void draw_view(struct shop *shop, bool is_curious)
{
    struct shop_walk *walk = &shop->walk;
    struct period_table *table = &walk->table;
    double tastes[SHOP_TASTES];
    size_t cell = 0;

    if (is_curious) {
        double x = rng_double(&walk->rng) * table->cell_running[SHOP_CELLS - 1];
        cell = find_running(table->cell_running, SHOP_CELLS, x);
    } else {
        (void)shop_taste_weights(&walk->user, table, walk->topic, tastes);
        cell = walk->topic * SHOP_TASTES + shop_draw_weighted(&walk->rng, tastes, SHOP_TASTES);
    }
    size_t first = shop->cell_first[cell];
    double x = rng_double(&walk->rng) * table->cells[cell];
    size_t n = shop->cell_first[cell + 1] - first;
    walk->event.item = (size_t)shop->places[first + find_running(table->running + first, n, x)];
}

static void next_view(struct shop *shop)
{
    struct shop_walk *walk = &shop->walk;
    bool is_living = shop->living != NULL;
    bool is_due = is_living && shop_living_draw(shop, &walk->rng, &walk->event.item);
    bool is_curious = !is_due && rng_double(&walk->rng) < walk->user.curiosity;

    if (!is_due) {
        draw_view(shop, is_curious);
    }
    walk->event.type = SHOP_VIEW;
    walk->n_views_left--;
    double carts = is_curious ? 1.0 / 30.0 : 1.0 / 8.0;
    if (is_living) {
        carts = is_due ? 0.9 : 3.0 * carts;
    }
    walk->pending = rng_double(&walk->rng) < carts ? SHOP_CART : SHOP_VIEW;
    walk->pending_purchase = rng_double(&walk->rng) < (is_living ? 0.8 : 0.5);
}

bool shop_next_event(struct shop *shop, struct shop_event *out)
{
    struct shop_walk *walk = &shop->walk;
    if (walk->n_given == shop->options.n_events) {
        return false;
    }
    if (walk->pending == SHOP_VIEW && walk->n_views_left == 0) {
        find_slot(shop);
        begin_session(shop);
    } else {
        walk->event.created_at += 8 + (int64_t)rng_below(&walk->rng, 110);
    }
    if (walk->pending == SHOP_VIEW) {
        next_view(shop);
    } else {
        walk->event.type = walk->pending;
        bool buys = walk->pending == SHOP_CART && walk->pending_purchase;
        walk->pending = buys ? SHOP_PURCHASE : SHOP_VIEW;
    }
    /* what a living shop's day depends on is all before it: a session does not go on after midnight
     */
    int64_t day = walk->slot / SHOP_HOURS;
    int64_t end = shop->living != NULL ? shop->start + (day + 1) * CLOCK_DAY : shop->options.until;
    if (walk->event.created_at >= end) {
        walk->event.created_at = end - 1;
    }
    if (shop->living != NULL && walk->event.type == SHOP_PURCHASE) {
        shop_living_remember(shop, walk->event.user, walk->event.item, day);
    }
    walk->n_given++;
    *out = walk->event;
    return true;
}
