/* One process at a time, waited for. */
#include "run/hooks.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/command_words.h"
#include "base/num.h"
#include "base/path.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { LOOK_EVERY_MS = 20, GRACE_MS = 1000, ENVIRONMENT_ADDED_MAX = 16 };

const char *const hook_names[N_HOOKS] = {"start", "success", "failure"};

static const char *command_of(const struct plan *plan, enum hook hook)
{
    const struct plan_hooks *hooks = &plan->settings.hooks;
    return hook == HOOK_START     ? hooks->start
           : hook == HOOK_SUCCESS ? hooks->success
                                  : hooks->failure;
}

bool hooks_has(const struct plan *plan, enum hook hook)
{
    return command_of(plan, hook) != NULL;
}

/* The words of the command; a program by a relative path starts at the configuration's folder. */
static enum status_code words_of(const struct plan *plan, enum hook hook, struct arena *arena,
                                 char ***words, struct status *status)
{
    struct buf path = {0};
    const char *why;
    size_t n;
    enum status_code code;
    TRY(command_words(command_of(plan, hook), arena, words, &n, &why, status));
    if (why != NULL) { /* the plan has looked */
        TRY(status_set(status, STATUS_INTERNAL, "hooks.%s: %s", hook_names[hook], why));
    }
    const char *program = (*words)[0];
    if (program[0] != '/' && strchr(program, '/') != NULL && strcmp(plan->directory, ".") != 0) {
        buf_addf(&path, "%s/%s", plan->directory, program);
        TRY(buf_check(&path, status));
        TRY(arena_copy_text(arena, buf_text(&path), path.length, &(*words)[0], status));
    }
done:
    buf_release(&path);
    return code;
}

/* ---- the environment ---- */

struct environment {
    struct arena *arena;
    char **texts; /* ours, then what we were given and ours do not replace */
    size_t n;
};

static enum status_code add(struct environment *environment, const char *name, const char *value,
                            struct status *status)
{
    struct buf text = {0};
    enum status_code code;
    buf_addf(&text, "NIGHTJAR_%s=%s", name, value);
    TRY(buf_check(&text, status));
    TRY(arena_copy_text(environment->arena, buf_text(&text), text.length,
                        &environment->texts[environment->n], status));
    environment->n++;
done:
    buf_release(&text);
    return code;
}

static enum status_code add_number(struct environment *environment, const char *name,
                                   int64_t number, struct status *status)
{
    char text[NUM_TEXT_MAX];
    snprintf(text, sizeof text, "%lld", (long long)number);
    return add(environment, name, text, status);
}

static enum status_code add_facts(struct environment *environment, const struct plan *plan,
                                  enum hook hook, const struct hook_facts *facts,
                                  struct status *status)
{
    const struct plan_settings *settings = &plan->settings;
    char seconds[NUM_TEXT_MAX], *config = NULL, *message = NULL;
    const size_t size = strlen(facts->message) + 1;
    enum status_code code;
    snprintf(seconds, sizeof seconds, "%.1f", facts->seconds);
    TRY(path_absolute(plan->file, &config, status));
    TRY(MEM_NEW(&message, size, status));
    memcpy(message, facts->message, size);
    private_hide(message); /* it leaves the machine, often */
    TRY(add(environment, "HOOK", hook_names[hook], status));
    TRY(add(environment, "PIPELINE", settings->pipeline, status));
    TRY(add(environment, "CONFIG", config, status));
    TRY(add(environment, "OUTPUT",
            settings->output.database != NULL ? settings->output.database : "", status));
    TRY(add_number(environment, "RUN", facts->run, status));
    TRY(add(environment, "STATUS", facts->state, status));
    TRY(add_number(environment, "EXIT", facts->exit_code, status));
    TRY(add_number(environment, "GENERATION", facts->generation, status));
    TRY(add(environment, "SECONDS", seconds, status));
    TRY(add(environment, "MESSAGE", message, status));
    TRY(add(environment, "VERSION", facts->version, status));
done:
    mem_free(config);
    mem_free(message);
    return code;
}

/* Whether one of ours has the name of this text. */
static bool is_ours(const struct environment *environment, const char *text)
{
    for (size_t i = 0; i < environment->n; i++) {
        const size_t length = strcspn(environment->texts[i], "=") + 1;
        if (strncmp(environment->texts[i], text, length) == 0) {
            return true;
        }
    }
    return false;
}

static enum status_code make_environment(const struct plan *plan, enum hook hook,
                                         const struct hook_facts *facts, struct arena *arena,
                                         char ***out, struct status *status)
{
    struct environment environment = {.arena = arena};
    size_t n_given = 0;
    enum status_code code;
    while (environ != NULL && environ[n_given] != NULL) {
        n_given++;
    }
    TRY(arena_new(arena, n_given + ENVIRONMENT_ADDED_MAX + 1, sizeof *environment.texts,
                  (void **)&environment.texts, status));
    TRY(add_facts(&environment, plan, hook, facts, status));
    size_t n = environment.n;
    for (size_t i = 0; i < n_given; i++) {
        if (!is_ours(&environment, environ[i])) {
            environment.texts[n++] = environ[i];
        }
    }
    *out = environment.texts;
done:
    return code;
}

/* ---- the process ---- */

