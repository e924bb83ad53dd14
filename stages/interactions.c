/* The interactions stage: the user's log out of the source database, filtered, split and numbered.
 * What each option does is in the table below; how it is done is in pipeline/model/event_reader.c
 * (rows), split.c (parts) and dataset_build.c (the two bases). */
#include "base/hash.h"
#include "base/mem.h"
#include "base/path.h"
#include "model/event_columns.h"
#include "model/event_store.h"
#include "model/extract.h"
#include "run/context.h"

#include <math.h>

struct split_options {
    bool given;
    int by; /* enum split_by */
    const char *valid, *test;
    const char *valid_query, *test_query;
    double cold_users, cold_items;
};

struct interactions_options {
    struct option_numbers event_weights;
    int other_events;
    double min_rating;
    struct option_texts dislikes;
    double dislike_rating; /* NAN: none */
    double half_life;
    int64_t since, until;
    int time_unit;
    int duplicates;
    int64_t min_user_interactions, min_item_interactions, max_user_interactions;
    int on_bad_row;
    int64_t max_bad_rows;
    struct split_options split;
};

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
static const struct option option_table[] = {
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
    {.name = "split",
     .type = OPTION_GROUP,
     OPTION(split),
     .help = "validation and test parts",
     .group = split_table,
     .group_size = sizeof(struct split_options)},
    {.name = NULL}};

static const struct stage_artifact outputs[] = {
    {"interactions", "vocabularies; train, validation and test interactions; all events", false},
    {NULL, NULL, false}};
static const struct stage_artifact inputs[] = {{NULL, NULL, false}};

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

static void interactions_validate(const void *options, struct option_report *report)
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
    validate_dislikes(o, report);
    validate_split(&o->split, report);
}

/* Rows cost 21 bytes in columns, twice while they are sorted; then the log and the parts of both
 * bases at 16 bytes a pair stand beside one copy. An id costs its value, two index slots and a
 * sorting key. */
static void interactions_estimate(const void *options, const struct stage_sizes *sizes,
                                  struct stage_estimate *out)
{
    const double rows = sizes->n_rows, n = sizes->n_interactions;
    const double n_ids = sizes->n_users + sizes->n_items;

    (void)options;
    *out = (struct stage_estimate){.memory_bytes = rows * 21 + n * 4 * 16 + n_ids * 64,
                                   .result_bytes = n * 3 * 16 + n_ids * 60,
                                   .disk_bytes = n * 3 * 16 + n_ids * 60,
                                   .seconds = rows * 6e-7 + n_ids * 1e-6,
                                   .rows = rows};
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

static enum status_code make_request(const struct interactions_options *o,
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

static void add_cell(struct hash_state *hash, struct db_query *query, int column)
{
    enum db_type type = db_column_type(query, column);

    hash_add_int64(hash, (int64_t)type);
    if (type != DB_NULL) {
        size_t length;
        const void *bytes = db_column_blob(query, column, &length);
        hash_add_int64(hash, (int64_t)length);
        hash_add(hash, bytes, length);
    }
}

static void add_text(struct hash_state *hash, const char *text)
{
    hash_add_int64(hash, text != NULL);
    hash_add_text(hash, text != NULL ? text : "");
}

/* The first row of source.fingerprint, together with what is read from which file. */
static enum status_code interactions_fingerprint(struct context *context, const void *options,
                                                 char out[33], struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct plan_source *source = &context_settings(context)->source;
    struct hash_state *hash = NULL;
    struct db_query *query = NULL;
    struct db *db = NULL;
    struct forgotten forgotten = {0};
    bool has_row = false;

    (void)options;
    out[0] = '\0';
    if (source->fingerprint == NULL) {
        goto done;
    }
    TRY(context_forgotten(context, &forgotten, status));
    TRY(context_source(context, &db, status));
    TRY(db_prepare_user(db, "source.fingerprint", source->fingerprint, source->query_timeout,
                        &query, status));
    TRY(hash_new(&hash, status));
    const char *const texts[] = {source->fingerprint, source->interactions, source->table,
                                 source->user,        source->item,         source->event,
                                 source->weight,      source->time,         source->key};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        add_text(hash, texts[i]);
    }
    TRY(db_step(query, &has_row, status));
    for (int i = 0; has_row && i < db_column_count(query); i++) {
        add_cell(hash, query, i);
    }
    hash_add(hash, forgotten.hashes, forgotten.n * KEYED_HASH_BYTES);
    hash_text(hash, out);
done:
    forgotten_release(&forgotten);
    hash_free(hash);
    db_finalize(query);
    return code;
}

static enum status_code tick(void *data, int64_t n_rows, struct status *status)
{
    struct context *context = data;

