/* Who stands beside whom in a history: for every interaction, the span of the same user's
 * interactions that lie within the pairing window. Made once for item_pairs.c or transitions.c, in
 * the order in which an item-by-item product wants it. */
#ifndef NIGHTJAR_PAIRS_PAIR_WINDOWS_H
#define NIGHTJAR_PAIRS_PAIR_WINDOWS_H

#include "base/pool.h"
#include "base/watch.h"
#include "dataset/crowd.h"

/* What sums of shares are counted in: of shares up to 1 as many as there can be users, INT32_MAX,
 * fit into an int64_t. */
#define PAIR_UNIT 0x1p-32

/* PAIR_FOLLOWING takes the history as steps: events of one and the same time, which have no order
 * among themselves. Partners are the events of the steps behind the own one, up to max_positions
 * steps away, and beyond PAIR_STEPS_LEAST steps only while fewer than max_positions events lie in
 * between. */
enum pair_window { PAIR_WHOLE_HISTORY, PAIR_TIME_GAP, PAIR_POSITIONS, PAIR_FOLLOWING };
enum {
    PAIR_STEPS_LEAST = 3,
    PAIR_STEP_MOST = 64 /* events that count of a step: those that history_tie puts first */
};

struct pair_settings {
    enum pair_window window;
    int64_t max_gap;       /* PAIR_TIME_GAP: seconds between the two events */
    size_t max_positions;  /* PAIR_POSITIONS, PAIR_FOLLOWING: distance in the ordered history */
    int weighting;         /* index into pair_weighting_names */
    double min_count;      /* pairs seen by fewer users are dropped */
    size_t top;            /* strongest partners kept per item */
    size_t max_user_items; /* a longer history counts with its newest items only (of equal
                              times, or without, with those that history_tie says); 0: no cap */
    struct watch watch;    /* told in additions */
    struct crowd crowd;    /* whose histories they are */
};

/* partners = items[first .. first + length), the interaction itself among them; of PAIR_FOLLOWING
 * without it: where there are any, the entry before `first` is of its step */
struct pair_span {
    int64_t first;
    int32_t length;
    int32_t user;
};

/* Of a counted entry: which step of its history, ascending, and how many events count in that; 0:
 * it is beyond PAIR_STEP_MOST and nobody's partner. */
struct pair_step {
    int32_t number, size;
};

/* Zero-initialise. "Counted" is what max_user_items leaves of a history. */
struct pair_windows {
    size_t n_users, n_items;
    int64_t *user_offsets; /* (n_users + 1) into items */
    int64_t *shares;       /* (n_users) 1 / counted entries, of PAIR_UNIT */
    int32_t *items;        /* (counted entries) by user; in time order where the window needs it */
    struct pair_step *steps; /* (counted entries) as items; NULL but for PAIR_FOLLOWING */
    int64_t *item_offsets;   /* (n_items + 1) into spans */
    struct pair_span *spans; /* (counted entries) by item, within an item by ascending user */
};

/* A window on histories without times is STATUS_CONFIG; `windows` is then empty. */
MUST_CHECK enum status_code pair_windows_init(struct pair_windows *windows,
                                              const struct history *train,
                                              const struct pair_settings *settings,
                                              struct pool *pool, struct status *status);
/* Where the steps end that PAIR_FOLLOWING pairs with the one before the place `at`; steps (n) of
 * one history. */
size_t pair_steps_end(const struct pair_step *steps, size_t n, size_t at, size_t reach);
void pair_windows_release(struct pair_windows *windows);

#endif
