/* publishing: what people see, and what is kept. Who is not overwritten and what errors leave
 * behind is in test_publish_trouble.c, the second process that watches in test_publish_readers.c.
 */
#include "publishing/erase.h"
#include "publishing/generation.h"

#include "store/migrate.h"
#include "tests/support/publish_support.h"
#include "tests/support/store_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct sample_shape small = {.n_users = 3, .n_items = 4, .top = 2};
static const struct sample_shape small_text = {
    .n_users = 3, .n_items = 4, .top = 2, .users_are_text = true, .items_are_text = true};

static void integer_ids_are_shown_as_they_are(void **state)
{
    struct db *db = publish_open(state, "");
    assert_int_equal(publish_sample(db, small, 0.5F, 3), 1);
    store_assert_rows(db, "SELECT * FROM recommendations",
                      "-20|1|101|0.5|model|1\n-20|2|102|0.5|cold|1\n"
                      "-10|1|102|0.5|popular|1\n"
                      "0|1|103|0.5|model|1\n0|2|100|0.5|cold|1\n");
    store_assert_rows(db, "SELECT * FROM popular_items", "1|100|0.5\n2|101|0.5\n3|102|0.5\n");
    store_assert_rows(db, "SELECT * FROM similar_items",
                      "100|1|101|0.5\n101|1|102|0.5\n102|1|103|0.5\n103|1|100|0.5\n");
    store_assert_rows(db, "SELECT * FROM trending_items",
                      "|1|1|101|5\n|7|1|100|4\nbooks|7|1|102|2\n");
    store_assert_rows(db, "SELECT * FROM segment_popular_items",
                      "at|1|102|3.0\nat|2|101|2.0\nde|1|102|1.0\n");
    store_assert_rows(db, "SELECT * FROM similar_users", "-20|1|-10|0.5\n-10|1|0|0.5\n");
    store_assert_rows(db, "SELECT * FROM user_embeddings WHERE user_id = -10",
                      "-10|0000003f0000003f0000003f0000003f|cold\n");
    store_assert_rows(db, "SELECT * FROM item_embeddings WHERE item_id = 103",
                      "103|0000003f0000003f0000003f0000003f|0.5|cold\n");
    store_assert_rows(db, "SELECT typeof(user_id), typeof(item_id) FROM recommendations LIMIT 1",
                      "integer|integer\n");
    db_close(db);
}

static void text_ids_are_shown_as_they_are(void **state)
{
    struct db *db = publish_open(state, "");
    assert_int_equal(publish_sample(db, small_text, 0.5F, 3), 1);
    store_assert_rows(db, "SELECT * FROM recommendations ORDER BY user_id, rank",
                      "user-0|1|item-1|0.5|model|1\nuser-0|2|item-2|0.5|cold|1\n"
                      "user-1|1|item-2|0.5|popular|1\n"
                      "user-2|1|item-3|0.5|model|1\nuser-2|2|item-0|0.5|cold|1\n");
    store_assert_rows(db,
                      "SELECT * FROM recommendation_reasons WHERE user_id = 'user-0'"
                      " ORDER BY rank, place",
                      "user-0|1|item-1|1|item-3|0.5\nuser-0|1|item-1|2|item-0|0.5\n"
                      "user-0|2|item-2|1|item-1|0.5\n");
    store_assert_rows(db,
                      "SELECT * FROM recommendation_parts WHERE user_id = 'user-0' AND rank = 2",
                      "user-0|2|cosine|0.5|8.0\nuser-0|2|own:14d|0.5|2.0\n");
    store_assert_rows(db, "SELECT * FROM popular_items ORDER BY rank",
                      "1|item-0|0.5\n2|item-1|0.5\n3|item-2|0.5\n");
    store_assert_rows(db, "SELECT * FROM similar_items WHERE item_id = 'item-3'",
                      "item-3|1|item-0|0.5\n");
    store_assert_rows(db, "SELECT * FROM trending_items WHERE category = 'books'",
                      "books|7|1|item-2|2\n");
    store_assert_rows(db, "SELECT * FROM segment_popular_items WHERE segment = 'de'",
                      "de|1|item-2|1.0\n");
    store_assert_rows(db, "SELECT * FROM similar_users WHERE user_id = 'user-1'",
                      "user-1|1|user-2|0.5\n");
    store_assert_rows(db, "SELECT * FROM user_embeddings WHERE user_id = 'user-1'",
                      "user-1|0000003f0000003f0000003f0000003f|cold\n");
    store_assert_rows(db, "SELECT * FROM item_embeddings WHERE item_id = 'item-3'",
                      "item-3|0000003f0000003f0000003f0000003f|0.5|cold\n");
    db_close(db);
}

