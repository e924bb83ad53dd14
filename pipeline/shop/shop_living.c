/* The living shop: the steady one's users, tastes, sessions and traffic (shop.c), and time.
 *
 * Items come and go, at midnights: 36 % come during the log, evenly over its last two thirds, and
 * six in ten of these go after 10 to 60 days; a third of the old ones go, evenly. In the quarter
 * of a day around t (in days) an item on sale, of topic k, weighs
 *     w_i(t) = season_k(t) (base_i + sum over trends of h (1 - 2^(-a / rise)) 2^(-a / life)),
 * a the age of a trend. A newcomer begins with a trend, and in every 40 days an item has one more
 * with probability 1/5; of more than 1,000 items only as many as of 1,000. The height is
 *     h = 1 / (0.03 + r), r uniform: few are great.
 * Each item has a pace of its own: `rise` of 0.1 to 1.5 days, `life` of half a day to 6 days. A
 * topic has a season, 2^(0.8 sin), and weekends that are 2^x of its weekdays, x normal; both
 * change theta_u, too. Taste drifts more than in a steady shop: z'_u = 0.8 z_u + 0.6 (fresh
 * normals).
 *
 * Of the items 35 % are consumed, and wanted again after `interval`, 3 to 21 days. The others have
 * three complements each, any items of the next topic, wanted with shares v of 0.5, 0.3 and 0.2. A
 * view on a day is, independently of the others of the day but for the topic of its session,
 *     with probability min(0.3, 0.2 C) a complement of one of the last four durable items
 *         bought, by v 2^(-j - (a - 1) / 6), which add up to C; newest item j = 0, bought a
 *         days ago;
 *     with probability 0.4 R / (R + 0.5) one of the last twelve consumables bought, by how due
 *         it is, exp(-10 x^2), or later than due exp(-2 x^2), which add up to R; x = a /
 *         interval - 1;
 *     else a view as in a steady shop, P(i | u, t), with these w.
 * "Bought" is what was bought before the day began: so the evening before knows all that the day's
 * views depend on, and shop_probabilities is exact for each of them. What is not on sale is never
 * chosen. Of the views that are due to a purchase nine in ten go into the cart, of the others
 * three times as many as in a steady shop; eight of ten carts are bought.
 *
 * The log of given options never changes: figures are told as shares of its oracle's. */
#include "shop/shop_living.h"

#include "base/mem.h"

#include <math.h>

static const double two_pi = 6.283185307179586476925;

enum { TREND_DAYS = 40, TRENDING_ITEMS = 1000, TRIES = 16 };

struct living_item {
    int32_t end_day;                          /* not sold from this day on; INT32_MAX: it stays */
    float rise, life;                         /* days, of its trends */
    float interval_days;                      /* 0: durable */
    uint32_t complements[LIVING_COMPLEMENTS]; /* of a durable item */
};

struct bought {
    uint32_t item; /* number + 1; 0: none */
    int32_t day;
};

struct memory {
    struct bought durables[LIVING_BOUGHT]; /* newest first, both */
    struct bought stocks[LIVING_STOCKS];
};

struct living_user {
    int64_t day;                /* of the last session */
    struct memory evening, now; /* before that day, and since */
};

struct living {
    struct living_item *items; /* (n_items) */
    struct living_user *users; /* (n_users) */
    double phases[SHOP_TOPICS], weekends[SHOP_TOPICS];
    struct living_mix mix; /* of the running session */
};

static void make_item(const struct shop *shop, size_t number, struct living_item *out)
{
    double n_days = (double)shop->options.n_days;
    int32_t first_day = shop->items[number].first_day;
    struct rng rng;

    rng_init(&rng, shop->options.seed, "shop.living.item", 0, number);
    bool leaves = rng_double(&rng) < (first_day > 0 ? 0.6 : 1.0 / 3.0);
    double r = rng_double(&rng);
    double end = first_day > 0 ? (double)first_day + 10.0 + 50.0 * r : 1.0 + r * n_days;
    /* the first ones see to it that no topic is ever empty */
    leaves = leaves && number >= shop->n_topics && end < n_days;
    out->end_day = leaves ? (int32_t)end : INT32_MAX;
    out->rise = (float)(0.1 + 1.4 * rng_double(&rng));
    out->life = (float)exp2(3.5 * rng_double(&rng) - 1.0);
    bool is_consumed = rng_double(&rng) < 0.35;
    double interval = 3.0 + 18.0 * rng_double(&rng);
    out->interval_days = is_consumed ? (float)interval : 0.0F;
}