    progress_update(context_progress(context), (double)n_rows, NULL);
    return context_check_stop(context, status);
}

/* What a person wants to know after the stage, and an empty part that was asked for. */
static void tell(struct context *context, const struct interactions *interactions,
                 const struct extract_request *request, const struct row_report *report)
{
    const struct dataset *fit = &interactions->basis[BASIS_FIT];
    const struct dataset *all = &interactions->basis[BASIS_ALL];
    size_t n_valid = sparse_entries(&fit->valid.matrix), n_test = sparse_entries(&fit->test.matrix);
    struct log *log = context_log(context);
    struct buf left_out = {0};

    row_report_add(report, &left_out);
    log_write(log, LOG_INFO,
              "interactions: %lld rows%s%s; %zu users x %zu items to fit: %zu pairs, %zu to "
              "validate, %zu to test; all: %zu users x %zu items, %zu pairs",
              (long long)report->n_rows, left_out.length > 0 ? ", " : "", buf_text(&left_out),
              fit->n_users, fit->n_items, sparse_entries(&fit->train.matrix), n_valid, n_test,
              all->n_users, all->n_items, sparse_entries(&all->train.matrix));
    if (report->n_dislikes > 0) {
        log_write(log, LOG_INFO,
                  "interactions: %zu pairs of known users and items are dislikes; %zu of them to "
                  "fit, %zu to serve",
                  sparse_entries(&interactions->disliked.matrix),
                  sparse_entries(&fit->dislikes.matrix), sparse_entries(&all->dislikes.matrix));
    }
    if (n_valid == 0 &&
        (request->valid_query != NULL || request->split.valid.kind != SPLIT_NOTHING)) {
        log_write(log, LOG_WARNING,
                  "interactions: the validation part is empty: nothing is left of it after pairs "
                  "known from training, and users and items that training does not know, are "
                  "dropped");
    }
    if (n_test == 0 && (request->test_query != NULL || request->split.test.kind != SPLIT_NOTHING)) {
        log_write(log, LOG_WARNING,
                  "interactions: the test part is empty: nothing is left of it after pairs known "
                  "from training and validation, and users and items that training does not know, "
                  "are dropped");
    }
    buf_release(&left_out);
}

/* The cold part of FIT, where somebody is asked about it, or should have been. */
static void tell_cold(struct context *context, const struct dataset *fit,
                      const struct split_settings *split)
{
    const struct cold_part *cold = &fit->cold;
    size_t n_user_pairs = sparse_entries(&cold->held_out);
    size_t n_item_pairs = sparse_entries(&cold->item_held_out);
    struct log *log = context_log(context);

    if (n_user_pairs + n_item_pairs > 0) {
        log_write(log, LOG_INFO,
                  "interactions: cold: %zu users with a history, %zu pairs to ask; %zu items, %zu "
                  "pairs to ask",
                  cold->n_users, n_user_pairs, cold->n_items, n_item_pairs);
    }
    if (split->cold_users > 0 && n_user_pairs == 0) {
        log_write(log, LOG_WARNING,
                  "interactions: split.cold_users: %g held out no user with pairs to ask: a larger "
                  "share of %zu users is needed",
                  split->cold_users, fit->n_users);
    }
    if (split->cold_items > 0 && n_item_pairs == 0) {
        log_write(log, LOG_WARNING,
                  "interactions: split.cold_items: %g held out no item with pairs to ask: a larger "
                  "share of %zu items is needed",
                  split->cold_items, fit->n_items);
    }
}

static enum status_code hand_on(struct context *context, struct interactions *interactions,
                                const struct row_report *report, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact artifact = {0};

    artifact_init(&artifact, "interactions");
    TRY(interactions_save(interactions, &artifact, status));
    TRY(extract_save_facts(report, &artifact, status));
    TRY(context_output(context, &artifact, status));
done:
    artifact_release(&artifact);
    return code;
}

/* ---- source.key: only what is new ---- */

static void add_numbers(struct hash_state *hash, const struct option_numbers *numbers)
{
    for (size_t i = 0; i < numbers->n; i++) {
        add_text(hash, numbers->names[i]);
        hash_add(hash, &numbers->values[i], sizeof numbers->values[i]);
    }
    hash_add_int64(hash, (int64_t)numbers->n);
}

/* A hash of what decides about single rows: rows that were read under other rules do not count. */
static enum status_code hash_rules(struct context *context, const struct extract_request *request,
                                   char out[33], struct status *status)
{
    enum status_code code;
    const struct plan_source *source = &context_settings(context)->source;
    const struct event_rules *rules = &request->rules;
    struct hash_state *hash = NULL;
    char *path = NULL;

    TRY(path_absolute(source->database, &path, status));
    TRY(hash_new(&hash, status));
    const char *const texts[] = {context_version(context),
                                 path,
                                 source->interactions,
                                 source->table,
                                 source->user,
                                 source->item,
                                 source->event,
                                 source->weight,
                                 source->time,
                                 source->key};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        add_text(hash, texts[i]);
    }
    add_numbers(hash, &rules->event_weights);
    for (size_t i = 0; i < rules->dislikes.n; i++) {
        add_text(hash, rules->dislikes.values[i]);
    }
    const int64_t numbers[] = {rules->other_events,      rules->since,      rules->until,
                               rules->time_unit,         rules->on_bad_row, rules->max_bad_rows,
                               rules->has_dislike_rating};
    hash_add(hash, numbers, sizeof numbers);
    hash_add(hash, &rules->min_rating, sizeof rules->min_rating);
    if (rules->has_dislike_rating) {
        hash_add(hash, &rules->dislike_rating, sizeof rules->dislike_rating);
    }
    hash_add(hash, rules->forgotten->hashes, rules->forgotten->n * KEYED_HASH_BYTES);
    hash_text(hash, out);
done:
    hash_free(hash);
    mem_free(path);
    return code;
}

