/* The databases of a run: the source, read in one snapshot; the output, which publish writes; the
 * work database, where a stage may have tables of its own. */
#ifndef NIGHTJAR_RUN_CONTEXT_DATABASES_H
#define NIGHTJAR_RUN_CONTEXT_DATABASES_H

#include "publishing/forgotten.h"
#include "store/db.h"

struct context;

/* The work database, open for writing; tables made by a stage are named after it. */
struct db *context_work(const struct context *context);
/* A connection of its own to the source, read-only, in a read transaction that began with the
 * stage's first call: all source queries of a stage read one snapshot. No such file is
 * STATUS_NO_INPUT, not a database STATUS_DATA, locked for longer than source.busy_timeout
 * STATUS_BUSY. */
MUST_CHECK enum status_code context_source(struct context *context, struct db **out,
                                           struct status *status);
/* Ends the source snapshot: called by the stage that has copied its rows out. The fingerprint to
 * remember is taken here, of the same snapshot that the rows came from. */
void context_source_done(struct context *context);
/* The output database, open for writing. */
MUST_CHECK enum status_code context_output_db(struct context *context, struct db **out,
                                              struct status *status);

/* A connection of its own to the output database, read-only, or NULL where no such file is (yet);
 * the caller's to close. */
MUST_CHECK enum status_code context_published_db(struct context *context, struct db **out,
                                                 struct status *status);

/* The people whom `forget` has taken out; `out` zeroed, the caller's to release. */
MUST_CHECK enum status_code context_forgotten(struct context *context, struct forgotten *out,
                                              struct status *status);
/* What was published last when the run began, found by the check of the stage that publishes; 0:
 * nothing. For publish_target. */
void context_set_published_before(struct context *context, int64_t generation);
const int64_t *context_published_before(const struct context *context);

#endif
