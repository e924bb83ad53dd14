/* Exact top-k of many anchors over many candidates by blocked products and selection. Everything
 * that ranks goes through here: validation, calibration, evaluation, recommendations, similar
 * items. */
#ifndef NIGHTJAR_MODEL_RANKING_H
#define NIGHTJAR_MODEL_RANKING_H

#include "base/pool.h"
#include "math/matrix.h"
#include "math/sparse.h"

/* score(a, c) = scale * <anchor a, candidate c> + bias[c], -infinity where excluded. */
struct ranking {
    struct const_matrix anchors;    /* (n_anchors, d) */
    struct const_matrix candidates; /* (n_candidates, d) */
    float scale;                    /* 1 / tau, or 1 */
    size_t n_biases;                /* variants ranked in one pass over the products; 0: no bias */
    const float *const *biases;     /* n_biases arrays of (n_candidates) */
    const struct sparse *exclude;   /* columns = candidates; or NULL */
    const int32_t *exclude_rows;    /* (n_anchors) row of `exclude` per anchor, -1 = none; NULL: row
                                       a for anchor a */
    const uint8_t *eligible;        /* (n_candidates) or NULL: all */
    const uint32_t *tie_rank;       /* (n_candidates) lower first; NULL: the lower index first */
    size_t k;
};

/* items, scores: (max(n_biases, 1), n_anchors, k), best first; a list shorter than k ends with item
 * -1, score 0. Deterministic for any thread count. A score that is not finite: STATUS_INTERNAL. */
MUST_CHECK enum status_code ranking_run(const struct ranking *ranking, struct pool *pool,
                                        int32_t *items, float *scores, struct status *status);

#endif
