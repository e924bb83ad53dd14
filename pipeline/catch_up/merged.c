/* Base and delta for the stages behind catch_up. */
#include "catch_up/merged.h"

#include "base/mem.h"
#include "dataset/vocabulary_merge.h"
#include "run/context_data.h"

enum status_code merged_map_items(const struct interactions *base,
                                  const struct interactions *merged, int32_t **item_of,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct dataset *before = &base->basis[BASIS_ALL], *now = &merged->basis[BASIS_ALL];
    int32_t *made = NULL, *code_of = NULL, *column_of = NULL;

    TRY(MEM_NEW(&made, before->n_items, status));
    TRY(MEM_NEW(&code_of, base->items.n, status));
    TRY(MEM_NEW(&column_of, merged->items.n, status));
    vocabulary_locate(&base->items, &merged->items, code_of);
    dataset_invert(now->items, now->n_items, merged->items.n, column_of);
    for (size_t i = 0; i < before->n_items; i++) {
        made[i] = column_of[code_of[before->items[i]]];
    }
    *item_of = made;
    made = NULL;
done:
    mem_free(made);
    mem_free(code_of);
    mem_free(column_of);
    return code;
}

/* FIT is not merged, and ALL is made of the log. */
#define DERIVED                                                                                    \
    "fit.train.", "fit.valid.", "fit.test.", "fit.cold.", "fit.dislikes.", "all.train.",           \
        "all.test.", "all.cold.", "all.dislikes."

const char *const merge_without[] = {DERIVED, NULL};
static const char *const ids_without[] = {DERIVED, "log.", "disliked.", "seen.", NULL};

/* Of the base, and of tonight where there is a delta. */
static enum status_code load_events(struct merged *merged, struct context *context,
                                    const struct interactions *base, const struct delta *delta,
                                    struct status *status)
{
    enum status_code code;
    const struct artifact *artifact = NULL;
    struct new_events before = {0};

    TRY(context_input(context, "new_events", &artifact, status));
    if (artifact == NULL) {
        goto done;
    }
    TRY(new_events_load(&before, artifact, base->users.n, base->items.n, status));
    if (delta == NULL) {
        merged->events = before;
        merged->has_events = true;
    } else {
        TRY(new_events_merge(base, &before, delta, &merged->interactions, &merged->events,
                             &merged->has_events, status));
    }
done:
    return code;
}

static enum status_code merge(struct merged *merged, struct context *context,
                              const struct delta *delta, enum merged_depth depth,
                              struct status *status)
{
    enum status_code code;
    struct artifact artifact = {0};
    struct interactions base = {0};

    TRY(context_input_without(context, "interactions",
                              depth == MERGED_IDS ? ids_without : merge_without, &artifact,
                              status));
    TRY(interactions_load(&base, &artifact, status));
    if (depth == MERGED_IDS) {
        TRY(interactions_merge_ids(&base, delta, &merged->interactions, status));
    } else {
        TRY(interactions_merge(&base, delta, context_settings(context)->work.database,
                               &merged->interactions, status));
    }
    TRY(merged_map_items(&base, &merged->interactions, &merged->item_of, status));
    merged->n_base_items = base.basis[BASIS_ALL].n_items;
    merged->n_pairs = delta->n_pairs;
    if (depth == MERGED_EVENTS) {
        TRY(load_events(merged, context, &base, delta, status));
    }
done:
    interactions_release(&base);
    artifact_release(&artifact);
    return code;
}

enum status_code merged_load(struct merged *merged, struct context *context,
                             enum merged_depth depth, struct status *status)
{
    enum status_code code;
    const struct artifact *artifact = NULL;
    struct delta delta = {0};
    bool has_delta = false;

    TRY(context_input(context, "news", &artifact, status));
    if (artifact != NULL) {
        TRY(delta_load(&delta, artifact, &has_delta, status));
    }
    if (has_delta) {
        TRY(merge(merged, context, &delta, depth, status));
        goto done;
    }
    TRY(context_input(context, "interactions", &artifact, status));
    TRY(interactions_load(&merged->interactions, artifact, status));
    merged->n_pairs = sparse_entries(&merged->interactions.log.matrix);
    if (depth == MERGED_EVENTS) {
        TRY(load_events(merged, context, &merged->interactions, NULL, status));
    }
done:
    delta_release(&delta);
    return code;
}

enum status_code merged_evidence(const struct merged *merged, enum evidence_kind kind,
                                 const struct artifact *artifact, enum basis basis,
                                 struct evidence *evidence, bool *found, struct status *status)
{
    const struct dataset *dataset = &merged->interactions.basis[basis];

    if (merged->item_of == NULL) {
        return evidence_load(evidence, kind, artifact, basis, dataset, found, status);
    }
    return evidence_load_renumbered(evidence, kind, artifact, basis, merged->item_of,
                                    merged->n_base_items, dataset, found, status);
}

void merged_release(struct merged *merged)
{
    interactions_release(&merged->interactions);
    new_events_release(&merged->events);
    mem_free(merged->item_of);
    *merged = (struct merged){0};
}
