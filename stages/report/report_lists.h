/* The sections about the lists themselves: how evenly they show items, a map of the items, a few
 * users. Out of the artifacts of the run. */
#ifndef NIGHTJAR_STAGES_REPORT_REPORT_LISTS_H
#define NIGHTJAR_STAGES_REPORT_REPORT_LISTS_H

#include "catch_up/merged.h"
#include "serving/recommendations.h"
#include "serving/served_ids.h"
#include "stages/report/report_items.h"
#include "stages/report/report_page.h"

/* What they are made of; the caller's. */
struct report_lists {
    struct merged merged;
    struct embeddings embeddings;
    struct features features;
    struct served_ids users, items;
    struct recommendations lists;
    struct item_names names;
    double *n_users; /* (items) users in the log, by served code */
    double *n_lists; /* (items) lists that have the item */
};

/* A section with both; nothing without lists. */
MUST_CHECK enum status_code lists_add_items(struct report_lists *lists, struct buf *out,
                                            struct status *status);
/* At most n_users, spread over all that are here; n_ranks: the page says whose they are. */
void lists_add_users(struct report_lists *lists, size_t n_users, size_t n_ranks, struct buf *out);

#endif
