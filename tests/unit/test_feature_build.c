/* Side data from rows to tokens, against rows computed by hand, and everything that a table can
 * have wrong with it. */
#include "base/hash.h"
#include "features/feature_build.h"
#include "tests/support/store_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MASTER_IDS = 3 }; /* 10, 20, 30 */

/* One table of a database, read and built. */
struct attempt {
    struct vocabulary master;
    struct feature_rows rows;
    struct feature_table table;
    struct feature_report report;
    struct status status;
};

static const struct feature_rule any = {
    .type = FEATURE_AUTO, .separator = ",", .min_count = 2, .buckets = 0};

/* Runs `sql` in a new database, then reads `query` with `rule` for column `x`. */
static enum status_code attempt(void **state, const char *sql, const char *query,
                                const struct feature_rule *rule, enum bad_value on_bad_value,
                                struct attempt *a)
{
    static const char *const names[] = {"x"};
    struct feature_rule listed = rule != NULL ? *rule : any;
    const struct feature_rules rules = {
        .columns = {.n = rule != NULL, .names = names, .values = &listed},
        .other = &any,
        .what = "features.items.columns",
        .on_bad_value = on_bad_value};
    const struct feature_query feature_query = {.what = "features.items.query",
                                                .sql = query,
                                                .id_name = "item_id",
                                                .id_short = "item",
                                                .timeout_seconds = 10};
    char path[STORE_PATH_MAX];
    *a = (struct attempt){0};
    for (int64_t id = 10; id <= 10 * MASTER_IDS; id += 10) {
        int32_t ignored;
        assert_int_equal(vocabulary_add_integer(&a->master, id, &ignored, &a->status), STATUS_OK);
    }
    store_path(state, "side.db", path);
    remove(path);
    struct db *db = store_open(path, DB_CREATE);
    store_exec(db, sql);
    enum status_code code = feature_reader_run(db, &feature_query, NULL, &a->rows, &a->status);
    if (code == STATUS_OK) {
        code = feature_table_build(&a->rows, &rules, &a->master, &a->table, &a->report, &a->status);
    }
    db_close(db);
    return code;
}

static void finish(struct attempt *a)
{
    vocabulary_release(&a->master);
    feature_rows_release(&a->rows);
    feature_table_release(&a->table);
    feature_report_release(&a->report);
}

/* Builds without an error; column x as `rule` says. */
static void build(void **state, const char *sql, const struct feature_rule *rule, struct attempt *a)
{
    if (attempt(state, sql, "SELECT * FROM t", rule, BAD_VALUE_REJECT, a) != STATUS_OK) {
        fail_msg("%s", a->status.message);
    }
}

/* The row of an entity is these tokens and values. */
static void expect_row(const struct attempt *a, size_t entity, size_t n, const int32_t *tokens,
                       const double *values)
{
    const struct sparse *m = &a->table.matrix;
    assert_true(entity < m->n_rows);
    assert_int_equal(sparse_row_length(m, entity), n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(m->columns[m->offsets[entity] + (int64_t)i], tokens[i]);
        /* sums in double, kept as floats */
        assert_true(fabs((double)m->values[m->offsets[entity] + (int64_t)i] - values[i]) < 1e-6);
    }
}
static void expect_one(const struct attempt *a, size_t entity, int32_t token, double value)
{
    expect_row(a, entity, 1, &token, &value);
}

static void expect_warning(const struct attempt *a, size_t index, const char *expected)
{
    char text[1024];
    size_t length;
    assert_true(index < a->report.warnings.n);
    const char *warning = strings_get(&a->report.warnings, index, &length);
    snprintf(text, sizeof text, "%.*s", (int)length, warning);
    private_show(text);
    assert_string_equal(text, expected);
}

static void expect_said(const struct attempt *a, const char *expected)
{
    assert_non_null(strstr(buf_text(&a->report.summary), expected));
}

static int32_t bucket(const char *text, size_t n_buckets)
{
    return (int32_t)(hash_bytes64(text, strlen(text)) % n_buckets);
}

