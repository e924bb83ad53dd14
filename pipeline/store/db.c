/* SQLite behind a narrow door: opening with checks, statements, user queries under an authorizer,
 * and one mapping of result codes to statuses. The only file that sees sqlite3.h, which is why user
 * queries live here too. What is stored where is the business of artifact.c and generation.c. */
#include "store/db.h"

#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PROGRESS_OPCODES = 10000, /* some 100 us of work between two looks at the clock */
    HEADER_BYTES = 20,
    HEADER_WRITE_VERSION = 18 /* offset in the file header: 2 means WAL */
};

struct db {
    sqlite3 *handle;
    char *path;
    char *name; /* the path as SQLite is told it, which would take "file:a.db" for a URI */
    enum db_mode mode;
    double busy_seconds;
    bool is_restricted; /* a user's query is being prepared or stepped: the authorizer is strict */
    double deadline;    /* of the user's query being stepped, clock_monotonic(); 0: none */
};

struct db_query {
    struct db *db;
    sqlite3_stmt *statement;
    double timeout_seconds; /* of a user's query; 0: ours */
    double deadline;        /* set by its first step; 0: not begun */
    char *what;             /* the option a user's query came from; NULL: ours */
};

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

/* Records what SQLite reports for `result`, in the user's terms. */
static enum status_code fail(const struct db *db, int result, const char *what,
                             struct status *status)
{
    enum status_code code = code_of_result(db, result);
    const char *reason = db->handle != NULL ? sqlite3_errmsg(db->handle) : sqlite3_errstr(result);
    const char *separator = what != NULL ? ": " : "";
    what = what != NULL ? what : "";
    int primary = result & 0xff;
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

/* In force while a user's query is prepared or stepped (a changed schema prepares it again). */
static int authorize(void *data, int action, const char *first, const char *second,
                     const char *database, const char *source)
{
    const struct db *db = data;
    (void)database;
    (void)source;
    if (!db->is_restricted) {
        return SQLITE_OK;
    }
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return second != NULL && sqlite3_stricmp(second, "load_extension") == 0 ? SQLITE_DENY
                                                                                : SQLITE_OK;
    case SQLITE_PRAGMA: /* full-text tables ask this one on their own account */
        return first != NULL && sqlite3_stricmp(first, "data_version") == 0 ? SQLITE_OK
                                                                            : SQLITE_DENY;
    case SQLITE_UPDATE: /* a table-valued function declares its columns; nobody can write there */
        return first != NULL && sqlite3_stricmp(first, "sqlite_master") == 0 ? SQLITE_OK
                                                                             : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

/* Stops the query being stepped when it is past its deadline. */
static int check_deadline(void *data)
{
    const struct db *db = data;
    return db->deadline > 0 && clock_monotonic() > db->deadline;
}

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
        code = fail(&writer, result, "cannot play back the journal of a writer that died", status);
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
        return fail(db, result, "cannot open the database", status);
    }
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, (int)(db->busy_seconds * 1000));
    /* else "no_such_column" would be read as the text 'no_such_column' */
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_set_authorizer(db->handle, authorize, db);
    result = read_schema(db->handle);
    if (db->mode == DB_READ && result == SQLITE_READONLY_ROLLBACK) {
        enum status_code code = play_back(db, status);
        if (code != STATUS_OK) {
            return code;
        }
        result = read_schema(db->handle);
    }
    if (result != SQLITE_OK) {
        return fail(db, result, "cannot read the database", status);
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

enum status_code db_journal_mode(struct db *db, struct buf *out, struct status *status)
{
    bool found;
    return db_get_text(db, "PRAGMA journal_mode", out, &found, status);
}

enum status_code db_exec(struct db *db, const char *sql, struct status *status)
{
    int result = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? STATUS_OK : fail(db, result, NULL, status);
}

enum status_code db_exec_buf(struct db *db, const struct buf *sql, struct status *status)
{
    enum status_code code = buf_check(sql, status);
    return code == STATUS_OK ? db_exec(db, buf_text(sql), status) : code;
}

void db_quote(struct buf *out, const char *name)
{
    buf_add_char(out, '"');
    for (; *name != '\0'; name++) {
        if (*name == '"') {
            buf_add_char(out, '"');
        }
        buf_add_char(out, *name);
    }
    buf_add_char(out, '"');
}

enum status_code db_prepare(struct db *db, const char *sql, struct db_query **out,
                            struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db_query *query = NULL;
    TRY(MEM_NEW(&query, 1, status));
    query->db = db;
    int result = sqlite3_prepare_v2(db->handle, sql, -1, &query->statement, NULL);
    if (result != SQLITE_OK) {
        TRY(fail(db, result, NULL, status));
    }
    assert(query->statement != NULL && "our own SQL is never empty");
    *out = query;
    query = NULL;
done:
    db_finalize(query);
    return code;
}

/* A user's query that does not compile: with its place in the text where SQLite knows it. */
static enum status_code fail_user(const struct db *db, const char *what, int result,
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
        return fail(db, result, what, status);
    }
    int offset = sqlite3_error_offset(db->handle);
    if (offset >= 0) {
        return status_set_at(status, STATUS_CONFIG, db->path, 0, 0, "%s: %s (at character %d)",
                             what, sqlite3_errmsg(db->handle), offset + 1);
    }
    return status_set_at(status, STATUS_CONFIG, db->path, 0, 0, "%s: %s", what,
                         sqlite3_errmsg(db->handle));
}

