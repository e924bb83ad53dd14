/* The made-up shop as a database: tables, ids, the oracle, and files that are never half done. */
#include "base/buf.h"
#include "base/mem.h"
#include "shop/shop_database.h"
#include "store/db.h"

#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct shop_database_options small = {
    .shop = {.n_users = 60, .n_items = 200, .n_events = 3000, .n_days = 30, .seed = 5},
    .oracle_k = 10};

enum { PATH_MAX_HERE = 512 };

struct place {
    char folder[PATH_MAX_HERE], shop[PATH_MAX_HERE + 16], other[PATH_MAX_HERE + 16];
};

static int set_up(void **state)
{
    static struct place place;
    const char *root = getenv("TMPDIR");
    (void)snprintf(place.folder, sizeof place.folder, "%s/nightjar_shop_XXXXXX",
                   root == NULL ? "/tmp" : root);
    if (mkdtemp(place.folder) == NULL) {
        return -1;
    }
    (void)snprintf(place.shop, sizeof place.shop, "%s/shop.db", place.folder);
    (void)snprintf(place.other, sizeof place.other, "%s/other.db", place.folder);
    *state = &place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    (void)unlink(place->shop);
    (void)unlink(place->other);
    return rmdir(place->folder); /* fails when anything else was left there */
}

static void write_shop(const char *path, const struct shop_database_options *options)
{
    struct status status = {0};
    struct progress progress = {0};
    enum status_code code = shop_database_write(path, options, &progress, &status);
    if (code != STATUS_OK) {
        fail_msg("%s", status.message);
    }
}

static struct db *open_shop(const char *path)
{
    struct status status = {0};
    struct db *db = NULL;
    assert_int_equal(db_open(path, DB_READ, 1.0, &db, &status), STATUS_OK);
    return db;
}

static void assert_value(struct db *db, const char *sql, int64_t expected)
{
    struct status status = {0};
    int64_t value = -1;
    bool found = false;
    assert_int_equal(db_get_int64(db, sql, &value, &found, &status), STATUS_OK);
    assert_true(found);
    assert_int_equal(value, expected);
}

static void read_file(const char *path, struct buf *out)
{
    char block[4096];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (size_t n = fread(block, 1, sizeof block, file); n > 0;
         n = fread(block, 1, sizeof block, file)) {
        buf_add(out, block, n);
    }
    (void)fclose(file);
}

static void equal_options_give_equal_bytes(void **state)
{
    struct place *place = *state;
    struct buf a = {0};
    struct buf b = {0};
    write_shop(place->shop, &small);
    write_shop(place->other, &small);
    read_file(place->shop, &a);
    read_file(place->other, &b);
    assert_int_equal(a.length, b.length);
    assert_memory_equal(a.data, b.data, a.length);
    buf_release(&a);
    buf_release(&b);
}

static void tables_have_their_rows_and_every_event_its_user_and_item(void **state)
{
    struct place *place = *state;
    for (int text = 0; text <= 1; text++) {
        struct shop_database_options options = small;
        options.text_ids = text == 1;
        options.force = true;
        write_shop(place->shop, &options);
        struct db *db = open_shop(place->shop);
        assert_value(db, "SELECT count(*) FROM users", 60);
        assert_value(db, "SELECT count(*) FROM items", 200);
        assert_value(db, "SELECT count(*) FROM events", 3000);
        assert_value(db, "SELECT count(DISTINCT title) FROM items", 200);
        assert_value(db, "SELECT max(event_id) FROM events", 3000);
        assert_value(db,
                     "SELECT count(*) FROM events e JOIN users u USING (user_id) JOIN items i"
                     " USING (item_id) WHERE e.event IN ('view', 'cart', 'purchase') AND"
                     " u.created_at <= e.created_at AND i.created_at <= e.created_at",
                     3000);
        assert_value(db,
                     text == 1 ? "SELECT user_id = 'u1' FROM users ORDER BY rowid LIMIT 1"
                               : "SELECT user_id IS 1 FROM users ORDER BY rowid LIMIT 1",
                     1);
        assert_value(db, "SELECT count(*) FROM events WHERE typeof(user_id) <> typeof(item_id)", 0);
        db_close(db);
    }
}

