/* The options of the stage `features`, and what reading side data costs. */
#ifndef NIGHTJAR_FEATURES_FEATURES_OPTIONS_H
#define NIGHTJAR_FEATURES_FEATURES_OPTIONS_H

#include "config/plan.h"
#include "features/feature_rules.h"
#include "features/feature_table.h"

/* Of one side; not given: it is not read. */
struct side_options {
    bool given;
    const char *query;
    struct option_groups columns; /* name -> struct feature_rule */
};

struct features_options {
    struct side_options side[N_FEATURE_SIDES];
    int on_bad_value;
    const char *fingerprint;
};

extern const struct option features_options_table[];
extern const struct option features_column_table[]; /* of a struct feature_rule */

/* As struct stage has them; options: struct features_options. */
void features_validate(const void *options, struct option_report *report);
void features_validate_plan(const struct plan *plan, const struct plan_stage *self,
                            struct option_report *report);
void features_sizes(const void *options, struct stage_sizes *sizes);
void features_estimate(const void *options, const struct stage_sizes *sizes,
                       struct stage_estimate *out);

#endif
