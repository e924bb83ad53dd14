/* What a run is told by when it has ended, and first of all by `runs show`. */
#ifndef NIGHTJAR_COMMANDS_MORNING_H
#define NIGHTJAR_COMMANDS_MORNING_H

#include "base/buf.h"
#include "config/plan.h"
#include "store/db.h"

/* Adds a line each about quality, what has changed, the lists and the command that shows them, as
 * far as there is something to say; `work` is the plan's work database. STATUS_CONFIG: the output
 * database was written by a newer nightjar. */
MUST_CHECK enum status_code morning_add(const struct plan *plan, struct db *work, int64_t run,
                                        struct buf *out, struct status *status);

/* The generation that the views show; 0: none, or that cannot be read. STATUS_CONFIG as above. */
MUST_CHECK enum status_code morning_shown(const struct plan *plan, int64_t *generation,
                                          struct status *status);

#endif
