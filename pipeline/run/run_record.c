/* What each run did and how it ended, for `nightjar runs` and for the next run. */
#include "run/run_record.h"

#include "base/clock.h"
#include "base/num.h"
#include "evaluation/metric_rows.h"
#include "math/blas.h"
#include "math/vec.h"
#include "run/context.h"
#include "run/context_state.h"
#include "publishing/generation.h"

#include <math.h>

/* "RUN STATE EXIT_CODE GENERATION MESSAGE" */
struct run_word run_word_read(const char *word)
{
    const struct run_word nothing = {.message = ""};
    struct run_word out = nothing;
    int64_t *const numbers[] = {&out.run, NULL, &out.exit_code, &out.generation};
    for (size_t p = 0; p < sizeof numbers / sizeof *numbers; p++) {
        const size_t length = strcspn(word, " ");
        if (word[length] == '\0' ||
            (numbers[p] != NULL && !num_parse_int64(word, length, numbers[p]))) {
            return nothing;
        }
        if (numbers[p] == NULL) {
            snprintf(out.state, sizeof out.state, "%.*s", (int)length, word);
        }
        word += length + 1;
    }
    out.message = word;
    return out;
}

/* A run that has no end. */
static enum status_code close_unfinished(struct db *work, const char *word, struct status *status)
{
    static const char update[] =
        "UPDATE run SET state = iif(run = ?1, ?2, 'killed'), exit_code = iif(run = ?1, ?3, NULL),"
        " generation = iif(run = ?1, nullif(?4, 0), NULL),"
        " message = iif(run = ?1, nullif(?5, ''), '" RUN_RECORD_KILLED "') WHERE state = 'running'";
    const struct run_word told = run_word_read(word);
    struct db_query *query = NULL;
    enum status_code code;
    TRY(db_prepare(work, update, &query, status));
    TRY(db_bind_int64(query, 1, told.run, status));
    TRY(db_bind_string(query, 2, told.state, status));
    TRY(db_bind_int64(query, 3, told.exit_code, status));
    TRY(db_bind_int64(query, 4, told.generation, status));
    TRY(db_bind_string(query, 5, told.message, status));
    TRY(db_run(query, status));
done:
    db_finalize(query);
    return code;
}

enum status_code run_record_begin(struct context *context, const char *word, int64_t *unfinished,
                                  struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    bool found;
    char libraries[256], cpu[64];
    struct db *work = context->work;
    TRY(db_begin_write(work, status));
    TRY(close_unfinished(work, word, status));
    *unfinished = 0; /* a run that the data made fail is over: the next one reads them again */
    TRY(db_get_int64(work,
                     "SELECT run FROM run WHERE run = (SELECT max(run) FROM run)"
                     " AND (state IN ('running', 'killed', 'interrupted')"
                     "  OR (state = 'failed' AND exit_code <> 65))", /* STATUS_DATA */
                     unfinished, &found, status));
    TRY(db_get_int64(work, "SELECT coalesce(max(run), 0) + 1 FROM run", &context->run, &found,
                     status));
    TRY(ranks_max_int64(context->request->ranks, &context->run, 1, status));
    TRY(db_prepare(work,
                   "INSERT INTO run (run, pipeline, version, config_hash, seed, started, state,"
                   " libraries, cpu) VALUES (?8, ?1, ?2, ?3, ?4, ?5, 'running', ?6, ?7)",
                   &query, status));
    snprintf(libraries, sizeof libraries, "%s, %s", db_identity(), blas_identity());
    const size_t n_threads = pool_threads(context->pool);
    snprintf(cpu, sizeof cpu, "%s kernels, %zu thread%s", vec_ops()->name, n_threads,
             n_threads == 1 ? "" : "s");
    if (context->plan->rank.n > 1) {
        snprintf(cpu + strlen(cpu), sizeof cpu - strlen(cpu), " in each of %zu ranks",
                 context->plan->rank.n);
    }
    TRY(db_bind_string(query, 1, context->plan->settings.pipeline, status));
    TRY(db_bind_string(query, 2, context->request->version, status));
    TRY(db_bind_string(query, 3, context->config_hash, status));
    TRY(db_bind_int64(query, 4, context->plan->settings.seed, status));
    TRY(db_bind_int64(query, 5, context->started, status));
    TRY(db_bind_string(query, 6, libraries, status));
    TRY(db_bind_string(query, 7, cpu, status));
    TRY(db_bind_int64(query, 8, context->run, status));
    TRY(db_run(query, status));
    TRY(db_commit(work, status));
done:
    db_finalize(query);
    db_rollback(work);
    return code;
}

