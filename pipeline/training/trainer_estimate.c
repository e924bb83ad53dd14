/* What a training costs. */
#include "training/epoch_order.h"
#include "training/item_rows.h"
#include "training/trainer.h"

#include <math.h>

/* Different items among the shared negatives of a batch of b users. Popular items come again and
 * again, so that the positives of a batch are worth about half as many uniform draws (0.42 and 0.54
 * in generated shops of one and ten million events). */
static double batch_negatives(const struct stage_sizes *sizes, double b)
{
    const double items = fmax(sizes->n_items, 1.0);
    double draws = sizes->batch_negatives;
    if (draws == 0 && !sizes->in_batch) {
        return sizes->n_items;
    }
    if (sizes->in_batch) {
        draws += b * sizes->n_interactions / fmax(sizes->n_users, 1.0) / 2.0;
    }
    return items * (1.0 - exp(-draws / items));
}

/* Anchors of an epoch: every user, and a share of the items for the contrast of pairs. */
static double epoch_anchors(const struct trainer_settings *settings,
                            const struct stage_sizes *sizes)
{
    double anchors = sizes->n_users;
    anchors += settings->co_items.weight > 0 ? settings->co_items.share * sizes->n_items : 0.0;
    return anchors;
}

/* Different items among so many positives, as if all items were equally popular: at the most. */
static double different_items(double items, double positives)
{
    return items * (1.0 - exp(-positives / items));
}

/* What a rank sends in a step (item_rows.h): vectors and gradients of the shared negatives, vectors
 * of its users' other items, and of these a gradient for each leaf that has them; and gradients of
 * the tokens of side data there and back, as if all were in play. */
static void add_wire(const struct trainer_settings *settings, const struct stage_sizes *sizes,
                     double b, double negatives, struct stage_estimate *out)
{
    const double ranks = fmax(sizes->n_ranks, 1.0), items = fmax(sizes->n_items, 1.0);
    const double leaves = (double)epoch_order_leaves(settings->batch_users) / ranks;
    const double vector = (double)(ranks_float_size(settings->wire) * settings->dimension);
    const double positives = b * sizes->n_interactions / fmax(sizes->n_users, 1.0);
    const double asked = different_items(items, positives);
    const double parts = leaves * different_items(items, positives / leaves);
    const double tokens = 2.0 * sizeof(float) * (double)settings->dimension * sizes->n_buckets;
    out->step_bytes = item_rows_step_bytes(ranks, vector, negatives, asked, parts) +
                      tokens * (ranks - 1.0) / ranks;
}

/* Propagation computes every node: two layers, where they start from and its gradient, of items
 * those of all ranks, and the graph in both directions. */
static double graph_memory(const struct trainer_settings *settings, const struct stage_sizes *sizes)
{
    const double ranks = fmax(sizes->n_ranks, 1.0), d = (double)settings->dimension;
    const double of_items = 2.0 + 2.0 / ranks + (ranks > 1.0 ? 3.0 : 0.0); /* 3: exchanged */
    const double entry = 2.0 * (sizeof(float) + sizeof(int32_t));
    return settings->propagation.hops == 0
               ? 0.0
               : sizeof(float) * d * (4.0 * sizes->n_users + of_items * sizes->n_items) +
                     entry * sizes->n_interactions;
}

void trainer_estimate(const struct trainer_settings *settings, const struct stage_sizes *sizes,
                      double epochs, struct stage_estimate *out)
{
    /* an element of a vector that is gathered, changed by its gradient or added up; measured */
    const double element_seconds = 1.5e-9 / fmax(sizes->n_threads, 1.0);
    double d = (double)settings->dimension, b = (double)settings->batch_users;
    double users = sizes->n_users, items = sizes->n_items;
    const double ranks = fmax(sizes->n_ranks, 1.0);
    b = fmin(b, users * ranks);
    double negatives = batch_negatives(sizes, b);
    b /= ranks; /* its own of them */
    double strip = b * negatives * sizeof(float);
    /* negatives of each positive: the item, its offset and its logit */
    const double own =
        sizes->own_negatives * sizes->n_interactions * b / fmax(users, 1.0) * 3.0 * sizeof(float);
    strip = strip < (double)settings->strip_bytes ? strip : (double)settings->strip_bytes;
    /* weights, the optimizer's states, the vectors of now (encoded) and of the best epoch */
    const struct optimizer_rule *rule = &optimizer_table[settings->optimizer.rule];
    double kept = 2.0;
    for (size_t s = 0; s < rule->n_states; s++) {
        kept += rule->is_row_state[s] ? 1.0 / d : 1.0;
    }
    const double layers = (double)settings->hidden.layers, width = (double)settings->hidden.units;
    const double units = layers * width;
    /* of each tower: from the input to the first layer, between layers, from the last one back */
    const double hidden = layers > 0 ? 2.0 * width * (2.0 * d + (layers - 1.0) * width) : 0.0;
    double entities = users + items, read = b + negatives; /* rows that a batch encodes */
    out->memory_bytes =
        sizeof(float) * ((users + items / ranks) * d * (kept + 1.0) + items * (d * 4.0 + 6.0) +
                         2.0 * units * read + (sizes->n_buckets * d + hidden) * kept) +
        strip + own + graph_memory(settings, sizes);
    out->result_bytes = sizeof(float) * entities * d;
    out->disk_bytes = sizeof(float) * (users + items / ranks) * d * kept; /* a checkpoint */
    const double batches = users / fmax(b, 1.0);
    const double elements = batches * read * (d + 6.0 * units) + sizes->n_interactions * 1.5 * d;
    out->seconds = epochs * (epoch_anchors(settings, sizes) * negatives * sizes->speeds.contrast +
                             elements * element_seconds);
    out->rows = sizes->n_interactions;
    out->n_steps = epochs * batches;
    add_wire(settings, sizes, b, negatives, out);
    out->graph_bytes = propagation_step_bytes(&settings->propagation, ranks, items, d);
    out->step_bytes += out->graph_bytes;
}
