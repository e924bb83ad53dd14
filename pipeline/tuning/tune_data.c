/* Import and extraction before the first trial. */
#include "tuning/tune_data.h"

#include "dataset/dataset.h"
#include "run/runner.h"
#include "store/artifact.h"

static const char interactions_name[] = "interactions";

size_t tune_data_position(const struct plan *plan, size_t target)
{
    for (size_t i = target + 1; i-- > 0;) {
        const struct stage_artifact *outputs = plan->stages[i].stage->outputs;
        for (; outputs != NULL && outputs->name != NULL; outputs++) {
            if (strcmp(outputs->name, interactions_name) == 0) {
                return i;
            }
        }
    }
    return SIZE_MAX;
}

enum status_code tune_run_stages(const struct tune_request *request, const struct trial_view *view,
                                 bool keep_source, bool force, struct status *status)
{
    struct run_result ignored;
    const struct run_request run = {.plan = &view->plan,
                                    .version = request->version,
                                    .log = request->log,
                                    .show_progress = request->show_progress,
                                    .keep_source = keep_source,
                                    .force = force,
                                    .stop_signal = request->stop_signal};
    return runner_run(&run, &ignored, status);
}

/* Settings cannot be chosen on a validation part that holds nothing. */
static enum status_code check_validation(const char *file, const struct plan_stage *stage,
                                         const struct artifact *artifact, struct status *status)
{
    struct interactions interactions = {0};
    enum status_code code = interactions_load(&interactions, artifact, status);
    if (code == STATUS_OK && sparse_entries(&interactions.basis[BASIS_FIT].valid.matrix) == 0) {
        code = status_set_at(status, STATUS_CONFIG, file, stage->line, 0,
                             "%s: there is no validation part to compare trials on; give `split` a "
                             "`valid` part that holds interactions, say {by: time, valid: 7d}",
                             stage->label);
    }
    interactions_release(&interactions);
    return code;
}

enum status_code tune_artifact(struct db *db, const char *label, const char *name,
                               struct artifact *artifact, char hash[HASH_TEXT_MAX],
                               struct status *status)
{
    enum status_code code;
    struct buf slot = {0};
    bool found;
    artifact_slot_name(label, name, &slot);
    TRY(buf_check(&slot, status));
    TRY(artifact_saved_hash(db, buf_text(&slot), hash, &found, status));
    TRY(artifact_load(db, buf_text(&slot), artifact, &found, status));
    if (!found) {
        code = status_set(status, STATUS_INTERNAL, "stage %s has left no artifact \"%s\" in %s",
                          label, name, db_path(db));
    }
done:
    buf_release(&slot);
    return code;
}

enum status_code tune_data_prepare(const struct tune_request *request, size_t target, struct db *db,
                                   char data[HASH_TEXT_MAX], struct status *status)
{
    enum status_code code = STATUS_OK;
    struct trial_view sources = {0}, view = {0};
    struct artifact rows = {0};
    size_t position = tune_data_position(request->plan, target);
    data[0] = '\0';
    if (position == SIZE_MAX) {
        return STATUS_OK;
    }
    TRY(trial_view_sources(&sources, request->plan, position, status));
    if (sources.plan.n_stages > 0) {
        TRY(tune_run_stages(request, &sources, false, false, status));
    }
    TRY(trial_view_init(&view, request->plan, position, db_path(db), status));
    TRY(tune_run_stages(request, &view, !request->restart, request->restart, status));
    const struct plan_stage *stage = &request->plan->stages[position];
    TRY(tune_artifact(db, stage->label, interactions_name, &rows, data, status));
    TRY(check_validation(request->plan->file, stage, &rows, status));
done:
    artifact_release(&rows);
    trial_view_release(&sources);
    trial_view_release(&view);
    return code;
}
