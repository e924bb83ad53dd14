/* Proposals, draws from them and the offsets that make up for them. What a loss does with the
 * negatives is not known here. */
#include "negatives/sampler.h"

#include "base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

const char *const negative_stored_slots[N_BASES] = {"fit.stored", "all.stored"};
const char *const negative_strategy_names[] = {"all",   "uniform", "popularity", "in_batch",
                                               "mixed", "queue",   NULL};

/* ---- alias tables ---- */

/* Vose 1991: items that weigh less than the mean are each filled up to it by one that weighs more.
 * `scaled` (n) has mean 1 and is used up; stack (n) holds the light items from below and the heavy
 * ones from above. */
static void fill_alias_table(struct alias_table *table, double *scaled, int32_t *stack)
{
    size_t n_light = 0, n_heavy = 0;
    for (size_t i = 0; i < table->n; i++) {
        if (scaled[i] < 1) {
            stack[n_light++] = (int32_t)i;
        } else {
            stack[table->n - ++n_heavy] = (int32_t)i;
        }
    }
    while (n_light > 0 && n_heavy > 0) {
        const int32_t light = stack[--n_light];
        const int32_t heavy = stack[table->n - n_heavy];
        table->probability[light] = (float)scaled[light];
        table->alias[light] = heavy;
        scaled[heavy] = (scaled[heavy] + scaled[light]) - 1;
        if (scaled[heavy] < 1) {
            n_heavy--;
            stack[n_light++] = heavy;
        }
    }
    /* what is left differs from 1 by rounding only */
    while (n_light > 0) {
        const int32_t item = stack[--n_light];
        table->probability[item] = 1;
        table->alias[item] = item;
    }
    for (; n_heavy > 0; n_heavy--) {
        const int32_t item = stack[table->n - n_heavy];
        table->probability[item] = 1;
        table->alias[item] = item;
    }
}

static enum status_code sum_weights(const double *weights, size_t n, double *sum,
                                    struct status *status)
{
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(weights[i]) || weights[i] < 0) {
            return status_set(status, STATUS_INTERNAL,
                              "sampling weight %zu is %g; allowed: finite and at least 0", i,
                              weights[i]);
        }
        total += weights[i];
    }
    if (!(total > 0) || !isfinite(total) || n > INT32_MAX) {
        return status_set(status, STATUS_INTERNAL,
                          "%zu sampling weights with sum %g; allowed: a finite sum above 0 over at "
                          "most %" PRId32 " weights",
                          n, total, INT32_MAX);
    }
    *sum = total;
    return STATUS_OK;
}

enum status_code alias_init(struct alias_table *table, const double *weights, size_t n,
                            struct status *status)
{
    struct alias_table made = {.n = n};
    double *scaled = NULL;
    int32_t *stack = NULL;
    double sum = 0;
    enum status_code code = STATUS_OK;
    TRY(sum_weights(weights, n, &sum, status));
    TRY(MEM_NEW(&made.probability, n, status));
    TRY(MEM_NEW(&made.alias, n, status));
    TRY(MEM_NEW(&scaled, n, status));
    TRY(MEM_NEW(&stack, n, status));
    for (size_t i = 0; i < n; i++) {
        scaled[i] = weights[i] / sum * (double)n;
    }
    fill_alias_table(&made, scaled, stack);
    *table = made;
    made = (struct alias_table){0};
done:
    alias_release(&made);
    mem_free(scaled);
    mem_free(stack);
    return code;
}

int32_t alias_draw(const struct alias_table *table, struct rng *rng)
{
    const size_t cell = (size_t)rng_below(rng, table->n);
    return rng_double(rng) < (double)table->probability[cell] ? (int32_t)cell : table->alias[cell];
}

void alias_release(struct alias_table *table)
{
    mem_free(table->probability);
    mem_free(table->alias);
    *table = (struct alias_table){0};
}

/* ---- the sampler ---- */

/* target = alpha log(1 + n_c) - z. Powers are taken relative to the largest, so that none
 * overflows.
 */
