/* Whether a launcher of MPI programs has started this process, by what it leaves in the
 * environment. */
#ifndef NIGHTJAR_RANKS_LAUNCHER_H
#define NIGHTJAR_RANKS_LAUNCHER_H

#include "base/status.h"

struct launcher {
    const char *name; /* "mpirun" or "srun"; NULL: none */
    size_t n, mine;   /* processes that it has started; which of them this is */
};
struct launcher launcher_find(void);

#endif
