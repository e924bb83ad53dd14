/* Room on disk: what a run will write held against what is free. */
#ifndef NIGHTJAR_RUN_DISK_SPACE_H
#define NIGHTJAR_RUN_DISK_SPACE_H

#include "run/context.h"

/* Bytes that will be added to the work and to the output database. A published generation is
 * counted twice, for the write-ahead log that it passes through. */
struct disk_need {
    double work, output;
};

/* STATUS_IO, with the figures, when the need would leave less than settings.disk_reserve of a file
 * system. Free pages within the databases count as free. A file system that tells nothing passes.
 */
MUST_CHECK enum status_code disk_space_check(struct context *context, const struct disk_need *need,
                                             struct status *status);

#endif