/* Most are closed by exec already; a library's may not be. */
static void close_at_exec(void)
{
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    int64_t fd;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (num_parse_int64(entry->d_name, strlen(entry->d_name), &fd) && fd > 2) {
            (void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

/* 0, or an errno. */
static int start(char **words, char **environment, pid_t *pid)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    sigset_t none, all;
    int error = posix_spawnattr_init(&attributes);
    if (error != 0) {
        return error;
    }
    if ((error = posix_spawn_file_actions_init(&actions)) != 0) {
        posix_spawnattr_destroy(&attributes);
        return error;
    }
    sigemptyset(&none);
    sigfillset(&all);
    close_at_exec();
    if ((error =
             posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                       POSIX_SPAWN_SETSIGDEF)) == 0 &&
        (error = posix_spawnattr_setpgroup(&attributes, 0)) == 0 &&
        (error = posix_spawnattr_setsigmask(&attributes, &none)) == 0 &&
        (error = posix_spawnattr_setsigdefault(&attributes, &all)) == 0 &&
        (error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)) == 0 &&
        (error = posix_spawn_file_actions_adddup2(&actions, 2, 1)) == 0) {
        error = posix_spawnp(pid, words[0], &actions, &attributes, words, environment);
    }
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error;
}

static void pause_ms(long ms)
{
    const struct timespec moment = {.tv_nsec = ms * 1000000};
    (void)nanosleep(&moment, NULL);
}

/* Whether the process has ended, within so many seconds; how is in *result. */
static bool wait_for(pid_t pid, double seconds, const volatile int *stop_signal, int *result)
{
    const double end = clock_monotonic() + seconds;
    const int before = stop_signal != NULL ? *stop_signal : 0;
    for (;;) {
        const pid_t ended = waitpid(pid, result, WNOHANG);
        if (ended == pid) {
            return true;
        }
        if (ended < 0 && errno != EINTR) { /* whoever started us ignores SIGCHLD: nobody knows */
            *result = 0;
            return kill(pid, 0) != 0;
        }
        if (clock_monotonic() > end || (stop_signal != NULL && *stop_signal != before)) {
            return false;
        }
        pause_ms(LOOK_EVERY_MS);
    }
}

/* The process and all that it has started and that did not leave its group. */
static void end_group(pid_t pid)
{
    int result;
    (void)kill(-pid, SIGTERM);
    if (!wait_for(pid, GRACE_MS / 1000.0, NULL, &result)) {
        (void)kill(-pid, SIGKILL);
        (void)waitpid(pid, &result, 0);
    } else {
        (void)kill(-pid, SIGKILL); /* what it has left behind */
    }
}

static enum status_code run_hook(const struct plan *plan, enum hook hook,
                                 const struct hook_facts *facts, const volatile int *stop_signal,
                                 struct status *status)
{
    const double timeout = plan->settings.hooks.timeout;
    struct arena arena = {0};
    char **words = NULL, **environment = NULL, limit[NUM_TEXT_MAX];
    pid_t pid = -1;
    int result = 0;
    enum status_code code;
    TRY(words_of(plan, hook, &arena, &words, status));
    TRY(make_environment(plan, hook, facts, &arena, &environment, status));
    const int error = start(words, environment, &pid);
    if (error != 0) {
        TRY(status_set(status, STATUS_NO_INPUT, "hooks.%s: cannot start %s: %s", hook_names[hook],
                       words[0], strerror(error)));
    }
    if (!wait_for(pid, timeout, stop_signal, &result)) {
        end_group(pid);
        num_format_duration(timeout, limit);
        TRY(status_set(status, STATUS_BUSY, "hooks.%s: %s was ended: %s (hooks.timeout)",
                       hook_names[hook], words[0],
                       stop_signal != NULL && *stop_signal != 0 ? "the run was told to stop"
                                                                : limit));
    }
    if (WIFSIGNALED(result)) {
        TRY(status_set(status, STATUS_IO, "hooks.%s: %s was ended by signal %d", hook_names[hook],
                       words[0], WTERMSIG(result)));
    }
    if (WIFEXITED(result) && WEXITSTATUS(result) != 0) {
        TRY(status_set(status, STATUS_IO, "hooks.%s: %s ended with exit code %d", hook_names[hook],
                       words[0], WEXITSTATUS(result)));
    }
done:
    arena_release(&arena);
    return code;
}

void hooks_call(const struct plan *plan, enum hook hook, const struct hook_facts *facts,
                const volatile int *stop_signal, struct log *log)
{
    struct status trouble = {0};
    if (hooks_has(plan, hook) && run_hook(plan, hook, facts, stop_signal, &trouble) != STATUS_OK) {
        log_write(log, LOG_WARNING, "%s", trouble.message);
    }
}

/* ---- before a run ---- */

/* As posix_spawnp looks for it. */
static bool can_start(const char *program)
{
    const char *path = getenv("PATH");
    if (strchr(program, '/') != NULL) {
        return access(program, X_OK) == 0;
    }
    while (path != NULL && *path != '\0') {
        const size_t length = strcspn(path, ":");
        struct buf name = {0};
        buf_addf(&name, "%.*s/%s", (int)length, path, program);
        const bool found = access(buf_text(&name), X_OK) == 0;
        buf_release(&name);
        if (found) {
            return true;
        }
        path += length + (path[length] == ':');
    }
    return false;
}

enum status_code hooks_look(const struct plan *plan, enum hook hook, struct arena *arena,
                            const char **program, bool *found, struct status *status)
{
    char **words = NULL;
    enum status_code code;
    TRY(words_of(plan, hook, arena, &words, status));
    *program = words[0];
    *found = can_start(words[0]);
done:
    return code;
}
