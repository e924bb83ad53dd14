/* What users did since the oldest generation that is kept was made, event by event: the log says of
 * a pair only when it was the last time, and whoever judges what people were shown has to know
 * each. The artifact "new_events" of the interactions stage, of any log with times, however it is
 * cut. */
#ifndef NIGHTJAR_EVENTS_NEW_EVENTS_H
#define NIGHTJAR_EVENTS_NEW_EVENTS_H

#include "events/event_log.h"

/* By user, then by item; those of a pair in no order to rely on. Zero-initialise. */
struct new_events {
    size_t n;
    const int32_t *users, *items; /* (n) master codes */
    const int64_t *times;         /* (n) Unix seconds */
    const uint8_t *had;           /* (n) 1: the pair has events before `since`, too */
    int64_t since;                /* nothing that happened from then on is missing */
    bool is_view;                 /* the arrays belong to an artifact */
};

/* Those of a sorted log from `since` on. Without times `artifact` (zeroed) stays so. */
MUST_CHECK enum status_code new_events_gather(const struct event_log *log, int64_t since,
                                              struct artifact *artifact, struct status *status);
/* A view over the artifact, which must outlive it; codes are checked against the extents. */
MUST_CHECK enum status_code new_events_load(struct new_events *events,
                                            const struct artifact *artifact, size_t n_users,
                                            size_t n_items, struct status *status);
/* Whether the users (n) ascend, and the items of each, all within the extents. */
bool event_pairs_ascend(const int32_t *users, const int32_t *items, size_t n, size_t n_users,
                        size_t n_items);
/* Whether all times are whole days: then nobody knows which of two lists of a day came before. */
bool new_events_are_days(const struct new_events *events);
void new_events_release(struct new_events *events);

#endif
