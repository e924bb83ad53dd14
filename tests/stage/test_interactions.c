/* The interactions stage in a run: its options, its artifact and tables, its fingerprint. Rows and
 * splits themselves are in unit/test_event_reader, test_split and test_extract. */
#include "dataset/dataset.h"
#include "run/runner.h"
#include "tests/support/stage_support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

extern const struct stage stage_interactions;
static const struct stage *const registry[] = {&stage_interactions, NULL};

/* Ten days, one event a day and user; users 1 to 5, items 1 to 10; one row without item. */
static const char source_sql[] =
    "CREATE TABLE events(user_id, item_id, event, created_at);"
    "WITH RECURSIVE n(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM n WHERE k < 49) "
    "INSERT INTO events SELECT k % 5 + 1, (k / 5 + k % 5) % 10 + 1, "
    "CASE WHEN k % 2 = 0 THEN 'view' ELSE 'buy' END, 1600000000 + (k / 5) * 86400 FROM n;"
    "INSERT INTO events VALUES (1, NULL, 'view', 1600000000);";

/* A run of its own, for settings that stage_run does not have. */
static enum status_code run_file(void **state, const char *source_lines, const char *stages,
                                 struct run_result *result, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf text = {0};
    struct plan *plan = NULL;
    struct stage_registry stage_list = {registry};
    char path[STORE_PATH_MAX];

    store_path(state, "own.yaml", path);
    buf_addf(&text,
             "pipeline: own\nsource:\n  database: source.db\n%sseed: 7\nthreads: 1\nstages:\n%s",
             source_lines, stages);
    store_write_file(path, text.data, text.length);
    buf_release(&text);
    TRY(plan_load(path, &stage_list, NULL, 0, &plan, status));
    struct run_request request = {.plan = plan, .version = "test"};
    TRY(runner_run(&request, result, status));
done:
    plan_free(plan);
    return code;
}

static void expect_ok(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s", (int)code, status->message);
    }
}

static void the_artifact_holds_both_bases_and_the_counts(void **state)
{
    struct status status = {0};
    struct interactions made = {0};
    double facts = 0;
    stage_source(state, source_sql);
    expect_ok(stage_run(state, registry,
                        "  - interactions: {event_weights: {view: 1, buy: 5}, half_life: 5d,\n"
                        "      split: {by: time, valid: 2d, test: 1d}}\n",
                        1, &status),
              &status);
    struct artifact artifact = stage_artifact_of(state, "interactions/interactions");
    expect_ok(interactions_load(&made, &artifact, &status), &status);
    assert_true(made.has_times && !made.test_is_given);
    assert_int_equal(made.n_rows, 51);
    assert_int_equal(made.n_rejected, 1);
    assert_int_equal(made.newest_time, 1600000000 + 9 * 86400);
    assert_int_equal(made.users.n, 5);
    assert_int_equal(made.items.n, 10);
    const struct dataset *fit = &made.basis[BASIS_FIT], *all = &made.basis[BASIS_ALL];
    assert_int_equal(sparse_entries(&fit->train.matrix), 35);
    assert_int_equal(sparse_entries(&fit->valid.matrix) + (size_t)fit->valid_unknown[0] +
                         (size_t)fit->valid_unknown[1],
                     10);
    assert_int_equal(sparse_entries(&fit->test.matrix), 5);
    assert_int_equal(sparse_entries(&all->train.matrix), 50);
    assert_int_equal(all->test.matrix.n_rows, 0);
    /* user 1, item 7: the newest day of train, its weight undecayed there */
    assert_true(fit->train.matrix.values[6] == 1.0f);
    assert_true(all->train.matrix.values[6] < 1.0f);
    expect_ok(artifact_get_number(&artifact, "facts.accepted", &facts, &status), &status);
    assert_true(facts == 50);
    interactions_release(&made);
    artifact_release(&artifact);
}