static void fill_target(struct sampler *sampler, const int64_t *counts)
{
    double sum = 0, largest = 0;
    for (size_t c = 0; c < sampler->n_items; c++) {
        sampler->target[c] = sampler->settings.alpha * log1p((double)counts[c]);
        largest = sampler->target[c] > largest ? sampler->target[c] : largest;
    }
    for (size_t c = 0; c < sampler->n_items; c++) {
        sum += exp(sampler->target[c] - largest);
    }
    const double z = largest + log(sum / (double)sampler->n_items);
    for (size_t c = 0; c < sampler->n_items; c++) {
        sampler->target[c] -= z;
    }
}

/* log_q of the strategy, and its alias table. */
static enum status_code make_proposal(struct sampler *sampler, const int64_t *counts,
                                      struct status *status)
{
    const size_t n = sampler->n_items;
    double *weights = NULL;
    double n_interactions = 0;
    enum status_code code = STATUS_OK;
    if (sampler->settings.strategy == NEGATIVES_MIXED) {
        TRY(MEM_NEW(&sampler->share, n, status));
    } else {
        TRY(MEM_NEW(&sampler->log_q, n, status));
    }
    for (size_t c = 0; c < n; c++) {
        n_interactions += (double)counts[c];
    }
    switch (sampler->settings.strategy) {
    case NEGATIVES_ALL:
        break;
    case NEGATIVES_UNIFORM:
        for (size_t c = 0; c < n; c++) {
            sampler->log_q[c] = -log((double)n);
        }
        break;
    case NEGATIVES_POPULARITY:
        TRY(MEM_NEW(&weights, n, status));
        for (size_t c = 0; c < n; c++) {
            sampler->log_q[c] = sampler->target[c] - log((double)n);
            weights[c] = exp(sampler->log_q[c]);
        }
        TRY(alias_init(&sampler->table, weights, n, status));
        break;
    case NEGATIVES_MIXED:
        for (size_t c = 0; c < n; c++) {
            sampler->share[c] = (double)counts[c] / n_interactions;
        }
        break;
    case NEGATIVES_IN_BATCH:
    case NEGATIVES_QUEUE:
        for (size_t c = 0; c < n; c++) {
            sampler->log_q[c] = log((double)counts[c] / n_interactions);
        }
        break;
    }
done:
    mem_free(weights);
    return code;
}

enum status_code sampler_init(struct sampler *sampler, const struct negative_settings *settings,
                              const int64_t *counts, size_t n_items, struct status *status)
{
    enum status_code code = STATUS_OK;
    *sampler = (struct sampler){.settings = *settings, .n_items = n_items};
    if (n_items == 0 || n_items > INT32_MAX) {
        code = status_set(status, STATUS_INTERNAL, "negatives of %zu items; allowed: 1 to %" PRId32,
                          n_items, INT32_MAX);
        goto done;
    }
    if (settings->strategy == NEGATIVES_UNIFORM && settings->shared && settings->correct &&
        settings->count >= n_items) {
        /* as many draws as there are items: every item once costs less and says more */
        sampler->settings.strategy = NEGATIVES_ALL;
    }
    TRY(MEM_NEW(&sampler->target, n_items, status));
    fill_target(sampler, counts);
    if (sampler->settings.strategy != NEGATIVES_ALL) {
        TRY(make_proposal(sampler, counts, status));
        TRY(index_set_init(&sampler->drawn, n_items, status));
        TRY(MEM_NEW(&sampler->times_drawn, n_items, status));
    }
    if (settings->strategy == NEGATIVES_QUEUE) {
        TRY(MEM_NEW(&sampler->queue, settings->count, status));
    }
done:
    if (code != STATUS_OK) {
        sampler_release(sampler);
    }
    return code;
}

static int32_t draw_one(const struct sampler *sampler, struct rng *rng)
{
    return sampler->settings.strategy == NEGATIVES_POPULARITY
               ? alias_draw(&sampler->table, rng)
               : (int32_t)rng_below(rng, sampler->n_items);
}

/* log(m q_c) of a set of `drawn` draws from the proposal and `given` positives of batches, which
 * come in proportion to n. */
static double log_expected(const struct sampler *sampler, int32_t item, size_t drawn, size_t given)
{
    switch (sampler->settings.strategy) {
    case NEGATIVES_IN_BATCH:
    case NEGATIVES_QUEUE:
        return log((double)given) + sampler->log_q[item];
    case NEGATIVES_MIXED:
        return log((double)drawn / (double)sampler->n_items + (double)given * sampler->share[item]);
    default:
        return log((double)drawn) + sampler->log_q[item];
    }
}

