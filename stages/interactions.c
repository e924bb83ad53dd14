/* The interactions stage: the user's log out of the source database, filtered, split and numbered.
 * What each option does is in the table of pipeline/events/interactions_options.c; how it is done
 * is in event_reader.c (rows), split.c (parts) and dataset_build.c (the two bases). */
#include "base/clock.h"
#include "dataset/dataset_ranks.h"
#include "evaluation/weight_half_life.h"
#include "events/event_columns.h"
#include "events/event_store.h"
#include "events/interactions_options.h"
#include "events/late_events.h"
#include "events/moving_key.h"
#include "events/new_events.h"
#include "publishing/shown.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/context_databases.h"
#include "run/source_log.h"

#include <math.h>
#include <string.h>

static const struct stage_artifact outputs[] = {
    {.name = "interactions",
     .help = "vocabularies; train, validation and test interactions; all events"},
    {.name = "late_events",
     .help = "of a split by time: each event behind the train part",
     .optional = true},
    {.name = "new_events",
     .help = "of a log with times: each event since the oldest kept generation",
     .optional = true},
    {.name = "reading",
     .help = "with refresh: when the log was read, and how far",
     .optional = true},
    {.name = NULL}};
static const struct stage_artifact inputs[] = {{.name = NULL}};

/* Rows cost 21 bytes in columns, twice while they are sorted; then the log and the parts of both
 * bases at 16 bytes a pair stand beside one copy. An id costs its value, two index slots and a
 * sorting key. */
static void interactions_estimate(const void *options, const struct stage_sizes *sizes,
                                  struct stage_estimate *out)
{
    const double rows = sizes->n_rows, n = sizes->n_interactions;
    const double n_ids = sizes->n_users + sizes->n_items;
    /* the keys and two copies in which they are sorted, gone before the pairs are built */
    const double keys = sizes->has_key ? rows * 24 : 0;

    (void)options;
    *out = (struct stage_estimate){.memory_bytes = rows * 21 + fmax(keys, n * 4 * 16) +
                                                   sizes->n_seen * 48 + n_ids * 64,
                                   .result_bytes = n * 3 * 16 + sizes->n_seen * 8 + n_ids * 60,
                                   .disk_bytes = n * 3 * 16 + sizes->n_seen * 8 + n_ids * 60,
                                   .seconds = (rows + n_ids) * 500 * sizes->speeds.addition,
                                   .rows = rows};
}

static enum status_code interactions_fingerprint(struct context *context, const void *options,
                                                 char out[HASH_TEXT_MAX], struct status *status)
{
    const struct interactions_options *o = options;
    const struct artifact *reading = NULL;
    enum status_code code;

    if (o->refresh <= 0) {
        return source_log_fingerprint(context, out, status);
    }
    TRY(context_own_output(context, "reading", &reading, status));
    TRY(watermark_fingerprint(context, reading, o->refresh, out, status));
done:
    return code;
}

/* Whether the query has the columns that the options ask for. */
static enum status_code interactions_check(struct context *context, const void *options,
                                           struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct interactions_options *o = options;
    struct extract_request request;
    struct event_columns columns;
    struct db_query *query = NULL;
    struct db *source = NULL;
    struct buf moving = {0};

    if (context_settings(context)->source.is_imported) {
        return STATUS_OK;
    }
    TRY(interactions_request(o, &context_settings(context)->source, context_seed(context), &request,
                             status));
    TRY(context_source(context, &source, status));
    TRY(event_columns_open(source, &request.interactions, &request.rules, &query, &columns,
                           status));
    if (columns.index[COLUMN_WEIGHT] >= 0 && !(o->min_rating > 0) &&
        strcmp(db_column_name(query, columns.index[COLUMN_WEIGHT]), "rating") == 0) {
        log_write(context_log(context), LOG_WARNING,
                  "interactions: the query gives a rating and min_rating says nothing: one star is "
                  "a like, if a weak one; set min_rating, or call the column weight");
    }
    TRY(moving_key_find(source, &request.interactions, &moving, status));
    if (moving.length > 0) {
        log_write(context_log(context), LOG_WARNING,
                  "interactions: source.key is the rowid of %s, which VACUUM may number anew, and "
                  "rows would be lost unseen: give it a column INTEGER PRIMARY KEY AUTOINCREMENT "
                  "and name that, or leave source.key out",
                  buf_text(&moving));
    }
    if (o->refresh > 0 && o->max_user_interactions > 0 && columns.index[COLUMN_TIME] < 0) {
        code =
            status_set(status, STATUS_CONFIG,
                       "max_user_interactions keeps the newest pairs: beside refresh, which adds "
                       "rows later, the query needs a column created_at");
    }
done:
    buf_release(&moving);
    db_finalize(query);
    context_source_done(context);
    return code;
}

