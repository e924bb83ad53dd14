/* The accepted rows of the source as columns (21 bytes a row), and their folding into histories:
 * one entry per user-item pair. Reading rows is event_reader.h, cutting them is split.h. */
#ifndef NIGHTJAR_EVENTS_EVENT_LOG_H
#define NIGHTJAR_EVENTS_EVENT_LOG_H

#include "dataset/dataset.h"
#include "events/row_report.h"
#include "ranks/ranks.h"

/* Parts are disjoint; a set of them is a sum. */
enum event_part {
    PART_TRAIN = 1,
    PART_VALID = 2,
    PART_TEST = 4,
    PART_COLD_KNOWN = 8,  /* history of a user held out on purpose */
    PART_COLD_ASKED = 16, /* held-out pairs of such a user, all pairs of such an item */
    PART_LOG = PART_TRAIN | PART_VALID | PART_TEST | PART_COLD_KNOWN | PART_COLD_ASKED
};

enum duplicate_policy {
    DUPLICATES_SUM, /* weights of the pair's events added */
    DUPLICATES_MAX, /* the largest, after decay */
    DUPLICATES_LAST /* of the newest event; of two at the same second the greater */
};

/* The type that every id of a column must have, and the row that set it. */
struct id_column {
    enum id_type type; /* ID_NONE until the first sound id */
    bool is_settled;   /* by most of the rows, after a first id that was the odd one */
    struct row_place decided_by;
};

/* Zero-initialise. */
struct event_log {
    /* Who hold the rest of the log: each rank has the events of its own users. Not owned; NULL:
       everything is here. */
    struct ranks *ranks;
    struct vocabulary users, items; /* of all ranks' items once event_log_unite_items was there */
    struct id_column user_ids, item_ids;
    bool has_times;
    int time_unit;    /* enum time_unit of the rows read so far */
    int64_t last_key; /* the greatest key read so far, INT64_MIN: none (event_query.key) */
    bool has_last;    /* the row that reading went on from was still there */
    bool reads_again; /* of another type than the ids of a rank before this one: nothing that was
                         read counts, read again with the types as they are now */
    int64_t first_ordinal; /* of the rows that are read next */
    size_t n, capacity;
    int32_t *user_codes, *item_codes; /* (n) */
    float *weights;                   /* (n) finite, > 0, before decay */
    int64_t *times;      /* (n) Unix seconds; without times the ordinal number of the row, so that
                            "later" then means later in the source */
    uint8_t *parts;      /* (n) enum event_part */
    int64_t *user_start; /* (n_users + 1) first event of each user; NULL until event_log_sort */
    uint8_t *cold_items; /* (n_items) 1: held out on purpose, see split_hold_out_cold; NULL: none */
    /* Where rows of the same source go that are dislikes (weight 1, vocabularies of their own);
       not owned. NULL: they are left out. */
    struct event_log *dislikes;
    /* Where rows of the same source go that count for nothing (weight 1, vocabularies of their
       own): their users have seen their items all the same; not owned. NULL: they are left out. */
    struct event_log *seen;
};

MUST_CHECK enum status_code event_log_add(struct event_log *log, int32_t user, int32_t item,
                                          float weight, int64_t time, enum event_part part,
                                          struct status *status);
/* Renumbers users and items so that ids ascend, and orders events by user, item and then as the
 * duplicate policy asks; rows that are equal in that stay in the order of the source. */
MUST_CHECK enum status_code event_log_sort(struct event_log *log, enum duplicate_policy duplicates,
                                           struct status *status);
/* Under several ranks: the items of all of them, instead of those of this one's events. Before
 * event_log_sort. */
MUST_CHECK enum status_code event_log_unite_items(struct event_log *log, struct status *status);
/* The newest time among the events of `parts` that are here; *found false when there are none. */
int64_t event_log_newest(const struct event_log *log, unsigned parts, bool *found);
/* The same of all ranks. */
MUST_CHECK enum status_code event_log_newest_of_all(const struct event_log *log, unsigned parts,
                                                    int64_t *newest, bool *found,
                                                    struct status *status);
/* One past the last event of the pair that starts at event `e` of a sorted log. */
size_t event_log_pair_end(const struct event_log *log, size_t e);

/* out (users, items) = the pairs that have an event in `parts`. A weight w at age a counts as
 * w 2^(-a / half_life_seconds), a measured from the newest event of `parts`, but never less than
 * the smallest normal float; 0 means no decay. `out` zeroed; its times are always there (ordinal
 * numbers without times). */
MUST_CHECK enum status_code event_log_fold(const struct event_log *log, unsigned parts,
                                           enum duplicate_policy duplicates,
                                           double half_life_seconds, struct history *out,
                                           struct status *status);
/* A folded weight as a float that is normal and > 0. */
float event_log_weight(double weight);
void event_log_release(struct event_log *log);

#endif
