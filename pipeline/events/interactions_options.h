/* The options of the interactions stage: what they are called, what they allow, and the request for
 * reading that they make. Stages that read more of the same log take the rules from here, too. */
#ifndef NIGHTJAR_EVENTS_INTERACTIONS_OPTIONS_H
#define NIGHTJAR_EVENTS_INTERACTIONS_OPTIONS_H

#include "config/plan.h"
#include "events/extract.h"

struct split_options {
    bool given;
    int by; /* enum split_by */
    const char *valid, *test;
    const char *valid_query, *test_query;
    double cold_users, cold_items;
    int repeats; /* CHOICE_* */
};

struct interactions_options {
    struct option_numbers event_weights;
    int other_events;
    double min_rating;
    struct option_texts dislikes;
    double dislike_rating; /* NAN: none */
    double half_life;      /* seconds; NAN: the log decides */
    int64_t since, until;
    int time_unit;
    int duplicates;
    int64_t min_user_interactions, min_item_interactions, max_user_interactions;
    int on_bad_row;
    const char *max_bad_rows; /* "1000", "5%" */
    double refresh;           /* seconds; 0: every run reads what is new */
    struct split_options split;
};

extern const struct option interactions_option_table[];

/* Those of the plan's stage interactions, for stages that go on with what it does; NULL: there is
 * none. */
const struct interactions_options *interactions_options_of(const struct plan *plan);
/* Whether there is a validation or a test part. */
bool interactions_hold_out(const struct interactions_options *options);
/* Rules across the fields. */
void interactions_options_validate(const void *options, struct option_report *report);
/* What to read and how. Texts stay the options' and the source's; `rules.forgotten` is left to the
 * caller. Errors: STATUS_CONFIG. */
MUST_CHECK enum status_code interactions_request(const struct interactions_options *options,
                                                 const struct plan_source *source, uint64_t seed,
                                                 struct extract_request *request,
                                                 struct status *status);

#endif
