/* A build without MPI: one rank. */
#include "ranks/wire.h"

#include "ranks/launcher.h"

const char *wire_library(void)
{
    return "none";
}

enum status_code wire_open(size_t *n, size_t *mine, struct status *status)
{
    const struct launcher launcher = launcher_find();
    *n = *mine = 0;
    if (launcher.n > 1) {
        return status_set(status, STATUS_USAGE,
                          "this nightjar was built without MPI: each of the %zu processes that %s "
                          "has started would be a run of its own; build it with `make MPI=1`, or "
                          "start it without %s",
                          launcher.n, launcher.name, launcher.name);
    }
    return STATUS_OK;
}

void wire_close(void)
{
}

int64_t wire_min(int64_t value)
{
    return value;
}

void wire_sum(int64_t *values, size_t n)
{
    (void)values;
    (void)n;
}

void wire_max(int64_t *values, size_t n)
{
    (void)values;
    (void)n;
}

void wire_share(void *data, size_t n, size_t from)
{
    (void)data;
    (void)n;
    (void)from;
}

void wire_swap(size_t with, const void *send, size_t n, void *receive, size_t m)
{
    (void)with;
    (void)send;
    (void)n;
    (void)receive;
    (void)m;
}

void wire_all(const void *send, const size_t from[], void *receive, const size_t into[])
{
    (void)send;
    (void)from;
    (void)receive;
    (void)into;
}
