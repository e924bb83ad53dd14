/* Exact top-k of many anchors over many candidates by blocked products and selection. Everything
 * that ranks goes through here: validation, calibration, evaluation, recommendations, similar
 * items.
 *
 *     score_init      weights, towers, products: arrays over items and histories (score.h)
 *     score_apply     these in a struct ranking
 *     ranking_run     the lists; inverted_lists_search finds them without every product
 *
 * The ten best items of two users, rows 4 and 7 of the towers, but what they had:
 *
 *     const int32_t rows[2] = {4, 7};
 *     matrix_gather(embeddings.users, rows, 2, anchors);
 *     struct ranking ranking = {.anchors = const_matrix_of(anchors, 2, d),
 *                               .candidates = embeddings.items,
 *                               .exclude = &dataset->train.matrix, .exclude_rows = rows, .k = 10};
 *     TRY(score_init(&score, NULL, &embeddings, dataset, &sources, &dataset->train, &weights,
 * status)); score_apply(&score, rows, &ranking); TRY(ranking_run(&ranking, pool, items, scores,
 * status));           items[10] is row 7's best
 */
#ifndef NIGHTJAR_RANKING_RANKING_H
#define NIGHTJAR_RANKING_RANKING_H

#include "base/pool.h"
#include "math/matrix.h"
#include "math/sparse.h"
#include "pairs/evidence.h"

/* One thing that the history of an anchor adds to the scores of a variant:
 * gamma * norm_a * c(a, candidate) * powers[candidate], see evidence.h. */
struct ranking_evidence {
    const struct evidence *evidence;
    const float *entry_weights; /* (entries of the histories) what each counts; NULL: 1 */
    bool is_absolute;           /* norm_a is 1, not what makes the best item 1 */
    bool of_all;                /* the best of all items, not of those outside the history */
    const double *gammas;       /* (variants) 0: this variant takes none */
    const float *const *powers; /* (variants) arrays of (items of the evidence); variants that share
                                   an array, and among these a gamma, cost less side by side */
};

/* score(a, c) = scale * <anchor a, candidate c> + all evidence + bias[c], -infinity where excluded.
 */
struct ranking {
    struct const_matrix anchors;    /* (n_anchors, d) */
    struct const_matrix candidates; /* (n_candidates, d) */
    float scale;                    /* 1 / tau, or 1 */
    size_t n_biases;                /* variants ranked in one pass over the products; 0: no bias */
    const float *const *biases;     /* n_biases arrays of (n_candidates) */
    size_t n_evidence;
    const struct ranking_evidence *evidence; /* (n_evidence) of the same items, which are the first
                                                candidates; needs a bias */
    const struct sparse *histories;          /* for evidence: columns = candidates, ascending */
    const int32_t *history_rows;             /* (n_anchors) row of `histories` per anchor */
    const struct sparse *exclude;            /* columns = candidates; or NULL */
    const int32_t *exclude_rows; /* (n_anchors) row of `exclude` per anchor, -1 = none; NULL: row
                                    a for anchor a */
    const uint8_t *eligible;     /* (n_candidates) or NULL: all */
    const uint32_t *tie_rank;    /* (n_candidates) lower first; NULL: the lower index first */
    size_t k;
};

/* The history of an anchor: *n items. */
static inline const int32_t *ranking_history(const struct ranking *ranking, size_t anchor,
                                             size_t *n)
{
    return sparse_row(ranking->histories, (size_t)ranking->history_rows[anchor], n);
}
/* evidence_row of an anchor. */
static inline size_t ranking_evidence_row(const struct ranking *ranking,
                                          const struct ranking_evidence *evidence,
                                          struct evidence_scratch *scratch, size_t anchor,
                                          int32_t *columns, float *values)
{
    size_t n;
    const int32_t *history = ranking_history(ranking, anchor, &n);
    const float *weights = evidence->entry_weights;
    if (weights != NULL) {
        weights += ranking->histories->offsets[ranking->history_rows[anchor]];
    }
    return evidence_row(evidence->evidence, scratch, history, weights, n, columns, values);
}
/* norm_a of such a row of n_entries; `powers` as of evidence_norm. */
static inline float ranking_evidence_norm(const struct ranking *ranking,
                                          const struct ranking_evidence *evidence, size_t anchor,
                                          const int32_t *columns, const float *values,
                                          size_t n_entries, const float *powers)
{
    size_t n;
    const int32_t *history = ranking_history(ranking, anchor, &n);
    return evidence->is_absolute ? 1
                                 : evidence_norm(columns, values, n_entries, history,
                                                 evidence->of_all ? 0 : n, powers);
}

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
