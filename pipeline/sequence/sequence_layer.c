/* One layer over one block: n places of d components, those of a user side by side. */
#include "sequence/sequence_layer.h"

#include "base/rng.h"
#include "math/product.h"
#include "math/vec.h"

#include <math.h>

/* The part of a pass that a block is. */
struct block {
    size_t first, n;      /* places */
    size_t user, n_users; /* users */
};

static struct block block_of(const struct sequence_places *places, size_t block)
{
    const int64_t user = places->blocks[block], end = places->blocks[block + 1];
    const int64_t first = places->first[user];
    return (struct block){(size_t)first, (size_t)(places->first[end] - first), (size_t)user,
                          (size_t)(end - user)};
}

/* ---- pieces ---- */

/* h = x / rms(x), row by row. */
static void rms_forward(const float *x, size_t n, size_t d, float *h, float *scales)
{
    const struct vec_ops *vec = vec_ops();
    for (size_t r = 0; r < n; r++) {
        const float square = vec->dot(x + r * d, x + r * d, d);
        scales[r] = 1.0f / sqrtf(square / (float)d + 1e-6f);
        memcpy(h + r * d, x + r * d, d * sizeof *h);
        vec->scale(scales[r], h + r * d, d);
    }
}

/* out += dL / dx, where gradient = dL / dh: dx = scale (dh - h <dh, h> / d). */
static void rms_backward(const float *h, const float *scales, const float *gradient, size_t n,
                         size_t d, float *out)
{
    const struct vec_ops *vec = vec_ops();
    for (size_t r = 0; r < n; r++) {
        const float mean = vec->dot(gradient + r * d, h + r * d, d) / (float)d;
        vec->axpy(scales[r], gradient + r * d, out + r * d, d);
        vec->axpy(-scales[r] * mean, h + r * d, out + r * d, d);
    }
}

/* Leaves out components of rows (n, d), those of a block, whose first place is `first`: each step,
 * layer and half its own, the same there and back. */
static void drop(const struct sequence_job *job, size_t which, size_t first, size_t n, float *rows)
{
    const double share = job->model->dropout;
    const struct sequence_noise *noise = job->noise;
    if (!noise->training || share <= 0.0) {
        return;
    }
    const uint64_t cut = (uint64_t)(share * 65536.0);
    const uint64_t stream = (noise->step * 2 * SEQUENCE_LAYERS_MAX + which) << 32;
    const float factors[2] = {0.0f, (float)(1.0 / (1.0 - share))};
    const size_t size = n * job->model->dimension;
    struct rng rng;
    rng_init(&rng, noise->seed, "sequence.dropout", noise->epoch, stream + first);
    for (size_t i = 0; i < size; i += 4) { /* 16 bits each */
        uint64_t bits = rng_u64(&rng);
        for (size_t j = i; j < size && j < i + 4; j++) {
            rows[j] *= factors[(bits & 0xffff) >= cut];
            bits >>= 16;
        }
    }
}

/* out (n, columns) = rows (n, depth) times the product's panels. */
static void product_run(const struct sequence_job *job, size_t layer, enum sequence_product product,
                        const float *rows, size_t n, size_t depth, float *out, size_t columns)
{
    vec_ops()->product->run(&(struct product){.x = rows,
                                              .row_step = depth,
                                              .depth_step = 1,
                                              .panels = job->pass->panels[layer][product],
                                              .depth = depth,
                                              .out = matrix_of(out, n, columns)});
}

/* out (n, columns) = in W^T + w. */
static void product_forward(const struct sequence_job *job, size_t layer,
                            enum sequence_product product, const float *in, size_t n, float *out)
{
    const struct vec_ops *vec = vec_ops();
    const size_t d = job->model->dimension, columns = sequence_product_out(d, product);
    const float *bias = job->model->layers[layer].biases[product].weights;
    product_run(job, layer, product, in, n, sequence_product_in(d, product), out, columns);
    for (size_t r = 0; r < n && bias != NULL; r++) {
        vec->axpy(1.0f, bias, out + r * columns, columns);
    }
}

/* out (n, in) = gradient W. */
static void product_backward(const struct sequence_job *job, size_t layer,
                             enum sequence_product product, const float *gradient, size_t n,
                             float *out)
{
    const size_t d = job->model->dimension;
    product_run(job, layer, product, gradient, n, sequence_product_out(d, product), out,
                sequence_product_in(d, product));
}

/* ---- the recurrence ---- */

/* The state that a user's first place goes on from; NULL: zeros. */
static const float *state_before(const struct sequence_job *job, size_t layer, size_t user)
{
    const struct sequence_places *places = job->places;
    const struct sequence_model *model = job->model;
    const int32_t row = places->memory == NULL ? -1 : places->goes_on[user];
    return row < 0 ? NULL
                   : places->memory->states +
                         ((size_t)row * model->n_layers + layer) * model->dimension;
}

