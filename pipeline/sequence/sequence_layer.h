/* One layer of the tower over one block of users, there and back: the parts of sequence_pass.h. */
#ifndef NIGHTJAR_SEQUENCE_SEQUENCE_LAYER_H
#define NIGHTJAR_SEQUENCE_SEQUENCE_LAYER_H

#include "sequence/sequence_model.h"
#include "sequence/sequence_places.h"

/* What dropout draws from; training false: nothing is left out. */
struct sequence_noise {
    bool training;
    uint64_t seed, epoch, step;
};

/* What a forward pass leaves for its way back. Zero-initialise. */
struct sequence_pass {
    float *states;       /* (n, d) unit length */
    float *state_scales; /* (n) 1 / |x| */
    float *x;            /* (n, d) */
    float *gradient;     /* (n, d) */
    float *products;     /* (n, 3 d) of the layer at work */
    float *packed;       /* every product's weights, turned for the way at work ... */
    const float *panels[SEQUENCE_LAYERS_MAX][SEQUENCE_PRODUCTS]; /* ... and where each begins */
    struct sequence_layer_pass {
        float *h, *h_scales; /* (n, d), (n) */
        float *mixed;        /* (n, 3 d): gate, content, sigmoid(b); then their gradients */
        float *s, *q, *o;    /* (n, d): state of the recurrence, silu(b), s * q */
        float *g, *g_scales; /* (n, d), (n): h of the second half */
        float *slopes;       /* (n, 2 d): sigmoid of M h + m; then its gradient */
        float *wide;         /* (n, 2 d): silu of that */
        float *d_out;        /* (n, d): gradient of O's product */
        float *d_narrow;     /* (n, d): of N's */
    } layers[SEQUENCE_LAYERS_MAX];
    struct workspace workspace;
};

struct sequence_job {
    const struct sequence_model *model;
    struct sequence_pass *pass;
    const struct sequence_places *places;
    const struct sequence_noise *noise;
};

/* pass->x of the block's places becomes what leaves the layer. */
void sequence_layer_forward(const struct sequence_job *job, size_t layer, size_t block);
/* pass->gradient: in dL / d what leaves, out dL / d what enters. What the weights' gradients need
 * is left in the layer's arrays. */
void sequence_layer_backward(const struct sequence_job *job, size_t layer, size_t block);

#endif
