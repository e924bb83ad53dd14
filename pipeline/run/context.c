/* What a stage may touch, and the bookkeeping behind it. Which stages run, and in which order, is
 * the runner's business. */
#include "run/context_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"

#include <assert.h>
#include <math.h>
#include <signal.h>
#include <unistd.h>

static size_t count_outputs(const struct stage *stage)
{
    size_t n = 0;
    while (stage->outputs != NULL && stage->outputs[n].name != NULL) {
        n++;
    }
    return n;
}

/* A hash of every resolved option, for the run's record. */
static enum status_code hash_config(const struct plan *plan, char out[HASH_TEXT_MAX],
                                    struct status *status)
{
    enum status_code code;
    struct hash_state *hash = NULL;
    struct buf text = {0};
    option_print(plan_options, &plan->settings, &text);
    for (size_t i = 0; i < plan->n_stages; i++) {
        buf_addf(&text, "[%s]\n", plan->stages[i].label);
        option_print(plan->stages[i].stage->options, plan->stages[i].options, &text);
    }
    TRY(buf_check(&text, status));
    TRY(hash_new(&hash, status));
    hash_add_text(hash, buf_text(&text));
    hash_text(hash, out);
done:
    hash_free(hash);
    buf_release(&text);
    return code;
}

enum status_code context_init(struct context *context, const struct run_request *request,
                              struct status *status)
{
    enum status_code code;
    const struct plan *plan = request->plan;
    *context = (struct context){.request = request,
                                .plan = plan,
                                .started = clock_unix(),
                                .started_monotonic = clock_monotonic()};
    context->progress = (struct progress){.log = request->log, .enabled = request->show_progress};
    TRY(MEM_NEW(&context->first_slot, plan->n_stages + 1, status));
    for (size_t i = 0; i < plan->n_stages; i++) {
        context->first_slot[i + 1] = context->first_slot[i] + count_outputs(plan->stages[i].stage);
    }
    TRY(MEM_NEW(&context->slots, context->first_slot[plan->n_stages], status));
    TRY(hash_config(plan, context->config_hash, status));
done:
    return code;
}

void context_release(struct context *context)
{
    db_close(context->source);
    db_close(context->output);
    db_close(context->work);
    pool_free(context->pool);
    for (size_t i = 0; context->slots != NULL && i < context->first_slot[context->plan->n_stages];
         i++) {
        artifact_release(&context->slots[i].artifact);
    }
    mem_free(context->slots);
    mem_free(context->first_slot);
    mem_free(context->metrics);
    arena_release(&context->texts);
    buf_release(&context->overruled);
    *context = (struct context){0};
}

void context_begin_stage(struct context *context, const struct plan_stage *stage, const char *key)
{
    context->stage = stage;
    snprintf(context->key, sizeof context->key, "%s", key);
    context->rows = 0;
    context->is_cut_short = false;
    context->has_fingerprint = false;
    context->n_metrics_before = context->n_metrics;
}

void context_end_stage(struct context *context)
{
    progress_finish(&context->progress);
    db_close(context->source);
    context->source = NULL;
    db_close(context->output);
    context->output = NULL;
}

enum status_code context_fingerprint(struct context *context, const struct plan_stage *stage,
                                     char out[HASH_TEXT_MAX], struct status *status)
{
    enum status_code code = STATUS_OK;
    out[0] = '\0';
    if (stage->stage->fingerprint != NULL) {
        context->in_fingerprint = true;
        code = stage->stage->fingerprint(context, stage->options, out, status);
        context->in_fingerprint = false;
    }
    return code;
}

const struct plan_settings *context_settings(const struct context *context)
{
    return &context->plan->settings;
}

uint64_t context_seed(const struct context *context)
{
    return (uint64_t)context->plan->settings.seed;
}

const char *context_label(const struct context *context)
{
    return context->stage->label;
}

const void *context_options_of(const struct context *context, const char *stage)
{
    const struct plan_stage *found = plan_find(context->plan, stage);

    assert(found != NULL);
    return found->options;
}

const char *context_key(const struct context *context)
{
    return context->key;
}

struct pool *context_pool(const struct context *context)
{
    return context->pool;
}

struct log *context_log(const struct context *context)
{
    return context->request->log;
}

struct progress *context_progress(const struct context *context)
{
    /* the progress is a display: drawing it changes nothing that the context holds for others */
    return (struct progress *)&context->progress;
}

int64_t context_run_started(const struct context *context)
{
    return context->started;
}

const char *context_config_hash(const struct context *context)
{
    return context->config_hash;
}

bool context_is_forced(const struct context *context)
{
    return context->request->force;
}

const char *context_version(const struct context *context)
{
    return context->request->version;
}

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
        TRY(db_open(source->database, DB_READ, source->busy_timeout, &db, status));
        db_leave_checkpoints(db);
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
    struct status ignored = {0};
    if (context->stage != NULL &&
        context_fingerprint(context, context->stage, context->fingerprint, &ignored) != STATUS_OK) {
        context->fingerprint[0] = '\0'; /* unknown: the stage will run again */
    }
    context->has_fingerprint = context->stage != NULL;
    db_close(context->source);
    context->source = NULL;
}

bool context_imports_source(const struct context *context)
{
    return plan_find(context->plan, "import") != NULL;
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
        }
        context->output = db;
        db = NULL;
    }
    *out = context->output;
done:
    db_close(db);
    return code;
}

