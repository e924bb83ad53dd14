/* Artifacts go through memory to the next stage, checkpoints only to the work database. */
#include "run/context_data.h"

#include "run/context.h"
#include "run/context_slots.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

/* Brings the artifact of a slot into memory; *found false when none is saved. */
static enum status_code load_slot(struct context *context, size_t position, const char *name,
                                  bool *found, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf slot_text = {0};
    struct context_slot *slot = context_slot_find(context, position, name);
    assert(slot != NULL);
    *found = slot->in_memory;
    if (!*found) {
        TRY(context_slot_name(context, position, name, &slot_text, status));
        TRY(artifact_load(context->work, buf_text(&slot_text), &slot->artifact, found, status));
        slot->in_memory = *found;
    }
done:
    buf_release(&slot_text);
    return code;
}

static bool is_optional_input(const struct stage *stage, const char *name)
{
    for (size_t i = 0; stage->inputs != NULL && stage->inputs[i].name != NULL; i++) {
        if (strcmp(stage->inputs[i].name, name) == 0) {
            return stage->inputs[i].optional;
        }
    }
    return false;
}

enum status_code context_input(struct context *context, const char *name,
                               const struct artifact **out, struct status *status)
{
    enum status_code code = STATUS_OK;
    bool found;
    char hash[HASH_TEXT_MAX];
    size_t producer;
    const struct plan_stage *stage = context->stage;
    TRY(context_producer(context, stage->position, name, &producer, hash, &found, status));
    if (producer == SIZE_MAX) {
        if (is_optional_input(stage->stage, name)) {
            *out = NULL;
            return STATUS_OK;
        }
        return status_set(status, STATUS_INTERNAL,
                          "no stage above %s writes \"%s\"; the plan should have refused this",
                          stage->label, name);
    }
    TRY(load_slot(context, producer, name, &found, status));
    if (found) {
        *out = &context_slot_find(context, producer, name)->artifact;
    } else if (is_optional_input(stage->stage, name)) {
        *out = NULL;
    } else {
        code = status_set(status, STATUS_INTERNAL,
                          "\"%s\" of stage %s is not in the work database %s; delete that file and "
                          "run again",
                          name, context->plan->stages[producer].label, db_path(context->work));
    }
done:
    return code;
}

static enum status_code lend_all(const struct artifact *from, struct artifact *out,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    artifact_init(out, from->name);
    for (size_t i = 0; i < from->n_arrays; i++) {
        const struct array *array = &from->arrays[i];
        TRY(artifact_lend(out, array->name, array->type, array->rows, array->columns, array->data,
                          status));
    }
done:
    return code;
}

enum status_code context_input_without(struct context *context, const char *name,
                                       const char *const *without, struct artifact *out,
                                       struct status *status)
{
    enum status_code code;
    struct buf slot_text = {0};
    char hash[HASH_TEXT_MAX];
    bool found;
    size_t producer;
    TRY(context_producer(context, context->stage->position, name, &producer, hash, &found, status));
    if (found && !context_slot_find(context, producer, name)->in_memory) {
        TRY(context_slot_name(context, producer, name, &slot_text, status));
        TRY(artifact_load_without(context->work, buf_text(&slot_text), without, out, &found,
                                  status));
    } else {
        const struct artifact *whole = NULL;
        TRY(context_input(context, name, &whole, status));
        TRY(lend_all(whole, out, status));
    }
done:
    buf_release(&slot_text);
    return code;
}

enum status_code context_own_output(struct context *context, const char *name,
                                    const struct artifact **out, struct status *status)
{
    const size_t position = context->stage->position;
    bool found = false;
    enum status_code code = load_slot(context, position, name, &found, status);
    *out = found ? &context_slot_find(context, position, name)->artifact : NULL;
    return code;
}

enum status_code context_output(struct context *context, struct artifact *artifact,
                                struct status *status)
{
    struct context_slot *slot =
        context_slot_find(context, context->stage->position, artifact->name);
    if (slot == NULL) {
        status_set(status, STATUS_INTERNAL, "stage %s gives \"%s\", which is not in its outputs",
                   context->stage->label, artifact->name);
        artifact_release(artifact);
        return STATUS_INTERNAL;
    }
    artifact_release(&slot->artifact);
    slot->artifact = *artifact;
    slot->in_memory = true;
    slot->hash[0] = '\0';
    *artifact = (struct artifact){0};
    return STATUS_OK;
}

