/* Files that we read from start to end: a configuration, CSV. They may be pipes, at which the
 * program waits; a signal ends the wait. */
#ifndef NIGHTJAR_BASE_INPUT_FILE_H
#define NIGHTJAR_BASE_INPUT_FILE_H

#include "base/watch.h"

/* *fd: open for reading, -1 on error. `what` names the file in the message:
 * "the file". A FIFO that nobody writes to is waited for by the first read. Errors:
 * STATUS_NO_INPUT, also for a folder. */
MUST_CHECK enum status_code input_file_open(const char *path, const char *what, int *fd,
                                            struct status *status);
/* *got: bytes read, at most `most`; 0 at the end. While there is nothing to read `watch` (may be
 * NULL) is asked. Errors: STATUS_IO, and the watch's own. */
MUST_CHECK enum status_code input_file_read(int fd, const char *path, const struct watch *watch,
                                            void *out, size_t most, size_t *got,
                                            struct status *status);

#endif
