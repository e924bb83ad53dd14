/* nightjar check: everything that can be found wrong before a run, all at once. */
#include "commands/source_query.h"

#include "base/path.h"
#include "base/pool.h"
#include "events/source_database.h"
#include "publishing/generation.h"
#include "run/disk_space.h"
#include "run/estimate.h"
#include "run/hooks.h"
#include "store/migrate.h"

#include <stdarg.h>
#include <unistd.h>

/* Prints what is right as it is found and collects what is wrong. */
struct checkup {
    const struct plan *plan;
    FILE *out;
    struct buf problems;
    size_t n_problems;
    enum status_code first_code;
};

static void good(const struct checkup *checkup, const char *format, ...) PRINTF_LIKE(2, 3);

static void good(const struct checkup *checkup, const char *format, ...)
{
    va_list arguments;
    struct buf text = {0};
    va_start(arguments, format);
    buf_addfv(&text, format, arguments);
    va_end(arguments);
    command_print(checkup->out, "ok    %s\n", buf_text(&text));
    buf_release(&text);
}

/* Takes the error over as one problem, unless it was told already. */
static void problem(struct checkup *checkup, struct status *status)
{
    char text[STATUS_FILE_MAX + STATUS_MESSAGE_MAX];
    if (strstr(buf_text(&checkup->problems), status->message) != NULL) {
        status_clear(status);
        return;
    }
    if (checkup->n_problems > 0) {
        buf_add_char(&checkup->problems, '\n');
    }
    status_format(status, text, sizeof text);
    const bool says_file = strncmp(status->message, status->file, strlen(status->file)) == 0;
    buf_add_text(&checkup->problems, says_file ? status->message : text);
    checkup->first_code = checkup->n_problems == 0 ? status->code : checkup->first_code;
    checkup->n_problems++;
    status_clear(status);
}

/* What is wrong with it is told by the stage, which stands in the file. */
static enum status_code check_query(const struct checkup *checkup, struct db *db,
                                    struct status *status)
{
    struct db_query *statement = NULL;
    struct event_columns columns;
    enum status_code code =
        source_query_open(&checkup->plan->settings.source, db, &statement, &columns, status);
    if (code == STATUS_OK) {
        good(checkup, "interactions: user and item%s%s%s",
             columns.index[COLUMN_EVENT] >= 0 ? ", event" : "",
             columns.index[COLUMN_WEIGHT] >= 0 ? ", weight" : "",
             columns.index[COLUMN_TIME] >= 0 ? ", time" : ", no time");
    }
    db_finalize(statement);
    if (code != STATUS_OK && plan_find(checkup->plan, "interactions") != NULL) {
        status_clear(status);
        code = STATUS_OK;
    }
    return code;
}

static enum status_code check_fingerprint(const struct checkup *checkup, struct db *db,
                                          struct status *status)
{
    const struct plan_source *source = &checkup->plan->settings.source;
    struct db_query *query = NULL;
    if (source->fingerprint == NULL) {
        return STATUS_OK;
    }
    enum status_code code = db_prepare_user(db, "source.fingerprint", source->fingerprint,
                                            source->query_timeout, &query, status);
    if (code == STATUS_OK) {
        good(checkup, "source.fingerprint: the query is sound");
    }
    db_finalize(query);
    return code;
}

/* SQLite 3.7.0 to 3.51.2 can lose commits when two connections write and checkpoint one WAL file.
 */
static enum status_code advise_wal(const struct checkup *checkup, struct db *db,
                                   struct status *status)
{
    const struct plan_settings *settings = &checkup->plan->settings;
    struct buf mode = {0};
    enum status_code code = db_journal_mode(db, &mode, status);
    bool shared = path_same_file(settings->source.database, settings->output.database);
    if (code == STATUS_OK && shared && strcmp(buf_text(&mode), "wal") == 0 &&
        !db_has_wal_reset_fix()) {
        command_print(checkup->out,
                      "note  %s is in WAL mode and %s lacks the fix of the WAL-reset race (3.51.3, "
                      "3.50.7, 3.44.6): give output.database a file of its own\n",
                      settings->source.database, db_identity());
    }
    buf_release(&mode);
    return code;
}

/* A table whose rowids are not AUTOINCREMENT gives the greatest one again after its row was
 * deleted: the new row of that key looks like the one that was read. */
