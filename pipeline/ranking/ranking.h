/* Exact top-k of many anchors over many candidates by blocked products and selection. Everything
 * that ranks goes through here: validation, calibration, evaluation, recommendations, similar
 * items. */
#ifndef NIGHTJAR_RANKING_RANKING_H
#define NIGHTJAR_RANKING_RANKING_H

#include "base/pool.h"
#include "math/matrix.h"
#include "math/sparse.h"
#include "pairs/evidence.h"

/* What the evidence of an anchor's history adds to the scores of a variant:
 * gamma * norm_a * c(a, candidate) * powers[candidate], see evidence.h. */
struct ranking_evidence {
    const struct evidence *evidence;
    const struct sparse *histories; /* columns = candidates, ascending */
    const int32_t *history_rows;    /* (n_anchors) row of `histories` per anchor */
    const double *gammas;           /* (variants) 0: this variant takes none */
    const float *const *powers; /* (variants) arrays of (items of the evidence); variants that share
                                   an array, and among these a gamma, cost less side by side */
};

/* The history of an anchor: *n items. */
static inline const int32_t *ranking_history(const struct ranking_evidence *evidence, size_t anchor,
                                             size_t *n)
{
    return sparse_row(evidence->histories, (size_t)evidence->history_rows[anchor], n);
}

/* score(a, c) = scale * <anchor a, candidate c> + evidence + bias[c], -infinity where excluded. */
struct ranking {
    struct const_matrix anchors;    /* (n_anchors, d) */
    struct const_matrix candidates; /* (n_candidates, d) */
    float scale;                    /* 1 / tau, or 1 */
    size_t n_biases;                /* variants ranked in one pass over the products; 0: no bias */
    const float *const *biases;     /* n_biases arrays of (n_candidates) */
    const struct ranking_evidence *evidence; /* or NULL; of the first candidates, those
                                                behind its items have none */
    const struct sparse *exclude;            /* columns = candidates; or NULL */
    const int32_t *exclude_rows; /* (n_anchors) row of `exclude` per anchor, -1 = none; NULL: row
                                    a for anchor a */
    const uint8_t *eligible;     /* (n_candidates) or NULL: all */
    const uint32_t *tie_rank;    /* (n_candidates) lower first; NULL: the lower index first */
    size_t k;
};

/* The candidates that an anchor leaves out, ascending: *n of them. */
static inline const int32_t *ranking_excluded(const struct ranking *ranking, size_t anchor,
                                              size_t *n)
{
    const int64_t row =
        ranking->exclude_rows == NULL ? (int64_t)anchor : ranking->exclude_rows[anchor];
    *n = 0;
    return ranking->exclude == NULL || row < 0 ? NULL
                                               : sparse_row(ranking->exclude, (size_t)row, n);
}

/* items, scores: (max(n_biases, 1), n_anchors, k), best first; a list shorter than k ends with item
 * -1, score 0. Deterministic for any thread count. A score that is not finite: STATUS_INTERNAL. */
MUST_CHECK enum status_code ranking_run(const struct ranking *ranking, struct pool *pool,
                                        int32_t *items, float *scores, struct status *status);

#endif
