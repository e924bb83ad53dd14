/* Writes a file as a whole: whoever reads its name sees the old content or the new one. */
#ifndef NIGHTJAR_IO_WHOLE_FILE_H
#define NIGHTJAR_IO_WHOLE_FILE_H

#include "base/buf.h"

/* Writes the file anew under its name and flushes it to the disk: for a name that nobody reads yet.
 */
MUST_CHECK enum status_code whole_file_put(const char *path, const struct buf *text,
                                           struct status *status);
/* Writes the text beside `path` as PATH.partial, flushes it to the disk and renames it; a device,
 * or /dev/stdout, is written to. The rights are those of a file that is there, else `mode`, of
 * base/output_file.h. On error the old file stays and nothing is left beside it:
 * STATUS_CANNOT_CREATE, STATUS_IO. */
MUST_CHECK enum status_code whole_file_write(const char *path, int mode, const struct buf *text,
                                             struct status *status);

#endif
