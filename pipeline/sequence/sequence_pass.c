/* Passes over the places of some users. */
#include "sequence/sequence_pass.h"

#include "base/mem.h"
#include "math/blas.h"
#include "math/product.h"
#include "math/vec.h"

enum { OUT_BLOCK = 64, ENCODE_PLACES = 1024 };

/* ---- weights ---- */

/* Floats of a product's panels, whichever way. */
static size_t panels_size(size_t d, enum sequence_product product)
{
    const struct product_ops *ops = vec_ops()->product;
    const size_t in = sequence_product_in(d, product), out = sequence_product_out(d, product);
    const size_t there = product_packed_size(ops, in, out);
    const size_t back = product_packed_size(ops, out, in);
    return there > back ? there : back;
}

/* Once for all blocks of places. */
static void pack_weights(const struct sequence_model *model, struct sequence_pass *pass, bool back)
{
    const struct product_ops *ops = vec_ops()->product;
    float *to = pass->packed;
    for (size_t l = 0; l < model->n_layers; l++) {
        for (enum sequence_product p = PRODUCT_MIX; p < SEQUENCE_PRODUCTS; p++) {
            const struct embedding_table *table = &model->layers[l].weights[p];
            const struct const_matrix weights =
                const_matrix_of(table->weights, table->n, table->dimension);
            if (back) {
                ops->pack(weights, NULL, to);
            } else {
                ops->pack_transposed(weights, 1.0f, to);
            }
            pass->panels[l][p] = to;
            to += panels_size(model->dimension, p);
        }
    }
}

/* ---- there ---- */

static enum status_code reserve(const struct sequence_model *model, struct sequence_pass *pass,
                                size_t n, struct status *status)
{
    const size_t d = model->dimension;
    struct workspace *workspace = &pass->workspace;
    workspace_begin(workspace);
    WORKSPACE_ADD(workspace, &pass->states, n * d);
    WORKSPACE_ADD(workspace, &pass->state_scales, n);
    WORKSPACE_ADD(workspace, &pass->x, n * d);
    WORKSPACE_ADD(workspace, &pass->gradient, n * d);
    WORKSPACE_ADD(workspace, &pass->products, n * 3 * d);
    size_t packed = 0;
    for (enum sequence_product p = PRODUCT_MIX; p < SEQUENCE_PRODUCTS; p++) {
        packed += panels_size(d, p);
    }
    WORKSPACE_ADD(workspace, &pass->packed, model->n_layers * packed);
    for (size_t l = 0; l < model->n_layers; l++) {
        struct sequence_layer_pass *layer = &pass->layers[l];
        WORKSPACE_ADD(workspace, &layer->h, n * d);
        WORKSPACE_ADD(workspace, &layer->h_scales, n);
        WORKSPACE_ADD(workspace, &layer->mixed, n * 3 * d);
        WORKSPACE_ADD(workspace, &layer->s, n * d);
        WORKSPACE_ADD(workspace, &layer->q, n * d);
        WORKSPACE_ADD(workspace, &layer->o, n * d);
        WORKSPACE_ADD(workspace, &layer->g, n * d);
        WORKSPACE_ADD(workspace, &layer->g_scales, n);
        WORKSPACE_ADD(workspace, &layer->slopes, n * 2 * d);
        WORKSPACE_ADD(workspace, &layer->wide, n * 2 * d);
        WORKSPACE_ADD(workspace, &layer->d_out, n * d);
        WORKSPACE_ADD(workspace, &layer->d_narrow, n * d);
    }
    return workspace_reserve(workspace, status);
}

void sequence_pass_release(struct sequence_pass *pass)
{
    workspace_release(&pass->workspace);
    *pass = (struct sequence_pass){0};
}

static void forward_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct sequence_job *job = data;
    const struct sequence_places *places = job->places;
    const struct vec_ops *vec = vec_ops();
    const size_t d = job->model->dimension;
    for (size_t l = 0; l < job->model->n_layers; l++) {
        sequence_layer_forward(job, l, block);
    }
    const size_t end = (size_t)places->first[places->blocks[block + 1]];
    for (size_t p = (size_t)places->first[places->blocks[block]]; p < end; p++) {
        float *state = job->pass->states + p * d;
        memcpy(state, job->pass->x + p * d, d * sizeof *state);
        job->pass->state_scales[p] = vec_unit(vec, state, d);
    }
}

enum status_code sequence_forward(const struct sequence_model *model, struct sequence_pass *pass,
                                  const struct sequence_places *places,
                                  const struct sequence_noise *noise, struct pool *pool,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sequence_job job = {model, pass, places, noise};
    TRY(reserve(model, pass, places->n, status));
    memset(pass->x, 0, places->n * model->dimension * sizeof *pass->x);
    pack_weights(model, pass, false);
    embedding_table_pool(&model->items, &places->read, pass->x, pool);
    embedding_table_pool(&model->ages, &places->aged, pass->x, pool);
    pool_run(pool, places->n_blocks, forward_task, &job);
done:
    return code;
}

/* ---- and back ---- */

static void backward_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct sequence_job *job = data;
    const struct sequence_places *places = job->places;
    const struct vec_ops *vec = vec_ops();
    const size_t d = job->model->dimension;
    const size_t end = (size_t)places->first[places->blocks[block + 1]];
    for (size_t p = (size_t)places->first[places->blocks[block]]; p < end; p++) {
        const float *state = job->pass->states + p * d;
        float *gradient = job->pass->gradient + p * d;
        vec_unit_gradient(vec, state, job->pass->state_scales[p], gradient, d);
    }
    for (size_t l = job->model->n_layers; l-- > 0;) {
        sequence_layer_backward(job, l, block);
    }
}

