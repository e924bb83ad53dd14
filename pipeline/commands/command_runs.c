/* nightjar runs: the history of runs, failed and refused ones included. */
#include "commands/morning.h"
#include "commands/published.h"

#include "base/num.h"
#include "base/path.h"
#include "base/utf8.h"
#include "run/run_record.h"
#include "store/lock.h"
#include "store/migrate.h"

#include <unistd.h>

/* A run without an end is going on while its lock is held (?3), else it was killed, or has left a
 * word of its end (?5 the run, ?6, ?7): the next one writes so. */
#define STATE "iif(state = 'running' AND NOT ?3, iif(run = ?5, ?6, 'killed'), state)"
#define MESSAGE                                                                                    \
    "coalesce(message, iif(state = 'running' AND NOT ?3, iif(run = ?5, ?7, '" RUN_RECORD_KILLED    \
    "'), iif(state = 'killed', '" RUN_RECORD_KILLED "', NULL)))"

static const char history[] =
    "SELECT run, " STATE
    " AS state, strftime('%Y-%m-%dT%H:%M:%SZ', started, 'unixepoch') AS started,"
    " finished - started AS seconds, exit_code, generation,"
    " CASE WHEN run = (SELECT max(run) FROM run WHERE generation = ?2) THEN 'yes' END AS shown,"
    " (SELECT nullif(count(*), 0) FROM run_warning AS w WHERE w.run = r.run) AS warnings,"
    /* a table has room for one line, with the first of a list; `runs show` and JSON have all */
    " iif(?4, message, substr(line, 1, instr(line || char(10), char(10)) - 1)) AS message"
    " FROM (SELECT *, replace(message, ':' || char(10), ': ') AS line FROM"
    " (SELECT run, state, started, finished, exit_code, generation, " MESSAGE " AS message"
    "  FROM run ORDER BY run DESC LIMIT ?1)) AS r ORDER BY run";

/* ?3, ?5, ?6 and ?7 of a query about the runs in the work database. */
static enum status_code bind_unfinished(struct db_query *query, const char *work,
                                        struct status *status)
{
    char word[LOCK_WORD_MAX];
    enum status_code code;
    lock_read_word(work, word);
    const struct run_word told = run_word_read(word);
    TRY(db_bind_int64(query, 3, lock_is_held(work), status));
    TRY(db_bind_int64(query, 5, told.run, status));
    TRY(db_bind_text(query, 6, told.state, strlen(told.state), false, status));
    TRY(db_bind_text(query, 7, told.message, strlen(told.message), false, status));
done:
    return code;
}

static enum status_code print_history(const struct plan *plan, int64_t last, bool json, FILE *out,
                                      struct status *status)
{
    enum status_code code;
    struct db *db = NULL;
    struct db_query *query = NULL;
    int64_t shown;
    size_t n_rows;
    TRY(morning_shown(plan, &shown, status));
    TRY(migrate_open_work(plan->settings.work.database, DB_READ, 5, &db, status));
    TRY(db_prepare(db, history, &query, status));
    TRY(db_bind_int64(query, 1, last, status));
    TRY(db_bind_int64(query, 2, shown, status));
    TRY(bind_unfinished(query, plan->settings.work.database, status));
    TRY(db_bind_int64(query, 4, json, status));
    code = json ? rows_print(query, true, true, out, &n_rows, status)
                : rows_print_aligned(query, out, status);
done:
    db_finalize(query);
    db_close(db);
    return code;
}

/* ---- one run ---- */

/* The run as one JSON document: SQLite writes it. */
static const char run_as_json[] =
    "SELECT json_object('run', run, 'pipeline', pipeline, 'state', " STATE ","
    " 'started', strftime('%Y-%m-%dT%H:%M:%SZ', started, 'unixepoch'),"
    " 'seconds', finished - started, 'exit_code', exit_code, 'generation', generation,"
    " 'gate', CASE WHEN state = 'refused' THEN 'refused'"
    "  WHEN state IN ('published', 'finished') AND message GLOB 'published anyway:*'"
    "   THEN 'overruled'"
    "  WHEN state IN ('published', 'finished') THEN 'passed' END,"
    " 'judged_on', judged_on, 'message', " MESSAGE ", 'version', version, 'libraries', libraries, "
    "'cpu', cpu,"
    " 'config_hash', config_hash, 'seed', seed,"
    " 'warnings', (SELECT json_group_array(message) FROM"
    "   (SELECT message FROM run_warning WHERE run = ?1 ORDER BY number)),"
    " 'stages', (SELECT json_group_array(json_object('stage', label, 'state', state,"
    "   'seconds', seconds, 'cpu_seconds', cpu_seconds, 'rows', n_rows)) FROM"
    "   (SELECT * FROM stage_run WHERE run = ?1 ORDER BY position)),"
    " 'metrics', (SELECT json_group_array(json_object('name', name, 'model', model,"
    "   'group', grp, 'value', value, 'error', error)) FROM"
    "   (SELECT * FROM run_metric WHERE run = ?1 ORDER BY model, name, grp)))"
    " FROM run WHERE run = ?1";

