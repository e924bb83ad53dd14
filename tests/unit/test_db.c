/* store/db: what opens and what does not, user queries, codes and messages. */
#include "store/db.h"

#include "base/clock.h"
#include "tests/support/store_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOBODY = 65534 };

static void assert_open_fails(const char *path, enum db_mode mode, enum status_code expected,
                              const char *part)
{
    struct status status = {0};
    struct db *db = NULL;
    assert_int_equal(db_open(path, mode, 0.1, &db, &status), expected);
    assert_int_equal(status.code, expected);
    assert_null(db);
    if (path[0] != '\0') {
        assert_string_equal(status.file, path);
    }
    if (strstr(status.message, part) == NULL) {
        fail_msg("\"%s\" is not in: %s", part, status.message);
    }
}

/* A database with a table of 2,000 rows. */
static void make_database(const char *path)
{
    struct db *db = store_open(path, DB_CREATE);
    store_exec(db, "CREATE TABLE events (user_id INTEGER, item_id TEXT);"
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000)"
                   " INSERT INTO events SELECT i, 'item ' || i FROM n");
    db_close(db);
}

static void a_missing_file_is_no_input_unless_it_may_be_created(void **state)
{
    char path[STORE_PATH_MAX], deep[STORE_PATH_MAX];
    store_path(state, "none.db", path);
    store_path(state, "no/such/folder/none.db", deep);
    assert_open_fails(path, DB_READ, STATUS_NO_INPUT, "No such file");
    assert_open_fails(path, DB_WRITE, STATUS_NO_INPUT, "No such file");
    assert_int_equal(access(path, F_OK), -1);
    assert_open_fails(deep, DB_CREATE, STATUS_CANNOT_CREATE, "No such file");
    assert_open_fails("", DB_CREATE, STATUS_CANNOT_CREATE, "empty");
    struct db *db = store_open(path, DB_CREATE);
    assert_string_equal(db_path(db), path);
    db_close(db);
}

static void a_directory_or_device_is_not_opened(void **state)
{
    assert_open_fails(*state, DB_READ, STATUS_NO_INPUT, "a directory");
    assert_open_fails(*state, DB_CREATE, STATUS_CANNOT_CREATE, "a directory");
    assert_open_fails("/dev/null", DB_READ, STATUS_NO_INPUT, "device");
}

static void an_empty_file_is_bad_data_but_may_become_a_database(void **state)
{
    char path[STORE_PATH_MAX];
    store_path(state, "empty.db", path);
    store_write_file(path, "", 0);
    assert_open_fails(path, DB_READ, STATUS_DATA, "empty");
    assert_open_fails(path, DB_WRITE, STATUS_DATA, "empty");
    db_close(store_open(path, DB_CREATE));
}

static void a_file_that_is_no_database_is_bad_data(void **state)
{
    char path[STORE_PATH_MAX];
    store_path(state, "text.db", path);
    char text[4096];
    memset(text, 'x', sizeof text);
    store_write_file(path, text, sizeof text);
    assert_open_fails(path, DB_READ, STATUS_DATA, "not a database");
    assert_open_fails(path, DB_CREATE, STATUS_DATA, "not a database");
    store_write_file(path, "user_id,item_id\n", 16);
    assert_open_fails(path, DB_READ, STATUS_DATA, "not a database");
}

static void a_corrupt_schema_is_found_when_opening(void **state)
{
    char path[STORE_PATH_MAX], junk[3000];
    store_path(state, "corrupt.db", path);
    make_database(path);
    memset(junk, 0xa5, sizeof junk);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, 100, SEEK_SET); /* the header stays, the schema's page does not */
    assert_int_equal(fwrite(junk, 1, sizeof junk, file), sizeof junk);
    fclose(file);
    assert_open_fails(path, DB_READ, STATUS_DATA, "malformed");
}

static void a_corrupt_table_is_found_when_read(void **state)
{
    char path[STORE_PATH_MAX], junk[4096];
    struct status status = {0};
    bool found;
    int64_t n;
    store_path(state, "corrupt.db", path);
    make_database(path);
    memset(junk, 0xa5, sizeof junk);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, 4096, SEEK_SET); /* the root page of the table */
    assert_int_equal(fwrite(junk, 1, sizeof junk, file), sizeof junk);
    fclose(file);
    struct db *db = store_open(path, DB_READ);
    assert_int_equal(db_get_int64(db, "SELECT sum(user_id) FROM events", &n, &found, &status),
                     STATUS_DATA);
    assert_string_equal(status.file, path);
    db_close(db);
}

