/* Cold users and items through the whole pipeline, in a shop whose truth is planted: an item's
 * category decides who takes it. Lists by themselves are tested in tests/unit/test_serving_cold.c.
 */
#include "math/blas.h"
#include "serving/recommendations.h"
#include "tests/support/stage_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

extern const struct stage stage_interactions, stage_features, stage_pairs, stage_negatives,
    stage_train, stage_calibrate, stage_evaluate, stage_refit, stage_recommend, stage_publish;
static const struct stage *const registry[] = {&stage_interactions,
                                               &stage_features,
                                               &stage_pairs,
                                               &stage_negatives,
                                               &stage_train,
                                               &stage_calibrate,
                                               &stage_evaluate,
                                               &stage_refit,
                                               &stage_recommend,
                                               &stage_publish,
                                               NULL};

/* 150 users with segment u % 5, 100 items with category i % 5; a user takes nearly all items of the
 * segment, one in twelve is of another one. Users 801 to 805 have two events each, too few to be
 * trained on, users 901 to 905 none; items 501 to 510 have none. Newer than all that are dislikes,
 * of items that fit the user and that most users do not have. */
static const char shop[] =
    "CREATE TABLE events (user_id, item_id, event, time);"
    "CREATE TABLE products (item_id PRIMARY KEY, category);"
    "CREATE TABLE customers (user_id PRIMARY KEY, segment);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
    " INSERT INTO events SELECT 1 + i % 150, 1 + (i * 7919 % 1009 * 31 % 20) * 5 +"
    " ((i + CASE WHEN i * 31 % 12 = 0 THEN 2 ELSE 0 END) % 5), 'buy',"
    " 1600000000 + (i * 104729 % 2999) * 2880 FROM n;"
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9)"
    " INSERT INTO events SELECT 801 + i % 5, 1 + i % 5 + 5 * (3 + i / 5), 'buy',"
    " 1600000000 + i FROM n;"
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99)"
    " INSERT INTO products SELECT 1 + i, 'c' || (i % 5) FROM n;"
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9)"
    " INSERT INTO products SELECT 501 + i, 'c' || (i % 5) FROM n;"
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 149)"
    " INSERT INTO customers SELECT 1 + i, 'c' || (i % 5) FROM n;"
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4)"
    " INSERT INTO customers SELECT 901 + i, 'c' || (i % 5) FROM n;"
    "INSERT INTO events SELECT user_id, item_id, 'hide', 1610000000 FROM customers JOIN products"
    " ON category = segment WHERE user_id <= 150 AND item_id <= 100"
    " AND (user_id + item_id * 7) % 4 = 0;"
    /* of an item without events, by a user without events, and both */
    "INSERT INTO events VALUES (3, 503, 'hide', 1610000000), (902, 12, 'hide', 1610000000),"
    " (903, 503, 'hide', 1610000000);";

static const char text_ids[] =
    "UPDATE events SET user_id = 'u' || user_id, item_id = 'i' || item_id;"
    "UPDATE products SET item_id = 'i' || item_id;"
    "UPDATE customers SET user_id = 'u' || user_id;";

#define BEFORE                                                                                     \
    "  - interactions: {event_weights: {buy: 1}, dislikes: [hide], min_user_interactions: 3,\n"    \
    "      split: {by: random, valid: 0.15, test: 0.15, cold_users: 0.1, cold_items: 0.15}}\n"     \
    "  - features:\n"                                                                              \
    "      items: {query: SELECT * FROM products}\n"                                               \
    "      users: {query: SELECT * FROM customers}\n"                                              \
    "  - pairs: {evidence: {}}\n"                                                                  \
    "  - negatives: {strategy: uniform, count: 60}\n"                                              \
    "  - train: {dimension: 8, epochs: 30, batch_users: 32, learning_rate: 0.03, id_dropout: 0.3}" \
    "\n"                                                                                           \
    "  - calibrate: {}\n"                                                                          \
    "  - evaluate: {metrics: ['ndcg@10']}\n"                                                       \
    "  - refit: {}\n"
#define AFTER "  - publish: {}\n"

