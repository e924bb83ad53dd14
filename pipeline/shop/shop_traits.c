/* What the users and items of the made-up shop are like: functions of (seed, number). The model is
 * described at the top of shop.c. */
#include "shop/shop.h"
#include "shop/shop_model.h"
#include "shop/shop_living.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const double two_pi = 6.283185307179586476925;

size_t shop_draw_weighted(struct rng *rng, const double *weights, size_t n)
{
    double total = 0.0;
    for (size_t i = 0; i < n; i++) {
        total += weights[i];
    }
    double x = rng_double(rng) * total;
    size_t last = 0;
    for (size_t i = 0; i < n; i++) {
        if (weights[i] > 0.0) {
            last = i;
            if (x < weights[i]) {
                return i;
            }
        }
        x -= weights[i];
    }
    return last; /* rounding ate the rest */
}

static double topic_weight(size_t topic)
{
    return 1.0 / sqrt((double)topic + 3.0);
}

static double dot(const double *a, const double *b)
{
    double sum = 0.0;
    for (size_t d = 0; d < SHOP_LATENTS; d++) {
        sum += a[d] * b[d];
    }
    return sum;
}

static void make_profile(const struct shop *shop, const char *purpose, size_t number, double *out)
{
    struct rng rng;
    rng_init(&rng, shop->options.seed, purpose, 0, number);
    for (size_t d = 0; d < SHOP_LATENTS; d++) {
        out[d] = rng_normal(&rng);
    }
    double length = sqrt(dot(out, out));
    for (size_t d = 0; d < SHOP_LATENTS; d++) {
        out[d] /= length;
    }
}

void shop_make_profiles(struct shop *shop)
{
    for (size_t k = 0; k < SHOP_TOPICS; k++) {
        make_profile(shop, "shop.topic", k, shop->topic_profiles[k]);
    }
    for (size_t s = 0; s < SHOP_STYLES; s++) {
        make_profile(shop, "shop.style", s, shop->style_profiles[s]);
    }
}

static void interests_of(const struct shop *shop, const double *latent, double out[SHOP_TOPICS])
{
    const double sharpness = 1.6;
    double total = 0.0;
    for (size_t k = 0; k < SHOP_TOPICS; k++) {
        out[k] = k < shop->n_topics
                     ? topic_weight(k) * exp(sharpness * dot(shop->topic_profiles[k], latent))
                     : 0.0;
        total += out[k];
    }
    for (size_t k = 0; k < SHOP_TOPICS; k++) {
        out[k] /= total;
    }
}

void shop_make_user(const struct shop *shop, size_t user, struct user_traits *out)
{
    /* shares of the standard deviation that are new after the drift, or a user's own */
    const double moved = shop->living != NULL ? 0.6 : 0.2;
    const double own = 0.2;
    double latent[SHOP_LATENTS];
    double later[SHOP_LATENTS];
    struct rng rng;

    rng_init(&rng, shop->options.seed, "shop.user", 0, user);
    for (size_t d = 0; d < SHOP_LATENTS; d++) {
        latent[d] = rng_normal(&rng);
        later[d] = sqrt(1.0 - moved * moved) * latent[d] + moved * rng_normal(&rng);
    }
    interests_of(shop, latent, out->before);
    interests_of(shop, later, out->after);
    for (size_t s = 0; s < SHOP_STYLES; s++) {
        double shared = dot(shop->style_profiles[s], latent);
        out->style[s] = exp(1.4 * (sqrt(1.0 - own * own) * shared + own * rng_normal(&rng)));
    }
    double thrift = 0.8 * rng_normal(&rng);
    for (size_t b = 0; b < SHOP_BANDS; b++) {
        out->band[b] = exp(thrift * (1.0 - (double)b));
    }
    double r = rng_double(&rng);
    out->curiosity = 0.1 + 0.7 * r * r;
    out->drift_day = rng_double(&rng) * (double)shop->options.n_days;
}

void shop_interests(const struct shop *shop, const struct user_traits *user, int64_t period,
                    double theta[SHOP_TOPICS])
{
    const double change_days = 30.0;
    int64_t day = period / shop->n_periods;
    double moved = ((double)day - user->drift_day) / change_days + 0.5;
    moved = moved < 0.0 ? 0.0 : moved > 1.0 ? 1.0 : moved;
    for (size_t k = 0; k < SHOP_TOPICS; k++) {
        theta[k] = (1.0 - moved) * user->before[k] + moved * user->after[k];
    }
    if (shop->living != NULL) {
        shop_living_season(shop, day, theta);
        double total = 0.0;
        for (size_t k = 0; k < SHOP_TOPICS; k++) {
            total += theta[k];
        }
        for (size_t k = 0; k < SHOP_TOPICS; k++) {
            theta[k] /= total;
        }
    }
}

/* Numbers are given in the order of time: how far a newcomer (or one of those who were there from
 * the beginning) stands among its kind, in [0, 1), shaken by less than one place. */
static double part_of_kind(const struct shop *shop, const char *purpose, size_t number,
                           size_t n_old, size_t n)
{
    struct rng rng;
    rng_init(&rng, shop->options.seed, purpose, 0, number);
    double shaken = rng_double(&rng);
    return number < n_old ? ((double)number + shaken) / (double)n_old
                          : ((double)(number - n_old) + shaken) / (double)(n - n_old);
}

