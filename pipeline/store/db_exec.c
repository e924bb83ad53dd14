/* SQL that takes one call: statements without parameters, transactions, single values. */
#include "store/db_internal.h"

#include <string.h>

enum status_code db_exec(struct db *db, const char *sql, struct status *status)
{
    int result = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? STATUS_OK : db_fail(db, result, NULL, status);
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

void db_quote_lightly(struct buf *out, const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    const size_t length = strlen(name);
    const bool is_digit = name[0] >= '0' && name[0] <= '9';
    if (length > 0 && !is_digit && strspn(name, plain) == length &&
        sqlite3_keyword_check(name, (int)length) == 0) {
        buf_add_text(out, name);
    } else {
        db_quote(out, name);
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

enum status_code db_journal_mode(struct db *db, struct buf *out, struct status *status)
{
    bool found;
    return db_get_text(db, "PRAGMA journal_mode", out, &found, status);
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
    TRY(db_bind_string(query, 1, name, status));
    TRY(db_step(query, &has_row, status));
    if (has_row) {
        buf_add_text(type, db_column_text(query, 0, NULL));
        TRY(buf_check(type, status));
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