/* Whether only space, comments and semicolons are left. */
static bool tail_is_empty(struct db *db, const char *tail)
{
    while (*tail != '\0') {
        sqlite3_stmt *statement = NULL;
        const char *rest = NULL;
        int result = sqlite3_prepare_v2(db->handle, tail, -1, &statement, &rest);
        bool has_statement = result != SQLITE_OK || statement != NULL;
        sqlite3_finalize(statement);
        if (has_statement || rest == NULL || rest == tail) {
            return false;
        }
        tail = rest;
    }
    return true;
}

static enum status_code check_user_statement(struct db *db, const char *what,
                                             sqlite3_stmt *statement, const char *tail,
                                             struct status *status)
{
    const char *problem = NULL;
    if (statement == NULL) {
        problem = "the query is empty";
    } else if (!sqlite3_stmt_readonly(statement) || sqlite3_stmt_isexplain(statement) != 0 ||
               sqlite3_column_count(statement) == 0) {
        problem = "the query must be a SELECT, WITH or VALUES statement";
    } else if (sqlite3_bind_parameter_count(statement) != 0) {
        problem = "the query has parameters (?, :name), for which there are no values";
    } else if (!tail_is_empty(db, tail)) {
        problem = "there must be one statement, with nothing after it";
    }
    if (problem == NULL) {
        return STATUS_OK;
    }
    return status_set_at(status, STATUS_CONFIG, db->path, 0, 0, "%s: %s", what, problem);
}

enum status_code db_prepare_user(struct db *db, const char *what, const char *sql,
                                 double timeout_seconds, struct db_query **out,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db_query *query = NULL;
    const char *tail = NULL;
    size_t size = strlen(what) + 1;
    db->is_restricted = true;
    TRY(MEM_NEW(&query, 1, status));
    query->db = db;
    query->timeout_seconds = timeout_seconds;
    TRY(MEM_NEW(&query->what, size, status));
    memcpy(query->what, what, size);
    int result = sqlite3_prepare_v2(db->handle, sql, -1, &query->statement, &tail);
    if (result != SQLITE_OK) {
        TRY(fail_user(db, what, result, status));
    }
    TRY(check_user_statement(db, what, query->statement, tail, status));
    sqlite3_progress_handler(db->handle, PROGRESS_OPCODES, check_deadline, db);
    *out = query;
    query = NULL;
done:
    db->is_restricted = false;
    db_finalize(query);
    return code;
}

static enum status_code bound(struct db_query *query, int index, int result, struct status *status)
{
    if (result == SQLITE_OK) {
        return STATUS_OK;
    }
    fail(query->db, result, NULL, status);
    return status_add_context(status, "parameter %d of \"%s\"", index,
                              sqlite3_sql(query->statement));
}

enum status_code db_bind_int64(struct db_query *query, int index, int64_t value,
                               struct status *status)
{
    return bound(query, index, sqlite3_bind_int64(query->statement, index, value), status);
}

enum status_code db_bind_double(struct db_query *query, int index, double value,
                                struct status *status)
{
    if (isnan(value)) {
        return status_set_at(status, STATUS_INTERNAL, query->db->path, 0, 0,
                             "a NaN was to be stored: parameter %d of \"%s\"", index,
                             sqlite3_sql(query->statement));
    }
    return bound(query, index, sqlite3_bind_double(query->statement, index, value), status);
}

