/* One run of a pipeline at a time: an advisory flock on a lock file that is never unlinked. */
#ifndef NIGHTJAR_STORE_LOCK_H
#define NIGHTJAR_STORE_LOCK_H

#include "base/status.h"

struct lock {
    int fd; /* -1: not held */
};

/* Held by another process: STATUS_BUSY at once, naming its pid and since when. The file is opened
 * close-on-exec; the kernel releases it when the process dies. */
MUST_CHECK enum status_code lock_acquire(const char *path, struct lock *lock,
                                         struct status *status);
void lock_release(struct lock *lock);

#endif
