/* Command lines read by table: flags, values, arguments, and the help that comes from the same
 * table. What the commands do is left to their own files; printing errors to main.c. */
#include "commands/command.h"

#include "base/num.h"
#include "base/utf8.h"
#include "config/option.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>

static size_t count_flags(const struct command *command)
{
    size_t n = 0;
    while (command->flags[n].name != NULL) {
        n++;
    }
    assert(n <= COMMAND_FLAGS_MAX);
    return n;
}

/* Index of the flag called `name` (length bytes), or SIZE_MAX. */
static size_t find_flag(const struct command *command, const char *name, size_t length)
{
    size_t n = count_flags(command);
    for (size_t i = 0; i < n; i++) {
        const char *candidate = command->flags[i].name;
        if (strlen(candidate) == length && memcmp(candidate, name, length) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

enum status_code command_unknown(const char *what, const char *word, size_t length,
                                 const char *const *names, size_t n, const char *list,
                                 struct status *status)
{
    const char *nearest = nearest_name(names, n, word, length);
    return status_set(status, STATUS_USAGE, "%s \"%.*s\"; %s%s%s`nightjar %s` lists all", what,
                      (int)length, word, nearest != NULL ? "did you mean " : "",
                      nearest != NULL ? nearest : "", nearest != NULL ? "? " : "", list);
}

static enum status_code unknown_flag(const struct command *command, const char *word, size_t length,
                                     struct status *status)
{
    const char *names[COMMAND_FLAGS_MAX + 1] = {"--help"};
    char what[64], list[64];
    size_t n = count_flags(command);
    for (size_t i = 0; i < n; i++) {
        names[i + 1] = command->flags[i].name;
    }
    snprintf(what, sizeof what, "%s: unknown option", command->name);
    snprintf(list, sizeof list, "%s --help", command->name);
    return command_unknown(what, word, length, names, n + 1, list, status);
}

/* Keeps one value of flag `index` (a switch has the value ""). */
static enum status_code add_value(struct command_line *line, size_t index, const char *value,
                                  struct status *status)
{
    const struct command_flag *flag = &line->command->flags[index];
    size_t n = line->n_values[index];
    if (n > 0 && !flag->repeatable && flag->value != NULL) {
        return status_set(status, STATUS_USAGE,
                          "%s: %s is given twice (\"%s\" and \"%s\"); give it once",
                          line->command->name, flag->name, line->values[index][0], value);
    }
    if (n >= COMMAND_VALUES_MAX) {
        return status_set(status, STATUS_USAGE, "%s: %s is given more than %d times",
                          line->command->name, flag->name, COMMAND_VALUES_MAX);
    }
    line->values[index][n] = value;
    line->n_values[index] = n + 1;
    return STATUS_OK;
}

/* Reads the flag at words[*at], and its value, which may be the next word. */
static enum status_code parse_flag(struct command_line *line, int n, char **words, int *at,
                                   struct status *status)
{
    const struct command *command = line->command;
    const char *word = words[*at];
    const char *equals = strchr(word, '=');
    size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
    size_t index = find_flag(command, word, length);
    if (index == SIZE_MAX) {
        return unknown_flag(command, word, length, status);
    }
    const struct command_flag *flag = &command->flags[index];
    if (flag->value == NULL) {
        if (equals != NULL) {
            return status_set(status, STATUS_USAGE, "%s: %s takes no value, but has \"%s\"",
                              command->name, flag->name, equals + 1);
        }
        return add_value(line, index, "", status);
    }
    if (equals != NULL) {
        return add_value(line, index, equals + 1, status);
    }
    /* A next word that looks like a flag is a forgotten value more often than a value; --flag=--x
     * says it plainly. */
    if (*at + 1 >= n || strncmp(words[*at + 1], "--", 2) == 0) {
        return status_set(status, STATUS_USAGE, "%s: %s needs a value (%s)", command->name,
                          flag->name, flag->value);
    }
    *at += 1;
    return add_value(line, index, words[*at], status);
}

static enum status_code add_argument(struct command_line *line, const char *word,
                                     struct status *status)
{
    const struct command *command = line->command;
    if (line->n_arguments >= command->max_arguments) {
        return status_set(status, STATUS_USAGE,
                          "%s: \"%s\" is one argument too many; usage: nightjar %s %s",
                          command->name, word, command->name, command->usage);
    }
    line->arguments[line->n_arguments++] = word;
    return STATUS_OK;
}

enum status_code command_parse(const struct command *command, int n, char **words,
                               struct command_line *line, struct status *status)
{
    assert(command->max_arguments <= COMMAND_ARGUMENTS_MAX);
    enum status_code code = STATUS_OK;
    memset(line, 0, sizeof *line);
    line->command = command;
    bool flags_end = false;
    for (int i = 0; i < n; i++) {
        if (!flags_end && strcmp(words[i], "--") == 0) {
            flags_end = true;
        } else if (!flags_end && words[i][0] == '-' && words[i][1] != '\0') {
            TRY(parse_flag(line, n, words, &i, status));
        } else {
            TRY(add_argument(line, words[i], status));
        }
    }
    if (line->n_arguments < command->min_arguments) {
        code = status_set(status, STATUS_USAGE,
                          "%s: %zu argument%s given, %zu needed; usage: nightjar %s %s",
                          command->name, line->n_arguments, line->n_arguments == 1 ? "" : "s",
                          command->min_arguments, command->name, command->usage);
    }
done:
    return code;
}

/* Index of a flag that the command's own table has. */
static size_t own_flag(const struct command_line *line, const char *name)
{
    size_t index = find_flag(line->command, name, strlen(name));
    assert(index != SIZE_MAX);
    return index;
}

size_t command_flag_count(const struct command_line *line, const char *name)
{
    return line->n_values[own_flag(line, name)];
}

const char *command_flag_value(const struct command_line *line, const char *name)
{
    size_t index = own_flag(line, name), n = line->n_values[index];
    return n == 0 ? NULL : line->values[index][n - 1];
}

const char *const *command_flag_values(const struct command_line *line, const char *name, size_t *n)
{
    size_t index = own_flag(line, name);
    *n = line->n_values[index];
    return line->values[index];
}

enum status_code command_flag_int64(const struct command_line *line, const char *name, int64_t min,
                                    int64_t max, int64_t *out, struct status *status)
{
    const char *text = command_flag_value(line, name);
    int64_t value;
    if (text == NULL) {
        return STATUS_OK;
    }
    if (!num_parse_int64(text, strlen(text), &value) || value < min || value > max) {
        return status_set(status, STATUS_USAGE,
                          "%s: %s is \"%s\"; a whole number from %lld to %lld is allowed",
                          line->command->name, name, text, (long long)min, (long long)max);
    }
    *out = value;
    return STATUS_OK;
}

enum status_code command_flag_duration(const struct command_line *line, const char *name,
                                       double *out, struct status *status)
{
    const char *text = command_flag_value(line, name);
    double value;
    if (text == NULL) {
        return STATUS_OK;
    }
    if (!num_parse_duration(text, strlen(text), &value) || !(value > 0.0)) {
        return status_set(status, STATUS_USAGE,
                          "%s: %s is \"%s\"; a time above 0 with its unit (s, m, h, d or w, say "
                          "10m) is allowed",
                          line->command->name, name, text);
    }
    *out = value;
    return STATUS_OK;
}

enum status_code command_check_waiting(void *data, struct status *status)
{
    const struct command_environment *environment =
        *(const struct command_environment *const *)data;
    return command_check_stop(environment, "reading", "nothing was done", status);
}

/* Who carries the plan out: those that --ranks asks for, or those that were started. */
static enum status_code find_rank(const struct command_environment *environment,
                                  const struct command_line *line, struct plan_rank *rank,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    int64_t n = (int64_t)ranks_n(environment->ranks);
    if (find_flag(line->command, "--ranks", strlen("--ranks")) != SIZE_MAX) {
        TRY(command_flag_int64(line, "--ranks", 1, INT32_MAX, &n, status));
        TRY(ranks_check_number((size_t)n, status));
    }
    *rank = (struct plan_rank){.mine = ranks_mine(environment->ranks), .n = (size_t)n};
done:
    return code;
}

enum status_code command_load_plan(const struct command_environment *environment,
                                   const struct command_line *line, struct plan **out,
                                   struct status *status)
{
    const bool takes_set = find_flag(line->command, "--set", strlen("--set")) != SIZE_MAX;
    size_t n_overrides = 0;
    const char *const *overrides =
        takes_set ? command_flag_values(line, "--set", &n_overrides) : NULL;
    const struct watch watch = {.check_stop = command_check_waiting, .data = &environment};
    struct plan_rank rank;
    enum status_code code = find_rank(environment, line, &rank, status);
    return code == STATUS_OK ? plan_load_rank(line->arguments[0], environment->registry, overrides,
                                              n_overrides, rank, &watch, out, status)
                             : code;
}

void command_print(FILE *out, const char *format, ...)
{
    struct buf text = {0}, shown = {0};
    va_list arguments;
    va_start(arguments, format);
    buf_addfv(&text, format, arguments);
    va_end(arguments);
    utf8_add_repaired(&shown, buf_text(&text), text.length);
    fputs(buf_text(&shown), out);
    buf_release(&text);
    buf_release(&shown);
}

void command_tell_doubts(const struct plan *plan, struct log *log)
{
    for (const char *line = plan->doubts; *line != '\0';) {
        const size_t length = strcspn(line, "\n");
        log_write(log, LOG_WARNING, "%s:%.*s", plan->file, (int)length, line);
        line += length + (line[length] == '\n' ? 1 : 0);
    }
}

enum status_code command_loudness(const struct command_environment *environment,
                                  const struct command_line *line, bool *verbose, bool *talks,
                                  struct status *status)
{
    const bool quiet = command_flag_count(line, "--quiet") > 0;
    *verbose = command_flag_count(line, "--verbose") > 0;
    *talks = !quiet && (*verbose || environment->err_is_terminal);
    return quiet && *verbose
               ? status_set(status, STATUS_USAGE, "%s: --quiet and --verbose exclude each other",
                            line->command->name)
               : STATUS_OK;
}

enum status_code command_check_stop(const struct command_environment *environment,
                                    const char *command, const char *consequence,
                                    struct status *status)
{
    int signal = environment->stop_signal != NULL ? *environment->stop_signal : 0;
    if (signal == 0) {
        return STATUS_OK;
    }
    status->signal = signal;
    return status_set(status, STATUS_SIGNAL, "%s: stopped by signal %d; %s", command, signal,
                      consequence);
}

enum { HELP_COLUMN = 26, TERMINAL_COLUMNS = 80 };

/* Help text broken into lines of at most `width` columns, continued at column `indent`. */
static void print_wrapped(FILE *out, const char *text, size_t indent, size_t width)
{
    size_t column = indent;
    while (*text != '\0') {
        size_t word = strcspn(text, " \n");
        if (column > indent && column + 1 + word > width) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent && word > 0) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, word, out);
        column += word;
        text += word;
        if (*text == '\n') {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        }
        text += *text != '\0';
    }
    fputc('\n', out);
}

static void print_flag(FILE *out, const struct command_flag *flag)
{
    int width = fprintf(out, "  %s%s%s", flag->name, flag->value != NULL ? " " : "",
                        flag->value != NULL ? flag->value : "");
    if (width >= HELP_COLUMN) {
        fputc('\n', out);
        width = 0;
    }
    fprintf(out, "%*s", HELP_COLUMN - (width > 0 ? width : 0), "");
    print_wrapped(out, flag->help, HELP_COLUMN, TERMINAL_COLUMNS);
}

void command_print_help(const struct command *command, FILE *out)
{
    static const struct command_flag help_flag = {.name = "--help",
                                                  .help = "print this text and exit"};
    fprintf(out, "usage: nightjar %s%s%s\n\n", command->name, command->usage[0] != '\0' ? " " : "",
            command->usage);
    print_wrapped(out, command->description, 0, TERMINAL_COLUMNS);
    fputs("\nOptions:\n", out);
    size_t n = count_flags(command);
    for (size_t i = 0; i < n; i++) {
        print_flag(out, &command->flags[i]);
    }
    print_flag(out, &help_flag);
}

/* Whether nobody will ever read what is written there: `| head` has what it wanted. */
static bool reader_is_gone(FILE *out)
{
    struct pollfd end = {.fd = fileno(out), .events = POLLOUT};
    return poll(&end, 1, 0) == 1 && (end.revents & POLLERR) != 0;
}

enum status_code command_flush(FILE *out, struct status *status)
{
    errno = 0;
    bool failed = fflush(out) != 0;
    if ((failed && errno == EPIPE) || (ferror(out) && reader_is_gone(out))) {
        /* as if the signal had ended it, which is what other programs do: without a word */
        *status = (struct status){.code = STATUS_SIGNAL, .signal = SIGPIPE};
        return STATUS_SIGNAL;
    }
    if (failed && errno != 0) {
        return status_set(status, STATUS_IO, "cannot write to standard output: %s",
                          strerror(errno));
    }
    if (failed || ferror(out)) {
        return status_set(status, STATUS_IO, "cannot write to standard output");
    }
    return STATUS_OK;
}
