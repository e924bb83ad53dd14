/* The table of optimizers and the row-sparse step. */
#include "towers/optimizer.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>

enum { ROW_BLOCK = 64 };

static const double ADAM_BETA1 = 0.9, ADAM_BETA2 = 0.999;
static const float EPSILON = 1e-8f;

/* base^k by squaring: powers of a whole number of steps stand in every row's way. */
static double power(double base, int64_t k)
{
    double result = 1.0;
    for (; k > 0 && base != 1.0; k >>= 1) {
        result = k & 1 ? result * base : result;
        base *= base;
    }
    return result;
}

/* keep^k w - rate direction (sum over j = 1..k of keep^(k - j) ratio^j) is where k steps take a
 * weight that decays by `keep` and moves by direction ratio^j in step j; this is the sum. */
static double sum_of_moves(double keep, double ratio, int64_t k)
{
    if (fabs(keep - ratio) < 1e-8) { /* the quotient below would be all rounding */
        return (double)k * power(ratio, k);
    }
    return ratio * (power(keep, k) - power(ratio, k)) / (keep - ratio);
}

/* What weight decay leaves of the weights after `steps` steps. */
static void decay(const struct optimizer_step *step, float *weights, int64_t steps, size_t n)
{
    if (step->keep < 1.0) {
        step->vec->scale((float)power(step->keep, steps), weights, n);
    }
}

/* Adam (Kingma and Ba 2015, algorithm 1) with the paper's beta1 = .9, beta2 = .999, epsilon = 1e-8.
 * Rows out of play keep their moments; the bias correction counts every step of the table. With
 * weight decay it is AdamW (Loshchilov and Hutter 2019, algorithm 2): the decay stays outside of
 * the moments, so that every weight decays at the same speed. */
static void adam_update(const struct optimizer_step *step, float *weights,
                        float *const states[OPTIMIZER_MAX_STATES], const float *gradient, size_t n)
{
    decay(step, weights, 1, n);
    step->vec->adam(weights, states[0], states[1], gradient, n, step->rate, (float)ADAM_BETA1,
                    (float)ADAM_BETA2, step->unbias[0], step->unbias[1], EPSILON);
}

/* k steps of Adam with gradient 0: m and v decay by beta1^j and beta2^j, so step j moves the weight
 * by rate m / sqrt(v) times r^j with r = beta1 / sqrt(beta2). The rate and the bias corrections are
 * taken as those of now. */
static void adam_idle_weights(const struct optimizer_step *step, float *weights,
                              float *const states[OPTIMIZER_MAX_STATES], int64_t missed, size_t n)
{
    double moved = sum_of_moves(step->keep, ADAM_BETA1 / sqrt(ADAM_BETA2), missed);
    decay(step, weights, missed, n);
    step->vec->adam_drift(weights, states[0], states[1], n, step->rate * (float)moved,
                          step->unbias[0], step->unbias[1], EPSILON);
}

static void adam_idle_states(const struct optimizer_step *step,
                             float *const states[OPTIMIZER_MAX_STATES], int64_t missed, size_t n)
{
    step->vec->scale((float)power(ADAM_BETA1, missed), states[0], n);
    step->vec->scale((float)power(ADAM_BETA2, missed), states[1], n);
}

/* Adam with one second moment a row, of the mean square of its gradient (a block of Adam-mini,
 * Zhang et al. 2024, arXiv 2406.16793, algorithm 1): all components of an embedding move at one
 * speed, which is theirs to choose in Adam, and a third of what a step moves through memory is
 * saved, with all of its roots and quotients. */
static void rowwise_adam_update(const struct optimizer_step *step, float *weights,
                                float *const states[OPTIMIZER_MAX_STATES], const float *gradient,
                                size_t n)
{
    float *second = states[1];
    double square = step->vec->dot(gradient, gradient, n) / (double)n;
    decay(step, weights, 1, n);
    *second = (float)(ADAM_BETA2 * *second + (1.0 - ADAM_BETA2) * square);
    step->vec->momentum(
        weights, states[0], gradient, n, (float)ADAM_BETA1, (float)(1.0 - ADAM_BETA1),
        step->rate * step->unbias[0] / (sqrtf(*second * step->unbias[1]) + EPSILON));
}

