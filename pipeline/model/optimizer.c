/* The table of optimizers and the row-sparse step. */
#include "model/optimizer.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>

enum { ROW_BLOCK = 256 };

static const double ADAM_BETA1 = 0.9, ADAM_BETA2 = 0.999;
static const float ADAM_EPSILON = 1e-8f;

/* Adam (Kingma and Ba 2015, algorithm 1) with the paper's beta1 = .9, beta2 = .999, epsilon = 1e-8.
 * Rows out of play keep their moments; the bias correction counts every step of the table. */
static void adam_update(const struct optimizer_step *step, float *weights,
                        float *const states[OPTIMIZER_MAX_STATES], const float *gradient, size_t n)
{
    step->vec->adam(weights, states[0], states[1], gradient, n, step->rate, (float)ADAM_BETA1,
                    (float)ADAM_BETA2, step->unbias[0], step->unbias[1], ADAM_EPSILON);
}

/* k steps of Adam with gradient 0: m and v decay by beta1^j and beta2^j, so the weight moves by
 * rate m / sqrt(v) times the sum of r^j for j = 1..k with r = beta1 / sqrt(beta2). The rate and the
 * bias corrections are taken as those of now. */
static void adam_idle(const struct optimizer_step *step, float *weights,
                      float *const states[OPTIMIZER_MAX_STATES], int64_t missed, size_t n)
{
    double r = ADAM_BETA1 / sqrt(ADAM_BETA2), k = (double)missed;
    double moved = r * (1.0 - pow(r, k)) / (1.0 - r);
    float first = (float)pow(ADAM_BETA1, k), second = (float)pow(ADAM_BETA2, k);
    step->vec->adam_idle(weights, states[0], states[1], n, step->rate * (float)moved, first, second,
                         step->unbias[0], step->unbias[1], ADAM_EPSILON);
}

const char *const optimizer_names[] = {"adam", NULL};
const struct optimizer_rule optimizer_table[] = {{2, adam_idle, adam_update}};

enum status_code optimizer_init(struct optimizer *optimizer, const struct optimizer_rule *rule,
                                size_t rows, size_t dimension, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct optimizer made = {.rule = rule, .rows = rows, .dimension = dimension};
    assert(rule->n_states <= OPTIMIZER_MAX_STATES);
    for (size_t s = 0; s < rule->n_states; s++) {
        TRY(MEM_NEW(&made.states[s], rows * dimension, status));
    }
    TRY(MEM_NEW(&made.row_steps, rows, status));
    *optimizer = made;
done:
    if (code != STATUS_OK) {
        optimizer_release(&made);
    }
    return code;
}

void optimizer_release(struct optimizer *optimizer)
{
    for (size_t s = 0; s < OPTIMIZER_MAX_STATES; s++) {
        mem_free(optimizer->states[s]);
        optimizer->states[s] = NULL;
    }
    mem_free(optimizer->row_steps);
    optimizer->row_steps = NULL;
}

struct apply_job {
    struct optimizer *optimizer;
    struct optimizer_step step;
    float *weights;
    const int32_t *rows;
    size_t n;
    const float *gradient; /* NULL: catch up */
};

static void apply_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct apply_job *job = data;
    struct optimizer *optimizer = job->optimizer;
    size_t d = optimizer->dimension;
    size_t last = (block + 1) * ROW_BLOCK < job->n ? (block + 1) * ROW_BLOCK : job->n;
    for (size_t i = block * ROW_BLOCK; i < last; i++) {
        size_t row = job->rows == NULL ? i : (size_t)job->rows[i];
        int64_t missed = optimizer->n_steps - optimizer->row_steps[row];
        float *states[OPTIMIZER_MAX_STATES] = {NULL};
        for (size_t s = 0; s < optimizer->rule->n_states; s++) {
            states[s] = optimizer->states[s] + row * d;
        }
        if (job->gradient != NULL) {
            optimizer->rule->update(&job->step, job->weights + row * d, states,
                                    job->gradient + i * d, d);
        } else if (missed > 0 && optimizer->rule->idle != NULL) {
            optimizer->rule->idle(&job->step, job->weights + row * d, states, missed, d);
        }
        optimizer->row_steps[row] = optimizer->n_steps;
    }
}

static void run_rows(struct apply_job *job, double rate, struct pool *pool)
{
    double t = (double)(job->optimizer->n_steps > 0 ? job->optimizer->n_steps : 1);
    job->step = (struct optimizer_step){
        .rate = (float)rate,
        .unbias = {(float)(1.0 / (1.0 - pow(ADAM_BETA1, t))),
                   (float)(1.0 / (1.0 - pow(ADAM_BETA2, t)))},
        .vec = vec_ops(),
    };
    pool_run(pool, (job->n + ROW_BLOCK - 1) / ROW_BLOCK, apply_task, job);
}

void optimizer_catch_up(struct optimizer *optimizer, float *weights, const int32_t *rows, size_t n,
                        double rate, struct pool *pool)
{
    struct apply_job job = {.optimizer = optimizer, .weights = weights, .rows = rows, .n = n};
    run_rows(&job, rate, pool);
}

void optimizer_apply(struct optimizer *optimizer, float *weights, const int32_t *rows, size_t n,
                     const float *gradient, double rate, struct pool *pool)
{
    optimizer->n_steps++;
    struct apply_job job = {
        .optimizer = optimizer, .weights = weights, .rows = rows, .n = n, .gradient = gradient};
    run_rows(&job, rate, pool);
}