/* The metrics that the running stage has added. */
static enum status_code write_metrics(struct context *context, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db_query *query = NULL;
    TRY(db_prepare(context->work,
                   "INSERT OR REPLACE INTO run_metric (run, name, model, grp, value, label,"
                   " error) VALUES (?1, ?2, ?3, ?4, ?5, ?6, nullif(?7, 0))",
                   &query, status));
    for (size_t i = context->n_metrics_before; i < context->n_metrics; i++) {
        const struct publish_metric *metric = &context->metrics[i];
        TRY(db_bind_int64(query, 1, context->run, status));
        TRY(db_bind_string(query, 2, metric->name, status));
        TRY(db_bind_string(query, 3, metric->model, status));
        TRY(db_bind_string(query, 4, metric->group, status));
        TRY(db_bind_double(query, 5, metric->value, status));
        TRY(db_bind_string(query, 6, context->stage->label, status));
        TRY(db_bind_double(query, 7, metric->error, status));
        TRY(db_run(query, status));
    }
done:
    db_finalize(query);
    return code;
}

/* What was said since the last call. */
static enum status_code write_warnings(struct context *context, const char *label,
                                       struct status *status)
{
    const struct log *log = context->request->log;
    const struct strings *warnings = log == NULL ? NULL : log->warnings;
    const size_t n = warnings == NULL ? 0 : warnings->n;
    struct db_query *query = NULL;
    enum status_code code;
    TRY(db_prepare(context->work,
                   "INSERT INTO run_warning (run, number, label, message) SELECT ?1,"
                   " (SELECT count(*) FROM run_warning WHERE run = ?1), ?2, ?3",
                   &query, status));
    for (; context->n_warnings < n; context->n_warnings++) {
        size_t length;
        const char *text = strings_get(warnings, context->n_warnings, &length);
        TRY(db_bind_int64(query, 1, context->run, status));
        TRY(db_bind_string(query, 2, label, status));
        TRY(db_bind_text(query, 3, text, length, true, status));
        TRY(db_run(query, status));
    }
done:
    db_finalize(query);
    return code;
}

enum status_code run_record_warnings(struct context *context, struct status *status)
{
    return write_warnings(context, "", status);
}

