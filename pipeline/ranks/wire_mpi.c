/* A build with MPI=1: Open MPI, MPICH, or another library of that interface (MPI 3.0). Alone sees
 * mpi.h. */
#include "ranks/wire.h"

#include "base/clock.h"
#include "ranks/launcher.h"

#include <mpi.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PIECE = 1 << 24 }; /* bytes of a message: the interface counts in int */

/* The library's own waiting takes a whole core, which another rank may want. So it is asked all the
 * time for as long as an answer takes that is on its way, and then now and again: between two
 * questions lies an eighth of what was waited, but no more than the longest sleep. That is long for
 * others' work, and short while bytes move, which they do in part when they are asked for. */
static const double ask_seconds = 50e-6, sleep_for_work = 2e-3, sleep_for_bytes = 30e-6;

static void wait_for(MPI_Request *requests, int n, double longest_sleep)
{
    MPI_Status ignored[2]; /* to MPICH's header its own "ignore" is an array of none */
    const double began = clock_monotonic();
    for (int is_done = 0; !is_done;) {
        MPI_Testall(n, requests, &is_done, ignored);
        const double waited = is_done ? 0 : clock_monotonic() - began;
        if (waited > ask_seconds) {
            const double sleep = waited / 8 < longest_sleep ? waited / 8 : longest_sleep;
            const struct timespec time = {.tv_nsec = (long)(sleep * 1e9)};
            (void)nanosleep(&time, NULL); /* cut short by a signal it is asked earlier */
        }
    }
}

const char *wire_library(void)
{
    static char name[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    MPI_Get_library_version(name, &length);
    name[strcspn(name, ",\n(")] = '\0'; /* what follows tells of its build */
    for (size_t i = 0; name[i] != '\0'; i++) {
        name[i] = name[i] == '\t' ? ' ' : name[i];
    }
    return name;
}

enum status_code wire_open(size_t *n, size_t *mine, struct status *status)
{
    const struct launcher launcher = launcher_find();
    int provided = 0, size = 0, rank = 0;
    *n = *mine = 0;
    if (launcher.name == NULL) {
        return STATUS_OK; /* not started, so that whoever runs alone needs none of its set-up */
    }
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (launcher.n > 1 && size == 1) {
        wire_close();
        return status_set(status, STATUS_USAGE,
                          "%s has started %zu processes that know nothing of one another: it "
                          "belongs to another MPI than this nightjar, which was built with %s",
                          launcher.name, launcher.n, wire_library());
    }
    *n = (size_t)size;
    *mine = (size_t)rank;
    return STATUS_OK;
}

void wire_close(void)
{
    MPI_Request request; /* first, since the library would wait in its own way */
    MPI_Ibarrier(MPI_COMM_WORLD, &request);
    wait_for(&request, 1, sleep_for_work);
    MPI_Finalize();
}

int64_t wire_min(int64_t value)
{
    int64_t least = value;
    MPI_Request request;
    MPI_Iallreduce(&value, &least, 1, MPI_INT64_T, MPI_MIN, MPI_COMM_WORLD, &request);
    wait_for(&request, 1, sleep_for_work);
    return least;
}

static void reduce(int64_t *values, size_t n, MPI_Op operation)
{
    const size_t piece = PIECE / sizeof *values;
    for (size_t i = 0; i < n; i += piece) {
        MPI_Request request;
        MPI_Iallreduce(MPI_IN_PLACE, values + i, (int)(n - i < piece ? n - i : piece), MPI_INT64_T,
                       operation, MPI_COMM_WORLD, &request);
        wait_for(&request, 1, sleep_for_bytes);
    }
}

void wire_sum(int64_t *values, size_t n)
{
    reduce(values, n, MPI_SUM);
}

void wire_max(int64_t *values, size_t n)
{
    reduce(values, n, MPI_MAX);
}

void wire_share(void *data, size_t n, size_t from)
{
    for (size_t i = 0; i < n; i += PIECE) {
        MPI_Request request;
        MPI_Ibcast((char *)data + i, (int)(n - i < PIECE ? n - i : PIECE), MPI_BYTE, (int)from,
                   MPI_COMM_WORLD, &request);
        wait_for(&request, 1, sleep_for_bytes);
    }
}

static int piece_of(size_t n, size_t at)
{
    return (int)(at >= n ? 0 : n - at < PIECE ? n - at : PIECE);
}

/* n bytes to `to`, m bytes from `by`. */
static void send_and_receive(size_t to, const char *send, size_t n, size_t by, char *receive,
                             size_t m)
{
    const size_t most = n > m ? n : m;
    for (size_t i = 0; i < most; i += PIECE) {
        MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
        if (i < m) { /* nothing may be nowhere */
            MPI_Irecv(receive + i, piece_of(m, i), MPI_BYTE, (int)by, 0, MPI_COMM_WORLD,
                      &requests[0]);
        }
        if (i < n) {
            MPI_Isend(send + i, piece_of(n, i), MPI_BYTE, (int)to, 0, MPI_COMM_WORLD, &requests[1]);
        }
        wait_for(requests, 2, sleep_for_bytes);
    }
}

void wire_swap(size_t with, const void *send, size_t n, void *receive, size_t m)
{
    send_and_receive(with, send, n, with, receive, m);
}

void wire_all(const void *send, const size_t from[], void *receive, const size_t into[])
{
    int n = 0, mine = 0;
    MPI_Comm_size(MPI_COMM_WORLD, &n);
    MPI_Comm_rank(MPI_COMM_WORLD, &mine);
    if (from[mine + 1] > from[mine]) {
        memcpy((char *)receive + into[mine], (const char *)send + from[mine],
               from[mine + 1] - from[mine]);
    }
    /* in pairs, so that at each moment everybody sends to one and receives from one */
    for (int step = 1; step < n; step++) {
        const int to = (mine + step) % n, by = (mine - step + n) % n;
        send_and_receive((size_t)to, (const char *)send + from[to], from[to + 1] - from[to],
                         (size_t)by, (char *)receive + into[by], into[by + 1] - into[by]);
    }
}
