/* run/findings: what is said of a run, out of rows that stand for runs. */
#include "run/findings.h"

#include "evaluation/metric_rows.h"
#include "publishing/generation.h"
#include "store/migrate.h"
#include "tests/support/store_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static const char runs[] =
    "INSERT INTO run (run, pipeline, version, config_hash, seed, started, finished, state,"
    " generation) VALUES"
    " (1, 'shop', '1', 'a', 1, 1796000000, 1796000009, 'published', 4),"
    " (2, 'shop', '1', 'a', 1, 1796050000, 1796050009, 'refused', NULL),"
    " (3, 'shop', '1', 'a', 1, 1796086400, 1796086409, 'published', 5);"
    "INSERT INTO run_metric (run, name, model, grp, value, error, label) VALUES"
    " (1, 'recall@20', 'nightjar', 'all', 0.1, 0.01, 'evaluate'),"
    " (3, 'coverage@20', 'nightjar', 'all', 0.9, NULL, 'evaluate'),"
    " (3, 'ndcg@20', 'nightjar', 'all', 0.5, NULL, 'evaluate'),"
    " (3, 'recall@20', 'nightjar', 'all', 0.2, 0.01, 'evaluate'),"
    " (3, 'recall@20', 'towers', 'all', 0.4, 0.01, 'evaluate'),"
    " (3, 'recall@20', 'popularity', 'all', 0.1, 0.02, 'evaluate'),"
    " (3, 'recall@20', 'item_item', 'all', 0.16, 0.01, 'evaluate'),"
    " (3, 'users', 'data', 'all', 1812, NULL, 'evaluate')";

static const char generations[] =
    "INSERT INTO nightjar_generations (generation, published, pipeline, version, config_hash, seed,"
    " run_started, build_started, dimension, temperature, popularity_weight, n_interactions,"
    " n_users, n_items, n_recommendations, n_popular_items, n_similar_items, n_user_embeddings,"
    " n_item_embeddings, checksum) VALUES"
    " (4, 0, 'shop', '1', 'a', 1, 0, 0, 8, 1, 0, 5000, 1950, 300, 19500, 1, 1, 1, 1, ''),"
    " (5, 0, 'shop', '1', 'a', 1, 0, 0, 8, 1, 0, 6234, 1956, 300, 19560, 1, 1, 1, 1, '')";

/* What `add` says of run 3 after `changes`; is_published: there is an output database. */
static void assert_said(void **state, const char *changes, bool is_published,
                        void (*add)(const struct findings *findings, struct buf *out),
                        const char *expected)
{
    struct status status = {0};
    struct findings findings;
    struct buf text = {0};
    char path[STORE_PATH_MAX], protocol[128];
    store_path(state, "work.db", path);
    unlink(path);
    struct db *work = store_open(path, DB_CREATE), *output = NULL;
    assert_int_equal(migrate_apply(work, MIGRATE_WORK, "", &status), STATUS_OK);
    store_exec(work, runs);
    snprintf(protocol, sizeof protocol, "UPDATE run SET judged_on = 'test; protocol %d'",
             JUDGING_PROTOCOL);
    store_exec(work, protocol);
    store_exec(work, changes);
    if (is_published) {
        store_path(state, "output.db", path);
        unlink(path);
        output = store_open(path, DB_CREATE);
        assert_int_equal(publish_migrate(output, "", &status), STATUS_OK);
        store_exec(output, generations);
    }
    assert_int_equal(findings_read(work, output, "", 3, &findings, &status), STATUS_OK);
    add(&findings, &text);
    assert_string_equal(buf_text(&text), expected);
    buf_release(&text);
    db_close(output);
    db_close(work);
}

static void quality_stands_beside_the_best_baseline(void **state)
{
    assert_said(state, "SELECT 1", false, findings_add_quality,
                "recall@20 0.2000, 1.25 times item-item (0.1600) on 1,812 users; a difference this "
                "size is no accident");
    assert_said(state, "UPDATE run_metric SET error = 0.03 WHERE model = 'item_item'", false,
                findings_add_quality,
                "recall@20 0.2000, 1.25 times item-item (0.1600) on 1,812 users; a difference this "
                "size could be chance");
    assert_said(state, "UPDATE run_metric SET value = 29 WHERE name = 'users'", false,
                findings_add_quality,
                "recall@20 0.2000, 1.25 times item-item (0.1600) on 29 users; a difference this "
                "size could be chance");
    assert_said(state, "UPDATE run_metric SET value = 0.4 WHERE model = 'popularity'", false,
                findings_add_quality,
                "recall@20 0.2000, 0.50 times popularity (0.4000) on 1,812 users; worse, and a "
                "difference this size is no accident");
}

static void what_is_not_known_is_not_said(void **state)
{
    assert_said(state, "UPDATE run_metric SET error = NULL", false, findings_add_quality,
                "ndcg@20 0.5000 on 1,812 users"); /* of a version that measured none */
    assert_said(state, "DELETE FROM run_metric", false, findings_add_quality, "");
    assert_said(state, "SELECT 1", false, findings_add_counts, "");
    assert_said(state, "DELETE FROM run WHERE run = 1", true, findings_add_change, "");
    assert_said(state, "UPDATE run_metric SET value = 0 WHERE model <> 'nightjar'", false,
                findings_add_quality,
                "recall@20 0.2000, where item-item finds nothing on 0 users; a difference this "
                "size could be chance");
}