static void ids_of_users_and_items_may_differ_in_type(void **state)
{
    struct db *db = publish_open(state, "");
    struct sample_shape mixed = small;
    mixed.items_are_text = true;
    publish_sample(db, mixed, 1, 3);
    store_assert_rows(db, "SELECT user_id, item_id FROM recommendations WHERE user_id = 0",
                      "0|item-3\n0|item-0\n");
    mixed = small_text;
    mixed.items_are_text = false;
    publish_sample(db, mixed, 1, 3);
    store_assert_rows(db, "SELECT user_id, item_id FROM recommendations WHERE user_id = 'user-2'",
                      "user-2|103\nuser-2|100\n");
    db_close(db);
}

/* No step of the plan walks a whole table. */
static void assert_searches(struct db *db, const char *sql, const char *const *parts)
{
    struct buf explain = {0};
    buf_addf(&explain, "EXPLAIN QUERY PLAN %s", sql);
    struct buf plan = store_rows(db, buf_text(&explain));
    if (strstr(buf_text(&plan), "SCAN") != NULL || strstr(buf_text(&plan), "TEMP B-TREE") != NULL) {
        fail_msg("%s: %s", sql, buf_text(&plan));
    }
    for (size_t i = 0; parts[i] != NULL; i++) {
        if (strstr(buf_text(&plan), parts[i]) == NULL) {
            fail_msg("no %s in the plan of %s: %s", parts[i], sql, buf_text(&plan));
        }
    }
    buf_release(&plan);
    buf_release(&explain);
}

static void a_lookup_by_id_is_an_index_search(void **state)
{
    struct db *db = publish_open(state, "");
    publish_sample(db, small, 1, 3);
    assert_searches(db, "SELECT item_id FROM recommendations WHERE user_id = 0 ORDER BY rank",
                    (const char *const[]){"SEARCH t USING PRIMARY KEY (user=?)", NULL});
    assert_searches(db, "SELECT * FROM similar_items WHERE item_id = 100 ORDER BY rank",
                    (const char *const[]){"SEARCH t USING PRIMARY KEY (item=?)", NULL});
    assert_searches(db, "SELECT * FROM user_embeddings WHERE user_id = 0",
                    (const char *const[]){"USING INTEGER PRIMARY KEY (rowid=?)", NULL});
    assert_searches(db, "SELECT * FROM item_embeddings WHERE item_id = 100",
                    (const char *const[]){"USING INTEGER PRIMARY KEY (rowid=?)", NULL});
    publish_sample(db, small_text, 1, 3);
    assert_searches(db, "SELECT item_id FROM recommendations WHERE user_id = 'x' ORDER BY rank",
                    (const char *const[]){"SEARCH t USING PRIMARY KEY (user=?)", NULL});
    assert_searches(db, "SELECT user_id FROM recommendations WHERE item_id = 'x'",
                    (const char *const[]){"USING COVERING INDEX", "(item=?)", NULL});
    assert_searches(db, "SELECT * FROM similar_items WHERE item_id = 'x' ORDER BY rank",
                    (const char *const[]){"SEARCH t USING PRIMARY KEY (item=?)",
                                          "SEARCH d USING INTEGER PRIMARY KEY (rowid=?)", NULL});
    assert_searches(db, "SELECT * FROM user_embeddings WHERE user_id = 'x'",
                    (const char *const[]){"SEARCH t USING INDEX", "(user=?)", NULL});
    assert_searches(db, "SELECT * FROM item_embeddings WHERE item_id = 'x'",
                    (const char *const[]){"SEARCH t USING INDEX", "(item=?)", NULL});
    db_close(db);
}