/* A product's part in the gradients: dW (out, in) = gradient^T input, dw = sum of the gradient. */
struct product_task {
    struct const_matrix gradient, input; /* (n, out), (n, in) */
    float *weights, *bias;
};

struct product_job {
    struct product_task tasks[SEQUENCE_LAYERS_MAX * SEQUENCE_PRODUCTS];
    size_t n;
    size_t first_block[SEQUENCE_LAYERS_MAX * SEQUENCE_PRODUCTS + 1];
};

static void add_product(struct product_job *job, struct sequence_layer *layer,
                        enum sequence_product product, const float *gradient, const float *input,
                        size_t n_places)
{
    struct embedding_table *weights = &layer->weights[product];
    const bool has_bias = sequence_product_has_bias(product);
    job->tasks[job->n] = (struct product_task){
        .gradient = const_matrix_of(gradient, n_places, weights->n),
        .input = const_matrix_of(input, n_places, weights->dimension),
        .weights = embedding_table_gradient(weights),
        .bias = has_bias ? embedding_table_gradient(&layer->biases[product]) : NULL,
    };
    job->first_block[job->n + 1] =
        job->first_block[job->n] + (weights->n + OUT_BLOCK - 1) / OUT_BLOCK;
    job->n++;
}

/* Some rows of one product's weights, over all places. */
static void product_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct product_job *job = data;
    size_t t = 0;
    while (block >= job->first_block[t + 1]) {
        t++;
    }
    const struct product_task *task = &job->tasks[t];
    const size_t first = (block - job->first_block[t]) * OUT_BLOCK, in = task->input.columns;
    size_t n = task->gradient.columns - first;
    n = n < OUT_BLOCK ? n : OUT_BLOCK;
    const struct const_matrix part = {task->gradient.data + first, task->gradient.rows, n,
                                      task->gradient.stride};
    blas_tn(1.0f, part, task->input, 1.0f, matrix_of(task->weights + first * in, n, in));
    const struct vec_ops *vec = vec_ops();
    for (size_t r = 0; r < part.rows && task->bias != NULL; r++) {
        vec->axpy(1.0f, matrix_row(part, r), task->bias + first, n);
    }
}

enum status_code sequence_backward(struct sequence_model *model, struct sequence_pass *pass,
                                   const struct sequence_places *places,
                                   const struct sequence_noise *noise, const float *gradient,
                                   struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sequence_job job = {model, pass, places, noise};
    struct product_job products = {.n = 0};
    memcpy(pass->gradient, gradient, places->n * model->dimension * sizeof *gradient);
    pack_weights(model, pass, true);
    pool_run(pool, places->n_blocks, backward_task, &job);
    for (size_t l = 0; l < model->n_layers; l++) {
        struct sequence_layer *layer = &model->layers[l];
        const struct sequence_layer_pass *of = &pass->layers[l];
        add_product(&products, layer, PRODUCT_MIX, of->mixed, of->h, places->n);
        add_product(&products, layer, PRODUCT_OUT, of->d_out, of->o, places->n);
        add_product(&products, layer, PRODUCT_WIDE, of->slopes, of->g, places->n);
        add_product(&products, layer, PRODUCT_NARROW, of->d_narrow, of->wide, places->n);
    }
    pool_run(pool, products.first_block[products.n], product_task, &products);
    if (!model->holds_items) {
        TRY(embedding_table_add_sparse(&model->items, &places->read, NULL, pass->gradient, pool,
                                       status));
    }
    TRY(embedding_table_add_sparse(&model->ages, &places->aged, NULL, pass->gradient, pool,
                                   status));
done:
    return code;
}

/* ---- newest states ---- */

/* The end of a chunk of ENCODE_PLACES places or one user; empty sequences cost nothing. */
static size_t chunk_end(const struct sequences *sequences, const int32_t *users, size_t first,
                        size_t n)
{
    size_t places = 0, end = first;
    while (end < n && (end == first || places < ENCODE_PLACES)) {
        places += sequence_steps(sequences, users == NULL ? end : (size_t)users[end]);
        end++;
    }
    return end;
}

enum status_code sequence_encode(const struct sequence_model *model,
                                 const struct sequences *sequences, const int32_t *users, size_t n,
                                 float *out, float *states, const struct watch *watch,
                                 struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sequence_noise none = {.training = false};
    const size_t d = model->dimension;
    struct sequence_places places = {0};
    struct sequence_pass pass = {0};
    int32_t *read = NULL, *to = NULL;
    TRY(MEM_NEW(&read, n, status));
    TRY(MEM_NEW(&to, n, status));
    memset(out, 0, n * d * sizeof *out);
    for (size_t first = 0; first < n;) {
        const size_t end = chunk_end(sequences, users, first, n);
        size_t n_read = 0;
        TRY(watch_check(watch, status));
        for (size_t i = first; i < end; i++) {
            const int32_t user = users == NULL ? (int32_t)i : users[i];
            if (sequence_steps(sequences, (size_t)user) > 0) {
                read[n_read] = user;
                to[n_read++] = (int32_t)i;
            }
        }
        TRY(sequence_places_set(&places, sequences, model->items.n, read, n_read, NULL, status));
        TRY(sequence_forward(model, &pass, &places, &none, pool, status));
        for (size_t i = 0; i < n_read; i++) {
            const size_t last = (size_t)(places.first[i + 1] - 1), row = (size_t)to[i];
            memcpy(out + row * d, pass.states + last * d, d * sizeof *out);
            for (size_t l = 0; states != NULL && l < model->n_layers; l++) {
                memcpy(states + (row * model->n_layers + l) * d, pass.layers[l].s + last * d,
                       d * sizeof *states);
            }
        }
        first = end;
    }
done:
    mem_free(read);
    mem_free(to);
    sequence_pass_release(&pass);
    sequence_places_release(&places);
    return code;
}
