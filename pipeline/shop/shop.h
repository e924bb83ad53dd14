/* A made-up shop whose truth is known: a generative model of users, items and events, for the demo,
 * tests and benchmarks. The model is described at the top of shop.c, that of the other kind, a
 * living shop, at the top of shop_living.c. Equal options give equal results. Memory is
 * O(users + items), whatever the number of events.
 *
 *     struct shop *shop = NULL;
 *     struct shop_event event;
 *     TRY(shop_new(&options, &shop, status));
 *     while (shop_next_event(shop, &event)) ...            the log, hour by hour
 *     shop_probabilities(shop, user, day, out);            what the oracle knows of a user's day
 *     shop_free(shop);
 *
 * shop_database.h writes all of it into an SQLite file. */
#ifndef NIGHTJAR_SHOP_SHOP_H
#define NIGHTJAR_SHOP_SHOP_H

#include "shop/shop_types.h"

struct shop;

/* STATUS_USAGE when an option is out of range. */
MUST_CHECK enum status_code shop_new(const struct shop_options *options, struct shop **out,
                                     struct status *status);
void shop_free(struct shop *shop); /* NULL allowed */

int64_t shop_start(const struct shop *shop); /* Unix seconds, a midnight: the log's n_days begin */
const char *shop_event_name(enum shop_event_type type); /* "view", "cart", "purchase" */

void shop_user(const struct shop *shop, size_t user, struct shop_user *out);
void shop_item(const struct shop *shop, size_t item, struct shop_item *out);
/* out (n) = what a picture of the item might give as a vector: a direction of its topic, one of its
 * style and one of its price band, one that all items share, and noise of half their length. */
void shop_item_vector(const struct shop *shop, size_t item, size_t n, float *out);

/* The next event of the log, false when all n_events were given. Hour follows hour; within an hour
 * whole sessions follow one another. */
bool shop_next_event(struct shop *shop, struct shop_event *out);

/* The exact probability of each item to be what `user` looks at next on a day of the log
 * (0 .. n_days - 1): probabilities is (n_items), sums to 1, 0 for items not sold yet. Independent
 * of shop_next_event and of what it has given so far, but resets no state of it either: may be
 * called at any time.
 * In a living shop what came before a day counts: exact for each view of the day while
 * shop_next_event has given all events before it and none after it. */
void shop_probabilities(struct shop *shop, size_t user, int64_t day, double *probabilities);

#endif
