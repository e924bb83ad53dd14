/* What a made-up shop is asked for, and what it gives. */
#ifndef NIGHTJAR_SHOP_SHOP_TYPES_H
#define NIGHTJAR_SHOP_SHOP_TYPES_H

#include "base/status.h"

enum { SHOP_TITLE_MAX = 96, SHOP_DAY_SECONDS = 86400, SHOP_DAYS_MAX = 36500 };

struct shop_options {
    size_t n_users, n_items; /* at least 1, at most INT32_MAX */
    int64_t n_events;        /* at least 0 */
    int64_t n_days;          /* length of the log, 1 to SHOP_DAYS_MAX */
    uint64_t seed;
    int64_t until; /* Unix seconds, a midnight: the log ends before it; 0: with the year 2025 */
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

#endif