static void interactions_validate_plan(const struct plan *plan, const struct plan_stage *self,
                                       struct option_report *report)
{
    const struct interactions_options *o = self->options;

    if (o->refresh <= 0) {
        return;
    }
    if (plan->settings.source.key == NULL) {
        option_mistake(report, "refresh",
                       "it stands without source.key, by which new rows are found");
    }
    if (plan_find(plan, "catch_up") == NULL) {
        option_mistake(report, "refresh",
                       "it stands without a stage catch_up, which adds what is new: put one "
                       "behind refit");
    }
    if (o->split.valid_query != NULL || o->split.test_query != NULL) {
        option_mistake(report, "refresh",
                       "it stands beside split.%s: given parts are read anew every time",
                       o->split.valid_query != NULL ? "valid_query" : "test_query");
    }
}

static void interactions_refuse_ranks(const void *options, struct option_report *report)
{
    const struct interactions_options *o = options;

    if (o->refresh > 0) {
        option_mistake(report, "refresh",
                       "several ranks read the whole log every time: leave refresh and the stage "
                       "catch_up out");
    }
}

/* What a person wants to know after the stage, and an empty part that was asked for. */
static void tell(struct context *context, const struct interactions *interactions,
                 const struct extract_request *request, const struct extraction *extraction)
{
    const struct row_report *report = &extraction->report;
    const struct dataset *fit = &interactions->basis[BASIS_FIT];
    const struct dataset *all = &interactions->basis[BASIS_ALL];
    const struct dataset_totals of_fit = dataset_totals(fit), of_all = dataset_totals(all);
    struct log *log = context_log(context);
    struct buf left_out = {0}, bad = {0};

    row_report_add(report, &left_out);
    log_write(log, LOG_INFO,
              "interactions: %lld rows%s%s; %lld users x %zu items to fit: %lld pairs, %lld to "
              "validate, %lld to test; all: %lld users x %zu items, %lld pairs",
              (long long)report->n_rows, left_out.length > 0 ? ", " : "", buf_text(&left_out),
              (long long)of_fit.users, fit->n_items, (long long)of_fit.pairs,
              (long long)of_fit.valid_pairs, (long long)of_fit.test_pairs, (long long)of_all.users,
              all->n_items, (long long)of_all.pairs);
    extract_add_bad_share(extraction, context_settings(context)->work.database, &bad);
    if (bad.length > 0) {
        log_write(log, LOG_WARNING, "interactions: %s", buf_text(&bad));
    }
    if (of_fit.valid_pairs == 0 &&
        (request->valid_query != NULL || request->split.valid.kind != SPLIT_NOTHING)) {
        log_write(log, LOG_WARNING,
                  "interactions: the validation part is empty: nothing is left of it after pairs "
                  "known from training, and users and items that training does not know, are "
                  "dropped");
    }
    if (of_fit.test_pairs == 0 &&
        (request->test_query != NULL || request->split.test.kind != SPLIT_NOTHING)) {
        log_write(log, LOG_WARNING,
                  "interactions: the test part is empty: nothing is left of it after pairs known "
                  "from training and validation, and users and items that training does not know, "
                  "are dropped");
    }
    buf_release(&bad);
    buf_release(&left_out);
}

static enum status_code tell_dislikes(struct context *context,
                                      const struct interactions *interactions,
                                      struct status *status)
{
    enum status_code code;
    int64_t n[] = {(int64_t)sparse_entries(&interactions->disliked.matrix),
                   (int64_t)sparse_entries(&interactions->basis[BASIS_FIT].dislikes.matrix),
                   (int64_t)sparse_entries(&interactions->basis[BASIS_ALL].dislikes.matrix)};

    TRY(ranks_sum_int64(context_ranks(context), n, 3, status));
    log_write(context_log(context), LOG_INFO,
              "interactions: %lld pairs of known users and items are dislikes; %lld of them to "
              "fit, %lld to serve",
              (long long)n[0], (long long)n[1], (long long)n[2]);
done:
    return code;
}

/* How several ranks have read the log, where there is a better way. */
static void tell_reading(struct context *context, const struct extraction *extraction,
                         const struct event_query *query)
{
    if (extraction->is_read_whole && query->key == NULL) {
        log_write(context_log(context), LOG_INFO,
                  "interactions: each rank reads all rows and keeps those of its own users; with "
                  "source.key, a column of whole numbers that grows with the rows, each would "
                  "read a part");
    } else if (extraction->is_read_whole) {
        log_write(context_log(context), LOG_INFO,
                  "interactions: each rank reads all rows, because without times their order "
                  "counts, and keeps those of its own users");
    }
}

