/* Arrays over the items for one set of weights. */
#include "ranking/score.h"

#include "base/mem.h"

#include <math.h>

enum status_code score_popularity(const struct embeddings *embeddings,
                                  const struct dataset *dataset,
                                  const struct score_weights *weights, float *out,
                                  struct status *status)
{
    double *popularity = NULL;
    enum status_code code;
    TRY(MEM_NEW(&popularity, dataset->n_items, status));
    history_popularity(&dataset->train, weights->half_life, popularity);
    for (size_t i = 0; i < dataset->n_items; i++) {
        const double term = embeddings->item_bias != NULL && weights->half_life == 0
                                ? (double)embeddings->item_bias[i]
                                : log1p(popularity[i]);
        out[i] = (float)(weights->beta * term);
    }
done:
    mem_free(popularity);
    return code;
}

enum status_code score_init(struct score *score, const struct embeddings *embeddings,
                            const struct dataset *dataset, const struct evidence *evidence,
                            const struct score_weights *weights, struct status *status)
{
    size_t n_items = embeddings->items.rows, n_cold = embeddings->cold_items.rows;
    enum status_code code;
    TRY(MEM_NEW(&score->bias, n_items + n_cold, status));
    TRY(score_popularity(embeddings, dataset, weights, score->bias, status));
    const float cold_bias = embeddings_cold_bias(embeddings->item_bias, n_items, weights->beta);
    for (size_t i = 0; i < n_cold; i++) {
        score->bias[n_items + i] = cold_bias;
    }
    if (weights->gamma > 0) {
        TRY(MEM_NEW(&score->powers, n_items, status));
        evidence_powers(evidence, weights->exponent, score->powers);
        score->evidence = evidence;
    }
    score->scale = (float)(1.0 / embeddings->temperature);
    score->bias_rows[0] = score->bias;
    score->power_rows[0] = score->powers;
    score->gammas[0] = weights->gamma;
done:
    if (code != STATUS_OK) {
        score_release(score);
    }
    return code;
}

void score_release(struct score *score)
{
    mem_free(score->bias);
    mem_free(score->powers);
    *score = (struct score){0};
}

void score_apply(const struct score *score, const struct sparse *histories, const int32_t *rows,
                 struct ranking_evidence *room, struct ranking *ranking)
{
    *room = (struct ranking_evidence){.evidence = score->evidence,
                                      .histories = histories,
                                      .history_rows = rows,
                                      .gammas = score->gammas,
                                      .powers = score->power_rows};
    ranking->scale = score->scale;
    ranking->n_biases = 1;
    ranking->biases = score->bias_rows;
    ranking->evidence = score->evidence == NULL ? NULL : room;
}

enum status_code score_check(const struct score_weights *weights, bool has_evidence,
                             const char *stage, struct status *status)
{
    if (has_evidence || weights->gamma == 0) {
        return STATUS_OK;
    }
    return status_set(status, STATUS_INTERNAL,
                      "%s: the calibration weighs evidence with %g, but the artifact evidence has "
                      "none; run again with --force",
                      stage, weights->gamma);
}
