/* store/migrate: our tables appear once, and never where something else stands. */
#include "store/migrate.h"

#include "publishing/generation.h"
#include "store/embedded_sql.h"
#include "tests/support/store_support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct db *open_fresh(void **state)
{
    char path[STORE_PATH_MAX];
    store_path(state, "test.db", path);
    return store_open(path, DB_CREATE);
}

static void assert_schema_equal(struct db *db, const struct buf *before)
{
    struct buf after = store_rows(db, "SELECT * FROM sqlite_schema ORDER BY name");
    assert_string_equal(buf_text(&after), buf_text(before));
    buf_release(&after);
}

static void a_work_database_gets_its_tables_once(void **state)
{
    struct status status = {0};
    int64_t version = 0;
    struct db *db = open_fresh(state);
    assert_int_equal(migrate_apply(db, MIGRATE_WORK, "", &status), STATUS_OK);
    assert_int_equal(
        store_int64(db, "SELECT count(*) FROM sqlite_schema WHERE name IN ('artifact', 'run',"
                        " 'stage_run', 'stage_state', 'run_metric', 'training_curve',"
                        " 'rejected_rows') AND type = 'table'"),
        7);
    struct buf before = store_rows(db, "SELECT * FROM sqlite_schema ORDER BY name");
    struct buf rows = store_rows(db, "SELECT * FROM nightjar_schema");
    assert_int_equal(migrate_apply(db, MIGRATE_WORK, "", &status), STATUS_OK);
    assert_schema_equal(db, &before);
    store_assert_rows(db, "SELECT * FROM nightjar_schema", buf_text(&rows));
    assert_int_equal(migrate_version(db, MIGRATE_WORK, "", &version, NULL, &status), STATUS_OK);
    assert_int_equal(version, store_int64(db, "SELECT max(version) FROM nightjar_schema"));
    buf_release(&before);
    buf_release(&rows);
    db_close(db);
}

/* A history of before is what the gate compares the next night with. */
static void what_the_gate_measured_gets_the_names_of_its_rules(void **state)
{
    struct db *db = open_fresh(state);
    store_exec(db, "CREATE TABLE run_metric (run, name, model, grp, value);"
                   "CREATE TABLE \"@prefix@nightjar_metrics\" (run, name, model, grp, value)");
    for (const struct embedded_sql *file = embedded_sql; file->name != NULL; file++) {
        if (strstr(file->name, "lists_metrics") == NULL) {
            continue;
        }
        const char *table =
            strstr(file->name, "work") != NULL ? "run_metric" : "\"@prefix@nightjar_metrics\"";
        struct buf sql = {0};
        buf_addf(&sql,
                 "INSERT INTO %s VALUES (1, 'list_item_exposure', 'data', 'all', 0.25),"
                 " (1, 'list_users', 'data', 'all', 7.0), (1, 'users', 'data', 'all', 5.0)",
                 table);
        store_exec(db, buf_text(&sql));
        store_exec(db, file->sql);
        buf_clear(&sql);
        buf_addf(&sql,
                 "SELECT group_concat(name || ' of ' || model || ' ' || value, ', ')"
                 " FROM (SELECT * FROM %s ORDER BY name, model)",
                 table);
        store_assert_rows(db, buf_text(&sql),
                          "item_exposure of lists 0.25, users of data 5.0, users of lists 7.0\n");
        buf_release(&sql);
    }
    db_close(db);
}

static void generations_of_before_have_no_further_parts(void **state)
{
    struct db *db = open_fresh(state);
    store_exec(db, "CREATE TABLE \"@prefix@nightjar_generations\" (generation);"
                   "INSERT INTO \"@prefix@nightjar_generations\" VALUES (7)");
    for (const struct embedded_sql *file = embedded_sql; file->name != NULL; file++) {
        if (strstr(file->name, "output_score_parts") != NULL) {
            store_exec(db, file->sql);
        }
    }
    store_assert_rows(db, "SELECT generation, score_parts FROM \"@prefix@nightjar_generations\"",
                      "7|[]\n");
    db_close(db);
}

