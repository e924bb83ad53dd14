/* Contrastive losses: a table of rows, each with its formula and source. A row says of what kind
 * its loss is, which is what the kernel (contrast.h) needs to know of it: which function it applies
 * to the logits of the negatives, and which sums it takes of that.
 *
 * Throughout, for one anchor a: s_c = cosine / temperature are logits, cos_c = s_c temperature;
 * positives p weigh w_p, W = sum_p w_p; a negative c with offset b_c counts v_c = exp(b_c) times,
 * so that popularity and logQ offsets mean the same in every loss; V = sum_c v_c. A mean over the
 * negatives is sum_c v_c (...) / V: it does not grow with the number of negatives drawn. Every loss
 * doubles when its weights do.
 *
 * A new loss is a row of LOSSES below, with its functions under their formula in loss.c. The
 * option, its help and the tests against finite differences go over the table. */
#ifndef NIGHTJAR_CONTRAST_LOSS_H
#define NIGHTJAR_CONTRAST_LOSS_H

#include <stdbool.h>
#include <stddef.h>

/* The set D(a,p) under the logarithm, for positive p of anchor a. A positive that already stands
 * among the negatives is counted once, as the negative that it is. */
enum loss_denominators {
    DENOMINATORS_INFONCE,  /* p and the negatives */
    DENOMINATORS_ALL,      /* the negatives and every positive of the anchor */
    DENOMINATORS_DECOUPLED /* the negatives alone, own positives left out by the caller */
};
extern const char *const loss_denominators_names[]; /* NULL-terminated, in enum order */

struct loss_settings {
    enum loss_denominators denominators;
    double t2;              /* weight of the negative side; 1 is the softmax loss */
    double margin;          /* in cosines */
    double negative_weight; /* of the mean over the negatives */
    double uniformity;      /* gamma of directau */
    double slk_width;       /* tau_w of slk, in logits, > 0 */
};

/* Which settings a loss reads, as a set of bits. */
enum loss_uses {
    LOSS_USES_DENOMINATORS = 1 << 0,
    LOSS_USES_T2 = 1 << 1,
    LOSS_USES_MARGIN = 1 << 2,
    LOSS_USES_NEGATIVE_WEIGHT = 1 << 3,
    LOSS_USES_UNIFORMITY = 1 << 4,
    LOSS_USES_SLK_WIDTH = 1 << 5 /* and the thresholds of a batch */
};

enum loss_kind {
    LOSS_SOFTMAX, /* of log sum_c exp(s_c + b_c) */
    LOSS_MARGIN,  /* of sum_c v_c psi(s_c - cut), at one cut or at one a positive */
    LOSS_UNIFORM  /* of the positives alone, and of how evenly anchors and candidates are spread */
};

/* One anchor of a softmax loss. */
struct loss_row {
    double log_sum_negatives; /* log sum over its negatives c of exp(s_c + b_c); -INFINITY: none */
    size_t n_positives;
    const float *logits;     /* (n_positives) s_p */
    const float *weights;    /* (n_positives) w_p > 0 */
    const bool *is_negative; /* (n_positives) p is one of the negatives, too; NULL: none is */
    double threshold;        /* theta_a of slk, a logit; -INFINITY: every positive weighs w_p */
};

/* psi of a margin loss. */
enum loss_shape {
    SHAPE_HINGE,   /* max(0, x) */
    SHAPE_SOFTPLUS /* log(1 + exp(x)) */
};

/* One cut of an anchor. */
struct loss_cut {
    double weight;       /* w_p where each positive has its cut, else W */
    double negatives;    /* V > 0, in the same unit as slope */
    double temperature;  /* dL/dcos = dL/ds / temperature */
    double count, slope; /* by_rank alone: the number of negatives above the cut, and their sum of
                            v_c; else 0 */
};

struct loss {
    enum loss_kind kind;
    unsigned uses; /* of enum loss_uses */

