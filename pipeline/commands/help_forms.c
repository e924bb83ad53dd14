/* Writers over the command table. */
#include "commands/help_forms.h"

#include "commands/command_list.h"
#include "commands/help_topics.h"
#include "commands/version.h"

/* ---- the man page ---- */

static void man_flag(FILE *out, const struct command_flag *flag)
{
    fputs(".TP\n\\fB", out);
    man_text(out, flag->name);
    fputs("\\fR", out);
    if (flag->value != NULL) {
        fputs(" \\fI", out);
        man_text(out, flag->value);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    man_text(out, flag->help);
    fputc('\n', out);
}

static void man_command(FILE *out, const struct command *command)
{
    fprintf(out, ".SS \"nightjar %s ", command->name);
    man_text(out, command->usage);
    fputs("\"\n", out);
    man_text(out, command->description);
    fputc('\n', out);
    for (size_t f = 0; command->flags[f].name != NULL; f++) {
        man_flag(out, &command->flags[f]);
    }
}

void help_man(const struct command_environment *environment, FILE *out)
{
    fprintf(out, ".TH NIGHTJAR 1 \"" NIGHTJAR_DATE "\" \"nightjar %s\" \"User Commands\"\n",
            environment->version);
    fputs(".SH NAME\nnightjar \\- a nightly recommender over SQLite\n"
          ".SH SYNOPSIS\n.B nightjar\n.I COMMAND\n[\\fICONFIG\\fR] [\\fIoptions\\fR]\n"
          ".SH DESCRIPTION\n",
          out);
    man_text(
        out,
        "Reads a log of who interacted with what from an SQLite database, trains a user tower and "
        "an item tower contrastively, and writes recommendations and embeddings back, where any "
        "language reads them with SELECT. One YAML file says all; cron starts it.");
    fputs("\n.SH COMMANDS\n", out);
    for (const struct command *const *c = environment->commands; *c != NULL; c++) {
        man_command(out, *c);
    }
    for (const struct help_topic *topic = help_topics; topic->name != NULL; topic++) {
        help_topic_man(topic, out);
    }
    fputs(".SH EXIT STATUS\n", out);
    man_text(
        out,
        "0 done, 64 usage, 65 bad data, 66 no input, 70 a bug, 71 out of memory, 73 cannot create, "
        "74 I/O error, 75 busy (try again), 78 bad configuration, 79 trained but refused by the "
        "gate, 128+n on signal n.");
    fputs("\n.SH FILES\n.TP\nPIPELINE.work.db\nbeside the configuration: artifacts, checkpoints, "
          "the\n"
          "history of runs; may be deleted\n.TP\nPIPELINE.work.db.lock\none run at a time; stays\n",
          out);
}

/* ---- completions ---- */

/* What may stand behind `describe`, or with all of them behind `help`. */
static void list_stages(const struct command_environment *environment, FILE *out)
{
    for (const struct stage *const *s = environment->registry->stages; *s != NULL; s++) {
        fprintf(out, "%s%s", s == environment->registry->stages ? "" : " ", (*s)->name);
    }
}

static void list_topics(const struct command_environment *environment, FILE *out)
{
    list_stages(environment, out);
    for (const struct command *const *c = environment->commands; *c != NULL; c++) {
        fprintf(out, " %s", (*c)->name);
    }
    for (const struct help_topic *topic = help_topics; topic->name != NULL; topic++) {
        fprintf(out, " %s", topic->name);
    }
}

/* Whether a flag's value is one of some words: "STAGE" of the stages, "text|json" of the two. */
static bool is_one_of(const struct command_flag *flag)
{
    return flag->value != NULL &&
           (strcmp(flag->value, "STAGE") == 0 || strchr(flag->value, '|') != NULL);
}

/* These words, a blank between them; nothing for other flags. */
static void list_values(const struct command_environment *environment, FILE *out,
                        const struct command_flag *flag)
{
    if (is_one_of(flag) && strcmp(flag->value, "STAGE") == 0) {
        list_stages(environment, out);
        return;
    }
    for (const char *at = is_one_of(flag) ? flag->value : ""; *at != '\0'; at++) {
        fputc(*at == '|' ? ' ' : *at, out);
    }
}

/* bash: the values of the flag that stands before the word. */
static void bash_values(const struct command_environment *environment, FILE *out,
                        const struct command *command)
{
    for (const struct command_flag *flag = command->flags; flag->name != NULL; flag++) {
        if (is_one_of(flag)) {
            fprintf(out, "    %s\\ %s) words='", command->name, flag->name);
            list_values(environment, out, flag);
            fputs("' ;;\n", out);
        }
    }
}

static void list_flags(FILE *out, const struct command *command)
{
    fputs("--help", out);
    for (size_t f = 0; command->flags[f].name != NULL; f++) {
        fprintf(out, " %s", command->flags[f].name);
    }
}

void help_bash(const struct command_environment *environment, FILE *out)
{
    fputs("# bash completion for nightjar; made by `nightjar help --bash`\n"
          "_nightjar() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} flags words=\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        COMPREPLY=($(compgen -W '",
          out);
    for (const struct command *const *c = environment->commands; *c != NULL; c++) {
        fprintf(out, "%s%s", c == environment->commands ? "" : " ", (*c)->name);
    }
    fputs("' -- \"$word\"))\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n", out);
    for (const struct command *const *c = environment->commands; *c != NULL; c++) {
        fprintf(out, "    %s) flags='", (*c)->name);
        list_flags(out, *c);
        fputs("' ;;\n", out);
    }
    fputs("    esac\n    case \"${COMP_WORDS[1]} ${COMP_WORDS[COMP_CWORD - 1]}\" in\n", out);
    for (const struct command *const *c = environment->commands; *c != NULL; c++) {
        bash_values(environment, out, *c);
    }
    fputs("    help\\ *) words='", out);
    list_topics(environment, out);
    fputs("' ;;\n    describe\\ *) words='", out);
    list_stages(environment, out);
    fputs("' ;;\n    esac\n"
          "    case $word,$words in\n"
          "    -*) COMPREPLY=($(compgen -W \"$flags\" -- \"$word\")) ;;\n"
          "    *,) mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n"
          "    *) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;\n"
          "    esac\n"
          "}\n"
          "complete -o filenames -F _nightjar nightjar\n",
          out);
}

/* Text between single quotes, for _arguments: [ ] and : have a meaning there. */
static void zsh_text(FILE *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\'') {
            fputs("'\\''", out);
        } else if (*at == '[' || *at == ']' || *at == ':' || *at == '\\') {
            fprintf(out, "\\%c", *at);
        } else {
            fputc(*at, out);
        }
    }
}