/* Any items of the next topic, rather such that are sold at least as long as the item itself: the
 * last of TRIES draws is taken as it is. */
static void make_complements(const struct shop *shop, size_t number, struct living_item *items)
{
    size_t topic = (shop->items[number].topic + 1U) % shop->n_topics;
    size_t first = shop->cell_first[topic * SHOP_TASTES];
    size_t n = shop->cell_first[(topic + 1) * SHOP_TASTES] - first;
    struct rng rng;

    rng_init(&rng, shop->options.seed, "shop.living.complements", 0, number);
    for (size_t c = 0; c < LIVING_COMPLEMENTS; c++) {
        size_t other = 0;
        for (size_t try = 0; try < TRIES; try++) {
            other = (size_t)shop->places[first + rng_below(&rng, n)];
            if (shop->items[other].first_day <= shop->items[number].first_day &&
                items[other].end_day >= items[number].end_day) {
                break;
            }
        }
        items[number].complements[c] = (uint32_t)other;
    }
}

enum status_code shop_living_new(const struct shop *shop, struct living **out,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t n_items = shop->options.n_items;
    struct living *living = NULL;

    TRY(MEM_NEW(&living, 1, status));
    TRY(MEM_NEW(&living->items, n_items, status));
    TRY(MEM_NEW(&living->users, shop->options.n_users, status));
    for (size_t k = 0; k < SHOP_TOPICS; k++) {
        struct rng rng;
        rng_init(&rng, shop->options.seed, "shop.living.season", 0, k);
        living->phases[k] = two_pi * rng_double(&rng);
        living->weekends[k] = rng_normal(&rng);
    }
    for (size_t i = 0; i < n_items; i++) {
        make_item(shop, i, &living->items[i]);
    }
    for (size_t i = 0; i < n_items; i++) {
        make_complements(shop, i, living->items);
    }
    *out = living;
    living = NULL;
done:
    shop_living_free(living);
    return code;
}

void shop_living_free(struct living *living)
{
    if (living == NULL) {
        return;
    }
    mem_free(living->items);
    mem_free(living->users);
    mem_free(living);
}

static bool is_sold(const struct shop *shop, size_t item, int64_t day)
{
    return day >= shop->items[item].first_day && day < shop->living->items[item].end_day;
}

int64_t shop_living_left_at(const struct shop *shop, size_t item)
{
    int32_t day = shop->living->items[item].end_day;
    return day == INT32_MAX ? 0 : shop->start + day * (int64_t)CLOCK_DAY;
}

/* What the trend adds that draws its height from `rng`, `age` days after it began. */
static double trend_at(const struct living_item *item, struct rng *rng, double age)
{
    double height = 1.0 / (0.03 + rng_double(rng));
    return age <= 0.0
               ? 0.0
               : height * (1.0 - exp2(-age / (double)item->rise)) * exp2(-age / (double)item->life);
}

double shop_living_weight(const struct shop *shop, size_t item, int64_t period)
{
    const struct living_item *living = &shop->living->items[item];
    const struct item_traits *traits = &shop->items[item];
    double share = (double)TRENDING_ITEMS / (double)shop->options.n_items;
    double time = ((double)period + 0.5) / SHOP_QUARTERS;
    int64_t day = period / SHOP_QUARTERS;
    double weight = (double)traits->base;
    struct rng rng;

    if (!is_sold(shop, item, day)) {
        return 0.0;
    }
    share = share < 1.0 ? share : 1.0;
    if (traits->first_day > 0) {
        rng_init(&rng, shop->options.seed, "newcomer", 0, item);
        if (rng_double(&rng) < share) {
            weight += trend_at(living, &rng, time - (double)traits->first_day);
        }
    }
    /* of this stretch of days and the one before: what began earlier is over */
    for (int64_t back = 0; back < 2; back++) {
        int64_t stretch = day / TREND_DAYS - back;
        rng_init(&rng, shop->options.seed, "trend", (uint64_t)(stretch + 1), item);
        if (rng_double(&rng) < 0.2 * share) {
            double start = ((double)stretch + rng_double(&rng)) * TREND_DAYS;
            weight += start > (double)traits->first_day || traits->first_day == 0
                          ? trend_at(living, &rng, time - start)
                          : 0.0;
        }
    }
    return weight;
}

