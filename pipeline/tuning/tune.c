/* The search of search/joint_search.h over the pipelines of tuning/trial_plan.h.
 *
 *      ranges -> axes -> joint_search -> winner
 *                          each trial: known? else load its plan, run, read its value, keep
 *
 * Trial 0 is the configuration as it is: the search's start, run before it in full. */
#include "tuning/tune.h"

#include "base/clock.h"
#include "base/mem.h"
#include "config/search_space.h"
#include "run/written_files.h"
#include "search/joint_search.h"
#include "search/paired.h"
#include "tuning/trial_plan.h"
#include "tuning/tune_data.h"
#include "tuning/tune_store.h"
#include "store/lock.h"

#include <assert.h>
#include <math.h>

struct search {
    const struct tune_request *request;
    struct tune_result *result;
    struct trial_view view; /* the stages of a trial */
    struct search_space space;
    struct joint_search joint; /* its axes are those of space */
    struct lock lock;
    struct db *db;
    struct buf path; /* of the search's work database */
    struct tune_identity identity;
    struct tune_trial *trials;    /* (n_trials) in the order in which they were asked for */
    size_t n_trials, n_different; /* trials; settings among them */
    double started;
};

static enum status_code acquire(struct search *search, struct status *status)
{
    enum status_code code;
    struct buf path = {0};
    written_tune_lock(search->request->plan->settings.work.database, &path);
    TRY(buf_check(&path, status));
    TRY(lock_acquire(buf_text(&path), NULL, &search->lock, status));
    TRY(tune_store_open(buf_text(&search->path),
                        search->request->plan->settings.source.busy_timeout, &search->db, status));
done:
    buf_release(&path);
    return code;
}

/* The metric's name out of the options of the stage that measures. */
static void name_metric(struct search *search)
{
    const struct plan_stage *last = &search->view.plan.stages[search->view.plan.n_stages - 1];
    const struct option *row = option_find(last->stage->options, "metric", strlen("metric"));
    const char *name = "validation";
    if (row != NULL && row->type == OPTION_TEXT) {
        const char *options = last->options;
        name = *(const char *const *)(const void *)(options + row->offset);
    }
    snprintf(search->result->metric, sizeof search->result->metric, "%s", name);
}

static enum status_code hash_config(struct search *search, struct status *status)
{
    enum status_code code;
    struct hash_state *hash = NULL;
    struct buf text = {0};
    const struct plan *plan = &search->view.plan;
    /* paths of other databases, threads and limits change no value */
    struct plan_settings settings = {.source = plan->settings.source, .seed = plan->settings.seed};
    settings.source.busy_timeout = settings.source.query_timeout = 0;
    option_print(plan_options, &settings, &text);
    for (size_t i = 0; i < plan->n_stages; i++) {
        const struct plan_stage *stage = &plan->stages[i];
        buf_addf(&text, "[%s] %u\n", stage->label, stage->stage->version);
        option_print(stage->stage->options, stage->options, &text);
    }
    buf_add_text(&text, search->request->version);
    TRY(buf_check(&text, status));
    TRY(hash_new(&hash, status));
    hash_add_text(hash, buf_text(&text));
    hash_text(hash, search->identity.config);
done:
    hash_free(hash);
    buf_release(&text);
    return code;
}

/* The start is the configuration as it is. */
static enum status_code set_axes(struct search *search, struct status *status)
{
    const struct search_space *space = &search->space;
    bool any = false;
    if (space->n > SEARCH_AXES_MAX) {
        return status_set(status, STATUS_USAGE,
                          "%zu options to vary; allowed: at most %d: leave some as the file has "
                          "them with --fix PATH",
                          space->n, SEARCH_AXES_MAX);
    }
    for (size_t a = 0; a < space->n; a++) {
        search->joint.n_candidates[a] = space->axes[a].n;
        search->joint.starts[0][a] = space->axes[a].own;
        any = any || space->axes[a].n > 1;
    }
    if (!any) {
        return status_set(status, STATUS_USAGE,
                          "the ranges hold no settings that differ from the configuration");
    }
    search->joint.n_axes = space->n;
    search->joint.n_starts = 1;
    search->joint.n_folds = 1;
    search->joint.seed = search->request->seed;
    search->joint.budget = (double)search->request->n_trials;
    search->joint.max_trials = SIZE_MAX; /* --trials says how many */
    return STATUS_OK;
}

