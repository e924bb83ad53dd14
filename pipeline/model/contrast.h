/* The tiled contrastive kernel: loss and gradients of anchors against candidates. Every contrast of
 * nightjar, user-item or item-item, with all items or a sample as negatives, is one call.
 *
 * For anchor a, with s_ac = <A_a, C_c> / temperature: positives come as sparse entries (a, c, w);
 * negatives are either the first n_negatives candidates, shared by all anchors, less the excluded
 * entries, or an own list of entries per anchor. Positives that stand among the shared negatives
 * count there too unless excluded.
 *
 * Two passes over fixed tiles, because a row's gradient needs its sum over all negatives:
 *   1. tile of logits (GEMM), exclusions, exp, row sums;   -> loss of each row
 *   2. gradient tile = row factor * exp tile; dC tile = G^T A; dA += G C tile (two GEMMs)
 * The exp tiles are kept between the passes when all of them fit strip_bytes (6 d flops an entry),
 * else computed again (8 d flops). Sums run in double, in tile order: the same bytes with any
 * number of threads. */
#ifndef NIGHTJAR_MODEL_CONTRAST_H
#define NIGHTJAR_MODEL_CONTRAST_H

#include "base/pool.h"
#include "math/matrix.h"
#include "math/sparse.h"
#include "model/loss.h"

struct contrast_settings {
    const struct loss *loss;
    struct loss_settings loss_settings;
    double temperature; /* > 0 */
    size_t strip_bytes; /* memory for exp tiles between the passes */
};

struct contrast_batch {
    struct const_matrix anchors;    /* (n_anchors, d), rows packed (stride = d) */
    struct const_matrix candidates; /* (n_candidates, d), rows packed */
    struct sparse positives;        /* (n_anchors, n_candidates), values w > 0 */
    size_t n_negatives;             /* shared: candidates [0, n_negatives) */
    const float *offsets;           /* (n_negatives) logit offsets b_c; NULL: 0 */
    struct sparse excluded;         /* (n_anchors, n_negatives), no values; n_rows 0: nothing */
    /* Instead of shared negatives (n_negatives 0): entries (a, c) with repeats allowed, values are
       the offsets b; n_rows 0: no lists. */
    struct sparse listed; /* (n_anchors, n_candidates) */
};

struct contrast_result {
    double loss;              /* sum over anchors */
    size_t n_empty;           /* anchors without any negative: they gave no loss */
    struct matrix anchors;    /* in: caller's (n_anchors, d); out: dL / d anchors */
    struct matrix candidates; /* in: caller's (n_candidates, d); out: dL / d candidates */
};

/* Work memory, reused between calls and grown as needed. */
struct contrast;
MUST_CHECK enum status_code contrast_new(struct contrast **out, struct status *status);
void contrast_free(struct contrast *contrast); /* NULL allowed */

/* Overwrites the gradients. Errors: STATUS_NO_MEMORY only; a loss that is not finite is the
 * caller's to notice. */
MUST_CHECK enum status_code contrast_run(struct contrast *contrast,
                                         const struct contrast_settings *settings,
                                         const struct contrast_batch *batch, struct pool *pool,
                                         struct contrast_result *result, struct status *status);

#endif