/* The run as tables; the first has a line a fact of the document. */
static const char run_facts[] =
    "SELECT key AS fact, atom AS value FROM json_each(?1) WHERE atom IS NOT NULL"
    " UNION ALL SELECT 'warning', value FROM json_each(?1, '$.warnings')";
static const char run_stages[] =
    "SELECT label AS stage, state, round(seconds, 3) AS seconds,"
    " round(cpu_seconds, 3) AS cpu_seconds, n_rows AS rows FROM stage_run WHERE run = ?1"
    " ORDER BY position";
static const char run_metrics[] =
    "SELECT model, name AS metric, grp AS \"group\", round(value, 6) AS value FROM run_metric"
    " WHERE run = ?1 ORDER BY model, name, CAST(substr(grp, instr(grp, ':') + 1) AS INTEGER), grp";

/* What a run came to; ?2 is the generation that the views show. The second column is what there is
 * to say beside the figures. */
static const char run_head[] =
    "SELECT printf('run %d of %s, %s%s: %s%s%s', run, pipeline,"
    "  strftime('%Y-%m-%d %H:%M:%S UTC', started, 'unixepoch'),"
    "  iif(finished IS NULL, '', printf(', %d s', finished - started)), " STATE ","
    "  iif(generation IS NULL, '', printf(' generation %d', generation)),"
    "  CASE WHEN run = (SELECT max(run) FROM run WHERE generation = ?2)"
    "   THEN ', which the views show' ELSE '' END),"
    " coalesce(" MESSAGE " || char(10), '') FROM run WHERE run = ?1";

static enum status_code print_part(struct db *db, const char *sql, int64_t run, FILE *out,
                                   struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    TRY(db_prepare(db, sql, &query, status));
    TRY(db_bind_int64(query, 1, run, status));
    TRY(rows_print_aligned(query, out, status));
done:
    db_finalize(query);
    return code;
}

/* A line each, below those of the morning. */
static enum status_code add_warnings(struct db *db, int64_t run, struct buf *out,
                                     struct status *status)
{
    struct strings warnings = {0};
    enum status_code code;
    TRY(run_record_read_warnings(db, run, &warnings, status));
    for (size_t i = 0; i < warnings.n; i++) {
        size_t length;
        const char *text = strings_get(&warnings, i, &length);
        buf_add_text(out, "  warning   ");
        for (size_t at = 0; at < length; at++) {
            buf_add_char(out, text[at] == '\n' ? ' ' : text[at]);
        }
        buf_add_char(out, '\n');
    }
done:
    strings_release(&warnings);
    return code;
}

/* One screen: what the run came to, its stages. */
static enum status_code show_morning(const struct plan *plan, struct db *db, int64_t run, FILE *out,
                                     struct status *status)
{
    struct db_query *query = NULL;
    struct buf text = {0};
    int64_t shown;
    bool has_row;
    enum status_code code;
    TRY(morning_shown(plan, &shown, status));
    TRY(db_prepare(db, run_head, &query, status));
    TRY(db_bind_int64(query, 1, run, status));
    TRY(db_bind_int64(query, 2, shown, status));
    TRY(bind_unfinished(query, plan->settings.work.database, status));
    TRY(db_step(query, &has_row, status));
    buf_addf(&text, "%s\n", db_column_text(query, 0, NULL));
    TRY(morning_add(plan, db, run, &text, status));
    TRY(add_warnings(db, run, &text, status));
    buf_addf(&text, "%s\n", db_column_text(query, 1, NULL));
    TRY(buf_check(&text, status));
    command_print(out, "%s", buf_text(&text)); /* a message may hold anything */
    TRY(print_part(db, run_stages, run, out, status));
    fprintf(out, "\nall that is known: nightjar runs %s show %lld --all\n", plan->file,
            (long long)run);
done:
    db_finalize(query);
    buf_release(&text);
    return code;
}

