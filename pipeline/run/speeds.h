/* How fast this machine is now at what most of a run's time goes to, measured with the run's own
 * kernels: an estimate of time then follows the CPU, the threads and the code. */
#ifndef NIGHTJAR_RUN_SPEEDS_H
#define NIGHTJAR_RUN_SPEEDS_H

#include "base/pool.h"
#include "config/stage.h"

/* After blas_init. CPU time by threads: what others do on the machine meanwhile does not count.
 * Takes about a quarter of a second and 30 MiB. Vectors of `dimension` elements; 0 is taken as 64.
 * Errors: STATUS_NO_MEMORY. */
MUST_CHECK enum status_code speeds_measure(size_t dimension, struct pool *pool,
                                           struct stage_speeds *out, struct status *status);

#endif