static void the_last_run_that_published_is_compared_with(void **state)
{
    assert_said(state, "SELECT 1", true, findings_add_change,
                "run 1 of 2026-11-30: recall@20 +0.1000 (no accident), 6 more lists, "
                "1,234 more pairs of user and item");
    assert_said(state, "UPDATE run_metric SET error = 0.08 WHERE run = 1", false,
                findings_add_change, "run 1 of 2026-11-30: recall@20 +0.1000 (could be chance)");
    assert_said(state, "UPDATE run_metric SET value = 0.2 WHERE run = 1", false,
                findings_add_change, "run 1 of 2026-11-30: recall@20 as it was");
    assert_said(state, "UPDATE run SET judged_on = 'test; protocol 1' WHERE run = 1", false,
                findings_add_change, "run 1 of 2026-11-30: not judged alike");
}

static void a_small_night_says_that_it_is_not_judged(void **state)
{
    static const char small[] =
        "INSERT INTO run_metric (run, name, model, grp, value, error, label) VALUES"
        " (3, 'news_rows', 'catch_up', 'all', 7, NULL, 'catch_up');"
        "INSERT INTO stage_run (run, position, label, state) VALUES (3, 5, 'evaluate', 'skipped')";
    assert_said(state, small, false, findings_add_quality,
                "recall@20 0.2000, 1.25 times item-item (0.1600) on 1,812 users; a difference this "
                "size is no accident (of the last full night: small ones are not judged)");
    assert_said(state, small, true, findings_add_change,
                "run 1 of 2026-11-30: quality not judged anew, 6 more lists, 1,234 more pairs of "
                "user and item");
}

static void few_users_are_no_proof(void **state)
{
    struct status status = {0};
    struct buf text = {0};
    char path[STORE_PATH_MAX];
    assert_said(state,
                "UPDATE run_metric SET value = 1, error = 0 WHERE name IN ('users', 'recall@20')",
                false, findings_add_quality,
                "recall@20 1.0000, 1.00 times item-item (1.0000) on 1 user; a difference this size "
                "could be chance");
    assert_said(state,
                "UPDATE run_metric SET value = 1 WHERE name = 'users';"
                "UPDATE run_metric SET error = 0 WHERE error > 0",
                false, findings_add_change,
                "run 1 of 2026-11-30: recall@20 +0.1000 (could be chance)");
    store_path(state, "variants.db", path);
    struct db *work = store_open(path, DB_CREATE);
    assert_int_equal(migrate_apply(work, MIGRATE_WORK, "", &status), STATUS_OK);
    store_exec(work, runs);
    store_exec(work, "INSERT INTO run_metric (run, name, model, grp, value, error, label) VALUES"
                     " (3, 'outcome_variant', 'shop', 'all', 0.5, NULL, ''),"
                     " (3, 'outcome_variant_error', 'shop', 'all', 0.01, NULL, ''),"
                     " (3, 'outcome_variant_users', 'shop', 'all', 200, NULL, ''),"
                     " (3, 'outcome_variant', 'trial', 'all', 1.5, NULL, ''),"
                     " (3, 'outcome_variant_error', 'trial', 'all', 0, NULL, ''),"
                     " (3, 'outcome_variant_users', 'trial', 'all', 1, NULL, '')");
    assert_int_equal(findings_add_variants(work, 3, &text, &status), STATUS_OK);
    assert_string_equal(buf_text(&text), "shop 0.5000 rows came true for each of 200 users; trial "
                                         "1.5000 rows came true for each of 1 users, +1.0000: "
                                         "could be chance");
    buf_release(&text);
    db_close(work);
}

static void counts_are_those_of_the_generation(void **state)
{
    assert_said(state, "SELECT 1", true, findings_add_counts,
                "1,956 users have a list, 19,560 rows of 300 items; 6,234 pairs of user and item "
                "in the log");
}

static void a_run_that_is_not_there_is_no_input(void **state)
{
    struct status status = {0};
    struct findings findings = {.run = 42};
    char path[STORE_PATH_MAX];
    store_path(state, "empty.db", path);
    struct db *work = store_open(path, DB_CREATE);
    assert_int_equal(migrate_apply(work, MIGRATE_WORK, "", &status), STATUS_OK);
    assert_int_equal(findings_read(work, NULL, "", 3, &findings, &status), STATUS_NO_INPUT);
    assert_string_equal(status.message, "there is no run 3");
    assert_int_equal(findings.run, 42);
    db_close(work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(quality_stands_beside_the_best_baseline, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(what_is_not_known_is_not_said, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(the_last_run_that_published_is_compared_with,
                                        store_folder_setup, store_folder_teardown),
        cmocka_unit_test_setup_teardown(a_small_night_says_that_it_is_not_judged,
                                        store_folder_setup, store_folder_teardown),
        cmocka_unit_test_setup_teardown(few_users_are_no_proof, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(counts_are_those_of_the_generation, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(a_run_that_is_not_there_is_no_input, store_folder_setup,
                                        store_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
