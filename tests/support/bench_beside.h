/* Benchmarks: our code and a peer that does the same work with nothing around it, in turns, so that
 * both see the same machine; the result is a row of the Markdown table of tests/bench/run.sh. */
#ifndef NIGHTJAR_TESTS_BENCH_BESIDE_H
#define NIGHTJAR_TESTS_BENCH_BESIDE_H

#include "base/status.h"

/* A program of several rows. Peak memory belongs to a process, so a row starts the program again
 * for each side, with BENCH_SIDE as its first argument and the row and side behind it; there, that
 * side alone runs, once. */
struct bench_program {
    char **arguments; /* of main */
    size_t n_rows;    /* begun so far */
    bool is_child;
    size_t child_row;
    bool child_is_peer;
};

/* Takes BENCH_SIDE and what belongs to it out of main's arguments. */
struct bench_program bench_program_of(int *n_arguments, char ***arguments);
/* At the start of each row, before its data are made: false where another row is asked for. */
bool bench_row_begins(struct bench_program *program);

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

/* Runs each once to warm up, then `rounds` times in turns, and prints a row: the least CPU seconds
 * (all threads) and the least seconds on the clock of each, the runs that others on the machine
 * disturbed least; the ratio of the CPU seconds; the peak memory of a process that holds the data
 * and runs the one or the other once. */
void bench_beside(const struct bench_program *program, const struct bench_beside *bench);

/* Peak memory of this process so far, MiB. */
double bench_peak_mib(void);
/* Ends the program with the message when something failed: a benchmark has nobody to tell. */
void bench_must(enum status_code code, const struct status *status);

#endif
