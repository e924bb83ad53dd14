/* Hidden layers. Shapes: B rows, products l = 0..L of (out_l, in_l). A row comes out the same
 * whatever rows a pass has beside it, as math/product.h does and a library's products do not. */
#include "towers/hidden.h"

#include "base/mem.h"
#include "math/product.h"
#include "base/tree_sum.h"
#include "math/vec.h"

#include <math.h>

enum { ROW_BLOCK = 128, UNIT_BLOCK = 64 /* output units whose gradients are summed together */ };

const char *const activation_names[] = {"relu", "gelu", NULL};

static size_t width_in(const struct hidden *hidden, size_t layer)
{
    return layer == 0 ? hidden->dimension : hidden->units;
}

static size_t width_out(const struct hidden *hidden, size_t layer)
{
    return layer == hidden->n_layers ? hidden->dimension : hidden->units;
}

enum status_code hidden_init(struct hidden *hidden, const struct hidden_settings *settings,
                             size_t dimension, const struct optimizer_settings *optimizer,
                             uint64_t seed, const char *purpose, struct pool *pool,
                             struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n_layers = settings->layers;
    struct hidden made = {.n_layers = n_layers,
                          .units = settings->units,
                          .dimension = dimension,
                          .activation = settings->activation};
    for (size_t l = 0; l <= n_layers && n_layers > 0; l++) {
        char stream[64];
        size_t in = width_in(&made, l), out = width_out(&made, l);
        snprintf(stream, sizeof stream, "%s.layer%zu", purpose, l);
        /* He et al. 2015 for the layers before an activation, a tenth of it for the last */
        double scale = sqrt(2.0 / (double)in) * (l == n_layers ? 0.1 : 1.0);
        TRY(embedding_table_init(&made.weights[l], out, in, optimizer, seed, stream, scale, pool,
                                 status));
        TRY(embedding_table_init(&made.biases[l], 1, out, optimizer, seed, stream, 0.0, pool,
                                 status));
    }
    *hidden = made;
    made = (struct hidden){0};
done:
    hidden_release(&made);
    return code;
}

void hidden_release(struct hidden *hidden)
{
    for (size_t l = 0; l <= HIDDEN_MAX_LAYERS; l++) {
        embedding_table_release(&hidden->weights[l]);
        embedding_table_release(&hidden->biases[l]);
    }
}

void hidden_pass_memory(const struct hidden *hidden, struct hidden_pass *pass, size_t count,
                        bool training, struct workspace *workspace)
{
    size_t d = hidden->dimension, u = hidden->units, widest = d > u ? d : u;
    if (hidden->n_layers == 0) {
        return;
    }
    WORKSPACE_ADD(workspace, &pass->input, count * d);
    for (size_t l = 0; l < hidden->n_layers; l++) {
        WORKSPACE_ADD(workspace, &pass->before[l], count * u);
        WORKSPACE_ADD(workspace, &pass->after[l], count * u);
    }
    for (size_t l = 0; l <= hidden->n_layers; l++) {
        WORKSPACE_ADD(
            workspace, &pass->packed[l],
            product_packed_size(vec_ops()->product, width_in(hidden, l), width_out(hidden, l)));
    }
    WORKSPACE_ADD(workspace, &pass->gradient, training ? count * widest : 0);
    WORKSPACE_ADD(workspace, &pass->other, training ? count * widest : 0);
}

enum status_code hidden_touch(struct hidden *hidden, double rate, struct pool *pool,
                              struct status *status)
{
    enum status_code code = STATUS_OK;
    for (size_t l = 0; l <= hidden->n_layers && hidden->n_layers > 0; l++) {
        TRY(embedding_table_touch(&hidden->weights[l], NULL, 0, rate, pool, status));
        TRY(embedding_table_touch(&hidden->biases[l], NULL, 0, rate, pool, status));
    }
done:
    return code;
}

static double activate(enum activation activation, double x)
{
    return activation == ACTIVATION_RELU ? (x > 0.0 ? x : 0.0)
                                         : 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
}

static double activation_slope(enum activation activation, double x)
{
    if (activation == ACTIVATION_RELU) {
        return x > 0.0 ? 1.0 : 0.0;
    }
    double density = exp(-0.5 * x * x) / sqrt(2.0 * acos(-1.0));
    return 0.5 * (1.0 + erf(x / sqrt(2.0))) + x * density;
}

struct forward_job {
    const struct hidden *hidden;
    struct hidden_pass *pass;
    float *x; /* in x, out y */
};

