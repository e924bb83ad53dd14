/* The rules that a run has to pass before its recommendations replace yesterday's. */
#ifndef NIGHTJAR_EVALUATION_GATE_RULES_H
#define NIGHTJAR_EVALUATION_GATE_RULES_H

#include "base/buf.h"
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
    double errors;         /* so many standard errors may be missing from what the four ask for */
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
    struct buf *excused;      /* NULL, or gets a line for each rule that chance alone may have
                                 broken, each behind a line break */
};

/* STATUS_REFUSED when a rule fails: the message has every rule that failed, a line each, with the
 * value and what it had to be; of a mean over few users also how far chance alone moves it. A rule
 * that compares with another value fails only where more is missing than `errors` standard errors
 * of the difference, if those are known. With a and b nightjar's mean and a baseline's, d the error
 * of a - b and e that of a (evaluation.h), the error of a - m b = m (a - b) + (1 - m) a is at most
 * m d + |1 - m| e, and exactly d for m = 1. Two runs are taken for independent: the root of
 * e^2 + m^2 e'^2. A value of this run that is missing is STATUS_INTERNAL. */
MUST_CHECK enum status_code gate_check(const struct gate_request *request, struct status *status);

#endif
