/* Brings our own tables in a database to this program's schema version, from the numbered SQL files
 * under schemas/, which the Makefile embeds. The version lives in our own table, never in
 * user_version. */
#ifndef NIGHTJAR_STORE_MIGRATE_H
#define NIGHTJAR_STORE_MIGRATE_H

#include "store/db.h"

enum migrate_set { MIGRATE_WORK, MIGRATE_OUTPUT };

/* One transaction for all missing migrations. `prefix` (MIGRATE_OUTPUT; "" otherwise) replaces
 * @prefix@, which stands only inside double quotes in the SQL, its own quotes doubled. A database
 * written by a newer nightjar, and a work database with a foreign table under the name of our
 * version table: STATUS_CONFIG, untouched. An output database: publish_migrate looks at its names
 * first. */
MUST_CHECK enum status_code migrate_apply(struct db *db, enum migrate_set set, const char *prefix,
                                          struct status *status);
/* *version = the newest migration applied, 0 when there is none; *is_foreign (may be NULL) when our
 * version table's name is taken by something that is not ours. A version that this program does not
 * know: STATUS_CONFIG. Changes nothing. */
MUST_CHECK enum status_code migrate_version(struct db *db, enum migrate_set set, const char *prefix,
                                            int64_t *version, bool *is_foreign,
                                            struct status *status);
/* db_open, for whoever reads or writes in a work database without bringing it up to date: one that
 * a newer nightjar has written is no error of its tables, and one of an older nightjar has an empty
 * table of this connection where a table is missing that queries of the history name. Errors:
 * both's. */
MUST_CHECK enum status_code migrate_open_work(const char *path, enum db_mode mode,
                                              double busy_seconds, struct db **out,
                                              struct status *status);

#endif