/* What auto decided; and what somebody may not know who leaves repeats out. */
static void tell_repeats(struct context *context, const struct split_settings *split, double share,
                         bool count)
{
    const bool is_missed = split->repeats == CHOICE_FALSE && share >= SPLIT_REPEATS;

    if (split->repeats == CHOICE_AUTO) {
        log_write(
            context_log(context), LOG_INFO,
            "interactions: split.repeats: auto: %.1f %% of the newest tenth's events are of items "
            "that their users had before (from %.0f %% on they count): %s",
            100 * share, 100 * SPLIT_REPEATS,
            count ? "repeats count as choices" : "only new items count");
    } else if (is_missed && (split->by == SPLIT_AUTO || split->by == SPLIT_TIME)) {
        log_write(context_log(context), LOG_INFO,
                  "interactions: %.1f %% of the newest tenth's events are of items that their "
                  "users had before; where lists should have such items, split.repeats: auto here "
                  "and exclude_seen: auto of recommend count them",
                  100 * share);
    }
}

static enum status_code add_metric(struct context *context, const char *name, double value,
                                   struct status *status)
{
    const struct publish_metric metric = {
        .name = name, .model = "data", .group = "all", .value = value};
    return context_add_metric(context, &metric, status);
}

/* half_life: auto. The log is split, and nothing is folded yet. */
static enum status_code choose_half_life(struct context *context, const struct event_log *events,
                                         struct extract_request *request, struct status *status)
{
    struct weight_half_life made;
    enum status_code code = STATUS_OK;

    if (!isnan(request->dataset.half_life)) {
        goto done;
    }
    TRY(weight_half_life_choose(events, request->dataset.duplicates, context_seed(context),
                                context_pool(context), &made, status));
    const double days = weight_half_lives[made.chosen];
    request->dataset.half_life = days * CLOCK_DAY;
    if (made.n_users == 0) {
        log_write(
            context_log(context), LOG_INFO, "interactions: half_life: auto: none, for want of %s",
            events->has_times ? "a validation part with something new to its users" : "times");
    } else {
        log_write(context_log(context), LOG_INFO,
                  "interactions: half_life: auto: %g days (0: no decay); lists of neighbours have "
                  "ndcg@20 %.4f with it and %.4f without decay, for %zu users of the validation "
                  "part",
                  days, made.values[made.chosen], made.values[0], made.n_users);
    }
    TRY(add_metric(context, "half_life_days", days, status));
done:
    return code;
}

/* The cold part of FIT, where somebody is asked about it, or should have been. */
static void tell_cold(struct context *context, const struct dataset *fit,
                      const struct split_settings *split)
{
    const struct dataset_totals totals = dataset_totals(fit);
    const int64_t n_user_pairs = totals.cold_user_pairs, n_item_pairs = totals.cold_item_pairs;
    struct log *log = context_log(context);

    if (n_user_pairs + n_item_pairs > 0) {
        log_write(log, LOG_INFO,
                  "interactions: cold: %lld users with a history, %lld pairs to ask; %zu items, "
                  "%lld pairs to ask",
                  (long long)totals.cold_users, (long long)n_user_pairs, fit->cold.n_items,
                  (long long)n_item_pairs);
    }
    if (split->cold_users > 0 && n_user_pairs == 0) {
        log_write(log, LOG_WARNING,
                  "interactions: split.cold_users: %g held out no user with pairs to ask: a larger "
                  "share of %lld users is needed",
                  split->cold_users, (long long)totals.users);
    }
    if (split->cold_items > 0 && n_item_pairs == 0) {
        log_write(log, LOG_WARNING,
                  "interactions: split.cold_items: %g held out no item with pairs to ask: a larger "
                  "share of %zu items is needed",
                  split->cold_items, fit->n_items);
    }
}

/* What people did with what they were shown: since the oldest generation that may still be judged
 * was made, or this one is. */
static enum status_code hand_on_new(struct context *context, const struct event_log *log,
                                    struct status *status)
{
    const struct plan *plan = context_plan(context);
    struct artifact artifact = {0};
    int64_t since = context_run_started(context), oldest;
    struct db *output = NULL;
    enum status_code code = STATUS_OK;

