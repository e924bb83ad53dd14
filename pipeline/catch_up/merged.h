/* The interactions as they are tonight: what the stage interactions has read, and what catch_up has
 * added since. Whoever stands behind catch_up loads them here; without a delta this is
 * interactions_load. */
#ifndef NIGHTJAR_CATCH_UP_MERGED_H
#define NIGHTJAR_CATCH_UP_MERGED_H

#include "pairs/evidence.h"
#include "catch_up/delta.h"
#include "run/context.h"

enum merged_depth {
    MERGED_IDS, /* with a delta no histories: ids, facts, who and what is in the ALL basis */
    MERGED_LOG, /* with a delta everything of the log, and the ALL basis; no delta: all there is */
    MERGED_EVENTS /* that, and of the input new_events what happened since, too */
};

/* Zero-initialise. */
struct merged {
    struct interactions interactions;
    int32_t *item_of;    /* (n_base_items) column in ALL of each item that the base's ALL has, or
                            -1; NULL: no delta */
    size_t n_base_items; /* of the base's ALL */
    bool has_events;
    struct new_events events; /* MERGED_EVENTS, where the log has times */
    size_t n_pairs;           /* of the log */
};

/* For context_input_without: what of the artifact "interactions" a merge does not look at. */
extern const char *const merge_without[];

/* Loads the inputs interactions and news (may be missing) of the running stage. */
MUST_CHECK enum status_code merged_load(struct merged *merged, struct context *context,
                                        enum merged_depth depth, struct status *status);
/* evidence_load of a basis; with a delta that of ALL, in the columns of tonight. */
MUST_CHECK enum status_code merged_evidence(const struct merged *merged, enum evidence_kind kind,
                                            const struct artifact *artifact, enum basis basis,
                                            struct evidence *evidence, bool *found,
                                            struct status *status);
/* Column in the ALL basis of `merged` of each item that the base's has; as merged.item_of. */
MUST_CHECK enum status_code merged_map_items(const struct interactions *base,
                                             const struct interactions *merged, int32_t **item_of,
                                             struct status *status);
void merged_release(struct merged *merged);

#endif
