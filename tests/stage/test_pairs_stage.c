/* The pairs stage, run behind `interactions` on a generated log, against SQL over the source. */
#include "math/sparse.h"
#include "pairs/item_pairs.h"
#include "pairs/pair_artifact.h"
#include "pairs/pairs_options.h"
#include "run/estimate.h"
#include "tests/support/stage_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

extern const struct stage stage_interactions, stage_pairs;
static const struct stage *const registry[] = {&stage_interactions, &stage_pairs, NULL};

/* 40 users, 25 items with TEXT ids, weights 1 to 3, two days of times. */
static const char log_with_times[] =
    "CREATE TABLE events (user_id INTEGER, item_id TEXT, weight REAL, time INTEGER);"
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
    " INSERT INTO events SELECT DISTINCT i % 40, 'item ' || (i * i / 7 % 25), 1 + i % 3,"
    " 1700000000 + i * i % 977 * 180 FROM n;"
    "DELETE FROM events WHERE rowid NOT IN"
    " (SELECT min(rowid) FROM events GROUP BY user_id, item_id);";

#define INTERACTIONS "- interactions: {split: {by: none}}\n"

static void run(void **state, const char *stages)
{
    struct status status;
    const enum status_code code = stage_run(state, registry, stages, 1, &status);
    if (code != STATUS_OK) {
        print_error("%s\n", status.message);
    }
    assert_int_equal(code, STATUS_OK);
}

/* Attaches the source to the work database. */
static struct db *work_with_source(void **state)
{
    char path[STORE_PATH_MAX];
    struct db *work = stage_work(state);
    struct buf sql = {0};
    store_path(state, "source.db", path);
    buf_addf(&sql, "ATTACH '%s' AS source", path);
    store_exec(work, buf_text(&sql));
    buf_release(&sql);
    return work;
}

/* Rows of `ours` and `expected` that are not in the other one. */
static void assert_same_rows(struct db *db, const char *ours, const char *expected)
{
    struct buf sql = {0};
    buf_addf(&sql,
             "SELECT (SELECT count(*) FROM (%s)) > 100 AND NOT EXISTS (%s EXCEPT %s)"
             " AND NOT EXISTS (%s EXCEPT %s)",
             ours, ours, expected, expected, ours);
    assert_int_equal(store_int64(db, buf_text(&sql)), 1);
    buf_release(&sql);
}

static void pairs_can_be_queried_with_their_ids(void **state)
{
    stage_source(state, log_with_times);
    run(state, INTERACTIONS "- pairs: {item_item: {weighting: count, top: 1000}}\n");
    struct db *db = work_with_source(state);
    assert_same_rows(
        db, "SELECT anchor_id, positive_id, weight FROM pairs WHERE kind = 'item_item'",
        "SELECT a.item_id, b.item_id, 1.0 * count(*) FROM source.events a JOIN source.events b"
        " ON a.user_id = b.user_id AND a.item_id <> b.item_id GROUP BY 1, 2");
    assert_same_rows(db,
                     "SELECT anchor_id, positive_id, weight FROM pairs WHERE kind = 'user_item'",
                     "SELECT user_id, item_id, weight FROM source.events");
    assert_int_equal(store_int64(db, "SELECT count(*) FROM (SELECT DISTINCT typeof(anchor_id),"
                                     " typeof(positive_id), kind FROM pairs)"),
                     2);
    db_close(db);
}

static void windows_and_counts_bound_the_pairs(void **state)
{
    stage_source(state, log_with_times);
    run(state, INTERACTIONS
        "- pairs: {item_item: {window: 6h, weighting: count, min_count: 2, top: 1000}}\n");
    struct db *db = work_with_source(state);
    assert_same_rows(
        db, "SELECT anchor_id, positive_id, weight FROM pairs WHERE kind = 'item_item'",
        "SELECT a.item_id, b.item_id, 1.0 * count(*) FROM source.events a JOIN source.events b"
        " ON a.user_id = b.user_id AND a.item_id <> b.item_id AND abs(a.time - b.time) <= 21600"
        " GROUP BY 1, 2 HAVING count(*) >= 2");
    db_close(db);
    /* places of equal times are drawn: here no two are equal */
    stage_source(state, "UPDATE events SET time = 1700000000 + (time - 1700000000) * 6 + rowid");
    run(state, INTERACTIONS "- pairs: {item_item: {positions: 1, weighting: count, top: 1000}}\n");
    db = work_with_source(state);
    assert_same_rows(db,
                     "SELECT anchor_id, positive_id, weight FROM pairs WHERE kind = 'item_item'",
                     "SELECT x, y, 1.0 * count(*) FROM"
                     " (WITH places AS (SELECT user_id, item_id, row_number() OVER"
                     "  (PARTITION BY user_id ORDER BY time) AS place FROM source.events)"
                     "  SELECT a.item_id AS x, b.item_id AS y FROM places a JOIN places b"
                     "  ON a.user_id = b.user_id AND abs(a.place - b.place) = 1) GROUP BY 1, 2");
    db_close(db);
}

