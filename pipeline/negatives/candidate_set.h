/* The candidates of one batch: distinct items, the shared negatives first, then items that are only
 * somebody's positive or listed negative; and where each item stands.
 *
 *     struct candidate_set set = {0};
 *     TRY(candidate_set_init(&set, &sampler, status));
 *     for each batch:
 *         candidate_set_draw(&set, &sampler, &rng, positives, n_positives);
 *         column = candidate_set_add(&set, item);    of every positive and listed negative
 *         the batch's candidates are candidate_set_rows(&set), set.n of them
 *     candidate_set_release(&set); */
#ifndef NIGHTJAR_NEGATIVES_CANDIDATE_SET_H
#define NIGHTJAR_NEGATIVES_CANDIDATE_SET_H

#include "negatives/sampler.h"

struct candidate_set {
    size_t n_items;     /* of the catalogue */
    bool every_item;    /* strategy all: candidate c is item c, nothing else to keep */
    int32_t *column_of; /* (n_items) candidate of each item, -1: none */
    int32_t *items;     /* (n), room for n_items */
    float *offsets;     /* (n_negatives) b_c */
    size_t n, n_negatives;
};

/* With strategy all the set is filled once here, from sampler->target. */
MUST_CHECK enum status_code candidate_set_init(struct candidate_set *set,
                                               const struct sampler *sampler,
                                               struct status *status);
void candidate_set_release(struct candidate_set *set);

/* Empties the set and draws the batch's shared negatives; positives (n_positives, with repeats) as
 * for sampler_draw_shared. With strategy all nothing changes. */
void candidate_set_draw(struct candidate_set *set, struct sampler *sampler, struct rng *rng,
                        const int32_t *positives, size_t n_positives);
/* Empties it, without shared negatives. */
void candidate_set_clear(struct candidate_set *set);

/* The candidate of an item, added behind the others when it is new. */
int32_t candidate_set_add(struct candidate_set *set, int32_t item);
/* The item of a candidate. */
static inline int32_t candidate_set_item(const struct candidate_set *set, size_t column)
{
    return set->every_item ? (int32_t)column : set->items[column];
}
/* What tower_forward takes as rows: NULL when the candidates are every item in order. */
const int32_t *candidate_set_rows(const struct candidate_set *set);

#endif
