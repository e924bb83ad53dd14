/* The table of the interactions stage's options, and what is made of them. */
#include "events/interactions_options.h"

#include "base/num.h"
#include "events/event_columns.h"

#include <assert.h>
#include <math.h>

static const char *const other_events_names[] = {"reject", "ignore", "fail", NULL};
static const char *const duplicates_names[] = {"sum", "max", "last", NULL};
static const char *const bad_row_names[] = {"reject", "fail", NULL};

#define PART_PATTERN "^(0*\\.[0-9]+|[0-9]+|[0-9]*\\.?[0-9]+([eE][-+]?[0-9]+)?[smhdw])$"

static const struct option split_table[] = {
    OPT_CHOICE(split_options, "by", by, "auto", split_by_names,
               "how validation and test are cut from the log: the newest events, the last items of "
               "each user, a random part of each user's items, or not at all. `auto` is `time` "
               "where the source has times and `random` elsewhere"),
    OPT_TEXT(split_options, "valid", valid, NULL,
             "size of the validation part: a fraction (`0.1`, the default); with `by: time` also a "
             "duration (`7d`), counted back from where test begins; with `by: leave_last` a number "
             "of items per user (default 1). `0` cuts none",
             .unit = "fraction, duration or items", .pattern = PART_PATTERN),
    OPT_TEXT(split_options, "test", test, NULL,
             "size of the test part, as for `valid`; a duration counts back from the newest event",
             .unit = "fraction, duration or items", .pattern = PART_PATTERN),
    OPT_TEXT(split_options, "valid_query", valid_query, NULL,
             "a validation part that is a table of its own: SELECT user_id, item_id [, weight, "
             "time]. Its rows join the log that `refit` trains on"),
    OPT_TEXT(split_options, "test_query", test_query, NULL,
             "a test part that is a table of its own, as in public benchmarks; its rows are never "
             "trained on"),
    OPT_FLOAT(split_options, "cold_users", cold_users, "0", 0, 0.5,
              "share of the users, drawn at random, whom training does not see until `refit`: the "
              "last fifth of their items (by time; at random where there are no times) is asked "
              "from a vector made of the others. `evaluate` shows them as the group cold_users, "
              "together with users below min_user_interactions",
              .unit = "share"),
    OPT_FLOAT(split_options, "cold_items", cold_items, "0", 0, 0.5,
              "share of the items, drawn at random, that training does not see until `refit`: "
              "`evaluate` ranks them by their features alone, as the group cold_items, together "
              "with the other items that training does not know",
              .unit = "share"),
    OPT_CHOICE(split_options, "repeats", repeats, "false", option_false_true_auto,
               "whether a user who comes back to an item chose it again: then the parts keep pairs "
               "that the user had before, and no judged list leaves out what was seen, as lists of "
               "`recommend` with `exclude_seen: false` do. `auto`: where the user had the item "
               "before in at least a quarter of the events of the log's newest tenth. Only `by: "
               "time` and parts that are given have such pairs"),
    OPT_END};

