/* The runner over a small pipeline of counting stages: what is skipped, what is redone, what a
 * failure leaves, and that every end is on record. */
#include "run/runner.h"

#include "base/clock.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/context_databases.h"
#include "store/lock.h"
#include "tests/support/store_support.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <cmocka.h>

/* What stands outside the artifacts, set by the tests, and what the stages did. */
static struct world {
    double value;            /* that "load" reads */
    const char *fingerprint; /* of it */
    enum status_code fail;   /* the code that "finish" ends with */
    int stop_signal;         /* raised by "load" */
    bool forget_output;      /* "load" gives nothing */
    bool save_checkpoint;    /* "finish" leaves one before it fails */
    bool found_checkpoint;   /* "finish" found one */
    bool use_source;         /* "load" opens the source */
    bool publish;            /* "halve" publishes generation 5 */
    volatile int signal;     /* the runner's stop signal */
    size_t n_load, n_halve, n_finish;
    char actions[256]; /* what stage_done told: "load:run halve:skip " */
} world;

struct load_options {
    int64_t offset;
};

static const struct option load_table[] = {{.name = "offset",
                                            .type = OPTION_INT,
                                            .offset = offsetof(struct load_options, offset),
                                            .default_text = "0",
                                            .help = "added to what is read"},
                                           {.name = NULL}};

static const struct option no_options[] = {{.name = NULL}};

static enum status_code give_number(struct context *context, const char *name, double value,
                                    struct status *status)
{
    enum status_code code;
    struct artifact artifact;
    artifact_init(&artifact, name);
    TRY(artifact_set_number(&artifact, "value", value, status));
    TRY(context_output(context, &artifact, status));
done:
    artifact_release(&artifact);
    return code;
}

static enum status_code take_number(struct context *context, const char *name, double *value,
                                    struct status *status)
{
    const struct artifact *artifact;
    enum status_code code = context_input(context, name, &artifact, status);
    return code == STATUS_OK ? artifact_get_number(artifact, "value", value, status) : code;
}

static enum status_code load_fingerprint(struct context *context, const void *options,
                                         char out[HASH_TEXT_MAX], struct status *status)
{
    (void)context, (void)options, (void)status;
    snprintf(out, HASH_TEXT_MAX, "%s", world.fingerprint);
    return STATUS_OK;
}

static enum status_code load_run(struct context *context, const void *options,
                                 struct status *status)
{
    const struct load_options *o = options;
    struct db *source;
    world.n_load++;
    world.signal = world.stop_signal;
    if (world.use_source) {
        enum status_code code = context_source(context, &source, status);
        if (code != STATUS_OK) {
            return code;
        }
        context_source_done(context);
    }
    if (world.forget_output) {
        return STATUS_OK;
    }
    context_set_rows(context, 42);
    return give_number(context, "numbers", world.value + (double)o->offset, status);
}

static enum status_code halve_run(struct context *context, const void *options,
                                  struct status *status)
{
    (void)options;
    enum status_code code;
    double value;
    world.n_halve++;
    const struct publish_metric metric = {"half@1", "nightjar", "all", 0.5, 0};
    TRY(take_number(context, "numbers", &value, status));
    TRY(context_add_metric(context, &metric, status));
    if (world.publish) {
        context_set_generation(context, 5);
    }
    TRY(give_number(context, "halves", (double)((int64_t)value / 2), status));
done:
    return code;
}

static enum status_code finish_run(struct context *context, const void *options,
                                   struct status *status)
{
    (void)options;
    enum status_code code;
    double value;
    struct artifact checkpoint = {0};
    world.n_finish++;
    TRY(take_number(context, "halves", &value, status));
    TRY(context_checkpoint_load(context, NULL, &checkpoint, &world.found_checkpoint, status));
    if (world.save_checkpoint) {
        artifact_release(&checkpoint);
        artifact_init(&checkpoint, "state");
        TRY(artifact_set_number(&checkpoint, "epoch", 3, status));
        TRY(context_checkpoint_save(context, NULL, &checkpoint, status));
    }
    if (world.fail != STATUS_OK) {
        TRY(status_set(status, world.fail, "it would not end"));
    }
done:
    artifact_release(&checkpoint);
    return code;
}

static void finish_estimate(const void *options, const struct stage_sizes *sizes,
                            struct stage_estimate *out)
{
    (void)options, (void)sizes;
    out->memory_bytes = 3 * 1024 * 1024;
}