/* A block of rows through all products. */
static void forward_task(void *data, size_t first, size_t last)
{
    const struct forward_job *job = data;
    const struct hidden *hidden = job->hidden;
    size_t n = last - first, d = hidden->dimension, u = hidden->units;
    const float *in = job->pass->input + first * d;
    for (size_t l = 0; l <= hidden->n_layers; l++) {
        size_t n_in = width_in(hidden, l), n_out = width_out(hidden, l);
        bool is_last = l == hidden->n_layers;
        float *out = is_last ? job->x + first * d : job->pass->before[l] + first * u;
        const float *bias = hidden->biases[l].weights;
        /* the last product is added to x, which y starts from */
        vec_ops()->product->run(&(struct product){.x = in,
                                                  .row_step = n_in,
                                                  .depth_step = 1,
                                                  .panels = job->pass->packed[l],
                                                  .depth = n_in,
                                                  .add = is_last,
                                                  .out = matrix_of(out, n, n_out)});
        for (size_t r = 0; r < n; r++) {
            vec_ops()->axpy(1.0f, bias, out + r * n_out, n_out);
        }
        if (!is_last) {
            float *after = job->pass->after[l] + first * u;
            for (size_t i = 0; i < n * u; i++) {
                after[i] = (float)activate(hidden->activation, out[i]);
            }
            in = after;
        }
    }
}

void hidden_forward(const struct hidden *hidden, struct hidden_pass *pass, float *x, size_t count,
                    struct pool *pool)
{
    if (hidden->n_layers == 0) {
        return;
    }
    for (size_t l = 0; l <= hidden->n_layers; l++) {
        const struct embedding_table *weights = &hidden->weights[l];
        vec_ops()->product->pack_transposed(
            const_matrix_of(weights->weights, weights->n, weights->dimension), 1.0f,
            pass->packed[l]);
    }
    memcpy(pass->input, x, count * hidden->dimension * sizeof *x);
    struct forward_job job = {.hidden = hidden, .pass = pass, .x = x};
    pool_run_rows(pool, count, ROW_BLOCK, forward_task, &job);
}

/* The way back, one product after the other. */
struct backward_job {
    struct hidden *hidden;
    const struct row_order *order;
    size_t count;
    /* memory */
    float *rows, *gradients; /* what `in` and `out` look at */
    float *packed;           /* the weights */
    float *sums; /* of each worker: (TREE_LEVELS, UNIT_BLOCK, in + 1), a shard's rows packed */
    size_t sums_floats;
    /* of the product at hand */
    const float *gradient;   /* (count, out) */
    float *x;                /* (count, in): dL / d input */
    struct const_matrix in;  /* (count, in + 1) in the order of shards: what entered it, and ones */
    struct const_matrix out; /* (count, out) of the gradient in that order */
    float *weight_gradient, *bias_gradient; /* (out, in), (1, out): every row is in play */
};

/* A block of output units: the gradient of their weights, and behind it that of their bias, shard
 * by shard along their tree; level 0 ends as the sum of all. */
static void parameter_gradient_task(void *data, size_t block, size_t worker)
{
    const struct backward_job *job = data;
    const struct product_ops *product = vec_ops()->product;
    const size_t first = block * UNIT_BLOCK, left = job->out.columns - first;
    const size_t n = left < UNIT_BLOCK ? left : UNIT_BLOCK, width = job->in.columns;
    const size_t level_floats = UNIT_BLOCK * width;
    float *levels = job->sums + worker * job->sums_floats;
    float *packed = levels + TREE_LEVELS * level_floats;
    for (size_t s = 0; s < SHARDS; s++) {
        const size_t at = job->order->first[s], count = job->order->first[s + 1] - at;
        const float *sums[TREE_LEVELS];
        float *out = levels + tree_level(s) * level_floats;
        size_t n_sums = 0;
        while (n_sums < tree_carries(s)) {
            out -= level_floats;
            sums[n_sums++] = out;
        }
        product->pack(matrix_rows(job->in, at, count), NULL, packed);
        product->run(&(struct product){.x = matrix_row(job->out, at) + first,
                                       .row_step = 1,
                                       .depth_step = job->out.stride,
                                       .panels = packed,
                                       .depth = count,
                                       .out = matrix_of(out, n, width),
                                       .n_sums = n_sums,
                                       .sums = sums});
    }
    for (size_t i = 0; i < n; i++) {
        const float *all = levels + i * width;
        vec_ops()->axpy(1.0f, all, job->weight_gradient + (first + i) * (width - 1), width - 1);
        job->bias_gradient[first + i] += all[width - 1];
    }
}

