/* Cutting a sorted event log into train, validation and test. */
#ifndef NIGHTJAR_EVENTS_SPLIT_H
#define NIGHTJAR_EVENTS_SPLIT_H

#include "config/option.h"
#include "events/event_log.h"

enum split_by { SPLIT_AUTO, SPLIT_TIME, SPLIT_LEAVE_LAST, SPLIT_RANDOM, SPLIT_NONE, N_SPLITS };
extern const char *const split_by_names[N_SPLITS + 1]; /* ends with NULL */

/* How much of the log a part takes. */
struct split_amount {
    enum { SPLIT_NOTHING, SPLIT_SECONDS, SPLIT_COUNT, SPLIT_FRACTION } kind;
    double value; /* seconds, pairs per user, or a fraction in (0, 1) */
};

struct split_settings {
    enum split_by by;
    struct split_amount valid, test;
    uint64_t seed;
    double cold_users, cold_items; /* shares in [0, 1) held out on purpose */
    int repeats;                   /* CHOICE_*: whether the parts keep what a user had before */
};

/* Reads "7d", "2" or "0.1" as what `by` takes; "0" is nothing. On a mistake writes what is allowed
 * to `why` and returns false. */
bool split_amount_parse(enum split_by by, const char *text, struct split_amount *amount, char *why,
                        size_t why_capacity);

/* Sets the part of every PART_TRAIN event of the sorted log, by what all ranks' logs come to; other
 * events (of a given validation table) stay as they are.
 *
 *   time:       test is what came in the newest `test` seconds (time > newest - test), validation
 *               the `valid` seconds before. A fraction f is the shortest such end of the log that
 *               holds at most f of the events; events of one second stay together.
 *   leave_last: of each user's pairs, by their newest event, the last go to test, those before to
 *               validation; users with too few pairs to leave one in train stay in train. Pairs
 *               with the same second: in a random order of (seed, user id, item id). Without times:
 *               by the order of rows.
 *   random:     of each user's pairs a random part, drawn by a stream of (seed, user id), rounded
 *               up or down at random so that the expectation is exact; one pair stays in train.
 *   auto:       time with times, else random. none: everything stays in train.
 * By pairs, all events of a pair go to one part. Who is held out on purpose is drawn first and has
 * no event in the other parts. Dislikes (log->dislikes, sorted) leave train when they are newer
 * than the border of `time`, or no older than the user's first held-out event of leave_last; random
 * has no before and after, so there they all stay. What was only seen (log->seen, sorted) goes with
 * its pair where that is held out by user, else with the part in whose time it came. Errors:
 * STATUS_DATA when a cut leaves nothing in train, STATUS_CONFIG for `time` without times. */
MUST_CHECK enum status_code split_assign(const struct split_settings *settings,
                                         struct event_log *log, struct status *status);

/* Whether each user's parts are drawn, of a log with times or without. */
bool split_is_random(const struct split_settings *settings, bool has_times);
/* *repeats = whether parts of the sorted log, which is not yet split, are to keep pairs that their
 * users had before. auto: where *share is SPLIT_REPEATS or more, the share of the newest tenth's
 * events whose user had the item before that tenth began (0 without times); never where whole pairs
 * are held out, of which no event is left to come back to. */
MUST_CHECK enum status_code split_repeats(const struct split_settings *settings,
                                          const struct event_log *log, bool *repeats, double *share,
                                          struct status *status);
#define SPLIT_REPEATS 0.25

/* Draws each item with the chance `cold_items`, then each user that has two pairs or more with
 * other items with the chance `cold_users`, by streams of (seed, id). Sets log->cold_items and
 * the parts of their events, given ones too: every pair of a drawn item becomes
 * PART_COLD_ASKED; of a drawn user's other pairs the last fifth, at least one, PART_COLD_ASKED and
 * the rest PART_COLD_KNOWN. Last: by the newest event, those of one second, and all
 * without times, at random. With shares of 0 nothing happens. STATUS_DATA when no event is
 * left. split_assign calls it. */
MUST_CHECK enum status_code split_hold_out_cold(const struct split_settings *settings,
                                                struct event_log *log, struct status *status);

/* ---- the pairs of a user: split_pairs.c ---- */

/* The events of one user and item. */
struct user_pair {
    size_t first, end;
    int64_t newest;
    int32_t item;
    uint64_t tie; /* set by split_order_pairs */
};

/* The user's pairs that have an event in `parts`, in item order; `newest` is that of these events.
 * Returns how many. */
size_t split_list_pairs(const struct event_log *log, size_t user, unsigned parts,
                        struct user_pair *pairs);
/* By their newest event; those of one second in a random order of (seed, user id, item id). */
void split_order_pairs(const struct split_settings *settings, const struct event_log *log,
                       size_t user, struct user_pair *pairs, size_t n);
/* Moves the pair's events of `parts` to `part`. */
void split_set_part(struct event_log *log, const struct user_pair *pair, unsigned parts,
                    enum event_part part);
size_t split_longest_user(const struct event_log *log); /* events */

#endif
