/* What each part of the score is worth: the exam's metric once more without it, all other weights
 * as they are. Of two parts that say the same each seems to be worth little. */
#ifndef NIGHTJAR_EVALUATION_SCORE_WORTH_H
#define NIGHTJAR_EVALUATION_SCORE_WORTH_H

#include "evaluation/exam.h"

struct score_worth {
    size_t n; /* parts; 0: the cosine is all that there is */
    struct {
        char name[48];  /* as score_terms has it */
        double without; /* the metric */
    } parts[SCORE_TERMS_MAX];
};

/* values (n_users of the exam) = its metric of each under the weights. */
MUST_CHECK enum status_code score_worth_measure(const struct exam *exam,
                                                const struct exam_scoring *scoring,
                                                const struct score_weights *weights,
                                                struct pool *pool, struct exam_progress *progress,
                                                double *values, struct score_worth *out,
                                                struct status *status);

#endif
