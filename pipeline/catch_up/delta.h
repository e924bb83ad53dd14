/* The delta: what a log has beyond a base, an artifact "interactions" that an earlier run has made
 * of it and that stays as it is. The rows that came since are folded among themselves; to whoever
 * reads the interactions the two are merged in memory, which gives what reading everything at once
 * would have given (weights up to the rounding of floats).
 *
 *      base    100 million rows, made once a week         artifact "interactions"
 *      delta   the rows since then, folded                arrays "news.*" of the artifact "towers"
 *      base + delta -interactions_merge--> interactions   of tonight: log, dislikes, the ALL basis
 *
 * Only the ALL basis is merged; settings are not chosen anew on a delta, so FIT is empty. */
#ifndef NIGHTJAR_CATCH_UP_DELTA_H
#define NIGHTJAR_CATCH_UP_DELTA_H

#include "events/extract.h"
#include "events/new_events.h"

/* Zero-initialise. */
struct delta {
    struct vocabulary users, items; /* of the new rows, ascending; the base may know them */
    /* (users, items) the pairs of new rows. Times are always there: ordinal numbers of rows where
       the log has none. Weights are those at `newest`. */
    struct history log;
    struct history disliked;  /* the pairs of new dislikes, without values; zero rows: none */
    struct seen_pairs seen;   /* of new rows that count for nothing */
    struct new_events events; /* what the log is folded of, in the delta's codes; `had` NULL. None
                                 without times, or in a delta of an older nightjar */
    bool has_times;
    int64_t newest;             /* time of the newest new row that is no dislike; 0: none */
    int64_t n_rows, n_rejected; /* of base and delta together */
    size_t n_events, n_dislikes, n_seen; /* new rows of each kind */
    struct dataset_rules rules;
    /* Of base and delta together, NULL and 0 until they have been merged once: (n) master codes of
       the ALL basis, ascending; pairs of the log. */
    const int32_t *core_users, *core_items;
    size_t n_core_users, n_core_items, n_pairs;
    bool is_view; /* the arrays belong to an artifact */
};

/* Folds the rows of `extraction`, whose log and dislikes are used up. `out` zeroed. */
MUST_CHECK enum status_code delta_build(struct extraction *extraction,
                                        const struct dataset_rules *rules, struct delta *out,
                                        struct status *status);
/* Moves everything into the artifact; `delta` stays usable as a view. On error it is to be released
 * all the same. */
MUST_CHECK enum status_code delta_save(struct delta *delta, struct artifact *artifact,
                                       struct status *status);
/* A view over the artifact, which must outlive it; *found false: it has none. */
MUST_CHECK enum status_code delta_load(struct delta *delta, const struct artifact *artifact,
                                       bool *found, struct status *status);
void delta_release(struct delta *delta);

/* out = base and delta together. Where the delta has the core's codes, they are taken as they are,
 * else the core is found. `spill` as of spill_new, for the large arrays. `out` zeroed. */
MUST_CHECK enum status_code interactions_merge(const struct interactions *base,
                                               const struct delta *delta, const char *spill,
                                               struct interactions *out, struct status *status);
/* The same without any history: vocabularies, facts, and users and items of the ALL basis. A delta
 * that has been merged before; of the base no history is looked at. */
MUST_CHECK enum status_code interactions_merge_ids(const struct interactions *base,
                                                   const struct delta *delta,
                                                   struct interactions *out, struct status *status);
/* What happened since `base`, the events of the base, has all: those and the delta's as one, in the
 * codes of `merged`. The base's log must be there. `out` zeroed; *found false: the delta does not
 * have its events. */
MUST_CHECK enum status_code new_events_merge(const struct interactions *base,
                                             const struct new_events *base_events,
                                             const struct delta *delta,
                                             const struct interactions *merged,
                                             struct new_events *out, bool *found,
                                             struct status *status);
/* Remembers in `delta` what the merge has found: the core and the number of pairs. */
MUST_CHECK enum status_code delta_remember_core(struct delta *delta,
                                                const struct interactions *merged,
                                                struct status *status);

#endif
