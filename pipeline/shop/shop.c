/* The generative model of the made-up shop.
 *
 * Items. An item belongs to one of 24 topics (its category; a few are large) and has a taste: one
 * of 6 styles, heard in the title's adjective, and one of 3 price bands. Its base popularity is
 * Zipf in its rank r = 0, 1, ... within the topic, 1 / (r + 2). On day t of the log its weight is
 *     w_i(t) = base_i * exp(0.2 sin(2 pi t / period_i + phase_i)) * (1 + novelty_i(t)),
 * with a period of 60 to 240 days, and for items that came during the log a novelty that starts at
 * 0.5 and fades with a time constant of 10 days. 88 % of the items are there from the beginning,
 * the others arrive evenly over the last two thirds of the log.
 *
 * Users. What a user is like is a vector z_u of 4 independent standard normals; topics and styles
 * have random unit vectors c_k and m_s in the same space. Interests are a softmax over the topics,
 *     theta_u(k) ~ exp(1.6 c_k . z_u) / sqrt(k + 3),
 * which leaves a few active topics of many. Once, over 30 days around a date of the user's own,
 * theta moves to that of z'_u = 0.98 z_u + 0.2 (fresh normals). Within every topic alike, taste
 * multiplies the weight of an item by
 *     phi_u(i) = exp(1.4 (0.98 m_s . z_u + 0.2 a_us)) * exp(0.8 b_u (1 - band_i)),
 * with s the item's style, band 0 to 2, and a_us, b_u normal. So the logarithm of an item's
 * probability is nearly an inner product of a user's and an item's vector plus a popularity term:
 * what is learnt from one topic tells about others in which the user has seen nothing. A share
 * e_u of a user's views has nothing to do with it (search for gifts, bestsellers, curiosity):
 * e_u = 0.1 + 0.7 r^2, r uniform. Activity is log-normal. 60 % of the users are there from the
 * beginning, the others register evenly over the log.
 *
 * Events. Traffic follows a weekly and a daily rhythm and grows by a third over the log. A session
 * has a user, a start, a topic k drawn from theta_u and a geometric number of views. Each view is,
 * independently, with probability 1 - e_u an item of topic k drawn by w_i phi_u(i), else any item
 * drawn by w_i. Over the topics that a session may have, the next item is thus i with probability
 *     P(i | u, t) = e_u w_i / W + (1 - e_u) theta_u(topic_i) w_i phi_u(i) / Z_u(topic_i),
 * W and Z the sums over all items and over those of the topic. A view out of interest goes into the
 * cart one time in eight, any other one time in thirty; half the carts are bought.
 *
 * Users are not stored but made anew from (seed, number) for each session; what is kept is a few
 * numbers per item and one per user. */
#include "shop/shop.h"

#include "base/mem.h"
#include "shop/shop_model.h"
#include "shop/shop_living.h"

#include <assert.h>
#include <math.h>

static size_t cell_of(const struct item_traits *item)
{
    return ((size_t)item->topic * SHOP_STYLES + item->style) * SHOP_BANDS + item->band;
}

/* Traits, then ranks within the topics by a seeded permutation, then the grouping by cell. */
static enum status_code make_items(struct shop *shop, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t n = shop->options.n_items;
    uint32_t *order = NULL; /* (n_items) */
    uint32_t n_titles[SHOP_TOPICS][SHOP_STYLES] = {{0}};
    uint32_t n_ranked[SHOP_TOPICS] = {0};
    size_t next[SHOP_CELLS];
    struct rng rng;

    TRY(MEM_NEW(&order, n, status));
    for (size_t i = 0; i < n; i++) {
        struct item_traits *item = &shop->items[i];
        shop_make_item(shop, i, item);
        item->ordinal = n_titles[item->topic][item->style]++;
        shop->cell_first[cell_of(item) + 1]++;
    }
    rng_init(&rng, shop->options.seed, "shop.rank", 0, 0);
    rng_permutation(&rng, n, order);
    for (size_t i = 0; i < n; i++) {
        struct item_traits *item = &shop->items[order[i]];
        item->base = 1.0F / (float)(n_ranked[item->topic]++ + 2);
    }
    for (size_t cell = 0; cell < SHOP_CELLS; cell++) {
        next[cell] = shop->cell_first[cell];
        shop->cell_first[cell + 1] += shop->cell_first[cell];
    }
    for (size_t i = 0; i < n; i++) {
        shop->places[next[cell_of(&shop->items[i])]++] = (int32_t)i;
    }
done:
    mem_free(order);
    return code;
}

static void make_activities(struct shop *shop)
{
    double sum = 0.0;
    for (size_t u = 0; u < shop->options.n_users; u++) {
        struct rng rng;
        rng_init(&rng, shop->options.seed, "shop.activity", 0, u);
        sum += exp(0.9 * rng_normal(&rng));
        shop->activity_running[u] = sum;
    }
}

static enum status_code check_options(const struct shop_options *options, struct status *status)
{
    if (options->n_users < 1 || options->n_users > INT32_MAX) {
        return status_set(status, STATUS_USAGE, "%zu users: a shop has 1 to %d", options->n_users,
                          INT32_MAX);
    }
    if (options->n_items < 1 || options->n_items > INT32_MAX) {
        return status_set(status, STATUS_USAGE, "%zu items: a shop has 1 to %d", options->n_items,
                          INT32_MAX);
    }
    if (options->n_events < 0) {
        return status_set(status, STATUS_USAGE, "%lld events: must not be negative",
                          (long long)options->n_events);
    }
    if (options->n_days < 1 || options->n_days > SHOP_DAYS_MAX) {
        return status_set(status, STATUS_USAGE, "%lld days: a log has 1 to %d",
                          (long long)options->n_days, SHOP_DAYS_MAX);
    }
    return STATUS_OK;
}

