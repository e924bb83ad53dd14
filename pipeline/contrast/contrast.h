/* The tiled contrastive kernel: loss and gradients of anchors against candidates. Every contrast of
 * nightjar, user-item or item-item, with all items or a sample as negatives, is one call.
 *
 * For anchor a, with s_ac = <A_a, C_c> / temperature: positives come as sparse entries (a, c, w).
 * Its negatives are the first n_negatives candidates, shared by all anchors, less the excluded
 * entries, and the entries of its own list; either part may be missing, and an item in both counts
 * in both. Positives that stand among the shared negatives count there too unless excluded.
 *
 * What is done with them depends on the kind of the loss (loss.h), always over fixed tiles:
 *   log-sum: two passes, because a row's gradient needs its sum over all negatives:
 *     1. tile of logits (GEMM), exclusions, exp, row sums;   -> loss of each row
 *     2. gradient tile = row factor * exp tile; dC tile = G^T A; dA += G C tile (two GEMMs)
 *     The exp tiles are kept between the passes when all of them fit strip_bytes (6 d flops an
 *     entry), else computed again (8 d flops).
 *   cut: tile of logits, psi and psi' of every (cut, negative), dC and dA in one pass (6 d flops an
 *     entry and one psi a cut); two, with the logits kept or not, when the loss looks at ranks.
 *   uniform: no logits of negatives; the shared negatives against one another and the anchors
 *     against one another (4 d flops an entry of either square). Exclusions and lists are not read.
 * Sums run in double, in tile order: the same bytes with any number of threads. */
#ifndef NIGHTJAR_CONTRAST_CONTRAST_H
#define NIGHTJAR_CONTRAST_CONTRAST_H

#include "base/pool.h"
#include "math/matrix.h"
#include "math/sparse.h"
#include "contrast/loss.h"

struct contrast_settings {
    const struct loss *loss;
    struct loss_settings loss_settings;
    double temperature; /* > 0 */
    size_t strip_bytes; /* memory for tiles between the passes */
    bool diagnose;      /* fill the result's diagnostics; for losses that are not log-sum it costs
                           another 2 d flops an entry */
};

struct contrast_batch {
    struct const_matrix anchors;    /* (n_anchors, d), rows packed (stride = d) */
    struct const_matrix candidates; /* (n_candidates, d), rows packed */
    struct sparse positives;        /* (n_anchors, n_candidates), values w > 0; repeats allowed */
    size_t n_negatives;             /* shared: candidates [0, n_negatives) */
    const float *offsets;           /* (n_negatives) logit offsets b_c; NULL: 0 */
    struct sparse excluded;         /* (n_anchors, n_negatives), no values; n_rows 0: nothing */
    /* Negatives of one anchor: entries (a, c) with repeats allowed, in any order, values are the
       offsets b; n_rows 0: no lists. */
    struct sparse listed;    /* (n_anchors, n_candidates) */
    const float *thresholds; /* (n_anchors) logits theta_a of slk; NULL: none */
};

/* Means over the batch; NAN where there is nothing to take a mean of. Cosines are <A_a, C_c>, which
 * is what they are for unit vectors. */
struct contrast_diagnostics {
    double positive_cosine; /* over the entries of positives */
    double negative_cosine; /* over the pairs of an anchor and one of its negatives */
    /* Over the anchors with negatives: (sum_c x_c)^2 / sum_c x_c^2 with x_c = exp(s_c + b_c), the
       number of equal negatives that would be as concentrated (the effective sample size of
       importance sampling, Kong 1992): 1 when one negative has all the gradient of the softmax. */
    double effective_negatives;
};

struct contrast_result {
    double loss;              /* sum over anchors */
    size_t n_empty;           /* anchors without any negative: they gave no loss */
    struct matrix anchors;    /* in: caller's (n_anchors, d); out: dL / d anchors */
    struct matrix candidates; /* in: caller's (n_candidates, d); out: dL / d candidates */
    bool adds; /* in: what the candidates' gradients hold is added to, rows that take no part are
                  not touched; not for losses of the uniform kind */
    struct contrast_diagnostics diagnostics; /* untouched unless asked for */
};

/* Work memory, reused between calls and grown as needed. */
struct contrast;
MUST_CHECK enum status_code contrast_new(struct contrast **out, struct status *status);
void contrast_free(struct contrast *contrast); /* NULL allowed */

/* Overwrites the gradients, or adds to the candidates' (result->adds). Errors: STATUS_NO_MEMORY
 * only; a loss that is not finite is the caller's to notice. */
MUST_CHECK enum status_code contrast_run(struct contrast *contrast,
                                         const struct contrast_settings *settings,
                                         const struct contrast_batch *batch, struct pool *pool,
                                         struct contrast_result *result, struct status *status);

#endif
