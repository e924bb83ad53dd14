/* The cold part of a basis: who has a master code and no row. */
#ifndef NIGHTJAR_EVENTS_DATASET_COLD_H
#define NIGHTJAR_EVENTS_DATASET_COLD_H

#include "dataset/dataset.h"
#include "ranks/ranks.h"

/* In master codes, with times (ordinal numbers where the log has none). */
struct cold_source {
    const struct history *known;    /* what a basis may know of anybody: what it is trained on,
                                       before cap and k-core, and the histories held out on purpose */
    const struct history *asked[2]; /* held-out pairs; NULL: none. Codes may go beyond the master */
    const struct history *dropped[2]; /* pairs that are neither asked nor ranked although they are
                                         not known: validation, what was only seen; NULL: none */
    const uint8_t *cold_items;        /* (n_master_items) 1: held out on purpose; NULL: none */
    struct ranks *ranks;              /* who have the other users; NULL: nobody */
    const struct vocabulary *users, *items; /* master */
    size_t cap;                             /* newest pairs of a history; 0: all */
};

/* Fills set->cold (zeroed) of a basis whose core is there. On an error it may be filled in part,
 * for interactions_release. */
MUST_CHECK enum status_code dataset_cold(const struct cold_source *source, struct dataset *set,
                                         struct status *status);

#endif
