/* What stages of a search do in its work database; and its data: the source filled as a run would
 * do it, the rows extracted once, and what tells one state of them from another. */
#ifndef NIGHTJAR_TUNING_TUNE_DATA_H
#define NIGHTJAR_TUNING_TUNE_DATA_H

#include "store/artifact.h"
#include "tuning/trial_plan.h"
#include "tuning/tune_store.h"

/* Runs them; see run/runner.h of keep_source and force. */
MUST_CHECK enum status_code tune_run_stages(const struct tune_request *request,
                                            const struct trial_view *view, bool keep_source,
                                            bool force, struct status *status);
/* The artifact that stage `label` has left in `db`, and its hash. Release with artifact_release. */
MUST_CHECK enum status_code tune_artifact(struct db *db, const char *label, const char *name,
                                          struct artifact *artifact, char hash[HASH_TEXT_MAX],
                                          struct status *status);

/* *position of the stage that writes the interactions which stage `target` of the plan is made of;
 * SIZE_MAX without one. */
size_t tune_data_position(const struct plan *plan, size_t target);

/* Runs the stages that fill the source, in the pipeline's own work database, so that a later run
 * has nothing to import, then the extraction in `db`, the search's. An extraction at hand is
 * kept, whatever the source has become, unless the request says restart. data = its hash, "" when
 * no stage writes interactions. A FIT basis without validation part is STATUS_CONFIG. */
MUST_CHECK enum status_code tune_data_prepare(const struct tune_request *request, size_t target,
                                              struct db *db, char data[HASH_TEXT_MAX],
                                              struct status *status);

#endif
