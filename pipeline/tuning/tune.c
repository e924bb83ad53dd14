/* The search: draws the trials, runs the rungs, ranks what came out.
 *
 *      ranges -> points drawn -> rung 0 -> best third -> rung 1 -> best third -> rung 2 -> winner
 *                                  each trial: known? else load its plan, run, read its value, keep
 *
 * Trial 0 is the configuration as it is; it runs first in every rung and always goes on. */
#include "tuning/tune.h"

#include "base/clock.h"
#include "base/mem.h"
#include "config/search_space.h"
#include "run/runner.h"
#include "run/written_files.h"
#include "search/paired.h"
#include "store/artifact.h"
#include "tuning/trial_plan.h"
#include "tuning/tune_data.h"
#include "tuning/tune_store.h"
#include "store/lock.h"

#include <assert.h>
#include <math.h>

/* Draws in a row that give nothing new before the ranges count as used up. */
enum { IDLE_DRAWS_MAX = 200 };

struct search {
    const struct tune_request *request;
    struct tune_result *result;
    struct trial_view view; /* the stages of a trial */
    struct search_space space;
    struct lock lock;
    struct db *db;
    struct buf path; /* of the search's work database */
    struct tune_identity identity;
    struct tune_trial *trials; /* (n_trials) the last rung of each that it finished */
    struct tune_trial baselines[HALVING_RUNGS]; /* trial 0 in every rung */
    size_t *members;                            /* (n_members) of the rung, trial 0 first */
    size_t n_trials, n_members;
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
    name_metric(search);
    TRY(hash_config(search, status));
done:
    return code;
}

static bool same_settings(const struct tune_trial *trial, const char *const *settings, size_t n)
{
    bool same = trial->n_settings == n;
    for (size_t i = 0; same && i < n; i++) {
        same = strcmp(trial->settings[i], settings[i]) == 0;
    }
    return same;
}

/* Takes the point unless it is there already or its settings do not fit together. */
static enum status_code consider(struct search *search, const char *const *settings, size_t n,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    struct plan *plan = NULL;
    struct status misfit = {0};
    void *memory = NULL;
    for (size_t i = 0; i < search->n_trials; i++) {
        if (same_settings(&search->trials[i], settings, n)) {
            return STATUS_OK;
        }
    }
    code = trial_plan_load(search->request->plan->file, search->request->registry, settings, n,
                           trial_epochs(search->request->plan), &plan, &misfit);
    plan_free(plan);
    if (code == STATUS_USAGE) {
        return STATUS_OK;
    }
    if (code != STATUS_OK) {
        *status = misfit; /* the file has changed or is gone, or no memory */
        return code;
    }
    TRY(arena_new(&search->result->arena, n, sizeof *settings, &memory, status));
    memcpy(memory, settings, n * sizeof *settings);
    search->trials[search->n_trials] = (struct tune_trial){
        .number = search->n_trials, .settings = memory, .n_settings = n, .value = (double)NAN};
    search->n_trials++;
done:
    return code;
}

/* Trial 0 and the points of the sequence, until there are enough or nothing new comes. */
static enum status_code draw_trials(struct search *search, struct status *status)
{
    enum status_code code;
    const char **settings = NULL;
    size_t n;
    TRY(MEM_NEW(&settings, search->space.n, status));
    search->trials[0] = (struct tune_trial){.value = (double)NAN};
    search->n_trials = 1;
    size_t idle = 0;
    for (uint64_t index = 1; search->n_trials < search->request->n_trials && idle < IDLE_DRAWS_MAX;
         index++) {
        size_t before = search->n_trials;
        TRY(search_space_draw(&search->space, search->request->seed, index, &search->result->arena,
                              settings, &n, status));
        TRY(consider(search, settings, n, status));
        idle = search->n_trials > before ? 0 : idle + 1;
    }
    if (search->n_trials < 2) {
        code = status_set(status, STATUS_USAGE,
                          "the ranges hold no settings that differ from the configuration");
    }
done:
    mem_free(settings);
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
    struct buf slot = {0};
    bool found;
    artifact_slot_name(last->label, name, &slot);
    TRY(buf_check(&slot, status));
    TRY(artifact_load(search->db, buf_text(&slot), &artifact, &found, status));
    if (!found) {
        code = status_set(status, STATUS_INTERNAL, "stage %s has left no artifact \"%s\"",
                          last->label, name);
        goto done;
    }
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
    buf_release(&slot);
    return code;
}

