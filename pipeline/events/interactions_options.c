/* The table of the interactions stage's options, and what is made of them. */
#include "events/interactions_options.h"

#include "events/event_columns.h"

#include <assert.h>
#include <math.h>

static const char *const other_events_names[] = {"reject", "ignore", "fail", NULL};
static const char *const duplicates_names[] = {"sum", "max", "last", NULL};
static const char *const bad_row_names[] = {"reject", "fail", NULL};

#define SPLIT_OPTION(member) .offset = offsetof(struct split_options, member)
static const struct option split_table[] = {
    {.name = "by",
     .type = OPTION_CHOICE,
     SPLIT_OPTION(by),
     .default_text = "auto",
     .choices = split_by_names,
     .help = "how validation and test are cut from the log: the newest events, the last items of "
             "each user, a random part of each user's items, or not at all. `auto` is `time` where "
             "the source has times and `random` elsewhere"},
    {.name = "valid",
     .type = OPTION_TEXT,
     SPLIT_OPTION(valid),
     .unit = "fraction, duration or items",
     .help = "size of the validation part: a fraction (`0.1`, the default); with `by: time` also a "
             "duration (`7d`), counted back from where test begins; with `by: leave_last` a number "
             "of items per user (default 1). `0` cuts none"},
    {.name = "test",
     .type = OPTION_TEXT,
     SPLIT_OPTION(test),
     .unit = "fraction, duration or items",
     .help = "size of the test part, as for `valid`; a duration counts back from the newest event"},
    {.name = "valid_query",
     .type = OPTION_TEXT,
     SPLIT_OPTION(valid_query),
     .help = "a validation part that is a table of its own: SELECT user_id, item_id [, weight, "
             "time]. Its rows join the log that `refit` trains on"},
    {.name = "test_query",
     .type = OPTION_TEXT,
     SPLIT_OPTION(test_query),
     .help = "a test part that is a table of its own, as in public benchmarks; its rows are never "
             "trained on"},
    {.name = "cold_users",
     .type = OPTION_FLOAT,
     SPLIT_OPTION(cold_users),
     .default_text = "0",
     .min = 0,
     .max = 0.5,
     .unit = "share",
     .help = "share of the users, drawn at random, whom training does not see until `refit`: the "
             "last fifth of their items (by time; at random where there are no times) is asked "
             "from a vector made of the others. `evaluate` shows them as the group cold_users, "
             "together with users below min_user_interactions"},
    {.name = "cold_items",
     .type = OPTION_FLOAT,
     SPLIT_OPTION(cold_items),
     .default_text = "0",
     .min = 0,
     .max = 0.5,
     .unit = "share",
     .help = "share of the items, drawn at random, that training does not see until `refit`: "
             "`evaluate` ranks them by their features alone, as the group cold_items, together "
             "with the other items that training does not know"},
    {.name = NULL}};

