/* A made-up shop whose truth is known: a generative model of users, items and events, for the demo,
 * tests and benchmarks. The model is described at the top of shop.c. Equal options give equal
 * results. Memory is O(users + items), whatever the number of events. */
#ifndef NIGHTJAR_SHOP_SHOP_H
#define NIGHTJAR_SHOP_SHOP_H

#include "base/status.h"

enum { SHOP_TITLE_MAX = 96, SHOP_DAY_SECONDS = 86400, SHOP_DAYS_MAX = 36500 };

struct shop_options {
    size_t n_users, n_items; /* at least 1, at most INT32_MAX */
    int64_t n_events;        /* at least 0 */
    int64_t n_days;          /* length of the log, 1 to SHOP_DAYS_MAX */
    uint64_t seed;
};

struct shop_user {
    const char *country; /* two letters */
    const char *segment; /* "budget", "standard" or "premium": a noisy sign of the price taste */
    int64_t created_at;  /* Unix seconds */
};

struct shop_item {
    char title[SHOP_TITLE_MAX]; /* unique in the shop */
    const char *category;
    int64_t price_cents;
    int64_t created_at; /* Unix seconds; sold from the next midnight on */
};

enum shop_event_type { SHOP_VIEW, SHOP_CART, SHOP_PURCHASE };

struct shop_event {
    size_t user, item; /* zero-based */
    enum shop_event_type type;
    int64_t created_at; /* Unix seconds */
};

struct shop;

/* STATUS_USAGE when an option is out of range. */
MUST_CHECK enum status_code shop_new(const struct shop_options *options, struct shop **out,
                                     struct status *status);
void shop_free(struct shop *shop); /* NULL allowed */

int64_t shop_start(const struct shop *shop);            /* Unix seconds, a midnight: the log is */
int64_t shop_end(const struct shop *shop);              /* in [start, end) */
const char *shop_event_name(enum shop_event_type type); /* "view", "cart", "purchase" */

void shop_user(const struct shop *shop, size_t user, struct shop_user *out);
void shop_item(const struct shop *shop, size_t item, struct shop_item *out);

/* The next event of the log, false when all n_events were given. Hour follows hour; within an hour
 * whole sessions follow one another. */
bool shop_next_event(struct shop *shop, struct shop_event *out);

/* The exact probability of each item to be what `user` looks at next on a day of the log
 * (0 .. n_days - 1): probabilities is (n_items), sums to 1, 0 for items not sold yet. Independent
 * of shop_next_event and of what it has given so far, but resets no state of it either: may be
 * called at any time. */
void shop_probabilities(struct shop *shop, size_t user, int64_t day, double *probabilities);

#endif
