/* The features stage in a run: a generated shop, its options and mistakes, what makes it run again.
 * Columns and values themselves are in unit/test_feature_build. */
#include "dataset/dataset.h"
#include "features/feature_table.h"
#include "shop/shop_database.h"
#include "run/runner.h"
#include "tests/support/stage_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

extern const struct stage stage_interactions, stage_features;
static const struct stage *const registry[] = {&stage_interactions, &stage_features, NULL};

static const char slot[] = "features/features";

/* Users 1 to 3, items 1 to 3; products 1, 2, 4 and 9. */
static const char source_sql[] =
    "CREATE TABLE events(user_id, item_id);"
    "INSERT INTO events VALUES (1,1),(1,2),(2,2),(2,3),(3,1),(3,3);"
    "CREATE TABLE products(item_id INTEGER PRIMARY KEY, category, price, tags);"
    "INSERT INTO products VALUES (1,'a',1.5,'p;q'),(2,'a',2.5,'q'),(9,'b',3.5,'p'),(4,'b',4.5,'');"
    "CREATE TABLE customers(user_id INTEGER PRIMARY KEY, age);"
    "INSERT INTO customers VALUES (1,20),(2,30),(3,NULL),(7,40);";

#define INTERACTIONS "  - interactions: {split: {by: none}}\n"

static void expect_ok(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s", (int)code, status->message);
    }
}

static void both_sides_are_in_the_artifact(void **state)
{
    struct status status = {0};
    struct features made = {0};
    stage_source(state, source_sql);
    expect_ok(stage_run(state, registry,
                        INTERACTIONS
                        "  - features:\n"
                        "      items:\n"
                        "        query: SELECT * FROM products\n"
                        "        columns: {tags: {type: multi, separator: ';'}, category: {type: "
                        "categorical, buckets: 5}}\n"
                        "      users: {query: 'SELECT user_id, age FROM customers'}\n",
                        1, &status),
              &status);
    struct artifact artifact = stage_artifact_of(state, slot);
    expect_ok(features_load(&made, &artifact, &status), &status);
    const struct feature_table *items = &made.side[FEATURE_ITEMS];
    const struct feature_table *users = &made.side[FEATURE_USERS];
    assert_int_equal(items->n_master, 3);
    assert_int_equal(items->extra.n, 2);
    assert_int_equal(items->extra.integers[0], 4);
    assert_int_equal(items->extra.integers[1], 9);
    assert_int_equal(items->n_columns, 3);
    /* category a b, 5 buckets, missing; price and missing; tags p q, 256 buckets */
    assert_int_equal(items->matrix.n_columns, 8 + 2 + 258);
    assert_true(items->columns[1].mean == 3);
    assert_int_equal(sparse_row_length(&items->matrix, 0), 4);
    assert_int_equal(sparse_row_length(&items->matrix, 2), 0); /* item 3 is no product */
    assert_int_equal(sparse_row_length(&items->matrix, 3), 2); /* item 4 has no tags */
    assert_int_equal(items->matrix.columns[items->matrix.offsets[4]], 1);
    assert_int_equal(users->n_master, 3);
    assert_int_equal(users->extra.n, 1);
    assert_int_equal(users->matrix.n_columns, 2);
    assert_int_equal(users->matrix.columns[2], 1); /* user 3 has no age */
    features_release(&made);
    artifact_release(&artifact);
}

static void a_side_without_a_query_has_rows_without_tokens(void **state)
{
    struct status status = {0};
    struct features made = {0};
    stage_source(state, source_sql);
    expect_ok(stage_run(state, registry,
                        INTERACTIONS
                        "  - features: {users: {query: 'SELECT user_id, age FROM customers'}}\n",
                        1, &status),
              &status);
    struct artifact artifact = stage_artifact_of(state, slot);
    expect_ok(features_load(&made, &artifact, &status), &status);
    assert_int_equal(made.side[FEATURE_ITEMS].n_master, 3);
    assert_int_equal(made.side[FEATURE_ITEMS].matrix.n_rows, 3);
    assert_int_equal(made.side[FEATURE_ITEMS].matrix.n_columns, 0);
    features_release(&made);
    artifact_release(&artifact);
}

/* Length of the part of an entity's row that belongs to a column. */
static double part_length(const struct feature_table *table, size_t entity, size_t c)
{
    const struct feature_column *column = &table->columns[c];
    const size_t end = column->first_token + feature_column_tokens(column);
    double squares = 0;
    for (int64_t i = table->matrix.offsets[entity]; i < table->matrix.offsets[entity + 1]; i++) {
        const size_t token = (size_t)table->matrix.columns[i];
        if (token >= column->first_token && token < end) {
            squares += (double)table->matrix.values[i] * (double)table->matrix.values[i];
        }
    }
    return sqrt(squares);
}

