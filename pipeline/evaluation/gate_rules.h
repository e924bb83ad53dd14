/* The rules that a run has to pass before its recommendations replace yesterday's. */
#ifndef NIGHTJAR_EVALUATION_GATE_RULES_H
#define NIGHTJAR_EVALUATION_GATE_RULES_H

#include "config/option.h"
#include "evaluation/metric_rows.h"

/* Rules for one measured value, over all users; 0 switches a rule off. */
struct gate_rule {
    bool given;            /* see OPTION_GROUP_MAP */
    double min;            /* the least value */
    double max;            /* the greatest value */
    double of_previous;    /* the least share of what the last published run measured, if it did */
    double over_popular;   /* the least multiple of the popularity baseline's value */
    double over_recent;    /* the same for popularity of late, or of all time where that is best */
    double over_item_item; /* the same for the item-item baseline */
};

/* The options of a rule, for stages that take a map of them. */
extern const struct option gate_rule_options[];

/* What is judged. All of it is the caller's. */
struct gate_request {
    const char *stage; /* begins the message */
    size_t n;
    const char *const *names;      /* (n) without `prefix`, with which they stand in the rows */
    const struct gate_rule *rules; /* (n) */
    const char *prefix;
    const char *model;                  /* whose rows are judged */
    const struct metric_rows *rows;     /* of this run */
    const struct metric_rows *previous; /* of the last published run; without a row, no rule */
    const char *noted, *note; /* NULL: nothing; what stands behind each failure of that metric */
    size_t n_users;           /* that means over users were taken of; 0: `rows` has none */
    const char *failure;      /* what the caller has found itself, or NULL */
};

/* STATUS_REFUSED when a rule fails: the message has every rule that failed, a line each, with the
 * value and what it had to be; of a mean over few users also how far chance alone moves it. A value
 * of this run that is missing is STATUS_INTERNAL. */
MUST_CHECK enum status_code gate_check(const struct gate_request *request, struct status *status);

#endif