/* Whether the stage always writes towers: the mark of one that trains for long. */
static bool is_training(const struct stage *stage)
{
    const struct stage_artifact *outputs = stage->outputs;
    for (size_t i = 0; outputs != NULL && outputs[i].name != NULL; i++) {
        if (strcmp(outputs[i].name, "towers") == 0 && !outputs[i].optional) {
            return true;
        }
    }
    return false;
}

double context_training_time(const struct context *context)
{
    const struct plan *plan = context->plan;
    double n = 0.0;
    if (!(context->request->max_time > 0.0)) {
        return INFINITY;
    }
    for (size_t i = context->stage->position; i < plan->n_stages; i++) {
        n += is_training(plan->stages[i].stage) ? 1.0 : 0.0;
    }
    double used = clock_monotonic() - context->started_monotonic;
    return (context->request->max_time - used) / fmax(n, 1.0);
}

void context_set_cut_short(struct context *context)
{
    context->is_cut_short = true;
}

enum status_code context_published_db(struct context *context, struct db **out,
                                      struct status *status)
{
    const struct plan_settings *settings = &context->plan->settings;
    const char *path = settings->output.database;
    *out = NULL;
    if (path == NULL || access(path, F_OK) != 0) {
        return STATUS_OK;
    }
    enum status_code code = db_open(path, DB_READ, settings->source.busy_timeout, out, status);
    if (code == STATUS_OK) {
        db_leave_checkpoints(*out);
    }
    return code;
}

enum status_code context_forgotten(struct context *context, struct forgotten *out,
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

enum status_code context_check_stop(struct context *context, struct status *status)
{
    const volatile int *stop_signal = context->request->stop_signal;
    int number = stop_signal != NULL ? *stop_signal : 0;
    if (number == 0) {
        return STATUS_OK;
    }
    const char *name = number == SIGINT    ? " (SIGINT)"
                       : number == SIGTERM ? " (SIGTERM)"
                       : number == SIGHUP  ? " (SIGHUP)"
                                           : "";
    status->signal = number;
    return status_set(status, STATUS_SIGNAL,
                      "interrupted by signal %d%s; the next run goes on from here", number, name);
}

static enum status_code check_stop(void *data, struct status *status)
{
    return context_check_stop(data, status);
}

static void show_progress(void *data, double done, double total)
{
    struct progress *progress = context_progress(data);
    progress->total = total > 0 ? total : progress->total;
    progress_update(progress, done, NULL);
}

struct watch context_watch(struct context *context)
{
    return (struct watch){check_stop, show_progress, context};
}

struct watch context_stop_watch(struct context *context)
{
    return (struct watch){.check_stop = check_stop, .data = context};
}

enum status_code context_always_run(struct context *context, const void *options,
                                    char out[HASH_TEXT_MAX], struct status *status)
{
    (void)context;
    (void)options;
    (void)status;
    out[0] = '\0';
    return STATUS_OK;
}

void context_set_rows(struct context *context, int64_t rows)
{
    context->rows = rows;
}

void context_set_generation(struct context *context, int64_t generation)
{
    context->generation = generation;
}

const struct publish_metric *context_metrics(const struct context *context, size_t *n)
{
    *n = context->n_metrics;
    return context->metrics;
}

enum status_code context_add_metric(struct context *context, const struct publish_metric *metric,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    char *name, *model, *group;
    if (context->n_metrics == context->metrics_capacity) {
        size_t capacity = context->metrics_capacity == 0 ? 64 : 2 * context->metrics_capacity;
        TRY(MEM_RESIZE(&context->metrics, context->metrics_capacity, capacity, status));
        context->metrics_capacity = capacity;
    }
    TRY(arena_copy_text(&context->texts, metric->name, strlen(metric->name), &name, status));
    TRY(arena_copy_text(&context->texts, metric->model, strlen(metric->model), &model, status));
    TRY(arena_copy_text(&context->texts, metric->group, strlen(metric->group), &group, status));
    context->metrics[context->n_metrics++] = (struct publish_metric){
        .name = name, .model = model, .group = group, .value = metric->value};
done:
    return code;
}

enum status_code context_previous_metrics(struct context *context, struct metric_rows *out,
                                          struct status *status)
{
    struct db_query *query = NULL;
    bool row = false;
    enum status_code code;
    TRY(db_prepare(context->work,
                   "SELECT name, model, grp, value FROM run_metric WHERE run ="
                   " (SELECT max(run) FROM run WHERE state = 'published' AND run < ?1)",
                   &query, status));
    TRY(db_bind_int64(query, 1, context->run, status));
    for (;;) {
        TRY(db_step(query, &row, status));
        if (!row) {
            break;
        }
        size_t length;
        TRY(metric_rows_add(out, db_column_text(query, 0, &length),
                            db_column_text(query, 1, &length), db_column_text(query, 2, &length),
                            db_column_double(query, 3), status));
    }
done:
    db_finalize(query);
    return code;
}

enum status_code context_refused(struct context *context, struct status *status)
{
    if (!context->request->publish_anyway) {
        return status_add_context(status, "nothing is published");
    }
    log_write(context->request->log, LOG_WARNING, "published anyway: %s", status->message);
    buf_addf(&context->overruled, "%spublished anyway: %s",
             context->overruled.length > 0 ? "\n" : "", status->message);
    status_clear(status);
    return buf_check(&context->overruled, status);
}

const char *context_overruled(const struct context *context)
{
    return buf_text(&context->overruled);
}

int64_t context_run_number(const struct context *context)
{
    return context->run;
}

void context_set_published_before(struct context *context, int64_t generation)
{
    context->published_before = generation;
}

const int64_t *context_published_before(const struct context *context)
{
    return &context->published_before;
}
