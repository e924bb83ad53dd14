/* The hidden layers of a tower, around which its input is carried:
 *      y = x + W_L f(... f(W_1 x + b_1) ...) + b_L
 * so that a tower with them starts near the one without (He et al. 2016, arXiv 1512.03385), f =
 * ReLU or GELU (Hendrycks and Gimpel 2016, arXiv 1606.08415, exact form with erf). */
#ifndef NIGHTJAR_TOWERS_HIDDEN_H
#define NIGHTJAR_TOWERS_HIDDEN_H

#include "base/workspace.h"
#include "towers/embedding_table.h"
#include "towers/row_order.h"

enum activation { ACTIVATION_RELU, ACTIVATION_GELU };
extern const char *const activation_names[]; /* NULL-terminated, in enum order */

enum { HIDDEN_MAX_LAYERS = 3 };

struct hidden_settings {
    bool given;           /* in the configuration; nobody else asks */
    size_t layers, units; /* 0 layers: none */
    enum activation activation;
};

/* Zero-initialise; without layers everything is the identity. */
struct hidden {
    size_t n_layers; /* hidden ones; there is one product more than that */
    size_t units, dimension;
    enum activation activation;
    struct embedding_table weights[HIDDEN_MAX_LAYERS + 1]; /* (out, in) each */
    struct embedding_table biases[HIDDEN_MAX_LAYERS + 1];  /* (1, out) */
};

/* What a forward pass leaves for its backward pass. Zero-initialise. */
struct hidden_pass {
    float *before[HIDDEN_MAX_LAYERS];     /* (count, units): input of each activation */
    float *after[HIDDEN_MAX_LAYERS];      /* (count, units) */
    float *input;                         /* (count, dimension): x */
    float *gradient, *other;              /* (count, max(units, dimension)) */
    float *packed[HIDDEN_MAX_LAYERS + 1]; /* the weights as products take them (math/product.h) */
    struct workspace workspace;           /* of the way back; to be released */
};

MUST_CHECK enum status_code hidden_init(struct hidden *hidden,
                                        const struct hidden_settings *settings, size_t dimension,
                                        const struct optimizer_settings *optimizer, uint64_t seed,
                                        const char *purpose, struct pool *pool,
                                        struct status *status);
void hidden_release(struct hidden *hidden);
/* Names the memory of a pass over `count` rows; for the way back, too, when it is `training`. */
void hidden_pass_memory(const struct hidden *hidden, struct hidden_pass *pass, size_t count,
                        bool training, struct workspace *workspace);

/* Puts the parameters into play for a step. */
MUST_CHECK enum status_code hidden_touch(struct hidden *hidden, double rate, struct pool *pool,
                                         struct status *status);
/* x (count, dimension) is overwritten by y. */
void hidden_forward(const struct hidden *hidden, struct hidden_pass *pass, float *x, size_t count,
                    struct pool *pool);
/* gradient (count, dimension): in dL/dy, out dL/dx. Those of the parameters are gathered, summed
 * along the tree of the shards of `order`, which is of the pass's rows: over several ranks each
 * has that of its own rows (embedding_table_share). */
MUST_CHECK enum status_code hidden_backward(struct hidden *hidden, struct hidden_pass *pass,
                                            const struct row_order *order, float *gradient,
                                            size_t count, struct pool *pool, struct status *status);

#endif