static void frequent_categories_have_tokens_and_rare_ones_share_buckets(void **state)
{
    const struct feature_rule rule = {
        .type = FEATURE_CATEGORICAL, .separator = ",", .min_count = 2, .buckets = 4};
    struct attempt a;
    build(state,
          "CREATE TABLE t(item_id, x);"
          "INSERT INTO t VALUES (10,'b'),(20,'a'),(30,'a'),(40,'b'),(50,'rare'),(60,NULL),(70,''),"
          "(80,7),(90,7.0),(100,9007199254740993)",
          &rule, &a);
    const struct feature_column *column = &a.table.columns[0];
    assert_int_equal(column->n_values, 3); /* 7, a, b by bytes */
    assert_int_equal(column->n_buckets, 4);
    assert_int_equal(feature_column_tokens(column), 8);
    assert_int_equal(a.table.matrix.n_columns, 8);
    expect_one(&a, 0, 2, 1);
    expect_one(&a, 1, 1, 1);
    expect_one(&a, 2, 1, 1);
    expect_one(&a, 3, 2, 1);
    expect_one(&a, 4, 3 + bucket("rare", 4), 1);
    expect_one(&a, 5, 7, 1); /* missing */
    expect_one(&a, 6, 7, 1);
    expect_one(&a, 7, 0, 1); /* 7 and 7.0 are one category */
    expect_one(&a, 8, 0, 1);
    expect_one(&a, 9, 3 + bucket("9007199254740993", 4), 1); /* beyond a double, yet exact */
    assert_int_equal(a.report.warnings.n, 0);
    finish(&a);
}

static void parts_of_a_list_share_the_length_of_the_row(void **state)
{
    const struct feature_rule rule = {
        .type = FEATURE_MULTI, .separator = "|", .min_count = 1, .buckets = 2};
    const double half = 1 / sqrt(2), third = 1 / sqrt(3);
    struct attempt a;
    build(state,
          "CREATE TABLE t(item_id, x);"
          "INSERT INTO t VALUES (10,'a | b|a'),(20,'[\"b\", \"c\", 5]'),(30,'|'),(40,5)",
          &rule, &a);
    assert_int_equal(a.table.columns[0].n_values, 4); /* 5, a, b, c */
    expect_row(&a, 0, 2, (int32_t[]){1, 2}, (double[]){half, half});
    expect_row(&a, 1, 3, (int32_t[]){0, 2, 3}, (double[]){third, third, third});
    expect_row(&a, 2, 0, NULL, NULL);
    expect_one(&a, 3, 0, 1);
    expect_said(&a, ", 1 missing");
    finish(&a);
}

static void rows_before_the_first_token_are_empty(void **state)
{
    static const enum feature_type types[] = {FEATURE_MULTI, FEATURE_TEXT};
    for (size_t i = 0; i < 2; i++) {
        const struct feature_rule rule = {
            .type = (int)types[i], .separator = ",", .min_count = 1, .buckets = 1};
        struct attempt a;
        build(state,
              "CREATE TABLE t(item_id, x);"
              "INSERT INTO t VALUES (10,NULL),(20,','),(30,'word')",
              &rule, &a);
        expect_row(&a, 0, 0, NULL, NULL);
        expect_row(&a, 1, 0, NULL, NULL);
        expect_one(&a, 2, 0, 1);
        expect_said(&a, ", 2 missing");
        finish(&a);
    }
}

static void rare_parts_that_share_a_bucket_count_once(void **state)
{
    const struct feature_rule rule = {
        .type = FEATURE_MULTI, .separator = ",", .min_count = 2, .buckets = 1};
    struct attempt a;
    build(state,
          "CREATE TABLE t(item_id, x);"
          "INSERT INTO t VALUES (10,'p,q,both'),(20,'both')",
          &rule, &a);
    expect_row(&a, 0, 2, (int32_t[]){0, 1}, (double[]){1 / sqrt(2), 1 / sqrt(2)});
    expect_one(&a, 1, 0, 1);
    finish(&a);
}

