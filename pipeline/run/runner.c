/* Runs a plan under the pipeline's lock: for each stage in order decides, runs, saves, remembers.
 *
 *      check of all stages, then for each
 *      fingerprint -> key -> decide --unchanged--> reuse rows and metrics
 *                               \--run--> memory check -> forget -> run -> save outputs ->
 *                                         fingerprint -> remember -> drop checkpoints
 *
 * What a stage may touch is context.c's business, what decides is cache.c's. Over several ranks all
 * do the same stages, and each stage ends with an agreement (agreement.h). */
#include "run/runner.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "math/blas.h"
#include "run/agreement.h"
#include "run/cache.h"
#include "run/context.h"
#include "run/context_databases.h"
#include "run/context_slots.h"
#include "run/disk_space.h"
#include "run/estimate.h"
#include "run/ranks_alike.h"
#include "run/run_record.h"
#include "store/lock.h"
#include "store/migrate.h"

#include <assert.h>

struct runner {
    struct context context;
    struct stage_sizes sizes;
    bool sizes_known, is_doubted;
    int64_t unfinished_run;
    size_t from, only; /* positions; SIZE_MAX: not asked for */
    struct lock lock;
    struct run_result result;
};

/* Position of the stage that a flag names. */
static enum status_code find_stage(const struct plan *plan, const char *flag, const char *label,
                                   size_t *position, struct status *status)
{
    enum status_code code;
    const char **labels = NULL;
    *position = SIZE_MAX;
    if (label == NULL) {
        return STATUS_OK;
    }
    const struct plan_stage *stage = plan_find(plan, label);
    if (stage != NULL) {
        *position = stage->position;
        return STATUS_OK;
    }
    TRY(MEM_NEW(&labels, plan->n_stages, status));
    for (size_t i = 0; i < plan->n_stages; i++) {
        labels[i] = plan->stages[i].label;
    }
    const char *nearest = nearest_name(labels, plan->n_stages, label, strlen(label));
    code = status_set(status, STATUS_USAGE, "%s: %s has no stage \"%s\"; %s%s%s", flag, plan->file,
                      label, nearest != NULL ? "did you mean " : "`nightjar plan` lists its stages",
                      nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
done:
    mem_free(labels);
    return code;
}

/* With --only, the artifacts at hand must do: what is missing is the caller's to make. */
static enum status_code check_only(struct runner *runner, struct status *status)
{
    struct context *context = &runner->context;
    const struct plan_stage *stage = &context->plan->stages[runner->only];
    const struct stage_artifact *inputs = stage->stage->inputs;
    for (size_t i = 0; inputs != NULL && inputs[i].name != NULL; i++) {
        size_t producer;
        char hash[HASH_TEXT_MAX];
        bool found;
        enum status_code code = context_producer(context, stage->position, inputs[i].name,
                                                 &producer, hash, &found, status);
        if (code != STATUS_OK) {
            return code;
        }
        if (!found && !inputs[i].optional) {
            return status_set(status, STATUS_USAGE,
                              "--only %s: its input \"%s\" has not been made yet; run without "
                              "--only first, so that stage %s makes it",
                              stage->label, inputs[i].name, context->plan->stages[producer].label);
        }
    }
    return STATUS_OK;
}

/* Before a stage writes: the need of it and of all behind it. */
static enum status_code check_disk(struct runner *runner, size_t position, struct status *status)
{
    const struct plan *plan = runner->context.plan;
    struct context *context = &runner->context;
    struct disk_need need = {0};
    struct db *output = NULL;
    enum status_code code = STATUS_OK;
    for (size_t i = position; runner->sizes_known && i < plan->n_stages; i++) {
        if (runner->only == SIZE_MAX || runner->only == i) {
            const struct stage_estimate estimate = estimate_stage(&plan->stages[i], &runner->sizes);
            disk_need_add(&need, &estimate);
        }
    }
    if (ranks_is_first(context->request->ranks)) { /* it alone publishes */
        TRY(context_published_db(context, &output, status));
    } else {
        need.output = 0.0;
    }
    code = disk_space_check(plan, context->work, output, &need, status);
done:
    db_close(output);
    return code;
}

/* Once the interactions are there the sizes are exact. */
static enum status_code learn_sizes(struct runner *runner, const struct plan_stage *stage,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    struct context_slot *slot =
        context_slot_find(&runner->context, stage->position, "interactions");
    if (slot != NULL && slot->in_memory) {
        struct ranks *ranks = runner->context.request->ranks;
        TRY(estimate_measure(&slot->artifact, ranks, &runner->sizes, status));
        TRY(estimate_save(runner->context.work, &runner->sizes, status));
        estimate_take_part(&runner->sizes, ranks_n(ranks));
        runner->sizes_known = true;
    }
done:
    return code;
}

/* Holds the need of every stage that may run against the limit, by the sizes of the last run: it is
 * better to refuse now than after an hour of training. */
static enum status_code check_memory_ahead(struct runner *runner, size_t position,
                                           struct status *status)
{
    const struct plan *plan = runner->context.plan;
    for (size_t i = position; runner->sizes_known && i < plan->n_stages; i++) {
        if (runner->only == SIZE_MAX || runner->only == i) {
            enum status_code code = estimate_check(plan, &plan->stages[i], &runner->sizes, status);
            if (code != STATUS_OK) {
                return code;
            }
        }
    }
    return STATUS_OK;
}

/* Before the stage that would be killed for it, once a run. */
static void tell_doubt(struct runner *runner, const struct plan_stage *stage)
{
    struct buf doubt = {0};
    if (runner->sizes_known && !runner->is_doubted) {
        estimate_doubt(runner->context.plan, stage, &runner->sizes, &doubt);
    }
    if (doubt.length > 0) {
        log_write(runner->context.request->log, LOG_WARNING, "%s", buf_text(&doubt));
        runner->is_doubted = true;
    }
    buf_release(&doubt);
}

/* The stage is done: remembers what its artifacts were made from. */
static enum status_code remember(struct runner *runner, const struct plan_stage *stage,
                                 struct status *status)
{
    enum status_code code;
    struct context *context = &runner->context;
    struct cache_state state = {
        .run = context->run, .finished = clock_unix(), .rows = context->rows};
    snprintf(state.key, sizeof state.key, "%s", context->key);
    if (context->has_fingerprint) {
        memcpy(state.fingerprint, context->fingerprint, sizeof state.fingerprint);
    } else {
        TRY(context_fingerprint(context, stage, state.fingerprint, status));
        context_end_stage(context);
    }
    TRY(agreement_on_cut(context, status));
    if (!context->is_cut_short) { /* else the next run goes on from the checkpoint */
        TRY(cache_remember(context->work, stage->label, &state, status));
        TRY(context_checkpoints_drop(context, stage->label, status));
    }
done:
    return code;
}

/* A mistake of the configuration that only the stage could see stands where the stage does. */
static void tell_place(const struct plan *plan, const struct plan_stage *stage,
                       struct status *status)
{
    if (status->code == STATUS_CONFIG) {
        status_set_place(status, plan->file, stage->line, stage->column);
    }
}

static enum status_code execute(struct runner *runner, const struct plan_stage *stage,
                                struct status *status)
{
    enum status_code code;
    struct context *context = &runner->context;
    TRY(check_disk(runner, stage->position, status));
    TRY(estimate_check(context->plan, stage, &runner->sizes, status));
    tell_doubt(runner, stage);
    TRY(cache_forget(context->work, stage->label, status));
    if (context->request->force) {
        TRY(context_checkpoints_drop(context, stage->label, status));
    }
    TRY(stage->stage->run(context, stage->options, status));
    context_end_stage(context);
    TRY(context_save_outputs(context, status));
    TRY(learn_sizes(runner, stage, status));
    TRY(remember(runner, stage, status));
done:
    context_end_stage(context);
    if (code != STATUS_OK && code != STATUS_REFUSED && code != STATUS_SIGNAL) {
        status_add_context(status, "stage %s", stage->label);
        tell_place(context->plan, stage, status);
    }
    return code;
}

/* The stage is skipped: its rows, metrics and warnings count for this run too. */
static enum status_code reuse(struct runner *runner, const struct plan_stage *stage,
                              const struct cache_state *before, enum cache_verdict verdict,
                              struct status *status)
{
    enum status_code code;
    struct context *context = &runner->context;
    struct cache_state state = *before;
    TRY(run_record_carry_on(context, before->run, status));
    context->rows = before->rows;
    state.run = context->run;
    if (verdict == CACHE_UNCHANGED) {
        state.finished = clock_unix(); /* confirmed now; a resumed snapshot keeps its age */
    } else {
        char age[NUM_TEXT_MAX];
        num_format_duration((double)(clock_unix() - before->finished), age);
        log_write(context->request->log, LOG_INFO,
                  "stage %s: the run before did not finish; going on from its data of %s ago",
                  stage->label, age);
    }
    TRY(cache_remember(context->work, stage->label, &state, status));
done:
    return code;
}

/* Fingerprint, key and verdict of a stage; afterwards it is the context's running stage. */
static enum status_code decide(struct runner *runner, const struct plan_stage *stage,
                               struct cache_state *before, enum cache_verdict *verdict,
                               struct status *status)
{
    enum status_code code;
    struct context *context = &runner->context;
    char key[HASH_TEXT_MAX], fingerprint[HASH_TEXT_MAX] = "";
    bool forced = context->request->force || stage->position == runner->only ||
                  stage->position >= runner->from;
    TRY(cache_key(context, stage->position, key, status));
    context_begin_stage(context, stage, key);
    if (!forced && !context->request->keep_source) {
        TRY(context_fingerprint(context, stage, fingerprint, status));
    }
    const struct cache_question question = {.position = stage->position,
                                            .forced = forced,
                                            .keep_source = context->request->keep_source,
                                            .key = key,
                                            .fingerprint = fingerprint,
                                            .unfinished_run = runner->unfinished_run,
                                            .now = clock_unix()};
    TRY(cache_decide(context, &question, before, verdict, status));
    TRY(agreement_on_verdict(context, before, verdict, status));
done:
    context_end_stage(context); /* a snapshot taken for the fingerprint is not kept */
    return code;
}

static enum status_code do_stage(struct runner *runner, const struct plan_stage *stage,
                                 struct status *status)
{
    enum status_code code;
    struct context *context = &runner->context;
    struct cache_state before = {0};
    enum cache_verdict verdict;
    double started = clock_monotonic(), cpu_started = clock_cpu();
    const struct ranks_traffic before_stage = ranks_traffic(context->request->ranks);
    TRY(context_check_stop(context, status));
    TRY(decide(runner, stage, &before, &verdict, status));
    bool skipped = verdict != CACHE_RUN;
    code =
        skipped ? reuse(runner, stage, &before, verdict, status) : execute(runner, stage, status);
    code = agreement(context, code, status);
    double seconds = clock_monotonic() - started, cpu_seconds = clock_cpu() - cpu_started;
    code = agreement_on_cpu(context, code, &cpu_seconds, status);
    /* a failed stage is put on record too; the failure itself is what gets reported */
    struct status record_status = {0};
    enum status_code recorded = run_record_stage(context,
                                                 code != STATUS_OK ? "failed"
                                                 : skipped         ? "skipped"
                                                                   : "done",
                                                 seconds, cpu_seconds, &record_status);
    TRY(code);
    if (recorded != STATUS_OK) {
        *status = record_status;
        return recorded;
    }
    agreement_tell(context, &before_stage);
    runner->result.n_run += !skipped;
    runner->result.n_skipped += skipped;
    if (context->request->stage_done != NULL) {
        context->request->stage_done(context->request->data, stage->label, skipped, seconds,
                                     context->rows);
    }
    context_release_unneeded(context, stage->position);
done:
    return code;
}

/* What would stop a stage later and can be seen now. */
static enum status_code check_stages_ahead(struct runner *runner, struct status *status)
{
    const struct plan *plan = runner->context.plan;
    for (size_t i = 0; i < plan->n_stages; i++) {
        const struct plan_stage *stage = &plan->stages[i];
        if (stage->stage->check == NULL || (runner->only != SIZE_MAX && runner->only != i)) {
            continue;
        }
        if (stage->stage->check(&runner->context, stage->options, status) != STATUS_OK) {
            tell_place(plan, stage, status);
            return status_add_context(status, "stage %s", stage->label);
        }
    }
    return STATUS_OK;
}

/* An error of what comes after publishing does not make a published run a failed one: the first is
 * noted, and the run goes on. A signal ends it all the same. All ranks come with the same `code`.
 */
static enum status_code set_afterwards(struct runner *runner, enum status_code code,
                                       struct status *status)
{
    struct ranks *ranks = runner->context.request->ranks;
    struct status ignored = {0};
    if (code == STATUS_OK || code == STATUS_SIGNAL) {
        return code;
    }
    ranks_go_on(ranks); /* the first rank alone may know that something is published */
    if (ranks_max_int64(ranks, &runner->context.generation, 1, &ignored) != STATUS_OK ||
        runner->context.generation == 0) {
        return ranks_leave(ranks, status);
    }
    if (runner->result.afterwards.code == STATUS_OK) {
        runner->result.afterwards = *status;
    }
    status_clear(status);
    return STATUS_OK;
}

static enum status_code look_ahead(struct runner *runner, struct status *status)
{
    enum status_code code;
    const struct plan *plan = runner->context.plan;
    estimate_init(plan, pool_threads(runner->context.pool), &runner->sizes);
    TRY(estimate_load(runner->context.work, &runner->sizes, &runner->sizes_known, status));
    estimate_take_part(&runner->sizes, ranks_n(runner->context.request->ranks));
    TRY(check_memory_ahead(runner, 0, status));
    TRY(check_stages_ahead(runner, status));
    TRY(context_share_forgotten(&runner->context, status));
    TRY(run_record_warnings(&runner->context, status));
done:
    return agreement(&runner->context, code, status);
}

static enum status_code do_stages(struct runner *runner, struct status *status)
{
    enum status_code code;
    const struct plan *plan = runner->context.plan;
    TRY(look_ahead(runner, status));
    if (runner->only != SIZE_MAX) {
        TRY(check_only(runner, status));
        TRY(do_stage(runner, &plan->stages[runner->only], status));
    }
    for (size_t i = 0; runner->only == SIZE_MAX && i < plan->n_stages; i++) {
        code = do_stage(runner, &plan->stages[i], status);
        if (code == STATUS_OK) {
            code = check_memory_ahead(runner, i + 1, status);
        }
        code = agreement(&runner->context, code, status);
        TRY(set_afterwards(runner, code, status));
    }
done:
    return code;
}

/* Lets the stages know that the run has failed; that one of them fails, too, is a warning. */
static void tell_failed(struct runner *runner, const struct status *outcome)
{
    struct context *context = &runner->context;
    for (size_t i = 0; runner->only == SIZE_MAX && i < context->plan->n_stages; i++) {
        const struct plan_stage *stage = &context->plan->stages[i];
        struct status status = {0};
        if (stage->stage->failed == NULL) {
            continue;
        }
        context_begin_stage(context, stage, "");
        if (stage->stage->failed(context, stage->options, outcome, &status) != STATUS_OK) {
            log_write(context->request->log, LOG_WARNING, "stage %s, after the failure: %s",
                      stage->label, status.message);
        }
        context_end_stage(context);
    }
}

/* Ranks that may use the same cores share them. */
static enum status_code open_pool(struct context *context, struct status *status)
{
    size_t n_threads = (size_t)context->plan->settings.threads;
    enum status_code code = STATUS_OK;
    if (n_threads == 0 && ranks_n(context->request->ranks) > 1) {
        uint64_t which = 0;
        size_t n_beside = 1;
        const size_t n_cores = pool_cores(&which);
        TRY(ranks_beside(context->request->ranks, which, &n_beside, status));
        n_threads = n_cores > n_beside ? n_cores / n_beside : 1;
    }
    TRY(pool_new(n_threads, &context->pool, status));
done:
    return code;
}

/* Everything from the record's start to its end; the work database is open. */
static enum status_code run_recorded(struct runner *runner, struct status *status)
{
    enum status_code code;
    struct context *context = &runner->context;
    struct buf word = {0};
    TRY(blas_check_memory(status));
    blas_init(); /* before threads start */
    TRY(open_pool(context, status));
    TRY(ranks_alike_check(context, status));
    TRY(run_record_begin(context, runner->lock.word, &runner->unfinished_run, status));
    lock_leave_word(&runner->lock, "");
    if (context->request->started != NULL) {
        context->request->started(context->request->data, context->run);
    }
    code = do_stages(runner, status);
    struct status record_status = {0};
    enum status_code recorded =
        run_record_end(context, status, &runner->result.afterwards, &word, &record_status);
    if (recorded != STATUS_OK) {
        lock_leave_word(&runner->lock, buf_text(&word));
    } else {
        recorded =
            history_prune(context->work, context->plan->settings.work.keep_runs, &record_status);
    }
    if (code == STATUS_OK) {
        recorded = agreement(context, recorded, &record_status);
    }
    if (code == STATUS_OK && recorded == STATUS_OK) {
        TRY(ranks_sum_up(context->request->ranks, &runner->result.ranks, status));
    }
    if (code == STATUS_OK && recorded != STATUS_OK) {
        *status = record_status;
        TRY(set_afterwards(runner, recorded, status));
    } else if (recorded != STATUS_OK) {
        log_write(context->request->log, LOG_WARNING, "the run's end could not be recorded: %s",
                  record_status.message);
    }
    if (code != STATUS_OK && context->generation == 0 && ranks_is_first(context->request->ranks)) {
        tell_failed(runner, status);
    }
done:
    buf_release(&word);
    return code;
}

enum status_code runner_run(const struct run_request *request, struct run_result *result,
                            struct status *status)
{
    enum status_code code;
    struct runner runner = {.from = SIZE_MAX, .only = SIZE_MAX, .lock = {.fd = -1}};
    struct context *context = &runner.context;
    const char *work = request->plan->settings.work.database;
    const struct lock_wait wait = {.seconds = request->wait, .stop_signal = request->stop_signal};
    double started = clock_monotonic();
    if (request->from != NULL && request->only != NULL) {
        return status_set(status, STATUS_USAGE, "--from and --only exclude each other");
    }
    TRY(find_stage(request->plan, "--from", request->from, &runner.from, status));
    TRY(find_stage(request->plan, "--only", request->only, &runner.only, status));
    TRY(context_init(context, request, status));
    TRY(lock_pipeline(work, &wait, &runner.lock, status));
    TRY(db_open_private(work, request->plan->settings.source.busy_timeout, &context->work, status));
    TRY(migrate_apply(context->work, MIGRATE_WORK, "", status));
    TRY(run_recorded(&runner, status));
done:
    if (code == STATUS_OK || context->generation != 0) {
        runner.result.run = context->run;
        runner.result.generation = context->generation;
        runner.result.seconds = clock_monotonic() - started;
        *result = runner.result;
    }
    context_release(context);
    lock_release(&runner.lock);
    return code;
}

enum status_code runner_check(const struct run_request *request,
                              void (*report)(void *data, const char *label, struct status *outcome),
                              void *data, struct status *status)
{
    struct context context = {0};
    enum status_code code = context_init(&context, request, status);
    for (size_t i = 0; code == STATUS_OK && i < request->plan->n_stages; i++) {
        const struct plan_stage *stage = &request->plan->stages[i];
        struct status outcome = {0};
        if (stage->stage->check != NULL) {
            (void)stage->stage->check(&context, stage->options, &outcome);
            tell_place(request->plan, stage, &outcome);
            report(data, stage->label, &outcome);
        }
    }
    context_release(&context);
    return code;
}