static const struct stage_artifact numbers[] = {{.name = "numbers"}, {.name = NULL}};
static const struct stage_artifact halves[] = {{.name = "halves"}, {.name = NULL}};
static const struct stage_artifact nothing[] = {{.name = NULL}};

static const struct stage stage_load = {.name = "load",
                                        .summary = "Loads.",
                                        .version = 1,
                                        .options_size = sizeof(struct load_options),
                                        .options = load_table,
                                        .inputs = nothing,
                                        .outputs = numbers,
                                        .fingerprint = load_fingerprint,
                                        .run = load_run};
static const struct stage stage_halve = {.name = "halve",
                                         .summary = "Halves.",
                                         .version = 1,
                                         .options_size = 1,
                                         .options = no_options,
                                         .inputs = numbers,
                                         .outputs = halves,
                                         .run = halve_run};
static const struct stage stage_finish = {.name = "finish",
                                          .summary = "Finishes.",
                                          .version = 1,
                                          .options_size = 1,
                                          .options = no_options,
                                          .inputs = halves,
                                          .outputs = nothing,
                                          .estimate = finish_estimate,
                                          .run = finish_run};

static const struct stage *const stages[] = {&stage_load, &stage_halve, &stage_finish, NULL};
static const struct stage_registry registry = {stages};

static void note_stage(void *data, const char *label, bool skipped, double seconds, int64_t rows)
{
    (void)data, (void)seconds, (void)rows;
    size_t length = strlen(world.actions);
    snprintf(world.actions + length, sizeof world.actions - length, "%s:%s ", label,
             skipped ? "skip" : "run");
}

struct how {
    const char *set; /* one override */
    bool force;
    const char *from, *only;
};

static int set_up(void **state)
{
    static const char text[] = "pipeline: small\n"
                               "threads: 1\n"
                               "source: {database: source.db, table: t, user: u, item: i,"
                               " busy_timeout: 0s}\n"
                               "stages:\n"
                               "  - load: {}\n"
                               "  - halve: {}\n"
                               "  - finish: {}\n";
    char path[STORE_PATH_MAX];
    if (store_folder_setup(state) != 0) {
        return 1;
    }
    world = (struct world){.value = 10, .fingerprint = "a"};
    store_path(state, "small.yaml", path);
    store_write_file(path, text, sizeof text - 1);
    return 0;
}

static enum status_code try_run(void **state, const struct how *how, struct run_result *result,
                                struct status *status)
{
    char path[STORE_PATH_MAX];
    struct plan *plan = NULL;
    store_path(state, "small.yaml", path);
    world.actions[0] = '\0';
    world.signal = 0;
    world.found_checkpoint = false;
    *status = (struct status){0};
    enum status_code code = plan_load(path, &registry, &how->set, how->set != NULL, &plan, status);
    if (code != STATUS_OK) {
        fail_msg("%s", status->message);
    }
    const struct run_request request = {.plan = plan,
                                        .version = "1.2.3",
                                        .force = how->force,
                                        .from = how->from,
                                        .only = how->only,
                                        .stop_signal = &world.signal,
                                        .stage_done = note_stage};
    code = runner_run(&request, result, status);
    assert_int_equal(code, status->code);
    plan_free(plan);
    return code;
}

/* Runs, and asserts success and what every stage did. */
static void assert_run(void **state, const struct how *how, const char *actions)
{
    struct status status;
    struct run_result result = {0};
    if (try_run(state, how, &result, &status) != STATUS_OK) {
        fail_msg("%d: %s", status.code, status.message);
    }
    assert_string_equal(world.actions, actions);
}

/* Runs, and asserts the failure, that it says so, and that the result is untouched. */
static void assert_fails(void **state, const struct how *how, enum status_code code,
                         const char *message)
{
    static struct status status;
    struct run_result result = {.run = -7};
    assert_int_equal(try_run(state, how, &result, &status), code);
    if (strstr(status.message, message) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", status.message, message);
    }
    assert_int_equal(result.run, -7);
}

/* What a query of the work database gives. */
static void assert_work(void **state, const char *sql, const char *expected)
{
    char path[STORE_PATH_MAX];
    store_path(state, "small.work.db", path);
    struct db *db = store_open(path, DB_READ);
    store_assert_rows(db, sql, expected);
    db_close(db);
}