static void numbers_are_standardised_and_missing_ones_have_a_token(void **state)
{
    const struct feature_rule rule = {.type = FEATURE_NUMERIC, .separator = ",", .min_count = 1};
    struct attempt a;
    build(state,
          "CREATE TABLE t(item_id, x);"
          "INSERT INTO t VALUES (10,1),(20,3.0),(30,'5'),(40,NULL),(50,'')",
          &rule, &a);
    const double sd = sqrt(8.0 / 3);
    assert_true(a.table.columns[0].mean == 3);
    assert_true(fabs(a.table.columns[0].sd - sd) < 1e-15);
    assert_int_equal(a.table.matrix.n_columns, 2);
    expect_one(&a, 0, 0, -2 / sd);
    expect_one(&a, 1, 0, 0);
    expect_one(&a, 2, 0, 2 / sd);
    expect_one(&a, 3, 1, 1);
    expect_one(&a, 4, 1, 1);
    finish(&a);
}

static void a_number_far_out_is_cut_at_five_deviations(void **state)
{
    struct attempt a;
    /* 40 zeros and one 1000: its deviation is sqrt(40), 6.3 */
    build(state,
          "CREATE TABLE t(item_id, x);"
          "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 41) "
          "INSERT INTO t SELECT 10 * k, iif(k = 2, -1000, 0) FROM n",
          NULL, &a);
    expect_one(&a, 1, 0, -5);
    expect_one(&a, 0, 0, 1 / sqrt(40));
    finish(&a);
}

static void words_weigh_by_how_rare_they_are_and_rows_have_length_one(void **state)
{
    enum { BUCKETS = 1000003 };
    const struct feature_rule rule = {
        .type = FEATURE_TEXT, .separator = ",", .min_count = 1, .buckets = BUCKETS};
    const double idf = 1 + log(3.0 / 2); /* in one of the two rows with words; "red" has 1 */
    const double one = sqrt(1 + idf * idf), two = sqrt(4 + idf * idf);
    const int32_t red = bucket("red", BUCKETS), shoe = bucket("shoe", BUCKETS),
                  hat = bucket("hat", BUCKETS);
    struct attempt a;
    build(state,
          "CREATE TABLE t(item_id, x);"
          "INSERT INTO t VALUES (10,'Red SHOE'),(20,'red hat red'),(30,NULL),(40,'--')",
          &rule, &a);
    assert_int_equal(a.table.matrix.n_columns, BUCKETS);
    expect_row(&a, 0, 2, red < shoe ? (int32_t[]){red, shoe} : (int32_t[]){shoe, red},
               red < shoe ? (double[]){1 / one, idf / one} : (double[]){idf / one, 1 / one});
    expect_row(&a, 1, 2, red < hat ? (int32_t[]){red, hat} : (int32_t[]){hat, red},
               red < hat ? (double[]){2 / two, idf / two} : (double[]){idf / two, 2 / two});
    expect_row(&a, 2, 0, NULL, NULL);
    expect_row(&a, 3, 0, NULL, NULL);
    expect_said(&a, ", 2 missing");
    finish(&a);
}

static const struct feature_rule vector = {.type = FEATURE_VECTOR, .separator = ","};

static void vectors_are_directions_from_the_mean(void **state)
{
    /* unit vectors (1, 0), (0, 1), (0, 1), (0, 1): the mean is (1/4, 3/4) */
    static const char *const tables[] = {
        "CREATE TABLE t(item_id, x); INSERT INTO t VALUES"
        " (10,x'0000803f00000000'),(20,x'0000000000000040'),(30,NULL),(40,x'0000000000004040'),"
        "(50,x'000000000000803f')",
        "CREATE TABLE t(item_id, x); INSERT INTO t VALUES"
        " (10,'[1.0, 0]'),(20,'[0,2.5e0]'),(30,NULL),(40,' [ 0 , 3.5 ] '),(50,'[0.0,1]')"};
    const double half = sqrt(0.5);
    for (size_t i = 0; i < 2; i++) {
        struct attempt a;
        build(state, tables[i], i == 0 ? NULL : &vector, &a);
        assert_int_equal(a.table.columns[0].type, FEATURE_VECTOR);
        assert_int_equal(a.table.matrix.n_columns, 2);
        expect_row(&a, 0, 2, (int32_t[]){0, 1}, (double[]){half, -half});
        expect_row(&a, 1, 2, (int32_t[]){0, 1}, (double[]){-half, half});
        expect_row(&a, 2, 0, NULL, NULL);
        expect_row(&a, 3, 2, (int32_t[]){0, 1}, (double[]){-half, half});
        expect_said(&a, ", 1 missing");
        finish(&a);
    }
}

