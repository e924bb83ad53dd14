/* What all ranks must have alike for the number of them to change no result: the program, the
 * configuration, the source. */
#ifndef NIGHTJAR_RUN_RANKS_ALIKE_H
#define NIGHTJAR_RUN_RANKS_ALIKE_H

#include "base/status.h"

struct context;

/* Compares them before anything is done, by every rank at once: STATUS_CONFIG names the first rank
 * that has another than rank 0, and both. What ${RANK} and other variables stand for may differ
 * in places of files, not in seed and stages, and where source.database or the query names the rank
 * each may have a source of its own. Else the greatest source.key or rowid is compared, without
 * either source.fingerprint, without that the schema; one source that grows meanwhile is one
 * source. */
MUST_CHECK enum status_code ranks_alike_check(struct context *context, struct status *status);

#endif
