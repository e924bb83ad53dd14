/* Importing a CSV file into a table: what arrives, what every broken file does, and that a failure
 * leaves the user's database as it was. */
#include "import/csv_import.h"

#include "base/buf.h"
#include "store/db.h"
#include "tests/support/csv_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

#define LATIN1 "; is it Latin-1? iconv -f LATIN1 -t UTF-8"

/* One import: a file in the folder, into table t of a database there. */
struct fixture {
    char file[CSV_PATH_MAX], database[CSV_PATH_MAX];
    struct arena arena;
    struct csv_import_options options;
    struct csv_import_target target;
    struct csv_import_result result;
    struct status status;
};

static void start(void **state, struct fixture *f, const char *text)
{
    memset(f, 0, sizeof *f);
    csv_path(state, "shop.db", f->database);
    csv_write(state, "t.csv", text, strlen(text), f->file);
    assert_int_equal(option_defaults(csv_import_table, &f->options, &f->arena, &f->status),
                     STATUS_OK);
    f->options.file = f->file;
    f->options.table = "t";
    f->target.database = f->database;
    f->target.busy_seconds = 0.1;
    f->result.rows = -1;
}

static enum status_code run(struct fixture *f)
{
    enum status_code code = csv_import_run(&f->options, &f->target, &f->result, &f->status);
    arena_release(&f->arena);
    return code;
}

static void expect_ok(struct fixture *f, int64_t rows, int64_t rejected)
{
    if (run(f) != STATUS_OK) {
        fail_msg("%s:%zu:%zu: %s", f->status.file, f->status.line, f->status.column,
                 f->status.message);
    }
    assert_int_equal(f->result.rows, rows);
    assert_int_equal(f->result.rejected, rejected);
}

/* The import fails with this code at this place of the CSV file, its message has `part`, and the
 * result is untouched. */
static void expect_error(struct fixture *f, enum status_code code, size_t line, size_t column,
                         const char *part)
{
    assert_int_equal(run(f), code);
    assert_int_equal(f->status.code, code);
    private_show(f->status.message);
    if (strstr(f->status.message, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, f->status.message);
    }
    assert_int_equal(f->status.line, line);
    assert_int_equal(f->status.column, column);
    assert_int_equal(f->result.rows, -1);
}

static void expect_rows(const struct fixture *f, const char *sql, const char *expected)
{
    char rows[CSV_ROWS_MAX];
    csv_rows(f->database, sql, rows);
    assert_string_equal(rows, expected);
}

static const char *const everything =
    "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name";

/* ---- what arrives ---- */

static void columns_are_texts_unless_typed(void **state)
{
    struct fixture f;
    const char *const names[] = {"n", "x"}, *const types[] = {"integer", "real"};
    start(state, &f, "id,n,x\n007,9223372036854775807,1e-3\nb,-5,.5\n");
    f.options.types = (struct option_pairs){2, names, types};
    expect_ok(&f, 2, 0);
    expect_rows(&f, "SELECT id, typeof(id), n, typeof(n), x, typeof(x) FROM t",
                "007|text|9223372036854775807|integer|0.001|real\nb|text|-5|integer|0.5|real\n");
    expect_rows(&f, everything,
                "table|t|t|CREATE TABLE \"t\" (\"id\" TEXT, \"n\" INTEGER, \"x\" REAL)\n");
}

static void empty_fields_are_null_or_text(void **state)
{
    struct fixture f;
    start(state, &f, "a,b\n,\"\"\n");
    expect_ok(&f, 1, 0);
    expect_rows(&f, "SELECT a, b FROM t", "NULL|NULL\n");
    start(state, &f, "a,b\n,x\n");
    f.options.empty = CSV_EMPTY_TEXT;
    f.options.if_exists = CSV_EXISTS_REPLACE;
    expect_ok(&f, 1, 0);
    expect_rows(&f, "SELECT typeof(a), length(a), b FROM t", "text|0|x\n");
}

static void columns_can_be_chosen_renamed_and_reordered(void **state)
{
    struct fixture f;
    const char *const from[] = {"c", "a"}, *const to[] = {"third \"col\"", "first"};
    start(state, &f, ",a,b,c,b\n0,1,2,3,4\n");
    f.options.columns = (struct option_pairs){2, from, to};
    expect_ok(&f, 1, 0);
    expect_rows(&f, "SELECT \"third \"\"col\"\"\", first FROM t", "3|1\n");
}

