/* A build with MPI=1: Open MPI, MPICH, or another library of that interface (MPI 3.0). Alone sees
 * mpi.h. */
#include "ranks/wire.h"

#include "ranks/launcher.h"

#include <mpi.h>
#include <stdio.h>
#include <string.h>

enum { PIECE = 1 << 24 }; /* bytes of a message: the interface counts in int */

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
    MPI_Finalize();
}

int64_t wire_min(int64_t value)
{
    int64_t least = value;
    MPI_Allreduce(&value, &least, 1, MPI_INT64_T, MPI_MIN, MPI_COMM_WORLD);
    return least;
}

static void reduce(int64_t *values, size_t n, MPI_Op operation)
{
    const size_t piece = PIECE / sizeof *values;
    for (size_t i = 0; i < n; i += piece) {
        MPI_Allreduce(MPI_IN_PLACE, values + i, (int)(n - i < piece ? n - i : piece), MPI_INT64_T,
                      operation, MPI_COMM_WORLD);
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
        MPI_Bcast((char *)data + i, (int)(n - i < PIECE ? n - i : PIECE), MPI_BYTE, (int)from,
                  MPI_COMM_WORLD);
    }
}

static int piece_of(size_t n, size_t at)
{
    return (int)(at >= n ? 0 : n - at < PIECE ? n - at : PIECE);
}

void wire_swap(size_t with, const void *send, size_t n, void *receive, size_t m)
{
    const size_t most = n > m ? n : m;
    for (size_t i = 0; i < most; i += PIECE) {
        MPI_Sendrecv((const char *)send + (i < n ? i : 0), piece_of(n, i), MPI_BYTE, (int)with, 0,
                     (char *)receive + (i < m ? i : 0), piece_of(m, i), MPI_BYTE, (int)with, 0,
                     MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
}

void wire_all(const void *send, const size_t from[], void *receive, const size_t into[])
{
    int n = 0, mine = 0;
    MPI_Comm_size(MPI_COMM_WORLD, &n);
    MPI_Comm_rank(MPI_COMM_WORLD, &mine);
    if (from[mine + 1] > from[mine]) { /* nothing may be nowhere */
        memcpy((char *)receive + into[mine], (const char *)send + from[mine],
               from[mine + 1] - from[mine]);
    }
    /* in pairs, so that at each moment everybody sends to one and receives from one */
    for (int step = 1; step < n; step++) {
        const int to = (mine + step) % n, by = (mine - step + n) % n;
        const size_t out = from[to + 1] - from[to], in = into[by + 1] - into[by];
        const size_t most = out > in ? out : in;
        for (size_t i = 0; i < most; i += PIECE) {
            MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
            MPI_Status ignored[2]; /* to MPICH's header its own "ignore" is an array of none */
            if (i < in) {
                MPI_Irecv((char *)receive + into[by] + i, piece_of(in, i), MPI_BYTE, by, 1,
                          MPI_COMM_WORLD, &requests[0]);
            }
            if (i < out) {
                MPI_Isend((const char *)send + from[to] + i, piece_of(out, i), MPI_BYTE, to, 1,
                          MPI_COMM_WORLD, &requests[1]);
            }
            MPI_Waitall(2, requests, ignored);
        }
    }
}
