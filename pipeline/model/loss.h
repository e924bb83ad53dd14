/* Contrastive losses: a table of rows, each with its formula and source. The kernel (contrast.h)
 * hands a loss one anchor at a time: the anchor's row statistic over its negatives and its
 * positives' logits; the loss answers with its value and the derivatives from which the kernel
 * makes the gradient tiles. */
#ifndef NIGHTJAR_MODEL_LOSS_H
#define NIGHTJAR_MODEL_LOSS_H

#include <stddef.h>

/* The set D(a,p) under the logarithm, for positive p of anchor a. */
enum loss_denominators {
    DENOMINATORS_INFONCE,  /* p and the negatives */
    DENOMINATORS_ALL,      /* the negatives and every positive of the anchor */
    DENOMINATORS_DECOUPLED /* the negatives alone, own positives left out */
};
extern const char *const loss_denominators_names[]; /* NULL-terminated, in enum order */

struct loss_settings {
    enum loss_denominators denominators;
    double t2; /* weight of the negative side; 1 is the softmax loss */
};

/* One anchor. s are logits: cosine / temperature. */
struct loss_row {
    double log_sum_negatives; /* log sum over its negatives c of exp(s_c + b_c); -INFINITY: none */
    size_t n_positives;
    const float *logits;  /* (n_positives) s_p */
    const float *weights; /* (n_positives) w_p > 0 */
};

struct loss {
    /* Returns the row's loss; positive_gradient (n_positives) = dL/ds_p, and *negative_mass = the
     * factor that turns the softmax over the negatives into dL/ds_c. A row without any negative
     * under its logarithm gives loss 0 and zero derivatives. */
    double (*row)(const struct loss_settings *settings, const struct loss_row *row,
                  float *positive_gradient, double *negative_mass);
};
/* Names and rows in the same order; the names end with NULL. */
extern const char *const loss_names[];
extern const struct loss loss_table[];

#endif
