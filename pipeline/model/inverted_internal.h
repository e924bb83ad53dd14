/* What inverted_search.c and inverted_evidence.c share. Nobody else includes it. */
#ifndef NIGHTJAR_MODEL_INVERTED_INTERNAL_H
#define NIGHTJAR_MODEL_INVERTED_INTERNAL_H

#include "math/topk.h"
#include "model/inverted_lists.h"

static inline bool inverted_is_eligible(const struct ranking *ranking, int32_t candidate)
{
    return ranking->eligible == NULL || ranking->eligible[candidate];
}

static inline bool inverted_is_excluded(const struct ranking *ranking, size_t anchor,
                                        int32_t candidate)
{
    if (ranking->exclude == NULL) {
        return false;
    }
    const int64_t row =
        ranking->exclude_rows == NULL ? (int64_t)anchor : ranking->exclude_rows[anchor];
    return row >= 0 && sparse_has(ranking->exclude, (size_t)row, candidate);
}

/* Evidence that is added when an anchor has met its lists. Zero-initialise. */
struct late_evidence {
    const struct ranking *ranking; /* with evidence */
    float most;                    /* no scale <anchor, candidate> is greater */
    size_t n_entries_max;          /* of an anchor */
    struct late_item *items;       /* (items of the evidence) */
};

/* One thread's memory. Zero-initialise. */
struct late_worker {
    int32_t *met;      /* (k) what the anchor met in lists; then its best entries */
    float *met_scores; /* (k) their scores; then their rests */
    int32_t *columns;  /* (n_entries_max) */
    float *rests;      /* (n_entries_max) all of the score but the product */
    float *biases;     /* (n_entries_max) */
    struct evidence_scratch scratch;
};

MUST_CHECK enum status_code late_evidence_init(struct late_evidence *late,
                                               const struct ranking *ranking,
                                               struct status *status);
void late_evidence_release(struct late_evidence *late);
MUST_CHECK enum status_code late_worker_init(struct late_worker *worker,
                                             const struct late_evidence *late,
                                             struct status *status);
void late_worker_release(struct late_worker *worker);

/* Fills the anchor's heap anew: what it met, and what its evidence names, each with its evidence.
 * Evidence only raises a score, so nothing that the heap dropped before could stand in it now. */
void late_evidence_add(const struct late_evidence *late, struct late_worker *worker, size_t anchor,
                       struct topk *heap);

#endif
