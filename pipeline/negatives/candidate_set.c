/* The candidates of one batch. */
#include "negatives/candidate_set.h"

#include "base/mem.h"

enum status_code candidate_set_init(struct candidate_set *set, const struct sampler *sampler,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    struct candidate_set made = {.n_items = sampler->n_items};
    made.every_item = sampler->settings.strategy == NEGATIVES_ALL;
    TRY(MEM_NEW(&made.offsets, made.n_items, status));
    if (made.every_item) {
        for (size_t i = 0; i < made.n_items; i++) {
            made.offsets[i] = (float)sampler->target[i];
        }
        made.n = made.n_negatives = made.n_items;
    } else {
        TRY(MEM_NEW(&made.items, made.n_items, status));
        TRY(MEM_NEW(&made.column_of, made.n_items, status));
        memset(made.column_of, 0xff, made.n_items * sizeof *made.column_of);
    }
    *set = made;
done:
    if (code != STATUS_OK) {
        candidate_set_release(&made);
    }
    return code;
}

void candidate_set_release(struct candidate_set *set)
{
    mem_free(set->column_of);
    mem_free(set->items);
    mem_free(set->offsets);
    *set = (struct candidate_set){0};
}

void candidate_set_clear(struct candidate_set *set)
{
    if (set->every_item) {
        return;
    }
    for (size_t c = 0; c < set->n; c++) {
        set->column_of[set->items[c]] = -1;
    }
    set->n = set->n_negatives = 0;
}

void candidate_set_draw(struct candidate_set *set, struct sampler *sampler, struct rng *rng,
                        const int32_t *positives, size_t n_positives)
{
    if (set->every_item) {
        return;
    }
    candidate_set_clear(set);
    set->n = set->n_negatives =
        sampler_draw_shared(sampler, rng, positives, n_positives, set->items, set->offsets);
    for (size_t c = 0; c < set->n; c++) {
        set->column_of[set->items[c]] = (int32_t)c;
    }
}

int32_t candidate_set_add(struct candidate_set *set, int32_t item)
{
    if (set->every_item) {
        return item;
    }
    if (set->column_of[item] < 0) {
        set->column_of[item] = (int32_t)set->n;
        set->items[set->n++] = item;
    }
    return set->column_of[item];
}

const int32_t *candidate_set_rows(const struct candidate_set *set)
{
    return set->every_item ? NULL : set->items;
}
