/* Every subcommand, one a file. main.c puts them into the table that dispatch and help use. */
#ifndef NIGHTJAR_COMMANDS_COMMAND_LIST_H
#define NIGHTJAR_COMMANDS_COMMAND_LIST_H

#include "commands/command.h"

extern const struct command command_init;
extern const struct command command_run;
extern const struct command command_plan;
extern const struct command command_check;
extern const struct command command_describe;
extern const struct command command_tune;
extern const struct command command_backtest;
extern const struct command command_recommend;
extern const struct command command_similar;
extern const struct command command_export;
extern const struct command command_runs;
extern const struct command command_rollback;
extern const struct command command_prune;
extern const struct command command_forget;
extern const struct command command_drop;
extern const struct command command_import;
extern const struct command command_generate;
extern const struct command command_version;
extern const struct command command_help;

/* What `nightjar` and `nightjar help` say: every command with its summary. */
void commands_help(const struct command_environment *environment, FILE *out);

#endif