static void the_columns_of_a_shop_count_alike(void **state)
{
    const struct shop_database_options shop = {
        .shop = {.n_users = 120, .n_items = 80, .n_events = 2000, .n_days = 30, .seed = 3},
        .text_ids = true};
    struct progress progress = {0};
    struct status status = {0};
    struct features made = {0};
    char path[STORE_PATH_MAX];
    store_path(state, "source.db", path);
    expect_ok(shop_database_write(path, &shop, &progress, &status), &status);
    store_exec_apart(path, "CREATE TABLE log AS SELECT user_id, item_id, created_at FROM events;"
                           "DROP TABLE events; ALTER TABLE log RENAME TO events");
    expect_ok(
        stage_run(state, registry,
                  "  - interactions: {}\n"
                  "  - features:\n"
                  "      items: {query: 'SELECT item_id, title, category, price FROM items'}\n"
                  "      users: {query: 'SELECT user_id, segment, country FROM users'}\n",
                  1, &status),
        &status);
    struct artifact artifact = stage_artifact_of(state, slot);
    expect_ok(features_load(&made, &artifact, &status), &status);
    const struct feature_table *items = &made.side[FEATURE_ITEMS];
    assert_int_equal(items->n_columns, 3);
    assert_int_equal(items->columns[0].type, FEATURE_TEXT);
    assert_int_equal(items->columns[1].type, FEATURE_CATEGORICAL);
    assert_int_equal(items->columns[2].type, FEATURE_NUMERIC);
    assert_int_equal(items->matrix.n_rows, 80);
    double squares = 0;
    for (size_t i = 0; i < 80; i++) {
        /* floats: 1e-6 */
        assert_true(fabs(part_length(items, i, 0) - 1) < 1e-6);
        assert_true(fabs(part_length(items, i, 1) - 1) < 1e-6);
        squares += part_length(items, i, 2) * part_length(items, i, 2);
    }
    assert_true(squares > .7 * 80 && squares <= 80 * (1 + 1e-6)); /* the far ones are cut */
    assert_int_equal(made.side[FEATURE_USERS].matrix.n_rows, 120);
    features_release(&made);
    artifact_release(&artifact);
}

static void threads_change_no_byte(void **state)
{
    static const char stages[] =
        INTERACTIONS "  - features: {items: {query: SELECT * FROM products}}\n";
    struct status status = {0};
    char one[HASH_TEXT_MAX], four[HASH_TEXT_MAX];
    stage_source(state, source_sql);
    expect_ok(stage_run(state, registry, stages, 1, &status), &status);
    stage_hash(state, slot, one);
    expect_ok(stage_run(state, registry, stages, 4, &status), &status);
    stage_hash(state, slot, four);
    assert_string_equal(one, four);
}

/* Ends with `code` and a message that has `part`, and leaves no artifact. */
static void refused(void **state, const char *stage, enum status_code code, const char *part)
{
    struct status status = {0};
    char stages[1024];
    snprintf(stages, sizeof stages, "%s%s", INTERACTIONS, stage);
    assert_int_equal(stage_run(state, registry, stages, 1, &status), code);
    private_show(status.message);
    if (strstr(status.message, part) == NULL) {
        fail_msg("message: %s\nexpected: %s", status.message, part);
    }
    if (code != STATUS_CONFIG) {
        assert_false(stage_has_artifact(state, slot));
    }
}

static void bad_values_and_queries_end_the_run_without_an_artifact(void **state)
{
    stage_source(state, source_sql);
    refused(
        state,
        "  - features: {items: {query: 'SELECT item_id, category FROM products', columns: "
        "{category: {type: numeric}}}}\n",
        STATUS_DATA,
        "features.items.query, row 1 (item_id 1): category is \"a\", which is no finite number");
    refused(state,
            "  - features: {users: {query: 'SELECT user_id, age * 9e999 AS age FROM customers'}}\n",
            STATUS_DATA, "features.users.query, row 1: age is infinite");
    refused(state,
            "  - features: {items: {query: 'SELECT p.item_id, user_id FROM products p JOIN events "
            "USING (item_id) ORDER BY 1, 2'}}\n",
            STATUS_DATA, "features.items.query, row 2: item_id 1 has stood in row 1 already");
    refused(state, "  - features: {items: {query: DROP TABLE products}}\n", STATUS_CONFIG,
            "stage features");
    refused(state,
            "  - features: {items: {query: SELECT * FROM products, columns: {prise: {type: "
            "numeric}}}}\n",
            STATUS_CONFIG,
            "features.items.columns: the query has no column 'prise'; did you mean "
            "'price'?");
    refused(state,
            "  - features: {users: {query: SELECT * FROM customers}, fingerprint: SELECT 1; SELECT "
            "2}\n",
            STATUS_CONFIG, "features.fingerprint");
}