static void the_history_tells_what_was_published(void **state)
{
    struct status status = {0};
    struct db *db = publish_open(state, "");
    struct published_info first = {.generation = 77}, other;
    publish_sample(db, small, 1, 1);
    publish_assert_ok(publish_current(db, "", &first, &status), &status);
    assert_int_equal(first.generation, 1);
    assert_int_equal(strlen(first.checksum), 32);
    publish_sample(db, small, 1, 1);
    publish_assert_ok(publish_current(db, "", &other, &status), &status);
    assert_int_equal(other.generation, 2);
    assert_string_equal(first.checksum, other.checksum); /* the same content */
    publish_sample(db, small, 2, 1);
    publish_assert_ok(publish_current(db, "", &other, &status), &status);
    assert_string_not_equal(first.checksum, other.checksum);
    store_assert_rows(
        db,
        "SELECT generation, dimension, temperature, popularity_weight, evidence_weight,"
        " evidence_exponent, n_interactions, n_users, n_items, n_recommendations, n_popular_items, "
        "n_similar_items, n_user_embeddings,"
        " n_item_embeddings, pipeline, seed, config_hash, version, run_started, score_parts"
        " FROM nightjar_generations WHERE generation <> 2",
        "1|4|0.15|0.7|2.5|0.25|1234|3|4|5|3|4|3|4|shop|42|cafe|0.1|1700000000|"
        "[{\"part\":\"own:14d\"}]\n"
        "3|4|0.15|0.7|2.5|0.25|1234|3|4|5|3|4|3|4|shop|42|cafe|0.1|1700000000|"
        "[{\"part\":\"own:14d\"}]\n");
    store_assert_rows(db, "SELECT run, generation, pipeline FROM nightjar_runs",
                      "1|1|shop\n2|2|shop\n3|3|shop\n");
    store_assert_rows(db, "SELECT * FROM nightjar_metrics WHERE generation = 3",
                      "3|ndcg@20|nightjar|all|0.25\n");
    db_close(db);
}

static void nothing_is_current_before_the_first_publish(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    struct published_info info = {.generation = 77, .checksum = "x"};
    store_path(state, "out.db", path);
    struct db *db = store_open(path, DB_CREATE);
    publish_assert_ok(publish_current(db, "p_", &info, &status), &status);
    assert_int_equal(info.generation, 0);
    assert_string_equal(info.checksum, "");
    info.generation = 77;
    publish_assert_ok(migrate_apply(db, MIGRATE_OUTPUT, "p_", &status), &status);
    publish_assert_ok(publish_current(db, "p_", &info, &status), &status);
    assert_int_equal(info.generation, 0);
    db_close(db);
}

static void a_prefix_stands_before_every_name(void **state)
{
    struct status status = {0};
    struct sample sample;
    struct db *db = publish_open(state, "o'r\"_");
    struct publish_target target = {.db = db, .prefix = "o'r\"_", .keep = 1};
    int64_t generation = 0;
    store_exec(db, "CREATE TABLE recommendations (x)"); /* no collision: not our name */
    for (int i = 0; i < 3; i++) {
        sample_init(&sample, small_text, 1);
        publish_assert_ok(publish_generation(&target, &sample.content, &generation, &status),
                          &status);
        sample_release(&sample);
    }
    assert_int_equal(store_int64(db, "SELECT count(*) FROM sqlite_schema WHERE type <> 'index' AND"
                                     " name <> 'recommendations' AND"
                                     " substr(name, 1, 5) <> 'o''r\"_'"),
                     0);
    assert_int_equal(store_int64(db, "SELECT count(*) FROM \"o'r\"\"_recommendations\""), 5);
    db_close(db);
}

static void the_files_own_settings_are_untouched(void **state)
{
    struct status status = {0};
    struct buf mode = {0};
    struct db *db = publish_open(state, "");
    store_exec(db, "PRAGMA user_version = 7; PRAGMA application_id = 99");
    publish_sample(db, small, 1, 1);
    publish_sample(db, small, 1, 1);
    publish_assert_ok(db_journal_mode(db, &mode, &status), &status);
    assert_string_equal(buf_text(&mode), "delete");
    assert_int_equal(store_int64(db, "PRAGMA user_version"), 7);
    assert_int_equal(store_int64(db, "PRAGMA application_id"), 99);
    buf_release(&mode);
    db_close(db);
}