static void ids_and_rejected_rows_can_be_queried(void **state)
{
    struct status status = {0};
    stage_source(state, source_sql);
    expect_ok(stage_run(state, registry, "  - interactions: {since: 2020-09-14}\n", 1, &status),
              &status);
    struct db *work = stage_work(state);
    store_assert_rows(work, "SELECT code, user_id, typeof(user_id) FROM users WHERE code < 2",
                      "0|1|integer\n1|2|integer\n");
    store_assert_rows(work, "SELECT count(*), min(item_id), max(item_id) FROM items", "10|1|10\n");
    store_assert_rows(work, "SELECT * FROM interactions_left_out",
                      "rule|since|5\nfault|item_id is NULL|1\n");
    store_assert_rows(work, "SELECT * FROM interactions_rejected",
                      "source.interactions|51|NULL|item_id is NULL|\n");
    db_close(work);
}

static void mistakes_are_reported_together_with_their_places(void **state)
{
    struct status status = {0};
    stage_source(state, source_sql);
    assert_int_equal(stage_run(state, registry,
                               "  - interactions:\n"
                               "      since: 2024-01-02\n"
                               "      until: 2024-01-01\n"
                               "      half_life: 3\n"
                               "      event_weights: {view: -1}\n"
                               "      split: {by: random, valid: 7d, test: 0.5}\n",
                               1, &status),
                     STATUS_CONFIG);
    assert_non_null(strstr(status.message, "half_life"));
    assert_non_null(strstr(status.message, "view"));
    status_clear(&status);
    assert_int_equal(stage_run(state, registry,
                               "  - interactions:\n"
                               "      since: 2024-01-02\n"
                               "      until: 2024-01-01\n"
                               "      split: {by: random, valid: 7d, test: 0.5}\n",
                               1, &status),
                     STATUS_CONFIG);
    assert_non_null(strstr(status.message, "until must be later than since"));
    assert_non_null(strstr(status.message, "'7d' is no fraction"));
    status_clear(&status);
    assert_int_equal(stage_run(state, registry,
                               "  - interactions: {split: {by: random, valid: 0.5, test: 0.5}}\n",
                               1, &status),
                     STATUS_CONFIG);
    assert_non_null(strstr(status.message, "together leave nothing for training"));
    status_clear(&status);
    assert_int_equal(stage_run(state, registry,
                               "  - interactions: {split: {test: 0.1, test_query: SELECT 1}}\n", 1,
                               &status),
                     STATUS_CONFIG);
    assert_non_null(strstr(status.message, "test and test_query exclude each other"));
    status_clear(&status);
    assert_int_equal(stage_run(state, registry,
                               "  - interactions:\n"
                               "      split: {cold_users: 0.6,\n"
                               "              cold_items: -0.1}\n",
                               1, &status),
                     STATUS_CONFIG);
    assert_non_null(strstr(status.message, "cold_users"));
    assert_non_null(strstr(status.message, "cold_items"));
    assert_non_null(strstr(status.message, "0.5"));
}

static void who_is_held_out_on_purpose_is_cold_in_fit_and_trained_on_in_all(void **state)
{
    struct status status = {0};
    struct interactions made = {0};
    stage_source(state, source_sql);
    expect_ok(stage_run(state, registry,
                        "  - interactions: {split: {by: none, cold_users: 0.3, cold_items: 0.2}}\n",
                        1, &status),
              &status);
    struct artifact artifact = stage_artifact_of(state, "interactions/interactions");
    expect_ok(interactions_load(&made, &artifact, &status), &status);
    const struct dataset *fit = &made.basis[BASIS_FIT], *all = &made.basis[BASIS_ALL];
    const struct cold_part *cold = &fit->cold;
    assert_true(cold->n_users > 0 && cold->n_users + fit->n_users == 5);
    assert_true(cold->n_items > 0 && cold->n_items + fit->n_items == 10);
    /* five users times ten items, each pair once */
    for (size_t row = 0; row < cold->n_users; row++) {
        size_t n_asked = fit->n_items / 5 > 0 ? fit->n_items / 5 : 1;
        assert_int_equal(sparse_row_length(&cold->held_out, row), n_asked);
        assert_int_equal(sparse_row_length(&cold->history.matrix, row), fit->n_items - n_asked);
    }
    assert_int_equal(sparse_entries(&cold->item_held_out), fit->n_users * cold->n_items);
    assert_int_equal(sparse_entries(&fit->train.matrix), fit->n_users * fit->n_items);
    assert_int_equal(sparse_entries(&all->train.matrix), 50);
    assert_int_equal(all->cold.n_users + all->cold.n_items, 0);
    interactions_release(&made);
    artifact_release(&artifact);
}