#define OPTION(member) .offset = offsetof(struct interactions_options, member)
const struct option interactions_option_table[] = {
    {.name = "event_weights",
     .type = OPTION_NUMBER_MAP,
     OPTION(event_weights),
     .min = 0,
     .max = 1e9,
     .help = "weight of each event type, such as `{view: 1, purchase: 5}`; 0 leaves a type out. "
             "Multiplies the weight column where there is one"},
    {.name = "other_events",
     .type = OPTION_CHOICE,
     OPTION(other_events),
     .default_text = "reject",
     .choices = other_events_names,
     .help = "rows whose type event_weights does not list: bad rows, left out silently, or the end "
             "of the run"},
    {.name = "min_rating",
     .type = OPTION_FLOAT,
     OPTION(min_rating),
     .default_text = "0",
     .min = 0,
     .max = 1e9,
     .help = "above 0, the number of a row is a rating: rows below are no positives, the others "
             "weigh 1. At 0 it is a weight"},
    {.name = "dislikes",
     .type = OPTION_TEXT_LIST,
     OPTION(dislikes),
     .help =
         "event types that say that a user does not want an item, such as `[hide, thumbs_down]`. "
         "Where a user and an item have both, the newer event counts, at the same second the "
         "dislike; the number of such a row is not looked at. What dislikes do in training is "
         "said by the negatives stage"},
    {.name = "dislike_rating",
     .type = OPTION_AUTO,
     OPTION(dislike_rating),
     .default_text = "auto",
     .min = -1e9,
     .max = 1e9,
     .help = "ratings of at most this number are dislikes, those between it and min_rating say "
             "nothing. `auto`: no rating is a dislike"},
    {.name = "half_life",
     .type = OPTION_DURATION,
     OPTION(half_life),
     .default_text = "0s",
     .min = 0,
     .max = 1e11,
     .help = "age at which an event counts half, measured from the newest event trained on, never "
             "from the clock; `0s` means no decay"},
    {.name = "since", .type = OPTION_TIME, OPTION(since), .help = "older events are left out"},
    {.name = "until",
     .type = OPTION_TIME,
     OPTION(until),
     .help = "events from this time on are left out"},
    {.name = "time_unit",
     .type = OPTION_CHOICE,
     OPTION(time_unit),
     .default_text = "auto",
     .choices = time_unit_names,
     .help = "how times are written; `auto` finds it out from the first row. Either way every row "
             "is checked: dates lie in 1980..2200, and a row of another unit ends the run"},
    {.name = "duplicates",
     .type = OPTION_CHOICE,
     OPTION(duplicates),
     .default_text = "sum",
     .choices = duplicates_names,
     .help = "the weight of several events of the same user and item. `last` is the newest event, "
             "of two at the same second the later row"},
    {.name = "min_user_interactions",
     .type = OPTION_INT,
     OPTION(min_user_interactions),
     .default_text = "1",
     .min = 1,
     .max = 1e9,
     .unit = "items",
     .help = "users with fewer different items are not trained on, repeated together with "
             "min_item_interactions until both hold"},
    {.name = "min_item_interactions",
     .type = OPTION_INT,
     OPTION(min_item_interactions),
     .default_text = "1",
     .min = 1,
     .max = 1e9,
     .unit = "users",
     .help = "items with fewer different users are not trained on"},
    {.name = "max_user_interactions",
     .type = OPTION_INT,
     OPTION(max_user_interactions),
     .default_text = "0",
     .min = 0,
     .max = 1e9,
     .unit = "items",
     .help = "the most items of a user that are trained on, the most recent ones; 0 means all. "
             "Seen items are excluded from recommendations all the same"},
    {.name = "on_bad_row",
     .type = OPTION_CHOICE,
     OPTION(on_bad_row),
     .default_text = "reject",
     .choices = bad_row_names,
     .help = "a row with an unusable id, weight, time or event type is left out and reported in "
             "the work database, or ends the run"},
    {.name = "max_bad_rows",
     .type = OPTION_INT,
     OPTION(max_bad_rows),
     .default_text = "1000",
     .min = 0,
     .max = 1e15,
     .unit = "rows",
     .help = "more rejected rows than these end the run"},
    {.name = "refresh",
     .type = OPTION_DURATION,
     OPTION(refresh),
     .default_text = "0s",
     .min = 0,
     .max = 1e10,
     .help = "with source.key and a stage catch_up: for so long after the log was read (`7d`) runs "
             "leave it, and all that is made of it up to refit, as it is, and catch_up adds what "
             "is new; the first run after that makes everything anew, and so does one with "
             "`--force`. `0s`: every run does"},
    {.name = "split",
     .type = OPTION_GROUP,
     OPTION(split),
     .help = "validation and test parts",
     .group = split_table,
     .group_size = sizeof(struct split_options)},
    {.name = NULL}};

/* The size of one part: as written, else the default of the kind of split. False with `why` for a
 * text that is no size. */
static bool resolve_amount(enum split_by by, const char *text, const char *query,
                           struct split_amount *amount, char *why, size_t why_capacity)
{
    *amount = (struct split_amount){SPLIT_NOTHING, 0};
    if (text == NULL) {
        if (query != NULL || by == SPLIT_NONE) {
            return true;
        }
        text = by == SPLIT_LEAVE_LAST ? "1" : "0.1";
    }
    return split_amount_parse(by, text, amount, why, why_capacity);
}

static void validate_split(const struct split_options *split, struct option_report *report)
{
    enum split_by by = (enum split_by)split->by;
    struct split_amount valid, test;
    char why[512];

    bool valid_fits = resolve_amount(by, split->valid, split->valid_query, &valid, why, sizeof why);
    if (!valid_fits) {
        option_mistake(report, "split.valid", "%s", why);
    }
    bool test_fits = resolve_amount(by, split->test, split->test_query, &test, why, sizeof why);
    if (!test_fits) {
        option_mistake(report, "split.test", "%s", why);
    }
    if (split->valid != NULL && split->valid_query != NULL) {
        option_mistake(report, "split.valid",
                       "valid and valid_query exclude each other: validation "
                       "is cut from the log or a table of its own");
    }
    if (split->test != NULL && split->test_query != NULL) {
        option_mistake(report, "split.test",
                       "test and test_query exclude each other: test is cut "
                       "from the log or a table of its own");
    }
    if (valid_fits && test_fits && valid.kind == SPLIT_FRACTION && test.kind == SPLIT_FRACTION &&
        valid.value + test.value >= 1) {
        option_mistake(report, split->valid != NULL ? "split.valid" : "split.test",
                       "valid %g and test %g together leave nothing for training", valid.value,
                       test.value);
    }
}