    if (plan_find(plan, "publish") == NULL) {
        goto done;
    }
    TRY(context_published_db(context, &output, status));
    if (output != NULL) {
        TRY(shown_since(output, plan->settings.output.prefix, &oldest, status));
        since = oldest < since ? oldest : since;
    }
    TRY(ranks_share(context_ranks(context), &since, sizeof since, status));
    TRY(new_events_gather(log, since, &artifact, status));
    if (artifact.n_arrays > 0) {
        TRY(context_output(context, &artifact, status));
    }
done:
    artifact_release(&artifact);
    db_close(output);
    return code;
}

static enum status_code hand_on(struct context *context, struct interactions *interactions,
                                const struct extraction *extraction,
                                const struct dataset_rules *rules, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact artifact = {0};

    artifact_init(&artifact, "interactions");
    TRY(interactions_save(interactions, &artifact, status));
    TRY(extract_save_facts(&extraction->report, &artifact, status));
    TRY(extract_save_decisions(extraction, rules, &artifact, status));
    TRY(context_output(context, &artifact, status));
    TRY(late_events_gather(&extraction->log, &artifact, status));
    if (artifact.n_arrays > 0) {
        TRY(context_output(context, &artifact, status));
    }
    TRY(hand_on_new(context, &extraction->log, status));
done:
    artifact_release(&artifact);
    return code;
}

/* ---- source.key: only what is new ---- */

/* What earlier runs have read, unless this one is to read everything. */
static enum status_code load_known(struct context *context, struct event_store *store,
                                   const struct extract_request *request,
                                   struct extraction *extraction, struct status *status)
{
    enum status_code code;
    bool found = false;

    TRY(source_log_hash_rules(context, request, store->rules, status));
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
static enum status_code read_source(struct context *context, const struct interactions_options *o,
                                    const struct extract_request *request,
                                    struct extraction *extraction, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct event_store store = {.work = context_work(context), .label = "interactions"};
    const struct watch watch = context_watch(context);
    struct artifact reading = {0};
    struct db *source = NULL;
    /* given parts are read anew each time, and so is the log beside them, or by several ranks */
    const bool has_key = request->interactions.key != NULL && request->valid_query == NULL &&
                         request->test_query == NULL && ranks_n(request->ranks) == 1;

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
    if (o->refresh > 0) { /* before the fingerprint is taken, which looks at it */
        TRY(watermark_make(context, extraction, store.rules, &reading, status));
        TRY(context_output(context, &reading, status));
    }
    context_source_done(context);
    TRY(extract_write_left_out(context_work(context), extraction, status));
    if (has_key) {
        TRY(event_store_save(&store, extraction, status));
    }
done:
    artifact_release(&reading);
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
    const struct watch watch = context_watch(context);
    struct forgotten forgotten = {0};

    TRY(context_forgotten(context, &forgotten, status));
    TRY(interactions_request(options, &settings->source, context_seed(context), &request, status));
    request.rules.forgotten = &forgotten;
    request.ranks = context_ranks(context);
    request.has_own_rows = context_plan(context)->source_by_rank;
    /* else by :rank, and the file is everybody's */
    request.has_own_source =
        request.has_own_rows && (settings->source.interactions == NULL ||
                                 strstr(settings->source.interactions, ":rank") == NULL);
    TRY(read_source(context, options, &request, &extraction, status));
    TRY(context_check_stop(context, status));
    TRY(extract_split(&extraction, &request, status));
    TRY(choose_half_life(context, &extraction.log, &request, status));
    tell_reading(context, &extraction, &request.interactions);
    TRY(extract_build(&extraction, &request, &interactions, status));
    TRY(interactions_add_up(context_ranks(context), &interactions, status));
    TRY(context_check_stop(context, status));
    TRY(extract_write_tables(context_work(context), &interactions, &watch, status));
    tell(context, &interactions, &request, &extraction);
    if (extraction.report.n_dislikes > 0) {
        TRY(tell_dislikes(context, &interactions, status));
    }
    tell_repeats(context, &request.split, extraction.repeat_share,
                 interactions.basis[BASIS_FIT].repeats);
    tell_cold(context, &interactions.basis[BASIS_FIT], &request.split);
    TRY(hand_on(context, &interactions, &extraction, &request.dataset, status));
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
    .version = 8,
    .options_size = sizeof(struct interactions_options),
    .options = interactions_option_table,
    .inputs = inputs,
    .outputs = outputs,
    .validate = interactions_options_validate,
    .validate_plan = interactions_validate_plan,
    .works_in_ranks = true,
    .refuse_ranks = interactions_refuse_ranks,
    .estimate = interactions_estimate,
    .check = interactions_check,
    .fingerprint = interactions_fingerprint,
    .run = interactions_run,
};
