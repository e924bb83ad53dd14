/* Random problems for the contrastive kernel, the kernel run on them, and every loss as a loop
 * written straight from its formula, in double. */
#ifndef NIGHTJAR_TESTS_CONTRAST_PROBLEM_H
#define NIGHTJAR_TESTS_CONTRAST_PROBLEM_H

#include "contrast/contrast.h"

enum { KEPT = 1 << 28, RECOMPUTED = 0 };

enum problem_negatives { SHARED = 1, LISTED = 2, BOTH = SHARED | LISTED };

struct problem {
    size_t b, m, d;
    float *anchors, *candidates;            /* what the kernel sees */
    double *wide_anchors, *wide_candidates; /* the same numbers, which the naive loops see */
    float *offsets, *thresholds;            /* (n_negatives), (b) */
    double *slk_weights;                    /* (positives) what slk multiplies the weights by */
    struct sparse positives, excluded, listed;
    enum problem_negatives negatives;
    bool with_offsets, with_excluded, with_thresholds;
    size_t n_negatives;
    size_t n_leaves;
    const size_t *leaves;         /* the caller's, see contrast_batch.h */
    struct contrast_parts *parts; /* where to; NULL: not apart */
    struct contrast_settings settings;
};

/* b anchors, m candidates, d dimensions; n_negatives shared ones when `negatives` has them. */
struct problem make_problem(size_t b, size_t m, size_t d, size_t n_negatives,
                            enum problem_negatives negatives, uint64_t seed);
void release_problem(struct problem *p);
const struct loss *loss_called(const char *name);

/* Asserts success. Release with release_result. */
struct contrast_result run_kernel(const struct problem *p, size_t threads);
void release_result(struct contrast_result *result);
void release_parts(struct contrast_parts *parts);

/* The loss of the problem's settings, its slk weights as they are in slk_weights. */
double naive_loss(const struct problem *p);
/* (sum x)^2 / sum x^2 over an anchor's negatives, x = exp(s + b); 0 without any. */
double naive_effective_negatives(const struct problem *p, size_t a);
/* Sum of the cosines of an anchor's negatives, and how many they are. */
double naive_negative_cosines(const struct problem *p, size_t a, size_t *n);

#endif
