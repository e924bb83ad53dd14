/* The weights of all parts of the score at once, learned on the validation part: what each user
 * chose there against other items, a convex softmax loss over the parts' values. */
#ifndef NIGHTJAR_EVALUATION_BLEND_H
#define NIGHTJAR_EVALUATION_BLEND_H

#include "base/pool.h"
#include "base/watch.h"
#include "evaluation/exam.h"
#include "ranking/score.h"

struct blend_request {
    const struct exam *exam;             /* with users */
    const struct embeddings *embeddings; /* of exam->dataset */
    struct score_sources sources;        /* of that dataset too; without own: nobody comes back */
    struct score_weights base; /* what has to be beaten: evidence, or ridge as its one part */
    double exponent;           /* of the evidence that is offered, where the base has none */
    uint64_t seed;
    struct watch watch; /* asked between steps */
};

struct blend {
    struct score_weights weights; /* with parts; of the cosine 1 */
    bool is_better;               /* on users whom its weights were not fitted on */
    double value, base_value;     /* the exam's metric on those users; 0: too few to fit on */
};

/* `out` is the base, and not better, where the users are fewer than 100. */
MUST_CHECK enum status_code blend_fit(const struct blend_request *request, struct pool *pool,
                                      struct blend *out, struct status *status);

#endif
