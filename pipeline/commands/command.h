/* The command contract. A command is one file under pipeline/commands/ that exports one
 * `const struct command`; command_list.h and main.c hold the list. The table of flags gives
 * parsing,
 * --help, the man page and the completions.
 *
 *     static enum status_code run_show(const struct command_environment *environment,
 *                                      const struct command_line *line, struct status *status)
 *     {
 *         enum status_code code;
 *         struct plan *plan = NULL;
 *         int64_t last = 20;
 *         TRY(command_flag_int64(line, "--last", 1, INT64_MAX, &last, status));
 *         TRY(command_load_plan(environment, line, &plan, status));
 *         fprintf(environment->out, "%s\n", plan->settings.pipeline);
 *         TRY(command_flush(environment->out, status));
 *     done:
 *         plan_free(plan);
 *         return code;
 *     }
 *     static const struct command_flag flags[] = {
 *         {.name = "--last", .value = "N", .help = "..."}, COMMAND_FLAG_SET, {.name = NULL}};
 *     const struct command command_show = {.name = "show", .usage = "CONFIG [options]",
 *                                          .min_arguments = 1, .max_arguments = 1,
 *                                          .flags = flags, .run = run_show};
 *
 * main.c: command_parse, then run; what run returns is printed and becomes the exit code there.
 * What is wrong with the line is found before anything is opened. */
#ifndef NIGHTJAR_COMMANDS_COMMAND_H
#define NIGHTJAR_COMMANDS_COMMAND_H

#include "config/plan.h"
#include "run/runner.h"

/* One flag of a command: its row gives parsing and --help. */
struct command_flag {
    const char *name;  /* "--set" */
    const char *value; /* "PATH=VALUE", NULL: a switch */
    bool repeatable;
    const char *help;
};

enum { COMMAND_FLAGS_MAX = 32, COMMAND_ARGUMENTS_MAX = 8, COMMAND_VALUES_MAX = 64 };

/* The row that commands with a CONFIG share. */
/* versions of clang-format disagree about braces in a macro */
/* clang-format off */
#define COMMAND_FLAG_SET                                                                           \
    {                                                                                              \
        .name = "--set", .value = "PATH=VALUE", .repeatable = true,                                \
        .help = "use VALUE for an option of the file, say stages.train.epochs=3; may be given "    \
                "several times"                                                                    \
    }
/* clang-format on */

/* And the one of those that look ahead. */
/* clang-format off */
#define COMMAND_FLAG_RANKS                                                                         \
    {                                                                                              \
        .name = "--ranks", .value = "N",                                                           \
        .help = "as it would be over N ranks of an MPI program (`nightjar help ranks`)"            \
    }
/* clang-format on */

/* A parsed command line. */
struct command_line {
    const struct command *command;
    size_t n_arguments;
    const char *arguments[COMMAND_ARGUMENTS_MAX];
    /* values[i] belongs to flags[i] of the table: how often given, and the values */
    size_t n_values[COMMAND_FLAGS_MAX];
    const char *values[COMMAND_FLAGS_MAX][COMMAND_VALUES_MAX];
};

struct command_environment {
    const struct stage_registry *registry;
    const char *version;
    const struct command *const *commands; /* NULL-terminated: for help */
    FILE *out;                             /* stdout: data only */
    FILE *err;                             /* stderr: everything else */
    bool err_is_terminal, err_can_draw;    /* can draw: knows control sequences, too */
    const volatile int *stop_signal;
    struct ranks *ranks; /* that the program was started as; NULL: alone */
};

/* Of several ranks (ranks/ranks.h): none may do it, the first does it for all, or all do it. */
enum command_ranks { RANKS_NONE, RANKS_FIRST, RANKS_ALL };

struct command {
    const char *name;
    const char *summary;     /* one line */
    const char *usage;       /* "CONFIG [options]" */
    const char *description; /* a paragraph or two for --help */
    size_t min_arguments, max_arguments;
    enum command_ranks ranks;
    const struct command_flag *flags; /* ends with a NULL name */
    enum status_code (*run)(const struct command_environment *environment,
                            const struct command_line *line, struct status *status);
};

/* Parses argv[2..]; unknown flags name the nearest one. STATUS_USAGE. */
MUST_CHECK enum status_code command_parse(const struct command *command, int n, char **words,
                                          struct command_line *line, struct status *status);
/* How often the flag was given; its last value (NULL when not given). */
size_t command_flag_count(const struct command_line *line, const char *name);
const char *command_flag_value(const struct command_line *line, const char *name);
/* All values of the flag, in order; *n of them. Owned by `line`. */
const char *const *command_flag_values(const struct command_line *line, const char *name,
                                       size_t *n);
/* *out = the flag's value as a whole number from min to max, untouched when the flag is not given.
 * Anything else is STATUS_USAGE. */
MUST_CHECK enum status_code command_flag_int64(const struct command_line *line, const char *name,
                                               int64_t min, int64_t max, int64_t *out,
                                               struct status *status);
/* The same for a time above 0 with its unit ("10m"), in seconds. */
MUST_CHECK enum status_code command_flag_duration(const struct command_line *line, const char *name,
                                                  double *out, struct status *status);
/* Loads the plan of the first argument with the --set overrides, where the command's table has
 * COMMAND_FLAG_SET, for the ranks that carry it out or that COMMAND_FLAG_RANKS asks for. Errors as
 * plan_load. Free with plan_free. */
MUST_CHECK enum status_code command_load_plan(const struct command_environment *environment,
                                              const struct command_line *line, struct plan **out,
                                              struct status *status);
/* For the watch of who reads a file that may be a pipe; data: the environment's pointer. */
enum status_code command_check_waiting(void *data, struct status *status);
/* fprintf of a text in which names of files, tables or people stand: control characters among them
 * must not drive the terminal. */
void command_print(FILE *out, const char *format, ...) PRINTF_LIKE(2, 3);
/* Writes the plan's doubts as warnings. */
void command_tell_doubts(const struct plan *plan, struct log *log);

/* How loud --quiet and --verbose make the command, which exclude each other: STATUS_USAGE. Without
 * either it *talks when stderr is a terminal. */
MUST_CHECK enum status_code command_loudness(const struct command_environment *environment,
                                             const struct command_line *line, bool *verbose,
                                             bool *talks, struct status *status);
/* STATUS_USAGE: `what` ("unknown command"), the word (length bytes), the nearest of the names, and
 * the command line that lists them all. */
MUST_CHECK enum status_code command_unknown(const char *what, const char *word, size_t length,
                                            const char *const *names, size_t n, const char *list,
                                            struct status *status);

/* STATUS_SIGNAL once a stop was asked for, with "COMMAND: stopped by signal N; CONSEQUENCE". */
MUST_CHECK enum status_code command_check_stop(const struct command_environment *environment,
                                               const char *command, const char *consequence,
                                               struct status *status);

void command_print_help(const struct command *command, FILE *out);
/* Flushes `out` and reports a full disk: STATUS_IO; and a reader who has gone: STATUS_SIGNAL of
 * SIGPIPE, without a message. */
MUST_CHECK enum status_code command_flush(FILE *out, struct status *status);

#endif
