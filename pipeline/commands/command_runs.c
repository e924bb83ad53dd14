/* nightjar runs: the history of runs, failed and refused ones included. */
#include "commands/published.h"

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

static enum status_code run_runs(const struct command_environment *environment,
                                 const struct command_line *line, struct status *status)
{
    enum status_code code;
    struct plan *plan = NULL;
    int64_t last = 20;
    bool json = command_flag_count(line, "--json") > 0;
    TRY(command_flag_int64(line, "--last", 1, INT64_MAX, &last, status));
    TRY(command_load_plan(environment, line, &plan, status));
    const char *work = plan->settings.work.database;
    if (access(work, F_OK) != 0) {
        fprintf(environment->err, "note: %s does not exist: this pipeline has not run yet\n", work);
        fputs(json ? "[\n]\n" : "", environment->out);
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
    {.name = "--json", .help = "a JSON list instead of a table"},
    COMMAND_FLAG_SET,
    {.name = NULL}};

const struct command command_runs = {
    .name = "runs",
    .summary = "list the runs of a pipeline, failed and refused ones too",
    .usage = "CONFIG [options]",
    .description = "Lists the runs that the work database knows, oldest first: published, finished "
                   "(nothing to publish), refused by the gate, failed, interrupted by a signal, "
                   "killed, running.",
    .min_arguments = 1,
    .max_arguments = 1,
    .flags = flags,
    .run = run_runs};
