/* nightjar prune: drops generations and runs that the configuration does not keep. */
#include "commands/published.h"

#include "base/path.h"
#include "run/run_record.h"
#include "publishing/generation.h"
#include "store/lock.h"
#include "store/migrate.h"

static enum status_code print_decisions(struct db *db, const struct plan *plan, bool json,
                                        FILE *out, struct status *status)
{
    const struct plan_output *output = &plan->settings.output;
    struct db_query *query = NULL;
    size_t n_rows;
    enum status_code code;
    TRY(publish_decisions(db, output->prefix, output->keep, &query, status));
    TRY(rows_print(query, json, true, out, &n_rows, status));
    TRY(command_flush(out, status));
done:
    db_finalize(query);
    return code;
}

/* *n: the runs beyond work.keep_runs, dropped unless dry. */
static enum status_code prune_runs(const struct plan *plan, bool dry, int64_t *n_known, int64_t *n,
                                   struct status *status)
{
    const char *path = plan->settings.work.database;
    struct db *work = NULL;
    enum status_code code = STATUS_OK;
    *n_known = *n = 0;
    if (path_is_empty(path)) {
        return code;
    }
    TRY(migrate_open_work(path, dry ? DB_READ : DB_WRITE, plan->settings.source.busy_timeout, &work,
                          status));
    TRY(history_count(work, plan->settings.work.keep_runs, n_known, n, status));
    if (!dry) {
        TRY(history_prune(work, plan->settings.work.keep_runs, status));
    }
done:
    db_close(work);
    return code;
}

static enum status_code run_prune(const struct command_environment *environment,
                                  const struct command_line *line, struct status *status)
{
    struct plan *plan = NULL;
    struct lock held = {.fd = -1};
    struct db *db = NULL;
    const bool dry = command_flag_count(line, "--dry-run") > 0;
    const bool json = command_flag_count(line, "--json") > 0;
    int64_t n_known = 0, n = 0;
    enum status_code code;
    TRY(command_load_plan(environment, line, &plan, status));
    TRY(published_open(plan, &db, status)); /* says so when nothing is published */
    if (!dry) {
        db_close(db);
        db = NULL;
        TRY(lock_pipeline(plan->settings.work.database, NULL, &held, status));
        TRY(db_open(plan->settings.output.database, DB_WRITE, plan->settings.source.busy_timeout,
                    &db, status));
        TRY(publish_migrate(db, plan->settings.output.prefix, status));
    }
    TRY(print_decisions(db, plan, json, environment->out, status));
    if (!dry) {
        const struct publish_target target = {
            .db = db, .prefix = plan->settings.output.prefix, .keep = plan->settings.output.keep};
        TRY(publish_prune(&target, status));
    }
    TRY(prune_runs(plan, dry, &n_known, &n, status));
    command_print(environment->err, "%lld of %lld runs %s beyond work.keep_runs (%lld)%s\n",
                  (long long)n, (long long)n_known, dry ? "are" : "were",
                  (long long)plan->settings.work.keep_runs,
                  dry ? "; nothing is dropped in a dry run" : "");
done:
    db_close(db);
    lock_release(&held);
    plan_free(plan);
    return code;
}

static const struct command_flag flags[] = {
    {.name = "--dry-run", .help = "only say what is kept and what would be dropped, and why"},
    {.name = "--json", .help = "print the decisions as JSON"},
    COMMAND_FLAG_SET,
    {.name = NULL}};

const struct command command_prune = {
    .name = "prune",
    .summary = "drop generations and runs beyond what is kept",
    .usage = "CONFIG [options]",
    .description =
        "Lists every generation whose tables are there, whether it is kept (output.keep) and why, "
        "and drops the others; of the history of runs in the work file it leaves the newest "
        "work.keep_runs. Every run does the same at its end: this is for a smaller number, or for "
        "looking first. What nightjar_generations and nightjar_metrics tell of dropped generations "
        "stays.",
    .min_arguments = 1,
    .max_arguments = 1,
    .flags = flags,
    .run = run_prune};
