/* refit with warm_start, over the nights of a shop: what it starts from, what it reports, and that
 * publishing its towers does not make them out of date. */
#include "math/blas.h"
#include "run/runner.h"
#include "tests/support/stage_support.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

extern const struct stage stage_interactions, stage_negatives, stage_train, stage_refit,
    stage_recommend, stage_publish;
static const struct stage *const registry[] = {
    &stage_interactions, &stage_negatives, &stage_train, &stage_refit,
    &stage_recommend,    &stage_publish,   NULL};

/* What a night does differently. */
struct night {
    const char *files; /* output and work database: FILES.db, FILES.work.db */
    const char *refit; /* options beside warm_start */
    int dimension, threads;
};
static const struct night usual = {"a", "", 16, 1};

static void shop_setup(void **state)
{
    char path[STORE_PATH_MAX];
    stage_shop(state, 120, 80, 6000);
    store_path(state, "source.db", path);
    /* tomorrow's events wait, with a user that nobody has heard of */
    store_exec_apart(path,
                     "CREATE TABLE yesterday AS SELECT user_id, item_id, created_at FROM events"
                     " WHERE created_at < (SELECT max(created_at) FROM events) - 86400;"
                     "CREATE TABLE log AS SELECT * FROM yesterday;"
                     "CREATE TABLE tomorrow AS SELECT user_id, item_id, created_at"
                     " FROM events"
                     " WHERE created_at >= (SELECT max(created_at) FROM events) - 86400;"
                     "INSERT INTO tomorrow SELECT 'new', item_id, max(created_at)"
                     " FROM tomorrow GROUP BY item_id;");
}

static void next_morning(void **state)
{
    char path[STORE_PATH_MAX];
    store_path(state, "source.db", path);
    store_exec_apart(path, "INSERT INTO log SELECT * FROM tomorrow");
}