static void both_bases_are_made_and_evidence_only_on_demand(void **state)
{
    stage_source(state, log_with_times);
    run(state, "- interactions: {split: {by: leave_last}}\n- pairs: {item_item: {top: 4}}\n");
    struct artifact pairs = stage_artifact_of(state, "pairs/pairs");
    struct artifact evidence = stage_artifact_of(state, "pairs/evidence");
    struct status status = {0};
    struct sparse fit = {0}, all = {0};
    bool found = false;
    assert_int_equal(evidence.n_arrays, 0);
    assert_int_equal(sparse_load(&fit, &pairs, "fit.item_item", &found, &status), STATUS_OK);
    assert_true(found && fit.n_rows == 25 && sparse_entries(&fit) == 25 * 4);
    assert_int_equal(sparse_load(&all, &pairs, "all.item_item", &found, &status), STATUS_OK);
    assert_true(found && sparse_entries(&all) == 25 * 4);
    assert_true(memcmp(fit.values, all.values, 100 * sizeof *fit.values) != 0);
    const struct array *fit_weights = artifact_find(&pairs, "fit.user_item");
    const struct array *all_weights = artifact_find(&pairs, "all.user_item");
    assert_true(fit_weights != NULL && all_weights != NULL);
    assert_true(all_weights->rows > fit_weights->rows + 40);
    artifact_release(&pairs);
    artifact_release(&evidence);

    run(state, INTERACTIONS "- pairs: {evidence: {top: 7}}\n");
    pairs = stage_artifact_of(state, "pairs/pairs");
    evidence = stage_artifact_of(state, "pairs/evidence");
    assert_null(artifact_find(&pairs, "fit.item_item.offsets"));
    assert_int_equal(sparse_load(&all, &evidence, "all.evidence", &found, &status), STATUS_OK);
    assert_true(found && sparse_entries(&all) == 25 * 7);
    artifact_release(&pairs);
    artifact_release(&evidence);
}

static void transitions_are_made_for_both_bases_and_can_be_queried(void **state)
{
    struct status status = {0};
    struct sparse fit = {0}, all = {0};
    bool found = false;
    stage_source(state, log_with_times);
    /* no two times are equal: a step is one event; halves add up without rounding */
    stage_source(state, "UPDATE events SET time = 1700000000 + (time - 1700000000) * 6 + rowid");
    run(state, INTERACTIONS
        "- pairs: {transitions: {reach: 4, decay: 0.5, out_exponent: 0, in_exponent: 0}}\n");
    struct db *db = work_with_source(state);
    assert_same_rows(db,
                     "SELECT anchor_id, positive_id, weight FROM pairs WHERE kind = 'transition'",
                     "SELECT x, y, sum(w) FROM"
                     " (WITH places AS (SELECT user_id, item_id, row_number() OVER"
                     "  (PARTITION BY user_id ORDER BY time) AS place FROM source.events)"
                     "  SELECT a.item_id AS x, b.item_id AS y, 2.0 / (1 << (b.place - a.place)) AS"
                     "  w FROM places a JOIN places b ON a.user_id = b.user_id"
                     "  AND b.place - a.place BETWEEN 1 AND 4) GROUP BY 1, 2");
    db_close(db);

    run(state, "- interactions: {split: {by: leave_last}}\n- pairs: {transitions: {top: 4}}\n");
    struct artifact transitions = stage_artifact_of(state, "pairs/transitions");
    assert_int_equal(sparse_load(&fit, &transitions, "fit.transitions", &found, &status),
                     STATUS_OK);
    assert_true(found && fit.n_rows == 25 && sparse_entries(&fit) == 25 * 4);
    assert_int_equal(sparse_load(&all, &transitions, "all.transitions", &found, &status),
                     STATUS_OK);
    assert_true(found && sparse_entries(&all) == 25 * 4);
    assert_true(memcmp(fit.values, all.values, 100 * sizeof *fit.values) != 0);
    artifact_release(&transitions);
}