enum status_code db_bind_text(struct db_query *query, int index, const char *text, size_t length,
                              bool is_static, struct status *status)
{
    int result = sqlite3_bind_text64(query->statement, index, length > 0 ? text : "", length,
                                     is_static ? SQLITE_STATIC : SQLITE_TRANSIENT, SQLITE_UTF8);
    return bound(query, index, result, status);
}

enum status_code db_bind_blob(struct db_query *query, int index, const void *bytes, size_t length,
                              bool is_static, struct status *status)
{
    int result = sqlite3_bind_blob64(query->statement, index, length > 0 ? bytes : "", length,
                                     is_static ? SQLITE_STATIC : SQLITE_TRANSIENT);
    return bound(query, index, result, status);
}

enum status_code db_bind_null(struct db_query *query, int index, struct status *status)
{
    return bound(query, index, sqlite3_bind_null(query->statement, index), status);
}

/* One step of a user's query that went wrong. */
static enum status_code fail_user_step(const struct db_query *query, int result,
                                       struct status *status)
{
    const struct db *db = query->db;
    switch (result & 0xff) {
    case SQLITE_INTERRUPT:
        return status_set_at(status, STATUS_CONFIG, db->path, 0, 0,
                             "%s: the query was not done within its time limit of %g s "
                             "(source.query_timeout)",
                             query->what, query->timeout_seconds);
    case SQLITE_AUTH:
        return fail_user(db, query->what, result, status);
    case SQLITE_ERROR: /* it compiled, so a value is at fault: bad JSON, integer overflow */
        return status_set_at(status, STATUS_DATA, db->path, 0, 0, "%s: the query failed: %s",
                             query->what, sqlite3_errmsg(db->handle));
    default:
        return fail(db, result, query->what, status);
    }
}

enum status_code db_step(struct db_query *query, bool *has_row, struct status *status)
{
    struct db *db = query->db;
    int result;
    if (query->what != NULL) {
        db->is_restricted = true;
        if (query->deadline == 0) {
            query->deadline = clock_monotonic() + query->timeout_seconds;
        }
        db->deadline = query->deadline;
        result = sqlite3_step(query->statement);
        db->deadline = 0;
        db->is_restricted = false;
    } else {
        result = sqlite3_step(query->statement);
    }
    if (result != SQLITE_ROW && result != SQLITE_DONE) {
        enum status_code code = query->what != NULL ? fail_user_step(query, result, status)
                                                    : fail(db, result, NULL, status);
        sqlite3_reset(query->statement); /* lets go of its locks */
        return code;
    }
    if (has_row != NULL) {
        *has_row = result == SQLITE_ROW;
    }
    return STATUS_OK;
}

enum status_code db_run(struct db_query *query, struct status *status)
{
    enum status_code code;
    bool has_row = true;
    while (has_row) {
        TRY(db_step(query, &has_row, status));
    }
    code = db_reset(query, status);
done:
    return code;
}

enum status_code db_reset(struct db_query *query, struct status *status)
{
    int result = sqlite3_reset(query->statement);
    query->deadline = 0;
    return result == SQLITE_OK ? STATUS_OK : fail(query->db, result, NULL, status);
}

void db_finalize(struct db_query *query)
{
    if (query == NULL) {
        return;
    }
    sqlite3_finalize(query->statement);
    mem_free(query->what);
    mem_free(query);
}

int db_column_count(const struct db_query *query)
{
    return sqlite3_column_count(query->statement);
}

const char *db_column_name(const struct db_query *query, int column)
{
    const char *name = sqlite3_column_name(query->statement, column);
    return name != NULL ? name : "";
}

static enum db_type type_of(int sqlite_type)
{
    switch (sqlite_type) {
    case SQLITE_INTEGER:
        return DB_INTEGER;
    case SQLITE_FLOAT:
        return DB_FLOAT;
    case SQLITE_TEXT:
        return DB_TEXT;
    case SQLITE_BLOB:
        return DB_BLOB;
    default:
        return DB_NULL;
    }
}

enum db_type db_column_type(struct db_query *query, int column)
{
    return type_of(sqlite3_column_type(query->statement, column));
}

