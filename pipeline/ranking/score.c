/* Arrays over the items for one set of weights. */
#include "ranking/score.h"

#include "base/mem.h"

enum status_code blend_init(struct blend *blend, const struct towers *towers, const int64_t *counts,
                            const struct evidence *evidence, const struct score_weights *weights,
                            struct status *status)
{
    size_t n_items = towers->items.rows, n_cold = towers->cold_items.rows;
    enum status_code code;
    TRY(MEM_NEW(&blend->bias, n_items + n_cold, status));
    towers_popularity_bias(counts, towers->item_bias, n_items, weights->beta, blend->bias);
    const float cold_bias = towers_cold_bias(towers->item_bias, n_items, weights->beta);
    for (size_t i = 0; i < n_cold; i++) {
        blend->bias[n_items + i] = cold_bias;
    }
    if (weights->gamma > 0) {
        TRY(MEM_NEW(&blend->powers, n_items, status));
        evidence_powers(evidence, weights->exponent, blend->powers);
        blend->evidence = evidence;
    }
    blend->scale = (float)(1.0 / towers->temperature);
    blend->bias_rows[0] = blend->bias;
    blend->power_rows[0] = blend->powers;
    blend->gammas[0] = weights->gamma;
done:
    if (code != STATUS_OK) {
        blend_release(blend);
    }
    return code;
}

void blend_release(struct blend *blend)
{
    mem_free(blend->bias);
    mem_free(blend->powers);
    *blend = (struct blend){0};
}

void blend_apply(const struct blend *blend, const struct sparse *histories, const int32_t *rows,
                 struct ranking_evidence *room, struct ranking *ranking)
{
    *room = (struct ranking_evidence){.evidence = blend->evidence,
                                      .histories = histories,
                                      .history_rows = rows,
                                      .gammas = blend->gammas,
                                      .powers = blend->power_rows};
    ranking->scale = blend->scale;
    ranking->n_biases = 1;
    ranking->biases = blend->bias_rows;
    ranking->evidence = blend->evidence == NULL ? NULL : room;
}

enum status_code blend_check(const struct score_weights *weights, bool has_evidence,
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