/* run 0: the newest one */
static enum status_code show_run(const struct plan *plan, int64_t run, bool all, bool json,
                                 FILE *out, struct status *status)
{
    enum status_code code;
    struct db *db = NULL;
    struct db_query *document = NULL, *facts = NULL;
    struct buf shown = {0};
    int64_t first = 0, last = 0;
    size_t length;
    bool has_row;
    TRY(migrate_open_work(plan->settings.work.database, DB_READ, 5, &db, status));
    if (run == 0) {
        TRY(db_get_int64(db, "SELECT max(run) FROM run", &run, &has_row, status));
    }
    TRY(db_prepare(db, run_as_json, &document, status));
    TRY(db_bind_int64(document, 1, run, status));
    TRY(bind_unfinished(document, plan->settings.work.database, status));
    TRY(db_step(document, &has_row, status));
    if (!has_row) {
        TRY(db_get_int64(db, "SELECT min(run) FROM run", &first, &has_row, status));
        TRY(db_get_int64(db, "SELECT max(run) FROM run", &last, &has_row, status));
        TRY(status_set_at(status, STATUS_NO_INPUT, db_path(db), 0, 0,
                          "there is no run %lld; runs %lld to %lld are known", (long long)run,
                          (long long)first, (long long)last));
    }
    if (json) {
        const char *text = db_column_text(document, 0, &length);
        utf8_add_json(&shown, text, length,
                      true); /* SQLite escapes no control beyond ASCII's first */
        TRY(buf_check(&shown, status));
        fprintf(out, "%s\n", buf_text(&shown));
    } else if (!all) {
        TRY(show_morning(plan, db, run, out, status));
    } else {
        const char *text = db_column_text(document, 0, &length);
        TRY(db_prepare(db, run_facts, &facts, status));
        TRY(db_bind_text(facts, 1, text, length, true, status));
        TRY(rows_print_aligned(facts, out, status));
        fputc('\n', out);
        TRY(print_part(db, run_stages, run, out, status));
        fputc('\n', out);
        TRY(print_part(db, run_metrics, run, out, status));
    }
done:
    buf_release(&shown);
    db_finalize(facts);
    db_finalize(document);
    db_close(db);
    return code;
}

/* `CONFIG` alone, `CONFIG show` (*shown = 0) or `CONFIG show N`. */
static enum status_code read_arguments(const struct command_line *line, int64_t *shown,
                                       struct status *status)
{
    const char *number = line->n_arguments == 3 ? line->arguments[2] : "";
    if (line->n_arguments > 1 &&
        (strcmp(line->arguments[1], "show") != 0 ||
         (line->n_arguments == 3 &&
          (!num_parse_int64(number, strlen(number), shown) || *shown < 1)))) {
        return status_set(status, STATUS_USAGE,
                          "runs: \"%s%s%s\" is not understood; `runs CONFIG show N` shows run N, "
                          "`runs CONFIG show` the newest",
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
    if (path_is_empty(work)) {
        command_print(environment->err, "note: %s %s: this pipeline has not run yet\n", work,
                      access(work, F_OK) == 0 ? "is empty" : "does not exist");
        fputs(json && line->n_arguments == 1 ? "[\n]\n" : "", environment->out);
    } else if (line->n_arguments > 1) {
        TRY(show_run(plan, shown, command_flag_count(line, "--all") > 0, json, environment->out,
                     status));
    } else {
        TRY(print_history(plan, last, json, environment->out, status));
    }
    TRY(command_flush(environment->out, status));
done:
    plan_free(plan);
    return code;
}

static const struct command_flag flags[] = {
    {.name = "--last", .value = "N", .help = "the last N runs; 20 when not given"},
    {.name = "--all", .help = "with `show`: all that is known, every metric too"},
    {.name = "--json", .help = "JSON instead of tables; with `show` all that is known"},
    COMMAND_FLAG_SET,
    {.name = NULL}};

const struct command command_runs = {
    .name = "runs",
    .summary = "list the runs of a pipeline, failed and refused ones too",
    .usage = "CONFIG [show [N]] [options]",
    .description =
        "Lists the runs that the work database knows, oldest first: published, finished "
        "(nothing to publish), refused by the gate, failed, interrupted by a signal, "
        "killed, running. `shown` marks the run whose generation the views show, after a "
        "rollback too. `show N` tells of run N (without N the newest) how good its lists "
        "are beside the best baseline and whether that could be chance, what has changed "
        "since the last run before it that published, and how its stages went (over "
        "ranks the rows and CPU seconds of all, the clock of the first); with "
        "--all all that is known: every metric, and what figures depend on.",
    .min_arguments = 1,
    .max_arguments = 3,
    .flags = flags,
    .run = run_runs};