static void exec_work(void **state, const char *sql)
{
    char path[STORE_PATH_MAX];
    store_path(state, "small.work.db", path);
    store_exec_apart(path, sql);
}

static const struct how plainly = {0};
#define ALL_RUN  "load:run halve:run finish:run "
#define ALL_SKIP "load:skip halve:skip finish:skip "

static void a_second_run_skips_everything(void **state)
{
    assert_run(state, &plainly, ALL_RUN);
    assert_run(state, &plainly, ALL_SKIP);
    assert_int_equal(world.n_load + world.n_halve + world.n_finish, 3);
    assert_work(state, "SELECT run, state, exit_code FROM run", "1|finished|0\n2|finished|0\n");
    assert_work(state, "SELECT label, state, n_rows FROM stage_run WHERE run = 2",
                "load|skipped|42\nhalve|skipped|0\nfinish|skipped|0\n");
}

static void equal_bytes_cut_the_rest_off(void **state)
{
    world.fingerprint = ""; /* unknown: load always runs */
    assert_run(state, &plainly, ALL_RUN);
    assert_run(state, &plainly, "load:run halve:skip finish:skip ");
    world.value = 11; /* another number, the same half */
    assert_run(state, &plainly, "load:run halve:run finish:skip ");
    world.value = 12;
    assert_run(state, &plainly, ALL_RUN);
}

static void a_changed_fingerprint_runs_the_stage(void **state)
{
    assert_run(state, &plainly, ALL_RUN);
    world.fingerprint = "b";
    assert_run(state, &plainly, "load:run halve:skip finish:skip ");
    assert_run(state, &plainly, ALL_SKIP);
}

static void a_changed_option_or_seed_runs_the_stage(void **state)
{
    assert_run(state, &plainly, ALL_RUN);
    assert_run(state, &(struct how){.set = "stages.load.offset=4"}, ALL_RUN);
    assert_run(state, &(struct how){.set = "stages.load.offset=4"}, ALL_SKIP);
    assert_run(state, &(struct how){.set = "seed=5"}, ALL_RUN);
    assert_run(state, &(struct how){.set = "threads=2"}, ALL_RUN); /* the seed is back */
    assert_run(state, &plainly, ALL_SKIP);                         /* threads change no bytes */
}

static void force_from_and_only_choose_what_is_redone(void **state)
{
    assert_run(state, &plainly, ALL_RUN);
    assert_run(state, &(struct how){.force = true}, ALL_RUN);
    assert_run(state, &(struct how){.from = "halve"}, "load:skip halve:run finish:run ");
    assert_run(state, &(struct how){.only = "halve"}, "halve:run ");
    assert_run(state, &plainly, ALL_SKIP);
}

static void flags_that_cannot_be_served_are_refused(void **state)
{
    assert_fails(state, &(struct how){.from = "halv"}, STATUS_USAGE,
                 "has no stage \"halv\"; did you mean halve");
    assert_fails(state, &(struct how){.only = "xylophone"}, STATUS_USAGE,
                 "has no stage \"xylophone\"; `nightjar plan` lists");
    assert_fails(state, &(struct how){.only = "halve", .from = "halve"}, STATUS_USAGE,
                 "exclude each other");
    assert_fails(state, &(struct how){.only = "halve"}, STATUS_USAGE,
                 "its input \"numbers\" has not been made yet");
    assert_int_equal(world.n_halve, 0);
}

static void a_lost_artifact_is_made_again(void **state)
{
    assert_run(state, &plainly, ALL_RUN);
    exec_work(state, "UPDATE artifact SET current = 0 WHERE slot = 'halve/halves'");
    assert_run(state, &plainly, "load:skip halve:run finish:skip ");
}

static void a_failed_run_is_recorded_and_names_the_stage(void **state)
{
    world.fail = STATUS_DATA;
    assert_fails(state, &plainly, STATUS_DATA, "stage finish: it would not end");
    assert_work(state, "SELECT state, exit_code, message, generation FROM run",
                "failed|65|stage finish: it would not end|NULL\n");
    assert_work(state, "SELECT label, state FROM stage_run",
                "load|done\nhalve|done\nfinish|failed\n");
    world.fail = STATUS_OK;
    assert_run(state, &plainly, "load:skip halve:skip finish:run ");
}

