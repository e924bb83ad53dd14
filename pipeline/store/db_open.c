/* Opening with checks, and closing. */
#include "store/db_internal.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/output_file.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What stat() can tell before SQLite is asked: SQLite opens directories and empty files lazily and
 * reports both in words that help nobody. */
static enum status_code check_file(const char *path, enum db_mode mode, struct status *status)
{
    enum status_code missing = mode == DB_CREATE ? STATUS_CANNOT_CREATE : STATUS_NO_INPUT;
    struct stat info;
    if (path[0] == '\0') {
        return status_set(status, missing, "the path of a database is empty");
    }
    if (mode == DB_CREATE && strcmp(path, ":memory:") == 0) {
        return STATUS_OK;
    }
    if (stat(path, &info) != 0) {
        if (mode == DB_CREATE && errno == ENOENT) {
            return STATUS_OK;
        }
        return status_set_at(status, missing, path, 0, 0, "cannot open the database: %s",
                             strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return status_set_at(status, missing, path, 0, 0,
                             "cannot open the database: %s, not a regular file",
                             S_ISDIR(info.st_mode) ? "a directory" : "a device, pipe or socket");
    }
    if (info.st_size == 0 && mode != DB_CREATE) {
        return status_set_at(status, STATUS_DATA, path, 0, 0,
                             "the file is empty (0 bytes), not an SQLite database");
    }
    return STATUS_OK;
}

static int read_schema(sqlite3 *handle)
{
    return sqlite3_exec(handle, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
}

/* A writer died in a transaction: its journal has to be played back before anybody can read, which
 * takes the right to write. Any connection that has it does so on its first look; without it, all
 * is as it was. */
static enum status_code play_back(const struct db *reader, struct status *status)
{
    struct db writer = *reader;
    writer.handle = NULL;
    enum status_code code = STATUS_OK;
    int result = sqlite3_open_v2(writer.name, &writer.handle,
                                 SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE, NULL);
    if (result == SQLITE_OK) {
        sqlite3_extended_result_codes(writer.handle, 1);
        sqlite3_busy_timeout(writer.handle, (int)(writer.busy_seconds * 1000));
        result = read_schema(writer.handle);
    }
    if (result != SQLITE_OK && (result & 0xff) != SQLITE_READONLY) {
        code =
            db_fail(&writer, result, "cannot play back the journal of a writer that died", status);
    }
    sqlite3_close(writer.handle);
    return code;
}

/* Opens the file and reads its whole schema, so that damage shows here and not in mid-run. */
static enum status_code open_handle(struct db *db, struct status *status)
{
    int flags = SQLITE_OPEN_NOMUTEX;
    flags |= db->mode == DB_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    flags |= db->mode == DB_CREATE ? SQLITE_OPEN_CREATE : 0;
    int result = sqlite3_open_v2(db->name, &db->handle, flags, NULL);
    if (result != SQLITE_OK) {
        return db_fail(db, result, "cannot open the database", status);
    }
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, (int)(db->busy_seconds * 1000));
    /* else "no_such_column" would be read as the text 'no_such_column' */
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_set_authorizer(db->handle, db_authorize, db);
    result = read_schema(db->handle);
    if (db->mode == DB_READ && result == SQLITE_READONLY_ROLLBACK) {
        enum status_code code = play_back(db, status);
        if (code != STATUS_OK) {
            return code;
        }
        result = read_schema(db->handle);
    }
    if (result != SQLITE_OK) {
        return db_fail(db, result, "cannot read the database", status);
    }
    if (db->mode != DB_READ && sqlite3_db_readonly(db->handle, "main") == 1) {
        return status_set_at(status, STATUS_CANNOT_CREATE, db->path, 0, 0,
                             "cannot write the database: the file is read-only for this user");
    }
    return STATUS_OK;
}

enum status_code db_open(const char *path, enum db_mode mode, double busy_seconds, struct db **out,
                         struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db *db = NULL;
    TRY(check_file(path, mode, status));
    TRY(MEM_NEW(&db, 1, status));
    db->mode = mode;
    db->busy_seconds = busy_seconds;
    size_t size = strlen(path) + 1;
    TRY(MEM_NEW(&db->path, size, status));
    memcpy(db->path, path, size);
    TRY(MEM_NEW(&db->name, size + 2, status));
    snprintf(db->name, size + 2, "%s%s", strncmp(path, "file:", 5) == 0 ? "./" : "", path);
    TRY(open_handle(db, status));
    *out = db;
    db = NULL;
done:
    db_close(db);
    return code;
}

enum status_code db_open_private(const char *path, double busy_seconds, struct db **out,
                                 struct status *status)
{
    /* SQLite would make it 0644, and gives journals the mode of the file. What is there stays; what
       cannot be made SQLite has to tell. */
    struct status ignored = {0};
    struct stat there;
    int fd;
    if (lstat(path, &there) != 0 &&
        output_file_open(path, OUTPUT_UPDATE, OUTPUT_PRIVATE, "", &fd, &ignored) == STATUS_OK) {
        (void)close(fd);
    }
    return db_open(path, DB_CREATE, busy_seconds, out, status);
}

enum status_code db_remove_companions(const char *path, struct status *status)
{
    static const char *const companions[] = {"-journal", "-wal", "-shm"};
    struct buf name = {0};
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < sizeof companions / sizeof *companions; i++) {
        buf_clear(&name);
        buf_addf(&name, "%s%s", path, companions[i]);
        TRY(buf_check(&name, status));
        if (unlink(buf_text(&name)) != 0 && errno != ENOENT) {
            TRY(status_set_at(status, STATUS_CANNOT_CREATE, buf_text(&name), 0, 0,
                              "cannot remove the leftover file: %s", strerror(errno)));
        }
    }
done:
    buf_release(&name);
    return code;
}

void db_close(struct db *db)
{
    if (db == NULL) {
        return;
    }
    if (db->handle != NULL) {
        db_rollback(db);
        int result = sqlite3_close(db->handle);
        assert(result == SQLITE_OK && "a query was not finalized before its connection");
        (void)result;
    }
    mem_free(db->path);
    mem_free(db->name);
    mem_free(db);
}

const char *db_path(const struct db *db)
{
    return db->path;
}

const char *db_identity(void)
{
    /* the linked library counts; when it is not the one compiled against, it still has a name */
    bool is_same = strcmp(sqlite3_libversion(), SQLITE_VERSION) == 0;
    return is_same ? "SQLite " SQLITE_VERSION : sqlite3_libversion();
}

bool db_has_wal_reset_fix(void)
{
    int version = sqlite3_libversion_number(); /* 3.44.6 is 3044006 */
    return version >= 3051003 || (version >= 3050007 && version < 3051000) ||
           (version >= 3044006 && version < 3045000);
}

void db_leave_checkpoints(struct db *db)
{
    sqlite3_wal_autocheckpoint(db->handle, 0);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

void db_of_others(struct db *db)
{
    db->is_of_others = true;
}