static enum status_code run_stages(struct search *search, struct tune_trial *trial,
                                   struct status *status)
{
    enum status_code code;
    const struct tune_request *request = search->request;
    struct plan *plan = NULL;
    struct trial_view view = {0};
    struct run_result ignored;
    size_t target;
    TRY(trial_plan_load(request->plan->file, request->registry, trial->settings, trial->n_settings,
                        trial->epochs, &plan, status));
    TRY(trial_target(plan, &target, status));
    TRY(trial_view_init(&view, plan, target, buf_text(&search->path), status));
    const struct run_request run = {.plan = &view.plan,
                                    .version = request->version,
                                    .log = request->log,
                                    .show_progress = request->show_progress,
                                    .keep_source = true,
                                    .stop_signal = request->stop_signal};
    TRY(runner_run(&run, &ignored, status));
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

/* One trial of one rung; *ran false when the time is over and it is not known already. */
static enum status_code do_trial(struct search *search, size_t number, size_t rung, bool *ran,
                                 struct status *status)
{
    enum status_code code;
    const struct tune_request *request = search->request;
    struct tune_trial trial = search->trials[number];
    trial.rung = rung;
    trial.epochs = search->result->rungs[rung].epochs;
    trial.message = NULL;
    TRY(tune_store_find(search->db, &search->identity, &trial, &search->result->arena, &trial.known,
                        status));
    double passed = clock_monotonic() - search->started;
    *ran = trial.known || request->max_seconds <= 0 || passed < request->max_seconds;
    if (!*ran) {
        goto done;
    }
    if (!trial.known) {
        TRY(execute(search, &trial, status));
    }
    search->trials[number] = trial;
    search->result->seconds += trial.seconds;
    if (number == 0) {
        search->baselines[rung] = trial;
    }
    if (request->trial_done != NULL) {
        request->trial_done(request->data, &trial);
    }
done:
    return code;
}

/* The members of the next rung: trial 0, and the best that the rung leaves room for. */
static enum status_code promote(struct search *search, size_t next, struct status *status)
{
    enum status_code code;
    double *values = NULL;
    size_t *order = NULL, *members = NULL;
    size_t n = 1, room = search->result->rungs[next].n_trials;
    TRY(MEM_NEW(&values, search->n_members, status));
    TRY(MEM_NEW(&order, search->n_members, status));
    TRY(MEM_NEW(&members, search->n_members, status));
    for (size_t i = 0; i < search->n_members; i++) {
        values[i] = search->trials[search->members[i]].value;
    }
    halving_order(values, search->n_members, order);
    /* where trial 0 takes the only place the best other one is compared with it all the same */
    for (size_t i = 0; i < search->n_members && (i < room || n == 1); i++) {
        if (search->members[order[i]] != 0 && !isnan(values[order[i]])) {
            members[n++] = search->members[order[i]];
        }
    }
    memcpy(search->members, members, n * sizeof *members);
    search->n_members = n;
done:
    mem_free(values);
    mem_free(order);
    mem_free(members);
    return code;
}

static enum status_code do_rungs(struct search *search, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct tune_result *result = search->result;
    for (size_t i = 0; i < search->n_trials; i++) {
        search->members[i] = i;
    }
    search->n_members = search->n_trials;
    for (size_t rung = 0; rung < result->n_rungs && search->n_members > 1; rung++) {
        for (size_t i = 0; i < search->n_members; i++) {
            bool ran;
            TRY(do_trial(search, search->members[i], rung, &ran, status));
            if (!ran) {
                result->out_of_time = true;
                goto done;
            }
        }
        if (rung + 1 < result->n_rungs) {
            TRY(promote(search, rung + 1, status));
        }
    }
done:
    return code;
}

/* Whether a is ranked before b: by rung, then by value, then by number. */
static bool is_better(const struct tune_trial *a, const struct tune_trial *b)
{
    if (isnan(a->value) || isnan(b->value)) {
        return isnan(a->value) == isnan(b->value) ? a->number < b->number : !isnan(a->value);
    }
    if (a->rung != b->rung) {
        return a->rung > b->rung;
    }
    return a->value > b->value || (a->value == b->value && a->number < b->number);
}

/* Whether the best trial beats the configuration: of many settings one is always somewhat above it,
 * so a gain within one standard error is none. */
static void judge(struct tune_result *result)
{
    const struct tune_trial *best = &result->trials[0];
    const struct tune_trial *before = &result->trials[result->baseline];
    result->gain = result->error = NAN;
    result->is_better = result->n_trials > 0 && best->number != 0 && best->value > before->value;
    if (result->is_better && best->n_users > 0 && best->n_users == before->n_users) {
        paired_difference(best->user_values, before->user_values, best->n_users, &result->gain,
                          &result->error);
        result->is_better =
            paired_clearly_better(best->user_values, before->user_values, best->n_users);
    }
}

/* The trials that have run, best first, trial 0 at the highest rung that another one finished. */
static enum status_code rank(struct search *search, struct status *status)
{
    enum status_code code;
    struct tune_result *result = search->result;
    void *memory = NULL;
    size_t rung = 0, n = 0;
    TRY(arena_new(&result->arena, search->n_trials, sizeof *result->trials, &memory, status));
    result->trials = memory;
    for (size_t i = 1; i < search->n_trials; i++) {
        bool counts = search->trials[i].epochs > 0 && !isnan(search->trials[i].value);
        rung = counts && search->trials[i].rung > rung ? search->trials[i].rung : rung;
    }
    search->trials[0] = search->baselines[rung];
    for (size_t i = 0; i < search->n_trials; i++) {
        if (search->trials[i].epochs == 0) {
            continue; /* never started */
        }
        size_t at = n++;
        for (; at > 0 && is_better(&search->trials[i], &result->trials[at - 1]); at--) {
            result->trials[at] = result->trials[at - 1];
        }
        result->trials[at] = search->trials[i];
    }
    result->n_trials = n;
    for (size_t i = 0; i < n; i++) {
        result->baseline = result->trials[i].number == 0 ? i : result->baseline;
    }
    result->winner = 0;
    judge(result);
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
    TRY(MEM_NEW(&search->trials, request->n_trials, status));
    TRY(MEM_NEW(&search->members, request->n_trials, status));
    TRY(draw_trials(search, status));
    result->n_rungs =
        halving_schedule(trial_epochs(request->plan), search->n_trials, result->rungs);
    TRY(acquire(search, status));
    if (request->restart) {
        TRY(tune_store_forget(search->db, &search->identity, status));
    }
    if (request->begun != NULL) {
        request->begun(request->data, result->metric, search->space.n, result->rungs,
                       result->n_rungs);
    }
    TRY(tune_data_prepare(request, target, search->db, search->identity.data, status));
    TRY(do_rungs(search, status));
    TRY(rank(search, status));
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
    mem_free(search.members);
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