int64_t db_column_int64(struct db_query *query, int column)
{
    return sqlite3_column_int64(query->statement, column);
}

double db_column_double(struct db_query *query, int column)
{
    return sqlite3_column_double(query->statement, column);
}

const char *db_column_text(struct db_query *query, int column, size_t *length)
{
    const unsigned char *text = sqlite3_column_text(query->statement, column);
    if (length != NULL) {
        *length = (size_t)sqlite3_column_bytes(query->statement, column);
    }
    return text != NULL ? (const char *)text : "";
}

const void *db_column_blob(struct db_query *query, int column, size_t *length)
{
    const void *bytes = sqlite3_column_blob(query->statement, column);
    if (length != NULL) {
        *length = (size_t)sqlite3_column_bytes(query->statement, column);
    }
    return bytes != NULL ? bytes : "";
}

/* The value of a column is "unprotected": no other thread may use the connection meanwhile, which
 * is promised in db.h. Asking the value costs a fraction of asking the statement. */
void db_column_cell(struct db_query *query, int column, struct db_cell *cell)
{
    sqlite3_value *value = sqlite3_column_value(query->statement, column);

    cell->type = type_of(sqlite3_value_type(value));
    if (cell->type == DB_INTEGER) {
        cell->integer = sqlite3_value_int64(value);
    } else if (cell->type == DB_TEXT) {
        cell->text = (const char *)sqlite3_value_text(value);
        cell->length = (size_t)sqlite3_value_bytes(value);
        cell->text = cell->text != NULL ? cell->text : "";
    } else if (cell->type == DB_FLOAT) {
        cell->real = sqlite3_value_double(value);
    }
}

/* Prepares and makes the first step; *query is NULL when there is no value. */
static enum status_code first_value(struct db *db, const char *sql, struct db_query **query,
                                    struct status *status)
{
    enum status_code code;
    bool has_row = false;
    TRY(db_prepare(db, sql, query, status));
    TRY(db_step(*query, &has_row, status));
    if (!has_row || db_column_type(*query, 0) == DB_NULL) {
        db_finalize(*query);
        *query = NULL;
    }
done:
    return code;
}

enum status_code db_get_int64(struct db *db, const char *sql, int64_t *out, bool *found,
                              struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    TRY(first_value(db, sql, &query, status));
    *found = query != NULL;
    if (*found) {
        *out = db_column_int64(query, 0);
    }
done:
    db_finalize(query);
    return code;
}

enum status_code db_get_text(struct db *db, const char *sql, struct buf *out, bool *found,
                             struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    TRY(first_value(db, sql, &query, status));
    *found = query != NULL;
    if (*found) {
        size_t length;
        const char *text = db_column_text(query, 0, &length);
        buf_add(out, text, length);
        TRY(buf_check(out, status));
    }
done:
    db_finalize(query);
    return code;
}

enum status_code db_begin_read(struct db *db, struct status *status)
{
    enum status_code code;
    TRY(db_exec(db, "BEGIN", status));
    /* a deferred transaction takes its snapshot with its first read */
    code = db_exec(db, "SELECT count(*) FROM sqlite_schema", status);
    if (code != STATUS_OK) {
        db_rollback(db);
    }
done:
    return code;
}

enum status_code db_begin_write(struct db *db, struct status *status)
{
    return db_exec(db, "BEGIN IMMEDIATE", status);
}

enum status_code db_commit(struct db *db, struct status *status)
{
    return db_exec(db, "COMMIT", status);
}

void db_rollback(struct db *db)
{
    if (!sqlite3_get_autocommit(db->handle)) {
        /* it can fail only when SQLite has rolled back by itself, which is what is wanted */
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    }
}

enum status_code db_object_type(struct db *db, const char *name, struct buf *type,
                                struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    bool has_row = false;
    buf_clear(type);
    /* triggers have a name space of their own: a table comes before one of the same name */
    TRY(db_prepare(db,
                   "SELECT type FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE"
                   " ORDER BY type = 'trigger' LIMIT 1",
                   &query, status));
    TRY(db_bind_text(query, 1, name, strlen(name), true, status));
    TRY(db_step(query, &has_row, status));
    if (has_row) {
        buf_add_text(type, db_column_text(query, 0, NULL));
        TRY(buf_check(type, status));
    }
done:
    db_finalize(query);
    return code;
}
