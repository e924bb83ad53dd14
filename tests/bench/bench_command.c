/* Runs a command, its stdout thrown away, and prints what it and its children took:
 *     bench_command COMMAND ARGUMENTS...    ->    CPU-seconds wall-seconds peak-MiB
 * Ends with the command's exit code. */
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

/* In the child. */
static void run_command(char **arguments)
{
    int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0) {
        execvp(arguments[0], arguments);
    }
    (void)fprintf(stderr, "bench_command: %s: %s\n", arguments[0], strerror(errno));
    _exit(STATUS_NO_INPUT);
}

int main(int argc, char **argv)
{
    struct rusage usage = {0};
    int state = 0;
    double began = clock_monotonic();

    if (argc < 2) {
        (void)fprintf(stderr, "usage: bench_command COMMAND ARGUMENTS...\n");
        return STATUS_USAGE;
    }
    pid_t child = fork();
    if (child == 0) {
        run_command(argv + 1);
    }
    if (child < 0 || waitpid(child, &state, 0) != child ||
        getrusage(RUSAGE_CHILDREN, &usage) != 0) {
        (void)fprintf(stderr, "bench_command: %s\n", strerror(errno));
        return STATUS_IO;
    }
    printf("%.3f %.3f %.1f\n", seconds(usage.ru_utime) + seconds(usage.ru_stime),
           clock_monotonic() - began, (double)usage.ru_maxrss / 1024.0); /* Linux: KiB */
    return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}
