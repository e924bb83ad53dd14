/* Hidden layers. Shapes: B rows, products l = 0..L of (out_l, in_l). */
#include "towers/hidden.h"

#include "base/mem.h"
#include "math/blas.h"
#include "math/vec.h"

#include <math.h>

enum { ROW_BLOCK = 128 };

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

struct hidden_job {
    const struct hidden *hidden;
    struct hidden_pass *pass;
    float *x; /* forward: in x, out y */
    /* backward of one product: in (count, in) entered it, gradient (count, out) */
    const struct embedding_table *table;
    float *weight_gradient; /* (out, in): every row of the table is in play, slots are rows */
    struct const_matrix in, gradient;
};

/* A block of rows through all products. */
static void forward_task(void *data, size_t first, size_t last)
{
    const struct hidden_job *job = data;
    const struct hidden *hidden = job->hidden;
    size_t n = last - first, d = hidden->dimension, u = hidden->units;
    const float *in = job->pass->input + first * d;
    for (size_t l = 0; l <= hidden->n_layers; l++) {
        size_t n_in = width_in(hidden, l), n_out = width_out(hidden, l);
        bool is_last = l == hidden->n_layers;
        float *out = is_last ? job->x + first * d : job->pass->before[l] + first * u;
        const float *bias = hidden->biases[l].weights;
        /* the last product is added to x, which y starts from */
        blas_nt(1.0f, const_matrix_of(in, n, n_in),
                const_matrix_of(hidden->weights[l].weights, n_out, n_in), is_last ? 1.0f : 0.0f,
                matrix_of(out, n, n_out));
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
    memcpy(pass->input, x, count * hidden->dimension * sizeof *x);
    struct hidden_job job = {.hidden = hidden, .pass = pass, .x = x};
    pool_run_rows(pool, count, ROW_BLOCK, forward_task, &job);
}

/* A block of output units: the gradient of their weights. */
static void weight_gradient_task(void *data, size_t first, size_t last)
{
    const struct hidden_job *job = data;
    size_t n = last - first, n_in = job->in.columns;
    struct const_matrix g = {job->gradient.data + first, job->gradient.rows, n,
                             job->gradient.stride};
    blas_tn(1.0f, g, job->in, 1.0f, matrix_of(job->weight_gradient + first * n_in, n, n_in));
}

/* A block of rows: the gradient of what entered the product. */
static void input_gradient_task(void *data, size_t first, size_t last)
{
    const struct hidden_job *job = data;
    size_t n = last - first, n_in = job->table->dimension;
    blas_nn(1.0f, matrix_rows(job->gradient, first, n),
            const_matrix_of(job->table->weights, job->table->n, n_in), 0.0f,
            matrix_of(job->x + first * n_in, n, n_in));
}

/* One product: gathers dL/dW and dL/db, and leaves dL/d input in `out` (count, in). */
static void product_backward(struct hidden *hidden, size_t layer, const float *in,
                             const float *gradient, size_t count, float *out, struct pool *pool)
{
    size_t n_in = width_in(hidden, layer), n_out = width_out(hidden, layer);
    float *bias = embedding_table_gradient(&hidden->biases[layer]);
    struct hidden_job job = {.hidden = hidden,
                             .table = &hidden->weights[layer],
                             .weight_gradient = embedding_table_gradient(&hidden->weights[layer]),
                             .x = out,
                             .in = const_matrix_of(in, count, n_in),
                             .gradient = const_matrix_of(gradient, count, n_out)};
    for (size_t r = 0; r < count; r++) {
        vec_ops()->axpy(1.0f, gradient + r * n_out, bias, n_out);
    }
    pool_run_rows(pool, n_out, ROW_BLOCK, weight_gradient_task, &job);
    pool_run_rows(pool, count, ROW_BLOCK, input_gradient_task, &job);
}

void hidden_backward(struct hidden *hidden, struct hidden_pass *pass, float *gradient, size_t count,
                     struct pool *pool)
{
    size_t d = hidden->dimension, u = hidden->units;
    if (hidden->n_layers == 0) {
        return;
    }
    float *now = pass->gradient, *next = pass->other;
    memcpy(now, gradient, count * d * sizeof *now);
    for (size_t l = hidden->n_layers + 1; l-- > 0;) {
        const float *in = l == 0 ? pass->input : pass->after[l - 1];
        product_backward(hidden, l, in, now, count, next, pool);
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
}
