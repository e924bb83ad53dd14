/* Prepared statements: parameters, steps, columns. */
#include "store/db_internal.h"

#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <math.h>

enum status_code db_prepare(struct db *db, const char *sql, struct db_query **out,
                            struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db_query *query = NULL;
    TRY(MEM_NEW(&query, 1, status));
    query->db = db;
    int result = sqlite3_prepare_v2(db->handle, sql, -1, &query->statement, NULL);
    if (result != SQLITE_OK) {
        TRY(db_fail(db, result, NULL, status));
    }
    assert(query->statement != NULL && "our own SQL is never empty");
    *out = query;
    query = NULL;
done:
    db_finalize(query);
    return code;
}

static enum status_code bound(struct db_query *query, int index, int result, struct status *status)
{
    if (result == SQLITE_OK) {
        return STATUS_OK;
    }
    db_fail(query->db, result, NULL, status);
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

enum status_code db_bind_string(struct db_query *query, int index, const char *text,
                                struct status *status)
{
    return db_bind_text(query, index, text, strlen(text), true, status);
}

enum status_code db_bind_number(struct db_query *query, int index, double value,
                                struct status *status)
{
    return isnan(value) ? db_bind_null(query, index, status)
                        : db_bind_double(query, index, value, status);
}

enum status_code db_bind_null(struct db_query *query, int index, struct status *status)
{
    return bound(query, index, sqlite3_bind_null(query->statement, index), status);
}

/* A user's query: under the authorizer and its deadline. */
static int step_user(struct db_query *query)
{
    struct db *db = query->db;
    if (query->deadline == 0) {
        query->deadline = clock_monotonic() + query->timeout_seconds;
    }
    db->is_restricted = true;
    db->deadline = query->deadline;
    const int result = sqlite3_step(query->statement);
    db->deadline = 0;
    db->is_restricted = false;
    return result;
}

enum status_code db_step(struct db_query *query, bool *has_row, struct status *status)
{
    const bool is_ours = query->what == NULL;
    const int result = is_ours ? sqlite3_step(query->statement) : step_user(query);
    if (result != SQLITE_ROW && result != SQLITE_DONE) {
        enum status_code code = is_ours ? db_fail(query->db, result, NULL, status)
                                        : db_fail_user(query, result, status);
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
    return result == SQLITE_OK ? STATUS_OK : db_fail(query->db, result, NULL, status);
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
    } else if (cell->type == DB_BLOB) {
        cell->text = sqlite3_value_blob(value);
        cell->length = (size_t)sqlite3_value_bytes(value);
        cell->text = cell->text != NULL ? cell->text : "";
    }
}
