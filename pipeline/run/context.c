/* What a stage asks and tells the run. Which stages run, and in which order, is the runner's
 * business. */
#include "run/context.h"

#include "base/clock.h"
#include "base/mem.h"
#include "run/context_state.h"

#include <math.h>
#include <signal.h>

const struct plan *context_plan(const struct context *context)
{
    return context->plan;
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

const char *context_key(const struct context *context)
{
    return context->key;
}

struct pool *context_pool(const struct context *context)
{
    return context->pool;
}

struct ranks *context_ranks(const struct context *context)
{
    return context->request->ranks;
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
    context->metrics[context->n_metrics++] = (struct publish_metric){.name = name,
                                                                     .model = model,
                                                                     .group = group,
                                                                     .value = metric->value,
                                                                     .error = metric->error};
done:
    return code;
}

enum status_code context_previous_metrics(struct context *context, struct metric_rows *out,
                                          struct status *status)
{
    struct db_query *query = NULL;
    bool row = false, skipped = false, repeats = false;
    enum status_code code;
    for (size_t m = 0; m < context->n_metrics; m++) {
        const char *name = context->metrics[m].name;
        repeats = repeats || strcmp(name, METRIC_REPEATS) == 0 ||
                  strcmp(name, "valid:" METRIC_REPEATS) == 0;
    }
    TRY(db_prepare(context->work,
                   "SELECT name, model, grp, value, error, label = 'evaluate' AND"
                   "  (coalesce(judged_on, '') NOT LIKE '%; protocol ' || ?2"
                   "   OR (judged_on LIKE '%; repeats count;%') <> ?3)"
                   " FROM run_metric JOIN run USING (run) WHERE run ="
                   " (SELECT max(run) FROM run WHERE state = 'published' AND run < ?1)",
                   &query, status));
    TRY(db_bind_int64(query, 1, context->run, status));
    TRY(db_bind_int64(query, 2, JUDGING_PROTOCOL, status));
    TRY(db_bind_int64(query, 3, repeats, status));
    for (;;) {
        TRY(db_step(query, &row, status));
        if (!row) {
            break;
        }
        size_t length;
        if (db_column_int64(query, 5) != 0) {
            skipped = true;
            continue;
        }
        TRY(metric_rows_add(out, db_column_text(query, 0, &length),
                            db_column_text(query, 1, &length), db_column_text(query, 2, &length),
                            db_column_double(query, 3), status));
        out->errors[out->n - 1] = db_column_double(query, 4);
    }
    if (skipped && strcmp(context->stage->label, "evaluate") == 0) {
        log_write(context->request->log, LOG_WARNING,
                  "evaluate: the last published run was judged by another protocol than this one "
                  "(%d%s): nothing is compared with it (of_previous)",
                  JUDGING_PROTOCOL, repeats ? ", repeats count" : "");
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
    struct log log = {0};
    if (context->request->log != NULL) {
        log = *context->request->log;
        log.warnings = NULL; /* the run's own message has it */
    }
    log_write(&log, LOG_WARNING, "published anyway: %s", status->message);
    private_hide(status->message); /* what is kept from here on */
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
