/* nightjar help: the commands and topics, or one of them. */
#include "commands/command_list.h"
#include "commands/help_forms.h"
#include "commands/help_topics.h"
#include "config/describe.h"

void commands_help(const struct command_environment *environment, FILE *out)
{
    fputs("usage: nightjar COMMAND [CONFIG] [options]\n\n"
          "A nightly recommender over SQLite: reads a log of interactions, trains user and\n"
          "item towers, and writes recommendations back.\n\nCommands:\n",
          out);
    for (const struct command *const *c = environment->commands; *c != NULL; c++) {
        fprintf(out, "  %-10s %s\n", (*c)->name, (*c)->summary);
    }
    fputs("\nTopics:\n", out);
    for (const struct help_topic *topic = help_topics; topic->name != NULL; topic++) {
        fprintf(out, "  %-13s %s\n", topic->name, help_topic_title(topic));
    }
    fputs("\n`nightjar help NAME` explains a command, a topic or a stage. Exit codes: 0 done,\n"
          "64 usage, 65 bad data, 66 no input, 70 a bug, 71 out of memory, 73 cannot\n"
          "create, 74 I/O error, 75 busy (try again), 78 bad configuration, 79 trained but\n"
          "refused by the gate, 128+n on signal n.\n",
          out);
}

/* The other forms, one at a time: by the flag that asks for it. */
static const struct {
    const char *flag;
    void (*print)(const struct command_environment *environment, FILE *out);
} forms[] = {{"--man", help_man}, {"--bash", help_bash}, {"--zsh", help_zsh}};

/* A command, a topic or a stage, the first that has the name. */
static enum status_code explain(const struct command_environment *environment, const char *name,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    const char *names[128];
    struct buf text = {0};
    FILE *out = environment->out;
    size_t n = 0;
    for (const struct command *const *c = environment->commands; *c != NULL; c++) {
        names[n++] = (*c)->name;
        if (strcmp((*c)->name, name) == 0) {
            command_print_help(*c, out);
            return command_flush(out, status);
        }
    }
    for (const struct help_topic *topic = help_topics; topic->name != NULL; topic++) {
        names[n++] = topic->name;
        if (strcmp(topic->name, name) == 0) {
            help_topic_print(topic, out);
            return command_flush(out, status);
        }
    }
    for (const struct stage *const *s = environment->registry->stages; *s != NULL; s++) {
        names[n++] = (*s)->name;
        if (strcmp((*s)->name, name) == 0) {
            describe_text(environment->registry, *s, &text);
            TRY(buf_check(&text, status));
            fputs(buf_text(&text), out);
            TRY(command_flush(out, status));
            goto done;
        }
    }
    TRY(command_unknown("help: unknown topic", name, strlen(name), names, n, "help", status));
done:
    buf_release(&text);
    return code;
}

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
    return explain(environment, line->arguments[0], status);
}

static const struct command_flag flags[] = {
    {.name = "--man", .help = "print the man page, all commands and topics, instead"},
    {.name = "--bash", .help = "print a completion script for bash instead"},
    {.name = "--zsh", .help = "print a completion script for zsh instead"},
    {.name = NULL}};

const struct command command_help = {
    .name = "help",
    .summary = "list commands and topics, or explain one",
    .usage = "[NAME] [options]",
    .description = "Lists the commands and topics, or explains one of them, or a stage. Where a "
                   "command and a stage share a name this is the command; `nightjar describe` has "
                   "the stage.",
    .max_arguments = 1,
    .ranks = RANKS_FIRST,
    .flags = flags,
    .run = run_help};
