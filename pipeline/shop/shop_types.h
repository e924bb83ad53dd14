/* What a made-up shop is asked for, and what it gives. */
#ifndef NIGHTJAR_SHOP_SHOP_TYPES_H
#define NIGHTJAR_SHOP_SHOP_TYPES_H

#include "base/watch.h"
#include "base/clock.h"

enum { SHOP_TITLE_MAX = 96, SHOP_DAYS_MAX = 36500 };

/* Steady: shop.c has the model. Living: what is chosen depends on the hour and on what came last,
 * see shop_living.c. */
enum shop_kind { SHOP_STEADY, SHOP_LIVING };

struct shop_options {
    size_t n_users, n_items; /* at least 1, at most INT32_MAX */
    int64_t n_events;        /* at least 0 */
    int64_t n_days;          /* length of the log, 1 to SHOP_DAYS_MAX */
    uint64_t seed;
    int64_t until; /* Unix seconds, a midnight: the log ends before it; 0: with the year 2025 */
    enum shop_kind kind;
};

struct shop_database_options {
    struct shop_options shop;
    bool text_ids;           /* "u1", "i1", ... instead of 1, ... */
    size_t vector_numbers;   /* of the column items.image; 0: no such column */
    size_t oracle_k;         /* rows a list in the table oracle; 0: no such table */
    int64_t oracle_evenings; /* at least 1, of a living shop */
    bool force;              /* an existing file is replaced */
    struct watch watch;      /* asked now and then */
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
    int64_t left_at;    /* Unix seconds, a midnight: not sold any more; 0: it stays */
};

enum shop_event_type { SHOP_VIEW, SHOP_CART, SHOP_PURCHASE };

struct shop_event {
    size_t user, item; /* zero-based */
    enum shop_event_type type;
    int64_t created_at; /* Unix seconds */
};

#endif