enum status_code shop_new(const struct shop_options *options, struct shop **out,
                          struct status *status)
{
    enum status_code code = STATUS_OK;
    struct shop *shop = NULL;

    TRY(check_options(options, status));
    TRY(MEM_NEW(&shop, 1, status));
    shop->options = *options;
    shop->options.until = options->until != 0 ? options->until : SHOP_LOG_END;
    shop->start = shop->options.until - options->n_days * CLOCK_DAY;
    shop->n_topics = options->n_items < SHOP_TOPICS ? options->n_items : SHOP_TOPICS;
    shop->n_old_users = (options->n_users * 6 + 9) / 10;
    bool is_living = options->kind == SHOP_LIVING;
    shop->n_periods = is_living ? SHOP_QUARTERS : 1;
    shop->n_old_items = options->n_items * (is_living ? 16 : 22) / 25;
    if (shop->n_old_items < shop->n_topics) {
        shop->n_old_items = shop->n_topics;
    }
    shop->walk.table.period = -1;
    TRY(MEM_NEW(&shop->items, options->n_items, status));
    TRY(MEM_NEW(&shop->places, options->n_items, status));
    TRY(MEM_NEW(&shop->walk.table.running, options->n_items, status));
    for (int64_t p = 0; p < shop->n_periods; p++) {
        shop->query[p].period = -1;
        TRY(MEM_NEW(&shop->query[p].running, options->n_items, status));
    }
    TRY(MEM_NEW(&shop->activity_running, options->n_users, status));
    shop_make_profiles(shop);
    TRY(make_items(shop, status));
    if (is_living) {
        TRY(shop_living_new(shop, &shop->living, status));
    }
    make_activities(shop);
    for (int64_t slot = 0; slot < options->n_days * SHOP_HOURS; slot++) {
        shop->traffic_total += shop_traffic(shop, slot);
    }
    rng_init(&shop->walk.rng, options->seed, "shop.events", 0, 0);
    shop->walk.slot = -1;
    *out = shop;
    shop = NULL;
done:
    shop_free(shop);
    return code;
}

void shop_free(struct shop *shop)
{
    if (shop == NULL) {
        return;
    }
    mem_free(shop->items);
    mem_free(shop->places);
    mem_free(shop->walk.table.running);
    for (size_t p = 0; p < SHOP_QUARTERS; p++) {
        mem_free(shop->query[p].running);
    }
    shop_living_free(shop->living);
    mem_free(shop->activity_running);
    mem_free(shop);
}

int64_t shop_start(const struct shop *shop)
{
    return shop->start;
}

const char *shop_event_name(enum shop_event_type type)
{
    static const char *const names[] = {"view", "cart", "purchase"};
    return names[type];
}

/* Adds `share` of what the user would look at in the period of the table. */
static void add_views(const struct shop *shop, const struct user_traits *traits,
                      const struct period_table *table, double share, double *probabilities)
{
    double theta[SHOP_TOPICS];
    double tastes[SHOP_TASTES];
    double all = table->cell_running[SHOP_CELLS - 1];

    shop_interests(shop, traits, table->period, theta);
    for (size_t topic = 0; topic < shop->n_topics; topic++) {
        double z = shop_taste_weights(traits, table, topic, tastes);
        for (size_t taste = 0; taste < SHOP_TASTES; taste++) {
            size_t cell = topic * SHOP_TASTES + taste;
            double by_curiosity = traits->curiosity / all;
            double by_interest = table->cells[cell] > 0.0
                                     ? (1.0 - traits->curiosity) * theta[topic] * tastes[taste] /
                                           z / table->cells[cell]
                                     : 0.0;
            double before = 0.0;
            for (size_t p = shop->cell_first[cell]; p < shop->cell_first[cell + 1]; p++) {
                probabilities[shop->places[p]] +=
                    share * ((table->running[p] - before) * (by_curiosity + by_interest));
                before = table->running[p];
            }
        }
    }
}

void shop_probabilities(struct shop *shop, size_t user, int64_t day, double *probabilities)
{
    struct user_traits traits;
    struct living_mix mix = {.rest = 1.0};

    assert(user < shop->options.n_users && day >= 0 && day < shop->options.n_days);
    memset(probabilities, 0, shop->options.n_items * sizeof *probabilities);
    shop_make_user(shop, user, &traits);
    if (shop->living != NULL) {
        shop_living_mix(shop, user, day, &mix);
    }
    for (int64_t p = 0; p < shop->n_periods; p++) {
        int64_t hours = SHOP_HOURS / shop->n_periods;
        double share = 0.0;
        double whole = 0.0;
        for (int64_t hour = 0; hour < SHOP_HOURS; hour++) {
            double traffic = shop_traffic(shop, day * SHOP_HOURS + hour);
            whole += traffic;
            share += hour / hours == p ? traffic : 0.0;
        }
        shop_build_table(shop, day * shop->n_periods + p, &shop->query[p]);
        add_views(shop, &traits, &shop->query[p], mix.rest * share / whole, probabilities);
    }
    for (size_t m = 0; m < mix.n; m++) {
        probabilities[mix.items[m]] += mix.shares[m];
    }
}