static void run(void **state, const char *stages, int threads)
{
    struct status status;
    const enum status_code code = stage_run(state, registry, stages, threads, &status);
    if (code != STATUS_OK) {
        fail_msg("%s", status.message);
    }
}

/* A number out of the published views, with the shop attached. */
static double number(void **state, const char *sql)
{
    char path[STORE_PATH_MAX];
    struct buf attach = {0};
    struct status status = {0};
    struct db_query *query = NULL;
    bool has_row;
    store_path(state, "output.db", path);
    struct db *db = store_open(path, DB_WRITE);
    store_path(state, "source.db", path);
    buf_addf(&attach, "ATTACH '%s' AS shop", path);
    store_exec(db, buf_text(&attach));
    assert_int_equal(db_prepare(db, sql, &query, &status), STATUS_OK);
    assert_int_equal(db_step(query, &has_row, &status), STATUS_OK);
    assert_true(has_row);
    double value = db_column_double(query, 0);
    db_finalize(query);
    db_close(db);
    buf_release(&attach);
    return value;
}

static void expect(void **state, const char *sql, double least, double most)
{
    double value = number(state, sql);
    if (!(value >= least && value <= most)) {
        fail_msg("%g, not %g to %g: %s", value, least, most, sql);
    }
}

/* Of each user's two best new items, how many are of the user's segment: it has two. Chance is 0.2.
 */
#define FITTING(new_items)                                                                         \
    "SELECT avg(category = segment) FROM (SELECT *, row_number() OVER (PARTITION BY user_id"       \
    " ORDER BY rank) AS place FROM recommendations WHERE " new_items                               \
    " AND source = 'cold') JOIN shop.products USING (item_id) JOIN shop.customers USING (user_id)" \
    " WHERE place <= 2"

static void new_items_are_ranked_by_their_features_and_published(void **state)
{
    stage_source(state, shop);
    run(state, BEFORE "  - recommend: {top: 20, similar: 5}\n" AFTER, 2);
    /* judged */
    expect(state,
           "SELECT (SELECT value FROM nightjar_metrics WHERE name = 'ndcg@10' AND"
           " model = 'nightjar' AND \"group\" = 'cold_items') / (SELECT value FROM nightjar_metrics"
           " WHERE name = 'ndcg@10' AND model = 'popularity' AND \"group\" = 'cold_items')",
           1.5, 100);
    /* recommended, to whom they fit, and said to be cold */
    expect(state, "SELECT count(DISTINCT item_id) FROM recommendations WHERE item_id > 500", 10,
           10);
    expect(state, "SELECT count(*) FROM recommendations WHERE item_id > 500 AND source <> 'cold'",
           0, 0);
    expect(state, FITTING("item_id > 500"), 0.75, 1);
    /* found by SELECT */
    expect(state,
           "SELECT count(*) FROM item_embeddings WHERE item_id > 500 AND source = 'cold' AND"
           " length(embedding) = 4 * 8 AND bias = 0",
           10, 10);
    expect(state, "SELECT count(*) FROM item_embeddings WHERE item_id <= 100 AND source = 'model'",
           100, 100);
    expect(state,
           "SELECT avg(a.category = b.category) FROM similar_items s JOIN shop.products a"
           " ON a.item_id = s.item_id JOIN shop.products b ON b.item_id = s.similar_item_id"
           " WHERE s.item_id > 500",
           0.9, 1);
    expect(state, "SELECT count(*) FROM similar_items WHERE similar_item_id > 500", 1, 1000);
}

static void users_that_training_did_not_know_get_lists_of_their_taste(void **state)
{
    stage_source(state, shop);
    run(state, BEFORE "  - recommend: {top: 10}\n" AFTER, 2);
    expect(state, "SELECT count(*) FROM recommendations WHERE user_id > 800 AND source = 'cold'",
           10 * 10, 10 * 10);
    expect(state,
           "SELECT avg(category = segment) FROM recommendations JOIN shop.products USING (item_id)"
           " JOIN shop.customers USING (user_id) WHERE user_id > 900",
           0.75, 1);
    expect(state,
           "SELECT avg(category = 'c' || (user_id - 801)) FROM recommendations JOIN shop.products"
           " USING (item_id) WHERE user_id BETWEEN 801 AND 805",
           0.8, 1);
    expect(state, "SELECT count(*) FROM user_embeddings WHERE user_id > 800 AND source = 'cold'",
           10, 10);
    expect(state, "SELECT count(*) FROM user_embeddings WHERE user_id <= 150 AND source = 'model'",
           150, 150);
}

