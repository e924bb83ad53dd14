/* Many rows into one table: a prepared INSERT in transactions of BULK_ROWS rows, so that neither
 * the journal nor a lock on the file grows with the table. */
#ifndef NIGHTJAR_STORE_BULK_H
#define NIGHTJAR_STORE_BULK_H

#include "store/db.h"

enum { BULK_ROWS = 100000 };

/* Zero-initialise. */
struct bulk {
    struct db *db;
    struct db_query *query; /* bind its parameters, then bulk_add */
    size_t pending;         /* rows in the open transaction; 0: none is open */
};

/* `sql` is a static INSERT. No transaction may be open on db until bulk_finish or bulk_release. */
MUST_CHECK enum status_code bulk_start(struct bulk *bulk, struct db *db, const char *sql,
                                       struct status *status);
/* Inserts the row that is bound. */
MUST_CHECK enum status_code bulk_add(struct bulk *bulk, struct status *status);
/* Commits what is left. */
MUST_CHECK enum status_code bulk_finish(struct bulk *bulk, struct status *status);
/* Rolls back what bulk_finish did not commit. A zeroed struct is allowed. */
void bulk_release(struct bulk *bulk);

#endif
