/* nightjar forget: takes people out of all that nightjar has written, and keeps them out. */
#include "commands/command.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/strings.h"
#include "io/line_reader.h"
#include "publishing/erase.h"
#include "publishing/generation.h"
#include "store/lock.h"
#include "store/migrate.h"

#include <unistd.h>

/* Ids as they were given. An id that is written like a whole number is meant as either type. */
struct wanted {
    struct strings texts;
    int64_t *integers; /* (n_integers) */
    size_t n_integers, capacity;
    size_t n_people; /* ids given */
};

static void wanted_release(struct wanted *wanted)
{
    strings_release(&wanted->texts);
    mem_free(wanted->integers);
}

static enum status_code add_integer(struct wanted *wanted, int64_t id, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (wanted->n_integers == wanted->capacity) {
        size_t wider = wanted->capacity == 0 ? 64 : 2 * wanted->capacity;
        TRY(MEM_RESIZE(&wanted->integers, wanted->capacity, wider, status));
        wanted->capacity = wider;
    }
    wanted->integers[wanted->n_integers++] = id;
done:
    return code;
}

static enum status_code add_written(struct wanted *wanted, const char *id, size_t length,
                                    struct status *status)
{
    int64_t number;
    enum status_code code;
    TRY(strings_add(&wanted->texts, id, length, status));
    if (num_parse_int64(id, length, &number)) {
        TRY(add_integer(wanted, number, status));
    }
    wanted->n_people++;
done:
    return code;
}

static enum status_code add_flags(struct wanted *wanted, const struct command_line *line,
                                  struct status *status)
{
    size_t n;
    const char *const *ids = command_flag_values(line, "--user", &n);
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < n; i++) {
        if (ids[i][0] == '\0') {
            return status_set(status, STATUS_USAGE, "forget: --user is empty");
        }
        TRY(add_written(wanted, ids[i], strlen(ids[i]), status));
    }
done:
    return code;
}

/* One id a line; empty lines count for nothing. */
static enum status_code add_file(struct wanted *wanted, const char *path, struct status *status)
{
    struct line_reader *reader = NULL;
    struct line_piece piece;
    enum status_code code;
    TRY(line_reader_open(path, &reader, status));
    for (;;) {
        TRY(line_reader_next(reader, &piece, status));
        if (piece.length == 0) {
            break;
        }
        size_t length = piece.length;
        while (length > 0 && (piece.text[length - 1] == '\n' || piece.text[length - 1] == '\r')) {
            length--;
        }
        if (piece.column > 0 || (!piece.ends_line && length == piece.length && length > 4096)) {
            TRY(status_set_at(status, STATUS_DATA, path, piece.line, piece.column + 1,
                              "the line is too long for an id"));
        }
        if (length > 0) {
            TRY(add_written(wanted, piece.text, length, status));
        }
    }
done:
    line_reader_close(reader);
    return code;
}

/* The first column of the query's rows, in its own type. */
static enum status_code add_query(struct wanted *wanted, const struct plan *plan, const char *sql,
                                  struct status *status)
{
    const struct plan_source *source = &plan->settings.source;
    struct db *db = NULL;
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    TRY(db_open(source->database, DB_READ, source->busy_timeout, &db, status));
    db_leave_checkpoints(db);
    TRY(db_prepare_user(db, "--query", sql, source->query_timeout, &query, status));
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        const enum db_type type = db_column_type(query, 0);
        if (type == DB_TEXT) {
            size_t length;
            const char *text = db_column_text(query, 0, &length);
            TRY(strings_add(&wanted->texts, text, length, status));
        } else if (type == DB_INTEGER) {
            TRY(add_integer(wanted, db_column_int64(query, 0), status));
        } else {
            TRY(status_set(status, STATUS_DATA, "--query, row %zu: %s is neither INTEGER nor TEXT",
                           wanted->n_people + 1, db_column_name(query, 0)));
        }
        wanted->n_people++;
    }
done:
    db_finalize(query);
    db_close(db);
    return code;
}