const struct option interactions_option_table[] = {
    OPT_NUMBERS(interactions_options, "event_weights", event_weights, 0, 1e9,
                "weight of each event type, such as `{view: 1, purchase: 5}`; 0 leaves a type out. "
                "Multiplies the weight column where there is one"),
    OPT_CHOICE(interactions_options, "other_events", other_events, "reject", other_events_names,
               "rows whose type event_weights does not list: bad rows, left out silently, or the "
               "end of the run"),
    OPT_FLOAT(interactions_options, "min_rating", min_rating, "0", 0, 1e9,
              "above 0, the number of a row is a rating: rows below are no positives, the others "
              "weigh 1. At 0 it is a weight"),
    OPT_TEXTS(interactions_options, "dislikes", dislikes, NULL,
              "event types that say that a user does not want an item, such as `[hide, "
              "thumbs_down]`. Where a user and an item have both, the newer event counts, at the "
              "same second the dislike; the number of such a row is not looked at. What dislikes "
              "do in training is said by the negatives stage"),
    OPT_AUTO(interactions_options, "dislike_rating", dislike_rating, "auto", -1e9, 1e9,
             "ratings of at most this number are dislikes, those between it and min_rating say "
             "nothing. `auto`: no rating is a dislike"),
    OPT_AUTO_DURATION(
        interactions_options, "half_life", half_life, "0s", 0, 1e11,
        "age at which an event counts half, measured from the newest event trained on, never from "
        "the clock; `0s` means no decay. `auto`: of 2 to 180 days and none the longest that serves "
        "the validation part well, by lists of neighbours that need no training; none where there "
        "are no times, or no such part"),
    OPT_TIME(interactions_options, "since", since, "older events are left out"),
    OPT_TIME(interactions_options, "until", until, "events from this time on are left out"),
    OPT_CHOICE(interactions_options, "time_unit", time_unit, "auto", time_unit_names,
               "how times are written; `auto` finds it out from the first row. Either way every "
               "row is checked: dates lie in 1980..2200, and a row of another unit ends the run"),
    OPT_CHOICE(interactions_options, "duplicates", duplicates, "sum", duplicates_names,
               "the weight of several events of the same user and item. `last` is the newest "
               "event, of two at the same second the greater weight"),
    OPT_INT(interactions_options, "min_user_interactions", min_user_interactions, "1", 1, 1e9,
            "users with fewer different items are not trained on, repeated together with "
            "min_item_interactions until both hold",
            .unit = "items"),
    OPT_INT(
        interactions_options, "min_item_interactions", min_item_interactions, "1", 1, 1e9,
        "items with fewer different users are not trained on; where repeats count (`split`) those "
        "with fewer events, too",
        .unit = "users"),
    OPT_INT(interactions_options, "max_user_interactions", max_user_interactions, "0", 0, 1e9,
            "the most items of a user that are trained on, the most recent ones; 0 means all. Seen "
            "items are excluded from recommendations all the same",
            .unit = "items"),
    OPT_CHOICE(interactions_options, "on_bad_row", on_bad_row, "reject", bad_row_names,
               "a row with an unusable id, weight, time or event type is left out and reported in "
               "the work database, or ends the run"),
    OPT_TEXT(interactions_options, "max_bad_rows", max_bad_rows, "5%",
             "more rejected rows than these end the run: a number (`1000`), or a share of the rows "
             "(`5%`), of which a thousand are allowed in any case",
             .unit = "rows, or a share of them", .whole = true,
             .pattern = "^([0-9]{1,18}|([0-9]{1,2}(\\.[0-9]+)?|100(\\.0+)?)%)$"),
    OPT_DURATION(interactions_options, "refresh", refresh, "0s", 0, 1e10,
                 "with source.key and a stage catch_up: for so long after the log was read (`7d`) "
                 "runs leave it, and all that is made of it up to refit, as it is, and catch_up "
                 "adds what is new; the first run after that makes everything anew, and so does "
                 "one with `--force`. `0s`: every run does"),
    OPT_GROUP(interactions_options, "split", split, split_table, "validation and test parts"),
    OPT_END};

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
    if (split->repeats == CHOICE_TRUE && (by == SPLIT_LEAVE_LAST || by == SPLIT_RANDOM)) {
        option_mistake(report, "split.repeats",
                       "by: %s holds out all events of a pair, so nobody comes back to it; repeats "
                       "needs by: time",
                       split_by_names[by]);
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

static void validate_dislikes(const struct interactions_options *o, struct option_report *report)
{
    for (size_t i = 0; i < o->dislikes.n; i++) {
        for (size_t w = 0; w < o->event_weights.n; w++) {
            if (strcmp(o->event_weights.names[w], o->dislikes.values[i]) == 0) {
                option_mistake(report, "dislikes",
                               "'%s' is listed in event_weights, too: an event type is positive "
                               "or a dislike",
                               o->dislikes.values[i]);
            }
        }
    }
    if (!isnan(o->dislike_rating) && !(o->min_rating > 0)) {
        option_mistake(report, "dislike_rating",
                       "%g without min_rating, which makes the number of a row a "
                       "rating",
                       o->dislike_rating);
    } else if (!isnan(o->dislike_rating) && o->dislike_rating >= o->min_rating) {
        option_mistake(report, "dislike_rating",
                       "%g is not below min_rating: %g, from which a rating is "
                       "positive",
                       o->dislike_rating, o->min_rating);
    }
}

const struct interactions_options *interactions_options_of(const struct plan *plan)
{
    const struct plan_stage *stage = plan_find(plan, "interactions");
    return stage == NULL ? NULL : stage->options;
}

bool interactions_hold_out(const struct interactions_options *o)
{
    const struct split_options *split = &o->split;
    const enum split_by by = (enum split_by)split->by;
    struct split_amount valid, test;
    char why[512];
    return split->valid_query != NULL || split->test_query != NULL ||
           (resolve_amount(by, split->valid, NULL, &valid, why, sizeof why) &&
            resolve_amount(by, split->test, NULL, &test, why, sizeof why) &&
            (valid.kind != SPLIT_NOTHING || test.kind != SPLIT_NOTHING));
}

/* "1000" or "5%". false: it is neither. */
static bool read_bad_rows(const char *text, int64_t *rows, double *share)
{
    const size_t length = strlen(text);
    *rows = 0;
    *share = 0;
    if (length > 1 && text[length - 1] == '%') {
        const bool is_number = num_parse_double(text, length - 1, share);
        *share /= 100;
        return is_number && *share > 0 && *share <= 1;
    }
    return num_parse_int64(text, length, rows) && *rows >= 0;
}

void interactions_options_validate(const void *options, struct option_report *report)
{
    const struct interactions_options *o = options;

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
    int64_t rows;
    double share;
    if (!read_bad_rows(o->max_bad_rows, &rows, &share)) {
        option_mistake(report, "max_bad_rows",
                       "\"%s\" is neither a number of rows (1000) nor a share of them (5%%)",
                       o->max_bad_rows);
    }
    validate_dislikes(o, report);
    validate_split(&o->split, report);
}

static const char *times_needed(const struct interactions_options *o)
{
    if (o->split.by == SPLIT_TIME) {
        return "split.by: time";
    }
    if (o->split.by == SPLIT_AUTO && o->split.repeats == CHOICE_TRUE) {
        return "split.repeats: true";
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
                                           .as_of = source->as_of,
                                           .time_unit = (enum time_unit)o->time_unit,
                                           .on_bad_row = (enum bad_row)o->on_bad_row,
                                           .times_needed = times_needed(o)},
                                 .dataset = {.duplicates = (enum duplicate_policy)o->duplicates,
                                             .half_life = o->half_life,
                                             .min_user_interactions = o->min_user_interactions,
                                             .min_item_interactions = o->min_item_interactions,
                                             .max_user_interactions = o->max_user_interactions},
                                 .split = {.by = by,
                                           .seed = seed,
                                           .cold_users = o->split.cold_users,
                                           .cold_items = o->split.cold_items,
                                           .repeats = o->split.repeats}};
    (void)read_bad_rows(o->max_bad_rows, &request->rules.max_bad_rows,
                        &request->rules.max_bad_share); /* validated */
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
