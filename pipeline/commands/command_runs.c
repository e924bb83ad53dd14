/* nightjar runs: the history of runs, failed and refused ones included. */
#include "commands/published.h"

#include "base/num.h"
#include "base/utf8.h"

#include <unistd.h>

static const char history[] =
    "SELECT run, state, strftime('%Y-%m-%dT%H:%M:%SZ', started, 'unixepoch') AS started,"
    " finished - started AS seconds, exit_code, generation, message"
    " FROM (SELECT * FROM run ORDER BY run DESC LIMIT ?1) ORDER BY run";

static enum status_code print_history(const char *work, int64_t last, bool json, FILE *out,
                                      struct status *status)
{
    enum status_code code;
    struct db *db = NULL;
    struct db_query *query = NULL;
    size_t n_rows;
    TRY(db_open(work, DB_READ, 5, &db, status));
    TRY(db_prepare(db, history, &query, status));
    TRY(db_bind_int64(query, 1, last, status));
    TRY(rows_print(query, json, true, out, &n_rows, status));
done:
    db_finalize(query);
    db_close(db);
    return code;
}

/* ---- one run ---- */

/* The run as one JSON document: SQLite writes it. */
static const char run_as_json[] =
    "SELECT json_object('run', run, 'pipeline', pipeline, 'state', state,"
    " 'started', strftime('%Y-%m-%dT%H:%M:%SZ', started, 'unixepoch'),"
    " 'seconds', finished - started, 'exit_code', exit_code, 'generation', generation,"
    " 'gate', CASE WHEN state = 'refused' THEN 'refused'"
    "  WHEN state IN ('published', 'finished') AND message IS NOT NULL THEN 'overruled'"
    "  WHEN state IN ('published', 'finished') THEN 'passed' END,"
    " 'judged_on', judged_on, 'message', message, 'version', version, 'libraries', libraries, "
    "'cpu', cpu,"
    " 'config_hash', config_hash, 'seed', seed,"
    " 'stages', (SELECT json_group_array(json_object('stage', label, 'state', state,"
    "   'seconds', seconds, 'cpu_seconds', cpu_seconds, 'rows', n_rows)) FROM"
    "   (SELECT * FROM stage_run WHERE run = ?1 ORDER BY position)),"
    " 'metrics', (SELECT json_group_array(json_object('name', name, 'model', model,"
    "   'group', grp, 'value', value)) FROM"
    "   (SELECT * FROM run_metric WHERE run = ?1 ORDER BY model, name, grp)))"
    " FROM run WHERE run = ?1";

/* The run as tables; the first has a line a fact of the document. */
static const char run_facts[] =
    "SELECT key AS fact, atom AS value FROM json_each((%s)) WHERE atom IS NOT NULL";
static const char run_stages[] =
    "SELECT label AS stage, state, round(seconds, 3) AS seconds,"
    " round(cpu_seconds, 3) AS cpu_seconds, n_rows AS rows FROM stage_run WHERE run = ?1"
    " ORDER BY position";
static const char run_metrics[] =
    "SELECT model, name AS metric, grp AS \"group\", round(value, 6) AS value FROM run_metric"
    " WHERE run = ?1 ORDER BY model, name, grp";

static enum status_code print_part(struct db *db, const char *sql, int64_t run, FILE *out,
                                   struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    size_t n_rows;
    TRY(db_prepare(db, sql, &query, status));
    TRY(db_bind_int64(query, 1, run, status));
    TRY(rows_print(query, false, true, out, &n_rows, status));
done:
    db_finalize(query);
    return code;
}

