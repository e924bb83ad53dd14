/* The two-level bit set. */
#include "math/index_set.h"

#include "base/mem.h"

enum { BITS = 64 };

enum status_code index_set_init(struct index_set *set, size_t capacity, struct status *status)
{
    const size_t n_words = capacity / BITS + 1;
    const size_t n_summary = n_words / BITS + 1;
    enum status_code code = STATUS_OK;
    *set = (struct index_set){0};
    TRY(MEM_NEW(&set->words, n_words, status));
    TRY(MEM_NEW(&set->summary, n_summary, status));
    set->n_summary = n_summary;
done:
    if (code != STATUS_OK) {
        index_set_release(set);
    }
    return code;
}

size_t index_set_drain(struct index_set *set, int32_t *members)
{
    size_t n = 0;
    for (size_t s = 0; s < set->n_summary; s++) {
        for (uint64_t summary = set->summary[s]; summary != 0; summary &= summary - 1) {
            const size_t w = s * BITS + (size_t)__builtin_ctzll(summary);
            for (uint64_t word = set->words[w]; word != 0; word &= word - 1) {
                members[n++] = (int32_t)(w * BITS + (size_t)__builtin_ctzll(word));
            }
            set->words[w] = 0;
        }
        set->summary[s] = 0;
    }
    return n;
}

void index_set_release(struct index_set *set)
{
    mem_free(set->words);
    mem_free(set->summary);
    *set = (struct index_set){0};
}