static void names_are_quoted_not_run(void **state)
{
    struct fixture f;
    start(state, &f, "a,\"x\"\"); DROP TABLE keep; --\"\n1,2\n");
    csv_sql(f.database, "CREATE TABLE keep(a)");
    f.options.table = "x\"; DROP TABLE keep; --";
    expect_ok(&f, 1, 0);
    expect_rows(&f, "SELECT * FROM \"x\"\"; DROP TABLE keep; --\"", "1|2\n");
    expect_rows(&f, "SELECT count(*) FROM keep", "0\n");
}

static void many_rows_go_in_over_several_transactions(void **state)
{
    struct fixture f;
    struct buf text = {0};
    const char *const names[] = {"n"}, *const types[] = {"integer"};
    buf_add_text(&text, "n\n");
    for (int i = 1; i <= 30001; i++) {
        buf_addf(&text, "%d\n", i);
    }
    start(state, &f, buf_text(&text));
    f.options.types = (struct option_pairs){1, names, types};
    expect_ok(&f, 30001, 0);
    expect_rows(&f, "SELECT count(*), min(n), max(n), sum(n) FROM t", "30001|1|30001|450045001\n");
    buf_release(&text);
}

static void a_header_alone_gives_an_empty_table(void **state)
{
    struct fixture f;
    start(state, &f, "a,b\n");
    expect_ok(&f, 0, 0);
    expect_rows(&f, "SELECT count(*) FROM t", "0\n");
}

/* ---- tables that exist ---- */

static const char *const old_table =
    "CREATE TABLE t(a, b); INSERT INTO t VALUES('old', 1);"
    "CREATE INDEX t_a ON t(a); CREATE TABLE log(x);"
    "CREATE TRIGGER t_in AFTER INSERT ON t BEGIN INSERT INTO log VALUES(new.a); END;"
    "CREATE VIEW v AS SELECT a FROM t; CREATE VIEW broken AS SELECT * FROM nowhere";

static void an_existing_table_is_left_alone_by_default(void **state)
{
    struct fixture f;
    start(state, &f, "a,b\nnew,2\n");
    csv_sql(f.database, old_table);
    expect_error(&f, STATUS_CANNOT_CREATE, 0, 0, "the table \"t\" is there already");
    expect_rows(&f, "SELECT * FROM t", "old|1\n");
    expect_rows(&f, "SELECT count(*) FROM sqlite_schema", "6\n");
}

static void a_view_is_never_replaced(void **state)
{
    struct fixture f;
    start(state, &f, "a\n1\n");
    csv_sql(f.database, old_table);
    f.options.table = "V";
    f.options.if_exists = CSV_EXISTS_REPLACE;
    expect_error(&f, STATUS_CANNOT_CREATE, 0, 0, "\"V\" is there already, as a view");
    expect_rows(&f, "SELECT * FROM v", "old\n");
}

static void replacing_keeps_indexes_triggers_and_views(void **state)
{
    struct fixture f;
    start(state, &f, "a,c\nnew,2\n");
    csv_sql(f.database, old_table);
    f.options.if_exists = CSV_EXISTS_REPLACE;
    expect_ok(&f, 1, 0);
    expect_rows(&f, "SELECT * FROM t", "new|2\n");
    expect_rows(&f, "SELECT * FROM v", "new\n");
    expect_rows(&f, "SELECT count(*) FROM log", "0\n"); /* a load fires no trigger */
    expect_rows(&f,
                "SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_schema ORDER BY "
                "name)",
                "broken log t t_a t_in v\n");
}

static void replacing_fails_whole_when_an_index_does_not_fit(void **state)
{
    struct fixture f;
    char before[CSV_ROWS_MAX];
    start(state, &f, "x,y\nnew,2\n");
    csv_sql(f.database, old_table);
    csv_rows(f.database, everything, before);
    f.options.if_exists = CSV_EXISTS_REPLACE;
    expect_error(&f, STATUS_DATA, 0, 0, "does not fit its new rows");
    expect_rows(&f, everything, before);
    expect_rows(&f, "SELECT * FROM t", "old|1\n");
}