/* Everything before the first trial that needs no data. */
static enum status_code set_up(struct search *search, size_t target, struct status *status)
{
    enum status_code code;
    const struct tune_request *request = search->request;
    written_tune_database(request->plan->settings.work.database, &search->path);
    TRY(buf_check(&search->path, status));
    TRY(trial_view_init(&search->view, request->plan, target, buf_text(&search->path), status));
    size_t data = tune_data_position(&search->view.plan, search->view.plan.n_stages - 1);
    const struct search_request ranges = {.plan = &search->view.plan,
                                          .first = data == SIZE_MAX ? 0 : data + 1,
                                          .resource = TRIAL_EPOCHS,
                                          .vary = request->vary,
                                          .n_vary = request->n_vary,
                                          .fix = request->fix,
                                          .n_fix = request->n_fix};
    TRY(search_space_init(&search->space, &ranges, status));
    TRY(set_axes(search, status));
    name_metric(search);
    TRY(hash_config(search, status));
done:
    return code;
}

/* What the stages of a trial have left in the work database; value NAN: none was measured. */
static enum status_code read_value(struct search *search, struct tune_trial *trial,
                                   struct status *status)
{
    enum status_code code;
    const struct plan_stage *last = &search->view.plan.stages[search->view.plan.n_stages - 1];
    bool is_calibrated = strcmp(last->label, "calibrate") == 0;
    const char *name = is_calibrated ? "calibration" : "training";
    struct artifact artifact = {0};
    char hash[HASH_TEXT_MAX];
    TRY(tune_artifact(search->db, last->label, name, &artifact, hash, status));
    TRY(artifact_get_number(&artifact, is_calibrated ? "value" : "best_metric", &trial->value,
                            status));
    trial->n_users = 0;
    if (artifact_find(&artifact, "user_values") != NULL) {
        const void *values;
        void *copy;
        TRY(artifact_get(&artifact, "user_values", ARRAY_F64, &values, &trial->n_users, NULL,
                         status));
        TRY(arena_new(&search->result->arena, trial->n_users, sizeof(double), &copy, status));
        memcpy(copy, values, trial->n_users * sizeof(double));
        trial->user_values = copy;
    }
done:
    artifact_release(&artifact);
    return code;
}

static enum status_code run_stages(struct search *search, struct tune_trial *trial,
                                   struct status *status)
{
    enum status_code code;
    const struct tune_request *request = search->request;
    struct plan *plan = NULL;
    struct trial_view view = {0};
    size_t target;
    TRY(trial_plan_load(request->plan->file, request->registry, trial->settings, trial->n_settings,
                        trial->epochs, &plan, status));
    TRY(trial_target(plan, &target, status));
    TRY(trial_view_init(&view, plan, target, buf_text(&search->path), status));
    TRY(tune_run_stages(request, &view, true, false, status));
    TRY(read_value(search, trial, status));
    if (isnan(trial->value)) {
        code =
            status_set(status, STATUS_CONFIG, "there is no validation part to compare trials on");
    }
done:
    trial_view_release(&view);
    plan_free(plan);
    return code;
}

/* Whether an error is the fault of a trial's settings, which then lose. */
static bool is_lost(enum status_code code)
{
    return code == STATUS_DATA || code == STATUS_CONFIG || code == STATUS_USAGE ||
           code == STATUS_NO_MEMORY;
}

