/* What a rank asks of the others before a step (item_rows.h). */
#ifndef NIGHTJAR_TRAINING_ITEM_REQUEST_H
#define NIGHTJAR_TRAINING_ITEM_REQUEST_H

#include "base/workspace.h"
#include "negatives/candidate_set.h"
#include "ranks/ranks.h"

/* Who has the candidates of a step, and what others want of this rank's. */
struct item_request {
    const struct candidate_set *set;
    bool is_asked;
    struct workspace workspace;
    uint8_t *owners; /* (candidates) */
    int32_t *codes;  /* (candidates) k-th of the owner's shared ones: ~k; k-th asked of it: k */
    int32_t *shared; /* (shared) columns, by owners */
    size_t n_shared[RANKS_MAX]; /* of each owner */
    int32_t *asked;             /* (others) items, by owners */
    size_t first_asked[RANKS_MAX + 1];
    struct ranks_bytes wanted; /* items asked of this rank, by who asks */
};

/* Who has which candidate, and the list of what is asked of whom; nothing is sent. */
MUST_CHECK enum status_code item_request_make(struct item_request *request,
                                              const struct ranks *ranks,
                                              const struct candidate_set *set,
                                              struct status *status);

#endif
