/* Variables of the environment in scalars: ${NAME}, ${NAME:-default} and $$ for a dollar sign. */
#ifndef NIGHTJAR_CONFIG_VARIABLES_H
#define NIGHTJAR_CONFIG_VARIABLES_H

#include "base/buf.h"

/* Of the processes that carry a plan out together (ranks/ranks.h), which this one is: with several
 * ${RANK} and ${RANKS}; a single one has the environment's, or else 0 and 1. */
struct plan_rank {
    size_t mine, n;
};

/* Adds `text` with its variables replaced to `out`; *used tells whether there was one. As in the
 * shell, the default also stands in for a variable that is set but empty. It is taken literally, up
 * to the first closing brace. A dollar sign before anything else stays, so that SQL may say '$.a'.
 * On a mistake writes what is wrong to `why` and returns false; `out` is then unfinished. */
bool variables_expand(const char *text, size_t length, struct plan_rank rank, struct buf *out,
                      bool *used, char *why, size_t why_capacity);

#endif