static void a_lock_is_waited_for_no_longer_than_asked(void **state)
{
    char path[STORE_PATH_MAX];
    store_path(state, "busy.db", path);
    make_database(path);
    struct db *other = store_open(path, DB_WRITE);
    store_exec(other, "BEGIN EXCLUSIVE");
    double start = clock_monotonic();
    assert_open_fails(path, DB_READ, STATUS_BUSY, "locked");
    double waited = clock_monotonic() - start;
    assert_true(waited >= 0.05);
    db_close(other); /* rolls back */
    db_close(store_open(path, DB_READ));
}

static void a_reading_connection_cannot_write(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    store_path(state, "read.db", path);
    make_database(path);
    struct db *db = store_open(path, DB_READ);
    assert_int_equal(db_exec(db, "DELETE FROM events", &status), STATUS_CANNOT_CREATE);
    assert_int_equal(store_int64(db, "SELECT count(*) FROM events"), 2000);
    db_close(db);
}

/* Runs as another user in a process of its own: root may write everywhere. */
static int open_as_nobody(const char *path, const char *mode)
{
    struct status status = {0};
    struct db *db = NULL;
    if (geteuid() == 0 && setuid(NOBODY) != 0) {
        return 1;
    }
    enum db_mode wanted = strcmp(mode, "write") == 0    ? DB_WRITE
                          : strcmp(mode, "create") == 0 ? DB_CREATE
                                                        : DB_READ;
    enum status_code code = db_open(path, wanted, 0.1, &db, &status);
    db_close(db);
    bool says_why = (strcmp(mode, "wal") != 0 || strstr(status.message, "-shm") != NULL) &&
                    (strcmp(mode, "journal") != 0 || strstr(status.message, "-journal") != NULL);
    if (!says_why || strcmp(status.file, code == STATUS_OK ? "" : path) != 0) {
        fprintf(stderr, "%s: %s\n", status.file, status.message);
        return 2;
    }
    return (int)code;
}

static void assert_nobody_gets(const char *path, const char *mode, int expected)
{
    const char *const arguments[] = {"open-as-nobody", path, mode, NULL};
    assert_int_equal(store_wait(store_spawn(arguments)), expected);
}

static void a_read_only_folder_says_what_is_missing(void **state)
{
    char plain[STORE_PATH_MAX], wal[STORE_PATH_MAX], fresh[STORE_PATH_MAX];
    store_path(state, "plain.db", plain);
    store_path(state, "wal.db", wal);
    store_path(state, "fresh.db", fresh);
    make_database(plain);
    make_database(wal);
    store_exec_apart(wal, "PRAGMA journal_mode = WAL");
    chmod(plain, 0444);
    chmod(wal, 0444);
    chmod(*state, 0555);
    assert_nobody_gets(plain, "read", STATUS_OK);
    assert_nobody_gets(plain, "write", STATUS_CANNOT_CREATE);
    assert_nobody_gets(wal, "wal", STATUS_NO_INPUT);
    assert_nobody_gets(fresh, "create", STATUS_CANNOT_CREATE);
    chmod(plain, 0000);
    assert_nobody_gets(plain, "read", STATUS_NO_INPUT);
}

/* Ends in the middle of a transaction that has overflown into the file. */
static int die_in_a_write(const char *path)
{
    struct db *db = store_open(path, DB_WRITE);
    store_exec(db, "PRAGMA cache_size = 1; BEGIN IMMEDIATE; UPDATE events SET item_id = 'changed'");
    _exit(0);
}

/* Leaves a journal that has to be played back. */
static void leave_a_journal(const char *path, const char *journal)
{
    struct stat info;
    const char *const arguments[] = {"die-in-a-write", path, NULL};
    make_database(path);
    assert_int_equal(store_wait(store_spawn(arguments)), 0);
    assert_int_equal(stat(journal, &info), 0);
    assert_true(info.st_size > 0);
}

static void a_reader_plays_back_what_a_dead_writer_left(void **state)
{
    char path[STORE_PATH_MAX], journal[STORE_PATH_MAX];
    store_path(state, "left.db", path);
    store_path(state, "left.db-journal", journal);
    leave_a_journal(path, journal);
    struct db *db = store_open(path, DB_READ);
    store_assert_rows(db, "SELECT count(*), min(item_id) FROM events", "2000|item 1\n");
    db_close(db);
    assert_int_equal(access(journal, F_OK), -1);
}

