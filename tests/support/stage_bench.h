/* Runs stages behind training on given data, with a real plan, runner and work database: a stage
 * `given` stands in for interactions and train and leaves the artifacts of ranking_data.h.
 *
 *   given: {basis: fit|all, test: cut|given|none, valid: true|false}
 *
 * basis is that of the towers; `test: given` makes the test a table of its own, known to both
 * bases. */
#ifndef NIGHTJAR_TESTS_STAGE_BENCH_H
#define NIGHTJAR_TESTS_STAGE_BENCH_H

#include "run/runner.h"
#include "tests/support/ranking_data.h"

/* The same data as the stage leaves with `basis`, for naive computations. */
void stage_bench_data(struct ranking_data *data, enum basis basis);

/* Runs a pipeline of these stages (the lines under `stages:`) in the folder of *state (see
 * store_support.h). log (may be NULL) gets what the run logged. */
enum status_code stage_bench_run(void **state, const char *stages, struct buf *log,
                                 struct status *status);
/* A saved artifact by its slot, "evaluate/metrics"; false when there is none. */
bool stage_bench_artifact(void **state, const char *slot, struct artifact *out);

#endif
