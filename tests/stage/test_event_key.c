/* source.key: a run reads only what is new, and nobody can tell afterwards. */
#include "dataset/dataset.h"
#include "run/runner.h"
#include "tests/support/stage_support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

extern const struct stage stage_interactions;
static const struct stage *const registry[] = {&stage_interactions, NULL};

enum { ALL_ROWS = 600, FIRST_ROWS = 400 };

/* Logs with numbers and with texts as ids, with and without times, with dislikes and bad rows. */
static const struct {
    const char *columns, *row;
    const char *query, *options;
} logs[] = {
    {"id INTEGER PRIMARY KEY, user_id, item_id, event, created_at",
     "k, k * 7 % 31, k * k % 53, CASE k % 9 WHEN 0 THEN 'hide' WHEN 1 THEN 'noise' ELSE 'view' END,"
     " 1600000000 + k * 5000",
     "SELECT * FROM log ;\n", "{event_weights: {view: 1}, dislikes: [hide], max_bad_rows: 1000}"},
    {"id INTEGER PRIMARY KEY, user_id, item_id, weight",
     "k, 'user ' || (k * 11 % 29), 'item ' || (k * k % 47), CASE k % 50 WHEN 3 THEN NULL ELSE k "
     "END",
     "SELECT id, user_id, item_id, weight FROM log WHERE weight IS NULL OR weight > 5", "{}"},
};
enum { N_LOGS = sizeof logs / sizeof *logs };

static void add_rows(void **state, size_t log, int first, int last)
{
    struct buf sql = {0};
    buf_addf(&sql,
             "CREATE TABLE IF NOT EXISTS log(%s);"
             "WITH RECURSIVE n(k) AS (SELECT %d UNION ALL SELECT k + 1 FROM n WHERE k < %d) "
             "INSERT INTO log SELECT %s FROM n;",
             logs[log].columns, first, last, logs[log].row);
    stage_source(state, buf_text(&sql));
    buf_release(&sql);
}

/* A run with its own work database; the query is logs[log]'s, or NULL: the table. */
static enum status_code run(void **state, const char *work, const char *source_lines,
                            const char *options, bool force, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf text = {0};
    struct plan *plan = NULL;
    struct stage_registry stage_list = {registry};
    struct run_result result = {0};
    char path[STORE_PATH_MAX];
    store_path(state, "key.yaml", path);
    buf_addf(&text,
             "pipeline: key\nsource:\n  database: source.db\n%s  key: id\nwork: {database: %s}\n"
             "threads: 1\nstages:\n  - interactions: %s\n",
             source_lines, work, options);
    store_write_file(path, text.data, text.length);
    buf_release(&text);
    *status = (struct status){0};
    store_path(state, "warnings.txt", path);
    struct log log = {.stream = fopen(path, "w"), .level = LOG_INFO};
    assert_non_null(log.stream);
    store_path(state, "key.yaml", path);
    code = plan_load(path, &stage_list, NULL, 0, &plan, status);
    if (code == STATUS_OK) {
        const struct run_request request = {
            .plan = plan, .version = "test", .log = &log, .force = force};
        code = runner_run(&request, &result, status);
    }
    fclose(log.stream);
    plan_free(plan);
    return code;
}

static const char *query_lines(size_t log, char out[512])
{
    snprintf(out, 512, "  interactions: |\n    %s\n", logs[log].query);
    return out;
}

