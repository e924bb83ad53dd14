/* store/publish: what people see, who is not overwritten, and what errors leave behind. The second
 * process that watches is in test_publish_readers.c. */
#include "publishing/erase.h"
#include "publishing/generation.h"

#include "store/migrate.h"
#include "tests/support/publish_support.h"
#include "tests/support/store_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

static const struct sample_shape small = {.n_users = 3, .n_items = 4, .top = 2};
static const struct sample_shape small_text = {
    .n_users = 3, .n_items = 4, .top = 2, .users_are_text = true, .items_are_text = true};
/* three chunks of recommendations */
static const struct sample_shape large = {.n_users = 2500, .n_items = 50, .top = 10};

static void assert_ok(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s: %s", (int)code, status->file, status->message);
    }
}

static struct db *open_output(void **state, const char *prefix)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    store_path(state, "out.db", path);
    struct db *db = store_open(path, DB_CREATE);
    store_exec(db, "PRAGMA synchronous = OFF");
    assert_ok(migrate_apply(db, MIGRATE_OUTPUT, prefix, &status), &status);
    return db;
}

static int64_t publish(struct db *db, struct sample_shape shape, float version, int64_t keep)
{
    struct status status = {0}, drop_status = {0};
    struct sample sample;
    struct publish_target target = {
        .db = db, .prefix = "", .keep = keep, .drop_status = &drop_status};
    int64_t generation = 0;
    sample_init(&sample, shape, version);
    assert_ok(publish_generation(&target, &sample.content, &generation, &status), &status);
    assert_ok(drop_status.code, &drop_status);
    sample_release(&sample);
    return generation;
}

/* Everything that is in the file, history times aside. */
static struct buf dump(struct db *db)
{
    static const char *const queries[] = {
        "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name",
        "SELECT * FROM nightjar_objects ORDER BY name",
        "SELECT generation, checksum FROM nightjar_generations",
        "SELECT run, generation FROM nightjar_runs",
        "SELECT * FROM nightjar_metrics",
        "SELECT generation FROM nightjar_current",
        "SELECT * FROM recommendations",
        "SELECT * FROM item_embeddings"};
    struct buf all = {0};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        struct buf rows = store_rows(db, queries[i]);
        buf_add_text(&all, buf_text(&rows));
        buf_release(&rows);
    }
    return all;
}

static void assert_dump(struct db *db, const struct buf *before)
{
    struct buf after = dump(db);
    assert_string_equal(buf_text(&after), buf_text(before));
    buf_release(&after);
}

static void integer_ids_are_shown_as_they_are(void **state)
{
    struct db *db = open_output(state, "");
    assert_int_equal(publish(db, small, 0.5F, 3), 1);
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
    struct db *db = open_output(state, "");
    assert_int_equal(publish(db, small_text, 0.5F, 3), 1);
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
    struct db *db = open_output(state, "");
    struct sample_shape mixed = small;
    mixed.items_are_text = true;
    publish(db, mixed, 1, 3);
    store_assert_rows(db, "SELECT user_id, item_id FROM recommendations WHERE user_id = 0",
                      "0|item-3\n0|item-0\n");
    mixed = small_text;
    mixed.items_are_text = false;
    publish(db, mixed, 1, 3);
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
    struct db *db = open_output(state, "");
    publish(db, small, 1, 3);
    assert_searches(db, "SELECT item_id FROM recommendations WHERE user_id = 0 ORDER BY rank",
                    (const char *const[]){"SEARCH t USING PRIMARY KEY (user=?)", NULL});
    assert_searches(db, "SELECT * FROM similar_items WHERE item_id = 100 ORDER BY rank",
                    (const char *const[]){"SEARCH t USING PRIMARY KEY (item=?)", NULL});
    assert_searches(db, "SELECT * FROM user_embeddings WHERE user_id = 0",
                    (const char *const[]){"USING INTEGER PRIMARY KEY (rowid=?)", NULL});
    assert_searches(db, "SELECT * FROM item_embeddings WHERE item_id = 100",
                    (const char *const[]){"USING INTEGER PRIMARY KEY (rowid=?)", NULL});
    publish(db, small_text, 1, 3);
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
    struct db *db = open_output(state, "");
    struct published_info first = {.generation = 77}, other;
    publish(db, small, 1, 1);
    assert_ok(publish_current(db, "", &first, &status), &status);
    assert_int_equal(first.generation, 1);
    assert_int_equal(strlen(first.checksum), 32);
    publish(db, small, 1, 1);
    assert_ok(publish_current(db, "", &other, &status), &status);
    assert_int_equal(other.generation, 2);
    assert_string_equal(first.checksum, other.checksum); /* the same content */
    publish(db, small, 2, 1);
    assert_ok(publish_current(db, "", &other, &status), &status);
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
    assert_ok(publish_current(db, "p_", &info, &status), &status);
    assert_int_equal(info.generation, 0);
    assert_string_equal(info.checksum, "");
    info.generation = 77;
    assert_ok(migrate_apply(db, MIGRATE_OUTPUT, "p_", &status), &status);
    assert_ok(publish_current(db, "p_", &info, &status), &status);
    assert_int_equal(info.generation, 0);
    db_close(db);
}

