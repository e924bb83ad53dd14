/* The one place that opens the files which we write (databases, which SQLite opens, and files
 * without a name apart). A link in the place of such a file is not followed and a FIFO not waited
 * for, for whoever may write into the folder could have planted it: regular files, and devices such
 * as a terminal, are written to. /dev/stdout and /dev/stderr are what the program was given as
 * such. */
#ifndef NIGHTJAR_BASE_OUTPUT_FILE_H
#define NIGHTJAR_BASE_OUTPUT_FILE_H

#include "base/status.h"

enum output_kind {
    OUTPUT_NEW,    /* made; what stands there, say of a run that was killed, is removed before */
    OUTPUT_APPEND, /* written to at its end; made where it is missing */
    OUTPUT_UPDATE  /* the same, but read and written at any place */
};

enum { OUTPUT_SHARED = 0644, OUTPUT_PRIVATE = 0600 }; /* private: there are people's ids in it */

/* *fd = the file; nothing is appended to an SQLite database. STATUS_CANNOT_CREATE names the path
 * and, by `what` ("the log file"), its use. */
MUST_CHECK enum status_code output_file_open(const char *path, enum output_kind kind, int mode,
                                             const char *what, int *fd, struct status *status);
/* Whether writing to this path means writing to what is there: a device, or the program's own
 * stdout or stderr, and not a file that could be made anew and renamed. */
bool output_file_is_device(const char *path);
/* Whether an SQLite database stands there: named in the place of a text it is a slip of the hand,
 * and would be lost. */
bool output_file_is_database(const char *path);

#endif
