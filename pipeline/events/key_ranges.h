/* Of a source that all ranks (ranks/ranks.h) see, the part that one of them reads. */
#ifndef NIGHTJAR_EVENTS_KEY_RANGES_H
#define NIGHTJAR_EVENTS_KEY_RANGES_H

#include "events/event_rules.h"

/* Cuts the query to this rank's range of its key: query->range and in_parts. Left as it is without
 * a key, and where rows have no times: then their order counts, which only the whole has. The first
 * rank looks for the least and the greatest key, for all. */
MUST_CHECK enum status_code key_range_cut(struct db *db, struct ranks *ranks,
                                          const struct event_rules *rules,
                                          struct event_query *query, struct status *status);

#endif
