/* The variables of Open MPI's and MPICH's launchers, and of Slurm's. */
#include "ranks/launcher.h"

#include "base/num.h"

#include <stdlib.h>
#include <string.h>

/* of srun no more than a step's: a batch script has no ranks */
static const struct {
    const char *size, *rank, *name;
} launchers[] = {{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "mpirun"},
                 {"PMI_SIZE", "PMI_RANK", "mpirun"},
                 {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "srun"}};

static bool read_number(const char *variable, int64_t least, size_t *out)
{
    const char *value = getenv(variable);
    int64_t number = 0;
    if (value == NULL || !num_parse_int64(value, strlen(value), &number) || number < least) {
        return false;
    }
    *out = (size_t)number;
    return true;
}

struct launcher launcher_find(void)
{
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        struct launcher found = {.name = launchers[i].name};
        if (read_number(launchers[i].size, 1, &found.n) &&
            read_number(launchers[i].rank, 0, &found.mine)) {
            return found;
        }
    }
    return (struct launcher){0};
}