static void assert_same_ridge(void **state, const char *stages, const char *expected)
{
    char hashes[2][HASH_TEXT_MAX];
    const char *const both[] = {stages, expected};
    for (size_t s = 0; s < 2; s++) {
        struct status status = {0};
        run(state, both[s]);
        struct artifact ridge = stage_artifact_of(state, "pairs/ridge");
        assert_int_equal(artifact_hash(&ridge, hashes[s], &status), STATUS_OK);
        artifact_release(&ridge);
    }
    assert_string_equal(hashes[0], hashes[1]);
}

static void learned_pairs_are_made_for_both_bases_and_can_be_queried(void **state)
{
    struct status status = {0};
    struct sparse fit = {0}, all = {0};
    bool found = false;
    stage_source(state, log_with_times);
    run(state, "- interactions: {split: {by: leave_last}}\n- pairs: {ridge: {partners: 4}}\n");
    struct artifact ridge = stage_artifact_of(state, "pairs/ridge");
    assert_int_equal(sparse_load(&fit, &ridge, "fit.ridge", &found, &status), STATUS_OK);
    assert_true(found && fit.n_rows == 25 && sparse_entries(&fit) > 25);
    assert_true(sparse_entries(&fit) <= 25 * 4);
    assert_int_equal(sparse_load(&all, &ridge, "all.ridge", &found, &status), STATUS_OK);
    assert_true(found && sparse_entries(&all) > 25 && sparse_entries(&all) <= 25 * 4);
    struct db *db = stage_work(state);
    assert_int_equal(store_int64(db, "SELECT count(*) FROM pairs WHERE kind = 'ridge'"),
                     (int64_t)sparse_entries(&fit));
    assert_int_equal(store_int64(db, "SELECT count(*) FROM pairs WHERE kind = 'ridge' AND"
                                     " (weight <= 0 OR anchor_id = positive_id)"),
                     0);
    db_close(db);
    artifact_release(&ridge);
    run(state, INTERACTIONS "- pairs: {}\n");
    assert_false(stage_has_artifact(state, "pairs/ridge"));
}

static void without_a_validation_part_a_strength_of_10_is_taken(void **state)
{
    stage_source(state, log_with_times);
    assert_same_ridge(state, INTERACTIONS "- pairs: {ridge: {}}\n",
                      INTERACTIONS "- pairs: {ridge: {strength: 10}}\n");
}

static void a_log_without_times_has_no_transitions(void **state)
{
    stage_source(state, log_with_times);
    stage_source(state, "ALTER TABLE events DROP COLUMN time");
    run(state, INTERACTIONS "- pairs: {transitions: {}}\n");
    struct db *db = stage_work(state);
    assert_int_equal(store_int64(db, "SELECT count(*) FROM pairs WHERE kind = 'transition'"), 0);
    db_close(db);
    assert_false(stage_has_artifact(state, "pairs/transitions"));
}

static void positives_weigh_what_the_option_says(void **state)
{
    const char *const stages[] = {INTERACTIONS "- pairs: {user_item: {weights: value}}\n",
                                  INTERACTIONS "- pairs: {user_item: {weights: log}}\n",
                                  INTERACTIONS "- pairs: {user_item: {weights: one}}\n"};
    const double expected[3][3] = {{1, 2, 3}, {1, 1.5849625, 2}, {1, 1, 1}};
    stage_source(state, log_with_times);
    for (size_t s = 0; s < 3; s++) {
        run(state, stages[s]);
        struct db *db = work_with_source(state);
        for (int weight = 1; weight <= 3; weight++) {
            struct buf sql = {0};
            /* float weights: 1e-6 */
            buf_addf(&sql,
                     "SELECT count(*) > 50 AND max(abs(p.weight - %.9f)) < 1e-6 FROM pairs p"
                     " JOIN source.events e ON e.user_id = p.anchor_id AND e.item_id ="
                     " p.positive_id WHERE kind = 'user_item' AND e.weight = %d",
                     expected[s][weight - 1], weight);
            assert_int_equal(store_int64(db, buf_text(&sql)), 1);
            buf_release(&sql);
        }
        db_close(db);
    }
}

