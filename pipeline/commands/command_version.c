/* nightjar version: this program and the libraries that its results depend on. */
#include "commands/command.h"
#include "math/blas.h"
#include "math/vec.h"
#include "store/db.h"

static enum status_code run_version(const struct command_environment *environment,
                                    const struct command_line *line, struct status *status)
{
    (void)line;
    FILE *out = environment->out;
    enum status_code code;
    TRY(blas_check_memory(status));
    blas_init();
    fprintf(out, "nightjar %s\n", environment->version);
    fprintf(out, "%s\n", db_identity());
    fprintf(out, "%s\n", blas_identity());
    fprintf(out, "vector kernels: %s\n", vec_ops()->name);
    if (strcmp(ranks_library(), "none") != 0) {
        fprintf(out, "%s\n", ranks_library());
    }
    TRY(command_flush(out, status));
done:
    return code;
}

static const struct command_flag flags[] = {{.name = NULL}};

const struct command command_version = {
    .name = "version",
    .summary = "print the versions of nightjar and its libraries",
    .usage = "",
    .description = "Prints the version of nightjar, of the libraries it runs with, and the vector "
                   "instructions it uses on this CPU: what results depend on beside the data.",
    .flags = flags,
    .ranks = RANKS_FIRST,
    .run = run_version};
