/* catch_up: small nights on top of a full one. What they read and train, what people see of it, and
 * that nothing of them is left after the next full night. */
#include "math/blas.h"
#include "shop/shop_database.h"
#include "run/runner.h"
#include "tests/support/stage_support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

extern const struct stage stage_interactions, stage_features, stage_pairs, stage_negatives,
    stage_train, stage_calibrate, stage_refit, stage_catch_up, stage_recommend, stage_gate,
    stage_publish;
static const struct stage *const registry[] = {
    &stage_interactions, &stage_features,  &stage_pairs,   &stage_negatives,
    &stage_train,        &stage_calibrate, &stage_refit,   &stage_catch_up,
    &stage_recommend,    &stage_gate,      &stage_publish, NULL};
enum { N_STAGES = 10, N_SMALL = 4 }; /* catch_up, recommend, gate, publish */

/* What a night does differently. */
struct night {
    const char *files;   /* output and work database: FILES.db, FILES.work.db */
    const char *refresh; /* NULL: neither that nor catch_up */
    int threads;
    bool force;
    bool features; /* a stage of side data, and towers that read them */
    bool no_times; /* events have none; max_user_interactions is set */
};
static const struct night usual = {.files = "a", .refresh = "7d", .threads = 1};

static void source(void **state, const char *sql)
{
    char path[STORE_PATH_MAX];
    store_path(state, "source.db", path);
    store_exec_apart(path, sql);
}

/* A log by time up to yesterday; three tomorrows wait, the first with a user and an item that
 * nobody has heard of. */
static void shop_setup(void **state)
{
    stage_shop(state, 150, 90, 7000);
    source(state,
           "CREATE TABLE every AS SELECT row_number() OVER (ORDER BY created_at, event_id) AS id,"
           " user_id, item_id, event, created_at FROM events;"
           "CREATE TABLE log (id INTEGER PRIMARY KEY, user_id, item_id, event, created_at);"
           "INSERT INTO log SELECT * FROM every WHERE id <= 6400;"
           "CREATE TABLE day1 AS SELECT * FROM every WHERE id BETWEEN 6401 AND 6500;"
           "INSERT INTO day1 SELECT 7000 + id, 'a new user', item_id, event, created_at FROM log"
           " WHERE id BETWEEN 6381 AND 6390;"
           "INSERT INTO day1 SELECT 8000 + row_number() OVER (), user_id, 'a new item', 'view',"
           " max(created_at) FROM every WHERE id BETWEEN 6300 AND 6400 GROUP BY user_id LIMIT 9;"
           "CREATE TABLE day2 AS SELECT 9000 + id AS id, user_id, item_id, event, created_at"
           " FROM every WHERE id BETWEEN 6501 AND 6540;");
}

