/* The artifacts of a run: in memory while a later stage needs them, in the work database always. */
#include "run/context_internal.h"
#include "run/estimate.h"

#include <assert.h>

void context_slot_name(const char *label, const char *name, struct buf *out)
{
    buf_addf(out, "%s/%s", label, name);
}

static enum status_code slot_name(const struct context *context, size_t position, const char *name,
                                  struct buf *out, struct status *status)
{
    context_slot_name(context->plan->stages[position].label, name, out);
    return buf_check(out, status);
}

struct context_slot *context_slot_find(struct context *context, size_t position, const char *name)
{
    const struct stage_artifact *outputs = context->plan->stages[position].stage->outputs;
    for (size_t i = 0; outputs != NULL && outputs[i].name != NULL; i++) {
        if (strcmp(outputs[i].name, name) == 0) {
            return &context->slots[context->first_slot[position] + i];
        }
    }
    return NULL;
}

enum status_code context_slot_hash(struct context *context, size_t position, const char *name,
                                   char out[HASH_TEXT_MAX], bool *found, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf slot_text = {0};
    struct context_slot *slot = context_slot_find(context, position, name);
    assert(slot != NULL);
    *found = slot->hash[0] != '\0';
    if (!*found) {
        TRY(slot_name(context, position, name, &slot_text, status));
        TRY(artifact_saved_hash(context->work, buf_text(&slot_text), slot->hash, found, status));
        if (!*found) {
            slot->hash[0] = '\0';
        }
    }
    memcpy(out, slot->hash, HASH_TEXT_MAX);
done:
    buf_release(&slot_text);
    return code;
}

/* The nearest stage above `position` that writes `name`, or would: SIZE_MAX none. An optional
 * output that was not given lets that of a stage above it through. */
static size_t next_producer(const struct context *context, size_t position, const char *name,
                            bool *may_pass)
{
    const size_t producer = plan_producer(context->plan, position, name);
    *may_pass = false;
    if (producer != SIZE_MAX) {
        const struct stage_artifact *output = context->plan->stages[producer].stage->outputs;
        while (strcmp(output->name, name) != 0) {
            output++;
        }
        *may_pass = output->optional;
    }
    return producer;
}

enum status_code context_producer(struct context *context, size_t position, const char *name,
                                  size_t *producer, char hash[HASH_TEXT_MAX], bool *found,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    bool may_pass = true;
    size_t at = position;
    *found = false;
    *producer = SIZE_MAX;
    while (!*found && may_pass) {
        at = next_producer(context, at, name, &may_pass);
        if (at == SIZE_MAX) {
            break;
        }
        *producer = at;
        TRY(context_slot_hash(context, at, name, hash, found, status));
    }
done:
    return code;
}

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
        TRY(slot_name(context, position, name, &slot_text, status));
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
        TRY(slot_name(context, producer, name, &slot_text, status));
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
    TRY(slot_name(context, context->stage->position, name, &slot, status));
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

/* One output of the running stage: saved when its content is new, dropped when it was not given. */
static enum status_code save_output(struct context *context, const struct stage_artifact *output,
                                    struct status *status)
{
    enum status_code code;
    struct buf slot_text = {0};
    char saved[HASH_TEXT_MAX];
    bool found;
    size_t position = context->stage->position;
    struct context_slot *slot = context_slot_find(context, position, output->name);
    TRY(slot_name(context, position, output->name, &slot_text, status));
    if (!slot->in_memory) {
        if (!output->optional) {
            TRY(status_set(status, STATUS_INTERNAL, "stage %s ended without its output \"%s\"",
                           context->stage->label, output->name));
        }
        slot->hash[0] = '\0';
        TRY(artifact_delete(context->work, buf_text(&slot_text), status));
    } else {
        TRY(artifact_hash(&slot->artifact, slot->hash, status));
        TRY(artifact_saved_hash(context->work, buf_text(&slot_text), saved, &found, status));
        if (!found || strcmp(saved, slot->hash) != 0) {
            TRY(artifact_save(context->work, buf_text(&slot_text), &slot->artifact, status));
        }
    }
done:
    buf_release(&slot_text);
    return code;
}

enum status_code context_save_outputs(struct context *context, struct status *status)
{
    const struct stage_artifact *outputs = context->stage->stage->outputs;
    for (size_t i = 0; outputs != NULL && outputs[i].name != NULL; i++) {
        enum status_code code = save_output(context, &outputs[i], status);
        if (code != STATUS_OK) {
            return code;
        }
    }
    return STATUS_OK;
}