static void appending_adds_all_rows(void **state)
{
    struct fixture f;
    start(state, &f, "b,a\n2,new\n3,newer\n");
    csv_sql(f.database, old_table);
    f.options.if_exists = CSV_EXISTS_APPEND;
    expect_ok(&f, 2, 0);
    expect_rows(&f, "SELECT a, b FROM t", "old|1\nnew|2\nnewer|3\n");
    expect_rows(&f, "SELECT group_concat(x) FROM log", "new,newer\n");
    expect_rows(&f, "SELECT count(*) FROM sqlite_schema", "6\n");
}

static void appending_to_nothing_makes_the_table(void **state)
{
    struct fixture f;
    start(state, &f, "a\n1\n");
    f.options.if_exists = CSV_EXISTS_APPEND;
    expect_ok(&f, 1, 0);
    expect_rows(&f, "SELECT * FROM t", "1\n");
}

static void appending_needs_the_columns(void **state)
{
    struct fixture f;
    start(state, &f, "a,c\n1,2\n");
    csv_sql(f.database, old_table);
    f.options.if_exists = CSV_EXISTS_APPEND;
    expect_error(&f, STATUS_DATA, 1, 0, "has no column named c");
    expect_rows(&f, "SELECT * FROM t", "old|1\n");
    expect_rows(&f, "SELECT count(*) FROM sqlite_schema", "6\n");
}