static void the_greatest_components_of_vectors_are_kept(void **state)
{
    /* 40 vectors near the circle of the first two numbers of five */
    const struct feature_rule rule = {.type = FEATURE_VECTOR, .separator = ",", .components = 2};
    struct attempt a;
    build(state,
          "CREATE TABLE t(item_id, x);"
          "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 40)"
          "INSERT INTO t SELECT 10 * k, json_array(cos(k * 0.5), sin(k * 0.5), 0.01 * (k % 3), 0,"
          " 0.01 * (k % 2)) FROM n",
          &rule, &a);
    assert_int_equal(a.table.columns[0].dimension, 5);
    assert_int_equal(a.table.matrix.n_columns, 2);
    assert_true(a.table.columns[0].kept > 0.999 && a.table.columns[0].kept < 1.0);
    for (size_t entity = 0; entity < 3; entity++) { /* the cosines of neighbours on the circle */
        const float *v = a.table.matrix.values + a.table.matrix.offsets[entity];
        const double cosine = (double)v[0] * (double)v[2] + (double)v[1] * (double)v[3];
        assert_int_equal(sparse_row_length(&a.table.matrix, entity), 2);
        assert_true(fabs(cosine - cos(0.5)) < 0.05);
    }
    assert_non_null(
        strstr(buf_text(&a.report.summary),
               "x: vector, 5 numbers, of them 2 components with 100 % of the variance"));
    finish(&a);
}

static void columns_stand_side_by_side_in_the_order_of_the_query(void **state)
{
    const struct feature_rule rule = {
        .type = FEATURE_CATEGORICAL, .separator = ",", .min_count = 1, .buckets = 3};
    struct attempt a;
    build(state,
          "CREATE TABLE t(price, ITEM_ID, X);"
          "INSERT INTO t VALUES (1,10,'u'),(3,20,'v')",
          &rule, &a);
    assert_int_equal(a.table.n_columns, 2);
    assert_int_equal(a.table.columns[0].type, FEATURE_NUMERIC);
    assert_int_equal(a.table.columns[0].first_token, 0);
    assert_int_equal(a.table.columns[1].type, FEATURE_CATEGORICAL);
    assert_int_equal(a.table.columns[1].first_token, 2);
    expect_row(&a, 0, 2, (int32_t[]){0, 2}, (double[]){-1, 1});
    expect_row(&a, 1, 2, (int32_t[]){0, 3}, (double[]){1, 1});
    expect_row(&a, 2, 0, NULL, NULL); /* 30 has no row in the table */
    finish(&a);
}

static void types_are_found_out_where_none_is_given(void **state)
{
    struct attempt a;
    build(state,
          "CREATE TABLE t(item_id, number, mixed, category, words, list, void);"
          "INSERT INTO t VALUES (10, 1, 1,   'a', 'one thing',   '[\"p\"]', NULL),"
          "                     (20, 2, 2,   'a', 'two things',  NULL,      NULL),"
          "                     (30, 3, '3', 'a', 'three other', '[]',      NULL)",
          NULL, &a);
    assert_int_equal(a.table.n_columns, 5);
    assert_int_equal(a.table.columns[0].type, FEATURE_NUMERIC);
    assert_int_equal(a.table.columns[1].type, FEATURE_NUMERIC);
    assert_int_equal(a.table.columns[2].type, FEATURE_CATEGORICAL);
    assert_int_equal(a.table.columns[3].type, FEATURE_TEXT);
    assert_int_equal(a.table.columns[4].type, FEATURE_MULTI);
    assert_non_null(
        strstr(buf_text(&a.report.summary), "category: categorical (chosen), 1 values"));
    assert_non_null(strstr(buf_text(&a.report.summary), "words: text (chosen), 16384 buckets"));
    expect_said(&a, ", 2 missing");
    expect_warning(&a, 0,
                   "features.items.query: column void has no value in any row: it is left out");
    finish(&a);
}

