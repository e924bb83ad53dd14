/* Base and news for the stages behind catch_up. */
#include "catch_up/night.h"

#include "base/mem.h"
#include "catch_up/vocabulary_merge.h"
#include "run/context_data.h"

enum status_code night_map_items(const struct interactions *base, const struct interactions *merged,
                                 int32_t **item_of, struct status *status)
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

const char *const night_without[] = {DERIVED, NULL};
static const char *const ids_without[] = {DERIVED, "log.", "disliked.", NULL};

static enum status_code merge(struct night *night, struct context *context, const struct news *news,
                              enum night_depth depth, struct status *status)
{
    enum status_code code;
    struct artifact artifact = {0};
    struct interactions base = {0};

    TRY(context_input_without(context, "interactions",
                              depth == NIGHT_IDS ? ids_without : night_without, &artifact, status));
    TRY(interactions_load(&base, &artifact, status));
    if (depth == NIGHT_IDS) {
        TRY(interactions_merge_ids(&base, news, &night->interactions, status));
    } else {
        TRY(interactions_merge(&base, news, context_settings(context)->work.database,
                               &night->interactions, status));
    }
    TRY(night_map_items(&base, &night->interactions, &night->item_of, status));
    night->n_base_items = base.basis[BASIS_ALL].n_items;
    night->n_pairs = news->n_pairs;
done:
    interactions_release(&base);
    artifact_release(&artifact);
    return code;
}

enum status_code night_load(struct night *night, struct context *context, enum night_depth depth,
                            struct status *status)
{
    enum status_code code;
    const struct artifact *artifact = NULL;
    struct news news = {0};
    bool has_news = false;

    TRY(context_input(context, "news", &artifact, status));
    if (artifact != NULL) {
        TRY(news_load(&news, artifact, &has_news, status));
    }
    if (has_news) {
        TRY(merge(night, context, &news, depth, status));
        goto done;
    }
    TRY(context_input(context, "interactions", &artifact, status));
    TRY(interactions_load(&night->interactions, artifact, status));
    night->n_pairs = sparse_entries(&night->interactions.log.matrix);
done:
    news_release(&news);
    return code;
}

enum status_code night_evidence(const struct night *night, const struct artifact *artifact,
                                enum basis basis, struct evidence *evidence, bool *found,
                                struct status *status)
{
    const struct dataset *dataset = &night->interactions.basis[basis];

    if (night->item_of == NULL) {
        return evidence_load(evidence, artifact, basis, dataset, found, status);
    }
    return evidence_load_renumbered(evidence, artifact, basis, night->item_of, night->n_base_items,
                                    dataset, found, status);
}

void night_release(struct night *night)
{
    interactions_release(&night->interactions);
    mem_free(night->item_of);
    *night = (struct night){0};
}