static enum status_code advise_key(const struct checkup *checkup, struct db *db,
                                   struct status *status)
{
    static const char reused[] =
        "SELECT m.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c"
        " WHERE m.type = 'table' AND c.pk = 1 AND c.type = 'INTEGER' COLLATE NOCASE"
        " AND c.name = ?1 COLLATE NOCASE AND instr(lower(?2), lower(m.name)) > 0"
        " AND (SELECT count(*) FROM pragma_table_info(m.name) WHERE pk > 0) = 1"
        " AND m.sql NOT LIKE '%AUTOINCREMENT%' AND m.sql NOT LIKE '%WITHOUT ROWID%' LIMIT 1";
    const struct plan_source *source = &checkup->plan->settings.source;
    const char *from = source->table != NULL ? source->table : source->interactions;
    struct db_query *query = NULL;
    bool has_row = false;
    enum status_code code = STATUS_OK;
    if (source->key == NULL || from == NULL) {
        return STATUS_OK;
    }
    TRY(db_prepare(db, reused, &query, status));
    TRY(db_bind_string(query, 1, source->key, status));
    TRY(db_bind_string(query, 2, from, status));
    TRY(db_step(query, &has_row, status));
    if (has_row) {
        command_print(
            checkup->out,
            "note  source.key: SQLite may use the %s of a deleted row of %s again, and the new "
            "row would not be read: declare it INTEGER PRIMARY KEY AUTOINCREMENT, or delete no "
            "rows\n",
            source->key, db_column_text(query, 0, NULL));
    }
done:
    db_finalize(query);
    return code;
}

static void check_source(struct checkup *checkup, struct status *status)
{
    const struct plan_source *source = &checkup->plan->settings.source;
    struct db *db = NULL;
    if (!source->given) {
        return;
    }
    if (source->is_imported && access(source->database, F_OK) != 0) {
        good(checkup, "source: %s will be made by import", source->database);
        return;
    }
    if (source_database_open(checkup->plan, &db, status) != STATUS_OK ||
        db_begin_read(db, status) != STATUS_OK) {
        problem(checkup, status);
        db_close(db);
        return;
    }
    good(checkup, "source: %s opens", source->database);
    if (source->is_imported) {
        good(checkup, "interactions: the table will be made by import");
    } else if (check_query(checkup, db, status) != STATUS_OK) {
        problem(checkup, status);
    }
    if (check_fingerprint(checkup, db, status) != STATUS_OK) {
        problem(checkup, status);
    }
    if (advise_wal(checkup, db, status) != STATUS_OK ||
        advise_key(checkup, db, status) != STATUS_OK) {
        problem(checkup, status);
    }
    db_close(db);
}

static enum status_code check_writable(const struct checkup *checkup, const char *what,
                                       const char *path, struct status *status)
{
    if (path_check_writable(path, PATH_DATABASE, status) != STATUS_OK) {
        return status_add_context(status, "%s", what);
    }
    good(checkup, "%s: %s can be written", what, path);
    return STATUS_OK;
}

/* Whether the data of the last run fit into memory_limit, into the machine and on the disk; before
 * the first (work NULL) whether what shall stay free of the disk is. */
static enum status_code check_room(const struct checkup *checkup, struct db *work,
                                   struct db *output, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct plan *plan = checkup->plan;
    const size_t n_threads = (size_t)plan->settings.threads;
    struct stage_sizes sizes;
    struct disk_need need = {0};
    struct buf doubt = {0};
    bool known = false;
    uint64_t ignored;
    estimate_init(plan, n_threads > 0 ? n_threads : pool_cores(&ignored), &sizes);
    if (work != NULL) {
        TRY(estimate_load(work, &sizes, &known, status));
    }
    estimate_take_part(&sizes, plan->rank.n > 1 ? plan->rank.n : 1);
    for (size_t i = 0; known && i < plan->n_stages; i++) {
        const struct stage_estimate estimate = estimate_stage(&plan->stages[i], &sizes);
        disk_need_add(&need, &estimate);
        TRY(estimate_check(plan, &plan->stages[i], &sizes, status));
        if (doubt.length == 0) {
            estimate_doubt(plan, &plan->stages[i], &sizes, &doubt);
        }
    }
    if (doubt.length > 0) {
        command_print(checkup->out, "note  %s\n", buf_text(&doubt));
    }
    TRY(disk_space_check(plan, work, output, &need, status));
done:
    buf_release(&doubt);
    return code;
}

/* Whether a run could go on in it. */
static enum status_code check_work(const struct checkup *checkup, struct status *status)
{
    const struct plan_settings *settings = &checkup->plan->settings;
    const char *path = settings->work.database, *output_path = settings->output.database;
    struct db *db = NULL, *output = NULL;
    struct status ignored = {0}; /* what is to be said of the output has been said */
    enum status_code code;
    TRY(check_writable(checkup, "work", path, status));
    if (!path_is_empty(path)) {
        TRY(migrate_open_work(path, DB_READ, settings->source.busy_timeout, &db, status));
    }
    if (output_path != NULL && !path_is_empty(output_path)) {
        (void)!db_open(output_path, DB_READ, settings->source.busy_timeout, &output, &ignored);
    }
    TRY(check_room(checkup, db, output, status));
done:
    db_close(output);
    db_close(db);
    return code;
}

