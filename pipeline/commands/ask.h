/* Questions on a terminal: asked on stderr, answered on stdin. */
#ifndef NIGHTJAR_COMMANDS_ASK_H
#define NIGHTJAR_COMMANDS_ASK_H

#include "commands/command.h"

/* Whether somebody is there to answer. */
bool ask_is_possible(const struct command_environment *environment);
/* One of n numbered choices; *answer is what an empty line means, and the end of the input, which
 * *at_end tells: whoever has ended it wants no more questions. A signal is STATUS_SIGNAL. */
MUST_CHECK enum status_code ask_choice(const struct command_environment *environment,
                                       const char *question, const char *const *choices, size_t n,
                                       size_t *answer, bool *at_end, struct status *status);
/* *yes: the answer is y or yes. */
MUST_CHECK enum status_code ask_yes(const struct command_environment *environment,
                                    const char *question, bool *yes, struct status *status);

#endif
