/* What a stage reads, makes and keeps: artifacts, in memory while a later stage needs them and in
 * the work database always, and checkpoints to go on from. */
#ifndef NIGHTJAR_RUN_CONTEXT_DATA_H
#define NIGHTJAR_RUN_CONTEXT_DATA_H

#include "store/artifact.h"

struct context;

/* Input `name`: a borrowed artifact that lives as long as the run. Where the nearest stage above
 * that writes it has it as an optional output and gave none, the next one above counts. An optional
 * input that no stage above writes gives NULL; a required one is STATUS_INTERNAL (the plan has
 * checked). Loaded from the work database when its stage was skipped. */
MUST_CHECK enum status_code context_input(struct context *context, const char *name,
                                          const struct artifact **out, struct status *status);
/* A required input without the arrays that artifact_load_without leaves out, where it is not in
 * memory anyway: for those who need little of a large one. `out` zeroed, the caller's to release;
 * what is in memory is lent, as long as the run lasts. */
MUST_CHECK enum status_code context_input_without(struct context *context, const char *name,
                                                  const char *const *without, struct artifact *out,
                                                  struct status *status);
/* Output: takes over the artifact (the struct is zeroed), also on error. Hashed and saved by the
 * runner when the stage ends. */
MUST_CHECK enum status_code context_output(struct context *context, struct artifact *artifact,
                                           struct status *status);

/* What the running stage's last run left of its output `name`, before this run replaces it; `out`
 * zeroed, the caller's to release. *found false: nothing that can be read. */
MUST_CHECK enum status_code context_last_output(struct context *context, const char *name,
                                                struct artifact *out, bool *found,
                                                struct status *status);

/* The running stage's output `name`: what it has given in this run, else what its last run left;
 * NULL: neither. Borrowed, until the stage gives another. */
MUST_CHECK enum status_code context_own_output(struct context *context, const char *name,
                                               const struct artifact **out, struct status *status);

/* A checkpoint of the running stage, dropped when the stage ends; `part` tells those of a stage
 * apart that keeps more than one, NULL: its only one. Load gives found = false unless it was
 * written with the same options, inputs and identity. */
MUST_CHECK enum status_code context_checkpoint_save(struct context *context, const char *part,
                                                    const struct artifact *artifact,
                                                    struct status *status);
MUST_CHECK enum status_code context_checkpoint_load(struct context *context, const char *part,
                                                    struct artifact *out, bool *found,
                                                    struct status *status);

/* The same under a name of the stage's own, which says all that it depends on but the stage's label
 * and the program's version: of a stage that takes on what any number of ranks (ranks/ranks.h) has
 * kept, each in its own work database. Load: what rank `rank` of n has kept; found = false, too,
 * where its work database cannot be read. */
MUST_CHECK enum status_code context_checkpoint_keep(struct context *context, const char *name,
                                                    const struct artifact *artifact,
                                                    struct status *status);
MUST_CHECK enum status_code context_checkpoint_find(struct context *context, const char *name,
                                                    size_t rank, size_t n, struct artifact *out,
                                                    bool *found, struct status *status);

#endif