static enum status_code advise_takeover(const struct checkup *checkup, struct db *db,
                                        struct status *status)
{
    const struct plan_settings *settings = &checkup->plan->settings;
    struct buf line = {0};
    enum status_code code =
        publish_describe_takeover(db, settings->output.prefix, settings->pipeline, &line, status);
    if (line.length > 0) {
        command_print(checkup->out, "note  output: %s\n", buf_text(&line));
    }
    buf_release(&line);
    return code;
}

static void check_output(struct checkup *checkup, struct status *status)
{
    const struct plan_settings *settings = &checkup->plan->settings;
    const char *path = settings->output.database;
    struct db *db = NULL;
    bool is_source = path_same_file(path, settings->source.database);
    if (path == NULL || (is_source && access(path, F_OK) != 0)) {
        return; /* what is to be said of a missing source has been said */
    }
    if (check_writable(checkup, "output", path, status) != STATUS_OK) {
        problem(checkup, status);
    }
    if (path_is_empty(path)) {
        return;
    }
    if (db_open(path, DB_READ, settings->source.busy_timeout, &db, status) != STATUS_OK) {
        problem(checkup, status);
    } else if (publish_check_names(db, settings->output.prefix, status) != STATUS_OK ||
               advise_takeover(checkup, db, status) != STATUS_OK) {
        problem(checkup, status);
    } else {
        good(checkup, "output: the names of our tables and views are free or ours");
    }
    db_close(db);
}

/* Without its program a hook is a warning in the morning, for a run does not need it. */
static enum status_code check_hooks(const struct checkup *checkup, struct status *status)
{
    struct arena arena = {0};
    enum status_code code = STATUS_OK;
    for (int hook = 0; hook < N_HOOKS; hook++) {
        const char *program = NULL;
        bool found = true;
        if (!hooks_has(checkup->plan, (enum hook)hook)) {
            continue;
        }
        TRY(hooks_look(checkup->plan, (enum hook)hook, &arena, &program, &found, status));
        if (found) {
            good(checkup, "hooks.%s: %s is there", hook_names[hook], program);
        } else {
            command_print(checkup->out, "note  hooks.%s: %s is no program that can be started%s\n",
                          hook_names[hook], program,
                          strchr(program, '/') == NULL ? ", by PATH; cron's is short" : "");
        }
    }
done:
    arena_release(&arena);
    return code;
}

/* What a stage has seen by itself. */
static void report_stage(void *data, const char *label, struct status *outcome)
{
    struct checkup *checkup = data;
    if (outcome->code != STATUS_OK) {
        problem(checkup, outcome);
    } else if (checkup->n_problems == 0) { /* else it may not have been able to look */
        good(checkup, "stage %s: nothing outside stands in its way", label);
    }
}

static enum status_code run_check(const struct command_environment *environment,
                                  const struct command_line *line, struct status *status)
{
    enum status_code code;
    struct plan *plan = NULL;
    struct checkup checkup = {.out = environment->out};
    TRY(command_load_plan(environment, line, &plan, status));
    checkup.plan = plan;
    struct log warnings = {.stream = environment->out, .level = LOG_INFO, .mark = "ok    "};
    good(&checkup, "configuration: %s, %zu stages", plan->file, plan->n_stages);
    command_tell_doubts(plan, &warnings);
    check_source(&checkup, status);
    check_output(&checkup, status);
    const struct run_request request = {
        .plan = plan, .version = environment->version, .log = &warnings};
    TRY(runner_check(&request, report_stage, &checkup, status));
    if (check_work(&checkup, status) != STATUS_OK) {
        problem(&checkup, status);
    }
    TRY(check_hooks(&checkup, status));
    good(&checkup, "%s%s", db_identity(),
         db_has_wal_reset_fix() ? "" : " (without the fix of the WAL-reset race)");
    TRY(command_flush(environment->out, status));
    if (checkup.n_problems > 0) {
        TRY(status_set(status, checkup.first_code, "%s", buf_text(&checkup.problems)));
    }
done:
    buf_release(&checkup.problems);
    plan_free(plan);
    return code;
}

static const struct command_flag flags[] = {COMMAND_FLAG_SET, COMMAND_FLAG_RANKS, {.name = NULL}};

const struct command command_check = {
    .name = "check",
    .summary = "look for everything that would stop a run",
    .usage = "CONFIG [options]",
    .description =
        "Checks the configuration, that the source opens and its queries are sound, that the names "
        "of our tables are free in the output database, that the folders can be written, and that "
        "memory and disk have room for the data of the last run. "
        "Prints what is right, then every problem. Changes nothing, but plays back the journal "
        "that "
        "a writer which died has left: readers who may not write wait for that (`nightjar help "
        "queries`).",
    .min_arguments = 1,
    .max_arguments = 1,
    .ranks = RANKS_FIRST,
    .flags = flags,
    .run = run_check};