static enum status_code collect(const struct command_line *line, const struct plan *plan,
                                struct wanted *wanted, struct status *status)
{
    const char *file = command_flag_value(line, "--file");
    const char *query = command_flag_value(line, "--query");
    enum status_code code;
    if (command_flag_count(line, "--user") == 0 && file == NULL && query == NULL) {
        return status_set(status, STATUS_USAGE,
                          "forget: who? give --user ID, --file FILE or --query SQL");
    }
    TRY(add_flags(wanted, line, status));
    if (file != NULL) {
        TRY(add_file(wanted, file, status));
    }
    if (query != NULL) {
        TRY(add_query(wanted, plan, query, status));
    }
done:
    return code;
}

static enum status_code list_people(const struct wanted *wanted, struct person **people, size_t *n,
                                    struct status *status)
{
    enum status_code code;
    *n = wanted->texts.n + wanted->n_integers;
    TRY(MEM_NEW(people, *n, status));
    for (size_t i = 0; i < wanted->texts.n; i++) {
        (*people)[i].is_text = true;
        (*people)[i].text = strings_get(&wanted->texts, i, &(*people)[i].length);
    }
    for (size_t i = 0; i < wanted->n_integers; i++) {
        (*people)[wanted->texts.n + i].integer = wanted->integers[i];
    }
done:
    return code;
}

/* First they are kept out, so that a crash on the way leaves no run that would read them again. */
static enum status_code erase(const struct plan_settings *settings, const struct person *people,
                              size_t n, size_t *n_known, struct status *status)
{
    const char *prefix = settings->output.prefix, *work = settings->work.database;
    struct db *db = NULL;
    enum status_code code;
    TRY(db_open(settings->output.database, DB_CREATE, settings->source.busy_timeout, &db, status));
    TRY(publish_migrate(db, prefix, status));
    TRY(forgotten_add(db, prefix, people, n, status));
    if (access(work, F_OK) == 0) {
        struct db *own = NULL;
        TRY(db_open(work, DB_WRITE, settings->source.busy_timeout, &own, status));
        code = erase_work(own, status);
        db_close(own);
        TRY(code);
    }
    TRY(erase_published(db, prefix, people, n, n_known, status));
done:
    db_close(db);
    return code;
}

static enum status_code run_forget(const struct command_environment *environment,
                                   const struct command_line *line, struct status *status)
{
    struct plan *plan = NULL;
    struct wanted wanted = {0};
    struct person *people = NULL;
    struct lock held = {.fd = -1};
    struct lock_wait wait = {.stop_signal = environment->stop_signal};
    size_t n = 0, n_known = 0;
    enum status_code code;
    TRY(command_load_plan(environment, line, &plan, status));
    TRY(command_flag_duration(line, "--wait", &wait.seconds, status));
    TRY(collect(line, plan, &wanted, status));
    TRY(list_people(&wanted, &people, &n, status));
    if (n > 0) {
        TRY(lock_pipeline(plan->settings.work.database, &wait, &held, status));
        TRY(erase(&plan->settings, people, n, &n_known, status));
    }
    fprintf(environment->err,
            "forgot %zu users, %zu of them had recommendations or embeddings; later runs leave "
            "them out, the next one trains anew\n",
            wanted.n_people, n_known);
done:
    lock_release(&held);
    mem_free(people);
    wanted_release(&wanted);
    plan_free(plan);
    return code;
}

static const struct command_flag flags[] = {
    {.name = "--user",
     .value = "ID",
     .repeatable = true,
     .help = "a user's id, as it stands in the source"},
    {.name = "--file", .value = "FILE", .help = "a file with one id a line"},
    {.name = "--query",
     .value = "SQL",
     .help = "a query on the source whose first column holds the ids"},
    {.name = "--wait",
     .value = "TIME",
     .help = "wait so long (say 10m) for a run to end, instead of exit code 75"},
    COMMAND_FLAG_SET,
    {.name = NULL}};

const struct command command_forget = {
    .name = "forget",
    .summary = "take people out of everything, and keep them out",
    .usage = "CONFIG [options]",
    .description =
        "Deletes a person's recommendations, reasons and embeddings from every generation that is "
        "kept, and all that the work file holds of the log; what is deleted is overwritten in the "
        "files. Later runs leave the person's rows of the source out: they are known by a keyed "
        "hash in the output database, never by the id. The rows of your own tables are yours to "
        "delete. Safe to repeat, and to be called for ids that nightjar never saw.",
    .min_arguments = 1,
    .max_arguments = 1,
    .flags = flags,
    .run = run_forget};
