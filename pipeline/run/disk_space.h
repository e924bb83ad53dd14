/* Room on disk: what a run will write held against what is free. */
#ifndef NIGHTJAR_RUN_DISK_SPACE_H
#define NIGHTJAR_RUN_DISK_SPACE_H

#include "config/plan.h"
#include "config/stage.h"
#include "store/db.h"

/* Bytes that will be added to the work and to the output database. A published generation is
 * counted twice, for the write-ahead log that it passes through. */
struct disk_need {
    double work, output;
};
/* What a stage adds to it: `plan` prints it, `check` and `run` hold it against what is free. */
void disk_need_add(struct disk_need *need, const struct stage_estimate *estimate);

/* STATUS_IO, with the figures, when the need, be it 0, would leave less than settings.disk_reserve
 * of a file system. Free pages within the databases (NULL: not there yet) count as free. A file
 * system that tells nothing passes. */
MUST_CHECK enum status_code disk_space_check(const struct plan *plan, struct db *work,
                                             struct db *output, const struct disk_need *need,
                                             struct status *status);

#endif