static void run_well(void **state, const char *work, size_t log, bool force)
{
    struct status status;
    char lines[512];
    if (run(state, work, query_lines(log, lines), logs[log].options, force, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
}

static void hash_of(void **state, const char *work, char out[HASH_TEXT_MAX])
{
    struct status status = {0};
    char path[STORE_PATH_MAX];
    bool found = false;
    store_path(state, work, path);
    struct db *db = store_open(path, DB_READ);
    assert_int_equal(artifact_saved_hash(db, "interactions/interactions", out, &found, &status),
                     STATUS_OK);
    assert_true(found);
    db_close(db);
}

static int64_t count_segments(void **state, const char *work)
{
    struct status status = {0};
    char path[STORE_PATH_MAX];
    int64_t n = 0;
    bool found = false;
    store_path(state, work, path);
    struct db *db = store_open(path, DB_READ);
    assert_int_equal(db_get_int64(db,
                                  "SELECT count(*) FROM artifact WHERE current = 1 AND slot LIKE "
                                  "'interactions/events.%'",
                                  &n, &found, &status),
                     STATUS_OK);
    db_close(db);
    return n;
}

/* What was read in parts is what is read at once. */
static void assert_whole(void **state)
{
    char in_parts[HASH_TEXT_MAX], at_once[HASH_TEXT_MAX];
    hash_of(state, "parts.db", in_parts);
    hash_of(state, "whole.db", at_once);
    assert_string_equal(in_parts, at_once);
}

static void drop_log(void **state)
{
    stage_source(state, "DROP TABLE log");
}

static void rows_read_in_parts_are_rows_read_at_once(void **state)
{
    for (size_t log = 0; log < N_LOGS; log++) {
        add_rows(state, log, 1, FIRST_ROWS);
        run_well(state, "parts.db", log, true);
        assert_int_equal(count_segments(state, "parts.db"), 1);
        add_rows(state, log, FIRST_ROWS + 1, ALL_ROWS);
        run_well(state, "parts.db", log, false);
        stage_assert_warned(state, "interactions: 200 rows are new, ");
        assert_int_equal(count_segments(state, "parts.db"), 2);
        run_well(state, "whole.db", log, true);
        assert_whole(state);
        run_well(state, "parts.db", log, true); /* forced: everything is read */
        assert_int_equal(count_segments(state, "parts.db"), 1);
        assert_whole(state);
        drop_log(state);
    }
}

static void a_table_is_read_in_parts_too(void **state)
{
    struct status status;
    static const char lines[] = "  table: log\n  user: user_id\n  item: item_id\n  event: event\n"
                                "  time: created_at\n";
    add_rows(state, 0, 1, FIRST_ROWS);
    assert_int_equal(run(state, "parts.db", lines, logs[0].options, false, &status), STATUS_OK);
    add_rows(state, 0, FIRST_ROWS + 1, ALL_ROWS);
    assert_int_equal(run(state, "parts.db", lines, logs[0].options, false, &status), STATUS_OK);
    assert_int_equal(count_segments(state, "parts.db"), 2);
    assert_int_equal(run(state, "whole.db", lines, logs[0].options, false, &status), STATUS_OK);
    assert_whole(state);
}

/* Rules of single rows, a log without the last row, a damaged segment: everything is read. */
static void what_does_not_fit_is_read_anew(void **state)
{
    struct status status;
    char lines[512], path[STORE_PATH_MAX];
    static const char other[] = "{event_weights: {view: 2}, dislikes: [hide], max_bad_rows: 1000}";
    add_rows(state, 0, 1, FIRST_ROWS);
    run_well(state, "parts.db", 0, false);
    add_rows(state, 0, FIRST_ROWS + 1, ALL_ROWS);
    assert_int_equal(run(state, "parts.db", query_lines(0, lines), other, false, &status),
                     STATUS_OK);
    assert_int_equal(count_segments(state, "parts.db"), 1);
    assert_int_equal(run(state, "whole.db", query_lines(0, lines), other, false, &status),
                     STATUS_OK);
    assert_whole(state);

    stage_source(state, "DELETE FROM log WHERE id > 500");
    run_well(state, "parts.db", 0, true);
    stage_source(state, "DELETE FROM log WHERE id = 500");
    run_well(state, "parts.db", 0, false);
    stage_assert_warned(state, "the row with source.key: id = 500 is gone; reading all rows");
    run_well(state, "whole.db", 0, true);
    assert_whole(state);

    store_path(state, "parts.db", path);
    struct db *db = store_open(path, DB_WRITE);
    store_exec(db, "UPDATE artifact_chunk SET bytes = zeroblob(length(bytes)) WHERE artifact ="
                   " (SELECT artifact FROM artifact WHERE slot = 'interactions/events.0')");
    db_close(db);
    add_rows(state, 0, 500, 520);
    run_well(state, "parts.db", 0, false);
    run_well(state, "whole.db", 0, true);
    assert_whole(state);
}

static void a_key_that_is_none_is_refused(void **state)
{
    struct status status;
    add_rows(state, 0, 1, FIRST_ROWS);
    assert_int_equal(run(state, "parts.db",
                         "  interactions: SELECT user_id, item_id, event, created_at FROM log\n",
                         logs[0].options, false, &status),
                     STATUS_CONFIG);
    assert_non_null(strstr(status.message, "source.key: source.interactions has no column named "
                                           "'id'; add it to the query"));
    stage_source(state, "CREATE TABLE odd(id, user_id, item_id);"
                        "INSERT INTO odd VALUES (1, 1, 1), ('two', 1, 2)");
    assert_int_equal(
        run(state, "parts.db", "  interactions: SELECT * FROM odd\n", "{}", false, &status),
        STATUS_DATA);
    private_show(status.message);
    assert_non_null(strstr(status.message, "source.key: row 2 of source.interactions: id is "
                                           "'two'; a key is an INTEGER"));
    assert_int_equal(count_segments(state, "parts.db"), 0);
    stage_source(state, "CREATE TABLE a(id INTEGER PRIMARY KEY, user_id, item_id);"
                        "CREATE TABLE b AS SELECT * FROM a;"
                        "INSERT INTO a VALUES (1, 1, 1), (2, 1, 2), (9, 2, 1);"
                        "INSERT INTO b VALUES (5, 1, 3), (2, 2, 2), (-7, 2, 3)");
    assert_int_equal(run(state, "parts.db",
                         "  interactions: SELECT * FROM a UNION ALL SELECT * FROM b\n", "{}", false,
                         &status),
                     STATUS_DATA);
    assert_non_null(strstr(status.message, "source.key: rows 2 and 5 of source.interactions have "
                                           "the same id; a key is unique"));
    assert_int_equal(count_segments(state, "parts.db"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_read_in_parts_are_rows_read_at_once),
        TEST(a_table_is_read_in_parts_too),
        TEST(what_does_not_fit_is_read_anew),
        TEST(a_key_that_is_none_is_refused),
    };
    return cmocka_run_group_tests_name("event_key", tests, NULL, NULL);
}