static void a_journal_that_may_not_be_played_back_is_named(void **state)
{
    char path[STORE_PATH_MAX], journal[STORE_PATH_MAX];
    store_path(state, "left.db", path);
    store_path(state, "left.db-journal", journal);
    leave_a_journal(path, journal);
    chmod(path, 0444);
    chmod(journal, 0444);
    chmod(*state, 0555);
    assert_nobody_gets(path, "journal", STATUS_NO_INPUT);
    assert_int_equal(access(journal, F_OK), 0);
}

static void assert_refused(struct db *db, const char *sql, const char *part)
{
    struct status status = {0};
    struct db_query *query = NULL;
    assert_int_equal(db_prepare_user(db, "source.interactions", sql, 5, &query, &status),
                     STATUS_CONFIG);
    assert_null(query);
    assert_int_equal(strncmp(status.message, "source.interactions: ", 21), 0);
    assert_string_equal(status.file, db_path(db));
    if (strstr(status.message, part) == NULL) {
        fail_msg("\"%s\" is not in: %s", part, status.message);
    }
}

static void a_user_query_may_only_read(void **state)
{
    char path[STORE_PATH_MAX];
    store_path(state, "user.db", path);
    make_database(path);
    struct db *db = store_open(path, DB_WRITE); /* the authorizer alone must hold */
    assert_refused(db, "INSERT INTO events VALUES (1, 'a')", "only reading");
    assert_refused(db, "DELETE FROM events RETURNING *", "only reading");
    assert_refused(db, "ATTACH 'other.db' AS other", "only reading");
    assert_refused(db, "PRAGMA user_version", "only reading");
    assert_refused(db, "PRAGMA user_version = 3", "only reading");
    assert_refused(db, "BEGIN", "only reading");
    assert_refused(db, "COMMIT", "only reading");
    assert_refused(db, "VACUUM", "");
    assert_refused(db, "CREATE TABLE t (x)", "only reading");
    assert_refused(db, "CREATE TEMP TABLE t (x)", "only reading");
    assert_refused(db, "DROP TABLE events", "only reading");
    assert_refused(db, "SELECT load_extension('x.so')", "not authorized");
    assert_refused(db, "EXPLAIN SELECT 1", "must be a SELECT");
    assert_refused(db, "SELECT user_id FROM events WHERE user_id = ?", "parameters");
    assert_int_equal(store_int64(db, "SELECT count(*) FROM events"), 2000);
    db_close(db);
}

static void a_user_query_is_one_statement(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    store_path(state, "user.db", path);
    make_database(path);
    struct db *db = store_open(path, DB_READ);
    assert_refused(db, "", "empty");
    assert_refused(db, "  -- nothing", "empty");
    assert_refused(db, "SELECT 1; SELECT 2", "one statement");
    assert_refused(db, "SELECT 1; DROP TABLE events", "one statement");
    assert_refused(db, "SELECT 1; nonsense", "one statement");
    assert_refused(db, "SELECT 1;;; /* x */ ; SELECT 3", "one statement");
    const char *const fine[] = {"SELECT 1",
                                "SELECT 1;",
                                "SELECT 1 ; -- end\n ; ",
                                "VALUES (1)",
                                "WITH x(a) AS (SELECT 1) SELECT a FROM x",
                                "SELECT 1 /* open"};
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        struct db_query *query = NULL;
        bool has_row = false;
        assert_int_equal(db_prepare_user(db, "q", fine[i], 5, &query, &status), STATUS_OK);
        assert_int_equal(db_step(query, &has_row, &status), STATUS_OK);
        assert_true(has_row);
        assert_int_equal(db_column_int64(query, 0), 1);
        db_finalize(query);
    }
    db_close(db);
}

static void a_user_query_names_what_does_not_exist(void **state)
{
    char path[STORE_PATH_MAX];
    store_path(state, "user.db", path);
    make_database(path);
    struct db *db = store_open(path, DB_READ);
    assert_refused(db, "SELECT * FROM evnts", "no such table: evnts");
    assert_refused(db, "SELECT usr FROM events", "no such column: usr (at character 8)");
    assert_refused(db, "SELECT \"usr\" FROM events", "no such column: "); /* 3.46 quotes it */
    assert_refused(db, "SELECT \"usr\" FROM events", "usr");
    assert_refused(db, "SELEC 1", "syntax error (at character 1)");
    db_close(db);
}

