/* What a living shop has beyond a steady one, for the files of the made-up shop only. The model is
 * described at the top of shop_living.c. */
#ifndef NIGHTJAR_SHOP_SHOP_LIVING_H
#define NIGHTJAR_SHOP_SHOP_LIVING_H

#include "shop/shop_model.h"

enum {
    LIVING_COMPLEMENTS = 3, /* of an item */
    LIVING_BOUGHT = 4,      /* durable items that a user remembers to have bought */
    LIVING_STOCKS = 12,     /* consumable ones */
    LIVING_MIX = LIVING_BOUGHT * LIVING_COMPLEMENTS + LIVING_STOCKS
};

/* What a view of a user's on one day is if it is due to what was bought before: item items[m] with
 * probability shares[m] (an item may stand twice). With probability `rest` it is any other view. */
struct living_mix {
    size_t n;
    size_t items[LIVING_MIX];
    double shares[LIVING_MIX];
    double rest;
};

struct living;

/* After the items of the shop are made. */
MUST_CHECK enum status_code shop_living_new(const struct shop *shop, struct living **out,
                                            struct status *status);
void shop_living_free(struct living *living); /* NULL allowed */

int64_t shop_living_left_at(const struct shop *shop, size_t item); /* 0: it stays */
/* w_i(t) of a period but for its season; 0 where the item is not sold. */
double shop_living_weight(const struct shop *shop, size_t item, int64_t period);
/* Multiplies each topic's weight by the season and the weekday. */
void shop_living_season(const struct shop *shop, int64_t day, double weights[SHOP_TOPICS]);

void shop_living_mix(const struct shop *shop, size_t user, int64_t day, struct living_mix *out);

/* The walk: a session begins; whether its next view is due to a purchase, and of which item; an
 * item was bought. */
void shop_living_wake(struct shop *shop, size_t user, int64_t day);
bool shop_living_draw(struct shop *shop, struct rng *rng, size_t *item);
void shop_living_remember(struct shop *shop, size_t user, size_t item, int64_t day);

#endif
