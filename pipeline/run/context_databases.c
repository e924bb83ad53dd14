/* Connections are opened when a stage first asks, and closed when it ends. */
#include "run/context_databases.h"

#include "run/context.h"

#include "base/path.h"
#include "events/source_database.h"
#include "run/context_state.h"

struct db *context_work(const struct context *context)
{
    return context->work;
}

enum status_code context_source(struct context *context, struct db **out, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct plan_source *source = &context->plan->settings.source;
    struct db *db = NULL;
    if (context->source == NULL) {
        if (source->database == NULL) {
            TRY(status_set_at(status, STATUS_CONFIG, context->plan->file, 0, 0,
                              "source.database is not given, but a stage reads the source"));
        }
        TRY(source_database_open(context->plan, &db, status));
        db_set_rank(db, context->plan->rank.mine, context->plan->rank.n);
        TRY(db_begin_read(db, status));
        context->source = db;
        db = NULL;
    }
    *out = context->source;
done:
    db_close(db);
    return code;
}

void context_source_done(struct context *context)
{
    /* While a fingerprint is taken the snapshot stays, for the stage has not read its rows yet. */
    if (context->source == NULL || context->in_fingerprint) {
        return;
    }
    struct status failure = {0};
    if (context->stage != NULL &&
        context_fingerprint(context, context->stage, context->fingerprint, &failure) != STATUS_OK) {
        context->fingerprint[0] = '\0'; /* unknown: the stage will run again */
        log_write(context->request->log, LOG_WARNING,
                  "stage %s: no fingerprint, so the next run does it again: %s",
                  context->stage->label, failure.message);
    }
    context->has_fingerprint = context->stage != NULL;
    db_close(context->source);
    context->source = NULL;
}

/* A new output database gets the encoding of the source's: SQLite attaches no other. One with
 * tables keeps its own. */
static enum status_code take_encoding(const struct plan *plan, struct db *output,
                                      struct status *status)
{
    enum status_code code;
    struct db *source = NULL;
    struct buf sql = {0};
    bool found;
    if (plan->settings.source.database == NULL) {
        return STATUS_OK;
    }
    TRY(source_database_open(plan, &source, status));
    buf_add_text(&sql, "PRAGMA encoding = '");
    TRY(db_get_text(source, "PRAGMA encoding", &sql, &found, status));
    buf_add_text(&sql, "'");
    TRY(db_exec_buf(output, &sql, status));
done:
    buf_release(&sql);
    db_close(source);
    return code;
}

enum status_code context_output_db(struct context *context, struct db **out, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct plan_settings *settings = &context->plan->settings;
    struct db *db = NULL;
    if (context->output == NULL) {
        const char *path = settings->output.database;
        if (path == NULL) {
            TRY(status_set_at(status, STATUS_CONFIG, context->plan->file, 0, 0,
                              "neither output.database nor source.database is given, but a stage "
                              "writes the output"));
        }
        bool is_source = path_same_file(path, settings->source.database);
        TRY(db_open(path, is_source ? DB_WRITE : DB_CREATE, settings->source.busy_timeout, &db,
                    status));
        if (is_source) {
            db_leave_checkpoints(db);
        } else {
            TRY(take_encoding(context->plan, db, status));
        }
        context->output = db;
        db = NULL;
    }
    *out = context->output;
done:
    db_close(db);
    return code;
}

enum status_code context_published_db(struct context *context, struct db **out,
                                      struct status *status)
{
    const struct plan_settings *settings = &context->plan->settings;
    const char *path = settings->output.database;
    *out = NULL;
    if (path == NULL || path_is_empty(path)) {
        return STATUS_OK;
    }
    enum status_code code = db_open(path, DB_READ, settings->source.busy_timeout, out, status);
    if (code == STATUS_OK) {
        db_leave_checkpoints(*out);
    }
    return code;
}

static enum status_code load_forgotten(struct context *context, struct forgotten *out,
                                       struct status *status)
{
    struct db *db = NULL;
    enum status_code code;
    TRY(context_published_db(context, &db, status));
    if (db != NULL) {
        TRY(forgotten_load(out, db, context->plan->settings.output.prefix, status));
    }
done:
    db_close(db);
    return code;
}

enum status_code context_share_forgotten(struct context *context, struct status *status)
{
    struct ranks *ranks = context_ranks(context);
    enum status_code code = STATUS_OK;
    if (ranks_n(ranks) == 1) {
        goto done;
    }
    if (ranks_is_first(ranks)) {
        TRY(load_forgotten(context, &context->forgotten, status));
    }
    TRY(forgotten_share(ranks, &context->forgotten, status));
done:
    return code;
}

enum status_code context_forgotten(struct context *context, struct forgotten *out,
                                   struct status *status)
{
    return ranks_n(context_ranks(context)) == 1 ? load_forgotten(context, out, status)
                                                : forgotten_clone(&context->forgotten, out, status);
}

void context_set_published_before(struct context *context, int64_t generation)
{
    context->published_before = generation;
}

const int64_t *context_published_before(const struct context *context)
{
    return &context->published_before;
}
