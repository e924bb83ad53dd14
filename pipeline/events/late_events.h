/* What happened after the train part, event by event: the parts behind it say of a pair only when
 * it was the last time, and whoever judges one day after the other has to know each. The artifact
 * "late_events" of the interactions stage, of a log that is cut by time. */
#ifndef NIGHTJAR_EVENTS_LATE_EVENTS_H
#define NIGHTJAR_EVENTS_LATE_EVENTS_H

#include "events/event_log.h"

/* By user, then by item; those of a pair in no order to rely on. A view over the artifact. */
struct late_events {
    size_t n;
    const int32_t *users, *items; /* (n) master codes */
    const int64_t *times;         /* (n) Unix seconds */
    const float *weights;         /* (n) > 0, before decay */
    const uint8_t *parts;         /* (n) PART_VALID or PART_TEST, and PART_TRAIN where the pair has
                                     events there, too */
    int64_t before;               /* newest time of the train and the validation part */
};

/* Of a sorted and split log: the validation part's, and the test part's where that is newer than
 * all else. Without times, or where neither is newer than what it is measured against, `artifact`
 * (zeroed) stays so, on all ranks. */
MUST_CHECK enum status_code late_events_gather(const struct event_log *log,
                                               struct artifact *artifact, struct status *status);
/* A view over the artifact, which must outlive it; codes are checked against the extents. */
MUST_CHECK enum status_code late_events_load(struct late_events *events,
                                             const struct artifact *artifact, size_t n_users,
                                             size_t n_items, struct status *status);
/* Whether there are events of these parts; none in a zeroed view. */
bool late_events_have(const struct late_events *events, unsigned parts);

#endif
