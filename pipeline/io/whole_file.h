/* Writes a file as a whole: whoever reads its name sees the old content or the new one. */
#ifndef NIGHTJAR_IO_WHOLE_FILE_H
#define NIGHTJAR_IO_WHOLE_FILE_H

#include "base/buf.h"

/* A file in the making, PATH.partial beside it; a device, or /dev/stdout, is written to as it
 * comes. Zero-initialise.
 *
 *     TRY(whole_file_open(&file, path, OUTPUT_PRIVATE, status));
 *     while there is more: TRY(whole_file_add(&file, bytes, n, status));
 *     TRY(whole_file_commit(&file, status));
 *   done:
 *     whole_file_release(&file);
 */
struct whole_file {
    const char *path; /* the caller's; NULL: nothing is open */
    struct buf partial, waiting;
    int fd;
};

/* The rights are those of a regular file that is there, else `mode`, of base/output_file.h.
 * STATUS_CANNOT_CREATE. */
MUST_CHECK enum status_code whole_file_open(struct whole_file *file, const char *path, int mode,
                                            struct status *status);
MUST_CHECK enum status_code whole_file_add(struct whole_file *file, const void *bytes, size_t n,
                                           struct status *status);
/* Writes over the first n bytes, which have been added before; not of a device. */
MUST_CHECK enum status_code whole_file_put_head(struct whole_file *file, const void *bytes,
                                                size_t n, struct status *status);
/* Flushes it to the disk and renames it. */
MUST_CHECK enum status_code whole_file_commit(struct whole_file *file, struct status *status);
/* What was not committed is removed. */
void whole_file_release(struct whole_file *file);

/* Writes the file anew under its name and flushes it to the disk: for a name that nobody reads yet.
 */
MUST_CHECK enum status_code whole_file_put(const char *path, const struct buf *text,
                                           struct status *status);
/* The text as a whole file. On error the old file stays and nothing is left beside it:
 * STATUS_CANNOT_CREATE, STATUS_IO. */
MUST_CHECK enum status_code whole_file_write(const char *path, int mode, const struct buf *text,
                                             struct status *status);

#endif