static struct plan *plan_of(void **state, const struct night *night)
{
    const struct stage_registry stages = {registry};
    struct status status = {0};
    struct plan *plan = NULL;
    struct buf text = {0};
    char path[STORE_PATH_MAX];
    store_path(state, "pipeline.yaml", path);
    const char *features = night->features ? "  - features: {fingerprint: SELECT 1, items: {query:"
                                             " \"SELECT item_id, category FROM items\"}}\n"
                                           : "";
    buf_addf(&text,
             "pipeline: shop\nseed: 7\nthreads: %d\n"
             "source: {database: source.db, key: id,\n"
             "  interactions: \"SELECT id, user_id, item_id, event%s FROM log\"}\n"
             "output: {database: %s.db, keep: 9}\nwork: {database: %s.work.db}\nstages:\n"
             "  - interactions: {%s%s%s %s,\n"
             "      event_weights: {view: 1, cart: 2, purchase: 4},\n"
             "      min_user_interactions: 2, min_item_interactions: 3}\n%s"
             "  - pairs: {item_item: {top: 10}, evidence: {top: 50}, user_item: {weights: log}}\n"
             "  - negatives: {strategy: mixed, count: 64, alpha: 0.5}\n"
             "  - train: {dimension: 16, epochs: 12, patience: 0, batch_users: 32,\n"
             "      co_interaction: {weight: 0.1}%s}\n"
             "  - calibrate: {}\n"
             "  - refit: {}\n",
             night->threads, night->no_times ? "" : ", created_at", night->files, night->files,
             night->refresh != NULL ? "refresh: " : "",
             night->refresh != NULL ? night->refresh : "", night->refresh != NULL ? "," : "",
             night->no_times ? "split: {by: random}, max_user_interactions: 50"
                             : "split: {by: time, valid: 3d, test: 3d}, half_life: 60d",
             features, night->features ? ", id_dropout: 0.3" : "");
    buf_add_text(&text, night->refresh != NULL ? "  - catch_up: {}\n" : "");
    buf_add_text(&text, "  - recommend: {top: 10, similar: 3}\n  - gate: {}\n  - publish: {}\n");
    store_write_file(path, text.data, text.length);
    buf_release(&text);
    if (plan_load(path, &stages, NULL, 0, &plan, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
    return plan;
}

static enum status_code try_night(void **state, const struct night *night,
                                  struct run_result *result, struct status *status)
{
    char path[STORE_PATH_MAX];
    struct plan *plan = plan_of(state, night);
    store_path(state, "warnings.txt", path);
    struct log log = {.stream = fopen(path, "w"), .level = LOG_INFO};
    assert_non_null(log.stream);
    const struct run_request request = {
        .plan = plan, .version = "test", .log = &log, .force = night->force};
    const enum status_code code = runner_run(&request, result, status);
    fclose(log.stream);
    plan_free(plan);
    return code;
}

static struct run_result run_night(void **state, const struct night *night)
{
    struct status status = {0};
    struct run_result result = {0};
    if (try_night(state, night, &result, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
    return result;
}

static struct db *open_in(void **state, const char *name)
{
    char path[STORE_PATH_MAX];
    store_path(state, name, path);
    return store_open(path, DB_WRITE);
}

static void assert_rows(void **state, const char *name, const char *sql, const char *expected)
{
    struct db *db = open_in(state, name);
    store_assert_rows(db, sql, expected);
    db_close(db);
}

/* Of a.work.db. */
static bool is_saved(void **state, const char *slot)
{
    struct status status = {0};
    char hash[HASH_TEXT_MAX];
    bool found = false;
    struct db *db = open_in(state, "a.work.db");
    assert_int_equal(artifact_saved_hash(db, slot, hash, &found, &status), STATUS_OK);
    db_close(db);
    return found;
}

static void hash_of(void **state, const char *slot, char out[HASH_TEXT_MAX])
{
    struct status status = {0};
    bool found = false;
    struct db *db = open_in(state, "a.work.db");
    assert_int_equal(artifact_saved_hash(db, slot, out, &found, &status), STATUS_OK);
    assert_true(found);
    db_close(db);
}

/* Everything that people see. */
static const char seen[] =
    "SELECT user_id, rank, item_id, score, source FROM recommendations UNION ALL"
    " SELECT item_id, rank, similar_item_id, score, '' FROM similar_items UNION ALL"
    " SELECT '', rank, item_id, score, '' FROM popular_items UNION ALL"
    " SELECT user_id, '', hex(embedding), '', '' FROM user_embeddings UNION ALL"
    " SELECT item_id, bias, hex(embedding), '', '' FROM item_embeddings ORDER BY 1, 2, 3";

static void assert_same_output(void **state, const char *one, const char *other)
{
    struct db *a = open_in(state, one), *b = open_in(state, other);
    struct buf expected = store_rows(a, seen);
    assert_true(expected.length > 10000);
    store_assert_rows(b, seen, buf_text(&expected));
    buf_release(&expected);
    db_close(a);
    db_close(b);
}

static void assert_metric(void **state, const char *name, double value)
{
    char sql[256], expected[64];
    snprintf(sql, sizeof sql,
             "SELECT value FROM nightjar_metrics WHERE name = '%s' AND generation ="
             " (SELECT max(generation) FROM nightjar_generations)",
             name);
    snprintf(expected, sizeof expected, "%.1f\n", value);
    assert_rows(state, "a.db", sql, expected);
}

static void a_small_night_adds_what_is_new(void **state)
{
    shop_setup(state);
    assert_int_equal(run_night(state, &usual).n_run, N_STAGES);
    assert_false(is_saved(state, "catch_up/towers"));
    source(state, "INSERT INTO log SELECT * FROM day1");
    struct run_result result = run_night(state, &usual);
    assert_int_equal(result.n_run, N_SMALL);
    assert_int_equal(result.generation, 2);
    stage_assert_warned(state, "catch_up: 119 rows are new, 0 of them bad; ");
    assert_metric(state, "news_rows", 119);
    assert_metric(state, "news_new_items", 1);
    /* those with news, and nobody else: the new user among them */
    char anchors[32];
    char path[STORE_PATH_MAX];
    store_path(state, "source.db", path);
    struct db *log = store_open(path, DB_READ);
    struct buf n = store_rows(log, "SELECT count(DISTINCT user_id) || '.0' FROM day1");
    db_close(log);
    snprintf(anchors, sizeof anchors, "%s", buf_text(&n));
    buf_release(&n);
    assert_rows(state, "a.db", "SELECT value FROM nightjar_metrics WHERE name = 'news_anchors'",
                anchors);
    assert_rows(state, "a.db",
                "SELECT count(*), min(source), max(source) FROM recommendations"
                " WHERE user_id = 'a new user'",
                "10|model|model\n");
    assert_rows(state, "a.db", "SELECT source FROM item_embeddings WHERE item_id = 'a new item'",
                "model\n");
}

/* Seen items of every row, the new ones included, are in no list. */
static void seen_items_of_the_night_are_left_out(void **state)
{
    char sql[STORE_PATH_MAX + 256], path[STORE_PATH_MAX];
    shop_setup(state);
    run_night(state, &usual);
    source(state, "INSERT INTO log SELECT * FROM day1");
    run_night(state, &usual);
    store_path(state, "source.db", path);
    snprintf(sql, sizeof sql, "ATTACH '%s' AS shop", path);
    struct db *db = open_in(state, "a.db");
    store_exec(db, sql);
    store_assert_rows(db,
                      "SELECT count(*) FROM recommendations AS r JOIN shop.log AS l"
                      " ON l.user_id = r.user_id AND l.item_id = r.item_id",
                      "0\n");
    db_close(db);
}

static void each_night_reads_and_trains_its_own_rows(void **state)
{
    shop_setup(state);
    run_night(state, &usual);
    source(state, "INSERT INTO log SELECT * FROM day1");
    run_night(state, &usual);
    assert_int_equal(run_night(state, &usual).n_run, 1); /* the gate always looks */
    source(state, "INSERT INTO log SELECT * FROM day2");
    assert_int_equal(run_night(state, &usual).n_run, N_SMALL);
    assert_metric(state, "news_rows", 40);
    assert_rows(state, "a.work.db",
                "SELECT count(*) FROM artifact WHERE current = 1 AND slot LIKE 'catch_up/events.%'",
                "2\n");
    struct db *db = open_in(state, "a.db");
    struct buf trained = store_rows(
        db, "SELECT value FROM nightjar_metrics WHERE name = 'news_anchors' AND generation = 3");
    db_close(db);
    char path[STORE_PATH_MAX];
    store_path(state, "source.db", path);
    db = store_open(path, DB_READ);
    store_assert_rows(db, "SELECT count(DISTINCT user_id) || '.0' FROM day2", buf_text(&trained));
    db_close(db);
    buf_release(&trained);
}

static void a_full_night_leaves_nothing_of_the_small_ones(void **state)
{
    const struct night forced = {.files = "a", .refresh = "7d", .threads = 1, .force = true},
                       other = {.files = "b", .refresh = "8d", .threads = 1};
    const struct night alone = {.files = "c", .threads = 1};
    shop_setup(state);
    run_night(state, &usual);
    run_night(state, &(struct night){.files = "b", .refresh = "7d", .threads = 1});
    source(state, "INSERT INTO log SELECT * FROM day1");
    run_night(state, &usual);
    run_night(state, &(struct night){.files = "b", .refresh = "7d", .threads = 1});
    source(state, "INSERT INTO log SELECT * FROM day2");
    assert_int_equal(run_night(state, &forced).n_run, N_STAGES);
    run_night(state, &other); /* another option of interactions: a full night too */
    assert_int_equal(run_night(state, &alone).n_run, N_STAGES - 1);
    assert_same_output(state, "a.db", "c.db");
    assert_same_output(state, "b.db", "c.db");
    assert_false(is_saved(state, "catch_up/towers"));
    assert_false(is_saved(state, "catch_up/news"));
    assert_false(is_saved(state, "catch_up/events.0"));
    assert_int_equal(run_night(state, &usual).n_run, 1); /* the gate always looks */
}

static void what_was_read_too_long_ago_is_read_anew(void **state)
{
    const struct night brief = {.files = "a", .refresh = "1s", .threads = 1};
    shop_setup(state);
    run_night(state, &brief);
    source(state, "INSERT INTO log SELECT * FROM day1");
    struct db *db = open_in(state, "a.work.db"); /* the clock is not ours to turn */
    struct artifact reading = {0};
    struct status status = {0};
    bool found;
    assert_int_equal(artifact_load(db, "interactions/reading", &reading, &found, &status),
                     STATUS_OK);
    ((double *)artifact_find(&reading, "at")->data)[0] -= 10;
    assert_int_equal(artifact_save(db, "interactions/reading", &reading, &status), STATUS_OK);
    artifact_release(&reading);
    db_close(db);
    assert_int_equal(run_night(state, &brief).n_run, N_STAGES);
}

static void a_lost_last_row_makes_a_full_night(void **state)
{
    shop_setup(state);
    run_night(state, &usual);
    source(state, "INSERT INTO log SELECT * FROM day1; DELETE FROM log WHERE id = 6400");
    assert_int_equal(run_night(state, &usual).n_run, N_STAGES);
    stage_assert_warned(state, "the row with source.key: id = 6400 is gone; reading all rows");
}

/* Rows of a small night that are gone the night after: as if they had never been there. */
static void lost_rows_of_a_small_night_are_forgotten(void **state)
{
    const struct night other = {.files = "b", .refresh = "7d", .threads = 1};
    shop_setup(state);
    run_night(state, &usual);
    run_night(state, &other);
    source(state, "INSERT INTO log SELECT * FROM day1");
    run_night(state, &usual);
    source(state, "DELETE FROM log WHERE id >= 7000; INSERT INTO log SELECT * FROM day2");
    assert_int_equal(run_night(state, &usual).n_run, N_SMALL);
    stage_assert_warned(state, "is gone; reading all rows behind the last full run");
    run_night(state, &other);
    assert_same_output(state, "a.db", "b.db");
}

static void threads_change_no_byte(void **state)
{
    const struct night three = {.files = "b", .refresh = "7d", .threads = 3};
    shop_setup(state);
    run_night(state, &usual);
    run_night(state, &three);
    source(state, "INSERT INTO log SELECT * FROM day1");
    run_night(state, &usual);
    run_night(state, &three);
    assert_same_output(state, "a.db", "b.db");
    source(state, "INSERT INTO log SELECT * FROM day2");
    run_night(state, &usual);
    run_night(state, &three);
    assert_same_output(state, "a.db", "b.db");
}

/* A run that died behind the stage's first output, or before it was remembered. */
static void a_night_that_died_ends_in_the_same_bytes(void **state)
{
    static const char *const slots[] = {"catch_up/towers", "catch_up/news"};
    static const char *const losses[] = {"DELETE FROM stage_state WHERE label = 'catch_up'",
                                         "DELETE FROM stage_state WHERE label = 'catch_up';"
                                         "DELETE FROM artifact WHERE slot = 'catch_up/news'"};
    char before[2][HASH_TEXT_MAX], after[HASH_TEXT_MAX];
    shop_setup(state);
    run_night(state, &usual);
    source(state, "INSERT INTO log SELECT * FROM day1");
    run_night(state, &usual);
    source(state, "INSERT INTO log SELECT * FROM day2");
    run_night(state, &usual);
    for (size_t s = 0; s < 2; s++) {
        hash_of(state, slots[s], before[s]);
    }
    for (size_t loss = 0; loss < 2; loss++) {
        struct db *db = open_in(state, "a.work.db");
        store_exec(db, losses[loss]);
        db_close(db);
        assert_int_equal(run_night(state, &usual).n_run, 2); /* and the gate, which always looks */
        for (size_t s = 0; s < 2; s++) {
            hash_of(state, slots[s], after);
            assert_string_equal(before[s], after);
        }
    }
}

static void the_vectors_stay_near_those_of_the_full_night(void **state)
{
    char sql[STORE_PATH_MAX + 64], path[STORE_PATH_MAX];
    shop_setup(state);
    run_night(state, &usual);
    source(state, "INSERT INTO log SELECT * FROM day1");
    run_night(state, &usual);
    assert_rows(state, "a.db",
                "SELECT count(*), min(value) > 0.9, max(value) < 0.999999 FROM nightjar_metrics"
                " WHERE name LIKE 'news_drift%'",
                "2|1|1\n");
    /* nobody but those with news has moved */
    store_path(state, "source.db", path);
    snprintf(sql, sizeof sql, "ATTACH '%s' AS shop", path);
    struct db *db = open_in(state, "a.db");
    store_exec(db, sql);
    store_assert_rows(db,
                      "SELECT DISTINCT a.\"user\" IN (SELECT user_id FROM shop.day1) ="
                      " (a.embedding <> b.embedding) FROM user_embeddings_g1 AS a"
                      " JOIN user_embeddings_g2 AS b USING (\"user\")",
                      "1\n");
    db_close(db);
}

/* Towers that read side data: items that only those know keep their vector, and are items like
 * others once they have events. */
static void side_data_carry_items_until_they_have_events(void **state)
{
    const struct night with = {.files = "a", .refresh = "7d", .threads = 1, .features = true};
    static const char sources[] = "SELECT item_id, source FROM item_embeddings"
                                  " WHERE item_id IN ('a new item', 'another new item')"
                                  " ORDER BY 1";
    shop_setup(state);
    source(state, "INSERT INTO items (item_id, title, category, price, created_at)"
                  " SELECT 'a new item', 'x', category, 1, 1 FROM items LIMIT 1;"
                  "INSERT INTO items (item_id, title, category, price, created_at)"
                  " SELECT 'another new item', 'y', category, 1, 1 FROM items LIMIT 1;"
                  "DELETE FROM day1 WHERE id > 8002 AND item_id = 'a new item'");
    assert_int_equal(run_night(state, &with).n_run, N_STAGES + 1);
    assert_rows(state, "a.db", sources, "a new item|cold\nanother new item|cold\n");
    source(state, "INSERT INTO log SELECT * FROM day1"); /* two users: not enough for a row */
    assert_int_equal(run_night(state, &with).n_run, N_SMALL);
    assert_rows(state, "a.db", sources, "a new item|cold\nanother new item|cold\n");
    source(state, "INSERT INTO log SELECT 9900 + id, user_id, 'a new item', 'view', created_at"
                  " FROM log WHERE id IN (6000, 6050, 6100, 6150, 6200)");
    assert_int_equal(run_night(state, &with).n_run, N_SMALL);
    assert_rows(state, "a.db", sources, "a new item|model\nanother new item|cold\n");
}

/* The share of the pairs of the days behind `after` that the lists of a generation have, in
 * thousandths. The pairs are such as nobody has in the log. */
static int64_t recall(void **state, const char *name)
{
    char sql[STORE_PATH_MAX + 64], path[STORE_PATH_MAX];
    store_path(state, "source.db", path);
    snprintf(sql, sizeof sql, "ATTACH '%s' AS shop", path);
    struct db *db = open_in(state, name);
    store_exec(db, sql);
    const int64_t found =
        store_int64(db, "SELECT 1000 * avg((SELECT count(*) FROM recommendations AS r"
                        "  WHERE r.user_id = f.user_id AND r.item_id = f.item_id)) FROM"
                        " (SELECT user_id, item_id FROM shop.every WHERE id > 24500"
                        "  EXCEPT SELECT user_id, item_id FROM shop.every WHERE id <= 24500) AS f");
    db_close(db);
    return found;
}

/* Two weeks of news at once: much to learn from, enough to measure. */
static void lists_of_a_small_night_find_as_much_as_those_of_a_full_one(void **state)
{
    const struct night alone = {.files = "c", .threads = 2};
    const struct shop_database_options shop = {
        .shop = {.n_users = 500, .n_items = 250, .n_events = 30000, .n_days = 90, .seed = 5}};
    struct progress progress = {0};
    struct status status = {0};
    char path[STORE_PATH_MAX];
    store_path(state, "source.db", path);
    assert_int_equal(shop_database_write(path, &shop, &progress, &status), STATUS_OK);
    source(state,
           "CREATE TABLE every AS SELECT row_number() OVER (ORDER BY created_at, event_id) AS id,"
           " user_id, item_id, event, created_at FROM events;"
           "CREATE TABLE log (id INTEGER PRIMARY KEY, user_id, item_id, event, created_at);"
           "INSERT INTO log SELECT * FROM every WHERE id <= 20000");
    run_night(state, &usual);
    const int64_t stale = recall(state, "a.db");
    source(state, "INSERT INTO log SELECT * FROM every WHERE id BETWEEN 20001 AND 24500");
    assert_int_equal(run_night(state, &usual).n_run, N_SMALL);
    run_night(state, &alone);
    const int64_t small = recall(state, "a.db"), full = recall(state, "c.db");
    print_message("pairs found, in thousandths: stale %d, small night %d, full night %d\n",
                  (int)stale, (int)small, (int)full);
    assert_true(stale > 0 && small >= stale);
    assert_true(20 * small >= 19 * full);
}

static void assert_mistake(void **state, const char *source_lines, const char *stages,
                           const char *expected)
{
    const struct stage_registry list = {registry};
    struct status status = {0};
    struct plan *plan = NULL;
    struct buf text = {0}, shown = {0};
    char path[STORE_PATH_MAX];
    store_path(state, "mistake.yaml", path);
    buf_addf(&text,
             "pipeline: shop\nsource: {database: s.db, interactions: SELECT 1%s}\nstages:\n%s",
             source_lines, stages);
    store_write_file(path, text.data, text.length);
    assert_int_equal(plan_load(path, &list, NULL, 0, &plan, &status), STATUS_CONFIG);
    buf_addf(&shown, "%d:%d: %s", (int)status.line, (int)status.column, status.message);
    if (strstr(buf_text(&shown), expected) == NULL) {
        fail_msg("%s\nis not in\n%s", expected, buf_text(&shown));
    }
    buf_release(&shown);
    buf_release(&text);
}

static void mistakes_are_named_where_they_stand(void **state)
{
    static const char trained[] = "  - negatives: {}\n  - train: {}\n  - refit: {}\n";
    char stages[512];
    snprintf(stages, sizeof stages, "  - interactions: {refresh: 7d}\n%s  - catch_up: {}\n",
             trained);
    assert_mistake(state, "", stages, "4:29: interactions.refresh: it stands without source.key");
    assert_mistake(state, "", stages, "8:5: catch_up: it stands without source.key");
    snprintf(stages, sizeof stages, "  - interactions: {refresh: 7d}\n%s", trained);
    assert_mistake(state, ", key: id", stages,
                   "4:29: interactions.refresh: it stands without a stage catch_up");
    snprintf(stages, sizeof stages, "  - interactions: {}\n%s  - catch_up: {}\n", trained);
    assert_mistake(state, ", key: id", stages,
                   "8:5: catch_up: it stands without refresh in stage interactions (line 4)");
    snprintf(stages, sizeof stages,
             "  - interactions: {refresh: 7d, split: {test_query: SELECT 2}}\n%s  - catch_up: {}\n",
             trained);
    assert_mistake(state, ", key: id", stages,
                   "4:29: interactions.refresh: it stands beside split.test_query");
    snprintf(stages, sizeof stages,
             "  - interactions: {refresh: 7d}\n%s  - catch_up: {}\n  - calibrate: {}\n", trained);
    assert_mistake(state, ", key: id", stages,
                   "8:5: catch_up: stage calibrate in line 9 knows nothing of what is new");
    snprintf(stages, sizeof stages,
             "  - interactions: {refresh: 7d}\n%s  - recommend: {}\n  - catch_up: {}\n", trained);
    assert_mistake(state, ", key: id", stages,
                   "9:5: catch_up: stage recommend in line 8 would not see what is new");
}

static void a_cap_without_times_is_refused_before_the_first_night(void **state)
{
    struct night night = usual;
    struct run_result result = {0};
    struct status status = {0};
    night.no_times = true;
    shop_setup(state);
    assert_int_equal(try_night(state, &night, &result, &status), STATUS_CONFIG);
    assert_non_null(strstr(status.message, "max_user_interactions keeps the newest pairs"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        TEST(a_small_night_adds_what_is_new),
        TEST(seen_items_of_the_night_are_left_out),
        TEST(each_night_reads_and_trains_its_own_rows),
        TEST(a_full_night_leaves_nothing_of_the_small_ones),
        TEST(what_was_read_too_long_ago_is_read_anew),
        TEST(a_lost_last_row_makes_a_full_night),
        TEST(lost_rows_of_a_small_night_are_forgotten),
        TEST(threads_change_no_byte),
        TEST(a_night_that_died_ends_in_the_same_bytes),
        TEST(the_vectors_stay_near_those_of_the_full_night),
        TEST(side_data_carry_items_until_they_have_events),
        TEST(lists_of_a_small_night_find_as_much_as_those_of_a_full_one),
        TEST(mistakes_are_named_where_they_stand),
        TEST(a_cap_without_times_is_refused_before_the_first_night),
    };
    return cmocka_run_group_tests_name("catch_up", tests, NULL, NULL);
}
