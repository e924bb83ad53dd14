/* What ranks.c needs of a message-passing library, and nothing more: wire_mpi.c gives it in a build
 * with MPI=1, wire_none.c in any other, where there is one rank and nobody to talk to. Seen by
 * these three files. Every function but wire_library is a collective of all ranks; an error of the
 * library itself ends the program, as it ends the other ranks. */
#ifndef NIGHTJAR_RANKS_WIRE_H
#define NIGHTJAR_RANKS_WIRE_H

#include "base/status.h"

/* Names of the library, and of the packages that launchers of other libraries belong to. */
const char *wire_library(void);

/* *n ranks, of which this process is number *mine; *n is 0 when no launcher has started us, and
 * then nothing was opened. STATUS_USAGE as ranks_open. */
MUST_CHECK enum status_code wire_open(size_t *n, size_t *mine, struct status *status);
void wire_close(void);

int64_t wire_min(int64_t value);
void wire_sum(int64_t *values, size_t n);
void wire_max(int64_t *values, size_t n);
void wire_share(void *data, size_t n, size_t from);
/* n bytes to `with`, m bytes from it. */
void wire_swap(size_t with, const void *send, size_t n, void *receive, size_t m);
/* To rank r the bytes [from[r], from[r + 1]) of `send`, and from it those at [into[r], into[r + 1])
 * of `receive`. */
void wire_all(const void *send, const size_t from[], void *receive, const size_t into[]);

#endif
