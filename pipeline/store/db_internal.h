/* What the db_*.c files share: the only ones that see sqlite3.h. */
#ifndef NIGHTJAR_STORE_DB_INTERNAL_H
#define NIGHTJAR_STORE_DB_INTERNAL_H

#include "store/db.h"

#include <sqlite3.h>

struct db {
    sqlite3 *handle;
    char *path;
    char *name; /* the path as SQLite is told it, which would take "file:a.db" for a URI */
    enum db_mode mode;
    double busy_seconds;
    bool is_restricted; /* a user's query is being prepared or stepped: the authorizer is strict */
    double deadline;    /* of the user's query being stepped, clock_monotonic(); 0: none */
    bool is_of_others;  /* see db_of_others */
    int64_t rank, n_ranks; /* see db_set_rank; n_ranks 0: one */
};

struct db_query {
    struct db *db;
    sqlite3_stmt *statement;
    double timeout_seconds; /* of a user's query; 0: ours */
    double deadline;        /* set by its first step; 0: not begun */
    char *what;             /* the option a user's query came from; NULL: ours */
};

/* Records what SQLite reports for `result`; `what` (may be NULL) goes in front. */
enum status_code db_fail(const struct db *db, int result, const char *what, struct status *status);

/* The same of a user's query in a step; and of one that does not compile, with its place in the
 * text where SQLite knows it. */
enum status_code db_fail_user(const struct db_query *query, int result, struct status *status);
enum status_code db_fail_user_text(const struct db *db, const char *what, int result,
                                   struct status *status);

/* The authorizer of every connection. */
int db_authorize(void *db, int action, const char *first, const char *second, const char *database,
                 const char *source);

#endif