static void the_oracle_ranks_by_the_models_probabilities(void **state)
{
    struct place *place = *state;
    struct status status = {0};
    double mean[200] = {0};
    double day[200];
    struct shop *shop = NULL;
    write_shop(place->shop, &small);
    struct db *db = open_shop(place->shop);
    assert_value(db, "SELECT count(*) FROM oracle", 600);
    assert_value(db,
                 "SELECT count(*) FROM (SELECT user_id FROM oracle GROUP BY user_id HAVING"
                 " min(rank) = 1 AND max(rank) = 10 AND count(DISTINCT item_id) = 10)",
                 60);
    assert_value(db,
                 "SELECT count(*) FROM oracle a JOIN oracle b ON a.user_id = b.user_id AND"
                 " b.rank = a.rank + 1 WHERE a.score < b.score",
                 0);
    /* none of them was met before the last seven days */
    assert_value(db,
                 "SELECT count(*) FROM oracle o JOIN events e USING (user_id, item_id) WHERE"
                 " e.created_at <= (SELECT max(created_at) FROM events) - 7 * 86400",
                 0);

    /* and no item that was not met then is more probable than the last one kept */
    assert_int_equal(shop_new(&small.shop, &shop, &status), STATUS_OK);
    for (int64_t d = 23; d < 30; d++) {
        shop_probabilities(shop, 4, d, day);
        for (size_t i = 0; i < 200; i++) {
            mean[i] += day[i] / 7.0;
        }
    }
    struct db_query *query = NULL;
    bool has_row = false;
    assert_int_equal(db_prepare(db,
                                "SELECT i.item_id, coalesce(o.score, -1), (SELECT min(score) FROM"
                                " oracle WHERE user_id = 5) FROM items i LEFT JOIN oracle o ON"
                                " o.item_id = i.item_id AND o.user_id = 5 WHERE i.item_id NOT IN"
                                " (SELECT item_id FROM events WHERE user_id = 5 AND created_at <="
                                " (SELECT max(created_at) FROM events) - 7 * 86400)",
                                &query, &status),
                     STATUS_OK);
    size_t n_kept = 0;
    while (db_step(query, &has_row, &status) == STATUS_OK && has_row) {
        double expected = mean[db_column_int64(query, 0) - 1];
        double score = db_column_double(query, 1);
        n_kept += score >= 0.0 ? 1 : 0;
        assert_true(score >= 0.0 ? score == (double)(float)expected
                                 : expected <= db_column_double(query, 2) * (1.0 + 1e-7));
    }
    assert_int_equal(n_kept, 10);
    db_finalize(query);
    shop_free(shop);
    db_close(db);
}

static void a_living_shops_oracle_has_lists_for_evenings(void **state)
{
    struct place *place = *state;
    struct shop_database_options options = small;
    options.shop.kind = SHOP_LIVING;
    options.oracle_evenings = 5;
    for (int text = 0; text <= 1; text++) {
        options.text_ids = text == 1;
        options.force = true;
        write_shop(place->shop, &options);
        struct db *db = open_shop(place->shop);
        assert_value(db, "SELECT count(*) FROM events", 3000);
        assert_value(db, "SELECT count(*) > 20 FROM items WHERE left_at > created_at", 1);
        assert_value(db, "SELECT count(DISTINCT evening) FROM oracle", 5);
        /* lists for who comes the next day, and nobody else */
        assert_value(db,
                     "SELECT count(*) FROM (SELECT DISTINCT user_id, evening FROM oracle EXCEPT"
                     " SELECT user_id, created_at / 86400 * 86400 FROM events)",
                     0);
        assert_value(db,
                     "SELECT count(*) FROM (SELECT DISTINCT user_id, created_at / 86400 * 86400"
                     " FROM events WHERE created_at >= (SELECT min(evening) FROM oracle)"
                     " EXCEPT SELECT user_id, evening FROM oracle WHERE repeats = 1)",
                     0);
        /* what was had before stands only where it may, what is not sold nowhere */
        assert_value(db,
                     "SELECT count(*) FROM oracle o JOIN events e USING (user_id, item_id)"
                     " WHERE repeats = 0 AND e.created_at < evening",
                     0);
        assert_value(db,
                     "SELECT count(*) > 50 FROM oracle o WHERE repeats = 1 AND EXISTS (SELECT 1"
                     " FROM events e WHERE e.user_id = o.user_id AND e.item_id = o.item_id AND"
                     " e.created_at < evening)",
                     1);
        assert_value(db,
                     "SELECT count(*) FROM oracle JOIN items USING (item_id)"
                     " WHERE left_at <= evening OR created_at >= evening",
                     0);
        db_close(db);
    }
}