static void ids_that_the_interactions_lack_follow_in_their_order(void **state)
{
    struct attempt a;
    build(state,
          "CREATE TABLE t(item_id, x);"
          "INSERT INTO t VALUES (99,1),(20,2),(15,3),(-4,4)",
          NULL, &a);
    assert_int_equal(a.table.n_master, 3);
    assert_int_equal(a.table.extra.n, 3);
    assert_int_equal(a.table.matrix.n_rows, 6);
    assert_int_equal(a.table.extra.integers[0], -4);
    assert_int_equal(a.table.extra.integers[1], 15);
    assert_int_equal(a.table.extra.integers[2], 99);
    const double sd = sqrt(1.25);
    expect_row(&a, 0, 0, NULL, NULL);
    expect_one(&a, 1, 0, -.5 / sd);
    expect_one(&a, 3, 0, 1.5 / sd);
    expect_one(&a, 4, 0, .5 / sd);
    expect_one(&a, 5, 0, -1.5 / sd);
    assert_non_null(strstr(buf_text(&a.report.summary),
                           "4 rows, 3 of them not in the interactions; 2 of the interactions have "
                           "no row"));
    finish(&a);
}

static void the_order_of_rows_changes_nothing(void **state)
{
    static const char *const orders[] = {"item_id", "item_id DESC"};
    struct attempt made[2];
    for (size_t i = 0; i < 2; i++) {
        char query[128];
        snprintf(query, sizeof query, "SELECT * FROM t ORDER BY %s", orders[i]);
        assert_int_equal(attempt(state,
                                 "CREATE TABLE t(item_id, category, words, x);"
                                 "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n "
                                 "WHERE k < 50) INSERT INTO t SELECT k, 'c' || k % 7, "
                                 "'w' || k || ' w' || k % 3, k / 7 FROM n",
                                 query, NULL, BAD_VALUE_REJECT, &made[i]),
                         STATUS_OK);
    }
    const struct sparse *a = &made[0].table.matrix, *b = &made[1].table.matrix;
    assert_int_equal(a->n_rows, b->n_rows);
    assert_int_equal(sparse_entries(a), sparse_entries(b));
    assert_memory_equal(a->offsets, b->offsets, (a->n_rows + 1) * sizeof *a->offsets);
    assert_memory_equal(a->columns, b->columns, sparse_entries(a) * sizeof *a->columns);
    assert_memory_equal(a->values, b->values, sparse_entries(a) * sizeof *a->values);
    finish(&made[0]);
    finish(&made[1]);
}

/* Ends with `code` and this message, and leaves no table. */
static void expect_error(void **state, const char *sql, const char *query,
                         const struct feature_rule *rule, enum status_code code,
                         const char *message)
{
    struct attempt a;
    assert_int_equal(attempt(state, sql, query, rule, BAD_VALUE_REJECT, &a), code);
    private_show(a.status.message);
    if (strcmp(a.status.message, message) != 0) {
        fail_msg("message: %s\nexpected: %s", a.status.message, message);
    }
    assert_int_equal(a.table.matrix.n_rows, 0);
    assert_null(a.table.matrix.offsets);
    assert_null(a.table.columns);
    assert_int_equal(a.table.extra.n, 0);
    finish(&a);
}

static const char all[] = "SELECT * FROM t";

static void a_value_that_does_not_fit_is_named_with_row_id_and_column(void **state)
{
    const struct feature_rule numeric = {.type = FEATURE_NUMERIC, .separator = ",", .min_count = 1};
    const struct feature_rule multi = {.type = FEATURE_MULTI, .separator = ",", .min_count = 1};
    const struct feature_rule text = {.type = FEATURE_TEXT, .separator = ",", .min_count = 1};
#define ADVICE "; correct it, or set on_bad_value: impute to count such values as missing"
    expect_error(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES (10,1),(20,9e999)", all,
                 &numeric, STATUS_DATA,
                 "features.items.query, row 2 (item_id 20): x is infinite" ADVICE);
    expect_error(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES (10,1),(20,-9e999)", all,
                 NULL, STATUS_DATA,
                 "features.items.query, row 2 (item_id 20): x is infinite" ADVICE);
    expect_error(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES (10,1),(20,'nan')", all,
                 &numeric, STATUS_DATA,
                 "features.items.query, row 2 (item_id 20): x is \"nan\", which is no finite "
                 "number" ADVICE);
    expect_error(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES (10,1),(20,1e101)", all,
                 &numeric, STATUS_DATA,
                 "features.items.query, row 2 (item_id 20): x is \"1e+101\", beyond the range of "
                 "-1e100 to 1e100" ADVICE);
    expect_error(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES ('k',x'00')", all, &text,
                 STATUS_DATA,
                 "features.items.query: item_id is TEXT here and INTEGER in the interactions; make "
                 "them alike with CAST");
    expect_error(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES (5,x'00')", all, &text,
                 STATUS_DATA, "features.items.query, row 1 (item_id 5): x is a BLOB" ADVICE);
    expect_error(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES (5,'[.5,1]')", all,
                 &multi, STATUS_DATA,
                 "features.items.query, row 1 (item_id 5): x is \"[.5,1]\", a list of numbers: "
                 "read the column as `type: vector`" ADVICE);
    expect_error(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES (5,'[1,')", all, &multi,
                 STATUS_DATA,
                 "features.items.query, row 1 (item_id 5): x is \"[1,\", which begins like a JSON "
                 "array of texts and is none" ADVICE);
}

