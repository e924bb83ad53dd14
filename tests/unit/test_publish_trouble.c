/* publishing: who is not overwritten, and what errors, stops and others at work leave behind. */
#include "publishing/generation.h"

#include "tests/support/publish_support.h"
#include "tests/support/store_support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct sample_shape small = {.n_users = 3, .n_items = 4, .top = 2};
static const struct sample_shape small_text = {
    .n_users = 3, .n_items = 4, .top = 2, .users_are_text = true, .items_are_text = true};
/* three chunks of recommendations */
static const struct sample_shape large = {.n_users = 2500, .n_items = 50, .top = 10};

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
        publish_assert_ok(publish_check_names(db, "", &status), &status);
        store_exec(db, cases[i].make);
        struct buf before = store_rows(db, "SELECT * FROM sqlite_schema");
        assert_int_equal(publish_check_names(db, "", &status), STATUS_CONFIG);
        assert_string_equal(status.file, path);
        if (strstr(status.message, cases[i].named) == NULL) {
            fail_msg("%s is not in: %s", cases[i].named, status.message);
        }
        store_assert_rows(db, "SELECT * FROM sqlite_schema", buf_text(&before));
        status_clear(&status);
        publish_assert_ok(publish_check_names(db, "p_", &status), &status);
        buf_release(&before);
        db_close(db);
    }
}

static void names_that_only_look_like_ours_are_free(void **state)
{
    struct status status = {0};
    struct db *db = publish_open(state, "");
    store_exec(db, "CREATE TABLE users (x); CREATE TABLE items (x); CREATE TABLE users_gold (x);"
                   "CREATE TABLE recommendations_g (x); CREATE TABLE my_recommendations (x);"
                   "CREATE TABLE users_g1x (x)");
    publish_assert_ok(publish_check_names(db, "", &status), &status);
    publish_sample(db, small_text, 1, 1);
    publish_assert_ok(publish_check_names(db, "", &status), &status);
    db_close(db);
}

static void a_table_put_in_our_views_place_is_kept(void **state)
{
    struct status status = {0};
    struct sample sample;
    struct db *db = publish_open(state, "");
    struct publish_target target = {.db = db, .prefix = "", .keep = 1};
    int64_t generation = 77;
    publish_sample(db, small, 1, 1);
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
    struct db *db = publish_open(state, "");
    publish_sample(db, small, 1, 3);
    struct buf before = publish_dump(db);
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
        publish_assert_dump(db, &before);
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
    struct db *db = publish_open(state, "");
    publish_sample(db, small, 1, 3);
    struct buf before = publish_dump(db);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct status status = {0};
        /* at the third call all recommendations are committed, and nothing is read back yet */
        struct interruption interruption = {.at = 3, .path = path, .sql = damages[i]};
        assert_int_equal(publish_interrupted(db, large, &interruption, &status), STATUS_IO);
        assert_non_null(strstr(status.message, "not stored as it was meant"));
        publish_assert_dump(db, &before);
    }
    buf_release(&before);
    db_close(db);
}

static void others_can_write_between_the_chunks(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    store_path(state, "out.db", path);
    struct db *db = publish_open(state, "");
    publish_sample(db, small, 1, 3);
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
    struct db *db = publish_open(state, "");
    struct interruption interruption = {
        .at = 2, .path = path, .sql = "CREATE TABLE similar_items (x)"};
    publish_sample(db, small, 1, 3);
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
    struct db *db = publish_open(state, "");
    publish_sample(db, small, 1, 3);
    struct buf before = publish_dump(db);
    struct interruption interruption = {
        .at = 23, /* read back already */
        .path = path,
        .sql = "DROP TABLE popular_items_g2;"
               "DELETE FROM nightjar_objects WHERE name = 'popular_items_g2'"};
    assert_int_equal(publish_interrupted(db, large, &interruption, &status), STATUS_BUSY);
    assert_non_null(strstr(status.message, "vanished"));
    publish_assert_dump(db, &before);
    buf_release(&before);
    db_close(db);
}

static void a_locked_database_is_busy_and_keeps_serving(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    struct sample sample;
    struct db *db = NULL, *other = publish_open(state, "");
    int64_t generation = 77;
    store_path(state, "out.db", path);
    publish_sample(other, small, 1, 3);
    publish_assert_ok(db_open(path, DB_WRITE, 0.1, &db, &status), &status);
    struct publish_target target = {.db = db, .prefix = "", .keep = 3};
    sample_init(&sample, small, 2);
    store_exec(other, "BEGIN IMMEDIATE");
    assert_int_equal(publish_generation(&target, &sample.content, &generation, &status),
                     STATUS_BUSY);
    assert_int_equal(generation, 77);
    assert_int_equal(store_int64(db, "SELECT max(generation) FROM recommendations"), 1);
    store_exec(other, "COMMIT");
    status_clear(&status);
    publish_assert_ok(publish_generation(&target, &sample.content, &generation, &status), &status);
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
    struct db *db = publish_open(state, "");
    struct publish_target target = {.db = db, .prefix = "", .keep = 1, .drop_status = &drop_status};
    publish_sample(db, small, 1, 1);
    /* a query under way holds its tables */
    publish_assert_ok(db_prepare(db, "SELECT * FROM recommendations_g1", &query, &status), &status);
    publish_assert_ok(db_step(query, NULL, &status), &status);
    sample_init(&sample, small, 2);
    publish_assert_ok(publish_generation(&target, &sample.content, &generation, &status), &status);
    assert_int_equal(generation, 2);
    assert_int_equal(drop_status.code, STATUS_BUSY);
    assert_int_equal(store_int64(db, "SELECT max(generation) FROM recommendations"), 2);
    db_finalize(query);
    publish_sample(db, small, 3, 1);
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
    struct db *db = publish_open(state, "");
    publish_sample(db, shape, 1, 1);
    assert_true(store_file_has(path, "user-24999"));
    assert_true(store_file_has(path, "user-12345"));
    publish_sample(db, small_text, 2, 1); /* has only users 0 to 2 */
    assert_false(store_file_has(path, "user-24999"));
    assert_false(store_file_has(path, "user-12345"));
    assert_false(store_file_has(path, "user-3"));
    assert_true(store_file_has(path, "user-2"));
    db_close(db);
}

static void a_run_that_began_before_the_newest_one_does_not_replace_it(void **state)
{
    struct db *db = publish_open(state, "");
    struct status status = {0};
    struct sample sample;
    int64_t generation = 0, before = 0;
    struct publish_target target = {.db = db, .prefix = "", .keep = 3, .expected_latest = &before};
    assert_int_equal(publish_sample(db, small, 0.5F, 3),
                     1); /* the other run, while ours was training */
    struct buf all = publish_dump(db);
    sample_init(&sample, small, 0.25F);
    assert_int_equal(publish_generation(&target, &sample.content, &generation, &status),
                     STATUS_BUSY);
    assert_non_null(strstr(status.message, "generation 1 was published after this run began"));
    publish_assert_dump(db, &all);
    before = 1;
    publish_assert_ok(publish_generation(&target, &sample.content, &generation, &status), &status);
    /* what a rollback shows is not what was published last */
    publish_assert_ok(publish_rollback(db, "", 1, &status), &status);
    before = generation;
    publish_assert_ok(publish_generation(&target, &sample.content, &generation, &status), &status);
    sample_release(&sample);
    buf_release(&all);
    db_close(db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests_name("publish_trouble", tests, NULL, NULL);
}
