/* The lists that are judged evening by evening, as a table of the work database for a judge of
 * one's own. */
#ifndef NIGHTJAR_STAGES_EVENING_LISTS_H
#define NIGHTJAR_STAGES_EVENING_LISTS_H

#include "evaluation/evaluation.h"
#include "run/context_data.h"
#include "store/row_batch.h"

/* Zero-initialise, but for the interactions. */
struct evening_lists {
    const struct interactions *interactions;
    bool keeps;
    struct row_batch batch;
};

/* The table of an earlier run goes. Where the lists are to be kept there is a new one, and what the
 * request ranks is added to it. */
MUST_CHECK enum status_code evening_lists_open(struct evening_lists *lists, struct db *work,
                                               bool keeps, struct evaluation_request *request,
                                               struct status *status);
MUST_CHECK enum status_code evening_lists_write(struct evening_lists *lists, struct status *status);
void evening_lists_release(struct evening_lists *lists);

#endif
