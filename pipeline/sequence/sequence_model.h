/* The tower that reads a sequence: from the steps of a user to the state behind each.
 *
 *      x_t = mean of the step's item vectors + vector of the time since the step before
 *      layers times:
 *          h = x / rms(x);  (a, c, b) = W h + w
 *          s_t = s_(t-1) + sigmoid(a) (c - s_(t-1))            a gated linear recurrence
 *          y = x + drop(O (s * silu(b)))
 *          h = y / rms(y);  x = y + drop(N silu(M h + m))      a layer for each place alone
 *      state = x / |x|,  item = its vector / |its vector|
 *
 * The recurrence is minGRU's (Feng et al. 2024, arXiv 2410.01201), whose gate does not look at the
 * state: so a new event costs one step, and a history as much as it is long. rms: Zhang and
 * Sennrich 2019 (arXiv 1910.07467), silu(z) = z sigmoid(z).
 *
 * Items have vectors of their own, which begin with those of ids and hold until the layers can read
 * them (sequence_trainer.c). Those of ids for good, learned layers on top, were tried: they hold
 * what comes together and not what comes next (tests/bench/README.md).
 *
 * Here the parameters; sequence_pass.h goes through them. */
#ifndef NIGHTJAR_SEQUENCE_SEQUENCE_MODEL_H
#define NIGHTJAR_SEQUENCE_SEQUENCE_MODEL_H

#include "base/pool.h"
#include "sequence/sequences.h"
#include "towers/embedding_table.h"
#include "training/trainer_input.h"

/* The products of a layer, in their order. */
enum sequence_product {
    PRODUCT_MIX,    /* W (3 d, d): gate, content, way out */
    PRODUCT_OUT,    /* O (d, d) */
    PRODUCT_WIDE,   /* M (2 d, d) */
    PRODUCT_NARROW, /* N (d, 2 d) */
    SEQUENCE_PRODUCTS
};

struct sequence_layer {
    struct embedding_table weights[SEQUENCE_PRODUCTS]; /* (out, in) each */
    struct embedding_table biases[SEQUENCE_PRODUCTS];  /* (1, out); of MIX and WIDE */
};

/* Rows and columns of a product's weights. */
size_t sequence_product_out(size_t dimension, enum sequence_product product);
size_t sequence_product_in(size_t dimension, enum sequence_product product);
bool sequence_product_has_bias(enum sequence_product product);

/* Zero-initialise. */
struct sequence_model {
    size_t n_layers, dimension;
    double dropout;
    bool holds_items;             /* a step leaves the vectors of items as they are */
    struct embedding_table items; /* (n_items, d) */
    struct embedding_table ages;  /* (SEQUENCE_AGES, d) */
    struct sequence_layer layers[SEQUENCE_LAYERS_MAX];
};

/* One of its tables. */
struct sequence_table {
    char name[40];
    struct embedding_table *table;
    bool by_rows; /* a step touches some rows of it, else all */
};
enum { SEQUENCE_TABLES_MAX = 2 + SEQUENCE_LAYERS_MAX * 2 * SEQUENCE_PRODUCTS };
/* Every table there is, in a fixed order; how many. */
size_t sequence_model_tables(struct sequence_model *model,
                             struct sequence_table out[SEQUENCE_TABLES_MAX]);

/* First weights are drawn by the seed. pool NULL: one thread. */
MUST_CHECK enum status_code sequence_model_init(struct sequence_model *model,
                                                const struct sequence_settings *settings,
                                                size_t n_items, uint64_t seed, struct pool *pool,
                                                struct status *status);
void sequence_model_release(struct sequence_model *model);
/* Arrays under "sequence."; with the optimizer's states, for a checkpoint. */
MUST_CHECK enum status_code sequence_model_save(const struct sequence_model *model,
                                                struct artifact *artifact, struct status *status);
/* Into a model initialised with the same settings. */
MUST_CHECK enum status_code sequence_model_restore(struct sequence_model *model,
                                                   const struct artifact *artifact,
                                                   struct status *status);
/* The weights alone, copied into an artifact; and from there into a model of the same shape. */
MUST_CHECK enum status_code sequence_weights_keep(const struct sequence_model *model,
                                                  struct artifact *artifact, struct status *status);
MUST_CHECK enum status_code sequence_weights_take(struct sequence_model *model,
                                                  const struct artifact *artifact,
                                                  struct status *status);
/* The same of another night's weights: row i of the items is row rows[i] of theirs, and stays what
 * it is where that is -1. n_before: how many rows they have. */
MUST_CHECK enum status_code sequence_weights_start(struct sequence_model *model,
                                                   const struct artifact *artifact, size_t n_before,
                                                   const int32_t *rows, struct status *status);
/* Brings every row up to the present: before they are read or saved. */
void sequence_model_settle(struct sequence_model *model, double rate, struct pool *pool);
/* out (n_items, d) at unit length. */
void sequence_model_items(const struct sequence_model *model, float *out, struct pool *pool);

/* Puts the rows of the item table (n, repeats allowed), unless they are held, and everything else
 * into play. */
MUST_CHECK enum status_code sequence_model_touch(struct sequence_model *model, const int32_t *items,
                                                 size_t n, double rate, struct pool *pool,
                                                 struct status *status);
/* Moves what is in play against its gradient. */
void sequence_model_step(struct sequence_model *model, double rate, struct pool *pool);

#endif
