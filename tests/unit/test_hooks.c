/* hooks: how a command is started, what it is told, how it ends. What a run tells is a case of the
 * command line. */
#include "run/hooks.h"
#include "tests/support/store_support.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static const struct hook_facts usual = {.run = 7,
                                        .generation = 3,
                                        .state = "published",
                                        .seconds = 12.34,
                                        .message = "what went well",
                                        .version = "test"};

/* Calls the hook `success` with that command; what the log got, "" nothing, is to be released. */
static struct buf call(void **state, const char *command, double timeout,
                       const struct hook_facts *facts, const volatile int *stop_signal)
{
    char folder[STORE_PATH_MAX], file[STORE_PATH_MAX], path[STORE_PATH_MAX];
    store_path(state, "", folder);
    folder[strlen(folder) - 1] = '\0';
    store_path(state, "shop.yaml", file);
    store_path(state, "log", path);
    struct plan plan = {.file = file, .directory = folder};
    plan.settings.pipeline = "shop";
    plan.settings.hooks.success = command;
    plan.settings.hooks.timeout = timeout;
    struct log log = {.stream = fopen(path, "w+"), .level = LOG_INFO};
    assert_non_null(log.stream);
    hooks_call(&plan, HOOK_SUCCESS, facts, stop_signal, &log);
    struct buf said = {0};
    rewind(log.stream);
    for (int c = getc(log.stream); c != EOF; c = getc(log.stream)) {
        buf_add_char(&said, (char)c);
    }
    fclose(log.stream);
    return said;
}

static void assert_says(void **state, const char *command, double timeout, const char *expected)
{
    struct buf said = call(state, command, timeout, &usual, NULL);
    if (expected[0] == '\0' ? said.length > 0 : strstr(buf_text(&said), expected) == NULL) {
        fail_msg("%s: \"%s\"", command, buf_text(&said));
    }
    buf_release(&said);
}

/* A script in the folder of the configuration. */
static void write_script(void **state, const char *name, const char *text)
{
    char path[STORE_PATH_MAX];
    store_path(state, name, path);
    store_write_file(path, text, strlen(text));
    assert_int_equal(chmod(path, 0755), 0);
}

static void each_end_of_a_hook_is_told(void **state)
{
    assert_says(state, "true", 10, "");
    assert_says(state, "false", 10, "hooks.success: false ended with exit code 1");
    assert_says(state, "sh -c 'kill -9 $$'", 10, "sh was ended by signal 9");
    assert_says(state, "/nowhere/at-all", 10, "cannot start /nowhere/at-all: No such file");
    assert_says(state, "./nothing", 10, "cannot start");
}

/* No shell has a part in it, and a relative path begins at the configuration. */
static void words_are_given_as_they_are(void **state)
{
    char path[STORE_PATH_MAX];
    write_script(state, "tell", "#!/bin/sh\nprintf '%s|' \"$@\" >\"$(dirname \"$0\")/told\"\n");
    assert_says(state, "./tell $HOME 'a  b' * ''", 10, "");
    store_path(state, "told", path);
    assert_true(store_file_has(path, "$HOME|a  b|*||"));
}

static void facts_stand_in_the_environment(void **state)
{
    static const char *const lines[] = {"NIGHTJAR_HOOK=success\n",
                                        "NIGHTJAR_PIPELINE=shop\n",
                                        "NIGHTJAR_RUN=7\n",
                                        "NIGHTJAR_GENERATION=3\n",
                                        "NIGHTJAR_STATUS=published\n",
                                        "NIGHTJAR_EXIT=0\n",
                                        "NIGHTJAR_SECONDS=12.3\n",
                                        "NIGHTJAR_MESSAGE=what went well\n",
                                        "NIGHTJAR_VERSION=test\n",
                                        "NIGHTJAR_OUTPUT=\n",
                                        "OF_OTHERS=stays\n"};
    char path[STORE_PATH_MAX];
    assert_int_equal(setenv("OF_OTHERS", "stays", 1), 0);
    assert_int_equal(setenv("NIGHTJAR_STATUS", "mine", 1), 0);
    write_script(state, "tell", "#!/bin/sh\nenv >\"$(dirname \"$0\")/told\"\n");
    assert_says(state, "./tell", 10, "");
    store_path(state, "told", path);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_true(store_file_has(path, lines[i]));
    }
    assert_false(store_file_has(path, "NIGHTJAR_STATUS=mine"));
    assert_int_equal(unsetenv("NIGHTJAR_STATUS"), 0);
}

/* A descriptor of ours that is open for all that we start is not open for a hook. */
static void nothing_but_three_descriptors_is_inherited(void **state)
{
    char path[STORE_PATH_MAX], command[STORE_PATH_MAX];
    store_path(state, "open", path);
    const int fd = open(path, O_CREAT | O_RDWR, 0600);
    assert_true(fd > 2);
    snprintf(command, sizeof command, "test -e /proc/self/fd/%d", fd);
    assert_says(state, command, 10, "ended with exit code 1");
    close(fd);
}

/* Whether the process is gone, or nobody's and waits to be fetched. */
static bool has_ended(const char *pid)
{
    char path[STORE_PATH_MAX], mode = 'Z';
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        mode = fscanf(file, "%*d %*s %c", &mode) == 1 ? mode : 'Z';
        fclose(file);
    }
    return mode == 'Z';
}

static void who_takes_too_long_is_ended_with_all_that_it_started(void **state)
{
    const struct timespec moment = {.tv_nsec = 10000000};
    char path[STORE_PATH_MAX], pid[32] = "";
    write_script(state, "slow",
                 "#!/bin/sh\nsleep 600 &\necho $! >\"$(dirname \"$0\")/child\"\nwait\n");
    assert_says(state, "./slow", 0.5, "was ended: ");
    store_path(state, "child", path);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(pid, sizeof pid, file));
    fclose(file);
    pid[strcspn(pid, "\n")] = '\0';
    while (!has_ended(pid)) {
        nanosleep(&moment, NULL);
    }
}

static void a_signal_that_has_come_before_does_not_end_it(void **state)
{
    const volatile int stopped = 15; /* why the run ends, and the hook tells of it */
    struct buf said = call(state, "true", 10, &usual, &stopped);
    assert_int_equal(said.length, 0);
    buf_release(&said);
}

/* What is marked private does not leave the machine. */
static void private_parts_of_the_message_are_hidden(void **state)
{
    char path[STORE_PATH_MAX];
    struct hook_facts facts = usual;
    facts.message = "user " PRIVATE_BEGIN "anna" PRIVATE_END " has no list";
    write_script(state, "tell",
                 "#!/bin/sh\necho \"$NIGHTJAR_MESSAGE\" >\"$(dirname \"$0\")/told\"\n");
    struct buf said = call(state, "./tell", 10, &facts, NULL);
    store_path(state, "told", path);
    assert_true(store_file_has(path, "user ") && store_file_has(path, " has no list"));
    assert_false(store_file_has(path, "anna"));
    buf_release(&said);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, store_folder_setup, store_folder_teardown)
    const struct CMUnitTest tests[] = {
        CASE(each_end_of_a_hook_is_told),
        CASE(words_are_given_as_they_are),
        CASE(facts_stand_in_the_environment),
        CASE(nothing_but_three_descriptors_is_inherited),
        CASE(who_takes_too_long_is_ended_with_all_that_it_started),
        CASE(a_signal_that_has_come_before_does_not_end_it),
        CASE(private_parts_of_the_message_are_hidden),
    };
    return cmocka_run_group_tests_name("hooks", tests, NULL, NULL);
}
