/* Benchmarks: our code and a peer that does the same work with nothing around it, in turns, so that
 * both see the same machine; the result is a row of the Markdown table of tests/bench/run.sh. */
#ifndef NIGHTJAR_TESTS_BENCH_BESIDE_H
#define NIGHTJAR_TESTS_BENCH_BESIDE_H

#include "base/status.h"

struct bench_beside {
    const char *what;
    const char *peer_name;
    void (*run)(void *data);     /* ours */
    void (*peer)(void *data);    /* the peer */
    void (*prepare)(void *data); /* before each of the two, not measured; NULL: nothing */
    void *data;
    size_t rounds;
    double work;      /* of one call of either, in `unit` */
    const char *unit; /* "GF": the last column then says GF per CPU-second, ours and the peer's */
};

/* Runs each once to warm up, then `rounds` times in turns, and prints a row with the least CPU
 * seconds (all threads) of each, the runs that others on the machine disturbed least. */
void bench_beside(const struct bench_beside *bench);

/* Ends the program with the message when something failed: a benchmark has nobody to tell. */
void bench_must(enum status_code code, const struct status *status);

#endif
