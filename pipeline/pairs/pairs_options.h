/* The options of the stage `pairs`, and what its products cost. */
#ifndef NIGHTJAR_PAIRS_PAIRS_OPTIONS_H
#define NIGHTJAR_PAIRS_PAIRS_OPTIONS_H

#include "config/stage.h"
#include "pairs/transitions.h"

struct user_item_options {
    bool given;
    int weights;
};

struct item_item_options {
    bool given;
    double window; /* seconds; 0: not given */
    size_t positions;
    int weighting;
    int64_t min_count;
    size_t top, max_user_items;
};

struct evidence_options {
    bool given;
    int weighting;
    size_t top, max_user_items;
};

struct ridge_options {
    bool given;
    double strength, half_life; /* NAN: auto */
    size_t partners, max_user_items;
};

struct pairs_options {
    struct user_item_options user_item;
    struct item_item_options item_item;
    struct evidence_options evidence;
    struct transition_settings transitions;
    struct ridge_options ridge;
    bool queryable;
};

extern const struct option pairs_options_table[];

/* What is tried where the strength is `auto`; without a validation part it is the first. */
enum { N_RIDGE_STRENGTHS = 4 };
extern const double pairs_ridge_strengths[N_RIDGE_STRENGTHS];

/* As struct stage has them; values: struct pairs_options. */
void pairs_options_validate(const void *values, struct option_report *report);
void pairs_estimate(const void *values, const struct stage_sizes *sizes,
                    struct stage_estimate *out);

#endif
