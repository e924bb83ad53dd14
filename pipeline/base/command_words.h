/* A command in words, as a shell would cut it, without a shell: blanks part words, '...' and "..."
 * hold them together, \ takes the next character as it is (not between '...'). Nothing is expanded:
 * $, *, | and > are characters like others. */
#ifndef NIGHTJAR_BASE_COMMAND_WORDS_H
#define NIGHTJAR_BASE_COMMAND_WORDS_H

#include "base/arena.h"

/* *words: n texts of the arena, and NULL behind them. *why: what is wrong with the text (then there
 * are none), NULL when nothing is. */
MUST_CHECK enum status_code command_words(const char *text, struct arena *arena, char ***words,
                                          size_t *n, const char **why, struct status *status);

#endif
