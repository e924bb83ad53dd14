/* SQLite connections and statements, behind a narrow door: the db_*.c files alone see sqlite3.h.
 *
 *   db_open -> (db_prepare -> db_bind_... -> db_step, db_column_... until no row is left
 *   -> db_finalize), as often as wanted -> db_close
 *
 * The ids of `items` above 10:
 *
 *   TRY(db_open(path, DB_READ, 5, &db, status));
 *   TRY(db_prepare(db, "SELECT id FROM items WHERE id > ?1", &query, status));
 *   TRY(db_bind_int64(query, 1, 10, status));
 *   for (TRY(db_step(query, &has_row, status)); has_row; TRY(db_step(query, &has_row, status))) {
 *       use(db_column_int64(query, 0));
 *   }
 *
 * Extended result codes are mapped once: BUSY, LOCKED -> STATUS_BUSY; FULL, IOERR -> STATUS_IO;
 * CANTOPEN -> STATUS_NO_INPUT or STATUS_CANNOT_CREATE; NOTADB, CORRUPT -> STATUS_DATA; READONLY ->
 * STATUS_CANNOT_CREATE, or STATUS_NO_INPUT where even reading needs to write (a WAL file in a
 * read-only folder, a journal to be played back); NOMEM -> STATUS_NO_MEMORY; TOOBIG -> STATUS_DATA;
 * else STATUS_INTERNAL. Messages name the file. A connection and its queries belong to one thread
 * at a time. */
#ifndef NIGHTJAR_STORE_DB_H
#define NIGHTJAR_STORE_DB_H

#include "base/buf.h"
#include "base/status.h"

struct db;
struct db_query;

enum db_mode {
    DB_READ,  /* must exist; opened read-only (a WAL file still needs its -shm beside it), but for
                 the journal of a writer that died, which is played back first */
    DB_WRITE, /* must exist */
    DB_CREATE /* made when missing */
};

enum db_type { DB_NULL, DB_INTEGER, DB_FLOAT, DB_TEXT, DB_BLOB };

/* Opens and reads the schema once, so that a file that is no database is found here. busy_seconds
 * bounds every wait for another process's lock. A directory, a missing or an unreadable file is
 * STATUS_NO_INPUT (DB_CREATE: STATUS_CANNOT_CREATE); an empty file, a damaged one or something else
 * than a database STATUS_DATA (an empty file is fine for DB_CREATE); no right to write
 * STATUS_CANNOT_CREATE. Double-quoted names that do not exist are errors, never texts. */
MUST_CHECK enum status_code db_open(const char *path, enum db_mode mode, double busy_seconds,
                                    struct db **out, struct status *status);
/* DB_CREATE of a file in which people's ids will be: a new one is its owner's alone. */
MUST_CHECK enum status_code db_open_private(const char *path, double busy_seconds, struct db **out,
                                            struct status *status);
/* Removes what SQLite puts beside a database of this name (journal, WAL and its index), which it
 * would replay into the next one; what is not there is no error. STATUS_CANNOT_CREATE. */
MUST_CHECK enum status_code db_remove_companions(const char *path, struct status *status);
/* NULL allowed; rolls back an open transaction. All queries must be finalized before. */
void db_close(struct db *db);
/* This connection never checkpoints a WAL, not even when it closes: for a file that an application
 * writes too (see db_has_wal_reset_fix). */
void db_leave_checkpoints(struct db *db);
/* The tables that this connection works on are others': a statement that does not fit them is no
 * sign that somebody has changed ours, and STATUS_INTERNAL instead of STATUS_DATA. */
void db_of_others(struct db *db);
const char *db_path(const struct db *db);
/* "SQLite 3.40.1"; when another version is linked than was compiled against, its bare number. */
const char *db_identity(void);
/* Whether the linked SQLite has the fix of the WAL-reset race: without it two connections that
 * write and checkpoint one WAL database at once can lose commits. */
bool db_has_wal_reset_fix(void);
/* "wal", "delete", ... of this file. */
MUST_CHECK enum status_code db_journal_mode(struct db *db, struct buf *out, struct status *status);

/* Runs static SQL without results (may be several statements). */
MUST_CHECK enum status_code db_exec(struct db *db, const char *sql, struct status *status);
/* The same for text built by us out of quoted identifiers. */
MUST_CHECK enum status_code db_exec_buf(struct db *db, const struct buf *sql,
                                        struct status *status);
