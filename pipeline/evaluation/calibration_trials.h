/* What the search for score weights has measured: every setting tried, with its value for every
 * validation user, so that two settings can be compared user by user. */
#ifndef NIGHTJAR_EVALUATION_CALIBRATION_TRIALS_H
#define NIGHTJAR_EVALUATION_CALIBRATION_TRIALS_H

#include "base/pool.h"
#include "base/watch.h"
#include "evaluation/exam.h"
#include "ranking/score.h"

struct calibration_grid {
    double from, to, step; /* from <= to, step > 0 */
};

struct calibration_request {
    const struct exam *exam;             /* with users */
    const struct embeddings *embeddings; /* of exam->dataset */
    struct score_sources sources;        /* of that dataset too */
    struct calibration_grid popularity;  /* the betas of `auto` */
    struct score_weights given;          /* NAN: auto; gamma and exponent >= 0 */
    bool blends;                         /* learned evidence and further parts are weighed */
    uint64_t seed;
    struct watch watch; /* told in cases, once for each pass */
};

/* Zero-initialise, but for request, progress and pool. */
struct trials {
    const struct calibration_request *request;
    struct pool *pool;
    struct exam_progress *progress; /* of all trials of a search */
    size_t n;
    struct score_weights *weights; /* (n) in the order they were tried; at most one part, ridge */
    double *values;                /* (n) the metric's mean */
    double *user_values;           /* (n, users of the exam) */
};

void trials_release(struct trials *trials);

/* Tries settings (n), those of them that are new, in one pass over the products. Settings that
 * share an exponent, and among these a gamma, should stand side by side; all have the same parts.
 */
MUST_CHECK enum status_code trials_measure(struct trials *trials,
                                           const struct score_weights *settings, size_t n,
                                           struct status *status);

#endif
