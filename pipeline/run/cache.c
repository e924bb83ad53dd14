/* Cache keys and the table stage_state. Keys go by content: a stage that ran again and gave the
 * same bytes leaves everything behind it unchanged. */
#include "run/cache.h"

#include "base/mem.h"
#include "base/path.h"
#include "math/blas.h"
#include "math/vec.h"
#include "run/context_slots.h"

#include <assert.h>

/* A database is the same one from whatever folder it is named. */
static enum status_code add_path(struct hash_state *hash, const char *path, struct status *status)
{
    char *absolute = NULL;
    enum status_code code = STATUS_OK;
    hash_add_int64(hash, path != NULL);
    if (path != NULL) {
        TRY(path_absolute(path, &absolute, status));
        hash_add_text(hash, absolute);
    }
done:
    mem_free(absolute);
    return code;
}

/* The settings that a stage with a fingerprint may read from context_settings. Timeouts, threads,
 * limits and `keep` change no bytes. */
static enum status_code add_settings(struct hash_state *hash, const struct plan_settings *settings,
                                     struct status *status)
{
    const char *texts[] = {settings->source.interactions, settings->source.table,
                           settings->source.user,         settings->source.item,
                           settings->source.event,        settings->source.weight,
                           settings->source.time,         settings->source.fingerprint,
                           settings->output.prefix,       settings->pipeline};
    enum status_code code;
    TRY(add_path(hash, settings->source.database, status));
    TRY(add_path(hash, settings->output.database, status));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        hash_add_int64(hash, texts[i] != NULL);
        hash_add_text(hash, texts[i] != NULL ? texts[i] : "");
    }
done:
    return code;
}

static enum status_code add_inputs(struct hash_state *hash, struct context *context,
                                   size_t position, struct status *status)
{
    const struct stage *stage = context->plan->stages[position].stage;
    for (size_t i = 0; stage->inputs != NULL && stage->inputs[i].name != NULL; i++) {
        const char *name = stage->inputs[i].name;
        size_t producer;
        char content[HASH_TEXT_MAX] = "";
        bool found = false;
        if (stage->inputs[i].aside) {
            continue;
        }
        enum status_code code =
            context_producer(context, position, name, &producer, content, &found, status);
        if (code != STATUS_OK) {
            return code;
        }
        if (!found && !stage->inputs[i].optional) {
            return status_set(status, STATUS_INTERNAL,
                              "stage %s: its input \"%s\" is not in the work database %s; delete "
                              "that file and run again",
                              context->plan->stages[position].label, name, db_path(context->work));
        }
        hash_add_text(hash, name);
        hash_add_text(hash, found ? content : "");
    }
    return STATUS_OK;
}

enum status_code cache_key(struct context *context, size_t position, char out[HASH_TEXT_MAX],
                           struct status *status)
{
    enum status_code code;
    struct hash_state *hash = NULL;
    struct buf options = {0};
    const struct plan_stage *stage = &context->plan->stages[position];
    TRY(hash_new(&hash, status));
    hash_add_text(hash, stage->stage->name);
    hash_add_text(hash, stage->label);
    hash_add_int64(hash, stage->stage->version);
    option_print(stage->stage->options, stage->options, &options);
    TRY(buf_check(&options, status));
    hash_add_text(hash, buf_text(&options));
    hash_add_int64(hash, context->plan->settings.seed);
    hash_add_text(hash, context->request->version);
    hash_add_text(hash, db_identity());
    hash_add_text(hash, blas_identity());
    hash_add_text(hash, vec_ops()->name);
    if (context->plan->rank.n > 1) { /* what it makes is but this rank's part */
        hash_add_int64(hash, (int64_t)context->plan->rank.n);
    }
    if (stage->stage->fingerprint != NULL) {
        TRY(add_settings(hash, &context->plan->settings, status));
    }
    TRY(add_inputs(hash, context, position, status));
    hash_text(hash, out);
done:
    hash_free(hash);
    buf_release(&options);
    return code;
}

static void copy_text(struct db_query *query, int column, char out[HASH_TEXT_MAX])
{
    const char *text = db_column_text(query, column, NULL);
    snprintf(out, HASH_TEXT_MAX, "%s", text != NULL ? text : "");
}