static void what_is_not_to_be_queryable_is_not_there(void **state)
{
    stage_source(state, log_with_times);
    run(state, INTERACTIONS "- pairs: {item_item: {}}\n");
    run(state, INTERACTIONS "- pairs: {item_item: {}, queryable: false}\n");
    struct db *db = stage_work(state);
    assert_int_equal(store_int64(db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'pairs%'"),
                     0);
    db_close(db);
}

static void the_number_of_threads_changes_no_pair(void **state)
{
    static const char stages[] =
        INTERACTIONS "- pairs: {item_item: {weighting: pmi, top: 5}, evidence: {top: 9},"
                     " transitions: {top: 8}, ridge: {partners: 6}}\n";
    enum { N_SLOTS = 4 };
    const char *const slots[] = {"pairs/pairs", "pairs/evidence", "pairs/transitions",
                                 "pairs/ridge"};
    char hashes[2][N_SLOTS][HASH_TEXT_MAX];
    stage_source(state, log_with_times);
    for (int threads = 1; threads <= 2; threads++) {
        struct status status;
        assert_int_equal(stage_run(state, registry, stages, threads, &status), STATUS_OK);
        for (size_t s = 0; s < N_SLOTS; s++) {
            struct artifact artifact = stage_artifact_of(state, slots[s]);
            assert_int_equal(artifact_hash(&artifact, hashes[threads - 1][s], &status), STATUS_OK);
            artifact_release(&artifact);
        }
    }
    for (size_t s = 0; s < N_SLOTS; s++) {
        assert_string_equal(hashes[0][s], hashes[1][s]);
    }
}

static void a_window_and_positions_together_are_refused_with_their_place(void **state)
{
    struct status status;
    stage_source(state, log_with_times);
    assert_int_equal(stage_run(state, registry,
                               INTERACTIONS "- pairs:\n"
                                            "    item_item:\n"
                                            "      window: 7d\n"
                                            "      positions: 3\n",
                               1, &status),
                     STATUS_CONFIG);
    assert_int_equal(status.line, 12);
    assert_non_null(strstr(status.message, "give one of the two"));
}

static void a_window_over_a_log_without_times_is_refused(void **state)
{
    struct status status;
    stage_source(state, "CREATE TABLE events (user_id, item_id);"
                        "INSERT INTO events VALUES (1, 1), (1, 2), (2, 1), (2, 2);");
    assert_int_equal(
        stage_run(state, registry, INTERACTIONS "- pairs: {item_item: {window: 7d}}\n", 1, &status),
        STATUS_CONFIG);
    assert_non_null(strstr(status.message, "pairs.item_item.window needs a column"));
    struct db *db = stage_work(state);
    assert_int_equal(store_int64(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'pairs'"), 0);
    db_close(db);
}

static double planned_memory(struct stage_sizes sizes, size_t n_ranks)
{
    const struct pairs_options options = {.evidence = {.given = true, .top = 500}};
    struct stage_estimate estimate;
    estimate_take_part(&sizes, n_ranks);
    stage_pairs.estimate(&options, &sizes, &estimate);
    return estimate.memory_bytes;
}

/* Users, and with them products, are shared out; rows are everybody's, and what the wire needs is
 * bounded by the log: next to nothing beside a small catalogue, less than what is saved of a large
 * log. */
static void a_rank_is_planned_no_more_memory_than_one_process(void **state)
{
    (void)state;
    const struct stage_sizes small = {
        .n_users = 5e4, .n_items = 10000, .n_interactions = 8e5, .n_products = 3e7, .n_threads = 1};
    const struct stage_sizes large = {
        .n_users = 1e6, .n_items = 50000, .n_interactions = 2e7, .n_products = 1e9, .n_threads = 1};
    for (size_t n_ranks = 2; n_ranks <= 64; n_ranks *= 2) {
        assert_true(planned_memory(small, n_ranks) < 1.1 * planned_memory(small, 1));
        assert_true(planned_memory(large, n_ranks) < planned_memory(large, n_ranks / 2));
    }
}

#define STAGE_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, store_folder_setup, store_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(pairs_can_be_queried_with_their_ids),
        STAGE_TEST(windows_and_counts_bound_the_pairs),
        STAGE_TEST(both_bases_are_made_and_evidence_only_on_demand),
        STAGE_TEST(transitions_are_made_for_both_bases_and_can_be_queried),
        STAGE_TEST(learned_pairs_are_made_for_both_bases_and_can_be_queried),
        STAGE_TEST(without_a_validation_part_a_strength_of_10_is_taken),
        STAGE_TEST(a_log_without_times_has_no_transitions),
        STAGE_TEST(positives_weigh_what_the_option_says),
        STAGE_TEST(what_is_not_to_be_queryable_is_not_there),
        STAGE_TEST(the_number_of_threads_changes_no_pair),
        STAGE_TEST(a_window_and_positions_together_are_refused_with_their_place),
        STAGE_TEST(a_window_over_a_log_without_times_is_refused),
        cmocka_unit_test(a_rank_is_planned_no_more_memory_than_one_process),
    };
    return cmocka_run_group_tests_name("pairs stage", tests, NULL, NULL);
}
