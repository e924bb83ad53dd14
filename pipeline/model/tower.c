/* Id embeddings with unit-length output. */
#include "model/tower.h"

#include "base/mem.h"
#include "base/rng.h"
#include "math/vec.h"

#include <assert.h>
#include <math.h>

enum { ROW_BLOCK = 256 };

struct tower_job {
    const struct tower *tower;
    float *weights; /* init only */
    const int32_t *rows;
    size_t count;
    float *out;
    float *inverse_norms;
    const float *unit;
    const float *norms_in;
    uint64_t seed;
    const char *purpose;
    double scale;
};

static size_t block_end(size_t block, size_t count)
{
    return (block + 1) * ROW_BLOCK < count ? (block + 1) * ROW_BLOCK : count;
}

static void run_rows(struct pool *pool, struct tower_job *job, pool_task *task)
{
    pool_run(pool, (job->count + ROW_BLOCK - 1) / ROW_BLOCK, task, job);
}

static void init_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct tower_job *job = data;
    size_t d = job->tower->dimension;
    for (size_t i = block * ROW_BLOCK; i < block_end(block, job->count); i++) {
        struct rng rng;
        rng_init(&rng, job->seed, job->purpose, 0, i);
        for (size_t j = 0; j < d; j++) {
            job->weights[i * d + j] = (float)(job->scale * rng_normal(&rng));
        }
    }
}

enum status_code tower_init(struct tower *tower, size_t n, size_t dimension,
                            const struct optimizer_rule *rule, uint64_t seed, const char *purpose,
                            double scale, struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct tower made = {.n = n, .dimension = dimension};
    TRY(MEM_NEW(&made.weights, n * dimension, status));
    TRY(optimizer_init(&made.optimizer, rule, n, dimension, status));
    struct tower_job job = {.tower = &made,
                            .weights = made.weights,
                            .count = n,
                            .seed = seed,
                            .purpose = purpose,
                            .scale = scale};
    run_rows(pool, &job, init_task);
    *tower = made;
done:
    if (code != STATUS_OK) {
        tower_release(&made);
    }
    return code;
}

void tower_release(struct tower *tower)
{
    mem_free(tower->weights);
    tower->weights = NULL;
    optimizer_release(&tower->optimizer);
}

void tower_catch_up(struct tower *tower, const int32_t *rows, size_t count, double rate,
                    struct pool *pool)
{
    optimizer_catch_up(&tower->optimizer, tower->weights, rows, count, rate, pool);
}

static void forward_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct tower_job *job = data;
    const struct vec_ops *vec = vec_ops();
    size_t d = job->tower->dimension;
    for (size_t i = block * ROW_BLOCK; i < block_end(block, job->count); i++) {
        size_t row = job->rows == NULL ? i : (size_t)job->rows[i];
        const float *weights = job->tower->weights + row * d;
        float square = vec->dot(weights, weights, d);
        float inverse = square > 0.0f ? 1.0f / sqrtf(square) : square; /* keeps NaN, 0 stays 0 */
        memcpy(job->out + i * d, weights, d * sizeof *weights);
        vec->scale(inverse, job->out + i * d, d);
        job->inverse_norms[i] = inverse;
    }
}

void tower_forward(const struct tower *tower, const int32_t *rows, size_t count, float *out,
                   float *inverse_norms, struct pool *pool)
{
    struct tower_job job = {
        .tower = tower, .rows = rows, .count = count, .out = out, .inverse_norms = inverse_norms};
    run_rows(pool, &job, forward_task);
}

static void backward_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct tower_job *job = data;
    const struct vec_ops *vec = vec_ops();
    size_t d = job->tower->dimension;
    for (size_t i = block * ROW_BLOCK; i < block_end(block, job->count); i++) {
        const float *unit = job->unit + i * d;
        float *gradient = job->out + i * d;
        vec->axpy(-vec->dot(gradient, unit, d), unit, gradient, d);
        vec->scale(job->norms_in[i], gradient, d);
    }
}

void tower_backward(struct tower *tower, const int32_t *rows, size_t count, const float *unit,
                    const float *inverse_norms, float *gradient, double rate, struct pool *pool)
{
    struct tower_job job = {.tower = tower,
                            .rows = rows,
                            .count = count,
                            .out = gradient,
                            .unit = unit,
                            .norms_in = inverse_norms};
    run_rows(pool, &job, backward_task);
    optimizer_apply(&tower->optimizer, tower->weights, rows, count, gradient, rate, pool);
}

enum status_code tower_save(const struct tower *tower, struct artifact *artifact,
                            const char *prefix, struct status *status)
{
    enum status_code code = STATUS_OK;
    char name[ARTIFACT_NAME_MAX];
    snprintf(name, sizeof name, "%s.weights", prefix);
    TRY(artifact_copy(artifact, name, ARRAY_F32, tower->n, tower->dimension, tower->weights,
                      status));
    for (size_t s = 0; s < tower->optimizer.rule->n_states; s++) {
        snprintf(name, sizeof name, "%s.state%zu", prefix, s);
        TRY(artifact_copy(artifact, name, ARRAY_F32, tower->n, tower->dimension,
                          tower->optimizer.states[s], status));
    }
    snprintf(name, sizeof name, "%s.steps", prefix);
    TRY(artifact_set_number(artifact, name, (double)tower->optimizer.n_steps, status));
done:
    return code;
}

static enum status_code restore_array(float *out, const struct tower *tower,
                                      const struct artifact *artifact, const char *name,
                                      struct status *status)
{
    const void *data = NULL;
    size_t rows = 0, columns = 0;
    enum status_code code = artifact_get(artifact, name, ARRAY_F32, &data, &rows, &columns, status);
    if (code == STATUS_OK && (rows != tower->n || columns != tower->dimension)) {
        code = status_set(status, STATUS_INTERNAL,
                          "checkpoint array %s is %zu x %zu, expected %zu x %zu: delete the work "
                          "database",
                          name, rows, columns, tower->n, tower->dimension);
    }
    if (code == STATUS_OK) {
        memcpy(out, data, rows * columns * sizeof *out);
    }
    return code;
}

enum status_code tower_restore(struct tower *tower, const struct artifact *artifact,
                               const char *prefix, struct status *status)
{
    enum status_code code = STATUS_OK;
    char name[ARTIFACT_NAME_MAX];
    double steps = 0.0;
    snprintf(name, sizeof name, "%s.weights", prefix);
    TRY(restore_array(tower->weights, tower, artifact, name, status));
    for (size_t s = 0; s < tower->optimizer.rule->n_states; s++) {
        snprintf(name, sizeof name, "%s.state%zu", prefix, s);
        TRY(restore_array(tower->optimizer.states[s], tower, artifact, name, status));
    }
    snprintf(name, sizeof name, "%s.steps", prefix);
    TRY(artifact_get_number(artifact, name, &steps, status));
    tower->optimizer.n_steps = (int64_t)steps;
    for (size_t i = 0; i < tower->n; i++) {
        tower->optimizer.row_steps[i] = (int64_t)steps;
    }
done:
    return code;
}
