/* Base and news for the stages behind catch_up. */
#include "run/night.h"

#include "base/mem.h"
#include "model/vocabulary_merge.h"

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

enum status_code night_load(struct night *night, struct context *context, struct status *status)
{
    enum status_code code;
    const struct artifact *artifact = NULL;
    struct interactions base = {0};
    struct news news = {0};
    bool has_news = false;

    TRY(context_input(context, "interactions", &artifact, status));
    TRY(interactions_load(&base, artifact, status));
    TRY(context_input(context, "news", &artifact, status));
    if (artifact != NULL) {
        TRY(news_load(&news, artifact, &has_news, status));
    }
    if (!has_news) {
        night->interactions = base;
        base = (struct interactions){0};
        goto done;
    }
    TRY(interactions_merge(&base, &news, context_settings(context)->work.database,
                           &night->interactions, status));
    TRY(night_map_items(&base, &night->interactions, &night->item_of, status));
    night->n_base_items = base.basis[BASIS_ALL].n_items;
done:
    news_release(&news);
    interactions_release(&base);
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
