/* Optimizers over embedding tables, row by row: a step costs only the rows in play. A row that is
 * left out of some steps is read as it would be now (optimizer_read_row) and brought up to date by
 * its next step or by optimizer_catch_up, so the result is that of the dense optimizer, where
 * momentum moves every row in every step (on the user table, whose rows have a gradient once an
 * epoch, that is most of the movement). Rules are rows of a table in optimizer.c; clipping, which
 * looks at the gradients of all tables at once, is in embedding_table.h.
 *
 *     struct optimizer optimizer = {0};
 *     TRY(optimizer_init(&optimizer, &settings, n_rows, d, status));
 *     each step: optimizer_read_row(&optimizer, &now, weights, row, out) for what it reads, with
 *                now = optimizer_now(&optimizer, rate), then
 *                optimizer_apply(&optimizer, weights, rows, n, gradient, rate, pool);
 *     before all rows are read: optimizer_catch_up(&optimizer, weights, NULL, n_rows, rate, pool);
 *     optimizer_release(&optimizer); */
#ifndef NIGHTJAR_TOWERS_OPTIMIZER_H
#define NIGHTJAR_TOWERS_OPTIMIZER_H

#include "base/pool.h"
#include "math/vec.h"

/* Rows in play lie anywhere: each is asked for OPTIMIZER_AHEAD rows before its turn. */
enum { OPTIMIZER_MAX_STATES = 2, OPTIMIZER_AHEAD = 4 };

struct optimizer_settings {
    int rule;            /* row of optimizer_table */
    double weight_decay; /* decoupled: each step first takes w -= rate * weight_decay * w; >= 0 */
    double momentum;     /* share of its last movement that a weight keeps, [0, 1); only `sgd` */
};

/* What an update of one row may read. */
struct optimizer_step {
    int64_t number;  /* steps of the table up to here */
    float rate;      /* learning rate now */
    float unbias[2]; /* Adam's 1 / (1 - beta1^t), 1 / (1 - beta2^t) at this step t */
    double keep;     /* what weight decay leaves of a weight in one step, [0, 1]; 1: all */
    double momentum;
    const struct vec_ops *vec;
};

struct optimizer_rule {
    size_t n_states;                         /* arrays kept beside the weights */
    bool is_row_state[OPTIMIZER_MAX_STATES]; /* one float a row instead of one a parameter */
    bool takes_decay, takes_momentum;        /* whether these settings mean anything to the rule */
    /* What `missed` steps with gradient 0 would have done to a row's weights. */
    void (*idle_weights)(const struct optimizer_step *step, float *weights,
                         float *const states[OPTIMIZER_MAX_STATES], int64_t missed, size_t n);
    /* The same for its states; NULL: nothing. */
    void (*idle_states)(const struct optimizer_step *step,
                        float *const states[OPTIMIZER_MAX_STATES], int64_t missed, size_t n);
    void (*update)(const struct optimizer_step *step, float *weights,
                   float *const states[OPTIMIZER_MAX_STATES], const float *gradient, size_t n);
};
/* Names and rows in the same order; the names end with NULL. */
extern const char *const optimizer_names[];
extern const struct optimizer_rule optimizer_table[];

struct optimizer {
    const struct optimizer_rule *rule;
    double weight_decay, momentum;
    size_t rows, dimension;
    float *states[OPTIMIZER_MAX_STATES]; /* (rows, optimizer_state_width) each */
    int64_t *row_steps;                  /* (rows) the step that a row was last brought up to */
    int64_t n_steps;
};

/* All states 0. Settings that the rule does not take are ignored. */
MUST_CHECK enum status_code optimizer_init(struct optimizer *optimizer,
                                           const struct optimizer_settings *settings, size_t rows,
                                           size_t dimension, struct status *status);
void optimizer_release(struct optimizer *optimizer);
/* Floats that state s keeps of a row: the dimension, or 1. */
size_t optimizer_state_width(const struct optimizer *optimizer, size_t s);

/* The present, with the learning rate of now: what reading a row takes. */
struct optimizer_step optimizer_now(const struct optimizer *optimizer, double rate);
/* out (dimension) = where the row of weights (rows, dimension) is now: with what momentum and
 * weight decay would have done to it in the steps that it was not part of, in closed form. */
void optimizer_read_row(const struct optimizer *optimizer, const struct optimizer_step *now,
                        const float *weights, size_t row, float *out);

/* Brings rows[0..n) (NULL: rows 0..n-1) up to the present in place. */
void optimizer_catch_up(struct optimizer *optimizer, float *weights, const int32_t *rows, size_t n,
                        double rate, struct pool *pool);

/* The coefficients of the last step, for what rows missed, and of this one. */
struct optimizer_update {
    struct optimizer_step before, now;
};
/* Starts step n_steps + 1, which optimizer_apply_row then takes once for each row that has a
 * gradient; threads may take different rows. */
struct optimizer_update optimizer_begin(struct optimizer *optimizer, double rate);
/* Brings the row up to the last step and moves it against gradient (dimension). */
void optimizer_apply_row(struct optimizer *optimizer, const struct optimizer_update *update,
                         float *weights, size_t row, const float *gradient);
/* Asks for what a row's step will touch. */
void optimizer_prefetch_row(const struct optimizer *optimizer, const float *weights, size_t row);

/* One step: weights (rows, dimension) at rows[0..n) are brought up to the last one and move
 * against gradient (n, dimension). rows are distinct; NULL means rows 0..n-1. */
void optimizer_apply(struct optimizer *optimizer, float *weights, const int32_t *rows, size_t n,
                     const float *gradient, double rate, struct pool *pool);

/* ---- how the learning rate runs over the epochs of a training ---- */

enum rate_schedule { SCHEDULE_CONSTANT, SCHEDULE_LINEAR, SCHEDULE_COSINE, SCHEDULE_STEP };
extern const char *const rate_schedule_names[]; /* NULL-terminated, in enum order */

struct schedule {
    enum rate_schedule shape;
    double warmup_epochs; /* the rate rises linearly from 0 over them */
    double final_rate;    /* share of the peak that linear and cosine end at, [0, 1] */
    double step_factor;   /* step: what is left of the rate after each step, (0, 1] */
    double step_every;    /* step: epochs between steps, counted from the warm-up's end, > 0 */
};

/* The learning rate at `position` epochs of a training of `epochs`, as a share of its peak. The
 * position of a batch is that of its end, so it is never 0 and a step falls between two batches. */
double rate_share(const struct schedule *schedule, double epochs, double position);

#endif