static float offset_of(const struct sampler *sampler, int32_t item, size_t drawn, size_t given,
                       int32_t times)
{
    if (!sampler->settings.correct) {
        return 0;
    }
    const double repeats = times > 1 ? log((double)times) : 0;
    return (float)(sampler->target[item] - log_expected(sampler, item, drawn, given) + repeats);
}

static void note_draw(struct sampler *sampler, int32_t item)
{
    assert(item >= 0 && (size_t)item < sampler->n_items);
    index_set_add(&sampler->drawn, item);
    sampler->times_drawn[item]++;
}

void sampler_start_epoch(struct sampler *sampler)
{
    sampler->n_queued = sampler->queue_next = 0;
}

/* The batch's positives become the newest entries of the ring. Of more than it holds the last ones
 * stay. */
static void remember(struct sampler *sampler, const int32_t *positives, size_t n_positives)
{
    const size_t capacity = sampler->settings.count;
    const size_t n = n_positives < capacity ? n_positives : capacity;
    for (size_t p = n_positives - n; p < n_positives; p++) {
        sampler->queue[sampler->queue_next] = positives[p];
        sampler->queue_next = (sampler->queue_next + 1) % capacity;
    }
    sampler->n_queued = sampler->n_queued + n < capacity ? sampler->n_queued + n : capacity;
}

/* Notes the draws of a batch: from the proposal, out of the queue, its own positives. */
static void note_draws(struct sampler *sampler, struct rng *rng, size_t drawn,
                       const int32_t *positives, size_t n_positives)
{
    for (size_t d = 0; d < drawn; d++) {
        note_draw(sampler, draw_one(sampler, rng));
    }
    for (size_t q = 0; q < sampler->n_queued; q++) {
        note_draw(sampler, sampler->queue[q]);
    }
    for (size_t p = 0; p < n_positives; p++) {
        note_draw(sampler, positives[p]);
    }
}

size_t sampler_draw_shared(struct sampler *sampler, struct rng *rng, const int32_t *positives,
                           size_t n_positives, int32_t *items, float *offsets)
{
    const enum negative_strategy strategy = sampler->settings.strategy;
    if (strategy == NEGATIVES_ALL) {
        for (size_t c = 0; c < sampler->n_items; c++) {
            items[c] = (int32_t)c;
            offsets[c] = (float)sampler->target[c];
        }
        return sampler->n_items;
    }
    const bool is_given = strategy == NEGATIVES_IN_BATCH || strategy == NEGATIVES_QUEUE;
    const size_t drawn = is_given ? 0 : sampler->settings.count;
    const size_t taken = is_given || strategy == NEGATIVES_MIXED ? n_positives : 0;
    const size_t given = taken + sampler->n_queued;
    note_draws(sampler, rng, drawn, positives, taken);
    if (strategy == NEGATIVES_QUEUE) {
        remember(sampler, positives, n_positives);
    }
    const size_t n = index_set_drain(&sampler->drawn, items);
    for (size_t c = 0; c < n; c++) {
        offsets[c] = offset_of(sampler, items[c], drawn, given, sampler->times_drawn[items[c]]);
        sampler->times_drawn[items[c]] = 0;
    }
    return n;
}

void sampler_draw_each(const struct sampler *sampler, struct rng *rng, size_t count, int32_t *items,
                       float *offsets)
{
    assert(sampler->settings.strategy == NEGATIVES_UNIFORM ||
           sampler->settings.strategy == NEGATIVES_POPULARITY);
    for (size_t d = 0; d < count; d++) {
        items[d] = draw_one(sampler, rng);
        if (offsets != NULL) {
            offsets[d] = sampler_offset(sampler, items[d], count);
        }
    }
}

float sampler_offset(const struct sampler *sampler, int32_t item, size_t draws)
{
    return sampler->settings.strategy == NEGATIVES_ALL ? (float)sampler->target[item]
                                                       : offset_of(sampler, item, draws, 0, 1);
}

void sampler_release(struct sampler *sampler)
{
    mem_free(sampler->target);
    mem_free(sampler->log_q);
    mem_free(sampler->share);
    mem_free(sampler->queue);
    alias_release(&sampler->table);
    index_set_release(&sampler->drawn);
    mem_free(sampler->times_drawn);
    *sampler = (struct sampler){0};
}