static void recur_forward(const struct sequence_job *job, size_t layer, const struct block *block)
{
    const struct sequence_layer_pass *pass = &job->pass->layers[layer];
    const struct vec_ops *vec = vec_ops();
    const size_t d = job->model->dimension;
    const int64_t *first = job->places->first + block->user;
    for (size_t u = 0; u < block->n_users; u++) {
        const float *before = state_before(job, layer, block->user + u);
        for (size_t p = (size_t)first[u]; p < (size_t)first[u + 1]; p++) {
            float *gate = pass->mixed + p * 3 * d, *content = gate + d, *way = gate + 2 * d;
            float *s = pass->s + p * d, *q = pass->q + p * d, *o = pass->o + p * d;
            vec->sigmoid(gate, gate, NULL, d);
            vec->sigmoid(way, way, q, d);
            for (size_t j = 0; j < d; j++) {
                const float old = before == NULL ? 0.0f : before[j];
                s[j] = old + gate[j] * (content[j] - old);
                o[j] = s[j] * q[j];
            }
            before = s;
        }
    }
}

/* d_o (places of the block, d): dL / d o. Leaves dL / d (a, c, b) in pass->mixed. */
static void recur_backward(const struct sequence_job *job, const struct sequence_layer_pass *pass,
                           const struct block *block, float *d_o)
{
    const struct vec_ops *vec = vec_ops();
    const size_t d = job->model->dimension;
    const int64_t *first = job->places->first + block->user;
    for (size_t u = 0; u < block->n_users; u++) {
        const float *later = NULL; /* what the next place hands back to this state, in its d_o */
        for (size_t p = (size_t)first[u + 1]; p-- > (size_t)first[u];) {
            const float *s = pass->s + p * d;
            float *now = d_o + (p - block->first) * d;
            vec->recur_gradient(s, p > (size_t)first[u] ? s - d : NULL, pass->q + p * d, later,
                                pass->mixed + p * 3 * d, now, d);
            later = now;
        }
    }
}

/* ---- a layer ---- */

void sequence_layer_forward(const struct sequence_job *job, size_t layer, size_t block)
{
    const struct block b = block_of(job->places, block);
    const struct sequence_layer_pass *pass = &job->pass->layers[layer];
    const size_t d = job->model->dimension, n = b.n, at = b.first * d;
    float *x = job->pass->x + at, *product = job->pass->products + 3 * at;
    rms_forward(x, n, d, pass->h + at, pass->h_scales + b.first);
    product_forward(job, layer, PRODUCT_MIX, pass->h + at, n, pass->mixed + 3 * at);
    recur_forward(job, layer, &b);
    product_forward(job, layer, PRODUCT_OUT, pass->o + at, n, product);
    drop(job, 2 * layer, b.first, n, product);
    vec_ops()->axpy(1.0f, product, x, n * d);

    rms_forward(x, n, d, pass->g + at, pass->g_scales + b.first);
    float *slopes = pass->slopes + 2 * at, *wide = pass->wide + 2 * at;
    product_forward(job, layer, PRODUCT_WIDE, pass->g + at, n, slopes);
    vec_ops()->sigmoid(slopes, slopes, wide, 2 * n * d);
    product_forward(job, layer, PRODUCT_NARROW, wide, n, product);
    drop(job, 2 * layer + 1, b.first, n, product);
    vec_ops()->axpy(1.0f, product, x, n * d);
}

void sequence_layer_backward(const struct sequence_job *job, size_t layer, size_t block)
{
    const struct block b = block_of(job->places, block);
    const struct sequence_layer_pass *pass = &job->pass->layers[layer];
    const size_t d = job->model->dimension, n = b.n, at = b.first * d;
    float *gradient = job->pass->gradient + at, *scratch = job->pass->products + 3 * at;
    float *slopes = pass->slopes + 2 * at;
    const float *wide = pass->wide + 2 * at;
    memcpy(pass->d_narrow + at, gradient, n * d * sizeof *gradient);
    drop(job, 2 * layer + 1, b.first, n, pass->d_narrow + at);
    product_backward(job, layer, PRODUCT_NARROW, pass->d_narrow + at, n, scratch);
    vec_ops()->silu_gradient(scratch, wide, slopes, 2 * n * d);
    product_backward(job, layer, PRODUCT_WIDE, slopes, n, scratch);
    rms_backward(pass->g + at, pass->g_scales + b.first, scratch, n, d, gradient);

    memcpy(pass->d_out + at, gradient, n * d * sizeof *gradient);
    drop(job, 2 * layer, b.first, n, pass->d_out + at);
    product_backward(job, layer, PRODUCT_OUT, pass->d_out + at, n, scratch);
    recur_backward(job, pass, &b, scratch);
    product_backward(job, layer, PRODUCT_MIX, pass->mixed + 3 * at, n, scratch);
    rms_backward(pass->h + at, pass->h_scales + b.first, scratch, n, d, gradient);
}
