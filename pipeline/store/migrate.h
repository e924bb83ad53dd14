/* Brings our own tables in a database to this program's schema version, from the numbered SQL files
 * under schemas/, which the Makefile embeds. The version lives in our own table, never in
 * user_version. */
#ifndef NIGHTJAR_STORE_MIGRATE_H
#define NIGHTJAR_STORE_MIGRATE_H

#include "store/db.h"

enum migrate_set { MIGRATE_WORK, MIGRATE_OUTPUT };

/* One transaction for all missing migrations. `prefix` (MIGRATE_OUTPUT; "" otherwise) replaces
 * @prefix@ in the SQL, quoted. A database written by a newer nightjar: STATUS_CONFIG, untouched. */
MUST_CHECK enum status_code migrate_apply(struct db *db, enum migrate_set set, const char *prefix,
                                          struct status *status);

#endif