int64_t shop_user_created_at(const struct shop *shop, size_t user)
{
    const double days_before = 700.0;
    size_t n_old = shop->n_old_users;
    double part = part_of_kind(shop, "shop.user.created", user, n_old, shop->options.n_users);
    return user < n_old
               ? shop->start - 1 - (int64_t)((1.0 - part) * days_before * CLOCK_DAY)
               : shop->start + (int64_t)(part * (double)(shop->options.until - shop->start));
}

static int64_t item_created_at(const struct shop *shop, size_t item)
{
    const double days_before = 900.0;
    size_t n_old = shop->n_old_items;
    double part = part_of_kind(shop, "shop.item.created", item, n_old, shop->options.n_items);
    double late = (1.0 + 2.0 * part) / 3.0;
    return item < n_old
               ? shop->start - 1 - (int64_t)((1.0 - part) * days_before * CLOCK_DAY)
               : shop->start + (int64_t)(late * (double)(shop->options.until - shop->start));
}

void shop_make_item(const struct shop *shop, size_t number, struct item_traits *out)
{
    double weights[SHOP_TOPICS];
    struct rng rng;

    for (size_t k = 0; k < SHOP_TOPICS; k++) {
        weights[k] = topic_weight(k);
    }
    rng_init(&rng, shop->options.seed, "shop.item", 0, number);
    size_t drawn = shop_draw_weighted(&rng, weights, shop->n_topics);
    /* the first ones see to it that no topic is ever empty */
    out->topic = (uint8_t)(number < shop->n_topics ? number : drawn);
    out->style = (uint8_t)rng_below(&rng, SHOP_STYLES);
    out->band = (uint8_t)rng_below(&rng, SHOP_BANDS);
    out->period_days = (float)(60.0 + 180.0 * rng_double(&rng));
    out->phase = (float)(two_pi * rng_double(&rng));
    int64_t since = item_created_at(shop, number) - shop->start;
    out->first_day = since < 0 ? 0 : (int32_t)((since + CLOCK_DAY - 1) / CLOCK_DAY);
}

void shop_user(const struct shop *shop, size_t user, struct shop_user *out)
{
    static const char *const segments[SHOP_BANDS] = {"budget", "standard", "premium"};
    struct user_traits traits;
    struct rng rng;
    double shares[SHOP_COUNTRIES];

    assert(user < shop->options.n_users);
    shop_make_user(shop, user, &traits);
    rng_init(&rng, shop->options.seed, "shop.user.shown", 0, user);
    for (size_t c = 0; c < SHOP_COUNTRIES; c++) {
        shares[c] = shop_countries[c].share;
    }
    out->country = shop_countries[shop_draw_weighted(&rng, shares, SHOP_COUNTRIES)].code;
    /* drawn by the band taste itself: often, not always, the favourite band */
    out->segment = segments[shop_draw_weighted(&rng, traits.band, SHOP_BANDS)];
    out->created_at = shop_user_created_at(shop, user);
}

void shop_item(const struct shop *shop, size_t item, struct shop_item *out)
{
    static const double band_factor[SHOP_BANDS] = {0.45, 1.0, 2.3};
    struct rng rng;

    assert(item < shop->options.n_items);
    const struct item_traits *traits = &shop->items[item];
    const struct shop_topic *topic = &shop_topics[traits->topic];
    rng_init(&rng, shop->options.seed, "shop.item.shown", 0, item);
    double price = topic->price * band_factor[traits->band] * exp(0.2 * rng_normal(&rng));
    shop_title(traits->topic, traits->style, traits->ordinal, out->title, sizeof out->title);
    out->category = topic->category;
    out->price_cents = ((int64_t)price + 1) * 100 - (rng_below(&rng, 3) == 0 ? 10 : 1);
    out->created_at = item_created_at(shop, item);
    out->left_at = shop->living != NULL ? shop_living_left_at(shop, item) : 0;
}

/* out (n) += scale x the direction of what `purpose` and `number` name, of length about 1. */
static void add_direction(const struct shop *shop, const char *purpose, size_t number, double scale,
                          size_t n, float *out)
{
    struct rng rng;
    rng_init(&rng, shop->options.seed, purpose, 0, number);
    for (size_t i = 0; i < n; i++) {
        out[i] += (float)(scale * rng_normal(&rng) / sqrt((double)n));
    }
}

void shop_item_vector(const struct shop *shop, size_t item, size_t n, float *out)
{
    const double noise = 0.5 * sqrt(3.0);
    const struct item_traits *traits = &shop->items[item];
    memset(out, 0, n * sizeof *out);
    add_direction(shop, "shop.vector.topic", traits->topic, 1.0, n, out);
    add_direction(shop, "shop.vector.style", traits->style, 1.0, n, out);
    add_direction(shop, "shop.vector.band", traits->band, 1.0, n, out);
    add_direction(shop, "shop.vector.shared", 0, 2.0, n, out);
    add_direction(shop, "shop.vector.noise", item, noise, n, out);
}