enum status_code run_record_stage(struct context *context, const char *state, double seconds,
                                  double cpu_seconds, struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    TRY(db_begin_write(context->work, status));
    TRY(db_prepare(context->work,
                   "INSERT INTO stage_run (run, position, label, state, seconds, cpu_seconds,"
                   " n_rows, key, peak_rss) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                   &query, status));
    TRY(db_bind_int64(query, 1, context->run, status));
    TRY(db_bind_int64(query, 2, (int64_t)context->stage->position, status));
    TRY(db_bind_string(query, 3, context->stage->label, status));
    TRY(db_bind_string(query, 4, state, status));
    TRY(db_bind_double(query, 5, seconds, status));
    TRY(db_bind_double(query, 6, cpu_seconds, status));
    TRY(db_bind_int64(query, 7, context->rows, status));
    TRY(db_bind_string(query, 8, context->key, status));
    TRY(db_bind_int64(query, 9, clock_peak_rss(), status));
    TRY(db_run(query, status));
    TRY(write_metrics(context, status));
    TRY(write_warnings(context, context->stage->label, status));
    TRY(db_commit(context->work, status));
done:
    db_finalize(query);
    db_rollback(context->work);
    return code;
}

static enum status_code copy_warnings(struct context *context, int64_t from, struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    TRY(db_prepare(context->work,
                   "INSERT INTO run_warning (run, number, label, message) SELECT ?1,"
                   " (SELECT count(*) FROM run_warning WHERE run = ?1) - 1 +"
                   " row_number() OVER (ORDER BY number), label, message"
                   " FROM run_warning WHERE run = ?2 AND label = ?3",
                   &query, status));
    TRY(db_bind_int64(query, 1, context->run, status));
    TRY(db_bind_int64(query, 2, from, status));
    TRY(db_bind_string(query, 3, context->stage->label, status));
    TRY(db_run(query, status));
done:
    db_finalize(query);
    return code;
}

enum status_code run_record_carry_on(struct context *context, int64_t from, struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    bool has_row;
    TRY(db_prepare(
        context->work,
        "SELECT name, model, grp, value, error FROM run_metric WHERE run = ?1 AND label = ?2"
        " ORDER BY name, model, grp",
        &query, status));
    TRY(db_bind_int64(query, 1, from, status));
    TRY(db_bind_string(query, 2, context->stage->label, status));
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        const struct publish_metric metric = {.name = db_column_text(query, 0, NULL),
                                              .model = db_column_text(query, 1, NULL),
                                              .group = db_column_text(query, 2, NULL),
                                              .value = db_column_double(query, 3),
                                              .error = db_column_double(query, 4)};
        TRY(context_add_metric(context, &metric, status));
    }
    TRY(copy_warnings(context, from, status));
done:
    db_finalize(query);
    return code;
}

enum status_code run_record_read_warnings(struct db *work, int64_t run, struct strings *out,
                                          struct status *status)
{
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    TRY(db_prepare(work, "SELECT message FROM run_warning WHERE run = ?1 ORDER BY number", &query,
                   status));
    TRY(db_bind_int64(query, 1, run, status));
    for (;;) {
        size_t length;
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        const char *text = db_column_text(query, 0, &length);
        TRY(strings_add(out, text, length, status));
    }
done:
    db_finalize(query);
    return code;
}

const char *run_record_state(int64_t generation, enum status_code outcome)
{
    if (generation != 0) {
        return "published";
    }
    switch (outcome) {
    case STATUS_OK:
        return "finished";
    case STATUS_REFUSED:
        return "refused";
    case STATUS_SIGNAL:
        return "interrupted";
    default:
        return "failed";
    }
}

enum status_code run_record_end(struct context *context, const struct status *outcome,
                                const struct status *afterwards, struct buf *word,
                                struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    /* evaluate alone reads the test part; without one its metrics are named valid:... */
    static const char update[] =
        "UPDATE run SET finished = ?2, state = ?3, exit_code = ?4, message = ?5, generation = ?6,"
        " judged_on = (SELECT CASE WHEN name LIKE 'valid:%'"
        "   THEN 'the validation part, on which settings were chosen'"
        "   ELSE 'the test part, read once, by evaluate' END ||"
        "   CASE WHEN EXISTS (SELECT 1 FROM run_metric WHERE run = ?1 AND grp = 'evenings')"
        "   THEN ', as a whole and evening by evening' ELSE '' END ||"
        "   CASE WHEN EXISTS (SELECT 1 FROM run_metric WHERE run = ?1 AND model = 'data'"
        "    AND name IN ('" METRIC_REPEATS "', 'valid:" METRIC_REPEATS "'))"
        "   THEN '; repeats count' ELSE '' END || '; protocol ' || ?7 FROM run_metric"
        "  WHERE run = ?1 AND model = 'nightjar' AND grp = 'all' LIMIT 1) WHERE run = ?1";
    const bool is_afterwards = outcome->code == STATUS_OK && afterwards->code != STATUS_OK;
    char message[STATUS_FILE_MAX + 1024];
    struct buf text = {0};
    status_format(is_afterwards ? afterwards : outcome, message, sizeof message);
    private_hide(message);
    buf_add_text(&text, buf_text(&context->overruled));
    if (outcome->code != STATUS_OK || is_afterwards) {
        buf_addf(&text, "%s%s%s", text.length > 0 ? "\n" : "",
                 is_afterwards ? "published; what came after failed: " : "", message);
    }
    TRY(buf_check(&text, status));
    int exit_code = (int)outcome->code + (outcome->code == STATUS_SIGNAL ? outcome->signal : 0);
    buf_addf(word, "%lld %s %d %lld %s", (long long)context->run,
             run_record_state(context->generation, outcome->code), exit_code,
             (long long)context->generation, buf_text(&text));
    TRY(db_prepare(context->work, update, &query, status));
    TRY(db_bind_int64(query, 1, context->run, status));
    TRY(db_bind_int64(query, 2, clock_unix(), status));
    TRY(db_bind_string(query, 3, run_record_state(context->generation, outcome->code), status));
    TRY(db_bind_int64(query, 7, JUDGING_PROTOCOL, status));
    TRY(db_bind_int64(query, 4, exit_code, status));
    if (text.length > 0) {
        TRY(db_bind_string(query, 5, buf_text(&text), status));
    } else {
        TRY(db_bind_null(query, 5, status));
    }
    if (context->generation == 0) {
        TRY(db_bind_null(query, 6, status));
    } else {
        TRY(db_bind_int64(query, 6, context->generation, status));
    }
    TRY(db_run(query, status));
    TRY(write_warnings(context, "", status));
done:
    db_finalize(query);
    buf_release(&text);
    return code;
}

/* ---- how long the history lasts ---- */

/* The runs to drop; %lld is how many are kept. */
static const char beyond[] =
    "SELECT run FROM run WHERE run NOT IN (SELECT run FROM run ORDER BY run DESC LIMIT %lld)"
    " AND run IS NOT (SELECT max(run) FROM run WHERE state = 'published')"
    " AND run NOT IN (SELECT run FROM stage_state)";

/* Of the last published run everything is kept, and of those whose metrics a stage without change
 * carries on. */
static const char old_groups[] =
    "DELETE FROM run_metric WHERE run <= (SELECT max(run) FROM run) - %d"
    " AND (grp GLOB 'users:*' OR grp GLOB 'items:*' OR grp GLOB 'evening:*')"
    " AND run IS NOT (SELECT max(run) FROM run WHERE state = 'published')"
    " AND run NOT IN (SELECT run FROM stage_state)";

enum status_code history_stage_seconds(struct db *work, const char *label, double *seconds,
                                       struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    bool has_row;
    TRY(db_prepare(work,
                   "SELECT seconds FROM stage_run WHERE label = ?1 AND state = 'done'"
                   " ORDER BY run DESC LIMIT 1",
                   &query, status));
    TRY(db_bind_string(query, 1, label, status));
    TRY(db_step(query, &has_row, status));
    *seconds = has_row ? db_column_double(query, 0) : (double)NAN;
done:
    db_finalize(query);
    return code;
}

static const char *const tables[] = {"stage_run",    "run_metric", "run_warning", "training_curve",
                                     "search_trial", "run"}; /* `run` last: it says what goes */

enum status_code history_count(struct db *work, int64_t keep, int64_t *n_known, int64_t *n_beyond,
                               struct status *status)
{
    struct buf sql = {0};
    bool found;
    enum status_code code;
    buf_add_text(&sql, "SELECT count(*) FROM (");
    buf_addf(&sql, beyond, (long long)keep);
    buf_add_text(&sql, ")");
    TRY(buf_check(&sql, status));
    TRY(db_get_int64(work, "SELECT count(*) FROM run", n_known, &found, status));
    TRY(db_get_int64(work, buf_text(&sql), n_beyond, &found, status));
done:
    buf_release(&sql);
    return code;
}

enum status_code history_prune(struct db *work, int64_t keep, struct status *status)
{
    struct buf sql = {0};
    enum status_code code;
    TRY(db_begin_write(work, status));
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        buf_clear(&sql);
        buf_addf(&sql, "DELETE FROM %s WHERE run IN (", tables[t]);
        buf_addf(&sql, beyond, (long long)keep);
        buf_add_text(&sql, ")");
        TRY(db_exec_buf(work, &sql, status));
    }
    buf_clear(&sql);
    buf_addf(&sql, old_groups, NIGHTS_WITH_GROUPS);
    TRY(db_exec_buf(work, &sql, status));
    TRY(db_commit(work, status));
done:
    if (code != STATUS_OK) {
        db_rollback(work);
    }
    buf_release(&sql);
    return code;
}
