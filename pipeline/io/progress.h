/* A progress bar with rate and time left on a terminal; nothing elsewhere. */
#ifndef NIGHTJAR_IO_PROGRESS_H
#define NIGHTJAR_IO_PROGRESS_H

#include "base/log.h"

/* Zero-initialise. Every function may be called on a bar that is not enabled, and does nothing. */
struct progress {
    struct log *log; /* shares the terminal line with the log; may be NULL: stderr */
    bool enabled;    /* decided once by the command: stderr is a terminal, no --quiet */
    char label[64];
    char unit[16];         /* "rows", "epochs" */
    double total;          /* 0: unknown */
    double started, drawn; /* monotonic seconds */
};

void progress_start(struct progress *progress, const char *label, const char *unit, double total);
/* Redraws at most ten times a second. `note` (may be NULL) is shown at the end: "loss 3.21". */
void progress_update(struct progress *progress, double done, const char *note);
void progress_finish(struct progress *progress); /* wipes the line */

enum { PROGRESS_LINE_MAX = 80 };
/* The line that is drawn after `elapsed` seconds, at most 79 columns (for ASCII labels and notes),
 * without control characters: what progress_update shows, apart for tests. */
void progress_format(const struct progress *progress, double done, double elapsed, const char *note,
                     char out[PROGRESS_LINE_MAX]);

#endif
