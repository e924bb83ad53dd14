/* What is fitted, between the files of the blend. */
#ifndef NIGHTJAR_EVALUATION_BLEND_INTERNAL_H
#define NIGHTJAR_EVALUATION_BLEND_INTERNAL_H

#include "evaluation/blend.h"
#include "evaluation/blend_logit.h"

/* Columns of the values: the base's score; the cosine's part of it, by which the rest of the base
 * can lose weight; where own items speak for themselves the popularity's part, which the cosine
 * that spoke for them has held down; the parts. */
enum { BASE, COSINE, POPULARITY, FIRST_PART };

struct fitting {
    const struct blend_request *request;
    struct pool *pool;
    struct exam exam;         /* the request's, with fewer users */
    struct score_weights all; /* the base, and every part with weight 1 */
    size_t n_base;            /* parts that the base has: 0 or 1 */
    size_t n_columns;
    size_t n_evidence;                     /* under `all` */
    size_t column_of[1 + SCORE_PARTS_MAX]; /* of each */
    struct logit logit;
    /* of the sitting that is looked at */
    const struct exam_sitting *sitting;
    struct score score;     /* of `all` */
    struct ranking ranking; /* its histories under it */
    int32_t *best;          /* the best few of each of its cases by the base */
};

static inline struct exam_scoring scoring_of(const struct blend_request *request)
{
    return (struct exam_scoring){request->embeddings, request->sources};
}

/* Fills in the choices of fitting->logit that this rank's users made, sitting by sitting; the parts
 * are listed. Without memory for a choice logit_ready says so. */
MUST_CHECK enum status_code blend_collect(struct fitting *fitting, struct status *status);
/* All choices on all ranks, so that the fit is the same everywhere. */
MUST_CHECK enum status_code blend_join(struct fitting *fitting, struct status *status);

#endif
