/* The negatives stage, run behind `interactions` on small logs. */
#include "math/sparse.h"
#include "dataset/dataset.h"
#include "pairs/item_pairs.h"
#include "pairs/pair_artifact.h"
#include "negatives/negatives_options.h"
#include "tests/support/stage_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

extern const struct stage stage_interactions, stage_pairs, stage_negatives;
static const struct stage *const registry[] = {&stage_interactions, &stage_pairs, &stage_negatives,
                                               NULL};

/* 50 users with up to 8 of 30 items, popular ones more often. User 100 has every item but 'i7',
 * which nobody else has... but user 102; user 101 has all. */
static const char log_of_events[] =
    "CREATE TABLE events (user_id INTEGER, item_id TEXT);"
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 400)"
    " INSERT INTO events SELECT DISTINCT i % 50, 'i' || (i * i % 31 * (i % 5) % 30) FROM n;"
    "DELETE FROM events WHERE item_id = 'i7';"
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 29)"
    " INSERT INTO events SELECT 100 + u, 'i' || i FROM n, (SELECT 0 AS u UNION SELECT 1)"
    " WHERE i <> 7 OR u = 1;"
    "INSERT INTO events VALUES (102, 'i7');";

#define INTERACTIONS "- interactions: {split: {by: none}}\n"

static void run(void **state, const char *stages, int threads)
{
    struct status status;
    const enum status_code code = stage_run(state, registry, stages, threads, &status);
    if (code != STATUS_OK) {
        print_error("%s\n", status.message);
    }
    assert_int_equal(code, STATUS_OK);
}