static bool is_listed(const struct option_numbers *weights, const char *name)
{
    for (size_t i = 0; i < weights->n; i++) {
        if (strcmp(weights->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void validate_dislikes(const struct interactions_options *o, struct option_report *report)
{
    for (size_t i = 0; i < o->dislikes.n; i++) {
        if (is_listed(&o->event_weights, o->dislikes.values[i])) {
            option_mistake(report, "dislikes",
                           "'%s' is listed in event_weights, too: an event type is positive or a "
                           "dislike",
                           o->dislikes.values[i]);
        }
    }
    if (!isnan(o->dislike_rating) && !(o->min_rating > 0)) {
        option_mistake(report, "dislike_rating",
                       "dislike_rating: %g without min_rating, which makes the number of a row a "
                       "rating",
                       o->dislike_rating);
    } else if (!isnan(o->dislike_rating) && o->dislike_rating >= o->min_rating) {
        option_mistake(report, "dislike_rating",
                       "dislike_rating: %g is not below min_rating: %g, from which a rating is "
                       "positive",
                       o->dislike_rating, o->min_rating);
    }
}

const struct interactions_options *interactions_options_of(const struct plan *plan)
{
    const struct plan_stage *stage = plan_find(plan, "interactions");

    assert(stage != NULL);
    return stage->options;
}

void interactions_options_validate(const struct interactions_options *o,
                                   struct option_report *report)
{
    if (o->since != INT64_MIN && o->until != INT64_MIN && o->since >= o->until) {
        option_mistake(report, "until", "until must be later than since");
    }
    bool any_weight = o->event_weights.n == 0;
    for (size_t i = 0; i < o->event_weights.n; i++) {
        any_weight = any_weight || o->event_weights.values[i] > 0;
    }
    if (!any_weight) {
        option_mistake(report, "event_weights", "every event type has weight 0");
    }
    validate_dislikes(o, report);
    validate_split(&o->split, report);
}

static const char *times_needed(const struct interactions_options *o)
{
    if (o->split.by == SPLIT_TIME) {
        return "split.by: time";
    }
    if (o->half_life > 0) {
        return "half_life";
    }
    if (o->since != INT64_MIN) {
        return "since";
    }
    return o->until != INT64_MIN ? "until" : NULL;
}

enum status_code interactions_request(const struct interactions_options *o,
                                      const struct plan_source *source, uint64_t seed,
                                      struct extract_request *request, struct status *status)
{
    enum status_code code = STATUS_OK;
    enum split_by by = (enum split_by)o->split.by;
    char why[512];

    *request =
        (struct extract_request){.valid_query = o->split.valid_query,
                                 .test_query = o->split.test_query,
                                 .rules = {.event_weights = o->event_weights,
                                           .other_events = (enum other_events)o->other_events,
                                           .min_rating = o->min_rating,
                                           .dislikes = o->dislikes,
                                           .has_dislike_rating = !isnan(o->dislike_rating),
                                           .dislike_rating = o->dislike_rating,
                                           .since = o->since,
                                           .until = o->until,
                                           .time_unit = (enum time_unit)o->time_unit,
                                           .on_bad_row = (enum bad_row)o->on_bad_row,
                                           .max_bad_rows = o->max_bad_rows,
                                           .times_needed = times_needed(o)},
                                 .dataset = {.duplicates = (enum duplicate_policy)o->duplicates,
                                             .half_life = o->half_life,
                                             .min_user_interactions = o->min_user_interactions,
                                             .min_item_interactions = o->min_item_interactions,
                                             .max_user_interactions = o->max_user_interactions},
                                 .split = {.by = by,
                                           .seed = seed,
                                           .cold_users = o->split.cold_users,
                                           .cold_items = o->split.cold_items}};
    TRY(event_query_of_source(source, &request->interactions, status));
    if (!resolve_amount(by, o->split.valid, o->split.valid_query, &request->split.valid, why,
                        sizeof why) ||
        !resolve_amount(by, o->split.test, o->split.test_query, &request->split.test, why,
                        sizeof why)) {
        code = status_set(status, STATUS_CONFIG, "split: %s", why);
    }
done:
    return code;
}