static void an_endless_user_query_is_stopped(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    struct db_query *query = NULL;
    bool has_row = true;
    store_path(state, "user.db", path);
    make_database(path);
    struct db *db = store_open(path, DB_READ);
    assert_int_equal(
        db_prepare_user(db, "source.interactions",
                        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                        " SELECT count(*) FROM n",
                        0.2, &query, &status),
        STATUS_OK);
    assert_int_equal(db_step(query, &has_row, &status), STATUS_CONFIG);
    assert_non_null(strstr(status.message, "source.interactions: "));
    assert_non_null(strstr(status.message, "0.2 s"));
    assert_true(has_row); /* untouched */
    db_finalize(query);
    /* the limit is the step's, and other queries have none */
    assert_int_equal(store_int64(db, "SELECT count(*) FROM events AS a, events AS b LIMIT 1"),
                     4000000);
    db_close(db);
}

static void a_value_that_breaks_a_user_query_is_bad_data(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    struct db_query *query = NULL;
    store_path(state, "user.db", path);
    make_database(path);
    struct db *db = store_open(path, DB_READ);
    assert_int_equal(db_prepare_user(db, "q", "SELECT json_extract(item_id, '$.a') FROM events", 5,
                                     &query, &status),
                     STATUS_OK);
    assert_int_equal(db_step(query, NULL, &status), STATUS_DATA);
    assert_non_null(strstr(status.message, "malformed JSON"));
    db_finalize(query);
    db_close(db);
}

/* Of the row of the test below: INTEGER, REAL, TEXT, BLOB, NULL, an empty TEXT. */
static void assert_cells_are_the_columns(struct db_query *query)
{
    static const enum db_type types[] = {DB_INTEGER, DB_FLOAT, DB_TEXT, DB_BLOB, DB_NULL, DB_TEXT};
    struct db_cell cells[6];
    for (int i = 0; i < 6; i++) {
        db_column_cell(query, i, &cells[i]);
        assert_int_equal(cells[i].type, types[i]);
    }
    assert_true(cells[0].integer == INT64_MIN);
    assert_true(cells[1].real == 0.1);
    assert_int_equal(cells[2].length, 3);
    assert_memory_equal(cells[2].text, "a\0b", 3);
    assert_int_equal(cells[5].length, 0);
    assert_non_null(cells[5].text);
}

static void values_come_back_as_they_were_bound(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    struct db_query *query = NULL;
    bool has_row = false;
    size_t length;
    store_path(state, "values.db", path);
    struct db *db = store_open(path, DB_CREATE);
    assert_int_equal(db_prepare(db, "SELECT ?1, ?2, ?3, ?4, ?5, ?6 AS six", &query, &status),
                     STATUS_OK);
    char text[] = "a\0b";
    assert_int_equal(db_bind_int64(query, 1, INT64_MIN, &status), STATUS_OK);
    assert_int_equal(db_bind_double(query, 2, 0.1, &status), STATUS_OK);
    assert_int_equal(db_bind_text(query, 3, text, 3, false, &status), STATUS_OK);
    memset(text, 'z', 3); /* it was copied */
    assert_int_equal(db_bind_blob(query, 4, NULL, 0, true, &status), STATUS_OK);
    assert_int_equal(db_bind_null(query, 5, &status), STATUS_OK);
    assert_int_equal(db_bind_text(query, 6, NULL, 0, true, &status), STATUS_OK);
    assert_int_equal(db_step(query, &has_row, &status), STATUS_OK);
    assert_true(has_row);
    assert_int_equal(db_column_count(query), 6);
    assert_string_equal(db_column_name(query, 5), "six");
    assert_true(db_column_int64(query, 0) == INT64_MIN);
    assert_true(db_column_double(query, 1) == 0.1);
    assert_memory_equal(db_column_text(query, 2, &length), "a\0b", 3);
    assert_int_equal(length, 3);
    assert_int_equal(db_column_type(query, 3), DB_BLOB);
    assert_non_null(db_column_blob(query, 3, &length));
    assert_int_equal(length, 0);
    assert_int_equal(db_column_type(query, 4), DB_NULL);
    assert_int_equal(db_column_type(query, 5), DB_TEXT);
    assert_cells_are_the_columns(query);
    assert_int_equal(db_bind_double(query, 2, (double)NAN, &status), STATUS_INTERNAL);
    status_clear(&status);
    assert_int_equal(db_bind_int64(query, 7, 1, &status), STATUS_INTERNAL);
    assert_non_null(strstr(status.message, "parameter 7"));
    db_finalize(query);
    db_close(db);
}

