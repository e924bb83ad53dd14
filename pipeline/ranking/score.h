/* The blended score (evidence.h) under one set of weights, ready for ranking.c. */
#ifndef NIGHTJAR_RANKING_SCORE_H
#define NIGHTJAR_RANKING_SCORE_H

#include "pairs/evidence.h"
#include "ranking/ranking.h"
#include "towers/embeddings.h"

/* Zero-initialise. It points into itself: not to be moved once initialised. */
struct score {
    float scale;                     /* of the products: 1 / tau */
    float *bias;                     /* (n_items, then the towers' cold items) popularity term */
    float *powers;                   /* (n_items), NULL without evidence */
    const struct evidence *evidence; /* NULL: gamma is 0 */
    const float *bias_rows[1], *power_rows[1];
    double gammas[1];
};

/* out (n_items) = the popularity term: beta log(1 + p_i) with the half-life of the weights, or beta
 * times the term that the towers have learned, which has none. `dataset` is the towers' basis. */
MUST_CHECK enum status_code score_popularity(const struct embeddings *embeddings,
                                             const struct dataset *dataset,
                                             const struct score_weights *weights, float *out,
                                             struct status *status);
/* `evidence` (of the basis `dataset`, like the towers; NULL allowed where gamma is 0) must outlive
 * it, like the artifact of the towers. */
MUST_CHECK enum status_code score_init(struct score *score, const struct embeddings *embeddings,
                                       const struct dataset *dataset,
                                       const struct evidence *evidence,
                                       const struct score_weights *weights, struct status *status);
void score_release(struct score *score);

/* Fills scale, biases and evidence of a ranking; anchor a has the history in row rows[a] of
 * `histories` (columns are items of the towers, ascending). Candidates are the towers' items, or
 * these and then their cold items, which have no evidence. `room` belongs to the caller and lives
 * as long as the ranking. */
void score_apply(const struct score *score, const struct sparse *histories, const int32_t *rows,
                 struct ranking_evidence *room, struct ranking *ranking);

/* A gamma without the evidence that it weighs: STATUS_INTERNAL, naming the stage. */
MUST_CHECK enum status_code score_check(const struct score_weights *weights, bool has_evidence,
                                        const char *stage, struct status *status);

#endif