static void an_existing_file_is_left_alone_without_force(void **state)
{
    struct place *place = *state;
    struct status status = {0};
    struct progress progress = {0};
    FILE *file = fopen(place->shop, "wb");
    assert_non_null(file);
    assert_true(fputs("precious", file) >= 0);
    (void)fclose(file);
    assert_int_equal(shop_database_write(place->shop, &small, &progress, &status),
                     STATUS_CANNOT_CREATE);
    assert_string_equal(status.file, place->shop);
    assert_non_null(strstr(status.message, "--force"));
    struct buf bytes = {0};
    read_file(place->shop, &bytes);
    assert_string_equal(buf_text(&bytes), "precious");
    buf_release(&bytes);
    struct shop_database_options forced = small;
    forced.force = true;
    write_shop(place->shop, &forced);
    struct db *db = open_shop(place->shop);
    assert_value(db, "SELECT count(*) FROM events", 3000);
    db_close(db);
}

static enum status_code stop_at_the_third_look(void *data, struct status *status)
{
    int *looks = data;
    (*looks)++;
    return *looks < 3 ? STATUS_OK : status_set(status, STATUS_SIGNAL, "stop");
}

static void a_stop_leaves_no_file_and_keeps_the_old_one(void **state)
{
    struct place *place = *state;
    struct status status = {0};
    struct progress progress = {0};
    int looks = 0;
    struct shop_database_options options = small;
    options.watch = (struct watch){.check_stop = stop_at_the_third_look, .data = &looks};
    assert_int_equal(shop_database_write(place->shop, &options, &progress, &status), STATUS_SIGNAL);
    assert_int_equal(access(place->shop, F_OK), -1);

    write_shop(place->shop, &small);
    status_clear(&status);
    looks = 0;
    options.force = true;
    assert_int_equal(shop_database_write(place->shop, &options, &progress, &status), STATUS_SIGNAL);
    struct db *db = open_shop(place->shop);
    assert_value(db, "SELECT count(*) FROM events", 3000);
    db_close(db);
}

static void a_folder_that_is_missing_is_named(void **state)
{
    struct place *place = *state;
    struct status status = {0};
    struct progress progress = {0};
    char path[PATH_MAX_HERE + 32];
    (void)snprintf(path, sizeof path, "%s/nowhere/shop.db", place->folder);
    assert_int_equal(shop_database_write(path, &small, &progress, &status), STATUS_CANNOT_CREATE);
    assert_non_null(strstr(status.file, "nowhere/shop.db"));
    /* bad numbers are noticed before any file is made */
    struct shop_database_options bad = small;
    bad.shop.n_items = 0;
    status_clear(&status);
    assert_int_equal(shop_database_write(place->shop, &bad, &progress, &status), STATUS_USAGE);
    assert_int_equal(access(place->shop, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equal_options_give_equal_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tables_have_their_rows_and_every_event_its_user_and_item,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_oracle_ranks_by_the_models_probabilities, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_living_shops_oracle_has_lists_for_evenings, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_existing_file_is_left_alone_without_force, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_stop_leaves_no_file_and_keeps_the_old_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_is_missing_is_named, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("shop_database", tests, NULL, NULL);
}
