/* What is asked of the source beside its rows. */
#include "run/source_log.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/path.h"
#include "events/event_columns.h"
#include "events/event_store.h"
#include "run/context_databases.h"

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

/* The texts that say what is read, and who is left out. */
static enum status_code add_source(struct hash_state *hash, struct context *context,
                                   struct status *status)
{
    enum status_code code;
    const struct plan_source *source = &context_settings(context)->source;
    struct forgotten forgotten = {0};
    const char *const texts[] = {source->fingerprint, source->interactions, source->table,
                                 source->user,        source->item,         source->event,
                                 source->weight,      source->time,         source->key};

    TRY(context_forgotten(context, &forgotten, status));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        add_text(hash, texts[i]);
    }
    hash_add(hash, forgotten.hashes, forgotten.n * KEYED_HASH_BYTES);
done:
    forgotten_release(&forgotten);
    return code;
}

/* The first row of source.fingerprint. */
static enum status_code add_query(struct hash_state *hash, struct context *context,
                                  struct status *status)
{
    enum status_code code;
    const struct plan_source *source = &context_settings(context)->source;
    struct db_query *query = NULL;
    struct db *db = NULL;
    bool has_row = false;

    TRY(context_source(context, &db, status));
    TRY(db_prepare_user(db, "source.fingerprint", source->fingerprint, source->query_timeout,
                        &query, status));
    TRY(db_step(query, &has_row, status));
    for (int i = 0; has_row && i < db_column_count(query); i++) {
        add_cell(hash, query, i);
    }
done:
    db_finalize(query);
    return code;
}

enum status_code source_log_fingerprint(struct context *context, char out[HASH_TEXT_MAX],
                                        struct status *status)
{
    enum status_code code = STATUS_OK;
    struct hash_state *hash = NULL;

    out[0] = '\0';
    if (context_settings(context)->source.fingerprint == NULL) {
        goto done;
    }
    TRY(hash_new(&hash, status));
    TRY(add_source(hash, context, status));
    TRY(add_query(hash, context, status));
    hash_text(hash, out);
done:
    hash_free(hash);
    return code;
}

enum status_code source_log_keys(struct context *context, int64_t from, bool *has_from,
                                 int64_t *newest, struct status *status)
{
    enum status_code code;
    struct event_query log;
    struct db_query *query = NULL;
    struct db *db = NULL;
    struct buf sql = {0};
    bool has_row;

    TRY(event_query_of_source(&context_settings(context)->source, &log, status));
    event_query_keys(&log, from, &sql);
    TRY(buf_check(&sql, status));
    TRY(context_source(context, &db, status));
    TRY(db_prepare_user(db, log.what, buf_text(&sql), log.timeout_seconds, &query, status));
    TRY(db_step(query, &has_row, status));
    *has_from =
        has_row && db_column_type(query, 0) == DB_INTEGER && db_column_int64(query, 0) == from;
    *newest = has_row && db_column_type(query, 1) == DB_INTEGER ? db_column_int64(query, 1) : from;
done:
    db_finalize(query);
    buf_release(&sql);
    return code;
}

enum status_code source_log_need_times(struct context *context, const char *option,
                                       struct status *status)
{
    const struct plan_source *source = &context_settings(context)->source;
    const struct event_rules rules = {
        .since = INT64_MIN, .until = INT64_MIN, .times_needed = option};
    struct event_query log;
    struct event_columns columns;
    struct db_query *query = NULL;
    struct db *db = NULL;
    enum status_code code;

    if (source->is_imported) {
        return STATUS_OK;
    }
    TRY(event_query_of_source(source, &log, status));
    TRY(context_source(context, &db, status));
    TRY(event_columns_open(db, &log, &rules, &query, &columns, status));
done:
    db_finalize(query);
    context_source_done(context);
    return code;
}

void source_log_add_rank_hint(const struct context *context, struct buf *out)
{
    const char *sql = context_settings(context)->source.interactions;
    const size_t n = context_plan(context)->rank.n;
    if (sql != NULL && strstr(sql, ":rank") != NULL) {
        buf_addf(out, " (for :rank put any of 0 to %zu, for :ranks %zu)", n - 1, n);
    }
}

enum status_code source_log_newest(struct context *context, int64_t from, char out[HASH_TEXT_MAX],
                                   struct status *status)
{
    enum status_code code;
    struct hash_state *hash = NULL;
    bool has_from;
    int64_t newest;

    if (context_settings(context)->source.fingerprint != NULL) {
        return source_log_fingerprint(context, out, status);
    }
    TRY(source_log_keys(context, from, &has_from, &newest, status));
    TRY(hash_new(&hash, status));
    TRY(add_source(hash, context, status));
    hash_add_int64(hash, newest);
    hash_text(hash, out);
done:
    hash_free(hash);
    return code;
}

/* ---- when the log was read ---- */

enum status_code watermark_make(struct context *context, const struct extraction *extraction,
                                const char rules[HASH_TEXT_MAX], struct artifact *out,
                                struct status *status)
{
    enum status_code code;

    artifact_init(out, "reading");
    TRY(artifact_set_number(out, "at", (double)context_run_started(context), status));
    TRY(artifact_copy(out, "rules", ARRAY_U8, HASH_TEXT_MAX, 1, rules, status));
    TRY(event_state_add(extraction, out, status));
done:
    return code;
}

enum status_code watermark_fingerprint(struct context *context, const struct artifact *reading,
                                       double refresh, char out[HASH_TEXT_MAX],
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    struct extraction *known = NULL; /* on the heap: a report is large */
    struct hash_state *hash = NULL;
    bool fits = false, has_last = false;
    double at = 0;
    int64_t newest;

    out[0] = '\0';
    if (reading == NULL) {
        goto done;
    }
    TRY(MEM_NEW(&known, 1, status));
    TRY(artifact_get_number(reading, "at", &at, status));
    TRY(event_state_get(reading, "", known, &fits, status));
    const double age = (double)context_run_started(context) - at;
    if (!fits || age < 0 || age >= refresh) {
        goto done;
    }
    TRY(source_log_keys(context, known->log.last_key, &has_last, &newest, status));
    if (!has_last) {
        log_write(context_log(context), LOG_WARNING,
                  "%s: the row with source.key: %s = %lld is gone; reading all rows",
                  context_label(context), context_settings(context)->source.key,
                  (long long)known->log.last_key);
        goto done;
    }
    TRY(hash_new(&hash, status));
    TRY(add_source(hash, context, status));
    hash_text(hash, out);
done:
    hash_free(hash);
    mem_free(known);
    return code;
}

static void add_numbers(struct hash_state *hash, const struct option_numbers *numbers)
{
    for (size_t i = 0; i < numbers->n; i++) {
        add_text(hash, numbers->names[i]);
        hash_add(hash, &numbers->values[i], sizeof numbers->values[i]);
    }
    hash_add_int64(hash, (int64_t)numbers->n);
}

/* A hash of what decides about single rows: rows that were read under other rules do not count. */
enum status_code source_log_hash_rules(struct context *context,
                                       const struct extract_request *request,
                                       char out[HASH_TEXT_MAX], struct status *status)
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
    const int64_t numbers[] = {EVENT_STORE_VERSION, rules->other_events,      rules->since,
                               rules->until,        rules->time_unit,         rules->on_bad_row,
                               rules->max_bad_rows, rules->has_dislike_rating};
    hash_add(hash, numbers, sizeof numbers);
    hash_add(hash, &rules->max_bad_share, sizeof rules->max_bad_share);
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
