/* Queries that a user wrote: reading alone, one statement, within a time limit. */
#include "store/db_internal.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

enum { PROGRESS_OPCODES = 10000 }; /* some 100 us of work between two looks at the clock */

/* In force while a user's query is prepared or stepped (a changed schema prepares it again). */
int db_authorize(void *data, int action, const char *first, const char *second,
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

void db_set_rank(struct db *db, size_t rank, size_t n_ranks)
{
    db->rank = (int64_t)rank;
    db->n_ranks = (int64_t)n_ranks;
}

/* Gives the parameters their values; false: there is one that has none. */
static bool bind_ranks(const struct db *db, sqlite3_stmt *statement)
{
    bool all = true;
    for (int i = 1; i <= sqlite3_bind_parameter_count(statement); i++) {
        const char *name = sqlite3_bind_parameter_name(statement, i);
        const bool is_rank = name != NULL && strcmp(name, ":rank") == 0;
        const bool is_known = is_rank || (name != NULL && strcmp(name, ":ranks") == 0);
        const int64_t value = is_rank ? db->rank : (db->n_ranks == 0 ? 1 : db->n_ranks);
        all = all && is_known && sqlite3_bind_int64(statement, i, value) == SQLITE_OK;
    }
    return all;
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
    } else if (!bind_ranks(db, statement)) {
        problem = "the query has parameters (?, :name), for which there are no values; only :rank "
                  "and :ranks have some";
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
        TRY(db_fail_user_text(db, what, result, status));
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