void shop_living_season(const struct shop *shop, int64_t day, double weights[SHOP_TOPICS])
{
    const double year_days = 365.25;
    double angle = two_pi * (double)(shop->start / CLOCK_DAY + day) / year_days;
    bool is_weekend = shop_weekday(shop, day) >= 5;
    for (size_t k = 0; k < SHOP_TOPICS; k++) {
        weights[k] *= exp2(0.8 * sin(angle + shop->living->phases[k]) +
                           (is_weekend ? shop->living->weekends[k] : 0.0));
    }
}

/* Returns the weight that now counts: none where the item is not sold, or as good as forgotten. */
static double add_to_mix(const struct shop *shop, struct living_mix *mix, size_t item, int64_t day,
                         double weight)
{
    const double forgotten = 1e-6;
    if (weight < forgotten || !is_sold(shop, item, day)) {
        return 0.0;
    }
    mix->items[mix->n] = item;
    mix->shares[mix->n++] = weight;
    return weight;
}

/* The shares from `first` on, which add up to `sum`, then add up to `share`. */
static void scale_mix(struct living_mix *mix, size_t first, double sum, double share)
{
    for (size_t m = first; m < mix->n; m++) {
        mix->shares[m] *= share / sum;
    }
    mix->rest -= mix->n > first ? share : 0.0;
}

void shop_living_mix(const struct shop *shop, size_t user, int64_t day, struct living_mix *out)
{
    static const double wanted[LIVING_COMPLEMENTS] = {0.5, 0.3, 0.2};
    const struct living *living = shop->living;
    const struct living_user *of = &living->users[user];
    const struct memory *memory = of->day >= day ? &of->evening : &of->now;
    double sum = 0.0;

    *out = (struct living_mix){.rest = 1.0};
    for (size_t j = 0; j < LIVING_BOUGHT && memory->durables[j].item > 0; j++) {
        const struct living_item *item = &living->items[memory->durables[j].item - 1];
        double age = (double)(day - memory->durables[j].day);
        for (size_t c = 0; c < LIVING_COMPLEMENTS; c++) {
            sum += add_to_mix(shop, out, item->complements[c], day,
                              wanted[c] * exp2(-(double)j - (age - 1.0) / 6.0));
        }
    }
    scale_mix(out, 0, sum, 0.2 * sum < 0.3 ? 0.2 * sum : 0.3);

    size_t first = out->n;
    sum = 0.0;
    for (size_t j = 0; j < LIVING_STOCKS && memory->stocks[j].item > 0; j++) {
        size_t item = memory->stocks[j].item - 1;
        double age = (double)(day - memory->stocks[j].day);
        double late = age / (double)living->items[item].interval_days - 1.0;
        sum += add_to_mix(shop, out, item, day, exp((late > 0.0 ? -2.0 : -10.0) * late * late));
    }
    scale_mix(out, first, sum, 0.4 * sum / (sum + 0.5));
}

void shop_living_wake(struct shop *shop, size_t user, int64_t day)
{
    struct living_user *of = &shop->living->users[user];
    if (of->day != day) {
        of->evening = of->now;
        of->day = day;
    }
    shop_living_mix(shop, user, day, &shop->living->mix);
}

bool shop_living_draw(struct shop *shop, struct rng *rng, size_t *item)
{
    const struct living_mix *mix = &shop->living->mix;
    double x = rng_double(rng);
    for (size_t m = 0; m < mix->n; m++) {
        if (x < mix->shares[m]) {
            *item = mix->items[m];
            return true;
        }
        x -= mix->shares[m];
    }
    return false;
}

void shop_living_remember(struct shop *shop, size_t user, size_t item, int64_t day)
{
    struct memory *now = &shop->living->users[user].now;
    bool is_durable = shop->living->items[item].interval_days <= 0.0F;
    struct bought *list = is_durable ? now->durables : now->stocks;
    size_t n = is_durable ? LIVING_BOUGHT : LIVING_STOCKS;
    size_t at = 0;
    /* the item leaves its older place, else the oldest one falls out */
    while (at + 1 < n && list[at].item > 0 && list[at].item != item + 1) {
        at++;
    }
    memmove(list + 1, list, at * sizeof *list);
    list[0] = (struct bought){.item = (uint32_t)item + 1, .day = (int32_t)day};
}
