/* Where the artifacts of a run are: which stage an input comes from, what is in memory, what is
 * saved. For the runner and the functions that stages see. */
#ifndef NIGHTJAR_RUN_CONTEXT_SLOTS_H
#define NIGHTJAR_RUN_CONTEXT_SLOTS_H

#include "run/context_state.h"

/* Where the artifact stands in the work database. */
MUST_CHECK enum status_code context_slot_name(const struct context *context, size_t position,
                                              const char *name, struct buf *out,
                                              struct status *status);
/* The slot of output `name` of stage `position`, or NULL. */
struct context_slot *context_slot_find(struct context *context, size_t position, const char *name);
/* Content hash of an output at hand, in memory or saved; *found false when there is none. */
MUST_CHECK enum status_code context_slot_hash(struct context *context, size_t position,
                                              const char *name, char out[HASH_TEXT_MAX],
                                              bool *found, struct status *status);
/* Which stage input `name` of the stage at `position` comes from (context_input says how), and its
 * content; *found false: none has it, *producer is then one that should, or SIZE_MAX. */
MUST_CHECK enum status_code context_producer(struct context *context, size_t position,
                                             const char *name, size_t *producer,
                                             char hash[HASH_TEXT_MAX], bool *found,
                                             struct status *status);
/* Saves what the stage gave (only what differs from what is saved), and drops the saved form of
 * optional outputs that it did not give. A missing required output is STATUS_INTERNAL. */
MUST_CHECK enum status_code context_save_outputs(struct context *context, struct status *status);
/* Frees artifacts that no stage behind `position` reads. */
void context_release_unneeded(struct context *context, size_t position);
/* Drops every checkpoint of the stage, whatever its key. */
MUST_CHECK enum status_code context_checkpoints_drop(struct context *context, const char *label,
                                                     struct status *status);

#endif