static void both_can_be_switched_off_and_keep_their_vectors(void **state)
{
    stage_source(state, shop);
    run(state,
        BEFORE "  - recommend: {top: 10, similar: 5, cold_items: false, cold_users: false}\n" AFTER,
        2);
    expect(state,
           "SELECT count(*) FROM recommendations WHERE item_id > 500"
           " OR user_id IN (901, 904, 905)",
           0, 0);
    expect(state, "SELECT count(*) FROM similar_items WHERE item_id > 500 OR similar_item_id > 500",
           0, 0);
    expect(state, "SELECT count(*) FROM recommendations WHERE user_id BETWEEN 801 AND 805", 50, 50);
    expect(state, "SELECT count(*) FROM item_embeddings WHERE item_id > 500", 10, 10);
    expect(state, "SELECT count(*) FROM user_embeddings WHERE user_id > 900", 5, 5);
}

#define DISLIKED                                                                                   \
    "SELECT count(*) FROM recommendations JOIN shop.events USING (user_id, item_id)"               \
    " WHERE event = 'hide'"

static void a_disliked_item_is_never_recommended(void **state)
{
    stage_source(state, shop);
    run(state, BEFORE "  - recommend: {top: 120, exclude_seen: false}\n" AFTER, 2);
    expect(state, DISLIKED, 0, 0);
    expect(state, "SELECT count(*) FROM recommendations WHERE user_id = 3 AND item_id = 502", 1, 1);
    run(state, BEFORE "  - recommend: {top: 120, exclude_disliked: false}\n" AFTER, 2);
    expect(state, DISLIKED, 1, 1e9);
}

static void text_ids_of_side_data_find_their_place(void **state)
{
    char sql[sizeof shop + sizeof text_ids];
    snprintf(sql, sizeof sql, "%s%s", shop, text_ids);
    stage_source(state, sql);
    run(state, BEFORE "  - recommend: {top: 20, similar: 5}\n" AFTER, 2);
    expect(state, FITTING("item_id LIKE 'i5__'"), 0.75, 1);
    expect(state,
           "SELECT count(*) FROM item_embeddings WHERE item_id LIKE 'i5__' AND source = 'cold'", 10,
           10);
    expect(state,
           "SELECT count(*) FROM recommendations WHERE user_id LIKE 'u9__'"
           " AND source = 'cold' AND length(user_id) = 4",
           100, 100);
}

static void threads_change_no_byte(void **state)
{
    char one[HASH_TEXT_MAX], three[HASH_TEXT_MAX];
    stage_source(state, shop);
    run(state, BEFORE "  - recommend: {}\n" AFTER, 1);
    stage_hash(state, "recommend/recommendations", one);
    run(state, BEFORE "  - recommend: {}\n" AFTER, 3);
    stage_hash(state, "recommend/recommendations", three);
    assert_string_equal(one, three);
    expect(state, "SELECT count(DISTINCT checksum) FROM nightjar_generations", 1, 1);
    expect(state, "SELECT count(*) FROM nightjar_generations", 2, 2);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(new_items_are_ranked_by_their_features_and_published,
                                        store_folder_setup, store_folder_teardown),
        cmocka_unit_test_setup_teardown(users_that_training_did_not_know_get_lists_of_their_taste,
                                        store_folder_setup, store_folder_teardown),
        cmocka_unit_test_setup_teardown(both_can_be_switched_off_and_keep_their_vectors,
                                        store_folder_setup, store_folder_teardown),
        cmocka_unit_test_setup_teardown(a_disliked_item_is_never_recommended, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(text_ids_of_side_data_find_their_place, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(threads_change_no_byte, store_folder_setup,
                                        store_folder_teardown),
    };
    return cmocka_run_group_tests_name("cold", tests, NULL, NULL);
}