static void a_row_that_breaks_a_rule_of_the_table_is_bad(void **state)
{
    struct fixture f;
    const char *text = "id\n1\n\"2\n\"\n7\n3\n";
    start(state, &f, text);
    csv_sql(f.database, "CREATE TABLE t(id TEXT UNIQUE); INSERT INTO t VALUES('7'), ('8')");
    f.options.if_exists = CSV_EXISTS_APPEND;
    expect_error(&f, STATUS_DATA, 5, 0, "UNIQUE constraint failed: t.id");
    assert_string_equal(f.status.file, f.file);
    expect_rows(&f, "SELECT id FROM t", "7\n8\n");
    expect_rows(&f, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'", "1\n");

    start(state, &f, text);
    f.options.if_exists = CSV_EXISTS_APPEND;
    f.options.on_bad_row = CSV_BAD_ROW_REJECT;
    expect_ok(&f, 3, 1);
    expect_rows(&f, "SELECT hex(id) FROM t ORDER BY rowid", "37\n38\n31\n320A\n33\n");
    expect_rows(&f, "SELECT line, reason, text FROM t_rejected",
                "5|UNIQUE constraint failed: t.id|NULL\n");
}

static void an_append_that_fails_late_adds_nothing(void **state)
{
    struct fixture f;
    struct buf text = {0};
    buf_add_text(&text, "a,b\n");
    for (int i = 0; i < 25000; i++) {
        buf_addf(&text, "%d,x\n", i);
    }
    buf_add_text(&text, "1,2,3\n");
    start(state, &f, buf_text(&text));
    csv_sql(f.database, old_table);
    f.options.if_exists = CSV_EXISTS_APPEND;
    expect_error(&f, STATUS_DATA, 25002, 0, "3 fields, the header has 2");
    expect_rows(&f, "SELECT * FROM t", "old|1\n");
    expect_rows(&f, "SELECT count(*) FROM sqlite_schema", "6\n");
    buf_release(&text);
}

static void what_a_killed_import_left_is_cleared(void **state)
{
    struct fixture f;
    start(state, &f, "a\n1\n");
    csv_sql(f.database, "CREATE TABLE t__nightjar_staging(z); INSERT INTO t__nightjar_staging "
                        "VALUES(1)");
    expect_ok(&f, 1, 0);
    expect_rows(&f, "SELECT group_concat(name) FROM sqlite_schema", "t\n");
}

/* ---- broken files ---- */

struct horror {
    const char *text;
    size_t length; /* 0: strlen */
    size_t line, column;
    const char *message;
    int64_t good; /* rows that arrive with on_bad_row: reject */
    const char *rejected;
};

static const struct horror horrors[] = {
    {"a,b\n1,2\n3\n", 0, 3, 0, "1 field, the header has 2", 1, "3|1 field, the header has 2|3\n"},
    {"a,b\r\n1,2,3\r\n\r\n4,5\r\n", 0, 2, 0, "3 fields, the header has 2", 1,
     "2|3 fields, the header has 2|1,2,3\n"},
    {"a,b\n1,2\n\"x\ny\",1\n3,\"z\n", 0, 5, 3, "unterminated quote", 2,
     "5|unterminated quote: the file ends before it closes|3,\"z\n"},
    {"a,b\n1,x\xff\n2,3\n", 0, 2, 4, "invalid UTF-8 in field 2" LATIN1 "", 1,
     "2|invalid UTF-8 in field 2" LATIN1 "|1,x\xef\xbf\xbd\n"},
    {"a,b\n1,\0\n2,3\n", 12, 2, 3, "a NUL byte in field 2", 1,
     "2|a NUL byte in field 2|1,\xef\xbf\xbd\n"},
    {"a,b\n1,x\"y\n2,3\n", 0, 2, 4, "a quote inside field 2", 1,
     "2|a quote inside field 2, which does not start with one; quote the field and double the "
     "quote|1,x\"y\n"},
    {"a,b\n1,2\r3,4\n5,6\n", 0, 2, 4, "a carriage return without a line feed", 1,
     "2|a carriage return without a line feed, outside quotes|1,2\xef\xbf\xbd"
     "3,4\n"},
    {"a,b\n1,12345678901234567\n2,3\n", 0, 2, 0, "field 2 is longer than 16 bytes", 1,
     "2|field 2 is longer than 16 bytes|1,12345678901234567\n"},
};

static void start_horror(void **state, struct fixture *f, const struct horror *horror)
{
    start(state, f, "");
    csv_write(state, "t.csv", horror->text,
              horror->length > 0 ? horror->length : strlen(horror->text), f->file);
    f->options.max_field_bytes = 16;
    f->options.if_exists = CSV_EXISTS_REPLACE;
}

static void every_horror_fails_at_its_place_and_changes_nothing(void **state)
{
    for (size_t i = 0; i < sizeof horrors / sizeof *horrors; i++) {
        struct fixture f;
        char before[CSV_ROWS_MAX];
        start_horror(state, &f, &horrors[i]);
        csv_sql(f.database, "DROP TABLE IF EXISTS t; CREATE TABLE t(a, b);"
                            "INSERT INTO t VALUES('old', 1)");
        csv_rows(f.database, everything, before);
        expect_error(&f, STATUS_DATA, horrors[i].line, horrors[i].column, horrors[i].message);
        assert_string_equal(f.status.file, f.file);
        expect_rows(&f, "SELECT * FROM t", "old|1\n");
        expect_rows(&f, everything, before);
    }
}

static void every_horror_can_be_kept_aside(void **state)
{
    for (size_t i = 0; i < sizeof horrors / sizeof *horrors; i++) {
        struct fixture f;
        start_horror(state, &f, &horrors[i]);
        f.options.on_bad_row = CSV_BAD_ROW_REJECT;
        expect_ok(&f, horrors[i].good, 1);
        expect_rows(&f, "SELECT line, reason, text FROM t_rejected", horrors[i].rejected);
        assert_int_equal(unlink(f.database), 0);
    }
}

static void a_bad_number_is_a_bad_row_with_its_column(void **state)
{
    static const char *const bad[] = {"x", "1.5", " 1", "9223372036854775808", "0x1", "1e3", "nan"};
    const char *const names[] = {"n"}, *const types[] = {"integer"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fixture f;
        char text[80];
        snprintf(text, sizeof text, "id,n\n\n1,2\n\"a,b\",%s\n", bad[i]);
        start(state, &f, text);
        f.options.types = (struct option_pairs){1, names, types};
        expect_error(&f, STATUS_DATA, 4, 7, "is not an integer of at most 64 bits");
        private_show(f.status.message);
        assert_non_null(strstr(f.status.message, bad[i]));
        assert_int_equal(access(f.database, F_OK), -1); /* it was not there before, either */
    }
    static const char *const bad_real[] = {"inf", "NaN", "1,5", "1e999", "--1"};
    const char *const real[] = {"real"};
    for (size_t i = 0; i < sizeof bad_real / sizeof *bad_real; i++) {
        struct fixture f;
        char text[80];
        snprintf(text, sizeof text, "n\n\"%s\"\n", bad_real[i]);
        start(state, &f, text);
        f.options.types = (struct option_pairs){1, names, real};
        expect_error(&f, STATUS_DATA, 2, 1, "is not a finite decimal number");
    }
}

static void an_empty_number_is_bad_where_empty_means_text(void **state)
{
    struct fixture f;
    const char *const names[] = {"n"}, *const types[] = {"integer"};
    start(state, &f, "a,n\n1,\n");
    f.options.types = (struct option_pairs){1, names, types};
    f.options.empty = CSV_EMPTY_TEXT;
    expect_error(&f, STATUS_DATA, 2, 3, "column \"n\": \"\" is not an integer");
}

static void too_many_bad_rows_end_the_import(void **state)
{
    struct fixture f;
    start(state, &f, "a,b\n1\n2\n3,4\n5\n");
    csv_sql(f.database, old_table);
    f.options.if_exists = CSV_EXISTS_REPLACE;
    f.options.on_bad_row = CSV_BAD_ROW_REJECT;
    f.options.max_bad_rows = 2;
    expect_error(&f, STATUS_DATA, 5, 0, "that makes 3 bad rows, and max_bad_rows is 2");
    expect_rows(&f, "SELECT * FROM t", "old|1\n");
    expect_rows(&f, "SELECT count(*) FROM sqlite_schema", "6\n");
}

/* A lost quote can swallow half a file as one record: its lines are what counts. */
static void a_swallowed_line_counts_as_a_bad_row(void **state)
{
    struct fixture f;
    start(state, &f, "a,b\n1,\"2\n3,4\n5,6\n7,8\n");
    f.options.on_bad_row = CSV_BAD_ROW_REJECT;
    f.options.max_bad_rows = 3;
    expect_error(&f, STATUS_DATA, 2, 3, "that makes 4 bad rows");
}

static void yesterdays_rejects_give_way_to_todays(void **state)
{
    struct fixture f;
    start(state, &f, "a,b\n1\n");
    f.options.on_bad_row = CSV_BAD_ROW_REJECT;
    expect_ok(&f, 0, 1);
    start(state, &f, "a,b\n1,2\n");
    f.options.on_bad_row = CSV_BAD_ROW_REJECT;
    f.options.if_exists = CSV_EXISTS_REPLACE;
    expect_ok(&f, 1, 0);
    expect_rows(&f, "SELECT count(*) FROM t_rejected", "0\n");
}

static void a_users_own_rejected_table_is_left_alone(void **state)
{
    struct fixture f;
    start(state, &f, "a,b\n1\n");
    csv_sql(f.database, "CREATE TABLE t_rejected(mine); INSERT INTO t_rejected VALUES(1)");
    f.options.on_bad_row = CSV_BAD_ROW_REJECT;
    expect_error(&f, STATUS_CANNOT_CREATE, 0, 0, "\"t_rejected\" is there already");
    expect_rows(&f, "SELECT * FROM t_rejected", "1\n");
    expect_rows(&f, "SELECT count(*) FROM sqlite_schema", "1\n");
}

/* ---- headers that do not fit ---- */

static void headers_that_do_not_fit_are_named(void **state)
{
    struct fixture f;
    const char *const from[] = {"user"}, *const to[] = {"u"}, *const text[] = {"text"};
    start(state, &f, "a,b,A\n1,2,3\n");
    expect_error(&f, STATUS_DATA, 1, 0, "columns 1 and 3 of the file are both called \"A\"");
    start(state, &f, "\na,,b\n1,2,3\n");
    expect_error(&f, STATUS_DATA, 2, 0, "column 2 of the header has no name");
    start(state, &f, "users,b\n1,2\n");
    f.options.columns = (struct option_pairs){1, from, to};
    expect_error(&f, STATUS_DATA, 1, 0, "no column \"user\"; did you mean \"users\"?");
    start(state, &f, "user,b,user\n1,2,3\n");
    f.options.columns = (struct option_pairs){1, from, to};
    expect_error(&f, STATUS_DATA, 1, 0, "\"user\" twice, as column 1 and as column 3");
    start(state, &f, "users,b\n1,2\n");
    f.options.types = (struct option_pairs){1, from, text};
    expect_error(&f, STATUS_DATA, 1, 0, "will have no column \"user\"; did you mean \"users\"?");
    start(state, &f, "");
    expect_error(&f, STATUS_DATA, 1, 0, "the file is empty");
    assert_int_equal(access(f.database, F_OK), -1);
}

struct mistakes {
    size_t n;
    char last[256];
};

static void note(void *data, const char *option, const char *why)
{
    struct mistakes *mistakes = data;
    mistakes->n++;
    snprintf(mistakes->last, sizeof mistakes->last, "%s: %s", option, why);
}

static void expect_mistake(const struct fixture *f, const char *expected)
{
    struct mistakes mistakes = {0};
    csv_import_check(&f->options, note, &mistakes);
    assert_int_equal(mistakes.n, expected != NULL ? 1 : 0);
    assert_string_equal(mistakes.last, expected != NULL ? expected : "");
}

static void options_are_checked_across(void **state)
{
    struct fixture f;
    const char *const names[] = {"a"}, *const types[] = {"int"};
    start(state, &f, "a\n");
    expect_mistake(&f, NULL);
    f.options.delimiter = "||";
    expect_mistake(&f, "delimiter: \"||\" is not a delimiter: one ASCII character, or tab");
    f.options.delimiter = "\n";
    expect_mistake(&f, "delimiter: \"\n\" is not a delimiter: one ASCII character, or tab");
    f.options.delimiter = "tab";
    f.options.quote = "\t";
    expect_mistake(&f, "quote: quote and delimiter are both \"\t\"; they must differ");
    f.options.quote = "none";
    expect_mistake(&f, NULL);
    f.options.table = "SQLite_x";
    expect_mistake(&f, "table: \"SQLite_x\" cannot be the name of a table: it is empty, or starts "
                       "with sqlite_, which SQLite keeps for itself");
    f.options.table = "t";
    f.options.types = (struct option_pairs){1, names, types};
    expect_mistake(&f, "types: \"int\" is not a type for column \"a\"; allowed: integer, real, "
                       "text");
    arena_release(&f.arena);
}

/* ---- the world outside ---- */

static void missing_files_are_no_input(void **state)
{
    struct fixture f;
    start(state, &f, "");
    assert_int_equal(unlink(f.file), 0);
    expect_error(&f, STATUS_NO_INPUT, 0, 0, "cannot open the file");
    assert_string_equal(f.status.file, f.file);
    assert_int_equal(access(f.database, F_OK), -1);
}

static void a_file_that_is_no_database_is_left_alone(void **state)
{
    struct fixture f;
    char text[2048];
    start(state, &f, "a\n1\n");
    memset(text, 'x', sizeof text);
    csv_write(state, "shop.db", text, sizeof text, f.database);
    expect_error(&f, STATUS_DATA, 0, 0, "not a database");
    struct stat info;
    assert_int_equal(stat(f.database, &info), 0);
    assert_int_equal(info.st_size, sizeof text);
}

static void a_folder_that_is_not_there_cannot_hold_a_database(void **state)
{
    struct fixture f;
    char path[CSV_PATH_MAX];
    start(state, &f, "a\n1\n");
    csv_path(state, "none/shop.db", path);
    f.target.database = path;
    expect_error(&f, STATUS_CANNOT_CREATE, 0, 0, "cannot open the database");
}

static void a_read_only_folder_cannot_be_written(void **state)
{
    struct fixture f;
    if (geteuid() == 0) {
        skip(); /* root may write everywhere */
    }
    start(state, &f, "a\n1\n");
    assert_int_equal(chmod(*state, 0500), 0);
    enum status_code code = run(&f);
    assert_int_equal(chmod(*state, 0700), 0);
    assert_int_equal(code, STATUS_CANNOT_CREATE);
}

static void a_locked_database_is_waited_for_and_left(void **state)
{
    struct fixture f;
    struct db *other = NULL;
    start(state, &f, "a,b\n1,2\n");
    csv_sql(f.database, old_table);
    f.options.if_exists = CSV_EXISTS_REPLACE;
    assert_int_equal(db_open(f.database, DB_WRITE, 0, &other, &f.status), STATUS_OK);
    assert_int_equal(db_begin_write(other, &f.status), STATUS_OK);
    expect_error(&f, STATUS_BUSY, 0, 0, "try again later");
    db_close(other);
    expect_rows(&f, "SELECT * FROM t", "old|1\n");
}

/* A limit on the size of files stands for a full disk. */
static void a_full_disk_leaves_the_old_rows(void **state)
{
    struct fixture f;
    struct buf text = {0};
    buf_add_text(&text, "a,b\n");
    for (int i = 0; i < 60000; i++) {
        buf_addf(&text, "%d,a row of some length\n", i);
    }
    start(state, &f, buf_text(&text));
    csv_sql(f.database, old_table);
    f.options.if_exists = CSV_EXISTS_REPLACE;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 512 * 1024;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum status_code code = run(&f);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(code, STATUS_IO);
    expect_rows(&f, "SELECT * FROM t", "old|1\n");
    expect_rows(&f, "SELECT count(*) FROM sqlite_schema", "6\n");
    expect_rows(&f, "PRAGMA integrity_check", "ok\n");
    buf_release(&text);
}

static enum status_code stop_later(void *data, struct status *status)
{
    int *left = data;
    return (*left)-- > 0 ? STATUS_OK : status_set(status, STATUS_SIGNAL, "stopped");
}

static void a_stop_leaves_everything_as_it_was(void **state)
{
    struct fixture f;
    struct buf text = {0};
    int left = 30;
    buf_add_text(&text, "a,b\n");
    for (int i = 0; i < 40000; i++) {
        buf_addf(&text, "%d,x\n", i);
    }
    start(state, &f, buf_text(&text));
    csv_sql(f.database, old_table);
    f.options.if_exists = CSV_EXISTS_REPLACE;
    f.target.watch = (struct watch){.check_stop = stop_later, .data = &left};
    expect_error(&f, STATUS_SIGNAL, 0, 0, "stopped");
    expect_rows(&f, "SELECT * FROM t", "old|1\n");
    expect_rows(&f, "SELECT count(*) FROM sqlite_schema", "6\n");
    buf_release(&text);
}

static void a_reader_in_between_sees_the_old_rows(void **state)
{
    struct fixture f;
    start(state, &f, "a,b\n1,2\n3\n");
    csv_sql(f.database, "PRAGMA journal_mode = WAL");
    csv_sql(f.database, old_table);
    struct db *reader = NULL;
    int64_t n = 0;
    bool found = false;
    assert_int_equal(db_open(f.database, DB_READ, 0, &reader, &f.status), STATUS_OK);
    assert_int_equal(db_begin_read(reader, &f.status), STATUS_OK);
    f.options.if_exists = CSV_EXISTS_REPLACE;
    f.options.on_bad_row = CSV_BAD_ROW_REJECT;
    expect_ok(&f, 1, 1);
    assert_int_equal(
        db_get_int64(reader, "SELECT count(*) FROM t WHERE a = 'old'", &n, &found, &f.status),
        STATUS_OK);
    assert_int_equal(n, 1);
    db_close(reader);
    expect_rows(&f, "SELECT * FROM t", "1|2\n");
    expect_rows(&f, "PRAGMA journal_mode", "wal\n");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, csv_folder_make, csv_folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(columns_are_texts_unless_typed),
        CASE(empty_fields_are_null_or_text),
        CASE(columns_can_be_chosen_renamed_and_reordered),
        CASE(names_are_quoted_not_run),
        CASE(many_rows_go_in_over_several_transactions),
        CASE(a_header_alone_gives_an_empty_table),
        CASE(an_existing_table_is_left_alone_by_default),
        CASE(a_view_is_never_replaced),
        CASE(replacing_keeps_indexes_triggers_and_views),
        CASE(replacing_fails_whole_when_an_index_does_not_fit),
        CASE(appending_adds_all_rows),
        CASE(appending_to_nothing_makes_the_table),
        CASE(appending_needs_the_columns),
        CASE(a_row_that_breaks_a_rule_of_the_table_is_bad),
        CASE(an_append_that_fails_late_adds_nothing),
        CASE(what_a_killed_import_left_is_cleared),
        CASE(every_horror_fails_at_its_place_and_changes_nothing),
        CASE(every_horror_can_be_kept_aside),
        CASE(a_bad_number_is_a_bad_row_with_its_column),
        CASE(an_empty_number_is_bad_where_empty_means_text),
        CASE(too_many_bad_rows_end_the_import),
        CASE(a_swallowed_line_counts_as_a_bad_row),
        CASE(yesterdays_rejects_give_way_to_todays),
        CASE(a_users_own_rejected_table_is_left_alone),
        CASE(headers_that_do_not_fit_are_named),
        CASE(options_are_checked_across),
        CASE(missing_files_are_no_input),
        CASE(a_file_that_is_no_database_is_left_alone),
        CASE(a_folder_that_is_not_there_cannot_hold_a_database),
        CASE(a_read_only_folder_cannot_be_written),
        CASE(a_locked_database_is_waited_for_and_left),
        CASE(a_full_disk_leaves_the_old_rows),
        CASE(a_stop_leaves_everything_as_it_was),
        CASE(a_reader_in_between_sees_the_old_rows),
    };
    return cmocka_run_group_tests_name("csv_import", tests, NULL, NULL);
}
