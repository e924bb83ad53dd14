/* What the ranks of a run (ranks/ranks.h) agree on between and within its stages; at one rank each
 * of these is what it is given. */
#ifndef NIGHTJAR_RUN_AGREEMENT_H
#define NIGHTJAR_RUN_AGREEMENT_H

#include "ranks/ranks.h"
#include "run/cache.h"

/* All ranks are so far, or none is: a failure of one is everybody's, in its words alone. Returns
 * `code` or that failure's. */
MUST_CHECK enum status_code agreement(const struct context *context, enum status_code code,
                                      struct status *status);
/* What one rank cut short, all did. Before any of them remembers a stage as done. */
MUST_CHECK enum status_code agreement_on_cut(struct context *context, struct status *status);
/* A stage is skipped when every rank would skip it, for the same reason, with what it made in the
 * same run as the others. */
MUST_CHECK enum status_code agreement_on_verdict(const struct context *context,
                                                 const struct cache_state *before,
                                                 enum cache_verdict *verdict,
                                                 struct status *status);
/* *seconds of CPU time become those of all ranks, unless the stage has failed: then the ranks have
 * parted. */
MUST_CHECK enum status_code agreement_on_cpu(const struct context *context, enum status_code code,
                                             double *seconds, struct status *status);
/* Logs what the running stage has sent since `before`. */
void agreement_tell(const struct context *context, const struct ranks_traffic *before);

#endif