static void nothing_left_ends_the_run_and_writes_no_tables(void **state)
{
    struct status status = {0};
    stage_source(state, source_sql);
    assert_int_equal(
        stage_run(state, registry,
                  "  - interactions: {event_weights: {like: 1}, other_events: ignore}\n", 1,
                  &status),
        STATUS_DATA);
    assert_non_null(strstr(status.message, "no positive interaction is left of 51 rows: "
                                           "event_weights took 50, 1 rejected"));
    struct db *work = stage_work(state);
    store_assert_rows(work, "SELECT count(*) FROM sqlite_schema WHERE name = 'users'", "0\n");
    db_close(work);
}

static void a_given_test_reaches_both_bases(void **state)
{
    struct status status = {0};
    struct run_result result = {0};
    struct interactions made = {0};
    stage_source(state, "CREATE TABLE events(user_id TEXT, item_id TEXT);"
                        "CREATE TABLE judged(user_id TEXT, item_id TEXT);"
                        "INSERT INTO events VALUES ('a','x'),('a','y'),('b','x'),('b','z');"
                        "INSERT INTO judged VALUES ('a','z'),('a','x'),('a','new'),('c','x');");
    expect_ok(
        run_file(state, "  table: events\n  user: user_id\n  item: item_id\n",
                 "  - interactions: {split: {by: none, test_query: 'SELECT * FROM judged'}}\n",
                 &result, &status),
        &status);
    char path[STORE_PATH_MAX];
    store_path(state, "own.work.db", path);
    struct db *work = store_open(path, DB_WRITE);
    struct artifact artifact = {0};
    bool found = false;
    expect_ok(artifact_load(work, "interactions/interactions", &artifact, &found, &status),
              &status);
    assert_true(found);
    expect_ok(interactions_load(&made, &artifact, &status), &status);
    assert_true(made.test_is_given && !made.has_times && made.log.times == NULL);
    assert_int_equal(made.users.n, 2);
    assert_int_equal(made.items.n, 3);
    for (size_t b = 0; b < N_BASES; b++) {
        const struct dataset *set = &made.basis[b];
        assert_int_equal(sparse_entries(&set->train.matrix), 4);
        assert_int_equal(sparse_entries(&set->test.matrix), 1); /* a z; a x is known */
        assert_int_equal(set->test.matrix.columns[0], 2);
        assert_int_equal(set->test_unknown[0], 1);
        assert_int_equal(set->test_unknown_users, 1);
        assert_null(set->test.times);
        assert_int_equal(set->valid.matrix.n_rows, 0);
    }
    interactions_release(&made);
    artifact_release(&artifact);
    db_close(work);
}

static void an_unchanged_fingerprint_lets_the_stage_be_skipped(void **state)
{
    static const char source[] = "  interactions: SELECT * FROM events\n"
                                 "  fingerprint: SELECT max(rowid), count(*) FROM events\n";
    struct status status = {0};
    struct run_result result = {0};
    char path[STORE_PATH_MAX];
    stage_source(state, source_sql);
    expect_ok(run_file(state, source, "  - interactions: {}\n", &result, &status), &status);
    assert_int_equal(result.n_run, 1);
    expect_ok(run_file(state, source, "  - interactions: {}\n", &result, &status), &status);
    assert_int_equal(result.n_skipped, 1);
    store_path(state, "source.db", path);
    store_exec_apart(path, "INSERT INTO events VALUES (9, 9, 'view', 1600000000)");
    expect_ok(run_file(state, source, "  - interactions: {}\n", &result, &status), &status);
    assert_int_equal(result.n_run, 1);
    expect_ok(run_file(state, source, "  - interactions: {since: 2020-01-01}\n", &result, &status),
              &status);
    assert_int_equal(result.n_run, 1);
}

