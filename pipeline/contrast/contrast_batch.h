/* What goes into a contrast and what comes out; the kernel is contrast.h. */
#ifndef NIGHTJAR_CONTRAST_CONTRAST_BATCH_H
#define NIGHTJAR_CONTRAST_CONTRAST_BATCH_H

#include "contrast/loss.h"
#include "math/matrix.h"
#include "math/sparse.h"

struct contrast_settings {
    const struct loss *loss;
    struct loss_settings loss_settings;
    double temperature; /* > 0 */
    size_t strip_bytes; /* memory for tiles between the passes */
    bool diagnose;      /* fill the result's diagnostics; for losses that are not softmax it costs
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

#endif
