/* What training the tower that reads sequences costs: counts of the arrays that the files of this
 * room reserve, and a time that was measured. */
#include "sequence/sequence_session.h"
#include "sequence/sequence_step.h"

#include <math.h>

/* Rows of d floats. */
enum {
    PLACE_ROWS = 9,  /* sequence_pass: states, x, gradient, products (3); of the step anchors,
                        their gradient, the places' */
    LAYER_ROWS = 14, /* sequence_layer_pass: h, mixed (3), s, q, o, g, slopes (2), wide (2), d_out,
                        d_narrow */
    PART_ROWS = 8,   /* of the anchors of one part: partial gradients of the contrast's chunks */
    DRAWN_ROWS = 2,  /* of a candidate: its vector, its gradient */
    ITEM_ROWS = 6, /* of an item: weights, two states of the optimizer, gradient, those of the best
                      epoch, the vector at length 1 */
    WEIGHT_ROWS = 8,   /* of a layer's products: 3 d, d, 2 d and 2 d rows in sequence_product_out */
    WEIGHT_COPIES = 6, /* of each: as of an item, without the last; and packed */
    PLACE_NUMBERS = 6  /* scales, offsets, columns and age of a place, in floats */
};
static const double event_bytes = 13.0; /* of struct sequences: offset, item, age */
static const double input_bytes = 24.0; /* of struct training: a positive and what it weighs */
/* Of a component of an event in a layer, there and back, validation included: between
 * MovieLens-100K, where two events are one place and a core of a Zen 5 takes 1.6e-8, and Beauty,
 * where each is one. */
static const double component_seconds = 2.5e-8;
/* Of the three products of a contrast one is the items', who hold for half of the epochs. */
static const double contrast_share = 5.0 / 6.0;

void sequence_estimate(const struct stage_sizes *sizes, struct stage_estimate *out)
{
    const struct stage_sequence *s = &sizes->sequence;
    const double d = sizes->n_interactions < s->few_below ? s->few_dimensions : s->dimension;
    const double layers = s->layers, items = sizes->n_items;
    const double users = fmax(sizes->n_users, 1.0);
    if (!(d > 0.0)) {
        return;
    }
    /* a user has each item once; a batch holds whole users */
    const double longest = fmin(s->length, items);
    const double events = fmin(sizes->n_interactions, users * longest);
    const double places = fmin(s->batch + longest, events);
    const double drawn = fmin(items, s->negatives + places / 2.0); /* some of them come next */
    const double part = fmin(places, SEQUENCE_PART_ENTRIES / fmax(drawn, 1.0) + 1.0);
    const double rows = places * (PLACE_ROWS + LAYER_ROWS * layers) + part * PART_ROWS +
                        drawn * DRAWN_ROWS + items * ITEM_ROWS +
                        layers * WEIGHT_ROWS * WEIGHT_COPIES * d;
    const double joined = /* and what goes in */
        2.0 * (users + items) * (sizes->dimension - s->dimension + d);
    const double memory = sizeof(float) * (rows * d + places * PLACE_NUMBERS + joined) +
                          fmin(part * drawn * sizeof(float), s->strip_bytes) + event_bytes * events;
    /* what the towers of ids took is free by then, but for what they were told */
    out->memory_bytes = fmax(out->memory_bytes, memory + input_bytes * sizes->n_interactions);
    out->result_bytes += sizeof(float) * (users + items) * d;
    out->disk_bytes += /* of a checkpoint: weights, two states of the optimizer, the best epoch's */
        sizeof(float) * 4.0 * (items + layers * WEIGHT_ROWS * d) * d;
    out->rows = sizes->n_interactions;
    out->seconds +=
        s->epochs * events *
        (contrast_share * drawn * sizes->speeds.contrast * d / fmax(sizes->dimension, 1.0) +
         layers * d * component_seconds / fmax(sizes->n_threads, 1.0));
}
