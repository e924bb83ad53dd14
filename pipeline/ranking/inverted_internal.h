/* What inverted_search.c and inverted_evidence.c share. Nobody else includes it. */
#ifndef NIGHTJAR_RANKING_INVERTED_INTERNAL_H
#define NIGHTJAR_RANKING_INVERTED_INTERNAL_H

#include "math/topk.h"
#include "ranking/inverted_lists.h"

static inline bool inverted_is_eligible(const struct ranking *ranking, int32_t candidate)
{
    return ranking->eligible == NULL || ranking->eligible[candidate];
}

/* Evidence for anchors that have met their lists. Zero-initialise. */
struct inverted_evidence {
    const struct ranking *ranking; /* borrowed */
    float product_max;             /* no scale <anchor, candidate> is greater */
    size_t n_items;                /* of the evidence */
    size_t n_entries_max;          /* of an anchor */
};

/* One thread's memory. Zero-initialise. */
struct inverted_scratch {
    int32_t *met;      /* (k) what the anchor met in lists */
    float *met_scores; /* (k) */
    int32_t *best;     /* (k) its entries with the greatest rests */
    float *best_rests; /* (k) */
    int32_t *columns;  /* (n_entries_max) its entries */
    float *rests;      /* (n_entries_max) of the score, all but the product; NaN: out of it */
    float *sums;       /* (n_items) zero between anchors */
    struct index_set touched;
    struct evidence_scratch row;
};

/* `ranking` has a bias and evidence, of the same items, with gammas >= 0, and must outlive it; its
 * candidates have unit length or are zero. */
void inverted_evidence_init(struct inverted_evidence *evidence, const struct ranking *ranking);
MUST_CHECK enum status_code inverted_scratch_init(struct inverted_scratch *scratch,
                                                  const struct inverted_evidence *evidence,
                                                  struct status *status);
void inverted_scratch_release(struct inverted_scratch *scratch);

/* Fills the anchor's heap anew: what it met, and what its evidence names, each with its evidence.
 * Evidence only raises a score, so nothing that the heap dropped before could stand in it now. */
void inverted_evidence_add(const struct inverted_evidence *evidence,
                           struct inverted_scratch *scratch, size_t anchor, struct topk *heap);

#endif
