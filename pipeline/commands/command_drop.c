/* nightjar drop: takes all that nightjar has published out of a database.
 *
 *     the list -> what depends on it -> yes? -> drop -> the space -> what is left
 */
#include "commands/ask.h"
#include "commands/command_list.h"

#include "base/num.h"
#include "base/path.h"
#include "publishing/publish_drop.h"
#include "run/written_files.h"
#include "store/lock.h"

#include <unistd.h>

/* Prints the rows (type, name) of a query behind `before`; *n: how many. */
static enum status_code print_rows(struct db_query *query, const char *before, FILE *out, size_t *n,
                                   struct status *status)
{
    bool has_row;
    enum status_code code;
    *n = 0;
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        command_print(out, "%s%s %s\n", before, db_column_text(query, 0, NULL),
                      db_column_text(query, 1, NULL));
        (*n)++;
    }
done:
    return code;
}

static enum status_code list(struct db *db, const char *prefix, FILE *out, FILE *err, size_t *n,
                             struct status *status)
{
    struct db_query *ours = NULL, *others = NULL;
    bool has_forgotten;
    size_t n_others;
    enum status_code code;
    TRY(publish_list(db, prefix, &ours, status));
    TRY(print_rows(ours, "", out, n, status));
    TRY(command_flush(out, status));
    TRY(publish_list_dependents(db, prefix, &others, status));
    TRY(print_rows(others, "stays, and reads what goes: ", err, &n_others, status));
    TRY(publish_has_forgotten(db, prefix, &has_forgotten, status));
    if (has_forgotten) {
        command_print(err, "whom `nightjar forget` keeps out is not known any more then: a later "
                           "run reads their rows again\n");
    }
done:
    db_finalize(ours);
    db_finalize(others);
    return code;
}

/* Without a terminal nobody can answer. */
static enum status_code confirm(const struct command_environment *environment,
                                const struct command_line *line, const char *path, size_t n,
                                bool *yes, struct status *status)
{
    char question[STATUS_FILE_MAX + 64];
    *yes = command_flag_count(line, "--yes") > 0;
    if (*yes) {
        return STATUS_OK;
    }
    if (!ask_is_possible(environment)) {
        return status_set(status, STATUS_USAGE,
                          "drop: nobody can be asked here; --yes drops these %zu, --dry-run only "
                          "lists them",
                          n);
    }
    snprintf(question, sizeof question, "drop these %zu from %s?", n, path);
    return ask_yes(environment, question, yes, status);
}

/* Bytes of the pages that hold nothing, and whether the file has tables of others. */
static enum status_code free_space(struct db *db, int64_t *bytes, bool *is_shared,
                                   struct status *status)
{
    int64_t pages = 0, size = 0, others = 0;
    bool found;
    enum status_code code;
    TRY(db_get_int64(db, "PRAGMA freelist_count", &pages, &found, status));
    TRY(db_get_int64(db, "PRAGMA page_size", &size, &found, status));
    TRY(db_get_int64(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'", &others, &found,
                     status));
    *bytes = pages * size;
    *is_shared = others > 0;
done:
    return code;
}

/* A file of ours alone is made small. In one with tables of others VACUUM would hold up who writes
 * there, and give new numbers to rows without a key: then only where the file takes it page by
 * page. */
static enum status_code give_back(struct db *db, FILE *err, struct status *status)
{
    int64_t bytes, left, mode = 0;
    bool is_shared, found;
    struct status trouble = {0};
    char shown[NUM_TEXT_MAX];
    enum status_code code;
    TRY(free_space(db, &bytes, &is_shared, status));
    TRY(db_get_int64(db, "PRAGMA auto_vacuum", &mode, &found, status));
    if (!is_shared) {
        (void)!db_exec(db, "VACUUM", &trouble);
    } else if (mode == 2) {
        (void)!db_exec(db, "PRAGMA incremental_vacuum", &trouble);
    }
    if (trouble.code != STATUS_OK) { /* all is dropped: that the file stays large is no error */
        command_print(err, "the space could not be given back: %s\n", trouble.message);
    }
    TRY(free_space(db, &left, &is_shared, status));
    if (bytes > left) {
        num_format_bytes((double)(bytes - left), shown);
        command_print(err, "gave %s back\n", shown);
    }
    if (left > 0) {
        num_format_bytes((double)left, shown);
        command_print(err,
                      "%s of %s are free pages, which SQLite uses again; VACUUM gives them back, "
                      "when nobody needs the file\n",
                      shown, db_path(db));
    }
done:
    return code;
}