/* As adam_idle_weights. */
static void rowwise_adam_idle_weights(const struct optimizer_step *step, float *weights,
                                      float *const states[OPTIMIZER_MAX_STATES], int64_t missed,
                                      size_t n)
{
    double moved = sum_of_moves(step->keep, ADAM_BETA1 / sqrt(ADAM_BETA2), missed);
    float speed = step->rate * step->unbias[0] / (sqrtf(*states[1] * step->unbias[1]) + EPSILON);
    decay(step, weights, missed, n);
    step->vec->axpy(-speed * (float)moved, states[0], weights, n);
}

static void rowwise_adam_idle_states(const struct optimizer_step *step,
                                     float *const states[OPTIMIZER_MAX_STATES], int64_t missed,
                                     size_t n)
{
    step->vec->scale((float)power(ADAM_BETA1, missed), states[0], n);
    *states[1] *= (float)power(ADAM_BETA2, missed);
}

/* AdaGrad (Duchi, Hazan and Singer 2011, figure 1, diagonal): s += g^2; w -= rate g / (sqrt(s) +
 * epsilon). Without a gradient nothing moves. */
static void adagrad_update(const struct optimizer_step *step, float *weights,
                           float *const states[OPTIMIZER_MAX_STATES], const float *gradient,
                           size_t n)
{
    decay(step, weights, 1, n);
    step->vec->adagrad(weights, states[0], gradient, n, step->rate, EPSILON);
}

static void adagrad_idle_weights(const struct optimizer_step *step, float *weights,
                                 float *const states[OPTIMIZER_MAX_STATES], int64_t missed,
                                 size_t n)
{
    (void)states;
    decay(step, weights, missed, n);
}

/* Gradient descent with a heavy ball (Polyak 1964): m = momentum m + g; w -= rate m. */
static void sgd_update(const struct optimizer_step *step, float *weights,
                       float *const states[OPTIMIZER_MAX_STATES], const float *gradient, size_t n)
{
    decay(step, weights, 1, n);
    step->vec->momentum(weights, states[0], gradient, n, (float)step->momentum, 1.0f, step->rate);
}

/* k steps with gradient 0: m in step j is momentum^j times what it was. */
static void sgd_idle_weights(const struct optimizer_step *step, float *weights,
                             float *const states[OPTIMIZER_MAX_STATES], int64_t missed, size_t n)
{
    decay(step, weights, missed, n);
    if (step->momentum > 0.0) {
        double moved = sum_of_moves(step->keep, step->momentum, missed);
        step->vec->axpy(-step->rate * (float)moved, states[0], weights, n);
    }
}

static void sgd_idle_states(const struct optimizer_step *step,
                            float *const states[OPTIMIZER_MAX_STATES], int64_t missed, size_t n)
{
    if (step->momentum > 0.0) {
        step->vec->scale((float)power(step->momentum, missed), states[0], n);
    }
}

/* `adam` takes no decay: with it, it would be `adamw` under another name. */
const char *const optimizer_names[] = {"adam", "adamw", "adagrad", "sgd", "rowwise_adam", NULL};
const struct optimizer_rule optimizer_table[] = {
    {.n_states = 2,
     .idle_weights = adam_idle_weights,
     .idle_states = adam_idle_states,
     .update = adam_update},
    {.n_states = 2,
     .takes_decay = true,
     .idle_weights = adam_idle_weights,
     .idle_states = adam_idle_states,
     .update = adam_update},
    {.n_states = 1,
     .takes_decay = true,
     .idle_weights = adagrad_idle_weights,
     .update = adagrad_update},
    {.n_states = 1,
     .takes_decay = true,
     .takes_momentum = true,
     .idle_weights = sgd_idle_weights,
     .idle_states = sgd_idle_states,
     .update = sgd_update},
    {.n_states = 2,
     .is_row_state = {false, true},
     .takes_decay = true,
     .idle_weights = rowwise_adam_idle_weights,
     .idle_states = rowwise_adam_idle_states,
     .update = rowwise_adam_update},
};

