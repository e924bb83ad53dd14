/* A set of small integers that hands out its members in ascending order: what a sparse accumulator
 * has touched, the distinct ones among many draws. Two levels of bits, so that going through the
 * members costs their number plus capacity / 4096, and no sort.
 *
 *     struct index_set set = {0};
 *     TRY(index_set_init(&set, n_items, status));
 *     index_set_add(&set, 7), index_set_add(&set, 3), index_set_add(&set, 7);
 *     n = index_set_drain(&set, members);    2: 3 and 7; the set is empty again
 *     index_set_release(&set); */
#ifndef NIGHTJAR_MATH_INDEX_SET_H
#define NIGHTJAR_MATH_INDEX_SET_H

#include "base/status.h"

/* Holds indices in [0, capacity). Zero-initialise. */
struct index_set {
    size_t n_summary;
    uint64_t *words;   /* bit i % 64 of words[i / 64]: i is a member */
    uint64_t *summary; /* bit w % 64 of summary[w / 64]: words[w] is not zero */
};

MUST_CHECK enum status_code index_set_init(struct index_set *set, size_t capacity,
                                           struct status *status);
/* Adding a member again changes nothing. */
static inline void index_set_add(struct index_set *set, int32_t index)
{
    const size_t word = (size_t)index / 64;
    set->words[word] |= (uint64_t)1 << ((size_t)index % 64);
    set->summary[word / 64] |= (uint64_t)1 << (word % 64);
}
/* members = all members, ascending; returns their number and leaves the set empty. */
size_t index_set_drain(struct index_set *set, int32_t *members);
void index_set_release(struct index_set *set);

#endif