static void every_output_table_starts_with_the_prefix(void **state)
{
    struct status status = {0};
    struct db *db = open_fresh(state);
    store_exec(db, "CREATE TABLE events (x); PRAGMA user_version = 7; PRAGMA application_id = 9");
    assert_int_equal(migrate_apply(db, MIGRATE_OUTPUT, "a\"b'; _", &status), STATUS_OK);
    assert_int_equal(store_int64(db, "SELECT count(*) FROM sqlite_schema WHERE name <> 'events'"
                                     " AND substr(name, 1, 7) <> 'a\"b''; _'"),
                     0);
    assert_int_equal(store_int64(db, "SELECT count(*) FROM \"a\"\"b'; _nightjar_generations\""), 0);
    assert_int_equal(migrate_apply(db, MIGRATE_OUTPUT, "", &status), STATUS_OK);
    assert_int_equal(store_int64(db, "SELECT count(*) FROM nightjar_generations"), 0);
    assert_int_equal(store_int64(db, "PRAGMA user_version"), 7);
    assert_int_equal(store_int64(db, "PRAGMA application_id"), 9);
    db_close(db);
}

static void a_newer_database_is_left_alone(void **state)
{
    struct status status = {0};
    struct db *db = open_fresh(state);
    assert_int_equal(migrate_apply(db, MIGRATE_OUTPUT, "", &status), STATUS_OK);
    store_exec(db, "INSERT INTO nightjar_schema VALUES ('output', 9999, 'future', 0)");
    struct buf before = store_rows(db, "SELECT * FROM sqlite_schema ORDER BY name");
    assert_int_equal(migrate_apply(db, MIGRATE_OUTPUT, "", &status), STATUS_CONFIG);
    assert_string_equal(status.file, db_path(db));
    assert_non_null(strstr(status.message, "9999"));
    assert_schema_equal(db, &before);
    buf_release(&before);
    db_close(db);
}

static void foreign_tables_stop_the_output_migration(void **state)
{
    struct status status = {0};
    struct db *db = open_fresh(state);
    store_exec(db, "CREATE TABLE NightJar_Runs (x)");
    struct buf before = store_rows(db, "SELECT * FROM sqlite_schema ORDER BY name");
    assert_int_equal(publish_migrate(db, "", &status), STATUS_CONFIG);
    assert_non_null(strstr(status.message, "table \"NightJar_Runs\""));
    assert_schema_equal(db, &before);
    buf_release(&before);
    db_close(db);
}

static void a_file_of_another_kind_is_no_work_database(void **state)
{
    struct status status = {0};
    struct db *db = open_fresh(state);
    store_exec(db, "CREATE TABLE nightjar_schema (x)");
    assert_int_equal(migrate_apply(db, MIGRATE_WORK, "", &status), STATUS_CONFIG);
    assert_int_equal(store_int64(db, "SELECT count(*) FROM sqlite_schema"), 1);
    store_exec(db, "DROP TABLE nightjar_schema");
    status_clear(&status);
    assert_int_equal(migrate_apply(db, MIGRATE_OUTPUT, "", &status), STATUS_OK);
    assert_int_equal(migrate_apply(db, MIGRATE_WORK, "", &status), STATUS_CONFIG);
    assert_non_null(strstr(status.message, "no work database"));
    db_close(db);
}

static void a_locked_database_is_not_migrated(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    struct db *db = NULL, *other = open_fresh(state);
    store_path(state, "test.db", path);
    store_exec(other, "CREATE TABLE t (x); BEGIN IMMEDIATE");
    assert_int_equal(db_open(path, DB_CREATE, 0.1, &db, &status), STATUS_OK);
    assert_int_equal(migrate_apply(db, MIGRATE_WORK, "", &status), STATUS_BUSY);
    db_close(other);
    status_clear(&status);
    assert_int_equal(migrate_apply(db, MIGRATE_WORK, "", &status), STATUS_OK);
    db_close(db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_work_database_gets_its_tables_once),
        TEST(what_the_gate_measured_gets_the_names_of_its_rules),
        TEST(generations_of_before_have_no_further_parts),
        TEST(every_output_table_starts_with_the_prefix),
        TEST(a_newer_database_is_left_alone),
        TEST(foreign_tables_stop_the_output_migration),
        TEST(a_file_of_another_kind_is_no_work_database),
        TEST(a_locked_database_is_not_migrated),
    };
    return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
