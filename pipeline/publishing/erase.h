/* Taking people out of what nightjar has written: rows of every generation, and all that the work
 * database holds of the log. What is erased is overwritten in the file. */
#ifndef NIGHTJAR_PUBLISHING_ERASE_H
#define NIGHTJAR_PUBLISHING_ERASE_H

#include "publishing/forgotten.h"

/* Whether some generation has the person. */
MUST_CHECK enum status_code erase_look(struct db *db, const char *prefix,
                                       const struct row_id *person, bool *known,
                                       struct status *status);
/* Deletes the people's rows from all tables of all generations that have users, one transaction a
 * generation, and looks whether they are gone; shortens the WAL to nothing where there is one.
 * STATUS_BUSY when a reader holds the WAL: run it again. */
MUST_CHECK enum status_code erase_published(struct db *db, const char *prefix,
                                            const struct row_id *people, size_t n,
                                            struct status *status);
/* Leaves only the history of runs (run and what tells of runs without ids): artifacts, checkpoints,
 * tables of stages and rejected rows go, and the file is written anew, its WAL too. STATUS_CONFIG:
 * a trigger, which would say what becomes of the rows; STATUS_BUSY as above. */
MUST_CHECK enum status_code erase_work(struct db *work, struct status *status);
/* A WAL still holds what was erased from the file until nobody reads it any more. STATUS_BUSY as
 * above. */
MUST_CHECK enum status_code erase_wal(struct db *db, struct status *status);

#endif
