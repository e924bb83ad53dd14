/* The error value. A fallible function returns a code and takes a caller-owned `struct status` as
 * its last argument, where the first error is kept with its place; later errors never overwrite
 * it. The codes are the process exit codes (sysexits, plus 79), so main.c returns them as they
 * are. Printing is main.c's business alone.
 *
 *     enum status_code rows_load(const char *path, struct rows *out, struct status *status)
 *     {
 *         enum status_code code = STATUS_OK;
 *         struct rows made = {0};
 *         TRY(rows_read(path, &made, status));         an error goes to done as it is
 *         if (made.n == 0) {
 *             TRY(status_set(status, STATUS_DATA, "%s has no rows", path));
 *         }
 *         *out = made;                                 outputs last: untouched on an error
 *         made = (struct rows){0};
 *     done:
 *         rows_release(&made);                         whatever is still held
 *         return code;
 *     }
 */
#ifndef NIGHTJAR_BASE_STATUS_H
#define NIGHTJAR_BASE_STATUS_H

#include "base/banned.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum status_code {
    STATUS_OK = 0,
    STATUS_USAGE = 64,         /* the command line is wrong */
    STATUS_DATA = 65,          /* the user's rows are wrong */
    STATUS_NO_INPUT = 66,      /* an input file does not exist or cannot be read */
    STATUS_INTERNAL = 70,      /* our bug */
    STATUS_NO_MEMORY = 71,     /* out of memory, or over memory_limit */
    STATUS_CANNOT_CREATE = 73, /* an output file cannot be created */
    STATUS_IO = 74,            /* read or write failed, disk full */
    STATUS_BUSY = 75,          /* locked by someone else; try again */
    STATUS_CONFIG = 78,        /* the configuration file is wrong */
    STATUS_REFUSED = 79,       /* trained, but the gate refused to publish */
    STATUS_SIGNAL = 128        /* interrupted; the exit code is 128 + status.signal */
};

enum { STATUS_FILE_MAX = 1024, STATUS_MESSAGE_MAX = 16384 };

/* Zero-initialise before use: `struct status status = {0};`. Holds no resources. */
struct status {
    enum status_code code;
    int signal;                       /* with STATUS_SIGNAL: the signal's number */
    size_t line, column;              /* one-based; 0 = no position */
    char file[STATUS_FILE_MAX];       /* the file the message is about; "" = none */
    char message[STATUS_MESSAGE_MAX]; /* what, the value seen, the values allowed; lines by \n */
};

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_argument)                                                  \
    __attribute__((format(printf, format_index, first_argument)))

/* Records an error unless one is recorded already. Returns the code that `status` now holds. */
enum status_code status_set(struct status *status, enum status_code code, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The same with a place. `file` may be NULL; line and column are one-based, 0 = unknown. */
enum status_code status_set_at(struct status *status, enum status_code code, const char *file,
                               size_t line, size_t column, const char *format, ...)
    PRINTF_LIKE(6, 7);

/* Puts "context: " before the message of a recorded error; does nothing when there is none.
 * Returns the recorded code. */
enum status_code status_add_context(struct status *status, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* The place of a recorded error that has none; as in status_set_at. */
void status_set_place(struct status *status, const char *file, size_t line, size_t column);

/* Adds a line behind the message of a recorded error; does nothing when there is none. */
void status_add_line(struct status *status, const char *format, ...) PRINTF_LIKE(2, 3);

/* Writes `file:line:col: message` (parts that are unknown left out) into `out` (capacity bytes,
 * always terminated, cut when too long). */
void status_format(const struct status *status, char *out, size_t capacity);

/* A value out of somebody's rows stands in a message between these two. It is shown to whoever
 * runs the program; what is kept (histories, log files) must not outlive the person's rows. */
#define PRIVATE_BEGIN "\x0e"
#define PRIVATE_END   "\x0f"
/* In place: the text without the marks, and the text with "..." instead of each such value. */
void private_show(char *text);
void private_hide(char *text);

/* Back to no error. */
void status_clear(struct status *status);

/* Forwards an error: needs a local `enum status_code code` and a label `done:`. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        code = (call);                                                                             \
        if (code != STATUS_OK) {                                                                   \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

#endif