static void a_read_transaction_sees_one_snapshot(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    store_path(state, "wal.db", path);
    make_database(path);
    store_exec_apart(path, "PRAGMA journal_mode = WAL");
    struct db *db = store_open(path, DB_READ);
    assert_int_equal(db_begin_read(db, &status), STATUS_OK);
    store_exec_apart(path, "DELETE FROM events");
    assert_int_equal(store_int64(db, "SELECT count(*) FROM events"), 2000);
    db_rollback(db);
    db_rollback(db); /* nothing open */
    assert_int_equal(store_int64(db, "SELECT count(*) FROM events"), 0);
    db_close(db);
}

static void quoted_names_are_only_names(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    struct buf sql = {0}, type = {0};
    const char *name = "x\"; DROP TABLE events; --";
    store_path(state, "quote.db", path);
    make_database(path);
    struct db *db = store_open(path, DB_WRITE);
    buf_add_text(&sql, "CREATE VIEW ");
    db_quote(&sql, name);
    buf_add_text(&sql, " AS SELECT 1");
    assert_int_equal(db_exec_buf(db, &sql, &status), STATUS_OK);
    assert_int_equal(db_object_type(db, name, &type, &status), STATUS_OK);
    assert_string_equal(buf_text(&type), "view");
    assert_int_equal(db_object_type(db, "EVENTS", &type, &status), STATUS_OK);
    assert_string_equal(buf_text(&type), "table");
    assert_int_equal(db_object_type(db, "none", &type, &status), STATUS_OK);
    assert_string_equal(buf_text(&type), "");
    buf_release(&sql);
    buf_release(&type);
    db_close(db);
}

static void a_connection_that_leaves_checkpoints_keeps_the_wal(void **state)
{
    char path[STORE_PATH_MAX], wal[STORE_PATH_MAX];
    struct stat info;
    struct status status = {0};
    struct buf mode = {0};
    store_path(state, "wal.db", path);
    store_path(state, "wal.db-wal", wal);
    make_database(path);
    store_exec_apart(path, "PRAGMA journal_mode = WAL");
    struct db *db = store_open(path, DB_WRITE);
    assert_int_equal(db_journal_mode(db, &mode, &status), STATUS_OK);
    assert_string_equal(buf_text(&mode), "wal");
    buf_release(&mode);
    db_leave_checkpoints(db);
    store_exec(db, "UPDATE events SET item_id = 'y'");
    db_close(db);
    assert_int_equal(stat(wal, &info), 0);
    assert_true(info.st_size > 0);
    assert_int_equal(strncmp(db_identity(), "SQLite 3.", 9), 0);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "open-as-nobody") == 0) {
        return open_as_nobody(argv[2], argv[3]);
    }
    if (argc == 3 && strcmp(argv[1], "die-in-a-write") == 0) {
        return die_in_a_write(argv[2]);
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_missing_file_is_no_input_unless_it_may_be_created),
        TEST(a_directory_or_device_is_not_opened),
        TEST(an_empty_file_is_bad_data_but_may_become_a_database),
        TEST(a_file_that_is_no_database_is_bad_data),
        TEST(a_corrupt_schema_is_found_when_opening),
        TEST(a_corrupt_table_is_found_when_read),
        TEST(a_lock_is_waited_for_no_longer_than_asked),
        TEST(a_reading_connection_cannot_write),
        TEST(a_read_only_folder_says_what_is_missing),
        TEST(a_reader_plays_back_what_a_dead_writer_left),
        TEST(a_journal_that_may_not_be_played_back_is_named),
        TEST(a_user_query_may_only_read),
        TEST(a_user_query_is_one_statement),
        TEST(a_user_query_names_what_does_not_exist),
        TEST(an_endless_user_query_is_stopped),
        TEST(a_value_that_breaks_a_user_query_is_bad_data),
        TEST(values_come_back_as_they_were_bound),
        TEST(a_read_transaction_sees_one_snapshot),
        TEST(quoted_names_are_only_names),
        TEST(a_connection_that_leaves_checkpoints_keeps_the_wal),
    };
    return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
