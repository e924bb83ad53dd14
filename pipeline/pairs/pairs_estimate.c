/* What the products of pairs take: memory, seconds, rows. */
#include "dataset/dataset.h"
#include "pairs/pair_rows.h"
#include "pairs/pairs_options.h"

#include <math.h>

/* Partners of an interaction over the whole history. Where it was never counted: heavy users make
 * the mean square about three times the square of the mean (Gowalla 2.8, MovieLens 1.9, retail
 * 3.7). */
static double whole_history(const struct stage_sizes *sizes)
{
    return sizes->n_products > 0 ? sizes->n_products / fmax(sizes->n_interactions, 1)
                                 : 3 * sizes->n_interactions / fmax(sizes->n_users, 1);
}

/* What a slice of a product brings to a rank and takes from it, at the most (window_parts.c): the
 * spans of its own items, and the histories of all ranks' users that they lie in. */
static double wire_bytes(const struct stage_sizes *sizes, double additions)
{
    const double share = fmin(1, SLICE_RANK_ADDITIONS / fmax(additions, 1));
    const double entries =
        fmin(sizes->n_ranks * sizes->n_interactions, fmin(additions, SLICE_RANK_ADDITIONS));
    return 40 * share * sizes->n_interactions + 12 * entries;
}

/* Rows and seconds of one product. */
static void add_product_estimate(const struct stage_sizes *sizes, double partners, double top,
                                 struct stage_estimate *out)
{
    const double n_ranks = fmax(sizes->n_ranks, 1), additions = sizes->n_interactions * partners;
    /* of all ranks, for each has the whole */
    const double rows = fmin(n_ranks * additions, sizes->n_items * fmin(top, sizes->n_items));
    const double parts = n_ranks > 1 ? wire_bytes(sizes, additions) : 0;
    const double scratch =
        33 * sizes->n_items * sizes->n_threads + 24 * sizes->n_interactions + parts;
    /* of one product while it runs; products follow one another */
    out->memory_bytes = fmax(out->memory_bytes, 8 * rows + scratch);
    out->result_bytes += N_BASES * 8 * rows;
    /* a row kept is chosen among many; histories are put in order */
    out->seconds += N_BASES * (additions + 30 * rows / n_ranks + 30 * sizes->n_interactions) *
                    sizes->speeds.addition / fmax(sizes->n_threads, 1);
    out->rows += rows;
}

/* The regressions: partners by a product, then per item its partners' users, and their equations.
 */
static void add_ridge_estimate(const struct stage_sizes *sizes, const struct ridge_options *o,
                               struct stage_estimate *out)
{
    const double partners = fmin((double)o->partners, sizes->n_items);
    const double strengths_tried = isnan(o->strength) ? N_RIDGE_STRENGTHS : 1;
    /* partners are liked more than the mean item */
    const double users =
        fmin(3 * partners * sizes->n_interactions, partners * sizes->n_items * sizes->n_users);
    const double equations =
        sizes->n_items * (strengths_tried + 1) / N_BASES / fmax(sizes->n_ranks, 1);
    const double half_lives_tried = isnan(o->half_life) ? 3 : 0; /* with 30 partners, ranked, too */
    const double ranked = fmin(sizes->n_users, 2500) * sizes->n_items *
                          ((strengths_tried > 1 ? strengths_tried : 0) + half_lives_tried);
    const double running =
        4 * (2 + strengths_tried) * sizes->n_items * partners + 8 * sizes->n_interactions +
        sizes->n_threads * (20 * sizes->n_users + 8 * partners * partners +
                            8 * fmin(sizes->n_interactions, partners * sizes->n_users));
    add_product_estimate(sizes, whole_history(sizes), partners, out);
    out->memory_bytes = fmax(out->memory_bytes, running);
    out->seconds +=
        (N_BASES * (2 * users + 0.01 * equations * pow(partners, 3)) +
         half_lives_tried * sizes->n_interactions * whole_history(sizes) + 0.6 * ranked) *
        sizes->speeds.addition / fmax(sizes->n_threads, 1);
}

void pairs_estimate(const void *values, const struct stage_sizes *sizes, struct stage_estimate *out)
{
    const struct pairs_options *o = values;
    *out = (struct stage_estimate){.rows = sizes->n_interactions,
                                   .result_bytes = N_BASES * 4 * sizes->n_interactions};
    if (o->item_item.given) {
        add_product_estimate(sizes, whole_history(sizes), (double)o->item_item.top, out);
    }
    if (o->transitions.given) {
        /* baskets have more events than places; half of a history lies before */
        const double reached = fmin(3 * (double)o->transitions.reach, whole_history(sizes) / 2);
        add_product_estimate(sizes, reached, (double)o->transitions.top, out);
    }
    if (o->ridge.given) {
        add_ridge_estimate(sizes, &o->ridge, out);
    }
    const double queryable_rows = o->queryable ? out->rows : 0;
    out->seconds += 500 * queryable_rows * sizes->speeds.addition;
    if (o->evidence.given) {
        add_product_estimate(sizes, whole_history(sizes), (double)o->evidence.top, out);
    }
    out->memory_bytes += out->result_bytes;
    out->disk_bytes = out->result_bytes + 18 * queryable_rows;
}
