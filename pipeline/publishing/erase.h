/* Taking people out of what nightjar has written: rows of every generation, and all that the work
 * database holds of the log. What is erased is overwritten in the file. */
#ifndef NIGHTJAR_PUBLISHING_ERASE_H
#define NIGHTJAR_PUBLISHING_ERASE_H

#include "publishing/forgotten.h"

/* Deletes the people's rows from all tables of all generations that have users, one transaction a
 * generation, and shortens the WAL to nothing where there is one. *n_known: how many of the people
 * some generation had. STATUS_BUSY when a reader holds the WAL: run it again. */
MUST_CHECK enum status_code erase_published(struct db *db, const char *prefix,
                                            const struct person *people, size_t n, size_t *n_known,
                                            struct status *status);
/* Leaves only the history of runs (run and what tells of runs without ids): artifacts, checkpoints,
 * tables of stages and rejected rows go, and the file is written anew. */
MUST_CHECK enum status_code erase_work(struct db *work, struct status *status);

#endif
