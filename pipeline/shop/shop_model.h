/* The model as it stands: items, what a user is like, the walk through the log. Shared by the files
 * of the made-up shop only. */
#ifndef NIGHTJAR_SHOP_SHOP_MODEL_H
#define NIGHTJAR_SHOP_SHOP_MODEL_H

#include "base/clock.h"
#include "base/rng.h"
#include "shop/shop_names.h"
#include "shop/shop_types.h"

enum {
    SHOP_BANDS = 3,
    SHOP_TASTES = SHOP_STYLES * SHOP_BANDS,
    SHOP_CELLS = SHOP_TOPICS * SHOP_TASTES,
    SHOP_LATENTS = 4, /* dimension of what people are like */
    SHOP_HOURS = 24,
    SHOP_QUARTERS = 4 /* periods of a day in a living shop */
};

#define SHOP_LOG_END INT64_C(1767225600) /* 2026-01-01T00:00:00Z, a Thursday */

/* What never changes of an item. */
struct item_traits {
    float base;               /* popularity weight before drift */
    float period_days, phase; /* of the drift */
    int32_t first_day;        /* sold from this day of the log on; 0: from the beginning */
    uint32_t ordinal;         /* among the items of its topic and style: the title's number */
    uint8_t topic, style, band;
};

/* What a user is like; a function of (seed, number). */
struct user_traits {
    double before[SHOP_TOPICS]; /* interests add up to 1, before and */
    double after[SHOP_TOPICS];  /* after they have drifted */
    double drift_day;           /* the middle of the change */
    double style[SHOP_STYLES];  /* factors on an item's weight */
    double band[SHOP_BANDS];
    double curiosity; /* the share of views that have nothing to do with interests */
};

/* Popularity in one period, items grouped by cell (topic, style, band). A period is a day, in a
 * living shop a quarter of one. */
struct period_table {
    int64_t period;                  /* since the log began; -1: not built yet */
    double *running;                 /* (n_items) running sums of w within each cell, by place */
    double cells[SHOP_CELLS];        /* the sum of each cell */
    double cell_running[SHOP_CELLS]; /* running sums over the cells; the last one is W */
};

/* Where the walk through the log stands. */
struct shop_walk {
    struct rng rng;
    struct period_table table;
    int64_t n_given;
    int64_t slot;        /* hours since start, -1: not begun */
    double traffic_done; /* of the hours up to and with `slot` */
    size_t n_users;      /* registered when the slot began */
    /* the running session */
    struct user_traits user;
    struct shop_event event; /* the last one given */
    size_t topic;
    int64_t n_views_left;
    enum shop_event_type pending; /* what follows the last event, SHOP_VIEW: nothing */
    bool pending_purchase;        /* the cart that is pending is bought */
};

struct shop {
    struct shop_options options;
    int64_t start;
    int64_t n_periods; /* a day */
    size_t n_topics;   /* fewer than SHOP_TOPICS only when there are fewer items */
    size_t n_old_users, n_old_items;
    double topic_profiles[SHOP_TOPICS][SHOP_LATENTS]; /* unit length */
    double style_profiles[SHOP_STYLES][SHOP_LATENTS];
    struct item_traits *items;                /* (n_items) */
    int32_t *places;                          /* (n_items) item numbers grouped by cell */
    size_t cell_first[SHOP_CELLS + 1];        /* into `places` */
    double *activity_running;                 /* (n_users) running sums */
    double traffic_total;                     /* over all hours of the log */
    struct period_table query[SHOP_QUARTERS]; /* for shop_probabilities */
    struct living *living;                    /* NULL in a steady shop */
    struct shop_walk walk;
};

/* shop_traits.c */
void shop_make_profiles(struct shop *shop);
void shop_make_user(const struct shop *shop, size_t user, struct user_traits *out);
int64_t shop_user_created_at(const struct shop *shop, size_t user);
/* theta_u in a period: (SHOP_TOPICS), adds up to 1. */
void shop_interests(const struct shop *shop, const struct user_traits *user, int64_t period,
                    double theta[SHOP_TOPICS]);
/* All traits but `base`, which needs a rank among the others, and `ordinal`. */
void shop_make_item(const struct shop *shop, size_t number, struct item_traits *out);
size_t shop_draw_weighted(struct rng *rng, const double *weights, size_t n);

/* shop_walk.c */
void shop_build_table(const struct shop *shop, int64_t period, struct period_table *table);
/* The weight of each taste of a topic for a user: out is (SHOP_TASTES); returns their sum, Z. */
double shop_taste_weights(const struct user_traits *user, const struct period_table *table,
                          size_t topic, double out[SHOP_TASTES]);
/* The relative number of events in an hour of the log. */
double shop_traffic(const struct shop *shop, int64_t slot);
/* A number below 7, Monday first. */
static inline size_t shop_weekday(const struct shop *shop, int64_t day)
{
    /* 1970-01-01 was a Thursday; whole weeks keep the sum positive for logs that begin earlier */
    return (size_t)((shop->start / CLOCK_DAY + day + 3 + INT64_C(7) * 10000) % 7);
}

#endif