static enum status_code execute(struct search *search, struct tune_trial *trial,
                                struct status *status)
{
    struct status failure = {0};
    double started = clock_monotonic();
    enum status_code code = run_stages(search, trial, &failure);
    trial->seconds = clock_monotonic() - started;
    if (code != STATUS_OK && (trial->number == 0 || !is_lost(code))) {
        *status = failure;
        return code == STATUS_SIGNAL ? code
                                     : status_add_context(status, "trial %zu", trial->number);
    }
    if (code != STATUS_OK) {
        char *copy = NULL;
        private_hide(failure.message);
        trial->value = (double)NAN;
        code = arena_copy_text(&search->result->arena, failure.message, strlen(failure.message),
                               &copy, status);
        trial->message = copy;
    }
    return code == STATUS_OK ? tune_store_put(search->db, &search->identity, trial, status) : code;
}

static bool same_settings(const struct tune_trial *a, const struct tune_trial *b)
{
    bool same = a->n_settings == b->n_settings;
    for (size_t i = 0; same && i < a->n_settings; i++) {
        same = strcmp(a->settings[i], b->settings[i]) == 0;
    }
    return same;
}

/* *out = the trial of the choice with so many epochs, run unless it is known. */
static enum status_code do_trial(struct search *search, const size_t *choice, size_t epochs,
                                 struct tune_trial *out, struct status *status)
{
    enum status_code code;
    const struct tune_request *request = search->request;
    struct arena *arena = &search->result->arena;
    struct tune_trial trial = {.epochs = epochs, .value = (double)NAN};
    void *memory = NULL;
    TRY(arena_new(arena, search->space.n, sizeof *trial.settings, &memory, status));
    TRY(search_space_settings(&search->space, choice, arena, memory, &trial.n_settings, status));
    trial.settings = memory;
    trial.number = search->n_different;
    for (size_t t = 0; t < search->n_trials; t++) {
        if (same_settings(&search->trials[t], &trial)) {
            trial.number = search->trials[t].number;
            if (search->trials[t].epochs == epochs) {
                *out = search->trials[t];
                goto done;
            }
        }
    }
    TRY(tune_store_find(search->db, &search->identity, &trial, arena, &trial.known, status));
    if (!trial.known) {
        TRY(execute(search, &trial, status));
    }
    TRY(MEM_RESIZE(&search->trials, search->n_trials, search->n_trials + 1, status));
    search->trials[search->n_trials++] = trial;
    search->n_different += trial.number == search->n_different ? 1 : 0;
    search->result->seconds += trial.seconds;
    if (request->trial_done != NULL) {
        request->trial_done(request->data, &trial);
    }
    *out = trial;
done:
    return code;
}

/* ---- what the walk asks for ---- */

/* The options' ranges tell nothing of what a candidate costs. */
static double cost(void *data, const size_t *choice)
{
    (void)data, (void)choice;
    return 1.0;
}

static enum status_code time_is_over(void *data, bool *is_over, struct status *status)
{
    const struct search *search = data;
    const double most = search->request->max_seconds;
    (void)status;
    *is_over = search->result->out_of_time =
        most > 0 && clock_monotonic() - search->started >= most;
    return STATUS_OK;
}

static enum status_code measure(void *data, struct search_trial *trial, double *user_values,
                                struct status *status)
{
    struct search *search = data;
    const size_t n = search->joint.n_users, part = search_shortened(trial->is_short);
    struct tune_trial made;
    const enum status_code code =
        do_trial(search, trial->choice, (search->result->epochs + part - 1) / part, &made, status);
    if (code == STATUS_OK) {
        trial->value = made.value;
        trial->seconds = made.seconds;
        for (size_t u = 0; u < n; u++) { /* where users tell no values, one stands for all */
            user_values[u] = made.n_users == n ? made.user_values[u] : n == 1 ? made.value : NAN;
        }
    }
    return code;
}

/* ---- in the order of things ---- */

/* Whether a is ranked before b: in full, then by value, then by number. */
static bool is_before(const struct tune_trial *a, const struct tune_trial *b)
{
    if (isnan(a->value) || isnan(b->value)) {
        return isnan(a->value) == isnan(b->value) ? a->number < b->number : !isnan(a->value);
    }
    if (a->epochs != b->epochs) {
        return a->epochs > b->epochs;
    }
    return a->value > b->value || (a->value == b->value && a->number < b->number);
}