static void what_fails_after_publishing_makes_no_failed_run(void **state)
{
    static struct status status;
    static struct run_result result;
    world.publish = true;
    world.fail = STATUS_CANNOT_CREATE;
    assert_int_equal(try_run(state, &plainly, &result, &status), STATUS_OK);
    assert_int_equal(result.generation, 5);
    assert_int_equal(result.afterwards.code, STATUS_CANNOT_CREATE);
    assert_string_equal(result.afterwards.message, "stage finish: it would not end");
    assert_work(
        state, "SELECT state, exit_code, message, generation FROM run",
        "published|0|published; what came after failed: stage finish: it would not end|5\n");
    assert_work(state, "SELECT label, state FROM stage_run",
                "load|done\nhalve|done\nfinish|failed\n");
    world.fail = STATUS_SIGNAL;
    assert_int_equal(try_run(state, &(struct how){.force = true}, &result, &status), STATUS_SIGNAL);
    assert_int_equal(result.generation, 5);
    assert_work(state, "SELECT state, generation FROM run WHERE run = 2", "published|5\n");
}

static void a_refused_run_is_recorded_as_refused(void **state)
{
    world.fail = STATUS_REFUSED;
    assert_fails(state, &plainly, STATUS_REFUSED, "it would not end");
    assert_work(state, "SELECT state, exit_code FROM run", "refused|79\n");
}

static void a_run_goes_on_from_the_data_of_an_unfinished_one(void **state)
{
    world.fail = STATUS_IO;
    assert_fails(state, &plainly, STATUS_IO, "it would not end");
    world.fingerprint = "b"; /* the source moved on */
    world.value = 30;
    assert_fails(state, &plainly, STATUS_IO, "it would not end");
    world.fail = STATUS_OK;
    assert_run(state, &plainly, "load:skip halve:skip finish:run ");
    assert_int_equal(world.n_load, 1);
    assert_run(state, &plainly, ALL_RUN); /* a finished run is no reason to look away */
}

static void old_data_of_an_unfinished_run_is_read_again(void **state)
{
    world.fail = STATUS_IO;
    assert_fails(state, &plainly, STATUS_IO, "it would not end");
    world.fail = STATUS_OK;
    world.fingerprint = "b";
    exec_work(state, "UPDATE stage_state SET finished = finished - 7200");
    assert_run(state, &(struct how){.set = "resume_within=1h"}, "load:run halve:skip finish:run ");
}

static void data_that_made_a_run_fail_are_read_again(void **state)
{
    world.fail = STATUS_DATA;
    assert_fails(state, &plainly, STATUS_DATA, "it would not end");
    world.fail = STATUS_OK;
    world.fingerprint = "b"; /* the user has mended the rows */
    world.value = 30;
    assert_run(state, &plainly, ALL_RUN);
}

static void data_that_the_unfinished_run_did_not_use_is_read_again(void **state)
{
    assert_run(state, &plainly, ALL_RUN);
    world.fingerprint = "b";
    world.forget_output = true;
    assert_fails(state, &plainly, STATUS_INTERNAL, "without its output \"numbers\"");
    world.forget_output = false;
    assert_run(state, &plainly, "load:run halve:skip finish:skip ");
}

static void a_killed_run_is_found_by_the_next(void **state)
{
    assert_run(state, &plainly, ALL_RUN);
    exec_work(state, "UPDATE run SET state = 'running'");
    world.fingerprint = "b";
    assert_run(state, &plainly, ALL_SKIP); /* resumed */
    assert_work(state, "SELECT state FROM run", "killed\nfinished\n");
}

static void a_checkpoint_is_found_by_the_same_stage_only(void **state)
{
    world.fail = STATUS_DATA;
    world.save_checkpoint = true;
    assert_fails(state, &plainly, STATUS_DATA, "it would not end");
    assert_false(world.found_checkpoint);
    assert_fails(state, &plainly, STATUS_DATA, "it would not end");
    assert_true(world.found_checkpoint);
    assert_fails(state, &(struct how){.set = "seed=9"}, STATUS_DATA, "it would not end");
    assert_false(world.found_checkpoint);
    world.fail = STATUS_OK;
    assert_run(state, &plainly, ALL_RUN);
    assert_true(world.found_checkpoint);
    assert_work(state, "SELECT count(*) FROM artifact WHERE slot LIKE 'checkpoint%'", "0\n");
}

