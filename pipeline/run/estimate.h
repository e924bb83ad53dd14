/* What a pipeline will need: the sizes of its data, as far as they are known, and the stages'
 * estimates held against memory_limit. */
#ifndef NIGHTJAR_RUN_ESTIMATE_H
#define NIGHTJAR_RUN_ESTIMATE_H

#include "base/buf.h"
#include "config/plan.h"
#include "ranks/ranks.h"
#include "store/artifact.h"

/* The part that the plan knows: dimension, negatives and top. Counts and speeds are 0. */
void estimate_init(const struct plan *plan, size_t n_threads, struct stage_sizes *sizes);
/* Fills the counts from the last run's record; *known false (and nothing changed) without one, or
 * in a work database of before there were any. */
MUST_CHECK enum status_code estimate_load(struct db *work, struct stage_sizes *sizes, bool *known,
                                          struct status *status);
/* The same, exactly, from the artifact "interactions", over all ranks; estimate_save records them.
 */
MUST_CHECK enum status_code estimate_measure(const struct artifact *interactions,
                                             struct ranks *ranks, struct stage_sizes *sizes,
                                             struct status *status);
MUST_CHECK enum status_code estimate_save(struct db *work, const struct stage_sizes *sizes,
                                          struct status *status);
/* From those of all ranks to those of one. */
void estimate_take_part(struct stage_sizes *sizes, size_t n_ranks);
/* Zero when the stage estimates nothing. */
struct stage_estimate estimate_stage(const struct plan_stage *stage,
                                     const struct stage_sizes *sizes);
/* An output artifact of so many bytes is left to the work database between the stages, from where
 * its arrays come back in files (base/mem.h). */
enum { LARGE_ARTIFACT_BYTES = 1 << 30 };
/* Bytes of the process while the stage runs: the program, the artifacts that wait for this stage or
 * a later one (of a large one the third that a stage reads), the stage's own need. */
double estimate_memory(const struct plan *plan, const struct plan_stage *stage,
                       const struct stage_sizes *sizes);
/* STATUS_NO_MEMORY, with both figures, when that passes settings.memory_limit. */
MUST_CHECK enum status_code estimate_check(const struct plan *plan, const struct plan_stage *stage,
                                           const struct stage_sizes *sizes, struct status *status);
/* What there is to be said of a stage that would take more than the machine has; else "". */
void estimate_doubt(const struct plan *plan, const struct plan_stage *stage,
                    const struct stage_sizes *sizes, struct buf *out);

#endif