static void without_a_fingerprint_the_rows_are_read_again(void **state)
{
    struct status status = {0};
    struct run_result result = {0};
    stage_source(state, source_sql);
    for (int i = 0; i < 2; i++) {
        expect_ok(run_file(state, "  interactions: SELECT * FROM events\n",
                           "  - interactions: {}\n", &result, &status),
                  &status);
        assert_int_equal(result.n_run, 1);
    }
}

static void dislikes_reach_the_artifact_from_types_and_ratings(void **state)
{
    struct status status = {0};
    struct interactions made = {0};
    stage_source(state, "CREATE TABLE events(user_id, item_id, type, rating, time);"
                        "INSERT INTO events VALUES (1, 10, 'rate', 5, 1600000000),"
                        "(1, 11, 'rate', 2, 1600000001), (2, 11, 'rate', 4, 1600000002),"
                        "(2, 10, 'rate', 3, 1600000003), (2, 12, 'rate', 5, 1600000004),"
                        "(1, 12, 'hide', NULL, 1600000005), (2, 12, 'hide', 5, 1600000006),"
                        "(1, 13, 'hide', 1, 1600000007);");
    expect_ok(stage_run(state, registry,
                        "  - interactions: {min_rating: 4, dislike_rating: 2, dislikes: [hide],\n"
                        "      split: {by: none}}\n",
                        1, &status),
              &status);
    struct artifact artifact = stage_artifact_of(state, "interactions/interactions");
    expect_ok(interactions_load(&made, &artifact, &status), &status);
    const struct dataset *all = &made.basis[BASIS_ALL];
    /* left: 1 likes 10, 2 likes 11; 12 is nobody's any more, 13 was never liked */
    assert_int_equal(sparse_entries(&all->train.matrix), 2);
    assert_int_equal(all->n_items, 2);
    assert_int_equal(sparse_entries(&all->dislikes.matrix), 1);
    assert_true(sparse_has(&all->dislikes.matrix, 0, 1));
    assert_int_equal(sparse_entries(&made.basis[BASIS_FIT].dislikes.matrix), 1);
    /* 13 has a code all the same: side data may recommend it */
    assert_int_equal(made.items.n, 4);
    assert_int_equal(sparse_entries(&made.disliked.matrix), 4);
    assert_int_equal(made.disliked.matrix.n_columns, 4);
    assert_true(stage_number(state, "interactions/interactions", "facts.dislikes") == 4);
    interactions_release(&made);
    artifact_release(&artifact);
}

static void dislikes_that_contradict_other_options_are_refused_with_their_place(void **state)
{
    const struct {
        const char *stage, *message;
        int line;
    } cases[] = {
        {"  - interactions:\n      event_weights: {buy: 1, hide: 0}\n      dislikes: [hide]\n",
         "'hide' is listed in event_weights, too", 10},
        {"  - interactions:\n      dislike_rating: 2\n", "without min_rating", 9},
        {"  - interactions:\n      min_rating: 4\n      dislike_rating: 4\n",
         "dislike_rating: 4 is not below min_rating: 4", 10},
    };
    stage_source(state, source_sql);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct status status = {0};
        assert_int_equal(stage_run(state, registry, cases[c].stage, 1, &status), STATUS_CONFIG);
        assert_int_equal(status.line, cases[c].line);
        assert_true(status.column > 0);
        if (strstr(status.message, cases[c].message) == NULL) {
            fail_msg("'%s' does not say '%s'", status.message, cases[c].message);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_artifact_holds_both_bases_and_the_counts),
        TEST(ids_and_rejected_rows_can_be_queried),
        TEST(mistakes_are_reported_together_with_their_places),
        TEST(who_is_held_out_on_purpose_is_cold_in_fit_and_trained_on_in_all),
        TEST(nothing_left_ends_the_run_and_writes_no_tables),
        TEST(a_given_test_reaches_both_bases),
        TEST(an_unchanged_fingerprint_lets_the_stage_be_skipped),
        TEST(dislikes_reach_the_artifact_from_types_and_ratings),
        TEST(dislikes_that_contradict_other_options_are_refused_with_their_place),
        TEST(without_a_fingerprint_the_rows_are_read_again),
    };
    return cmocka_run_group_tests_name("interactions", tests, NULL, NULL);
}