/* What earlier runs have read, unless this one is to read everything. */
static enum status_code load_known(struct context *context, struct event_store *store,
                                   const struct extract_request *request,
                                   struct extraction *extraction, struct status *status)
{
    enum status_code code;
    bool found = false;

    TRY(hash_rules(context, request, store->rules, status));
    if (context_is_forced(context)) {
        TRY(event_store_clear(store, status));
        goto done;
    }
    TRY(event_store_load(store, request->interactions.what, extraction, &found, status));
done:
    return code;
}

/* All rows of the source, of which those up to the last key may come from the work database. A log
 * that has lost the row of the last key is not the one that was read: then everything is read. */
static enum status_code read_source(struct context *context, const struct extract_request *request,
                                    struct extraction *extraction, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct event_store store = {.work = context_work(context), .label = "interactions"};
    struct event_watch watch = {tick, context};
    struct db *source = NULL;
    /* given parts are read anew each time, and so is the log beside them */
    const bool has_key = request->interactions.key != NULL && request->valid_query == NULL &&
                         request->test_query == NULL;

    if (has_key) {
        TRY(load_known(context, &store, request, extraction, status));
    }
    const int64_t n_known = extraction->report.n_rows;
    TRY(context_source(context, &source, status));
    progress_start(context_progress(context), "interactions", "rows", 0);
    TRY(extract_read(source, request, &watch, extraction, status));
    if (n_known > 0 && !extraction->log.has_last) {
        log_write(context_log(context), LOG_WARNING,
                  "interactions: the row with source.key: %s = %lld is gone; reading all rows",
                  request->interactions.key, (long long)extraction->log.last_key);
        extraction_release(extraction);
        *extraction = (struct extraction){0};
        TRY(event_store_clear(&store, status));
        TRY(extract_read(source, request, &watch, extraction, status));
    } else if (n_known > 0) {
        log_write(context_log(context), LOG_INFO,
                  "interactions: %lld rows are new, %lld were read by earlier runs",
                  (long long)(extraction->report.n_rows - n_known), (long long)n_known);
    }
    context_source_done(context);
    if (has_key) {
        TRY(event_store_save(&store, extraction, status));
    }
done:
    return code;
}

static enum status_code interactions_run(struct context *context, const void *options,
                                         struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct plan_settings *settings = context_settings(context);
    struct extract_request request;
    struct extraction extraction = {0};
    struct interactions interactions = {0};
    struct event_watch watch = {tick, context};
    struct forgotten forgotten = {0};

    TRY(context_forgotten(context, &forgotten, status));
    TRY(make_request(options, &settings->source, context_seed(context), &request, status));
    request.rules.forgotten = &forgotten;
    TRY(read_source(context, &request, &extraction, status));
    TRY(context_check_stop(context, status));
    TRY(extract_build(&extraction, &request, &interactions, status));
    TRY(context_check_stop(context, status));
    TRY(extract_write_tables(context_work(context), &interactions, &extraction.report, &watch,
                             status));
    tell(context, &interactions, &request, &extraction.report);
    tell_cold(context, &interactions.basis[BASIS_FIT], &request.split);
    TRY(hand_on(context, &interactions, &extraction.report, status));
    context_set_rows(context, extraction.report.n_rows);
done:
    progress_finish(context_progress(context));
    forgotten_release(&forgotten);
    extraction_release(&extraction);
    interactions_release(&interactions);
    return code;
}

extern const struct stage stage_interactions;
const struct stage stage_interactions = {
    .name = "interactions",
    .summary = "Reads the interaction log from the source database, applies the rules for rows, "
               "and cuts validation and test parts.",
    .version = 5,
    .options_size = sizeof(struct interactions_options),
    .options = option_table,
    .inputs = inputs,
    .outputs = outputs,
    .validate = interactions_validate,
    .estimate = interactions_estimate,
    .fingerprint = interactions_fingerprint,
    .run = interactions_run,
};
