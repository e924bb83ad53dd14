/* What SQLite reports, in the user's terms. */
#include "store/db_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
    HEADER_BYTES = 20,
    HEADER_WRITE_VERSION = 18 /* offset in the file header: 2 means WAL */
};

/* What our statements meet in a file whose tables are not as we have made them. */
static bool tells_of_tables(const char *reason)
{
    static const char *const parts[] = {"no such table: ",
                                        "no such column: ",
                                        "no such view: ",
                                        "cannot modify ",
                                        " has no column named ",
                                        " columns but ",
                                        "cannot join using column ",
                                        "use DROP ",
                                        " already exists"};
    bool tells = false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        tells = tells || strstr(reason, parts[i]) != NULL;
    }
    return tells;
}

static enum status_code code_of_result(const struct db *db, int result)
{
    if (result == SQLITE_IOERR_NOMEM) {
        return STATUS_NO_MEMORY;
    }
    switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return STATUS_BUSY;
    case SQLITE_FULL:
    case SQLITE_IOERR:
        return STATUS_IO;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return db->mode == DB_CREATE ? STATUS_CANNOT_CREATE : STATUS_NO_INPUT;
    case SQLITE_READONLY: /* extended: reading itself needs a file that cannot be made here */
        return db->mode == DB_READ && result != SQLITE_READONLY ? STATUS_NO_INPUT
                                                                : STATUS_CANNOT_CREATE;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_TOOBIG:
        return STATUS_DATA;
    case SQLITE_NOMEM:
        return STATUS_NO_MEMORY;
    default:
        return STATUS_INTERNAL;
    }
}

/* Whether the header says that the file is in WAL mode; false when it cannot be read. */
static bool header_says_wal(const char *path)
{
    unsigned char header[HEADER_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t got = read(fd, header, sizeof header);
    close(fd);
    return got == (ssize_t)sizeof header && header[HEADER_WRITE_VERSION] == 2;
}

enum status_code db_fail(const struct db *db, int result, const char *what, struct status *status)
{
    enum status_code code = code_of_result(db, result);
    const char *reason = db->handle != NULL ? sqlite3_errmsg(db->handle) : sqlite3_errstr(result);
    const char *separator = what != NULL ? ": " : "";
    what = what != NULL ? what : "";
    int primary = result & 0xff;
    if (primary == SQLITE_ERROR && !db->is_of_others && tells_of_tables(reason)) {
        return status_set_at(
            status, STATUS_DATA, db->path, 0, 0,
            "%s%s%s; somebody has dropped or changed a table that nightjar keeps there: put the "
            "file back from a copy, or begin anew (`nightjar drop` takes out what is published, a "
            "work database can be deleted; what they do not find is to be dropped by hand)",
            what, separator, reason);
    }
    int system_error = db->handle != NULL ? sqlite3_system_errno(db->handle) : 0;
    if (code == STATUS_BUSY) {
        return status_set_at(status, code, db->path, 0, 0,
                             "%s%slocked by another connection (%s); waited %g s: try again later",
                             what, separator, reason, db->busy_seconds);
    }
    if ((primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY) && header_says_wal(db->path)) {
        return status_set_at(
            status, code, db->path, 0, 0,
            "%s%s%s; the database is in WAL mode and needs its -wal and -shm files "
            "beside it: the folder must be writable, or both must be there",
            what, separator, reason);
    }
    if (result == SQLITE_READONLY_ROLLBACK) {
        return status_set_at(status, code, db->path, 0, 0,
                             "%s%sa writer died and left a journal (%s-journal), which is played "
                             "back by whoever looks next and may write the file and its folder: "
                             "sqlite3 %s 'PRAGMA schema_version'",
                             what, separator, db->path, db->path);
    }
    if ((primary == SQLITE_CANTOPEN || primary == SQLITE_IOERR) && system_error != 0) {
        return status_set_at(status, code, db->path, 0, 0, "%s%s%s (%s)", what, separator, reason,
                             strerror(system_error));
    }
    return status_set_at(status, code, db->path, 0, 0, "%s%s%s", what, separator, reason);
}

enum status_code db_fail_user_text(const struct db *db, const char *what, int result,
                                   struct status *status)
{
    int primary = result & 0xff;
    if (primary == SQLITE_AUTH) {
        return status_set_at(status, STATUS_CONFIG, db->path, 0, 0,
                             "%s: only reading is allowed in a query: one SELECT, WITH or VALUES, "
                             "without ATTACH, PRAGMA, load_extension or changes (%s)",
                             what, sqlite3_errmsg(db->handle));
    }
    if (primary != SQLITE_ERROR) {
        return db_fail(db, result, what, status);
    }
    int offset = sqlite3_error_offset(db->handle);
    if (offset >= 0) {
        return status_set_at(status, STATUS_CONFIG, db->path, 0, 0, "%s: %s (at character %d)",
                             what, sqlite3_errmsg(db->handle), offset + 1);
    }
    return status_set_at(status, STATUS_CONFIG, db->path, 0, 0, "%s: %s", what,
                         sqlite3_errmsg(db->handle));
}

enum status_code db_fail_user(const struct db_query *query, int result, struct status *status)
{
    const struct db *db = query->db;
    switch (result & 0xff) {
    case SQLITE_INTERRUPT:
        return status_set_at(status, STATUS_CONFIG, db->path, 0, 0,
                             "%s: the query was not done within its time limit of %g s "
                             "(source.query_timeout)",
                             query->what, query->timeout_seconds);
    case SQLITE_AUTH:
        return db_fail_user_text(db, query->what, result, status);
    case SQLITE_ERROR: /* it compiled, so a value is at fault: bad JSON, integer overflow */
        return status_set_at(status, STATUS_DATA, db->path, 0, 0, "%s: the query failed: %s",
                             query->what, sqlite3_errmsg(db->handle));
    default:
        return db_fail(db, result, query->what, status);
    }
}
