/* nightjar init: a first configuration for a database.
 *
 *     the tables -> which are the log? -> what their rows say -> NAME.yaml
 *
 * discovery/proposal.h finds out, this file asks and writes. */
#include "commands/ask.h"
#include "commands/command_list.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/output_file.h"
#include "base/path.h"
#include "discovery/proposal.h"
#include "discovery/yaml_text.h"
#include "io/whole_file.h"

#include <errno.h>
#include <math.h>
#include <sys/stat.h>

enum { NAME_MAX_LENGTH = 64, LEAST_ROWS = 10000 };
static const double busy_timeout = 30;

/* "/srv/My Shop.sqlite3" is My-Shop. */
static void name_after(const char *database, char name[NAME_MAX_LENGTH + 1])
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    static const char *const endings[] = {".db", ".sqlite", ".sqlite3", ".db3"};
    const char *slash = strrchr(database, '/');
    const char *base = slash != NULL ? slash + 1 : database;
    size_t length = strlen(base), n = 0;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t ending = strlen(endings[i]);
        if (length > ending && strcmp(base + length - ending, endings[i]) == 0) {
            length -= ending;
            break;
        }
    }
    for (size_t i = 0; i < length && n < NAME_MAX_LENGTH; i++) {
        name[n++] = strchr(allowed, base[i]) != NULL ? base[i] : '-';
    }
    name[n] = '\0';
}

/* Where it goes: NULL is stdout. What is there is not written over. */
static enum status_code find_output(const struct command_line *line, const char *name,
                                    struct buf *path, struct status *status)
{
    const char *asked = command_flag_value(line, "--output");
    struct stat there;
    enum status_code code;
    if (asked != NULL) {
        buf_add_text(path, strcmp(asked, "-") == 0 ? "/dev/stdout" : asked);
    } else {
        buf_addf(path, "%s.yaml", name);
    }
    TRY(buf_check(path, status));
    if (output_file_is_device(buf_text(path))) {
        goto done;
    }
    if (lstat(buf_text(path), &there) == 0 && command_flag_count(line, "--force") == 0) {
        TRY(status_set_at(status, STATUS_CANNOT_CREATE, buf_text(path), 0, 0,
                          "the file exists; --force replaces it, --output names another"));
    }
    TRY(path_check_writable(buf_text(path), PATH_TEXT, status));
done:
    return code;
}

/* Paths of a configuration start at its folder. */
static enum status_code database_as_seen(const char *database, const char *output, char **out,
                                         struct status *status)
{
    enum status_code code;
    const size_t size = strlen(database) + 1;
    if (strchr(output, '/') != NULL && !output_file_is_device(output)) {
        return path_absolute(database, out, status);
    }
    TRY(MEM_NEW(out, size, status));
    memcpy(*out, database, size);
done:
    return code;
}

/* Who answers. */
struct listener {
    const struct command_environment *environment;
    bool is_there;
};

static enum status_code answer(void *data, const char *question, const char *const *choices,
                               size_t n, size_t *answer_of, bool *asked, struct status *status)
{
    struct listener *listener = data;
    bool at_end = false;
    enum status_code code = STATUS_OK;
    if (listener->is_there) {
        TRY(ask_choice(listener->environment, question, choices, n, answer_of, &at_end, status));
    }
    listener->is_there = listener->is_there && !at_end;
    *asked = listener->is_there;
done:
    return code;
}

/* What was found, and what to type next. */
static void tell(const struct command_environment *environment, const struct proposal *proposal,
                 const char *path)
{
    const struct log_candidate *first = proposal->logs[0].candidate;
    for (size_t l = 0; l < proposal->n_logs; l++) {
        const struct proposed_log *log = &proposal->logs[l];
        command_print(environment->err, "%s%s (%.0f rows)", l == 0 ? "the log: " : ", ",
                      proposal->schema.tables[log->candidate->table].name, log->facts.n_rows);
    }
    command_print(environment->err, "; recommends %s to %s\n",
                  log_candidate_items(&proposal->schema, first),
                  log_candidate_users(&proposal->schema, first));
    if (proposal->notes.length > 0) {
        command_print(environment->err, "%s", buf_text(&proposal->notes));
    }
    if (proposal->n_rows < LEAST_ROWS) {
        command_print(environment->err,
                      "warning: fewer than %d rows: there is little to learn from, and a list of "
                      "what is popular does as well\n",
                      LEAST_ROWS);
    }
    if (!output_file_is_device(path)) {
        command_print(environment->err,
                      "wrote %s; look at it, then: nightjar check %s, nightjar run %s\n", path,
                      path, path);
    }
}

static enum status_code run_init(const struct command_environment *environment,
                                 const struct command_line *line, struct status *status)
{
    const char *database = line->arguments[0];
    struct listener listener = {.environment = environment,
                                .is_there = ask_is_possible(environment) &&
                                            command_flag_count(line, "--yes") == 0};
    char name[NAME_MAX_LENGTH + 1], *seen = NULL;
    struct proposal proposal = {0};
    struct buf path = {0}, yaml = {0};
    struct db *db = NULL;
    enum status_code code;
    if (!yaml_can_hold(database)) {
        TRY(status_set_at(status, STATUS_USAGE, database, 0, 0,
                          "the path is not UTF-8, which a configuration is written in; name the "
                          "file otherwise, or by a link"));
    }
    name_after(database, name);
    TRY(find_output(line, name, &path, status));
    TRY(database_as_seen(database, buf_text(&path), &seen, status));
    code = db_open(database, DB_READ, busy_timeout, &db, status);
    if (code == STATUS_DATA) {
        status_add_line(status, "of a CSV file `nightjar import %s DATABASE TABLE` makes a table",
                        database);
    }
    TRY(code);
    db_leave_checkpoints(db);
    TRY(db_begin_read(db, status));
    const struct proposal_request request = {.db = db,
                                             .database = seen,
                                             .name = name,
                                             .now = (double)clock_unix(),
                                             .choose = answer,
                                             .data = &listener,
                                             .may_ask = listener.is_there};
    TRY(proposal_make(&request, &proposal, status));
    proposal_write(&proposal, &yaml);
    TRY(buf_check(&yaml, status));
    TRY(whole_file_write(buf_text(&path), OUTPUT_SHARED, &yaml, status));
    tell(environment, &proposal, buf_text(&path));
done:
    proposal_release(&proposal);
    db_close(db);
    mem_free(seen);
    buf_release(&path);
    buf_release(&yaml);
    return code;
}

static const struct command_flag flags[] = {
    {.name = "--output",
     .value = "FILE",
     .help = "the file to write, - for standard output; NAME.yaml in the current folder when not "
             "given"},
    {.name = "--force", .help = "replace the file when it exists"},
    {.name = "--yes", .help = "ask nothing: the best guesses do"},
    {.name = NULL}};

const struct command command_init = {
    .name = "init",
    .summary = "write a first configuration for a database",
    .usage = "DATABASE [options]",
    .description =
        "Looks at the tables of an SQLite database for a log of who chose what (orders and their "
        "lines, views, plays, likes, ratings), and writes a short configuration with comments: the "
        "query without what was taken back (cancelled orders), weights of events by how rare they "
        "are, which ratings are good, side data (commented out), what the lists "
        "are judged on, titles for the report. On a terminal it asks where the tables leave a "
        "choice; elsewhere, and with --yes, it takes the best guess and says so in a comment. "
        "`check` and `run` take the file as it is; it is yours to change. The database is only "
        "read. Where no table is such a log, the exit code is 65, and what is missing is said.",
    .min_arguments = 1,
    .max_arguments = 1,
    .flags = flags,
    .run = run_init};