static void settings_reach_the_artifact(void **state)
{
    struct status status = {0};
    struct negative_settings settings = {0};
    stage_source(state, log_of_events);
    run(state,
        INTERACTIONS "- negatives: {strategy: popularity, count: 77, alpha: 0.5,"
                     " shared: false, exclude_own: false}\n",
        1);
    struct artifact artifact = stage_artifact_of(state, "negatives/negatives");
    assert_int_equal(negative_settings_load(&settings, &artifact, &status), STATUS_OK);
    assert_int_equal(settings.strategy, NEGATIVES_POPULARITY);
    assert_true(settings.count == 77 && settings.alpha == 0.5);
    assert_true(!settings.shared && !settings.exclude_own && settings.correct);
    assert_null(artifact_find(&artifact, "fit.stored"));
    artifact_release(&artifact);
    struct db *db = stage_work(state);
    assert_int_equal(
        store_int64(db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'negatives%'"), 0);
    db_close(db);
}

static void stored_negatives_are_no_positives_of_their_user(void **state)
{
    const char *const stages[] = {INTERACTIONS "- negatives: {strategy: uniform, stored: 5}\n",
                                  INTERACTIONS
                                  "- negatives: {strategy: popularity, alpha: 1, stored: 5}\n"};
    stage_source(state, log_of_events);
    for (size_t s = 0; s < 2; s++) {
        run(state, stages[s], 1);
        struct artifact artifact = stage_artifact_of(state, "negatives/negatives");
        const struct array *fit = artifact_find(&artifact, "fit.stored");
        const struct array *all = artifact_find(&artifact, "all.stored");
        assert_true(fit != NULL && fit->type == ARRAY_I32 && fit->columns == 5);
        assert_true(all != NULL && all->rows == fit->rows && all->columns == 5);
        struct db *db = stage_work(state);
        assert_int_equal(store_int64(db, "SELECT count(*) FROM negatives"), (int64_t)fit->rows * 5);
        assert_int_equal(store_int64(db, "SELECT count(*) FROM negatives n JOIN (SELECT DISTINCT"
                                         " user_id, positive_id FROM negatives) p"
                                         " ON p.user_id = n.user_id AND p.positive_id ="
                                         " n.negative_id WHERE n.user_id <> 101"),
                         0);
        /* whoever lacks one item gets that one, whoever lacks none the positive itself */
        assert_int_equal(store_int64(db, "SELECT count(*) = 29 * 5 AND min(negative_id) = 'i7' AND"
                                         " max(negative_id) = 'i7' FROM negatives"
                                         " WHERE user_id = 100"),
                         1);
        assert_int_equal(store_int64(db, "SELECT count(*) = 30 * 5 AND min(negative_id ="
                                         " positive_id) FROM negatives WHERE user_id = 101"),
                         1);
        assert_true(store_int64(db, "SELECT count(DISTINCT negative_id) FROM negatives") > 25);
        db_close(db);
        artifact_release(&artifact);
    }
}

static void what_is_added_to_a_strategy_reaches_the_artifact(void **state)
{
    struct status status = {0};
    struct negative_settings settings = {0};
    stage_source(state, log_of_events);
    run(state,
        INTERACTIONS "- negatives: {strategy: queue, dislike_weight: 2,"
                     " hard: {count: 5, pool: 40, share: 0.1}}\n",
        1);
    struct artifact artifact = stage_artifact_of(state, "negatives/negatives");
    assert_int_equal(negative_settings_load(&settings, &artifact, &status), STATUS_OK);
    assert_int_equal(settings.strategy, NEGATIVES_QUEUE);
    assert_true(settings.count == 8192 && settings.shared);
    assert_true(settings.dislike_weight == 2);
    assert_true(settings.hard.count == 5 && settings.hard.pool == 40 && settings.hard.skip == 10);
    assert_true(settings.hard.from_epoch == 5 && settings.hard.every == 5);
    assert_true(settings.hard.share == 0.1);
    artifact_release(&artifact);
    run(state, INTERACTIONS "- negatives: {}\n", 1);
    artifact = stage_artifact_of(state, "negatives/negatives");
    assert_int_equal(negative_settings_load(&settings, &artifact, &status), STATUS_OK);
    assert_true(settings.hard.count == 0);
    assert_true(isnan(settings.hard.share));
    artifact_release(&artifact);
}

static void own_positives_are_drawn_when_nothing_excludes_them(void **state)
{
    stage_source(state, log_of_events);
    run(state, INTERACTIONS "- negatives: {strategy: uniform, stored: 5, exclude_own: false}\n", 1);
    struct db *db = stage_work(state);
    assert_true(store_int64(db, "SELECT count(DISTINCT negative_id) FROM negatives"
                                " WHERE user_id = 100") > 20);
    db_close(db);
}

static void stored_negatives_depend_on_the_seed_alone(void **state)
{
    static const char stages[] =
        INTERACTIONS "- negatives: {strategy: popularity, alpha: 0.5, stored: 3}\n";
    char hashes[2][HASH_TEXT_MAX];
    struct status status = {0};
    stage_source(state, log_of_events);
    for (int threads = 1; threads <= 2; threads++) {
        run(state, stages, threads);
        struct artifact artifact = stage_artifact_of(state, "negatives/negatives");
        assert_int_equal(artifact_hash(&artifact, hashes[threads - 1], &status), STATUS_OK);
        artifact_release(&artifact);
    }
    assert_string_equal(hashes[0], hashes[1]);
}

static void a_run_without_stored_negatives_drops_the_table(void **state)
{
    stage_source(state, log_of_events);
    run(state, INTERACTIONS "- negatives: {strategy: uniform, stored: 1}\n", 1);
    run(state, INTERACTIONS "- negatives: {strategy: uniform}\n", 1);
    struct db *db = stage_work(state);
    assert_int_equal(
        store_int64(db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'negatives%'"), 0);
    db_close(db);
}

static void contradictions_are_refused_with_what_is_allowed(void **state)
{
    const struct {
        const char *stage, *option, *message;
    } cases[] = {
        {"    strategy: mixed\n    stored: 4\n", "stored", "strategies uniform and popularity"},
        {"    strategy: in_batch\n    shared: false\n", "shared", "strategies uniform and"},
        {"    strategy: uniform\n    correct: false\n    alpha: 0.5\n", "alpha",
         "allowed: alpha 0"},
        {"    strategy: queue\n    shared: false\n", "shared", "strategies uniform and"},
        {"    strategy: queue\n    stored: 2\n", "stored", "strategies uniform and"},
        {"    strategy: all\n    hard: {count: 30, pool: 20}\n", "hard.count", "pool: 20 items"},
        {"    correct: false\n    hard: {}\n", "hard", "need `correct: true`"},
        {"    strategy: all\n    hard: {share: 0}\n", "share", "1e-06"},
    };
    stage_source(state, log_of_events);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct status status;
        struct buf stages = {0};
        buf_addf(&stages, INTERACTIONS "- negatives:\n%s", cases[c].stage);
        assert_int_equal(stage_run(state, registry, buf_text(&stages), 1, &status), STATUS_CONFIG);
        /* the last line of each case is the one at fault */
        assert_int_equal(status.line, c == 2 ? 12 : 11);
        assert_non_null(strstr(status.message, cases[c].option));
        assert_non_null(strstr(status.message, cases[c].message));
        buf_release(&stages);
    }
}

#define STAGE_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, store_folder_setup, store_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(settings_reach_the_artifact),
        STAGE_TEST(stored_negatives_are_no_positives_of_their_user),
        STAGE_TEST(what_is_added_to_a_strategy_reaches_the_artifact),
        STAGE_TEST(own_positives_are_drawn_when_nothing_excludes_them),
        STAGE_TEST(stored_negatives_depend_on_the_seed_alone),
        STAGE_TEST(a_run_without_stored_negatives_drops_the_table),
        STAGE_TEST(contradictions_are_refused_with_what_is_allowed),
    };
    return cmocka_run_group_tests_name("negatives stage", tests, NULL, NULL);
}
