/* Chunked inserts. */
#include "store/bulk.h"

enum status_code bulk_start(struct bulk *bulk, struct db *db, const char *sql,
                            struct status *status)
{
    *bulk = (struct bulk){.db = db};
    return db_prepare(db, sql, &bulk->query, status);
}

enum status_code bulk_add(struct bulk *bulk, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (bulk->pending == 0) {
        TRY(db_begin_write(bulk->db, status));
    }
    bulk->pending++;
    TRY(db_run(bulk->query, status));
    if (bulk->pending == BULK_ROWS) {
        TRY(db_commit(bulk->db, status));
        bulk->pending = 0;
    }
done:
    return code;
}

enum status_code bulk_finish(struct bulk *bulk, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (bulk->pending > 0) {
        TRY(db_commit(bulk->db, status));
        bulk->pending = 0;
    }
done:
    return code;
}

void bulk_release(struct bulk *bulk)
{
    db_finalize(bulk->query);
    if (bulk->pending > 0) {
        db_rollback(bulk->db);
    }
    *bulk = (struct bulk){0};
}
