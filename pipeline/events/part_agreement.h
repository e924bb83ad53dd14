/* What ranks that read parts of one source have to agree on, for the first row of all decides: the
 * types of ids, the unit of times. Rows of lower ranks come before those of higher ones. */
#ifndef NIGHTJAR_EVENTS_PART_AGREEMENT_H
#define NIGHTJAR_EVENTS_PART_AGREEMENT_H

#include "events/event_log.h"
#include "events/event_time.h"

/* What a rank's part has come to so far. */
struct part_state {
    int64_t n_rejected;
    bool is_done, has_times;
    struct id_column users, items;
    struct event_clock clock;
};

struct part_agreement {
    bool is_done; /* every rank is */
    bool differs; /* ids of some ranks are not of the type that those of the first rank with any
                     have: what was read counts for nothing, and is read again */
    int64_t n_rejected;
    /* The type that the first id of all has, with its row. Where it differs, what this rank has to
       take for granted when it reads again: nothing, if its rows come before that one. */
    struct id_column users, items;
};

/* All ranks call it. Errors: STATUS_DATA where parts have times of two units, or not all of them
 * have times. */
MUST_CHECK enum status_code part_agreement_reach(struct ranks *ranks, const char *what,
                                                 const struct part_state *mine,
                                                 struct part_agreement *out, struct status *status);

#endif
