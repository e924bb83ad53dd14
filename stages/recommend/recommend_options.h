/* The options of the stage recommend: their table, their rules, their cost. */
#ifndef NIGHTJAR_STAGES_RECOMMEND_RECOMMEND_OPTIONS_H
#define NIGHTJAR_STAGES_RECOMMEND_RECOMMEND_OPTIONS_H

#include "config/stage.h"
#include "serving/serving.h"

struct recommend_options {
    int64_t top;
    int exclude_seen; /* CHOICE_* */
    bool exclude_disliked, cold_items, cold_users, parts, live;
    int64_t similar, similar_users, popular, max_per_category, explain;
    double active_within, min_new, diversity, min_recall;
    int index;                          /* enum serving_index */
    const char *rules[N_SERVING_RULES]; /* queries, NULL: no such rule */
};

extern const struct option recommend_option_table[];

/* As struct stage asks for them. */
void recommend_validate(const void *values, struct option_report *report);
void recommend_refuse_ranks(const void *values, struct option_report *report);
void recommend_sizes(const void *values, struct stage_sizes *sizes);
void recommend_estimate(const void *values, const struct stage_sizes *sizes,
                        struct stage_estimate *out);

#endif
