/* Pipelines of a few stages. */
#include "tests/support/stage_support.h"

#include "shop/shop_database.h"
#include "run/runner.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <cmocka.h>

void stage_source(void **state, const char *sql)
{
    char path[STORE_PATH_MAX];
    store_path(state, "source.db", path);
    struct db *db = store_open(path, DB_CREATE);
    store_exec(db, sql);
    db_close(db);
}

void stage_shop(void **state, size_t n_users, size_t n_items, size_t n_events)
{
    const struct shop_database_options shop = {.shop = {.n_users = n_users,
                                                        .n_items = n_items,
                                                        .n_events = (int64_t)n_events,
                                                        .n_days = 30,
                                                        .seed = 3},
                                               .text_ids = true};
    struct progress progress = {0};
    struct status status = {0};
    char path[STORE_PATH_MAX];
    store_path(state, "source.db", path);
    if (shop_database_write(path, &shop, &progress, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
}

enum status_code stage_run(void **state, const struct stage *const *registry, const char *stages,
                           int threads, struct status *status)
{
    const struct stage_registry stage_registry = {registry};
    char path[STORE_PATH_MAX];
    struct buf text = {0};
    struct plan *plan = NULL;
    struct run_result result = {0};
    buf_addf(&text,
             "pipeline: test\nseed: 7\nthreads: %d\n"
             "source: {database: source.db, interactions: SELECT * FROM events}\n"
             "output: {database: output.db}\nwork: {database: work.db}\nstages:\n%s",
             threads, stages);
    store_path(state, "pipeline.yaml", path);
    store_write_file(path, buf_text(&text), text.length);
    buf_release(&text);
    memset(status, 0, sizeof *status);
    enum status_code code = plan_load(path, &stage_registry, NULL, 0, &plan, status);
    store_path(state, "warnings.txt", path);
    struct log log = {.stream = fopen(path, "w"), .level = LOG_WARNING};
    assert_non_null(log.stream);
    if (code == STATUS_OK) {
        const struct run_request request = {
            .plan = plan, .version = "test", .log = &log, .force = true};
        code = runner_run(&request, &result, status);
    }
    fclose(log.stream);
    plan_free(plan);
    return code;
}

void stage_kill_when(void **state, bool (*is_far_enough)(void **state))
{
    const char *const arguments[] = {"run", *state, NULL}, *const files[] = {"", "-journal",
                                                                             ".lock"};
    const struct timespec pause = {.tv_nsec = 1000000};
    char name[32], path[STORE_PATH_MAX];
    int result = 0;
    do {
        for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
            snprintf(name, sizeof name, "work.db%s", files[f]);
            store_path(state, name, path);
            (void)remove(path);
        }
        siginfo_t ended = {0};
        const pid_t pid = store_spawn(arguments);
        while (!is_far_enough(state) && ended.si_pid == 0) {
            nanosleep(&pause, NULL);
            assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        result = store_wait(pid);
        assert_true(result == 0 || result == -SIGKILL);
    } while (result == 0 || !is_far_enough(state));
}

void stage_assert_warned(void **state, const char *text)
{
    char path[STORE_PATH_MAX], line[1024];
    bool found = false;
    store_path(state, "warnings.txt", path);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        found = found || strstr(line, text) != NULL;
    }
    fclose(file);
    if (!found) {
        fail_msg("no warning has: %s", text);
    }
}

struct db *stage_work(void **state)
{
    char path[STORE_PATH_MAX];
    store_path(state, "work.db", path);
    return store_open(path, DB_WRITE);
}

struct artifact stage_artifact_of(void **state, const char *slot)
{
    struct status status = {0};
    struct artifact artifact = {0};
    bool found = false;
    struct db *work = stage_work(state);
    assert_int_equal(artifact_load(work, slot, &artifact, &found, &status), STATUS_OK);
    assert_true(found);
    db_close(work);
    return artifact;
}

bool stage_has_artifact(void **state, const char *slot)
{
    struct status status = {0};
    char hash[HASH_TEXT_MAX];
    bool found = false;
    struct db *work = stage_work(state);
    assert_int_equal(artifact_saved_hash(work, slot, hash, &found, &status), STATUS_OK);
    db_close(work);
    return found;
}

void stage_hash(void **state, const char *slot, char out[HASH_TEXT_MAX])
{
    struct status status = {0};
    struct artifact artifact = stage_artifact_of(state, slot);
    assert_int_equal(artifact_hash(&artifact, out, &status), STATUS_OK);
    artifact_release(&artifact);
}

double stage_number(void **state, const char *slot, const char *name)
{
    struct status status = {0};
    double value = 0.0;
    struct artifact artifact = stage_artifact_of(state, slot);
    assert_int_equal(artifact_get_number(&artifact, name, &value, &status), STATUS_OK);
    artifact_release(&artifact);
    return value;
}