static void only_keep_generations_stay(void **state)
{
    struct db *db = publish_open(state, "");
    for (int i = 1; i <= 5; i++) {
        publish_sample(db, i % 2 == 0 ? small : small_text, 1, 2);
        assert_int_equal(store_int64(db, "SELECT count(DISTINCT generation) FROM nightjar_objects"
                                         " WHERE generation > 0"),
                         i < 2 ? i : 2);
    }
    assert_int_equal(store_int64(db, "SELECT count(*) FROM nightjar_generations"), 5);
    assert_int_equal(store_int64(db, "SELECT min(generation) FROM nightjar_objects"
                                     " WHERE generation > 0"),
                     4);
    assert_int_equal(store_int64(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND"
                                     " name LIKE '%\\_g_' ESCAPE '\\'"),
                     10 + 11);
    db_close(db);
}

static void remains_of_a_killed_publish_are_dropped(void **state)
{
    struct db *db = publish_open(state, "");
    publish_sample(db, small, 1, 3);
    store_exec(db, "CREATE TABLE recommendations_g2 (x);"
                   "INSERT INTO nightjar_objects VALUES"
                   " ('recommendations_g2', 'table', 'recommendations', 2),"
                   " ('users_g2', 'table', 'users', 2)"); /* recorded, but never made */
    store_exec(db, "ALTER TABLE recommendations_g2 RENAME COLUMN x TO user");
    int64_t generation = publish_sample(db, small, 2, 3);
    assert_int_equal(generation, 2);
    store_assert_rows(db, "SELECT DISTINCT generation FROM nightjar_objects ORDER BY 1",
                      "0\n1\n2\n");
    store_assert_rows(db, "SELECT DISTINCT score, generation FROM recommendations", "2.0|2\n");
    db_close(db);
}

/* One wrong thing in a content that is right otherwise. */
static void assert_refused(struct db *db, const struct sample *sample, enum status_code expected,
                           const char *part)
{
    struct status status = {0};
    struct publish_target target = {.db = db, .prefix = "", .keep = 3};
    int64_t generation = 77;
    assert_int_equal(publish_generation(&target, &sample->content, &generation, &status), expected);
    assert_int_equal(generation, 77);
    if (strstr(status.message, part) == NULL) {
        fail_msg("\"%s\" is not in: %s", part, status.message);
    }
}

static void content_that_makes_no_sense_is_refused(void **state)
{
    struct sample sample;
    struct db *db = publish_open(state, "");
    publish_sample(db, small, 1, 3);
    struct buf before = publish_dump(db);
    float wrong[8] = {1, 1, (float)NAN, 1, 1, 1, 1, 1};
    float infinite[16] = {[15] = INFINITY};
    int32_t unknown[8] = {0, 1, 2, 4, 1, 1, 1, 1}, unsorted[3] = {0, 2, 1};
    int32_t no_items[6] = {-1, -1, -1, -1, -1, -1};
    int64_t unsorted_ids[3] = {5, 3, 9};
    uint8_t sources[6] = {0, 0, 9, 0, 0, 0};
    sample_init(&sample, small, 2);
    struct publish_content good = sample.content;
    sample.content.rec_scores = wrong;
    assert_refused(db, &sample, STATUS_INTERNAL, "scores finite (entry 2)");
    sample.content = good;
    sample.content.rec_items = unknown;
    assert_refused(db, &sample, STATUS_INTERNAL, "recommended items must be known");
    sample.content = good;
    sample.content.served = unsorted;
    assert_refused(db, &sample, STATUS_INTERNAL, "served users must be known and ascend (entry 2)");
    sample.content = good;
    sample.content.users.integers = unsorted_ids;
    assert_refused(db, &sample, STATUS_INTERNAL, "integer user ids must ascend");
    sample.content = good;
    sample.content.rec_sources = sources;
    assert_refused(db, &sample, STATUS_INTERNAL, "unknown source");
    sample.content = good;
    sample.content.item_vectors = infinite;
    assert_refused(db, &sample, STATUS_INTERNAL, "an item vector is not finite (entry 15)");
    sample.content = good;
    sample.content.similar_items = unknown;
    assert_refused(db, &sample, STATUS_INTERNAL, "similar items must be known");
    sample.content = good;
    sample.content.rec_items = no_items;
    assert_refused(db, &sample, STATUS_INTERNAL, "a reason for no recommendation");
    sample.content.n_reasons = 0;
    assert_refused(db, &sample, STATUS_INTERNAL, "parts must be finite, and of a recommendation");
    sample.content.n_parts = 0;
    assert_refused(db, &sample, STATUS_DATA, "nothing to publish");
    sample.content = good;
    publish_assert_dump(db, &before);
    buf_release(&before);
    sample_release(&sample);
    db_close(db);
}