/* Adds "name" with quotes doubled. The only way an identifier of a config gets into SQL. */
void db_quote(struct buf *out, const char *name);
/* The same without the quotes where SQL needs none: for a query that somebody is to read. */
void db_quote_lightly(struct buf *out, const char *name);

MUST_CHECK enum status_code db_prepare(struct db *db, const char *sql, struct db_query **out,
                                       struct status *status);
/* A query that a user wrote: exactly one SELECT (or WITH, VALUES) statement, nothing after it but
 * space and comments, no parameters but :rank and :ranks; the authorizer lets only reading and
 * functions through (no ATTACH, PRAGMA, writes, load_extension). Anything else is STATUS_CONFIG. A
 * query that is not at its end `timeout_seconds` after its first step is stopped: STATUS_CONFIG,
 * naming the limit. `what` names the option in messages ("source.interactions"). */
MUST_CHECK enum status_code db_prepare_user(struct db *db, const char *what, const char *sql,
                                            double timeout_seconds, struct db_query **out,
                                            struct status *status);
/* What :rank and :ranks of such queries are from now on: which of how many processes reads here.
 * Without this call 0 and 1. */
void db_set_rank(struct db *db, size_t rank, size_t n_ranks);
/* Parameters are one-based. Text and blobs are copied unless `is_static`. NaN is STATUS_INTERNAL,
 * in every build: SQLite would store NULL. */
MUST_CHECK enum status_code db_bind_int64(struct db_query *query, int index, int64_t value,
                                          struct status *status);
MUST_CHECK enum status_code db_bind_double(struct db_query *query, int index, double value,
                                           struct status *status);
MUST_CHECK enum status_code db_bind_text(struct db_query *query, int index, const char *text,
                                         size_t length, bool is_static, struct status *status);
MUST_CHECK enum status_code db_bind_blob(struct db_query *query, int index, const void *bytes,
                                         size_t length, bool is_static, struct status *status);
/* A text up to its NUL, which is not copied. */
MUST_CHECK enum status_code db_bind_string(struct db_query *query, int index, const char *text,
                                           struct status *status);
/* A number, or NULL for NaN. */
MUST_CHECK enum status_code db_bind_number(struct db_query *query, int index, double value,
                                           struct status *status);
MUST_CHECK enum status_code db_bind_null(struct db_query *query, int index, struct status *status);
/* *has_row (may be NULL) says whether a row is there. */
MUST_CHECK enum status_code db_step(struct db_query *query, bool *has_row, struct status *status);
/* Steps a statement without rows to its end and resets it, keeping bindings. */
MUST_CHECK enum status_code db_run(struct db_query *query, struct status *status);
MUST_CHECK enum status_code db_reset(struct db_query *query, struct status *status);
void db_finalize(struct db_query *query); /* NULL allowed */

/* Columns are zero-based, of the current row. */
int db_column_count(const struct db_query *query);
const char *db_column_name(const struct db_query *query, int column);
enum db_type db_column_type(struct db_query *query, int column);
int64_t db_column_int64(struct db_query *query, int column);
double db_column_double(struct db_query *query, int column);
/* Lives until the next step. A zero-length blob gives a non-NULL pointer. */
const char *db_column_text(struct db_query *query, int column, size_t *length);
const void *db_column_blob(struct db_query *query, int column, size_t *length);
/* A cell in one go, for loops over millions of rows: half the calls of the functions above. */
struct db_cell {
    enum db_type type;
    int64_t integer;  /* of DB_INTEGER */
    double real;      /* of DB_FLOAT */
    const char *text; /* of DB_TEXT and DB_BLOB: `length` bytes, until the next step */
    size_t length;
};
void db_column_cell(struct db_query *query, int column, struct db_cell *cell);

/* One value of a query without parameters; *found false when it has no row or NULL. */
MUST_CHECK enum status_code db_get_int64(struct db *db, const char *sql, int64_t *out, bool *found,
                                         struct status *status);
MUST_CHECK enum status_code db_get_text(struct db *db, const char *sql, struct buf *out,
                                        bool *found, struct status *status);

MUST_CHECK enum status_code db_begin_read(struct db *db, struct status *status);  /* snapshot now */
MUST_CHECK enum status_code db_begin_write(struct db *db, struct status *status); /* IMMEDIATE */
MUST_CHECK enum status_code db_commit(struct db *db, struct status *status);
void db_rollback(struct db *db); /* nothing open: no-op */

/* *type = "table", "view", "index", "" when no such thing exists. */
MUST_CHECK enum status_code db_object_type(struct db *db, const char *name, struct buf *type,
                                           struct status *status);

#endif