static enum status_code load_state(struct db *work, const char *label, struct cache_state *state,
                                   struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    *state = (struct cache_state){0};
    TRY(db_prepare(work,
                   "SELECT key, fingerprint, run, finished, n_rows FROM stage_state"
                   " WHERE label = ?1",
                   &query, status));
    TRY(db_bind_string(query, 1, label, status));
    TRY(db_step(query, &state->found, status));
    if (state->found) {
        copy_text(query, 0, state->key);
        copy_text(query, 1, state->fingerprint);
        state->run = db_column_int64(query, 2);
        state->finished = db_column_int64(query, 3);
        state->rows = db_column_int64(query, 4);
    }
done:
    db_finalize(query);
    return code;
}

/* Whether every output that must exist is saved. */
static enum status_code has_outputs(struct context *context, size_t position, bool *has,
                                    struct status *status)
{
    const struct stage_artifact *outputs = context->plan->stages[position].stage->outputs;
    char ignored[HASH_TEXT_MAX];
    *has = true;
    for (size_t i = 0; *has && outputs != NULL && outputs[i].name != NULL; i++) {
        bool found;
        enum status_code code =
            context_slot_hash(context, position, outputs[i].name, ignored, &found, status);
        if (code != STATUS_OK) {
            return code;
        }
        *has = found || outputs[i].optional;
    }
    return STATUS_OK;
}

/* Resuming is for stages that copy something of the outside world into artifacts: those behind
 * them then go on from the very bytes that the unfinished run had. */
static bool may_resume(const struct context *context, const struct cache_question *question,
                       const struct cache_state *state)
{
    const struct stage *stage = context->plan->stages[question->position].stage;
    bool copies_source =
        stage->fingerprint != NULL && stage->outputs != NULL && stage->outputs[0].name != NULL;
    double age = (double)(question->now - state->finished);
    return copies_source && question->unfinished_run != 0 &&
           state->run == question->unfinished_run && age >= 0 &&
           age < context->plan->settings.resume_within;
}

enum status_code cache_decide(struct context *context, const struct cache_question *question,
                              struct cache_state *state, enum cache_verdict *verdict,
                              struct status *status)
{
    enum status_code code;
    bool has = false;
    const struct plan_stage *stage = &context->plan->stages[question->position];
    *verdict = CACHE_RUN;
    TRY(load_state(context->work, stage->label, state, status));
    if (question->forced || !state->found || strcmp(state->key, question->key) != 0) {
        goto done;
    }
    TRY(has_outputs(context, question->position, &has, status));
    if (!has) {
        goto done;
    }
    bool same_outside = stage->stage->fingerprint == NULL || question->keep_source ||
                        (question->fingerprint[0] != '\0' &&
                         strcmp(state->fingerprint, question->fingerprint) == 0);
    if (same_outside) {
        *verdict = CACHE_UNCHANGED;
    } else if (may_resume(context, question, state)) {
        *verdict = CACHE_RESUMED;
    }
done:
    return code;
}

enum status_code cache_forget(struct db *work, const char *label, struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    TRY(db_prepare(work, "DELETE FROM stage_state WHERE label = ?1", &query, status));
    TRY(db_bind_string(query, 1, label, status));
    TRY(db_run(query, status));
done:
    db_finalize(query);
    return code;
}

enum status_code cache_remember(struct db *work, const char *label, const struct cache_state *state,
                                struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    TRY(db_prepare(work,
                   "INSERT OR REPLACE INTO stage_state (label, key, fingerprint, run, finished,"
                   " n_rows) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                   &query, status));
    TRY(db_bind_string(query, 1, label, status));
    TRY(db_bind_string(query, 2, state->key, status));
    TRY(db_bind_string(query, 3, state->fingerprint, status));
    TRY(db_bind_int64(query, 4, state->run, status));
    TRY(db_bind_int64(query, 5, state->finished, status));
    TRY(db_bind_int64(query, 6, state->rows, status));
    TRY(db_run(query, status));
done:
    db_finalize(query);
    return code;
}
