/* The source: whoever reads it opens it here. */
#ifndef NIGHTJAR_EVENTS_SOURCE_DATABASE_H
#define NIGHTJAR_EVENTS_SOURCE_DATABASE_H

#include "config/plan.h"
#include "store/db.h"

/* The plan's source.database, which is given, read-only, its checkpoints left to who writes there.
 * Errors as db_open; where a file of that name lies in the folder one stands in, and not in the
 * configuration's, the message says so. */
MUST_CHECK enum status_code source_database_open(const struct plan *plan, struct db **out,
                                                 struct status *status);

#endif
