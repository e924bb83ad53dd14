/* Measuring in turns and printing what came out. */
#include "tests/support/bench_beside.h"

#include "base/clock.h"

#include <math.h>

static double cpu_seconds(const struct bench_beside *bench, void (*run)(void *data))
{
    if (bench->prepare != NULL) {
        bench->prepare(bench->data);
    }
    double began = clock_cpu();
    run(bench->data);
    return clock_cpu() - began;
}

void bench_beside(const struct bench_beside *bench)
{
    double own = INFINITY, peer = INFINITY;

    cpu_seconds(bench, bench->run);
    cpu_seconds(bench, bench->peer);
    for (size_t round = 0; round < bench->rounds; round++) {
        own = fmin(own, cpu_seconds(bench, bench->run));
        peer = fmin(peer, cpu_seconds(bench, bench->peer));
    }
    printf("| %s | %s | %.3f | %.3f | %.2f | %.1f %s (%.1f) |\n", bench->what, bench->peer_name,
           own, peer, own / peer, bench->work / own, bench->unit, bench->work / peer);
    (void)fflush(stdout);
}

void bench_must(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        char text[STATUS_FILE_MAX + STATUS_MESSAGE_MAX];
        status_format(status, text, sizeof text);
        (void)fprintf(stderr, "%s\n", text);
        exit(code);
    }
}
