/* What --help says in other forms, out of the same tables: a man page, shell completions. */
#ifndef NIGHTJAR_COMMANDS_HELP_FORMS_H
#define NIGHTJAR_COMMANDS_HELP_FORMS_H

#include "commands/command.h"

/* nightjar(1), in the man macros. */
void help_man(const struct command_environment *environment, FILE *out);
/* A completion script for bash, and one for zsh: commands, the flags of each, files. */
void help_bash(const struct command_environment *environment, FILE *out);
void help_zsh(const struct command_environment *environment, FILE *out);

#endif