static struct plan *plan_of(void **state, const struct night *night)
{
    const struct stage_registry stages = {registry};
    struct status status = {0};
    struct plan *plan = NULL;
    struct buf text = {0};
    char path[STORE_PATH_MAX];
    store_path(state, "pipeline.yaml", path);
    buf_addf(&text,
             "pipeline: shop\nseed: 7\nthreads: %d\n"
             "source: {database: source.db, interactions: SELECT * FROM log,"
             " fingerprint: SELECT count(*) FROM log}\n"
             "output: {database: %s.db}\nwork: {database: %s.work.db}\nstages:\n"
             "  - interactions: {split: {by: time, valid: 3d, test: 3d}}\n"
             "  - negatives: {strategy: all}\n"
             "  - train: {dimension: %d, epochs: 12, patience: 0, batch_users: 32,"
             " checkpoint_every: 0s}\n"
             "  - refit: {epochs: 9, warm_start: true%s}\n"
             "  - recommend: {top: 5, similar: 3}\n"
             "  - publish: {}\n",
             night->threads, night->files, night->files, night->dimension, night->refit);
    store_write_file(path, text.data, text.length);
    buf_release(&text);
    if (plan_load(path, &stages, NULL, 0, &plan, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
    return plan;
}

static enum status_code try_night(void **state, const struct night *night, struct log *log,
                                  struct run_result *result, struct status *status)
{
    struct plan *plan = plan_of(state, night);
    const struct run_request request = {.plan = plan, .version = "test", .log = log};
    memset(status, 0, sizeof *status);
    const enum status_code code = runner_run(&request, result, status);
    plan_free(plan);
    return code;
}

/* A night that must succeed; `said` (may be NULL) gets its warnings. */
static struct run_result run_night(void **state, const struct night *night, struct buf *said)
{
    struct status status;
    struct run_result result = {0};
    char line[1024];
    struct log log = {.stream = tmpfile(), .level = LOG_WARNING};
    assert_non_null(log.stream);
    if (try_night(state, night, &log, &result, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
    rewind(log.stream);
    while (said != NULL && fgets(line, sizeof line, log.stream) != NULL) {
        buf_add_text(said, line);
    }
    fclose(log.stream);
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

static void the_second_night_goes_on_from_the_first(void **state)
{
    struct buf said = {0};
    shop_setup(state);
    struct run_result result = run_night(state, &usual, &said);
    assert_int_equal(result.generation, 1);
    assert_int_equal(said.length, 0); /* a first night is nothing to warn of */
    assert_rows(state, "a.work.db", "SELECT count(*) FROM training_curve WHERE stage = 'refit'",
                "9\n");
    assert_rows(state, "a.db",
                "SELECT name, value FROM nightjar_metrics WHERE name LIKE 'warm%' AND value = 0",
                "warm_matched_items|0.0\nwarm_matched_users|0.0\n");
    next_morning(state);
    result = run_night(state, &usual, &said);
    assert_int_equal(result.generation, 2);
    assert_int_equal(said.length, 0);
    assert_rows(state, "a.work.db",
                "SELECT count(*) FROM training_curve WHERE stage = 'refit' AND run = 2", "3\n");
    assert_rows(state, "a.db",
                "SELECT name, value FROM nightjar_metrics WHERE generation = 2 AND"
                " name LIKE 'warm_new%' ORDER BY name",
                "warm_new_items|1.0\nwarm_new_users|5.0\n");
    assert_rows(state, "source.db", /* the same, of the log itself */
                "SELECT (SELECT count(*) FROM (SELECT item_id FROM tomorrow EXCEPT"
                "   SELECT item_id FROM yesterday)),"
                " (SELECT count(*) FROM (SELECT user_id FROM tomorrow EXCEPT"
                "   SELECT user_id FROM yesterday))",
                "1|5\n");
    assert_rows(state, "a.db",
                "SELECT count(*), min(value) > 0.5, max(value) < 0.9999 FROM nightjar_metrics"
                " WHERE generation = 2 AND name LIKE 'warm_drift%' AND model = 'data'",
                "2|1|1\n");
    assert_rows(state, "a.db",
                "SELECT count(DISTINCT user_id) = (SELECT count(*) FROM user_embeddings),"
                " sum(user_id = 'new') FROM recommendations",
                "1|5\n");
    assert_rows(state, "a.work.db", "SELECT stage, generation FROM warm_start", "refit|1\n");
    buf_release(&said);
}

static void unchanged_nights_do_nothing(void **state)
{
    shop_setup(state);
    assert_int_equal(run_night(state, &usual, NULL).n_run, 6);
    assert_int_equal(run_night(state, &usual, NULL).n_run, 0);
    next_morning(state);
    assert_int_equal(run_night(state, &usual, NULL).n_run, 6);
    for (int night = 0; night < 2; night++) {
        const struct run_result result = run_night(state, &usual, NULL);
        assert_int_equal(result.n_run, 0);
        assert_int_equal(result.generation, 0);
    }
}

static void what_is_published_by_others_is_started_from(void **state)
{
    shop_setup(state);
    run_night(state, &usual, NULL);
    next_morning(state);
    run_night(state, &usual, NULL);
    /* an older generation, not the one that the towers were started from, is put back */
    struct db *db = open_in(state, "a.db");
    store_exec(db, "UPDATE nightjar_current SET generation = 1;"
                   "UPDATE nightjar_generations SET checksum = 'another', run_started = 0"
                   " WHERE generation = 1");
    db_close(db);
    assert_int_equal(run_night(state, &usual, NULL).n_run, 3); /* refit, recommend, publish */
    assert_int_equal(run_night(state, &usual, NULL).n_run, 0);
}

static void a_lost_output_is_published_again_from_the_same_towers(void **state)
{
    char path[STORE_PATH_MAX];
    shop_setup(state);
    run_night(state, &usual, NULL);
    next_morning(state);
    run_night(state, &usual, NULL);
    store_path(state, "a.db", path);
    assert_int_equal(remove(path), 0);
    const struct run_result result = run_night(state, &usual, NULL);
    assert_int_equal(result.n_run, 1);
    assert_int_equal(result.generation, 1);
}

static void another_dimension_starts_cold_with_a_warning(void **state)
{
    struct buf said = {0};
    const struct night wider = {"a", "", 24, 1};
    shop_setup(state);
    run_night(state, &usual, NULL);
    const struct run_result result = run_night(state, &wider, &said);
    assert_int_equal(result.generation, 2);
    assert_non_null(strstr(buf_text(&said), "refit: cold start, not from generation 1: its "
                                            "vectors have dimension 16, today's have 24"));
    assert_rows(state, "a.work.db",
                "SELECT count(*) FROM training_curve WHERE stage = 'refit' AND run = 2", "9\n");
    buf_release(&said);
}

static void a_bad_vector_is_named_and_counts_as_new(void **state)
{
    struct buf said = {0};
    shop_setup(state);
    run_night(state, &usual, NULL);
    next_morning(state);
    struct db *db = open_in(state, "a.db");
    store_exec(db, "UPDATE user_embeddings_g1 SET embedding = zeroblob(64) WHERE \"user\" = 'u7'");
    db_close(db);
    run_night(state, &usual, &said);
    assert_non_null(strstr(
        buf_text(&said), "refit: not of unit length in user_embeddings: 1 vectors, the first that "
                         "of u7; they start anew"));
    assert_rows(state, "a.db",
                "SELECT value FROM nightjar_metrics WHERE generation = 2 AND"
                " name = 'warm_new_users'",
                "6.0\n");
    buf_release(&said);
}

static void threads_change_no_byte(void **state)
{
    static const char rows[] = "SELECT \"user\", hex(embedding) FROM user_embeddings_g2 UNION ALL"
                               " SELECT item, hex(embedding) FROM item_embeddings_g2 ORDER BY 1";
    static const struct night three = {"b", "", 16, 3};
    shop_setup(state);
    run_night(state, &usual, NULL);
    run_night(state, &three, NULL);
    next_morning(state);
    run_night(state, &usual, NULL);
    run_night(state, &three, NULL);
    struct db *one = open_in(state, "a.db"), *other = open_in(state, "b.db");
    struct buf expected = store_rows(one, rows);
    assert_true(expected.length > 1000);
    store_assert_rows(other, rows, buf_text(&expected));
    buf_release(&expected);
    db_close(one);
    db_close(other);
}

/* ---- checkpoints ---- */

static const struct night endless = {"a", ", warm_epochs: 20000", 16, 1};
static const char find_checkpoint[] =
    "SELECT count(*) FROM artifact WHERE current = 1 AND slot LIKE 'checkpoint/refit/%'";

/* Another process runs the second night and dies in refit, behind a checkpoint, whose weights are
 * then made useless: whoever goes on from them fails. */
static void die_in_refit(void **state)
{
    const char *const arguments[] = {"endless", *state, NULL};
    const struct timespec pause = {.tv_nsec = 5000000};
    struct status status = {0};
    struct artifact checkpoint = {0};
    bool found = false;
    int64_t n = 0;
    shop_setup(state);
    run_night(state, &usual, NULL);
    next_morning(state);
    const pid_t pid = store_spawn(arguments);
    for (int tries = 0; n == 0; tries++) {
        assert_true(tries < 12000);
        nanosleep(&pause, NULL);
        struct db *work = open_in(state, "a.work.db");
        memset(&status, 0, sizeof status);
        if (db_get_int64(work, find_checkpoint, &n, &found, &status) != STATUS_OK) {
            n = 0; /* locked for the moment */
        }
        db_close(work);
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(store_wait(pid), -SIGKILL);
    struct db *work = open_in(state, "a.work.db");
    struct buf slot = store_rows(work, "SELECT slot FROM artifact WHERE current = 1 AND"
                                       " slot LIKE 'checkpoint/refit/%'");
    slot.data[slot.length - 1] = '\0'; /* the end of the line */
    memset(&status, 0, sizeof status);
    assert_int_equal(artifact_load(work, slot.data, &checkpoint, &found, &status), STATUS_OK);
    for (size_t a = 0; a < checkpoint.n_arrays; a++) {
        struct array *array = &checkpoint.arrays[a];
        if (array->type == ARRAY_F32) { /* all bits set: not a number */
            memset(array->data, 0xff, array->rows * array->columns * sizeof(float));
        }
    }
    assert_int_equal(artifact_save(work, slot.data, &checkpoint, &status), STATUS_OK);
    artifact_release(&checkpoint);
    buf_release(&slot);
    db_close(work);
}

static void a_checkpoint_of_the_same_start_is_gone_on_from(void **state)
{
    struct status status;
    struct run_result result = {0};
    die_in_refit(state);
    assert_int_equal(try_night(state, &endless, NULL, &result, &status), STATUS_DATA);
    assert_non_null(strstr(status.message, "is not finite"));
}

static void a_checkpoint_of_another_start_is_left_alone(void **state)
{
    const char *const arguments[] = {"endless", *state, NULL};
    const struct timespec pause = {.tv_nsec = 300000000};
    die_in_refit(state);
    struct db *db = open_in(state, "a.db");
    store_exec(db, "UPDATE nightjar_generations SET checksum = 'another', run_started = 0");
    db_close(db);
    /* had it read the checkpoint, it would have ended at once */
    const pid_t pid = store_spawn(arguments);
    nanosleep(&pause, NULL);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(store_wait(pid), -SIGKILL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)

int main(int argc, char **argv)
{
    blas_init();
    if (argc == 3 && strcmp(argv[1], "endless") == 0) { /* the process that is killed */
        void *folder = argv[2];
        struct status status;
        struct run_result result = {0};
        return (int)try_night(&folder, &endless, NULL, &result, &status);
    }
    const struct CMUnitTest tests[] = {
        TEST(the_second_night_goes_on_from_the_first),
        TEST(unchanged_nights_do_nothing),
        TEST(what_is_published_by_others_is_started_from),
        TEST(a_lost_output_is_published_again_from_the_same_towers),
        TEST(another_dimension_starts_cold_with_a_warning),
        TEST(a_bad_vector_is_named_and_counts_as_new),
        TEST(threads_change_no_byte),
        TEST(a_checkpoint_of_the_same_start_is_gone_on_from),
        TEST(a_checkpoint_of_another_start_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
