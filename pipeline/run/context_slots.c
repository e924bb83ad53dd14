/* Slots of the work database, and which stage's artifact an input is. */
#include "run/context_slots.h"

#include "run/estimate.h"

#include <assert.h>

enum status_code context_slot_name(const struct context *context, size_t position, const char *name,
                                   struct buf *out, struct status *status)
{
    artifact_slot_name(context->plan->stages[position].label, name, out);
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
        TRY(context_slot_name(context, position, name, &slot_text, status));
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
    TRY(context_slot_name(context, position, output->name, &slot_text, status));
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
