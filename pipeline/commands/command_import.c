/* nightjar import: one CSV file into one table, without a pipeline. The flags stand for the options
 * of the import stage, which parse and check them. */
#include "commands/command_list.h"

#include "import/csv_import.h"

static const double busy_seconds = 30;

/* `--on-bad-row` stands for the option on_bad_row, and so on; --column and --type fill the maps. */
static const struct command_flag flags[] = {
    {"--column", "NAME=COLUMN", true,
     "take column NAME of the file as COLUMN of the table; without any, all are taken as they are"},
    {"--type", "COLUMN=TYPE", true, "type of a table column: integer, real or text (the default)"},
    {"--delimiter", "CHARACTER", false, "between fields; tab for a tab (default: ,)"},
    {"--quote", "CHARACTER", false, "around fields; none for no quoting (default: \")"},
    {"--no-header", NULL, false,
     "the first line is a row; columns are called c1, c2 ..., --column gives other names"},
    {"--empty", "as_null|as_text", false, "what an empty field becomes (default: as_null)"},
    {"--on-bad-row", "fail|reject", false,
     "stop, or keep bad rows in TABLE_rejected and go on (default: fail)"},
    {"--max-bad-rows", "N", false, "how many bad rows are too many (default: 1000)"},
    {"--max-field-bytes", "SIZE", false, "a longer field makes a row bad (default: 1M)"},
    {"--if-exists", "fail|replace|append", false, "when the table exists (default: fail)"},
    {"--quiet", NULL, false, "no progress bar, no summary"},
    {NULL, NULL, false, NULL}};

enum { OPTION_NAME_MAX = 32 };

/* "--on-bad-row" -> "on_bad_row". */
static void option_name(const char *flag, char out[OPTION_NAME_MAX])
{
    snprintf(out, OPTION_NAME_MAX, "%s", flag + 2);
    for (char *at = out; *at != '\0'; at++) {
        *at = *at == '-' ? '_' : *at;
    }
}

/* Reads every flag that has an option of its name. */
static enum status_code read_scalars(const struct command_line *line,
                                     struct csv_import_options *options, struct arena *arena,
                                     struct status *status)
{
    enum { WHY_MAX = 512 };
    for (size_t i = 0; flags[i].name != NULL; i++) {
        char name[OPTION_NAME_MAX], why[WHY_MAX];
        option_name(flags[i].name, name);
        const struct option *option = option_find(csv_import_table, name, strlen(name));
        const char *text = command_flag_value(line, flags[i].name);
        if (option == NULL || text == NULL || flags[i].value == NULL) {
            continue;
        }
        if (!option_parse(option, text, strlen(text), options, ".", arena, why, sizeof why)) {
            return status_set(status, STATUS_USAGE, "import: %s: %s", flags[i].name, why);
        }
    }
    return STATUS_OK;
}

/* Reads the values of a NAME=VALUE flag. Names end at the last `=`: those of a file may have one,
 * types never do, and a table column with one can still be named in a pipeline. */
static enum status_code read_pairs(const struct command_line *line, size_t flag,
                                   struct option_pairs *out, struct arena *arena,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    const char **names = NULL, **values = NULL;
    size_t n = line->n_values[flag];
    TRY(arena_new(arena, n, sizeof *names, (void **)&names, status));
    TRY(arena_new(arena, n, sizeof *values, (void **)&values, status));
    for (size_t i = 0; i < n; i++) {
        const char *text = line->values[flag][i];
        const char *equals = strrchr(text, '=');
        char *name = NULL;
        if (equals == NULL || equals == text || equals[1] == '\0') {
            TRY(status_set(status, STATUS_USAGE, "import: %s: \"%s\" is not of the form %s",
                           flags[flag].name, text, flags[flag].value));
        }
        TRY(arena_copy_text(arena, text, (size_t)(equals - text), &name, status));
        names[i] = name;
        values[i] = equals + 1;
    }
    *out = (struct option_pairs){.n = n, .names = names, .values = values};
done:
    return code;
}

static void report_mistake(void *data, const char *option, const char *why)
{
    struct status *status = data;
    (void)status_set(status, STATUS_USAGE, "import: %s: %s", option, why);
}

static enum status_code read_options(const struct command_line *line,
                                     struct csv_import_options *options, struct arena *arena,
                                     struct status *status)
{
    enum { COLUMN_FLAG, TYPE_FLAG }; /* as in the table of flags */
    enum status_code code = STATUS_OK;
    TRY(option_defaults(csv_import_table, options, arena, status));
    options->file = line->arguments[0];
    options->table = line->arguments[2];
    options->no_header = command_flag_count(line, "--no-header") > 0;
    TRY(read_scalars(line, options, arena, status));
    TRY(read_pairs(line, COLUMN_FLAG, &options->columns, arena, status));
    TRY(read_pairs(line, TYPE_FLAG, &options->types, arena, status));
    csv_import_check(options, report_mistake, status);
    code = status->code;
done:
    return code;
}

static enum status_code check_stop(void *data, struct status *status)
{
    const struct command_environment *environment =
        *(const struct command_environment *const *)data;
    return command_check_stop(environment, "import", "nothing was changed", status);
}

static enum status_code run(const struct command_environment *environment,
                            const struct command_line *line, struct status *status)
{
    enum status_code code = STATUS_OK;
    bool is_quiet = command_flag_count(line, "--quiet") > 0;
    struct log log = {.stream = environment->err, .level = LOG_INFO};
    struct progress progress = {.log = &log, .enabled = environment->err_can_draw && !is_quiet};
    struct csv_import_target target = {.database = line->arguments[1],
                                       .busy_seconds = busy_seconds,
                                       .progress = &progress,
                                       .watch = {.check_stop = check_stop, .data = &environment}};
    struct csv_import_options options = {0};
    struct csv_import_result result = {0};
    struct arena arena = {0};
    TRY(read_options(line, &options, &arena, status));
    TRY(csv_import_run(&options, &target, &result, status));
    if (environment->err_is_terminal && !is_quiet) {
        log_write(&log, LOG_INFO, "%lld rows imported into the table %s of %s",
                  (long long)result.rows, options.table, target.database);
    }
    if (result.rejected > 0) {
        log_write(&log, LOG_WARNING, "rows rejected: %lld; see the table %s_rejected in %s",
                  (long long)result.rejected, options.table, target.database);
    }
done:
    arena_release(&arena);
    return code;
}

const struct command command_import = {
    .name = "import",
    .summary = "load a CSV file into a table of an SQLite database",
    .usage = "FILE.csv DATABASE TABLE [options]",
    .description =
        "Loads FILE.csv (- is standard input), plain or gzip, UTF-8 with a header row, into TABLE "
        "of DATABASE, which is "
        "made when it is missing. The table is filled aside and put in place in one transaction: "
        "when the import fails, the database is as it was before.\n\n"
        "A bad row is one with more or fewer fields than the header, with broken quotes, invalid "
        "UTF-8 or NUL bytes, with a field over the limit, or with a field that is not a number of "
        "its column's type. It ends the import with its place in the file (exit 65), or with "
        "--on-bad-row reject is kept in the table TABLE_rejected(line, reason, text).",
    .min_arguments = 3,
    .max_arguments = 3,
    .flags = flags,
    .run = run,
};