/* Whether input `name` of the stage at `position` is the one of `producer`, or may be. */
static bool may_come_from(const struct context *context, size_t position, const char *name,
                          size_t producer)
{
    bool may_pass = true;
    size_t at = position;
    while (may_pass && (at = next_producer(context, at, name, &may_pass)) != SIZE_MAX) {
        if (at == producer) {
            return true;
        }
    }
    return false;
}

/* Whether a stage behind `position` reads the output `name` of stage `producer`. */
static bool is_needed(const struct context *context, size_t producer, const char *name,
                      size_t position)
{
    for (size_t i = position + 1; i < context->plan->n_stages; i++) {
        const struct stage_artifact *inputs = context->plan->stages[i].stage->inputs;
        for (size_t j = 0; inputs != NULL && inputs[j].name != NULL; j++) {
            if (strcmp(inputs[j].name, name) == 0 && may_come_from(context, i, name, producer)) {
                return true;
            }
        }
    }
    return false;
}

void context_release_unneeded(struct context *context, size_t position)
{
    for (size_t p = 0; p <= position; p++) {
        const struct stage_artifact *outputs = context->plan->stages[p].stage->outputs;
        for (size_t i = 0; outputs != NULL && outputs[i].name != NULL; i++) {
            struct context_slot *slot = &context->slots[context->first_slot[p] + i];
            if (slot->in_memory && (!is_needed(context, p, outputs[i].name, position) ||
                                    artifact_memory(&slot->artifact) >= LARGE_ARTIFACT_BYTES)) {
                artifact_release(&slot->artifact);
                slot->artifact = (struct artifact){0};
                slot->in_memory = false;
            }
        }
    }
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

enum status_code context_checkpoint_save_part(struct context *context, const char *part,
                                              const struct artifact *artifact,
                                              struct status *status)
{
    enum status_code code;
    struct buf slot = {0};
    TRY(checkpoint_slot(context, part, &slot, status));
    TRY(artifact_save(context->work, buf_text(&slot), artifact, status));
done:
    buf_release(&slot);
    return code;
}

enum status_code context_checkpoint_load_part(struct context *context, const char *part,
                                              struct artifact *out, bool *found,
                                              struct status *status)
{
    enum status_code code;
    struct buf slot = {0};
    TRY(checkpoint_slot(context, part, &slot, status));
    TRY(artifact_load(context->work, buf_text(&slot), out, found, status));
done:
    buf_release(&slot);
    return code;
}

enum status_code context_checkpoint_save(struct context *context, const struct artifact *artifact,
                                         struct status *status)
{
    return context_checkpoint_save_part(context, NULL, artifact, status);
}

enum status_code context_checkpoint_load(struct context *context, struct artifact *out, bool *found,
                                         struct status *status)
{
    return context_checkpoint_load_part(context, NULL, out, found, status);
}

enum status_code context_checkpoints_drop(struct context *context, const char *label,
                                          struct status *status)
{
    enum status_code code;
    struct buf first = {0}, after = {0}, slots = {0};
    struct db_query *query = NULL;
    bool has_row;
    size_t length;
    buf_addf(&first, "checkpoint/%s/", label);
    buf_addf(&after, "checkpoint/%s0", label); /* '0' follows '/' */
    TRY(buf_check(&first, status));
    TRY(buf_check(&after, status));
    TRY(db_prepare(context->work,
                   "SELECT slot FROM artifact WHERE current = 1 AND slot > ?1 AND slot < ?2",
                   &query, status));
    TRY(db_bind_text(query, 1, buf_text(&first), first.length, true, status));
    TRY(db_bind_text(query, 2, buf_text(&after), after.length, true, status));
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        const char *slot = db_column_text(query, 0, &length);
        buf_add(&slots, slot, length + 1); /* with its zero */
    }
    db_finalize(query); /* before the deletes: an open read would block them */
    query = NULL;
    TRY(buf_check(&slots, status));
    for (size_t at = 0; at < slots.length; at += strlen(slots.data + at) + 1) {
        TRY(artifact_delete(context->work, slots.data + at, status));
    }
done:
    db_finalize(query);
    buf_release(&first);
    buf_release(&after);
    buf_release(&slots);
    return code;
}