void help_zsh(const struct command_environment *environment, FILE *out)
{
    fputs("#compdef nightjar\n# made by `nightjar help --zsh`\n"
          "if (( CURRENT == 2 )); then\n    local -a commands=(\n",
          out);
    for (const struct command *const *c = environment->commands; *c != NULL; c++) {
        fprintf(out, "        '%s:", (*c)->name);
        zsh_text(out, (*c)->summary);
        fputs("'\n", out);
    }
    fputs("    )\n    _describe command commands\n    return\nfi\ncase $words[2] in\n", out);
    for (const struct command *const *c = environment->commands; *c != NULL; c++) {
        fprintf(out, "%s)\n    _arguments '1: :' '--help[print the usage]'", (*c)->name);
        for (size_t f = 0; (*c)->flags[f].name != NULL; f++) {
            const struct command_flag *flag = &(*c)->flags[f];
            fprintf(out, " \\\n        '%s%s[", flag->repeatable ? "*" : "", flag->name);
            zsh_text(out, flag->help);
            fputc(']', out);
            if (flag->value != NULL) {
                fputs(":", out);
                zsh_text(out, flag->value);
                fputs(is_one_of(flag) ? ":(" : ":_files", out);
                list_values(environment, out, flag);
                fputs(is_one_of(flag) ? ")" : "", out);
            }
            fputc('\'', out);
        }
        if (*c == &command_help || *c == &command_describe) {
            fputs(" '2:topic:(", out);
            (*c == &command_help ? list_topics : list_stages)(environment, out);
            fputs(")' ;;\n", out);
        } else {
            fputs(" '*:file:_files' ;;\n", out);
        }
    }
    fputs("esac\n", out);
}
