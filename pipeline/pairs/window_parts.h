/* The spans of a slice of items over the users of all ranks, brought to the ranks that own the
 * items. What is sent is not what users make of their histories, which is the longer the more items
 * they have, but of the histories themselves what these spans lie in; of a user with several of an
 * owner's items in the slice once. Of one rank nothing is sent, and nobody comes here. */
#ifndef NIGHTJAR_PAIRS_WINDOW_PARTS_H
#define NIGHTJAR_PAIRS_WINDOW_PARTS_H

#include "pairs/pair_windows.h"
#include "ranks/ranks.h"

/* Zero-initialise, but for the first two. */
struct window_parts {
    struct ranks *ranks;
    const struct pair_windows *own; /* of this rank's users */
    struct pair_windows all;     /* of the slice; users are those whose spans came, with what these
                                    lie in of their entries */
    size_t first_item, end_item; /* the slice */
    struct taken_range *ranges;  /* (own users) of the rank that is written to */
    int32_t *users;              /* (own users) those who have one */
    char *send;
    size_t n_sent, room; /* bytes: there, and that there is room for */
    struct ranks_bytes received;
};

MUST_CHECK enum status_code window_parts_init(struct window_parts *parts, struct status *status);
/* parts->all = the spans of this rank's items among [first_item, end_item), but those of nobody's
 * partners. A collective. */
MUST_CHECK enum status_code window_parts_bring(struct window_parts *parts, size_t first_item,
                                               size_t end_item, struct status *status);
void window_parts_release(struct window_parts *parts);

#endif