static void a_generation_from_before_the_parts_is_shown_without_them(void **state)
{
    struct db *db = publish_open(state, "");
    struct status status = {0};
    publish_sample(db, small, 1, 3);
    store_exec(db, "DROP VIEW recommendation_parts; DROP TABLE recommendation_parts_g1;"
                   "DELETE FROM nightjar_objects WHERE kind = 'recommendation_parts'");
    publish_sample(db, small, 2, 3);
    publish_assert_ok(publish_rollback(db, "", 1, &status), &status);
    store_assert_rows(db, "SELECT count(*), max(value * weight) FROM recommendation_parts",
                      "0|NULL\n");
    assert_true(store_int64(db, "SELECT count(*) FROM recommendation_reasons") > 0);
    publish_assert_ok(publish_rollback(db, "", 2, &status), &status);
    assert_int_equal(store_int64(db, "SELECT count(*) FROM recommendation_parts"), 10);
    db_close(db);
}

/* What an older nightjar made of TEXT ids: dictionaries, and their codes in all rows. */
static void make_coded(struct db *db)
{
    static const char *const tables[] = {
        "recommendations", "recommendation_reasons", "recommendation_parts", "popular_items",
        "similar_items",   "user_embeddings",        "item_embeddings"};
    store_exec(db, "CREATE TABLE users_g1 (code INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);"
                   "INSERT INTO users_g1 SELECT row_number() OVER (ORDER BY \"user\") - 1, \"user\""
                   " FROM user_embeddings_g1;"
                   "INSERT INTO nightjar_objects VALUES ('users_g1', 'table', 'users', 1);"
                   "DROP VIEW trending_items; DROP TABLE trending_items_g1;"
                   "DROP VIEW similar_users; DROP TABLE similar_users_g1;"
                   "DROP VIEW segment_popular_items; DROP TABLE segment_popular_items_g1;"
                   "DELETE FROM nightjar_objects WHERE kind IN ('trending_items', 'similar_users',"
                   " 'segment_popular_items');"
                   "DROP INDEX recommendations_item_g1;"
                   "CREATE TEMP TABLE schema AS SELECT name, sql FROM sqlite_schema");
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        struct buf sql = {0}, make = {0};
        bool found;
        struct status status = {0};
        buf_addf(&sql,
                 "SELECT replace(replace(sql, '\"user\" TEXT', '\"user\" INTEGER'), 'item TEXT',"
                 " 'item INTEGER') FROM schema WHERE name = '%s_g1'",
                 tables[i]);
        publish_assert_ok(db_get_text(db, buf_text(&sql), &make, &found, &status), &status);
        buf_clear(&sql);
        buf_addf(&sql, "CREATE TEMP TABLE old AS SELECT * FROM %s_g1; DROP TABLE %s_g1; %s;",
                 tables[i], tables[i], buf_text(&make));
        store_exec(db, buf_text(&sql));
        buf_clear(&sql);
        if (strstr(buf_text(&make), "\"user\"") != NULL) {
            buf_add_text(&sql, "UPDATE old SET \"user\" = (SELECT code FROM users_g1 WHERE id ="
                               " \"user\");");
        }
        if (strstr(buf_text(&make), "item INTEGER") != NULL) {
            buf_add_text(&sql, "UPDATE old SET item = (SELECT code FROM items_g1 WHERE id = item)"
                               " WHERE typeof(item) = 'text';");
        }
        buf_addf(&sql, "INSERT INTO %s_g1 SELECT * FROM old; DROP TABLE old", tables[i]);
        store_exec(db, buf_text(&sql));
        buf_release(&sql);
        buf_release(&make);
    }
}

