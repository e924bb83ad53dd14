/* What of a training history a basis keeps: the cap per user, the k-core, the dense numbering. */
#ifndef NIGHTJAR_EVENTS_DATASET_CORE_H
#define NIGHTJAR_EVENTS_DATASET_CORE_H

#include "events/event_log.h"

struct dataset_rules {
    enum duplicate_policy duplicates;
    double half_life;              /* seconds, 0: no decay; NAN: the log is yet to decide */
    int64_t min_user_interactions; /* k-core over pairs: every user of a basis has as many items */
    int64_t min_item_interactions; /* and every item as many users; iterated until both hold */
    int64_t max_user_interactions; /* newest pairs of a user that training sees; 0: all. Before the
                                      k-core; equal times in the order of history_tie */
    bool repeats;                  /* held-out parts keep pairs that the user had before */
};

/* What a core is taken of. */
struct core_source {
    struct ranks *ranks;       /* who have the other users; NULL: nobody */
    const struct history *raw; /* (master users, master items); times may be ordinal numbers */
    const struct vocabulary *users, *items; /* master */
    const uint8_t *lasting; /* (master items) 1: an item that stays with any user; NULL: none is */
    const char *name;       /* of the basis, in messages */
};
/* Fills users, items and train of `out` (zeroed). STATUS_DATA when nothing is left. */
MUST_CHECK enum status_code dataset_core(const struct core_source *source,
                                         const struct dataset_rules *rules, struct dataset *out,
                                         struct status *status);
/* Master codes of a core, ascending. */
struct core_codes {
    const int32_t *users, *items; /* (n_users), (n_items) */
    size_t n_users, n_items;
};

/* The same where the core has been found before: `ranks` and `lasting` are not looked at. */
MUST_CHECK enum status_code dataset_core_known(const struct core_source *source,
                                               const struct dataset_rules *rules,
                                               const struct core_codes *core, struct dataset *out,
                                               struct status *status);
/* *out (n) = a copy of the codes, the caller's; *n_out = n. Untouched on error. */
MUST_CHECK enum status_code dataset_copy_codes(const int32_t *codes, size_t n, const int32_t **out,
                                               size_t *n_out, struct status *status);
/* *codes = the ascending codes c in [0, n) with left_out[c] = 0, the caller's. */
MUST_CHECK enum status_code dataset_list_codes(const uint8_t *left_out, size_t n,
                                               const int32_t **codes, size_t *n_codes,
                                               struct status *status);
/* *keep (entries) = 1 for the `cap` newest pairs of each user, of equal times as history_tie of
 * their ids says; left NULL where that is all of them, and with cap 0. */
MUST_CHECK enum status_code history_keep_newest(const struct history *raw,
                                                const struct vocabulary *users,
                                                const struct vocabulary *items, size_t cap,
                                                uint8_t **keep, struct status *status);

#endif
