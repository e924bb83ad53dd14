/* A bounded heap whose root is the worst entry kept. */
#include "math/topk.h"

#include <assert.h>
#include <math.h>

/* Scores looked at together before the heap is touched: a constant trip count, so that the
 * compiler turns the comparison into vector code. */
enum { TOPK_RUN = 32 };

void topk_init(struct topk *topk, size_t k, float *scores, int32_t *indices,
               const uint32_t *tie_rank)
{
    *topk = (struct topk){.k = k, .scores = scores, .indices = indices, .tie_rank = tie_rank};
}

float topk_threshold(const struct topk *topk)
{
    if (topk->k == 0) {
        return INFINITY;
    }
    return topk->n < topk->k ? -INFINITY : topk->scores[0];
}

/* Whether (score_a, a) stands before (score_b, b). */
static bool better(const struct topk *topk, float score_a, int32_t a, float score_b, int32_t b)
{
    if (score_a != score_b) {
        return score_a > score_b;
    }
    if (topk->tie_rank != NULL && topk->tie_rank[a] != topk->tie_rank[b]) {
        return topk->tie_rank[a] < topk->tie_rank[b];
    }
    return a < b;
}

/* Puts the entry at the top or below, moving worse children up; `n` entries count. */
static void sift_down(struct topk *topk, size_t n, float score, int32_t index)
{
    size_t place = 0;
    float *scores = topk->scores;
    int32_t *indices = topk->indices;
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= n) {
            break;
        }
        if (child + 1 < n &&
            better(topk, scores[child], indices[child], scores[child + 1], indices[child + 1])) {
            child++; /* the worse of the two */
        }
        if (!better(topk, score, index, scores[child], indices[child])) {
            break;
        }
        scores[place] = scores[child];
        indices[place] = indices[child];
        place = child;
    }
    scores[place] = score;
    indices[place] = index;
}

static void sift_up(struct topk *topk, size_t place, float score, int32_t index)
{
    while (place > 0) {
        size_t parent = (place - 1) / 2;
        if (!better(topk, topk->scores[parent], topk->indices[parent], score, index)) {
            break;
        }
        topk->scores[place] = topk->scores[parent];
        topk->indices[place] = topk->indices[parent];
        place = parent;
    }
    topk->scores[place] = score;
    topk->indices[place] = index;
}

void topk_offer(struct topk *topk, float score, int32_t index)
{
    if (isnan(score) || topk->k == 0) {
        return;
    }
    if (topk->n < topk->k) {
        topk->n++;
        sift_up(topk, topk->n - 1, score, index);
    } else if (better(topk, score, index, topk->scores[0], topk->indices[0])) {
        sift_down(topk, topk->n, score, index);
    }
}

/* NaN compares false, so a run of nothing but NaN is skipped, too. */
static bool any_reaches(const float *scores, float threshold)
{
    int32_t any = 0;
    for (size_t j = 0; j < TOPK_RUN; j++) {
        any |= scores[j] >= threshold ? 1 : 0;
    }
    return any != 0;
}

void topk_offer_all(struct topk *topk, const float *scores, size_t count)
{
    assert(count <= (size_t)INT32_MAX);
    if (topk->k == 0) {
        return;
    }
    size_t j = 0;
    for (; j + TOPK_RUN <= count; j += TOPK_RUN) {
        if (!any_reaches(scores + j, topk_threshold(topk))) {
            continue;
        }
        for (size_t i = j; i < j + TOPK_RUN; i++) {
            if (scores[i] >= topk_threshold(topk)) {
                topk_offer(topk, scores[i], (int32_t)i);
            }
        }
    }
    for (; j < count; j++) {
        topk_offer(topk, scores[j], (int32_t)j);
    }
}

void topk_finish(struct topk *topk)
{
    /* takes the worst off the heap again and again and puts it behind the rest */
    for (size_t n = topk->n; n > 1; n--) {
        float last_score = topk->scores[n - 1];
        int32_t last_index = topk->indices[n - 1];
        topk->scores[n - 1] = topk->scores[0];
        topk->indices[n - 1] = topk->indices[0];
        sift_down(topk, n - 1, last_score, last_index);
    }
}