/* Whether the winner beats the configuration: of many settings one is always somewhat above it, so
 * a gain within one standard error is none. */
static void judge(struct tune_result *result)
{
    const struct tune_trial *best = &result->trials[result->winner];
    const struct tune_trial *before = &result->trials[result->baseline];
    result->gain = result->error = NAN;
    result->is_better = best->value > before->value;
    if (result->is_better && best->n_users > 0 && best->n_users == before->n_users) {
        paired_difference(best->user_values, before->user_values, best->n_users, &result->gain,
                          &result->error);
        result->is_better =
            paired_clearly_better(best->user_values, before->user_values, best->n_users);
    }
}

/* Each settings' longest trial, best first. */
static enum status_code rank(struct search *search, size_t winner, struct status *status)
{
    enum status_code code;
    struct tune_result *result = search->result;
    void *memory = NULL;
    TRY(arena_new(&result->arena, search->n_different, sizeof *result->trials, &memory, status));
    result->trials = memory;
    result->n_trials = search->n_different;
    for (size_t t = 0; t < search->n_trials; t++) {
        const struct tune_trial *trial = &search->trials[t];
        struct tune_trial *longest = &result->trials[trial->number];
        *longest = trial->epochs > longest->epochs ? *trial : *longest;
    }
    for (size_t i = 1; i < result->n_trials; i++) {
        const struct tune_trial trial = result->trials[i];
        size_t at = i;
        for (; at > 0 && is_before(&trial, &result->trials[at - 1]); at--) {
            result->trials[at] = result->trials[at - 1];
        }
        result->trials[at] = trial;
    }
    for (size_t i = 0; i < result->n_trials; i++) {
        result->winner = result->trials[i].number == winner ? i : result->winner;
        result->baseline = result->trials[i].number == 0 ? i : result->baseline;
    }
    judge(result);
done:
    return code;
}

/* The configuration itself tells how many users are compared; then the walk begins with it. */
static enum status_code walk(struct search *search, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct search_hooks hooks = {
        .data = search, .cost = cost, .measure = measure, .is_over = time_is_over};
    struct joint_search *joint = &search->joint;
    struct tune_trial trial;
    bool is_over;
    TRY(time_is_over(search, &is_over, status));
    if (is_over) {
        goto done;
    }
    TRY(do_trial(search, joint->starts[0], search->result->epochs, &trial, status));
    joint->n_users = trial.n_users > 0 ? trial.n_users : 1;
    TRY(joint_search_run(joint, &hooks, status));
    TRY(do_trial(search, joint->best, search->result->epochs, &trial, status));
    TRY(rank(search, trial.number, status));
done:
    return code;
}

static enum status_code search_run(struct search *search, struct status *status)
{
    enum status_code code;
    const struct tune_request *request = search->request;
    struct tune_result *result = search->result;
    size_t target;
    TRY(trial_target(request->plan, &target, status));
    TRY(set_up(search, target, status));
    result->epochs = trial_epochs(request->plan);
    TRY(acquire(search, status));
    if (request->restart) {
        TRY(tune_store_forget(search->db, &search->identity, status));
    }
    if (request->begun != NULL) {
        request->begun(request->data, result->metric, search->space.n, request->n_trials,
                       result->epochs);
    }
    TRY(tune_data_prepare(request, target, search->db, search->identity.data, status));
    TRY(walk(search, status));
done:
    return code;
}

enum status_code tune_run(const struct tune_request *request, struct tune_result *result,
                          struct status *status)
{
    struct search search = {
        .request = request, .result = result, .lock = {.fd = -1}, .started = clock_monotonic()};
    assert(request->n_trials >= 2);
    enum status_code code = search_run(&search, status);
    db_close(search.db);
    lock_release(&search.lock);
    mem_free(search.trials);
    joint_search_release(&search.joint);
    search_space_release(&search.space);
    trial_view_release(&search.view);
    buf_release(&search.path);
    return code;
}

void tune_result_release(struct tune_result *result)
{
    arena_release(&result->arena);
    *result = (struct tune_result){0};
}
