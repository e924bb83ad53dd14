/* store/lock: one holder at a time, also across processes and their deaths. */
#include "store/lock.h"

#include "tests/support/store_support.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A second process: takes the lock, says so by making `flag`, and waits to be killed. */
static int hold(const char *path, const char *flag)
{
    struct status status = {0};
    struct lock lock;
    if (lock_acquire(path, NULL, &lock, &status) != STATUS_OK) {
        return (int)status.code;
    }
    FILE *file = fopen(flag, "w");
    if (file == NULL || fclose(file) != 0) {
        return 1;
    }
    sleep(600);
    return 0;
}

static pid_t spawn_holder(const char *path, const char *flag)
{
    const char *const arguments[] = {"hold", path, flag, NULL};
    pid_t pid = store_spawn(arguments);
    for (int i = 0; i < 6000 && access(flag, F_OK) != 0; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    assert_int_equal(access(flag, F_OK), 0);
    return pid;
}

static void a_free_lock_is_taken_and_given_back(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    struct lock lock, again;
    store_path(state, "run.lock", path);
    assert_int_equal(lock_acquire(path, NULL, &lock, &status), STATUS_OK);
    assert_true(lock.fd >= 0);
    assert_int_equal(lock_acquire(path, NULL, &again, &status), STATUS_BUSY);
    assert_int_equal(again.fd, -1);
    lock_release(&again); /* not held: no-op */
    status_clear(&status);
    lock_release(&lock);
    assert_int_equal(lock.fd, -1);
    assert_int_equal(access(path, F_OK), 0); /* the file stays */
    assert_int_equal(lock_acquire(path, NULL, &lock, &status), STATUS_OK);
    lock_release(&lock);
}

static void a_busy_lock_names_its_holder(void **state)
{
    char path[STORE_PATH_MAX], flag[STORE_PATH_MAX], expected[64];
    struct status status = {0};
    struct lock lock;
    store_path(state, "run.lock", path);
    store_path(state, "flag", flag);
    pid_t pid = spawn_holder(path, flag);
    snprintf(expected, sizeof expected, "pid %ld since 2", (long)pid);
    assert_int_equal(lock_acquire(path, NULL, &lock, &status), STATUS_BUSY);
    assert_string_equal(status.file, path);
    assert_non_null(strstr(status.message, expected));
    assert_int_equal(lock.fd, -1);
    kill(pid, SIGKILL);
    assert_int_equal(store_wait(pid), -SIGKILL);
}

static void a_killed_holder_leaves_the_lock_free(void **state)
{
    char path[STORE_PATH_MAX], flag[STORE_PATH_MAX], mine[64];
    struct status status = {0};
    struct lock lock;
    store_path(state, "run.lock", path);
    store_path(state, "flag", flag);
    pid_t pid = spawn_holder(path, flag);
    kill(pid, SIGKILL);
    assert_int_equal(store_wait(pid), -SIGKILL);
    assert_int_equal(lock_acquire(path, NULL, &lock, &status), STATUS_OK);
    snprintf(mine, sizeof mine, "pid %ld since", (long)getpid());
    assert_true(store_file_has(path, mine));
    lock_release(&lock);
    assert_false(store_file_has(path, mine));
}

static void a_lock_file_that_cannot_be_made_is_reported(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    struct lock lock;
    store_path(state, "no/folder/run.lock", path);
    assert_int_equal(lock_acquire(path, NULL, &lock, &status), STATUS_CANNOT_CREATE);
    assert_string_equal(status.file, path);
    assert_non_null(strstr(status.message, "No such file"));
    assert_int_equal(lock.fd, -1);
}

static void a_word_is_handed_on_until_it_is_taken_away(void **state)
{
    char database[STORE_PATH_MAX], word[LOCK_WORD_MAX];
    const char *const left[] = {"7 failed\nno room", "7 failed\nno room", ""};
    struct status status = {0};
    struct lock lock;
    store_path(state, "word.db", database);
    lock_read_word(database, word);
    assert_string_equal(word, "");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lock_pipeline(database, NULL, &lock, &status), STATUS_OK);
        assert_string_equal(lock.word, i == 0 ? "" : left[i - 1]);
        lock_read_word(database, word);
        assert_string_equal(word, ""); /* the holder's line stands there */
        lock_leave_word(&lock, left[i]);
        lock_release(&lock);
        lock_read_word(database, word);
        assert_string_equal(word, left[i]);
    }
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "hold") == 0) {
        return hold(argv[2], argv[3]);
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_free_lock_is_taken_and_given_back),
        TEST(a_busy_lock_names_its_holder),
        TEST(a_word_is_handed_on_until_it_is_taken_away),
        TEST(a_killed_holder_leaves_the_lock_free),
        TEST(a_lock_file_that_cannot_be_made_is_reported),
    };
    return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