/* The files that stay, where there are any, published or not. */
static enum status_code tell_left(const struct plan *plan, FILE *err, struct status *status)
{
    const char *work = plan->settings.work.database, *output = plan->settings.output.database;
    void (*const names[])(const char *, struct buf *) = {
        written_tune_database, written_backtest_output, written_backtest_work};
    struct strings ranks = {0};
    struct buf left = {0}, path = {0};
    size_t length;
    enum status_code code;
    TRY(written_rank_works(work, &ranks, status));
    if (access(output, F_OK) == 0) {
        buf_addf(&left, "%s, ", output);
    }
    if (access(work, F_OK) == 0 && !path_same_file(work, output)) {
        buf_addf(&left, "%s (history, results of stages), ", work);
    }
    for (size_t i = 0; i < ranks.n; i++) {
        buf_addf(&left, "%s (of another rank), ", strings_get(&ranks, i, &length));
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        buf_clear(&path);
        names[i](work, &path);
        TRY(buf_check(&path, status));
        if (access(buf_text(&path), F_OK) == 0) {
            buf_addf(&left, "%s, ", buf_text(&path));
        }
    }
    TRY(buf_check(&left, status));
    if (left.length > 0) {
        command_print(err,
                      "left as they are: %sreports and logs; `nightjar run %s` publishes again\n",
                      buf_text(&left), plan->file);
    }
done:
    buf_release(&left);
    buf_release(&path);
    strings_release(&ranks);
    return code;
}

static enum status_code drop(const struct command_environment *environment,
                             const struct command_line *line, const struct plan *plan,
                             struct status *status)
{
    const struct plan_settings *settings = &plan->settings;
    const bool dry = command_flag_count(line, "--dry-run") > 0;
    struct lock_wait wait = {.stop_signal = environment->stop_signal};
    struct lock held = {.fd = -1};
    struct db *db = NULL;
    const char *output = settings->output.database;
    size_t n = 0;
    bool yes = false;
    enum status_code code;
    TRY(command_flag_duration(line, "--wait", &wait.seconds, status));
    if (!dry) {
        TRY(lock_pipeline(settings->work.database, &wait, &held, status));
    }
    if (path_is_empty(output)) {
        command_print(environment->err, "%s %s\n", output,
                      access(output, F_OK) == 0 ? "is empty" : "does not exist");
        TRY(tell_left(plan, environment->err, status));
        goto done;
    }
    TRY(db_open(output, dry ? DB_READ : DB_WRITE, settings->source.busy_timeout, &db, status));
    db_leave_checkpoints(db);
    TRY(list(db, settings->output.prefix, environment->out, environment->err, &n, status));
    if (n == 0) {
        command_print(environment->err, "%s has nothing of nightjar's%s%s\n", output,
                      settings->output.prefix[0] != '\0' ? " under the prefix " : "",
                      settings->output.prefix);
        TRY(tell_left(plan, environment->err, status));
        goto done;
    }
    if (!dry) {
        TRY(confirm(environment, line, output, n, &yes, status));
    }
    if (!yes) {
        command_print(environment->err, "nothing is dropped\n");
        goto done;
    }
    TRY(publish_drop(db, settings->output.prefix, status));
    command_print(environment->err, "dropped %zu tables and views\n", n);
    TRY(give_back(db, environment->err, status));
    TRY(tell_left(plan, environment->err, status));
done:
    db_close(db);
    lock_release(&held);
    return code;
}

static enum status_code run_drop(const struct command_environment *environment,
                                 const struct command_line *line, struct status *status)
{
    struct plan *plan = NULL;
    enum status_code code;
    TRY(command_load_plan(environment, line, &plan, status));
    if (plan->settings.output.database == NULL) {
        TRY(status_set_at(status, STATUS_CONFIG, plan->file, 0, 0,
                          "neither output.database nor source.database is given"));
    }
    TRY(drop(environment, line, plan, status));
done:
    plan_free(plan);
    return code;
}

static const struct command_flag flags[] = {
    {.name = "--yes", .help = "do not ask"},
    {.name = "--dry-run", .help = "only list what would go"},
    {.name = "--wait",
     .value = "TIME",
     .help = "wait so long (say 10m) for a run to end, instead of exit code 75"},
    COMMAND_FLAG_SET,
    {.name = NULL}};

const struct command command_drop = {
    .name = "drop",
    .summary = "take all that nightjar has published out of a database",
    .usage = "CONFIG [options]",
    .description =
        "Lists every table and view that nightjar has made in the output database under the "
        "configuration's prefix, asks, and drops them; what held people's ids is overwritten. "
        "Tables, views and triggers of others stay; those that name one of ours are listed, for "
        "they will fail. A file without tables of others is made small again; in one that is "
        "shared the space is given back where it is set to (auto_vacuum), for VACUUM is its "
        "owner's to start. Work databases, reports and logs stay as they are, and are named. Safe "
        "to repeat.",
    .min_arguments = 1,
    .max_arguments = 1,
    .flags = flags,
    .run = run_drop};