size_t optimizer_state_width(const struct optimizer *optimizer, size_t s)
{
    return optimizer->rule->is_row_state[s] ? 1 : optimizer->dimension;
}

enum status_code optimizer_init(struct optimizer *optimizer,
                                const struct optimizer_settings *settings, size_t rows,
                                size_t dimension, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct optimizer_rule *rule = &optimizer_table[settings->rule];
    struct optimizer made = {.rule = rule,
                             .weight_decay = rule->takes_decay ? settings->weight_decay : 0.0,
                             .momentum = rule->takes_momentum ? settings->momentum : 0.0,
                             .rows = rows,
                             .dimension = dimension};
    assert(rule->n_states <= OPTIMIZER_MAX_STATES);
    for (size_t s = 0; s < rule->n_states; s++) {
        TRY(MEM_NEW(&made.states[s], rows * optimizer_state_width(&made, s), status));
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

/* What row i keeps beside its weights. */
struct row_states {
    float *at[OPTIMIZER_MAX_STATES];
};

static struct row_states states_of(const struct optimizer *optimizer, size_t row)
{
    struct row_states out = {{NULL}};
    for (size_t s = 0; s < optimizer->rule->n_states; s++) {
        out.at[s] = optimizer->states[s] + row * optimizer_state_width(optimizer, s);
    }
    return out;
}

struct optimizer_step optimizer_now(const struct optimizer *optimizer, double rate)
{
    double t = (double)(optimizer->n_steps > 0 ? optimizer->n_steps : 1);
    double keep = 1.0 - rate * optimizer->weight_decay;
    return (struct optimizer_step){
        .number = optimizer->n_steps,
        .rate = (float)rate,
        .unbias = {(float)(1.0 / (1.0 - pow(ADAM_BETA1, t))),
                   (float)(1.0 / (1.0 - pow(ADAM_BETA2, t)))},
        .keep = keep > 0.0 ? keep : 0.0,
        .momentum = optimizer->momentum,
        .vec = vec_ops(),
    };
}

void optimizer_read_row(const struct optimizer *optimizer, const struct optimizer_step *now,
                        const float *weights, size_t row, float *out)
{
    const size_t d = optimizer->dimension;
    const int64_t missed = now->number - optimizer->row_steps[row];
    memcpy(out, weights + row * d, d * sizeof *out);
    if (missed > 0) {
        optimizer->rule->idle_weights(now, out, states_of(optimizer, row).at, missed, d);
    }
}

static void catch_up_row(struct optimizer *optimizer, const struct optimizer_step *now,
                         float *weights, size_t row)
{
    const struct optimizer_rule *rule = optimizer->rule;
    const size_t d = optimizer->dimension;
    const int64_t missed = now->number - optimizer->row_steps[row];
    const struct row_states states = states_of(optimizer, row);
    if (missed > 0) {
        rule->idle_weights(now, weights + row * d, states.at, missed, d);
        if (rule->idle_states != NULL) {
            rule->idle_states(now, states.at, missed, d);
        }
        optimizer->row_steps[row] = now->number;
    }
}

struct optimizer_update optimizer_begin(struct optimizer *optimizer, double rate)
{
    struct optimizer_update update = {.before = optimizer_now(optimizer, rate)};
    optimizer->n_steps++;
    update.now = optimizer_now(optimizer, rate);
    return update;
}

void optimizer_apply_row(struct optimizer *optimizer, const struct optimizer_update *update,
                         float *weights, size_t row, const float *gradient)
{
    const size_t d = optimizer->dimension;
    catch_up_row(optimizer, &update->before, weights, row);
    optimizer->rule->update(&update->now, weights + row * d, states_of(optimizer, row).at, gradient,
                            d);
    optimizer->row_steps[row] = update->now.number;
}

void optimizer_prefetch_row(const struct optimizer *optimizer, const float *weights, size_t row)
{
    const size_t d = optimizer->dimension;
    const struct row_states states = states_of(optimizer, row);
    mem_prefetch(&optimizer->row_steps[row], sizeof *optimizer->row_steps);
    mem_prefetch(weights + row * d, d * sizeof *weights);
    for (size_t s = 0; s < optimizer->rule->n_states; s++) {
        mem_prefetch(states.at[s], optimizer_state_width(optimizer, s) * sizeof(float));
    }
}

/* ---- many rows ---- */

/* A step of many rows; without a gradient they are brought up to update.now. */
struct rows_job {
    struct optimizer *optimizer;
    struct optimizer_update update;
    float *weights;
    const int32_t *rows;
    const float *gradient;
};

static void rows_task(void *data, size_t first, size_t last)
{
    const struct rows_job *job = data;
    const size_t d = job->optimizer->dimension;
    for (size_t i = first; i < last; i++) {
        size_t row = job->rows == NULL ? i : (size_t)job->rows[i];
        if (job->rows != NULL && i + OPTIMIZER_AHEAD < last) {
            optimizer_prefetch_row(job->optimizer, job->weights,
                                   (size_t)job->rows[i + OPTIMIZER_AHEAD]);
        }
        if (job->gradient == NULL) {
            catch_up_row(job->optimizer, &job->update.now, job->weights, row);
        } else {
            optimizer_apply_row(job->optimizer, &job->update, job->weights, row,
                                job->gradient + i * d);
        }
    }
}

void optimizer_catch_up(struct optimizer *optimizer, float *weights, const int32_t *rows, size_t n,
                        double rate, struct pool *pool)
{
    struct rows_job job = {.optimizer = optimizer, .weights = weights, .rows = rows};
    job.update.now = optimizer_now(optimizer, rate);
    pool_run_rows(pool, n, ROW_BLOCK, rows_task, &job);
}

void optimizer_apply(struct optimizer *optimizer, float *weights, const int32_t *rows, size_t n,
                     const float *gradient, double rate, struct pool *pool)
{
    struct rows_job job = {
        .optimizer = optimizer, .weights = weights, .rows = rows, .gradient = gradient};
    job.update = optimizer_begin(optimizer, rate);
    pool_run_rows(pool, n, ROW_BLOCK, rows_task, &job);
}

/* ---- the learning rate over the epochs ---- */

const char *const rate_schedule_names[] = {"constant", "linear", "cosine", "step", NULL};

/* Warm-up, then: constant; linear or half a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983,
 * without restarts) down to final_rate; or times step_factor after every step_every epochs. */
double rate_share(const struct schedule *schedule, double epochs, double position)
{
    if (position < schedule->warmup_epochs) {
        return position / schedule->warmup_epochs;
    }
    double since = position - schedule->warmup_epochs;
    double span = epochs - schedule->warmup_epochs;
    double done = span > 0.0 ? since / span : 1.0;
    double left = 1.0;
    switch (schedule->shape) {
    case SCHEDULE_CONSTANT:
        break;
    case SCHEDULE_LINEAR:
        left = 1.0 - done;
        break;
    case SCHEDULE_COSINE:
        left = 0.5 * (1.0 + cos(acos(-1.0) * done));
        break;
    case SCHEDULE_STEP:
        /* the batch that ends an interval still belongs to it */
        return pow(schedule->step_factor, fmax(0.0, ceil(since / schedule->step_every) - 1.0));
    }
    return schedule->final_rate + (1.0 - schedule->final_rate) * left;
}
