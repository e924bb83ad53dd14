/* The rules that a model has to pass before its recommendations replace yesterday's. */
#ifndef NIGHTJAR_MODEL_GATE_H
#define NIGHTJAR_MODEL_GATE_H

#include "model/metric_rows.h"

/* Rules for one metric, over all users; 0 switches a rule off. */
struct gate_rule {
    bool given;            /* see OPTION_GROUP_MAP */
    double min;            /* the least value */
    double over_popular;   /* the least multiple of the popularity baseline's value */
    double over_item_item; /* the same for the item-item baseline */
};

/* STATUS_REFUSED when a rule fails: the message has every rule that failed, with the value and what
 * it had to be. names (n) are metrics without `prefix`, with which they stand in `rows`; a missing
 * row is STATUS_INTERNAL. */
MUST_CHECK enum status_code gate_check(const char *const *names, const struct gate_rule *rules,
                                       size_t n, const struct metric_rows *rows, const char *prefix,
                                       struct status *status);

#endif
