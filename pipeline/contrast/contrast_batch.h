/* What goes into a contrast and what comes out; the kernel is contrast.h. */
#ifndef NIGHTJAR_CONTRAST_CONTRAST_BATCH_H
#define NIGHTJAR_CONTRAST_CONTRAST_BATCH_H

#include "contrast/loss.h"
#include "math/matrix.h"
#include "math/sparse.h"

#include <math.h>

struct contrast_settings {
    const struct loss *loss;
    struct loss_settings loss_settings;
    double temperature; /* > 0 */
    size_t strip_bytes; /* memory for tiles between the passes */
    bool rounds;        /* the candidates' gradients of leaves and subtrees to bfloat16, before
                           they are added to one another: as if they were sent as such */
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
    /* What is summed over anchors is summed within a leaf first, then along the binary tree of the
       leaves: leaf l has the anchors [leaves[l], leaves[l + 1]). Their number is a power of two; 0:
       one leaf. So the leaves of a batch may be worked on apart, some here and some there. */
    size_t n_leaves;
    const size_t *leaves;
    /* of leaves that are worked on apart, the highest offset of all of their negatives, which
       margin losses weigh by; NULL: that of these negatives */
    const float *high_offset;
};

/* A mean over the batch, as the two that it is the quotient of: those of several parts add up. */
struct contrast_mean {
    double sum, n;
};
/* NAN where there is nothing to take a mean of. */
static inline double contrast_mean(struct contrast_mean mean)
{
    return mean.n > 0.0 ? mean.sum / mean.n : (double)NAN;
}

/* Cosines are <A_a, C_c>, which is what they are for unit vectors. */
struct contrast_diagnostics {
    struct contrast_mean positive_cosine; /* over the entries of positives */
    struct contrast_mean negative_cosine; /* over the pairs of an anchor and one of its negatives */
    /* Over the anchors with negatives: (sum_c x_c)^2 / sum_c x_c^2 with x_c = exp(s_c + b_c), the
       number of equal negatives that would be as concentrated (the effective sample size of
       importance sampling, Kong 1992): 1 when one negative has all the gradient of the softmax. */
    struct contrast_mean effective_negatives;
};

/* What the sparse entries add to the candidates' gradients, apart: a sum for each candidate and
 * leaf that has some, by candidates and then by leaves, both ascending. */
struct contrast_parts {
    size_t n;
    const int32_t *columns, *leaves; /* (n) */
    const float *values;             /* (n, d), of the contrast until its next call */
};

struct contrast_result {
    double loss;              /* sum over anchors */
    size_t n_empty;           /* anchors without any negative: they gave no loss */
    struct matrix anchors;    /* in: caller's (n_anchors, d); out: dL / d anchors */
    struct matrix candidates; /* in: caller's (n_candidates, d); out: dL / d candidates. No rows:
                                 nobody asks for it (not for losses of the uniform kind) */
    bool adds; /* in: what the candidates' gradients hold is added to, rows that take no part are
                  not touched; not for losses of the uniform kind */
    /* in: where the sums of sparse entries go, of which the candidates' gradients then hold
       nothing; NULL: there, one leaf after the other */
    struct contrast_parts *parts;
    struct contrast_diagnostics diagnostics; /* untouched unless asked for */
};

#endif
