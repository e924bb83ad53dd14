/* Measuring in turns and printing what came out. */
#include "tests/support/bench_beside.h"

#include "base/clock.h"
#include "base/num.h"

#include <math.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static const char side_argument[] = "BENCH_SIDE";

enum { MAX_ARGUMENTS = 16 };

struct side {
    double cpu, wall; /* seconds, the least of the rounds */
    double peak_mib;
};

struct bench_program bench_program_of(int *n_arguments, char ***arguments)
{
    struct bench_program program = {.arguments = *arguments};
    int64_t row = 0;

    if (*n_arguments < 4 || strcmp((*arguments)[1], side_argument) != 0 ||
        !num_parse_int64((*arguments)[2], strlen((*arguments)[2]), &row)) {
        return program;
    }
    program.is_child = true;
    program.child_row = (size_t)row;
    program.child_is_peer = strcmp((*arguments)[3], "peer") == 0;
    (*arguments)[3] = (*arguments)[0];
    *arguments += 3;
    *n_arguments -= 3;
    return program;
}

bool bench_row_begins(struct bench_program *program)
{
    program->n_rows++;
    return !program->is_child || program->child_row == program->n_rows;
}

/* Not getrusage: a process that was spawned starts there with the peak of the one that spawned it.
 */
double bench_peak_mib(void)
{
    char line[128];
    long long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "VmHWM: %lld kB", &kib) == 1) {
            break;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return (double)kib / 1024.0;
}

static void prepare(const struct bench_beside *bench)
{
    if (bench->prepare != NULL) {
        bench->prepare(bench->data);
    }
}

static void measure(const struct bench_beside *bench, void (*run)(void *data), struct side *side)
{
    prepare(bench);
    const double cpu = clock_cpu(), wall = clock_monotonic();
    run(bench->data);
    side->cpu = fmin(side->cpu, clock_cpu() - cpu);
    side->wall = fmin(side->wall, clock_monotonic() - wall);
}

/* Starts this program with `out` as its standard output; false when that does not work. */
static bool start_child(const struct bench_program *program, bool is_peer, int out, pid_t *child)
{
    char row[32], side[] = "own", peer[] = "peer", asked[sizeof side_argument];
    char *arguments[MAX_ARGUMENTS + 4] = {program->arguments[0], asked, row, is_peer ? peer : side};
    char *nothing[] = {NULL};
    posix_spawn_file_actions_t actions;
    size_t n = 0;

    memcpy(asked, side_argument, sizeof asked);
    (void)snprintf(row, sizeof row, "%zu", program->n_rows);
    while (n + 1 < MAX_ARGUMENTS && program->arguments[n + 1] != NULL) {
        arguments[4 + n] = program->arguments[n + 1];
        n++;
    }
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return false;
    }
    const bool is_started =
        posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO) == 0 &&
        posix_spawn(child, "/proc/self/exe", &actions, NULL, arguments, nothing) == 0;
    (void)posix_spawn_file_actions_destroy(&actions);
    return is_started;
}

/* The peak memory of a process that runs one side once, NAN when it cannot be had. */
static double peak_mib_of(const struct bench_program *program, bool is_peer)
{
    char text[64] = "";
    double mib = (double)NAN;
    int ends[2], state = 0;
    pid_t child = 0;

    if (pipe(ends) != 0) {
        return mib;
    }
    const bool is_started = start_child(program, is_peer, ends[1], &child);
    (void)close(ends[1]);
    const ssize_t length = read(ends[0], text, sizeof text); /* one short line, at the end */
    (void)close(ends[0]);
    if (is_started && waitpid(child, &state, 0) == child && state == 0 && length > 0) {
        (void)num_parse_double(text, (size_t)length, &mib);
    }
    return mib;
}

static void print_row(const struct bench_beside *bench, const struct side *own,
                      const struct side *peer)
{
    printf("| %s | %s | %.3f (%.3f) | %.3f (%.3f) | %.2f | %.0f (%.0f) | %.1f %s (%.1f) |\n",
           bench->what, bench->peer_name, own->cpu, own->wall, peer->cpu, peer->wall,
           own->cpu / peer->cpu, own->peak_mib, peer->peak_mib, bench->work / own->cpu, bench->unit,
           bench->work / peer->cpu);
    (void)fflush(stdout);
}

void bench_beside(const struct bench_program *program, const struct bench_beside *bench)
{
    struct side own = {(double)INFINITY, (double)INFINITY, 0}, peer = own, warm = own;

    if (program->is_child) {
        prepare(bench);
        (program->child_is_peer ? bench->peer : bench->run)(bench->data);
        printf("%.1f", bench_peak_mib());
        return;
    }
    measure(bench, bench->run, &warm);
    measure(bench, bench->peer, &warm);
    for (size_t round = 0; round < bench->rounds; round++) {
        measure(bench, bench->run, &own);
        measure(bench, bench->peer, &peer);
    }
    own.peak_mib = peak_mib_of(program, false);
    peer.peak_mib = peak_mib_of(program, true);
    print_row(bench, &own, &peer);
}

void bench_must(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        char text[STATUS_FILE_MAX + STATUS_MESSAGE_MAX];
        status_format(status, text, sizeof text);
        (void)fprintf(stderr, "%s\n", text);
        exit((int)code);
    }
}