static void a_generation_with_codes_for_all_text_ids_is_shown_and_erased(void **state)
{
    static const char *const views[] = {
        "SELECT user_id, rank, item_id, score, source FROM recommendations ORDER BY 1, 2",
        "SELECT * FROM recommendation_reasons ORDER BY 1, 2, 4",
        "SELECT * FROM recommendation_parts ORDER BY 1, 2, 3",
        "SELECT * FROM popular_items",
        "SELECT * FROM similar_items ORDER BY 1, 2",
        "SELECT * FROM user_embeddings ORDER BY 1",
        "SELECT * FROM item_embeddings ORDER BY 1"};
    enum { N_VIEWS = sizeof views / sizeof views[0] };
    const struct row_id person = {.is_text = true, .text = "user-2", .length = 6};
    struct db *db = publish_open(state, "");
    struct status status = {0};
    bool known = false;
    struct buf rows[N_VIEWS];
    publish_sample(db, small_text, 1, 3);
    for (size_t i = 0; i < N_VIEWS; i++) {
        rows[i] = store_rows(db, views[i]);
    }
    make_coded(db);
    publish_sample(db, small, 2, 3);
    publish_assert_ok(publish_rollback(db, "", 1, &status), &status);
    for (size_t i = 0; i < N_VIEWS; i++) {
        store_assert_rows(db, views[i], buf_text(&rows[i]));
        buf_release(&rows[i]);
    }
    publish_assert_ok(erase_look(db, "", &person, &known, &status), &status);
    assert_true(known);
    publish_assert_ok(erase_published(db, "", &person, 1, &status), &status);
    store_assert_rows(db, "SELECT count(*), count(DISTINCT user_id) FROM recommendations", "3|2\n");
    store_assert_rows(db, "SELECT id FROM users_g1", "user-0\nuser-1\n");
    publish_assert_ok(erase_look(db, "", &person, &known, &status), &status);
    assert_false(known);
    db_close(db);
}

static void people_are_erased_where_they_are_like_others_too(void **state)
{
    const struct row_id person = {.is_text = true, .text = "user-1", .length = 6};
    const struct row_id last = {.integer = 0};
    struct db *db = publish_open(state, "");
    struct status status = {0};
    bool known = false;
    publish_sample(db, small_text, 1, 3);
    publish_sample(db, small, 1, 3);
    publish_assert_ok(erase_published(db, "", &person, 1, &status), &status);
    store_assert_rows(db, "SELECT count(*) FROM similar_users_g1", "0\n");
    publish_assert_ok(erase_look(db, "", &last, &known, &status), &status);
    assert_true(known);
    publish_assert_ok(erase_published(db, "", &last, 1, &status), &status);
    store_assert_rows(db, "SELECT user_id FROM similar_users", "-20\n");
    publish_assert_ok(erase_look(db, "", &last, &known, &status), &status);
    assert_false(known);
    db_close(db);
}

static void a_negative_zero_is_stored_like_a_zero(void **state)
{
    struct db *db = publish_open(state, "");
    publish_sample(db, small, -0.0F, 3); /* the checksum of what is read back must agree */
    store_assert_rows(db, "SELECT DISTINCT score FROM recommendations", "0.0\n");
    db_close(db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(integer_ids_are_shown_as_they_are),
        TEST(text_ids_are_shown_as_they_are),
        TEST(ids_of_users_and_items_may_differ_in_type),
        TEST(a_lookup_by_id_is_an_index_search),
        TEST(the_history_tells_what_was_published),
        TEST(nothing_is_current_before_the_first_publish),
        TEST(a_prefix_stands_before_every_name),
        TEST(the_files_own_settings_are_untouched),
        TEST(only_keep_generations_stay),
        TEST(remains_of_a_killed_publish_are_dropped),
        TEST(content_that_makes_no_sense_is_refused),
        TEST(a_generation_from_before_the_parts_is_shown_without_them),
        TEST(a_generation_with_codes_for_all_text_ids_is_shown_and_erased),
        TEST(people_are_erased_where_they_are_like_others_too),
        TEST(a_negative_zero_is_stored_like_a_zero),
    };
    return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
