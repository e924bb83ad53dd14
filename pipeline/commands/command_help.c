/* nightjar help: the commands, or one of them. */
#include "commands/command_list.h"
#include "commands/help_forms.h"

void commands_help(const struct command_environment *environment, FILE *out)
{
    fputs("usage: nightjar COMMAND [CONFIG] [options]\n\n"
          "A nightly recommender over SQLite: reads a log of interactions, trains user and item\n"
          "towers, and writes recommendations back.\n\nCommands:\n",
          out);
    for (const struct command *const *c = environment->commands; *c != NULL; c++) {
        fprintf(out, "  %-10s %s\n", (*c)->name, (*c)->summary);
    }
    fputs("\n`nightjar COMMAND --help` explains one. Exit codes: 0 done, 64 usage, 65 bad data,\n"
          "66 no input, 70 a bug, 71 out of memory, 73 cannot create, 74 I/O error, 75 busy (try\n"
          "again), 78 bad configuration, 79 trained but refused by the gate, 128+n on signal n.\n",
          out);
}

/* The other forms, one at a time: by the flag that asks for it. */
static const struct {
    const char *flag;
    void (*print)(const struct command_environment *environment, FILE *out);
} forms[] = {{"--man", help_man}, {"--bash", help_bash}, {"--zsh", help_zsh}};

static enum status_code run_help(const struct command_environment *environment,
                                 const struct command_line *line, struct status *status)
{
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        if (command_flag_count(line, forms[f].flag) > 0) {
            forms[f].print(environment, environment->out);
            return command_flush(environment->out, status);
        }
    }
    if (line->n_arguments == 0) {
        commands_help(environment, environment->out);
        return command_flush(environment->out, status);
    }
    const char *name = line->arguments[0];
    const char *names[32];
    size_t n = 0;
    for (; n < sizeof names / sizeof *names && environment->commands[n] != NULL; n++) {
        names[n] = environment->commands[n]->name;
        if (strcmp(names[n], name) == 0) {
            command_print_help(environment->commands[n], environment->out);
            return command_flush(environment->out, status);
        }
    }
    const char *nearest = nearest_name(names, n, name, strlen(name));
    return status_set(status, STATUS_USAGE, "help: unknown command \"%s\"%s%s", name,
                      nearest != NULL ? "; did you mean " : "; `nightjar help` lists all",
                      nearest != NULL ? nearest : "");
}

static const struct command_flag flags[] = {
    {.name = "--man", .help = "print the man page of all commands instead"},
    {.name = "--bash", .help = "print a completion script for bash instead"},
    {.name = "--zsh", .help = "print a completion script for zsh instead"},
    {.name = NULL}};

const struct command command_help = {
    .name = "help",
    .summary = "list the commands, or explain one",
    .usage = "[COMMAND] [options]",
    .description = "Lists the commands, or prints the usage and options of one.",
    .max_arguments = 1,
    .flags = flags,
    .run = run_help};