static void a_prefix_stands_before_every_name(void **state)
{
    struct status status = {0};
    struct sample sample;
    struct db *db = open_output(state, "o'r\"_");
    struct publish_target target = {.db = db, .prefix = "o'r\"_", .keep = 1};
    int64_t generation = 0;
    store_exec(db, "CREATE TABLE recommendations (x)"); /* no collision: not our name */
    for (int i = 0; i < 3; i++) {
        sample_init(&sample, small_text, 1);
        assert_ok(publish_generation(&target, &sample.content, &generation, &status), &status);
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
    struct db *db = open_output(state, "");
    store_exec(db, "PRAGMA user_version = 7; PRAGMA application_id = 99");
    publish(db, small, 1, 1);
    publish(db, small, 1, 1);
    assert_ok(db_journal_mode(db, &mode, &status), &status);
    assert_string_equal(buf_text(&mode), "delete");
    assert_int_equal(store_int64(db, "PRAGMA user_version"), 7);
    assert_int_equal(store_int64(db, "PRAGMA application_id"), 99);
    buf_release(&mode);
    db_close(db);
}

static void only_keep_generations_stay(void **state)
{
    struct db *db = open_output(state, "");
    for (int i = 1; i <= 5; i++) {
        publish(db, i % 2 == 0 ? small : small_text, 1, 2);
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
    struct db *db = open_output(state, "");
    publish(db, small, 1, 3);
    store_exec(db, "CREATE TABLE recommendations_g2 (x);"
                   "INSERT INTO nightjar_objects VALUES"
                   " ('recommendations_g2', 'table', 'recommendations', 2),"
                   " ('users_g2', 'table', 'users', 2)"); /* recorded, but never made */
    store_exec(db, "ALTER TABLE recommendations_g2 RENAME COLUMN x TO user");
    int64_t generation = publish(db, small, 2, 3);
    assert_int_equal(generation, 2);
    store_assert_rows(db, "SELECT DISTINCT generation FROM nightjar_objects ORDER BY 1",
                      "0\n1\n2\n");
    store_assert_rows(db, "SELECT DISTINCT score, generation FROM recommendations", "2.0|2\n");
    db_close(db);
}

static void foreign_objects_under_our_names_are_named_and_kept(void **state)
{
    static const struct {
        const char *make, *named;
    } cases[] = {
        {"CREATE TABLE recommendations (x)", "table \"recommendations\""},
        {"CREATE TABLE Similar_Items (x)", "table \"Similar_Items\""},
        {"CREATE VIEW popular_items AS SELECT 1", "view \"popular_items\""},
        {"CREATE TABLE t (x); CREATE INDEX user_embeddings ON t (x)", "index \"user_embeddings\""},
        {"CREATE TABLE users_g1 (x)", "table \"users_g1\""},
        {"CREATE TABLE recommendations_g12 (x)", "table \"recommendations_g12\""},
        {"CREATE TABLE nightjar_metrics (x)", "table \"nightjar_metrics\""},
        {"CREATE TABLE nightjar_schema (x)", "table \"nightjar_schema\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[STORE_PATH_MAX], name[32];
        struct status status = {0};
        snprintf(name, sizeof name, "foreign%zu.db", i);
        store_path(state, name, path);
        struct db *db = store_open(path, DB_CREATE);
        assert_ok(publish_check_names(db, "", &status), &status);
        store_exec(db, cases[i].make);
        struct buf before = store_rows(db, "SELECT * FROM sqlite_schema");
        assert_int_equal(publish_check_names(db, "", &status), STATUS_CONFIG);
        assert_string_equal(status.file, path);
        if (strstr(status.message, cases[i].named) == NULL) {
            fail_msg("%s is not in: %s", cases[i].named, status.message);
        }
        store_assert_rows(db, "SELECT * FROM sqlite_schema", buf_text(&before));
        status_clear(&status);
        assert_ok(publish_check_names(db, "p_", &status), &status);
        buf_release(&before);
        db_close(db);
    }
}

static void names_that_only_look_like_ours_are_free(void **state)
{
    struct status status = {0};
    struct db *db = open_output(state, "");
    store_exec(db, "CREATE TABLE users (x); CREATE TABLE items (x); CREATE TABLE users_gold (x);"
                   "CREATE TABLE recommendations_g (x); CREATE TABLE my_recommendations (x);"
                   "CREATE TABLE users_g1x (x)");
    assert_ok(publish_check_names(db, "", &status), &status);
    publish(db, small_text, 1, 1);
    assert_ok(publish_check_names(db, "", &status), &status);
    db_close(db);
}

static void a_table_put_in_our_views_place_is_kept(void **state)
{
    struct status status = {0};
    struct sample sample;
    struct db *db = open_output(state, "");
    struct publish_target target = {.db = db, .prefix = "", .keep = 1};
    int64_t generation = 77;
    publish(db, small, 1, 1);
    store_exec(db, "DROP VIEW recommendations; CREATE TABLE recommendations (x);"
                   "INSERT INTO recommendations VALUES ('mine')");
    sample_init(&sample, small, 2);
    assert_int_equal(publish_generation(&target, &sample.content, &generation, &status),
                     STATUS_CONFIG);
    assert_int_equal(generation, 77);
    store_assert_rows(db, "SELECT * FROM recommendations", "mine\n");
    sample_release(&sample);
    db_close(db);
}

/* What the watch does at its call number `at`. */
struct interruption {
    int calls, at;
    const char *path, *sql; /* run on a connection of its own; NULL: fail instead */
    double last;
};

static void see_progress(void *data, double done, double total)
{
    struct interruption *interruption = data;
    assert_true(done >= interruption->last && done <= total);
    interruption->last = done;
}

static enum status_code interrupt(void *data, struct status *status)
{
    struct interruption *interruption = data;
    if (++interruption->calls != interruption->at) {
        return STATUS_OK;
    }
    if (interruption->sql == NULL) {
        return status_set(status, STATUS_SIGNAL, "asked to stop");
    }
    store_exec_apart(interruption->path, interruption->sql);
    return STATUS_OK;
}

static enum status_code publish_interrupted(struct db *db, struct sample_shape shape,
                                            struct interruption *interruption,
                                            struct status *status)
{
    struct sample sample;
    struct publish_target target = {
        .db = db, .prefix = "", .keep = 3, .watch = {interrupt, see_progress, interruption}};
    int64_t generation = 77;
    sample_init(&sample, shape, 9);
    enum status_code code = publish_generation(&target, &sample.content, &generation, status);
    assert_int_equal(generation, code == STATUS_OK ? 2 : 77);
    sample_release(&sample);
    return code;
}

static void stopping_at_any_chunk_leaves_everything_as_it_was(void **state)
{
    struct db *db = open_output(state, "");
    publish(db, small, 1, 3);
    struct buf before = dump(db);
    int at = 1;
    for (;; at++) {
        struct status status = {0};
        struct interruption interruption = {.at = at};
        enum status_code code = publish_interrupted(db, large, &interruption, &status);
        if (code == STATUS_OK) {
            break;
        }
        assert_int_equal(code, STATUS_SIGNAL);
        assert_string_equal(status.message, "asked to stop");
        assert_dump(db, &before);
    }
    assert_true(at > 12); /* three chunks, the other tables, and all of them read back */
    buf_release(&before);
    db_close(db);
}

static void damage_before_the_switch_is_noticed(void **state)
{
    static const char *const damages[] = {
        "UPDATE recommendations_g2 SET score = 8 WHERE \"user\" = 70 AND rank = 3",
        "UPDATE recommendations_g2 SET item = item + 1 WHERE \"user\" = 70 AND rank = 3",
        "DELETE FROM recommendations_g2 WHERE \"user\" = 70 AND rank = 3",
        "INSERT INTO recommendations_g2 VALUES (-1, 1, 1, 1, 0)",
        "UPDATE recommendations_g2 SET \"user\" = 24971 WHERE \"user\" = 24970"};
    char path[STORE_PATH_MAX];
    store_path(state, "out.db", path);
    struct db *db = open_output(state, "");
    publish(db, small, 1, 3);
    struct buf before = dump(db);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct status status = {0};
        /* at the third call all recommendations are committed, and nothing is read back yet */
        struct interruption interruption = {.at = 3, .path = path, .sql = damages[i]};
        assert_int_equal(publish_interrupted(db, large, &interruption, &status), STATUS_IO);
        assert_non_null(strstr(status.message, "not stored as it was meant"));
        assert_dump(db, &before);
    }
    buf_release(&before);
    db_close(db);
}

static void others_can_write_between_the_chunks(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    store_path(state, "out.db", path);
    struct db *db = open_output(state, "");
    publish(db, small, 1, 3);
    struct interruption interruption = {
        .at = 2, .path = path, .sql = "CREATE TABLE orders (x); INSERT INTO orders VALUES (1)"};
    assert_int_equal(publish_interrupted(db, large, &interruption, &status), STATUS_OK);
    assert_int_equal(store_int64(db, "SELECT count(*) FROM orders"), 1);
    assert_int_equal(store_int64(db, "SELECT count(*) FROM recommendations"), 25000 - 9);
    db_close(db);
}

static void a_foreign_table_made_meanwhile_stops_the_switch(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    store_path(state, "out.db", path);
    struct db *db = open_output(state, "");
    struct interruption interruption = {
        .at = 2, .path = path, .sql = "CREATE TABLE similar_items (x)"};
    publish(db, small, 1, 3);
    store_exec(db, "DROP VIEW similar_items");
    assert_int_equal(publish_interrupted(db, large, &interruption, &status), STATUS_CONFIG);
    assert_int_equal(store_int64(db, "SELECT max(generation) FROM recommendations"), 1);
    assert_int_equal(store_int64(db, "SELECT count(*) FROM sqlite_schema"
                                     " WHERE name = 'recommendations_g2'"),
                     0);
    db_close(db);
}

static void another_publishers_cleanup_stops_the_switch(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    store_path(state, "out.db", path);
    struct db *db = open_output(state, "");
    publish(db, small, 1, 3);
    struct buf before = dump(db);
    struct interruption interruption = {
        .at = 23, /* read back already */
        .path = path,
        .sql = "DROP TABLE popular_items_g2;"
               "DELETE FROM nightjar_objects WHERE name = 'popular_items_g2'"};
    assert_int_equal(publish_interrupted(db, large, &interruption, &status), STATUS_BUSY);
    assert_non_null(strstr(status.message, "vanished"));
    assert_dump(db, &before);
    buf_release(&before);
    db_close(db);
}

static void a_locked_database_is_busy_and_keeps_serving(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    struct sample sample;
    struct db *db = NULL, *other = open_output(state, "");
    int64_t generation = 77;
    store_path(state, "out.db", path);
    publish(other, small, 1, 3);
    assert_ok(db_open(path, DB_WRITE, 0.1, &db, &status), &status);
    struct publish_target target = {.db = db, .prefix = "", .keep = 3};
    sample_init(&sample, small, 2);
    store_exec(other, "BEGIN IMMEDIATE");
    assert_int_equal(publish_generation(&target, &sample.content, &generation, &status),
                     STATUS_BUSY);
    assert_int_equal(generation, 77);
    assert_int_equal(store_int64(db, "SELECT max(generation) FROM recommendations"), 1);
    store_exec(other, "COMMIT");
    status_clear(&status);
    assert_ok(publish_generation(&target, &sample.content, &generation, &status), &status);
    assert_int_equal(generation, 2);
    sample_release(&sample);
    db_close(other);
    db_close(db);
}

static void what_cannot_be_dropped_now_is_dropped_next_time(void **state)
{
    struct status status = {0}, drop_status = {0};
    struct sample sample;
    struct db_query *query = NULL;
    int64_t generation = 0;
    struct db *db = open_output(state, "");
    struct publish_target target = {.db = db, .prefix = "", .keep = 1, .drop_status = &drop_status};
    publish(db, small, 1, 1);
    /* a query under way holds its tables */
    assert_ok(db_prepare(db, "SELECT * FROM recommendations_g1", &query, &status), &status);
    assert_ok(db_step(query, NULL, &status), &status);
    sample_init(&sample, small, 2);
    assert_ok(publish_generation(&target, &sample.content, &generation, &status), &status);
    assert_int_equal(generation, 2);
    assert_int_equal(drop_status.code, STATUS_BUSY);
    assert_int_equal(store_int64(db, "SELECT max(generation) FROM recommendations"), 2);
    db_finalize(query);
    publish(db, small, 3, 1);
    store_assert_rows(db, "SELECT DISTINCT generation FROM nightjar_objects ORDER BY 1", "0\n3\n");
    sample_release(&sample);
    db_close(db);
}

static void dropped_user_ids_leave_no_trace_in_the_file(void **state)
{
    static const struct sample_shape shape = {
        .n_users = 25000, .n_items = 4, .top = 1, .users_are_text = true};
    char path[STORE_PATH_MAX];
    store_path(state, "out.db", path);
    struct db *db = open_output(state, "");
    publish(db, shape, 1, 1);
    assert_true(store_file_has(path, "user-24999"));
    assert_true(store_file_has(path, "user-12345"));
    publish(db, small_text, 2, 1); /* has only users 0 to 2 */
    assert_false(store_file_has(path, "user-24999"));
    assert_false(store_file_has(path, "user-12345"));
    assert_false(store_file_has(path, "user-3"));
    assert_true(store_file_has(path, "user-2"));
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
    struct db *db = open_output(state, "");
    publish(db, small, 1, 3);
    struct buf before = dump(db);
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
    assert_dump(db, &before);
    buf_release(&before);
    sample_release(&sample);
    db_close(db);
}

static void a_generation_from_before_the_parts_is_shown_without_them(void **state)
{
    struct db *db = open_output(state, "");
    struct status status = {0};
    publish(db, small, 1, 3);
    store_exec(db, "DROP VIEW recommendation_parts; DROP TABLE recommendation_parts_g1;"
                   "DELETE FROM nightjar_objects WHERE kind = 'recommendation_parts'");
    publish(db, small, 2, 3);
    assert_ok(publish_rollback(db, "", 1, &status), &status);
    store_assert_rows(db, "SELECT count(*), max(value * weight) FROM recommendation_parts",
                      "0|NULL\n");
    assert_true(store_int64(db, "SELECT count(*) FROM recommendation_reasons") > 0);
    assert_ok(publish_rollback(db, "", 2, &status), &status);
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
        assert_ok(db_get_text(db, buf_text(&sql), &make, &found, &status), &status);
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
    struct db *db = open_output(state, "");
    struct status status = {0};
    bool known = false;
    struct buf rows[N_VIEWS];
    publish(db, small_text, 1, 3);
    for (size_t i = 0; i < N_VIEWS; i++) {
        rows[i] = store_rows(db, views[i]);
    }
    make_coded(db);
    publish(db, small, 2, 3);
    assert_ok(publish_rollback(db, "", 1, &status), &status);
    for (size_t i = 0; i < N_VIEWS; i++) {
        store_assert_rows(db, views[i], buf_text(&rows[i]));
        buf_release(&rows[i]);
    }
    assert_ok(erase_look(db, "", &person, &known, &status), &status);
    assert_true(known);
    assert_ok(erase_published(db, "", &person, 1, &status), &status);
    store_assert_rows(db, "SELECT count(*), count(DISTINCT user_id) FROM recommendations", "3|2\n");
    store_assert_rows(db, "SELECT id FROM users_g1", "user-0\nuser-1\n");
    assert_ok(erase_look(db, "", &person, &known, &status), &status);
    assert_false(known);
    db_close(db);
}

static void people_are_erased_where_they_are_like_others_too(void **state)
{
    const struct row_id person = {.is_text = true, .text = "user-1", .length = 6};
    const struct row_id last = {.integer = 0};
    struct db *db = open_output(state, "");
    struct status status = {0};
    bool known = false;
    publish(db, small_text, 1, 3);
    publish(db, small, 1, 3);
    assert_ok(erase_published(db, "", &person, 1, &status), &status);
    store_assert_rows(db, "SELECT count(*) FROM similar_users_g1", "0\n");
    assert_ok(erase_look(db, "", &last, &known, &status), &status);
    assert_true(known);
    assert_ok(erase_published(db, "", &last, 1, &status), &status);
    store_assert_rows(db, "SELECT user_id FROM similar_users", "-20\n");
    assert_ok(erase_look(db, "", &last, &known, &status), &status);
    assert_false(known);
    db_close(db);
}

static void a_negative_zero_is_stored_like_a_zero(void **state)
{
    struct db *db = open_output(state, "");
    publish(db, small, -0.0F, 3); /* the checksum of what is read back must agree */
    store_assert_rows(db, "SELECT DISTINCT score FROM recommendations", "0.0\n");
    db_close(db);
}

static void a_run_that_began_before_the_newest_one_does_not_replace_it(void **state)
{
    struct db *db = open_output(state, "");
    struct status status = {0};
    struct sample sample;
    int64_t generation = 0, before = 0;
    struct publish_target target = {.db = db, .prefix = "", .keep = 3, .expected_latest = &before};
    assert_int_equal(publish(db, small, 0.5F, 3), 1); /* the other run, while ours was training */
    struct buf all = dump(db);
    sample_init(&sample, small, 0.25F);
    assert_int_equal(publish_generation(&target, &sample.content, &generation, &status),
                     STATUS_BUSY);
    assert_non_null(strstr(status.message, "generation 1 was published after this run began"));
    assert_dump(db, &all);
    before = 1;
    assert_ok(publish_generation(&target, &sample.content, &generation, &status), &status);
    /* what a rollback shows is not what was published last */
    assert_ok(publish_rollback(db, "", 1, &status), &status);
    before = generation;
    assert_ok(publish_generation(&target, &sample.content, &generation, &status), &status);
    sample_release(&sample);
    buf_release(&all);
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
        TEST(foreign_objects_under_our_names_are_named_and_kept),
        TEST(names_that_only_look_like_ours_are_free),
        TEST(a_table_put_in_our_views_place_is_kept),
        TEST(stopping_at_any_chunk_leaves_everything_as_it_was),
        TEST(damage_before_the_switch_is_noticed),
        TEST(others_can_write_between_the_chunks),
        TEST(a_foreign_table_made_meanwhile_stops_the_switch),
        TEST(another_publishers_cleanup_stops_the_switch),
        TEST(a_locked_database_is_busy_and_keeps_serving),
        TEST(what_cannot_be_dropped_now_is_dropped_next_time),
        TEST(dropped_user_ids_leave_no_trace_in_the_file),
        TEST(a_run_that_began_before_the_newest_one_does_not_replace_it),
        TEST(content_that_makes_no_sense_is_refused),
        TEST(a_generation_from_before_the_parts_is_shown_without_them),
        TEST(a_generation_with_codes_for_all_text_ids_is_shown_and_erased),
        TEST(people_are_erased_where_they_are_like_others_too),
        TEST(a_negative_zero_is_stored_like_a_zero),
    };
    return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