static enum status_code show_run(const char *work, int64_t run, bool json, FILE *out,
                                 struct status *status)
{
    enum status_code code;
    struct db *db = NULL;
    struct db_query *document = NULL;
    struct buf shown = {0};
    int64_t first = 0, last = 0;
    bool has_row;
    TRY(db_open(work, DB_READ, 5, &db, status));
    TRY(db_prepare(db, run_as_json, &document, status));
    TRY(db_bind_int64(document, 1, run, status));
    TRY(db_step(document, &has_row, status));
    if (!has_row) {
        TRY(db_get_int64(db, "SELECT min(run) FROM run", &first, &has_row, status));
        TRY(db_get_int64(db, "SELECT max(run) FROM run", &last, &has_row, status));
        TRY(status_set_at(status, STATUS_NO_INPUT, db_path(db), 0, 0,
                          "there is no run %lld; runs %lld to %lld are known", (long long)run,
                          (long long)first, (long long)last));
    }
    if (json) {
        size_t length;
        const char *text = db_column_text(document, 0, &length);
        utf8_add_json(&shown, text, length,
                      true); /* SQLite escapes no control beyond ASCII's first */
        TRY(buf_check(&shown, status));
        fprintf(out, "%s\n", buf_text(&shown));
    } else {
        buf_addf(&shown, run_facts, run_as_json);
        TRY(buf_check(&shown, status));
        TRY(print_part(db, buf_text(&shown), run, out, status));
        fputc('\n', out);
        TRY(print_part(db, run_stages, run, out, status));
        fputc('\n', out);
        TRY(print_part(db, run_metrics, run, out, status));
    }
done:
    buf_release(&shown);
    db_finalize(document);
    db_close(db);
    return code;
}

/* `CONFIG` alone, or `CONFIG show N`. */
static enum status_code read_arguments(const struct command_line *line, int64_t *shown,
                                       struct status *status)
{
    if (line->n_arguments == 1) {
        return STATUS_OK;
    }
    const char *number = line->n_arguments == 3 ? line->arguments[2] : "";
    if (strcmp(line->arguments[1], "show") != 0 ||
        !num_parse_int64(number, strlen(number), shown) || *shown < 1) {
        return status_set(status, STATUS_USAGE,
                          "runs: \"%s%s%s\" is not understood; `runs CONFIG show N` shows run N",
                          line->arguments[1], number[0] != '\0' ? " " : "", number);
    }
    return STATUS_OK;
}

static enum status_code run_runs(const struct command_environment *environment,
                                 const struct command_line *line, struct status *status)
{
    enum status_code code;
    struct plan *plan = NULL;
    int64_t last = 20, shown = 0;
    bool json = command_flag_count(line, "--json") > 0;
    TRY(command_flag_int64(line, "--last", 1, INT64_MAX, &last, status));
    TRY(read_arguments(line, &shown, status));
    TRY(command_load_plan(environment, line, &plan, status));
    const char *work = plan->settings.work.database;
    if (access(work, F_OK) != 0) {
        command_print(environment->err, "note: %s does not exist: this pipeline has not run yet\n",
                      work);
        fputs(json && shown == 0 ? "[\n]\n" : "", environment->out);
    } else if (shown > 0) {
        TRY(show_run(work, shown, json, environment->out, status));
    } else {
        TRY(print_history(work, last, json, environment->out, status));
    }
    TRY(command_flush(environment->out, status));
done:
    plan_free(plan);
    return code;
}

static const struct command_flag flags[] = {
    {.name = "--last", .value = "N", .help = "the last N runs; 20 when not given"},
    {.name = "--json", .help = "JSON instead of tables"},
    COMMAND_FLAG_SET,
    {.name = NULL}};

const struct command command_runs = {
    .name = "runs",
    .summary = "list the runs of a pipeline, failed and refused ones too",
    .usage = "CONFIG [show N] [options]",
    .description = "Lists the runs that the work database knows, oldest first: published, finished "
                   "(nothing to publish), refused by the gate, failed, interrupted by a signal, "
                   "killed, running. `show N` prints all that is known of run N: stages with time "
                   "and rows, metrics, the gate, and what its figures depend on.",
    .min_arguments = 1,
    .max_arguments = 3,
    .flags = flags,
    .run = run_runs};