enum status_code context_last_output(struct context *context, const char *name,
                                     struct artifact *out, bool *found, struct status *status)
{
    enum status_code code;
    struct buf slot = {0};
    TRY(context_slot_name(context, context->stage->position, name, &slot, status));
    code = artifact_load(context->work, buf_text(&slot), out, found, status);
    if (code == STATUS_DATA || code == STATUS_INTERNAL) {
        /* damaged, or of another version: this run replaces it */
        status_clear(status);
        *found = false;
        code = STATUS_OK;
    }
done:
    buf_release(&slot);
    return code;
}

/* "checkpoint/LABEL/KEY", and "/PART" behind that of a part: a checkpoint of other options or
 * inputs is another slot, so it is never found. */
static enum status_code checkpoint_slot(const struct context *context, const char *part,
                                        struct buf *out, struct status *status)
{
    buf_addf(out, "checkpoint/%s/%s", context->stage->label, context->key);
    if (part != NULL) {
        buf_addf(out, "/%s", part);
    }
    return buf_check(out, status);
}

enum status_code context_checkpoint_save(struct context *context, const char *part,
                                         const struct artifact *artifact, struct status *status)
{
    enum status_code code;
    struct buf slot = {0};
    TRY(checkpoint_slot(context, part, &slot, status));
    TRY(artifact_save(context->work, buf_text(&slot), artifact, status));
done:
    buf_release(&slot);
    return code;
}

enum status_code context_checkpoint_load(struct context *context, const char *part,
                                         struct artifact *out, bool *found, struct status *status)
{
    enum status_code code;
    struct buf slot = {0};
    TRY(checkpoint_slot(context, part, &slot, status));
    TRY(artifact_load(context->work, buf_text(&slot), out, found, status));
done:
    buf_release(&slot);
    return code;
}

/* "checkpoint/LABEL/ranks/VERSION/NAME" */
static enum status_code kept_slot(const struct context *context, const char *name, struct buf *out,
                                  struct status *status)
{
    buf_addf(out, "checkpoint/%s/ranks/%s/%s", context->stage->label, context->request->version,
             name);
    return buf_check(out, status);
}

enum status_code context_checkpoint_keep(struct context *context, const char *name,
                                         const struct artifact *artifact, struct status *status)
{
    enum status_code code;
    struct buf slot = {0};
    TRY(kept_slot(context, name, &slot, status));
    TRY(artifact_save(context->work, buf_text(&slot), artifact, status));
done:
    buf_release(&slot);
    return code;
}

/* The work database of rank `rank` of n; this plan's is that of the rank that reads it. */
static void rank_work(const struct context *context, size_t rank, size_t n, struct buf *path)
{
    struct ranks *ranks = context_ranks(context);
    const char *mine = context->plan->settings.work.database;
    struct buf own = {0}, first = {0};
    if (!ranks_is_first(ranks)) {
        plan_rank_work("", ranks_mine(ranks), ranks_n(ranks), &own);
    }
    buf_add(&first, mine, strlen(mine) - own.length);
    if (rank == 0) {
        buf_add_text(path, buf_text(&first));
    } else {
        plan_rank_work(buf_text(&first), rank, n, path);
    }
    buf_release(&own);
    buf_release(&first);
}

enum status_code context_checkpoint_find(struct context *context, const char *name, size_t rank,
                                         size_t n, struct artifact *out, bool *found,
                                         struct status *status)
{
    enum status_code code = STATUS_OK;
    struct ranks *ranks = context_ranks(context);
    /* the first rank's is the same at any number */
    const bool is_own = rank == ranks_mine(ranks) && (rank == 0 || n == ranks_n(ranks));
    struct db *other = NULL;
    struct buf slot = {0}, path = {0};
    *found = false;
    TRY(kept_slot(context, name, &slot, status));
    if (!is_own) {
        rank_work(context, rank, n, &path);
        TRY(buf_check(&path, status));
        if (access(buf_text(&path), R_OK) != 0) {
            goto done;
        }
        TRY(db_open(buf_text(&path), DB_READ, context->plan->settings.source.busy_timeout, &other,
                    status));
    }
    TRY(artifact_load(is_own ? context->work : other, buf_text(&slot), out, found, status));
done:
    db_close(other);
    buf_release(&slot);
    buf_release(&path);
    return code;
}
