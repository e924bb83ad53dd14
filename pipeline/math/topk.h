/* Selection of the k best of many scores, ties broken by a rank that the caller gives.
 *
 *     struct topk topk;
 *     topk_init(&topk, k, scores, indices, NULL);    scores and indices (k) are the caller's
 *     topk_offer_all(&topk, all, count);             or topk_offer, one by one
 *     topk_finish(&topk);
 *     indices[0 .. topk.n) are the best, best first */
#ifndef NIGHTJAR_MATH_TOPK_H
#define NIGHTJAR_MATH_TOPK_H

#include "base/status.h"

/* A bounded heap over caller-owned arrays. Better: a higher score; at equal scores the lower
 * tie_rank; without tie_rank the lower index. NaN scores are never taken;
 * -INFINITY is a score like any other, so callers that mask with it drop such rows afterwards. */
struct topk {
    size_t k, n;              /* capacity and current fill */
    float *scores;            /* (k) */
    int32_t *indices;         /* (k) */
    const uint32_t *tie_rank; /* by index, or NULL */
};

void topk_init(struct topk *topk, size_t k, float *scores, int32_t *indices,
               const uint32_t *tie_rank);
/* The score that a newcomer has to reach (equal may still win by tie rank); -INFINITY until full.
 */
float topk_threshold(const struct topk *topk);
void topk_offer(struct topk *topk, float score, int32_t index);
/* Offers scores[0..count), indexed by their places; skips quickly what is below the threshold. */
void topk_offer_all(struct topk *topk, const float *scores, size_t count);
/* Sorts best first. The heap property is gone: only topk_init may follow. */
void topk_finish(struct topk *topk);

#endif
