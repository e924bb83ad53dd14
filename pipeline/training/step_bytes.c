/* An item with n own users is among the positives of those who are in a step with the probability
 * 1 - (1 - 1 / n_batches)^n, of those who are in one of its leaves likewise. */
#include "training/step_bytes.h"

#include "base/mem.h"
#include "negatives/sampler.h"
#include "training/epoch_order.h"
#include "training/item_rows.h"

#include <math.h>

static bool has_other_rows(const struct trainer_input *input)
{
    const struct negative_settings *negatives = input->negatives;
    const enum negative_strategy strategy = negatives->strategy;
    return strategy == NEGATIVES_IN_BATCH || strategy == NEGATIVES_MIXED ||
           strategy == NEGATIVES_QUEUE || !negatives->shared || negatives->hard.count > 0 ||
           input->dislikes != NULL || input->stored_negatives != NULL ||
           input->settings->co_items.weight > 0 || input->settings->propagation.hops > 0;
}

/* 1 - (1 - chance)^n */
static double at_least_once(double chance, double n)
{
    return chance < 1 ? -expm1(n * log1p(-chance)) : n > 0;
}

/* Whether the item is among the shared negatives. */
static double chance_shared(const struct sampler *sampler, size_t item)
{
    return sampler->settings.strategy == NEGATIVES_ALL
               ? 1
               : at_least_once(exp(sampler->log_q[item]), (double)sampler->settings.count);
}

static double sum_up(const struct trainer_input *input, size_t n_batches,
                     const struct sampler *sampler, const int64_t *own_counts)
{
    const double n_ranks = (double)ranks_n(input->ranks), batches = (double)n_batches;
    const double leaves = (double)epoch_order_leaves(input->settings->batch_users) / n_ranks;
    const double vector =
        (double)(ranks_float_size(input->settings->wire) * input->settings->dimension);
    double shared = 0, asked = 0, parts = 0;
    for (size_t i = 0; i < sampler->n_items; i++) {
        const double chance = chance_shared(sampler, i), n = (double)own_counts[i];
        shared += chance;
        asked += (1 - chance) * at_least_once(1 / batches, n);
        parts += leaves * at_least_once(1 / (batches * leaves), n);
    }
    return item_rows_step_bytes(n_ranks, vector, shared, asked, parts);
}

enum status_code step_bytes_expect(const struct trainer_input *input, size_t n_batches,
                                   double *bytes, struct status *status)
{
    const struct sparse *train = &input->train->matrix;
    struct sampler sampler = {0};
    int64_t *own_counts = NULL;
    enum status_code code = STATUS_OK;
    *bytes = NAN;
    if (has_other_rows(input) || train->n_columns == 0) {
        goto done;
    }
    TRY(sampler_init(&sampler, input->negatives, input->item_counts, train->n_columns, status));
    TRY(MEM_NEW(&own_counts, train->n_columns, status));
    for (size_t e = 0; e < sparse_entries(train); e++) {
        own_counts[train->columns[e]]++;
    }
    *bytes = sum_up(input, n_batches, &sampler, own_counts);
done:
    mem_free(own_counts);
    sampler_release(&sampler);
    return code;
}
