/* model/event_reader: columns by name, ids and values by type, and every bad row of the list with
 * its code and place. */
#include "events/extract.h"

#include "tests/support/store_support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *const event_names[] = {"view", "buy"};
static const double event_values[] = {1.0, 4.0};

/* Rules of a test: what is not written is the default of the stage. */
static struct event_rules default_rules(void)
{
    return (struct event_rules){.since = INT64_MIN, .until = INT64_MIN, .max_bad_rows = 1000};
}

struct reading {
    struct db *db;
    struct event_query query;
    struct event_rules rules;
    struct event_log log;
    struct row_report report;
    struct status status;
};

static void begin(void **state, struct reading *reading, const char *sql)
{
    char path[STORE_PATH_MAX];
    store_path(state, "source.db", path);
    memset(reading, 0, sizeof *reading);
    reading->db = store_open(path, DB_CREATE);
    reading->query = (struct event_query){
        .what = "source.interactions", .sql = sql, .timeout_seconds = 60, .part = PART_TRAIN};
    reading->rules = default_rules();
}

static enum status_code read(struct reading *reading)
{
    return event_reader_run(reading->db, &reading->query, &reading->rules, NULL, &reading->log,
                            &reading->report, &reading->status);
}

static void end(struct reading *reading)
{
    event_log_release(&reading->log);
    db_close(reading->db);
}

static void expect_failure(struct reading *reading, enum status_code code, const char *message)
{
    assert_int_equal(read(reading), code);
    private_show(reading->status.message);
    if (strstr(reading->status.message, message) == NULL) {
        fail_msg("'%s' does not say '%s'", reading->status.message, message);
    }
}

static void expect_ok(struct reading *reading)
{
    if (read(reading) != STATUS_OK) {
        fail_msg("%s", reading->status.message);
    }
}

static void columns_are_found_by_any_of_their_names_in_any_order(void **state)
{
    static const char *const queries[] = {
        "SELECT 1.5 AS weight, 7 AS item_id, 1600000000 AS time, 3 AS user_id",
        "SELECT 7 AS ITEM, 3 AS User, 1600000000 AS created_at, 1.5 AS rating",
        "SELECT 3 AS user_id, 7 AS item, 1.5 AS value, 1600000000 AS ts, 'x' AS type",
        ("SELECT '2020-09-13T12:26:40Z' AS timestamp, 3.0 AS user_id, 7 AS item, '1.5' AS value, "
         "'x' AS event_type, 99 AS rowid"),
    };
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct reading reading;
        begin(state, &reading, queries[i]);
        expect_ok(&reading);
        assert_int_equal(reading.log.n, 1);
        assert_int_equal(reading.log.users.integers[0], 3);
        assert_int_equal(reading.log.items.integers[0], 7);
        assert_true(reading.log.weights[0] == 1.5f);
        assert_int_equal(reading.log.times[0], 1600000000);
        end(&reading);
    }
}

struct query_case {
    const char *sql;
    enum status_code code;
    const char *message;
};

