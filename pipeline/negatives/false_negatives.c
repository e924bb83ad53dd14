/* The neighbours of each user's positives, from the item-item pairs. */
#include "negatives/false_negatives.h"

#include "base/mem.h"
#include "math/index_set.h"
#include "math/topk.h"

#include <assert.h>

struct search {
    const struct sparse *train;
    struct sparse strongest; /* (n_items, n_items) columns of the n strongest partners, by row in
                                the order of strength */
    struct index_set found;  /* scratch, empty between users */
    int32_t *members;        /* (n_items) scratch */
};

/* strongest = the n_neighbours strongest entries of each row of item_pairs. */
static enum status_code keep_strongest(const struct sparse *item_pairs, size_t n_neighbours,
                                       struct sparse *strongest, struct status *status)
{
    const size_t n_items = item_pairs->n_rows;
    const size_t k = n_neighbours < n_items ? n_neighbours : n_items;
    struct sparse made = {0};
    float *weights = NULL;
    size_t entries = 0;
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < n_items; i++) {
        const size_t length = sparse_row_length(item_pairs, i);
        entries += length < k ? length : k;
    }
    TRY(MEM_NEW(&weights, k, status));
    TRY(sparse_init(&made, n_items, n_items, entries, false, status));
    for (size_t i = 0; i < n_items; i++) {
        const int64_t first = item_pairs->offsets[i];
        const size_t length = sparse_row_length(item_pairs, i);
        int32_t *chosen = made.columns + made.offsets[i];
        struct topk heap;
        topk_init(&heap, length < k ? length : k, weights, chosen, NULL);
        if (length > 0) {
            topk_offer_range(&heap, item_pairs->values + first, length, 0);
        }
        topk_finish(&heap);
        for (size_t r = 0; r < heap.n; r++) {
            chosen[r] = item_pairs->columns[first + chosen[r]];
        }
        made.offsets[i + 1] = made.offsets[i] + (int64_t)heap.n;
    }
    *strongest = made;
    made = (struct sparse){0};
done:
    sparse_release(&made);
    mem_free(weights);
    return code;
}

/* members = the user's false negatives, ascending; returns how many. */
static size_t find_of_user(struct search *search, size_t user)
{
    const struct sparse *train = search->train, *strongest = &search->strongest;
    size_t n = 0;
    for (int64_t e = train->offsets[user]; e < train->offsets[user + 1]; e++) {
        const size_t item = (size_t)train->columns[e];
        for (int64_t s = strongest->offsets[item]; s < strongest->offsets[item + 1]; s++) {
            index_set_add(&search->found, strongest->columns[s]);
        }
    }
    const size_t n_found = index_set_drain(&search->found, search->members);
    int64_t own = train->offsets[user];
    for (size_t m = 0; m < n_found; m++) {
        const int32_t item = search->members[m];
        while (own < train->offsets[user + 1] && train->columns[own] < item) {
            own++;
        }
        if (own == train->offsets[user + 1] || train->columns[own] != item) {
            search->members[n++] = item;
        }
    }
    return n;
}

enum status_code false_negatives_find(const struct sparse *train, const struct sparse *item_pairs,
                                      size_t n_neighbours, struct sparse *out,
                                      struct status *status)
{
    struct search search = {.train = train};
    struct sparse made = {0};
    size_t entries = 0;
    enum status_code code = STATUS_OK;
    assert(item_pairs->n_rows == train->n_columns && item_pairs->n_columns == train->n_columns);
    assert(item_pairs->values != NULL && n_neighbours > 0);
    TRY(keep_strongest(item_pairs, n_neighbours, &search.strongest, status));
    TRY(index_set_init(&search.found, train->n_columns, status));
    TRY(MEM_NEW(&search.members, train->n_columns, status));
    for (size_t user = 0; user < train->n_rows; user++) {
        entries += find_of_user(&search, user);
    }
    TRY(sparse_init(&made, train->n_rows, train->n_columns, entries, false, status));
    for (size_t user = 0; user < train->n_rows; user++) {
        const size_t n = find_of_user(&search, user);
        memcpy(made.columns + made.offsets[user], search.members, n * sizeof *made.columns);
        made.offsets[user + 1] = made.offsets[user] + (int64_t)n;
    }
    *out = made;
    made = (struct sparse){0};
done:
    sparse_release(&made);
    sparse_release(&search.strongest);
    index_set_release(&search.found);
    mem_free(search.members);
    return code;
}
