/* Mistakes of a configuration, collected so that all of them can be told at once. */
#ifndef NIGHTJAR_CONFIG_MISTAKES_H
#define NIGHTJAR_CONFIG_MISTAKES_H

#include "base/arena.h"
#include "base/buf.h"

/* Where something stands. `origin` NULL: in the file; else what a message begins with instead of a
 * position ("--set seed=x"). Line and column are one-based. */
struct place {
    const char *origin;
    size_t line, column;
};

struct mistake {
    struct place place;
    size_t order; /* of discovery: keeps the sort stable */
    const char *text;
};

/* Zero-initialise. */
struct mistakes {
    struct mistake *items;
    size_t n, capacity;
    bool out_of_memory; /* one could not be kept; mistakes_report says so */
    struct arena arena; /* owns the texts */
    struct buf doubts;  /* what is allowed and looks wrong: "LINE:COLUMN: text", a line each */
};

void mistakes_add(struct mistakes *mistakes, struct place place, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* STATUS_OK when there are none. Otherwise STATUS_CONFIG at the first mistake in the file, or
 * STATUS_USAGE when all of them come from the command line. The message holds every mistake, one a
 * line, in the order of the file and then of the command line. status_format puts the position
 * before the first line; the others carry theirs. What does not fit is counted in a last line. */
MUST_CHECK enum status_code mistakes_report(struct mistakes *mistakes, const char *file,
                                            struct status *status);
void mistakes_release(struct mistakes *mistakes);

enum { SHOWN_TEXT_MAX = 80 };
/* `text` as a message shows it: in double quotes, control characters escaped, cut when long. */
const char *shown_text(const char *text, size_t length, char out[SHOWN_TEXT_MAX]);

#endif