static void a_vector_that_is_none_is_named_with_row_id_and_column(void **state)
{
    const struct feature_rule three = {
        .type = FEATURE_VECTOR, .separator = ",", .dimension = 3, .components = 64};
#define AT "features.items.query, row 2 (item_id 20): x is "
    static const struct {
        const char *value, *problem;
    } bad[] = {
        {"x'0000803f'", "a BLOB, of 1 numbers where the column's vectors have 2"},
        {"x'0000803f00'", "a BLOB, which is no vector of 1 to 8192 little-endian float32"},
        {"x'0000803f0000c07f'", "a BLOB, with a number that is not finite"},
        {"x'0000807f00000000'", "a BLOB, with a number that is not finite"},
        {"zeroblob(8)", "a BLOB, all zeros, which have no direction"},
        {"zeroblob(4 * 8193)", "a BLOB, which is no vector of 1 to 8192 little-endian float32"},
        {"'[1, nan]'", "\"[1, nan]\", which is neither a JSON array of numbers nor a BLOB"},
        {"'[1, 1e39]'", "\"[1, 1e39]\", which is neither a JSON array of numbers nor a BLOB"},
        {"'[1, ]'", "\"[1, ]\", which is neither a JSON array of numbers nor a BLOB"},
        {"'[]'", "\"[]\", which is neither a JSON array of numbers nor a BLOB"},
        {"'[1, 2'", "\"[1, 2\", which is neither a JSON array of numbers nor a BLOB"},
        {"'[1, 2, 3]'", "\"[1, 2, 3]\", of 3 numbers where the column's vectors have 2"},
        {"7", "\"7\", which is neither a JSON array of numbers nor a BLOB"},
        {"9e999", "infinite, which is neither a JSON array of numbers nor a BLOB"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char sql[256], message[512];
        snprintf(sql, sizeof sql,
                 "CREATE TABLE t(item_id, x); INSERT INTO t VALUES (10,'[1,2]'),(20,%s)",
                 bad[i].value);
        snprintf(message, sizeof message, AT "%s" ADVICE, bad[i].problem);
        expect_error(state, sql, all, &vector, STATUS_DATA, message);
    }
    expect_error(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES (10,'[1,2]')", all,
                 &three, STATUS_DATA,
                 "features.items.query, row 1 (item_id 10): x is \"[1,2]\", of 2 numbers where the "
                 "column's vectors have 3" ADVICE);
    struct attempt a;
    assert_int_equal(attempt(state,
                             "CREATE TABLE t(item_id, x); INSERT INTO t VALUES"
                             " (10,'[1,2]'),(20,'[1]'),(30,'[2,1]'),(40,x'00')",
                             all, &vector, BAD_VALUE_IMPUTE, &a),
                     STATUS_OK);
    expect_row(&a, 1, 0, NULL, NULL);
    expect_warning(&a, 0,
                   "2 values count as missing, first " AT
                   "\"[1]\", of 1 numbers where the column's vectors have 2");
    finish(&a);
}

static void equal_vectors_say_nothing(void **state)
{
    struct attempt a;
    build(state,
          "CREATE TABLE t(item_id, x, y); INSERT INTO t VALUES (10,'[1,2]',1),(20,'[2,4]',2)",
          &vector, &a);
    assert_int_equal(a.table.n_columns, 1);
    expect_warning(&a, 0,
                   "features.items.query: column x has the same vector in every row: it is left "
                   "out");
    finish(&a);
}

static void a_bad_value_may_count_as_missing(void **state)
{
    const struct feature_rule rule = {.type = FEATURE_NUMERIC, .separator = ",", .min_count = 1};
    struct attempt a;
    assert_int_equal(attempt(state,
                             "CREATE TABLE t(item_id, x);"
                             "INSERT INTO t VALUES (10,1),(20,'nan'),(30,3),(40,9e999),(50,x'01')",
                             all, &rule, BAD_VALUE_IMPUTE, &a),
                     STATUS_OK);
    assert_true(a.table.columns[0].mean == 2 && a.table.columns[0].sd == 1);
    expect_one(&a, 0, 0, -1);
    expect_one(&a, 1, 1, 1);
    expect_one(&a, 3, 1, 1);
    expect_one(&a, 4, 1, 1);
    expect_warning(&a, 0,
                   "3 values count as missing, first features.items.query, row 2 (item_id 20): x "
                   "is \"nan\", which is no finite number");
    finish(&a);
}

static void a_column_that_says_nothing_is_left_out_with_a_warning(void **state)
{
    struct attempt a;
    build(state,
          "CREATE TABLE t(item_id, x, y);"
          "INSERT INTO t VALUES (10,0.1,1),(20,0.1,2),(30,0.1,3),(40,NULL,4)",
          NULL, &a);
    assert_int_equal(a.table.n_columns, 1);
    assert_int_equal(a.table.matrix.n_columns, 2);
    expect_warning(&a, 0,
                   "features.items.query: column x has the same value, 0.1, in every row that has "
                   "one: it is left out");
    finish(&a);
}

static void an_empty_table_is_a_warning(void **state)
{
    struct attempt a;
    build(state, "CREATE TABLE t(item_id, x)", NULL, &a);
    assert_int_equal(a.table.matrix.n_rows, 3);
    assert_int_equal(a.table.matrix.n_columns, 0);
    assert_int_equal(sparse_entries(&a.table.matrix), 0);
    assert_int_equal(a.report.warnings.n, 1);
    expect_warning(&a, 0, "features.items.query gives no rows");
    finish(&a);
}

static void wrong_columns_are_mistakes_of_the_configuration(void **state)
{
    const char *table = "CREATE TABLE t(item_id, x, xx, y); INSERT INTO t VALUES (10,1,2,3)";
    const struct feature_rule rule = {.type = FEATURE_NUMERIC, .separator = ",", .min_count = 1};
    expect_error(state, table, "SELECT x, y FROM t", NULL, STATUS_CONFIG,
                 "features.items.query: the query needs a column named item_id (or item): name it "
                 "with AS");
    expect_error(state, table, "SELECT item_id FROM t", NULL, STATUS_CONFIG,
                 "features.items.query: the query gives the item_id alone; add the columns that "
                 "describe it");
    expect_error(state, table, "SELECT item_id, x, y AS X FROM t", NULL, STATUS_CONFIG,
                 "features.items.query: two columns are called 'X'; name them apart with AS");
    expect_error(state, table, "SELECT item_id, x AS item FROM t", NULL, STATUS_CONFIG,
                 "features.items.query: columns 'item_id' and 'item' are both the item_id");
    expect_error(state, table, "SELECT item_id, xx FROM t", &rule, STATUS_CONFIG,
                 "features.items.columns: the query has no column 'x'; did you mean 'xx'?");
    expect_error(state, table, "SELECT item_id, y AS category FROM t", &rule, STATUS_CONFIG,
                 "features.items.columns: the query has no column 'x'; its columns are category");
}

static void an_id_must_be_one_and_stand_once(void **state)
{
    expect_error(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES (10,1),(20,1),(10,2)",
                 all, NULL, STATUS_DATA,
                 "features.items.query, row 3: item_id 10 has stood in row 1 already; the query "
                 "must give one row an id (GROUP BY)");
    expect_error(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES (10,1),(10.0,2)", all,
                 NULL, STATUS_DATA,
                 "features.items.query, row 2: item_id 10 has stood in row 1 already; the query "
                 "must give one row an id (GROUP BY)");
    expect_error(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES (10,1),(NULL,2)", all,
                 NULL, STATUS_DATA,
                 "features.items.query, row 2: item_id is NULL; filter such rows in the query");
    expect_error(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES (x'07',2)", all, NULL,
                 STATUS_DATA,
                 "features.items.query, row 1: item_id is a BLOB; filter such rows in the query");
    expect_error(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES ('',2)", all, NULL,
                 STATUS_DATA,
                 "features.items.query, row 1: item_id is an empty text; filter such rows in the "
                 "query");
    expect_error(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES (1.5,2)", all, NULL,
                 STATUS_DATA,
                 "features.items.query, row 1: item_id is not a whole number; filter such rows in "
                 "the query");
    expect_error(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES (1,2),('b',2)", all, NULL,
                 STATUS_DATA,
                 "features.items.query, row 2: item_id is TEXT, the rows before have INTEGER; all "
                 "ids must be of one type: use CAST in the query");
}

static void a_query_only_reads(void **state)
{
    struct attempt a;
    assert_int_equal(attempt(state, "CREATE TABLE t(item_id, x); INSERT INTO t VALUES (10,1)",
                             "DELETE FROM t RETURNING item_id, x", NULL, BAD_VALUE_REJECT, &a),
                     STATUS_CONFIG);
    assert_non_null(strstr(a.status.message, "features.items.query: only reading is allowed"));
    finish(&a);
    char path[STORE_PATH_MAX];
    store_path(state, "side.db", path);
    struct db *db = store_open(path, DB_READ);
    store_assert_rows(db, all, "10|1\n");
    db_close(db);
}

static void note_rows(void *data, double done, double total)
{
    (void)total;
    *(double *)data = done;
}

static enum status_code stop_at_once(void *data, struct status *status)
{
    (void)data;
    return status_set(status, STATUS_SIGNAL, "stop");
}

static void reading_can_be_stopped(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    struct feature_rows rows = {0};
    double seen = 0;
    const struct watch watch = {stop_at_once, note_rows, &seen};
    const struct feature_query query = {
        .what = "q",
        .sql = "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 9999) "
               "SELECT k AS item_id, k AS x FROM n",
        .id_name = "item_id",
        .id_short = "item",
        .timeout_seconds = 10};
    store_path(state, "side.db", path);
    struct db *db = store_open(path, DB_CREATE);
    assert_int_equal(feature_reader_run(db, &query, &watch, &rows, &status), STATUS_SIGNAL);
    assert_true(seen == 4096);
    assert_null(rows.cells);
    db_close(db);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frequent_categories_have_tokens_and_rare_ones_share_buckets),
        TEST(parts_of_a_list_share_the_length_of_the_row),
        TEST(rows_before_the_first_token_are_empty),
        TEST(rare_parts_that_share_a_bucket_count_once),
        TEST(numbers_are_standardised_and_missing_ones_have_a_token),
        TEST(a_number_far_out_is_cut_at_five_deviations),
        TEST(words_weigh_by_how_rare_they_are_and_rows_have_length_one),
        TEST(vectors_are_directions_from_the_mean),
        TEST(the_greatest_components_of_vectors_are_kept),
        TEST(a_vector_that_is_none_is_named_with_row_id_and_column),
        TEST(equal_vectors_say_nothing),
        TEST(columns_stand_side_by_side_in_the_order_of_the_query),
        TEST(types_are_found_out_where_none_is_given),
        TEST(ids_that_the_interactions_lack_follow_in_their_order),
        TEST(the_order_of_rows_changes_nothing),
        TEST(a_value_that_does_not_fit_is_named_with_row_id_and_column),
        TEST(a_bad_value_may_count_as_missing),
        TEST(a_column_that_says_nothing_is_left_out_with_a_warning),
        TEST(an_empty_table_is_a_warning),
        TEST(wrong_columns_are_mistakes_of_the_configuration),
        TEST(an_id_must_be_one_and_stand_once),
        TEST(a_query_only_reads),
        TEST(reading_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