static void a_stop_signal_ends_the_run_between_stages(void **state)
{
    static struct status status;
    struct run_result result;
    world.stop_signal = SIGTERM;
    assert_int_equal(try_run(state, &plainly, &result, &status), STATUS_SIGNAL);
    assert_int_equal(status.signal, SIGTERM);
    assert_string_equal(world.actions, "load:run ");
    assert_work(state, "SELECT state, exit_code FROM run", "interrupted|143\n");
    world.stop_signal = 0;
    assert_run(state, &plainly, "load:skip halve:run finish:run ");
}

static void a_second_runner_is_told_that_the_first_holds_the_lock(void **state)
{
    char path[STORE_PATH_MAX];
    struct lock lock;
    struct status status = {0};
    assert_run(state, &plainly, ALL_RUN);
    store_path(state, "small.work.db.lock", path);
    assert_int_equal(lock_acquire(path, NULL, &lock, &status), STATUS_OK);
    assert_fails(state, &plainly, STATUS_BUSY, "another run holds the lock");
    lock_release(&lock);
    assert_work(state, "SELECT count(*) FROM run", "1\n");
    assert_run(state, &plainly, ALL_SKIP);
}

static void a_stage_over_the_memory_limit_is_refused_with_both_figures(void **state)
{
    /* 32 MiB are the program itself */
    assert_fails(state, &(struct how){.set = "memory_limit=34M"}, STATUS_NO_MEMORY,
                 "stage finish needs about 35");
    assert_int_equal(world.n_finish, 0);
    assert_fails(state, &(struct how){.set = "memory_limit=34M"}, STATUS_NO_MEMORY,
                 "memory_limit is 34");
    assert_run(state, &(struct how){.set = "memory_limit=36M"}, "load:skip halve:skip finish:run ");
}

static void metrics_of_a_skipped_stage_are_carried(void **state)
{
    assert_run(state, &plainly, ALL_RUN);
    assert_run(state, &plainly, ALL_SKIP);
    assert_run(state, &plainly, ALL_SKIP);
    assert_work(state, "SELECT run, name, model, grp, value, label FROM run_metric ORDER BY run",
                "1|half@1|nightjar|all|0.5|halve\n2|half@1|nightjar|all|0.5|halve\n"
                "3|half@1|nightjar|all|0.5|halve\n");
}

static void a_source_that_cannot_be_read_ends_with_its_code(void **state)
{
    char path[STORE_PATH_MAX];
    world.use_source = true;
    world.fingerprint = "";
    assert_fails(state, &plainly, STATUS_NO_INPUT, "");
    store_path(state, "source.db", path);
    store_write_file(path, "this is no database, however long one looks at it", 49);
    assert_fails(state, &plainly, STATUS_DATA, "");
    assert_int_equal(remove(path), 0);
    struct db *writer = store_open(path, DB_CREATE);
    store_exec(writer, "CREATE TABLE t (u, i); BEGIN EXCLUSIVE");
    assert_fails(state, &plainly, STATUS_BUSY, "");
    store_exec(writer, "COMMIT");
    db_close(writer);
    assert_run(state, &plainly, ALL_RUN);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, store_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_second_run_skips_everything),
        TEST(equal_bytes_cut_the_rest_off),
        TEST(a_changed_fingerprint_runs_the_stage),
        TEST(a_changed_option_or_seed_runs_the_stage),
        TEST(force_from_and_only_choose_what_is_redone),
        TEST(flags_that_cannot_be_served_are_refused),
        TEST(a_lost_artifact_is_made_again),
        TEST(a_failed_run_is_recorded_and_names_the_stage),
        TEST(what_fails_after_publishing_makes_no_failed_run),
        TEST(a_refused_run_is_recorded_as_refused),
        TEST(a_run_goes_on_from_the_data_of_an_unfinished_one),
        TEST(old_data_of_an_unfinished_run_is_read_again),
        TEST(data_that_made_a_run_fail_are_read_again),
        TEST(data_that_the_unfinished_run_did_not_use_is_read_again),
        TEST(a_killed_run_is_found_by_the_next),
        TEST(a_checkpoint_is_found_by_the_same_stage_only),
        TEST(a_stop_signal_ends_the_run_between_stages),
        TEST(a_second_runner_is_told_that_the_first_holds_the_lock),
        TEST(a_stage_over_the_memory_limit_is_refused_with_both_figures),
        TEST(metrics_of_a_skipped_stage_are_carried),
        TEST(a_source_that_cannot_be_read_ends_with_its_code),
    };
    return cmocka_run_group_tests_name("runner", tests, NULL, NULL);
}