static void queries_without_a_usable_shape_are_mistakes_of_the_configuration(void **state)
{
    static const struct query_case cases[] = {
        {"SELECT 1 AS user_id, 2 AS item_id, 3 AS price", STATUS_CONFIG,
         "column 'price' is none of user_id (or user), item_id (or item), event (or event_type, "
         "type), weight (or rating, value), time (or created_at, timestamp, ts), rowid; rename it"},
        {"SELECT 1 AS user_id", STATUS_CONFIG, "needs a column named item_id (or item)"},
        {"SELECT 1 AS item_id", STATUS_CONFIG, "needs a column named user_id (or user)"},
        {"SELECT 1 AS user_id, 2 AS user, 3 AS item", STATUS_CONFIG,
         "columns 'user_id' and 'user' are both the user_id"},
        {"SELECT user_id, item_id FROM nowhere", STATUS_CONFIG, "no such table: nowhere"},
        {"SELECT 1 AS user_id, 2 AS item_id; DROP TABLE t", STATUS_CONFIG, "one statement"},
        {"ATTACH 'x.db' AS y", STATUS_CONFIG, "source.interactions"},
        {"PRAGMA user_version = 3", STATUS_CONFIG, "source.interactions"},
        {"INSERT INTO t VALUES (1)", STATUS_CONFIG, "source.interactions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reading reading;
        begin(state, &reading, cases[i].sql);
        expect_failure(&reading, cases[i].code, cases[i].message);
        assert_int_equal(reading.log.n, 0);
        end(&reading);
    }
}

static void rules_without_their_column_are_mistakes_of_the_configuration(void **state)
{
    struct reading reading;
    begin(state, &reading, "SELECT 1 AS user_id, 2 AS item_id");
    reading.rules.min_rating = 3;
    expect_failure(&reading, STATUS_CONFIG, "min_rating needs a column named weight (or rating");
    status_clear(&reading.status);
    reading.rules.min_rating = 0;
    reading.rules.event_weights = (struct option_numbers){2, event_names, event_values};
    expect_failure(&reading, STATUS_CONFIG, "event_weights needs a column named event");
    status_clear(&reading.status);
    reading.rules.event_weights.n = 0;
    reading.rules.times_needed = "half_life";
    expect_failure(&reading, STATUS_CONFIG, "half_life needs a column named time (or created_at");
    end(&reading);
}

struct bad_row_case {
    const char *values; /* user_id, item_id, event, weight, time */
    enum row_fault fault;
    const char *message; /* when it ends the run */
};

static const struct bad_row_case bad_rows[] = {
    {"NULL, 1, 'buy', 1, 1600000000", FAULT_USER_NULL, "user_id is NULL"},
    {"x'01', 1, 'buy', 1, 1600000000", FAULT_USER_BLOB, "user_id is a BLOB"},
    {"'', 1, 'buy', 1, 1600000000", FAULT_USER_EMPTY, "user_id is an empty text"},
    {"1.5, 1, 'buy', 1, 1600000000", FAULT_USER_FRACTION, "user_id is not a whole number: 1.5"},
    {"9e99, 1, 'buy', 1, 1600000000", FAULT_USER_FRACTION, "user_id is not a whole number"},
    {"1, NULL, 'buy', 1, 1600000000", FAULT_ITEM_NULL, "item_id is NULL"},
    {"1, x'', 'buy', 1, 1600000000", FAULT_ITEM_BLOB, "item_id is a BLOB"},
    {"1, '', 'buy', 1, 1600000000", FAULT_ITEM_EMPTY, "item_id is an empty text"},
    {"1, -0.5, 'buy', 1, 1600000000", FAULT_ITEM_FRACTION, "item_id is not a whole number: -0.5"},
    {"1, 1, NULL, 1, 1600000000", FAULT_EVENT, "event is NULL or a BLOB"},
    {"1, 1, 'buys', 1, 1600000000", FAULT_EVENT_UNKNOWN,
     "unknown event type: 'buys' is not listed in event_weights"},
    {"1, 1, 'buy', NULL, 1600000000", FAULT_WEIGHT_NULL, "weight is NULL (or NaN"},
    {"1, 1, 'buy', 'much', 1600000000", FAULT_WEIGHT_TYPE, "weight is not a number: 'much'"},
    {"1, 1, 'buy', x'00', 1600000000", FAULT_WEIGHT_TYPE, "weight is not a number"},
    {"1, 1, 'buy', 9e999, 1600000000", FAULT_WEIGHT_RANGE,
     "weight is not a finite number above 0: infinity"},
    {"1, 1, 'buy', -1, 1600000000", FAULT_WEIGHT_RANGE, "finite number above 0: -1"},
    {"1, 1, 'buy', 0, 1600000000", FAULT_WEIGHT_RANGE, "finite number above 0: 0"},
    {"1, 1, 'buy', 1, NULL", FAULT_TIME_NULL, "time is NULL"},
    {"1, 1, 'buy', 1, x'00'", FAULT_TIME_TYPE, "time is neither a number nor"},
    {"1, 1, 'buy', 1, 'yesterday'", FAULT_TIME_TYPE, "ISO-8601 text: 'yesterday'"},
    {"1, 1, 'buy', 1, 0", FAULT_TIME_RANGE, "time is outside 1980..2200: 0"},
    {"1, 1, 'buy', 1, 9e999", FAULT_TIME_RANGE, "outside 1980..2200: infinity"},
    {"1, 1, 'buy', 1, 1600000000000000", FAULT_TIME_RANGE, "outside 1980..2200: 16000000000"},
    {"1, 1, 'buy', 1, '1979-12-31'", FAULT_TIME_RANGE, "outside 1980..2200: '1979-12-31'"},
};

static void begin_bad_row(void **state, struct reading *reading, const struct bad_row_case *bad)
{
    struct buf sql = {0};
    begin(state, reading, "SELECT *, rowid AS rowid FROM log");
    buf_addf(&sql,
             "DROP TABLE IF EXISTS log; CREATE TABLE log(user_id, item_id, event, weight, time);"
             "INSERT INTO log(rowid, user_id, item_id, event, weight, time) VALUES "
             "(10, 1, 1, 'buy', 1, 1600000000), (21, %s), (30, 2, 2, 'view', 2, 1600000001);",
             bad->values);
    store_exec(reading->db, buf_text(&sql));
    buf_release(&sql);
    reading->rules.event_weights = (struct option_numbers){2, event_names, event_values};
}

static void every_bad_row_is_rejected_and_reported_with_its_rowid(void **state)
{
    for (size_t i = 0; i < sizeof bad_rows / sizeof *bad_rows; i++) {
        struct reading reading;
        begin_bad_row(state, &reading, &bad_rows[i]);
        expect_ok(&reading);
        assert_int_equal(reading.log.n, 2);
        assert_int_equal(reading.report.n_rows, 3);
        assert_int_equal(reading.report.n_accepted, 2);
        assert_int_equal(reading.report.n_rejected, 1);
        assert_int_equal(reading.report.faults[bad_rows[i].fault], 1);
        const struct row_place *place = &reading.report.first[bad_rows[i].fault].place;
        assert_true(place->has_rowid);
        assert_int_equal(place->rowid, 21);
        assert_int_equal(place->number, 2);
        end(&reading);
    }
}

static void every_bad_row_ends_the_run_where_that_is_asked_for(void **state)
{
    for (size_t i = 0; i < sizeof bad_rows / sizeof *bad_rows; i++) {
        struct reading reading;
        begin_bad_row(state, &reading, &bad_rows[i]);
        reading.rules.on_bad_row = BAD_ROW_FAIL;
        expect_failure(&reading, STATUS_DATA, bad_rows[i].message);
        assert_non_null(strstr(reading.status.message, "rowid 21 of source.interactions: "));
        end(&reading);
    }
}

static void more_bad_rows_than_allowed_end_the_run(void **state)
{
    struct reading reading;
    begin(state, &reading,
          "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 100) "
          "SELECT CASE WHEN k % 10 = 0 THEN NULL ELSE k END AS user_id, k AS item_id FROM n");
    reading.rules.max_bad_rows = 3;
    expect_failure(&reading, STATUS_DATA,
                   "more bad rows than max_bad_rows (3) after 40 rows: 4 rejected: 4 x user_id is "
                   "NULL (first: row 10 of source.interactions)");
    end(&reading);
    begin(state, &reading, reading.query.sql);
    reading.rules.max_bad_rows = 10;
    expect_ok(&reading);
    assert_int_equal(reading.report.n_rejected, 10);
    end(&reading);
}

static void ids_of_two_types_end_the_run_with_both_rows_named(void **state)
{
    static const struct query_case cases[] = {
        {"VALUES (1, 1), (2, 1), ('abc', 1)", STATUS_DATA,
         "row 3 of source.interactions: user_id is TEXT, but row 1 of source.interactions "
         "has INTEGER"},
        {"VALUES ('a', 'x'), ('b', 5)", STATUS_DATA,
         "row 2 of source.interactions: item_id 5 is INTEGER, but row 1 of source.interactions has "
         "TEXT"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reading reading;
        struct buf sql = {0};
        buf_addf(&sql, "WITH log(user_id, item_id) AS (%s) SELECT * FROM log", cases[i].sql);
        begin(state, &reading, buf_text(&sql));
        expect_failure(&reading, cases[i].code, cases[i].message);
        assert_non_null(strstr(reading.status.message, "use CAST"));
        end(&reading);
        buf_release(&sql);
    }
}

/* One column of times: what is read, or the message. */
struct time_case {
    const char *values;
    enum time_unit unit;
    int64_t first; /* 0: STATUS_DATA */
    const char *message;
};

static void units_of_time_are_declared_or_found_and_always_checked(void **state)
{
    static const struct time_case cases[] = {
        {"(1600000000), (1600000001)", TIME_AUTO, 1600000000, NULL},
        {"(1600000000123), (1600000001999)", TIME_AUTO, 1600000000, NULL},
        {"('2020-09-13'), ('2020-09-13 12:00')", TIME_AUTO, 1599955200, NULL},
        {"('1600000000'), (1600000000.75)", TIME_AUTO, 1600000000, NULL},
        {"(1600000000)", TIME_SECONDS, 1600000000, NULL},
        {"(1600000000999)", TIME_MILLISECONDS, 1600000000, NULL},
        {"('2020-09-13T12:26:40+02:00')", TIME_ISO8601, 1599992800, NULL},
        {"(1600000000000)", TIME_SECONDS, 0,
         "row 1 of source.interactions: time 1600000000000 looks like milliseconds, but time_unit "
         "is seconds; write time_unit: milliseconds"},
        {"(1600000000)", TIME_MILLISECONDS, 0, "time 1600000000 looks like seconds, but"},
        {"('2020-09-13')", TIME_SECONDS, 0, "time '2020-09-13' looks like iso8601, but time_unit"},
        {"(1600000000)", TIME_ISO8601, 0, "looks like seconds, but time_unit is iso8601"},
        {"(1600000000), (1600000000), (1600000000000)", TIME_AUTO, 0,
         "row 3 of source.interactions: time 1600000000000 looks like milliseconds, but the column "
         "was taken as seconds from row 1"},
        {"('2020-09-13'), (1600000000)", TIME_AUTO, 0, "taken as iso8601 from row 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reading reading;
        struct buf sql = {0};
        buf_addf(&sql, "WITH t(time) AS (VALUES %s) SELECT 1 AS user_id, 1 AS item_id, time FROM t",
                 cases[i].values);
        begin(state, &reading, buf_text(&sql));
        reading.rules.time_unit = cases[i].unit;
        if (cases[i].first != 0) {
            expect_ok(&reading);
            assert_int_equal(reading.log.times[0], cases[i].first);
            assert_int_equal(reading.report.n_rejected, 0);
        } else {
            expect_failure(&reading, STATUS_DATA, cases[i].message);
        }
        end(&reading);
        buf_release(&sql);
    }
}

static void event_types_outside_the_map_follow_other_events(void **state)
{
    static const char sql[] = "WITH t(event) AS (VALUES ('view'), ('buy'), ('like'), (5)) "
                              "SELECT 1 AS user_id, 1 AS item_id, event FROM t";
    struct reading reading;
    begin(state, &reading, sql);
    reading.rules.event_weights = (struct option_numbers){2, event_names, event_values};
    expect_ok(&reading);
    assert_int_equal(reading.report.faults[FAULT_EVENT_UNKNOWN], 2);
    assert_true(reading.log.weights[0] == 1 && reading.log.weights[1] == 4);
    end(&reading);

    begin(state, &reading, sql);
    reading.rules.event_weights = (struct option_numbers){2, event_names, event_values};
    reading.rules.other_events = OTHER_EVENTS_IGNORE;
    expect_ok(&reading);
    assert_int_equal(reading.report.n_rejected, 0);
    assert_int_equal(reading.report.filtered[FILTER_EVENT], 2);
    end(&reading);

    begin(state, &reading, sql);
    reading.rules.event_weights = (struct option_numbers){2, event_names, event_values};
    reading.rules.other_events = OTHER_EVENTS_FAIL;
    expect_failure(&reading, STATUS_DATA,
                   "row 3 of source.interactions: unknown event type: 'like' is not listed");
    end(&reading);
}

static void a_table_is_read_by_its_columns_with_rowids_in_messages(void **state)
{
    struct reading reading;
    begin(state, &reading, NULL);
    store_exec(reading.db, "CREATE TABLE \"my \"\"log\"(who, what, stars);"
                           "INSERT INTO \"my \"\"log\"(rowid, who, what, stars) VALUES "
                           "(5, 'a', 'b', 3), (8, 'a', NULL, 3)");
    reading.query.what = "source.table";
    reading.query.table = "my \"log";
    reading.query.user = "who";
    reading.query.item = "what";
    reading.query.weight = "stars";
    expect_ok(&reading);
    assert_int_equal(reading.log.n, 1);
    assert_int_equal(reading.report.first[FAULT_ITEM_NULL].place.rowid, 8);
    end(&reading);
}

static void a_view_and_a_table_without_rowid_are_read_with_row_numbers(void **state)
{
    static const char *const tables[] = {"seen", "bare"};
    for (size_t i = 0; i < 2; i++) {
        struct reading reading;
        begin(state, &reading, NULL);
        store_exec(reading.db, "DROP VIEW IF EXISTS seen; DROP TABLE IF EXISTS bare;"
                               "CREATE TABLE bare(user_id, item_id, PRIMARY KEY(user_id, item_id)) "
                               "WITHOUT ROWID; INSERT INTO bare VALUES (1, 2), (2, '');"
                               "CREATE VIEW seen AS SELECT * FROM bare");
        reading.query.table = tables[i];
        reading.query.user = "user_id";
        reading.query.item = "item_id";
        expect_ok(&reading);
        const struct row_place *place = &reading.report.first[FAULT_ITEM_EMPTY].place;
        assert_false(place->has_rowid);
        assert_int_equal(place->number, 2);
        end(&reading);
    }
}

static void a_missing_table_or_column_is_a_mistake_of_the_configuration(void **state)
{
    struct reading reading;
    begin(state, &reading, NULL);
    store_exec(reading.db, "CREATE TABLE log(user_id, item_id)");
    reading.query.what = "source.table";
    reading.query.table = "x\"; DROP TABLE log; --";
    reading.query.user = "user_id";
    reading.query.item = "item_id";
    expect_failure(&reading, STATUS_CONFIG, "no table or view called 'x\"; DROP TABLE log; --'");
    status_clear(&reading.status);
    reading.query.table = "log";
    reading.query.item = "thing"; /* in double quotes SQLite would take it for a text */
    expect_failure(&reading, STATUS_CONFIG, "no such column: t.thing");
    status_clear(&reading.status);
    reading.query.item = "x\"; DROP TABLE log; --";
    expect_failure(&reading, STATUS_CONFIG, "no such column");
    store_assert_rows(reading.db, "SELECT count(*) FROM log", "0\n");
    end(&reading);
}

static void nothing_left_says_what_took_the_rows(void **state)
{
    static const struct {
        double min_rating;
        int64_t since, until;
        const char *message;
    } cases[] = {
        {4.5, INT64_MIN, INT64_MIN,
         "no positive interaction is left of 4 rows: min_rating took 3, 1 rejected: 1 x user_id is "
         "NULL (first: row 4 of source.interactions)"},
        {0, 1700000000, INT64_MIN, "left of 4 rows: since took 3, 1 rejected"},
        {0, INT64_MIN, 1500000000, "left of 4 rows: until took 3, 1 rejected"},
        {2.5, 1700000000, INT64_MIN, "min_rating took 1, since took 2, 1 rejected"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reading reading;
        struct extraction extraction = {0};
        begin(state, &reading, NULL);
        struct extract_request request = {.interactions = reading.query, .rules = reading.rules};
        request.interactions.sql =
            "WITH t(user_id, rating) AS (VALUES (1, 2), (2, 3), (3, 4), (NULL, 5)) "
            "SELECT user_id, 1 AS item_id, rating, 1600000000 AS time FROM t";
        request.rules.min_rating = cases[i].min_rating;
        request.rules.since = cases[i].since;
        request.rules.until = cases[i].until;
        assert_int_equal(extract_read(reading.db, &request, NULL, &extraction, &reading.status),
                         STATUS_DATA);
        private_show(reading.status.message);
        if (strstr(reading.status.message, cases[i].message) == NULL) {
            fail_msg("'%s' does not say '%s'", reading.status.message, cases[i].message);
        }
        extraction_release(&extraction);
        end(&reading);
    }
}

static void an_empty_result_is_named(void **state)
{
    struct reading reading;
    struct extraction extraction = {0};
    begin(state, &reading, "SELECT 1 AS user_id, 2 AS item_id WHERE 0");
    struct extract_request request = {.interactions = reading.query, .rules = reading.rules};
    assert_int_equal(extract_read(reading.db, &request, NULL, &extraction, &reading.status),
                     STATUS_DATA);
    assert_string_equal(reading.status.message, "source.interactions gives no rows");
    extraction_release(&extraction);
    end(&reading);
}

static void a_given_test_has_ids_of_the_same_type_and_no_events(void **state)
{
    static const struct query_case cases[] = {
        {"SELECT 'a' AS user_id, 2 AS item_id", STATUS_DATA,
         "row 1 of split.test_query: user_id is TEXT, but row 1 of source.interactions has "
         "INTEGER"},
        {"SELECT 1 AS user_id, 2 AS item_id, 'view' AS event", STATUS_CONFIG,
         "split.test_query: a given part has no event types"},
        {"SELECT 1 AS user_id, 2 AS item_id WHERE 0", STATUS_DATA,
         "split.test_query gives no usable rows"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reading reading;
        struct extraction extraction = {0};
        begin(state, &reading, "SELECT 1 AS user_id, 2 AS item_id");
        struct extract_request request = {
            .interactions = reading.query, .rules = reading.rules, .test_query = cases[i].sql};
        assert_int_equal(extract_read(reading.db, &request, NULL, &extraction, &reading.status),
                         cases[i].code);
        assert_non_null(strstr(reading.status.message, cases[i].message));
        extraction_release(&extraction);
        end(&reading);
    }
}

static void given_validation_needs_times_where_the_log_has_them(void **state)
{
    struct reading reading;
    struct extraction extraction = {0};
    begin(state, &reading, "SELECT 1 AS user_id, 2 AS item_id, 1600000000 AS time");
    struct extract_request request = {.interactions = reading.query,
                                      .rules = reading.rules,
                                      .valid_query = "SELECT 1 AS user_id, 3 AS item_id"};
    assert_int_equal(extract_read(reading.db, &request, NULL, &extraction, &reading.status),
                     STATUS_CONFIG);
    assert_non_null(strstr(reading.status.message, "split.valid_query: source.interactions has "
                                                   "times"));
    extraction_release(&extraction);
    end(&reading);
}

static void note_rows(void *data, double done, double total)
{
    (void)total;
    *(int64_t *)data = (int64_t)done;
}

static enum status_code stop_at_once(void *data, struct status *status)
{
    (void)data;
    status->signal = 15;
    return status_set(status, STATUS_SIGNAL, "stopped");
}

static void a_watch_can_stop_the_reading(void **state)
{
    struct reading reading;
    int64_t n_rows = 0;
    const struct watch watch = {stop_at_once, note_rows, &n_rows};
    begin(state, &reading,
          "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n) "
          "SELECT k AS user_id, 1 AS item_id FROM n");
    assert_int_equal(event_reader_run(reading.db, &reading.query, &reading.rules, &watch,
                                      &reading.log, &reading.report, &reading.status),
                     STATUS_SIGNAL);
    assert_true(n_rows > 0 && n_rows == reading.report.n_rows);
    end(&reading);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(columns_are_found_by_any_of_their_names_in_any_order),
        TEST(queries_without_a_usable_shape_are_mistakes_of_the_configuration),
        TEST(rules_without_their_column_are_mistakes_of_the_configuration),
        TEST(every_bad_row_is_rejected_and_reported_with_its_rowid),
        TEST(every_bad_row_ends_the_run_where_that_is_asked_for),
        TEST(more_bad_rows_than_allowed_end_the_run),
        TEST(ids_of_two_types_end_the_run_with_both_rows_named),
        TEST(units_of_time_are_declared_or_found_and_always_checked),
        TEST(event_types_outside_the_map_follow_other_events),
        TEST(a_table_is_read_by_its_columns_with_rowids_in_messages),
        TEST(a_view_and_a_table_without_rowid_are_read_with_row_numbers),
        TEST(a_missing_table_or_column_is_a_mistake_of_the_configuration),
        TEST(nothing_left_says_what_took_the_rows),
        TEST(an_empty_result_is_named),
        TEST(a_given_test_has_ids_of_the_same_type_and_no_events),
        TEST(given_validation_needs_times_where_the_log_has_them),
        TEST(a_watch_can_stop_the_reading),
    };
    return cmocka_run_group_tests_name("event_reader", tests, NULL, NULL);
}