    /* LOSS_SOFTMAX: returns the row's loss; positive_gradient (n_positives) = dL/ds_p, and
     * *negative_mass = the factor that turns the softmax over the negatives into dL/ds_c. A row
     * without any negative gives loss 0 and zero derivatives. */
    double (*row)(const struct loss_settings *settings, const struct loss_row *row,
                  float *positive_gradient, double *negative_mass);

    /* LOSS_MARGIN: L_a = sum_p w_p positive(s_p) + sum over its cuts k of
     *     factor_k sum_c v_c psi(s_c - cut_k),
     * cut_k = (s_p of each positive, or 0) + margin_side margin / temperature. */
    enum loss_shape shape;
    bool cut_each;   /* a cut for each positive */
    int margin_side; /* -1, 0, 1 */
    bool by_rank;    /* the factor looks at count and slope of its cut, else both are 0 */
    double (*factor)(const struct loss_settings *settings, const struct loss_cut *cut);
    /* Returns the value and sets its derivative to the logit; NULL: 0. */
    double (*positive)(double logit, double temperature, double *slope);
};

/* name, what the option's help says of it, its members of struct loss */
#define LOSSES(ROW)                                                                                \
    ROW(softmax, "cross-entropy against the negatives", .kind = LOSS_SOFTMAX,                      \
        .uses = LOSS_USES_DENOMINATORS | LOSS_USES_T2, .row = softmax_row)                         \
    ROW(bsl, "the same with a log-mean-exp over a user's positives", .kind = LOSS_SOFTMAX,         \
        .uses = LOSS_USES_T2, .row = bsl_row)                                                      \
    ROW(supcon, "softmax with all of a user's positives under the logarithm",                      \
        .kind = LOSS_SOFTMAX, .row = supcon_row)                                                   \
    ROW(slk, "softmax that favours positives within reach of the top ranks", .kind = LOSS_SOFTMAX, \
        .uses = LOSS_USES_DENOMINATORS | LOSS_USES_T2 | LOSS_USES_SLK_WIDTH, .row = slk_row)       \
    ROW(bpr, "logistic of the difference to a negative", .kind = LOSS_MARGIN,                      \
        .shape = SHAPE_SOFTPLUS, .cut_each = true, .factor = bpr_factor)                           \
    ROW(triplet, "hinge of that difference", .kind = LOSS_MARGIN, .uses = LOSS_USES_MARGIN,        \
        .shape = SHAPE_HINGE, .cut_each = true, .margin_side = -1, .factor = triplet_factor)       \
    ROW(warp, "triplet weighted by rank", .kind = LOSS_MARGIN, .uses = LOSS_USES_MARGIN,           \
        .shape = SHAPE_HINGE, .cut_each = true, .margin_side = -1, .by_rank = true,                \
        .factor = warp_factor)                                                                     \
    ROW(ccl, "cosine plus hinge of the negatives' cosines", .kind = LOSS_MARGIN,                   \
        .uses = LOSS_USES_MARGIN | LOSS_USES_NEGATIVE_WEIGHT, .shape = SHAPE_HINGE,                \
        .margin_side = 1, .factor = ccl_factor, .positive = ccl_positive)                          \
    ROW(logistic, "binary cross-entropy", .kind = LOSS_MARGIN, .uses = LOSS_USES_NEGATIVE_WEIGHT,  \
        .shape = SHAPE_SOFTPLUS, .factor = logistic_factor, .positive = logistic_positive)         \
    ROW(directau, "alignment and uniformity", .kind = LOSS_UNIFORM, .uses = LOSS_USES_UNIFORMITY)

#define LOSS_HELP_ROW(name, help, ...) " " #name ": " help "."
#define LOSS_HELP                      LOSSES(LOSS_HELP_ROW)
extern const char *const loss_names[];         /* NULL-terminated, in the order of the rows */
extern const char *const loss_or_auto_names[]; /* and "auto" behind them */
#define LOSS_ROW_NUMBER(name, ...) LOSS_ROW_##name,
enum { LOSSES(LOSS_ROW_NUMBER) LOSS_AUTO }; /* into loss_table; LOSS_AUTO: train is to choose */
extern const struct loss loss_table[];

#endif