/* A block of rows: the gradient of what entered the product. */
static void input_gradient_task(void *data, size_t first, size_t last)
{
    const struct backward_job *job = data;
    const size_t n_in = job->in.columns - 1, n_out = job->out.columns;
    vec_ops()->product->run(
        &(struct product){.x = job->gradient + first * n_out,
                          .row_step = n_out,
                          .depth_step = 1,
                          .panels = job->packed,
                          .depth = n_out,
                          .out = matrix_of(job->x + first * n_in, last - first, n_in)});
}

static enum status_code reserve_backward(struct backward_job *job, struct workspace *workspace,
                                         size_t n_workers, struct status *status)
{
    const struct product_ops *product = vec_ops()->product;
    const size_t d = job->hidden->dimension, u = job->hidden->units, widest = d > u ? d : u;
    size_t most = 0; /* rows of a shard */
    for (size_t s = 0; s < SHARDS; s++) {
        const size_t n = job->order->first[s + 1] - job->order->first[s];
        most = n > most ? n : most;
    }
    job->sums_floats =
        TREE_LEVELS * UNIT_BLOCK * (widest + 1) + product_packed_size(product, most, widest + 1);
    workspace_begin(workspace);
    WORKSPACE_ADD(workspace, &job->rows, job->count * (widest + 1));
    WORKSPACE_ADD(workspace, &job->gradients, job->count * widest);
    WORKSPACE_ADD(workspace, &job->packed, product_packed_size(product, widest, widest));
    WORKSPACE_ADD(workspace, &job->sums, n_workers * job->sums_floats);
    return workspace_reserve(workspace, status);
}

/* One product, which `in` (count, in) has entered: gathers dL/dW and dL/db out of `gradient`
 * (count, out), and leaves dL/d input in `x` (count, in). */
static void product_backward(struct backward_job *job, size_t layer, const float *in,
                             const float *gradient, float *x, struct pool *pool)
{
    struct hidden *hidden = job->hidden;
    const size_t n_in = width_in(hidden, layer), n_out = width_out(hidden, layer);
    const size_t count = job->count;
    for (size_t i = 0; i < count; i++) {
        float *row = job->rows + i * (n_in + 1);
        memcpy(row, in + (size_t)job->order->places[i] * n_in, n_in * sizeof *row);
        row[n_in] = 1.0f;
    }
    matrix_gather(const_matrix_of(gradient, count, n_out), job->order->places, count,
                  job->gradients);
    vec_ops()->product->pack(const_matrix_of(hidden->weights[layer].weights, n_out, n_in), NULL,
                             job->packed);
    job->gradient = gradient;
    job->x = x;
    job->in = const_matrix_of(job->rows, count, n_in + 1);
    job->out = const_matrix_of(job->gradients, count, n_out);
    job->weight_gradient = embedding_table_gradient(&hidden->weights[layer]);
    job->bias_gradient = embedding_table_gradient(&hidden->biases[layer]);
    pool_run(pool, (n_out + UNIT_BLOCK - 1) / UNIT_BLOCK, parameter_gradient_task, job);
    pool_run_rows(pool, count, ROW_BLOCK, input_gradient_task, job);
}

enum status_code hidden_backward(struct hidden *hidden, struct hidden_pass *pass,
                                 const struct row_order *order, float *gradient, size_t count,
                                 struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t d = hidden->dimension, u = hidden->units;
    struct backward_job job = {.hidden = hidden, .order = order, .count = count};
    if (hidden->n_layers == 0) {
        return code;
    }
    TRY(reserve_backward(&job, &pass->workspace, pool_threads(pool), status));
    float *now = pass->gradient, *next = pass->other;
    memcpy(now, gradient, count * d * sizeof *now);
    for (size_t l = hidden->n_layers + 1; l-- > 0;) {
        const float *in = l == 0 ? pass->input : pass->after[l - 1];
        product_backward(&job, l, in, now, next, pool);
        if (l > 0) {
            const float *before = pass->before[l - 1];
            for (size_t i = 0; i < count * u; i++) {
                next[i] *= (float)activation_slope(hidden->activation, before[i]);
            }
        }
        float *swap = now;
        now = next;
        next = swap;
    }
    vec_ops()->axpy(1.0f, now, gradient, count * d); /* and the way around the layers */
done:
    return code;
}
