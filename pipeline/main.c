/* nightjar: the command table, signals, the one place that prints an error and the one that
 * returns an exit code. */
#include "base/utf8.h"
#include "commands/command_list.h"
#include "commands/version.h"
#include "config/stage_registry.h"
#include "ranks/launcher.h"
#include "ranks/ranks.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static const struct command *const commands[] = {
    &command_init,   &command_run,      &command_plan,      &command_check,   &command_describe,
    &command_tune,   &command_backtest, &command_recommend, &command_similar, &command_export,
    &command_runs,   &command_rollback, &command_prune,     &command_forget,  &command_drop,
    &command_import, &command_generate, &command_version,   &command_help,    NULL};

/* The only mutable global: a signal handler has no other way to tell. */
static volatile int stop_signal;

static void note_signal(int signal_number)
{
    stop_signal = signal_number;
}

/* SIGINT, SIGTERM and SIGHUP ask the run to stop at the next safe place; the same signal again ends
 * the program at once. A signal that the parent ignores (nohup) stays ignored. */
static void install_signals(void)
{
    const int stopping[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof stopping / sizeof *stopping; i++) {
        struct sigaction old;
        struct sigaction action = {.sa_handler = note_signal,
                                   .sa_flags = SA_RESTART | (int)SA_RESETHAND};
        sigemptyset(&action.sa_mask);
        if (sigaction(stopping[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            sigaction(stopping[i], &action, NULL);
        }
    }
    /* a closed stdout is then an error of write(), reported as such */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL); /* a limit on file sizes is a full disk */
}

/* A database opened while descriptor 1 or 2 is closed would become our stdout. The gap is filled
 * with something that cannot be written to, so that writing there still fails. */
static void fill_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF && open("/dev/null", O_RDONLY) != fd) {
            return;
        }
    }
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static enum status_code unknown_command(const char *name, struct status *status)
{
    const char *names[sizeof commands / sizeof *commands] = {NULL};
    size_t n = 0;
    for (; commands[n] != NULL; n++) {
        names[n] = commands[n]->name;
    }
    return command_unknown("unknown command", name, strlen(name), names, n, "help", status);
}

/* True when --help or -h stands before a `--`. */
static bool asks_for_help(int n, char **words)
{
    for (int i = 0; i < n && strcmp(words[i], "--") != 0; i++) {
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

static enum status_code dispatch(const struct command_environment *environment, int argc,
                                 char **argv, struct status *status)
{
    if (argc < 2) {
        commands_help(environment, environment->err);
        return status_set(status, STATUS_USAGE, "no command given");
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        name = command_help.name;
    } else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        name = command_version.name;
    }
    const struct command *command = find_command(name);
    if (command == NULL) {
        return unknown_command(name, status);
    }
    if (asks_for_help(argc - 2, argv + 2)) {
        command_print_help(command, environment->out);
        return STATUS_OK;
    }
    struct command_line line;
    enum status_code code = command_parse(command, argc - 2, argv + 2, &line, status);
    if (code == STATUS_OK && command->ranks == RANKS_NONE && ranks_n(environment->ranks) > 1) {
        code = status_set(status, STATUS_USAGE,
                          "%s works in one process, and %zu were started: start it by itself", name,
                          ranks_n(environment->ranks));
    }
    if (code == STATUS_OK && (command->ranks == RANKS_ALL || ranks_is_first(environment->ranks))) {
        code = command->run(environment, &line, status);
    }
    return code;
}

/* A mistake in a file is printed the way compilers do, so that editors can jump to it; everything
 * else says who is speaking, on every line. */
static void print_error(const struct status *status)
{
    char text[STATUS_FILE_MAX + STATUS_MESSAGE_MAX + 64];
    status_format(status, text, sizeof text);
    private_show(text);
    const char *speaker = status->file[0] != '\0' && status->line > 0 ? "" : "nightjar: ";
    struct buf shown = {0}; /* what a message quotes must not drive the terminal */
    utf8_add_repaired(&shown, text, strlen(text));
    for (const char *line = shown.failed ? "out of memory" : buf_text(&shown); *line != '\0';) {
        size_t length = strcspn(line, "\n");
        fprintf(stderr, "%s%.*s\n", speaker, (int)length, line);
        line += length + (line[length] == '\n');
    }
    buf_release(&shown);
}

/* Whether lines can be redrawn and coloured there. */
static bool err_can_draw(void)
{
    const char *terminal = getenv("TERM");
    return isatty(STDERR_FILENO) == 1 && terminal != NULL && terminal[0] != '\0' &&
           strcmp(terminal, "dumb") != 0;
}

/* The first rank speaks for all; what the others would say goes nowhere. */
static void silence(struct command_environment *environment)
{
    const int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    FILE *nowhere = fd < 0 ? NULL : fdopen(fd, "w");
    if (nowhere != NULL) {
        environment->out = environment->err = nowhere;
        environment->err_is_terminal = environment->err_can_draw = false;
    }
}

/* One command, of which all ranks hear how it ended, in the words of the first that failed. */
static enum status_code do_command(struct command_environment *environment, int argc, char **argv,
                                   struct status *status)
{
    if (!ranks_is_first(environment->ranks)) {
        silence(environment);
    }
    enum status_code code = dispatch(environment, argc, argv, status);
    if (code == STATUS_OK) {
        code = command_flush(stdout, status);
    }
    code = ranks_settle(environment->ranks, code, status);
    if (environment->out != stdout) {
        fclose(environment->out);
    }
    return code;
}

int main(int argc, char **argv)
{
    fill_standard_descriptors();
    install_signals();
    struct command_environment environment = {.registry = &stage_registry,
                                              .version = NIGHTJAR_VERSION,
                                              .commands = commands,
                                              .out = stdout,
                                              .err = stderr,
                                              .err_is_terminal = isatty(STDERR_FILENO) == 1,
                                              .err_can_draw = err_can_draw(),
                                              .stop_signal = &stop_signal};
    struct status status = {0};
    enum status_code code = ranks_open(&environment.ranks, &status);
    if (code == STATUS_OK) {
        code = do_command(&environment, argc, argv, &status);
    }
    ranks_close(environment.ranks);
    /* the first rank says it for all and its code is theirs: for any other a launcher would end it
       before it has spoken */
    const bool speaks = launcher_find().mine == 0;
    if (speaks && code != STATUS_OK) {
        fflush(stdout);
        if (status.message[0] != '\0') {
            print_error(&status);
        }
    }
    if (code == STATUS_NO_MEMORY) {
        /* threads of OpenBLAS that wait for memory are waited for at an ordinary exit, for ever */
        fflush(stderr);
        _exit(speaks ? (int)code : 0);
    }
    if (!speaks) {
        return 0;
    }
    return code == STATUS_SIGNAL ? (int)STATUS_SIGNAL + status.signal : (int)code;
}