static void imputed_values_let_the_run_go_on(void **state)
{
    struct status status = {0};
    stage_source(state, source_sql);
    expect_ok(stage_run(state, registry,
                        INTERACTIONS
                        "  - features: {on_bad_value: impute, items: {query: 'SELECT item_id, "
                        "iif(item_id = 2, 9e999, price) AS price FROM products'}}\n",
                        1, &status),
              &status);
    struct artifact artifact = stage_artifact_of(state, slot);
    struct features made = {0};
    expect_ok(features_load(&made, &artifact, &status), &status);
    assert_int_equal(made.side[FEATURE_ITEMS].matrix.columns[1], 1); /* missing */
    features_release(&made);
    artifact_release(&artifact);
}

static void mistakes_of_the_file_have_their_places(void **state)
{
    struct status status = {0};
    assert_int_equal(stage_run(state, registry, INTERACTIONS "  - features: {}\n", 1, &status),
                     STATUS_CONFIG);
    assert_non_null(strstr(status.message, "neither items nor users are given"));
    assert_int_equal(status.line, 9);
    assert_int_equal(stage_run(state, registry,
                               INTERACTIONS "  - features: {items: {columns: {a: {type: "
                                            "catgorical}, b: {buckets: -1}}}}\n",
                               1, &status),
                     STATUS_CONFIG);
    assert_non_null(strstr(status.message, "did you mean \"categorical\"?"));
    assert_non_null(strstr(status.message, "items.columns.b.buckets"));
    assert_non_null(strstr(status.message, "required option \"query\" is missing"));
    assert_int_equal(stage_run(state, registry,
                               INTERACTIONS
                               "  - features:\n"
                               "      items:\n"
                               "        query: SELECT * FROM products\n"
                               "        columns: {tags: {type: multi, separator: ''}}\n",
                               1, &status),
                     STATUS_CONFIG);
    assert_non_null(strstr(status.message, "a separator must have at least one character"));
    assert_int_equal(status.line, 12);
}

/* A run that may skip; returns how many stages ran. */
static size_t run_again(void **state, const char *fingerprint)
{
    const struct stage_registry stages = {registry};
    struct status status = {0};
    struct run_result result = {0};
    struct plan *plan = NULL;
    struct buf text = {0};
    char path[STORE_PATH_MAX];
    store_path(state, "again.yaml", path);
    buf_addf(&text,
             "pipeline: again\nsource: {database: source.db, interactions: SELECT * FROM events, "
             "fingerprint: SELECT 1}\nwork: {database: again.db}\nstages:\n" INTERACTIONS
             "  - features: {items: {query: SELECT * FROM products}%s}\n",
             fingerprint);
    store_write_file(path, text.data, text.length);
    buf_release(&text);
    expect_ok(plan_load(path, &stages, NULL, 0, &plan, &status), &status);
    const struct run_request request = {.plan = plan, .version = "test"};
    expect_ok(runner_run(&request, &result, &status), &status);
    plan_free(plan);
    return result.n_run;
}

static void rows_are_read_again_unless_a_fingerprint_says_they_are_the_same(void **state)
{
    char source[STORE_PATH_MAX];
    stage_source(state, source_sql);
    store_path(state, "source.db", source);
    assert_int_equal(run_again(state, ""), 2);
    assert_int_equal(run_again(state, ""), 1);
    const char *fingerprint = ", fingerprint: SELECT sum(price) FROM products";
    assert_int_equal(run_again(state, fingerprint), 1);
    assert_int_equal(run_again(state, fingerprint), 0);
    store_exec_apart(source, "UPDATE products SET price = 8 WHERE item_id = 4");
    assert_int_equal(run_again(state, fingerprint), 1);
    assert_int_equal(run_again(state, fingerprint), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_sides_are_in_the_artifact),
        TEST(a_side_without_a_query_has_rows_without_tokens),
        TEST(the_columns_of_a_shop_count_alike),
        TEST(threads_change_no_byte),
        TEST(bad_values_and_queries_end_the_run_without_an_artifact),
        TEST(imputed_values_let_the_run_go_on),
        TEST(mistakes_of_the_file_have_their_places),
        TEST(rows_are_read_again_unless_a_fingerprint_says_they_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
