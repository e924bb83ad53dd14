/* A step of training at the size of Gowalla (29,858 users, 40,981 items, 27 positives a user, d =
 * 64): what share of its CPU time is spent outside of the contrastive kernel, on drawing,
 * gathering, normalising, scattering and the optimizer; and how much faster two threads make the
 * whole. */
#include "base/clock.h"
#include "base/mem.h"
#include "math/blas.h"
#include "training/epoch_order.h"
#include "training/train_batch.h"
#include "tests/support/bench_beside.h"

#include <math.h>

enum { N_USERS = 29858, N_ITEMS = 40981, POSITIVES = 27, DIMENSION = 64, STEPS = 20, ROUNDS = 3 };

struct step_data {
    struct history train;
    int64_t *counts; /* (N_ITEMS) */
    struct trainer_settings settings;
    struct negative_settings negatives;
    struct trainer_input input;
    struct encoder encoder;
    struct item_rows items;
    struct train_batch *batch;
    int32_t *users; /* (N_USERS) */
    uint64_t number;
};

static int ascending(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Distinct items a user, drawn with a popularity that falls as (rank + 20)^-0.7. */
static void fill_train(struct step_data *s)
{
    struct status status = {0};
    struct alias_table popularity = {0};
    struct rng rng;
    double *weights = NULL;
    bench_must(MEM_NEW(&weights, N_ITEMS, &status), &status);
    bench_must(MEM_NEW(&s->counts, N_ITEMS, &status), &status);
    bench_must(MEM_NEW(&s->users, N_USERS, &status), &status);
    for (size_t i = 0; i < N_ITEMS; i++) {
        weights[i] = pow((double)i + 20.0, -0.7);
    }
    bench_must(alias_init(&popularity, weights, N_ITEMS, &status), &status);
    bench_must(sparse_init(&s->train.matrix, N_USERS, N_ITEMS, (size_t)N_USERS * POSITIVES, false,
                           &status),
               &status);
    rng_init(&rng, 1, "bench-step", 0, 0);
    for (size_t u = 0; u < N_USERS; u++) {
        int32_t *row = s->train.matrix.columns + u * POSITIVES;
        for (size_t n = 0; n < POSITIVES;) {
            row[n] = alias_draw(&popularity, &rng);
            bool is_new = true;
            for (size_t p = 0; p < n; p++) {
                is_new = is_new && row[p] != row[n];
            }
            n += is_new;
        }
        qsort(row, POSITIVES, sizeof *row, ascending);
        s->train.matrix.offsets[u + 1] = (int64_t)((u + 1) * POSITIVES);
        s->users[u] = (int32_t)u;
    }
    sparse_column_counts(&s->train.matrix, s->counts);
    alias_release(&popularity);
    mem_free(weights);
}

static int rule_named(const char *name)
{
    int rule = 0;
    while (strcmp(optimizer_names[rule], name) != 0) {
        rule++;
    }
    return rule;
}

static void start(struct step_data *s, size_t batch_users, enum negative_strategy strategy,
                  size_t negatives, struct pool *pool)
{
    struct status status = {0};
    s->settings = (struct trainer_settings){
        .dimension = DIMENSION,
        .loss_settings = {.denominators = DENOMINATORS_DECOUPLED, .t2 = 1.0},
        .temperature = 0.12,
        .optimizer = {.rule = rule_named("rowwise_adam")},
        .learning_rate = 0.01,
        .epochs = 1,
        .batch_users = batch_users,
        .init_scale = 0.1,
        .strip_bytes = (size_t)256 << 20};
    s->negatives = (struct negative_settings){.strategy = strategy,
                                              .count = negatives,
                                              .alpha = 0.5,
                                              .shared = true,
                                              .exclude_own = true,
                                              .correct = true};
    s->input = (struct trainer_input){.settings = &s->settings,
                                      .negatives = &s->negatives,
                                      .train = &s->train,
                                      .item_counts = s->counts,
                                      .seed = 1};
    const size_t rows[N_SIDES] = {N_USERS, N_ITEMS};
    const struct tower_settings tower = {
        .dimension = DIMENSION, .init_scale = 0.1, .optimizer = s->settings.optimizer};
    for (size_t side = 0; side < N_SIDES; side++) {
        bench_must(tower_init(&s->encoder.towers[side], rows[side], &tower, NULL, 0, 1, "bench",
                              pool, &status),
                   &status);
    }
    bench_must(item_rows_init(&s->items, NULL, N_ITEMS, DIMENSION, RANKS_FLOAT32, &status),
               &status);
    bench_must(train_batch_new(&s->input, &s->encoder, &s->items, pool, &s->batch, &status),
               &status);
    s->number = 0;
}

static void stop(struct step_data *s)
{
    train_batch_free(s->batch);
    item_rows_release(&s->items);
    encoder_release(&s->encoder);
    s->encoder = (struct encoder){0};
}

struct seconds {
    double cpu, kernel, wall;
};

static struct train_step step_of(const struct step_data *s, size_t number)
{
    const size_t b = s->settings.batch_users, n_batches = N_USERS / b;
    struct train_step step = {.users = s->users + number % n_batches * b,
                              .n_users = b,
                              .n_leaves = epoch_order_leaves(b),
                              .epoch = number / n_batches,
                              .number = number % n_batches,
                              .rate = s->settings.learning_rate,
                              .temperature = s->settings.temperature};
    for (size_t l = 0; l <= step.n_leaves; l++) {
        step.leaves[l] = l * b / step.n_leaves;
    }
    return step;
}

/* STEPS steps of users in turn, the next one planned ahead as in an epoch. */
static struct seconds run_steps(struct step_data *s)
{
    struct status status = {0};
    struct train_outcome outcome;
    struct seconds took = {.cpu = -clock_cpu(), .wall = -clock_monotonic()};
    for (size_t i = 0; i < STEPS; i++, s->number++) {
        const struct train_step step = step_of(s, s->number), next = step_of(s, s->number + 1);
        bench_must(
            train_batch_step(s->batch, &step, i + 1 < STEPS ? &next : NULL, &outcome, &status),
            &status);
        took.kernel += outcome.kernel_seconds;
    }
    took.cpu += clock_cpu();
    took.wall += clock_monotonic();
    return took;
}

static struct seconds least(struct step_data *s)
{
    struct seconds best = {INFINITY, INFINITY, INFINITY};
    run_steps(s);
    for (size_t round = 0; round < ROUNDS; round++) {
        const struct seconds took = run_steps(s);
        if (took.cpu < best.cpu) {
            best.cpu = took.cpu;
            best.kernel = took.kernel;
        }
        best.wall = fmin(best.wall, took.wall);
    }
    return best;
}

static void bench_step(struct step_data *s, size_t batch_users, enum negative_strategy strategy,
                       size_t negatives, struct pool *two)
{
    start(s, batch_users, strategy, negatives, NULL);
    const struct seconds one = least(s);
    stop(s);
    start(s, batch_users, strategy, negatives, two);
    const struct seconds both = least(s);
    stop(s);
    printf("| %zu users, %s", batch_users, negative_strategy_names[strategy]);
    if (strategy != NEGATIVES_ALL) {
        printf(" %zu", negatives);
    }
    printf(" | %.2f | %.2f | %.1f %% | %.2f |\n", 1e3 * one.cpu / STEPS, 1e3 * one.kernel / STEPS,
           100.0 * (one.cpu - one.kernel) / one.cpu, one.wall / both.wall);
    (void)fflush(stdout);
}

int main(void)
{
    struct status status = {0};
    struct step_data s = {0};
    struct pool *two = NULL;
    blas_init();
    bench_must(pool_new(2, &two, &status), &status);
    fill_train(&s);
    printf(
        "\n| a step of training, Gowalla's size, d = %d: users, negatives | CPU ms | in the kernel"
        " | outside | two threads |\n|---|---|---|---|---|\n",
        DIMENSION);
    bench_step(&s, 256, NEGATIVES_UNIFORM, 2048, two);
    bench_step(&s, 256, NEGATIVES_MIXED, 8192, two);
    bench_step(&s, 512, NEGATIVES_MIXED, 8192, two);
    bench_step(&s, 1024, NEGATIVES_MIXED, 8192, two);
    bench_step(&s, 512, NEGATIVES_ALL, 0, two);
    sparse_release(&s.train.matrix);
    mem_free(s.counts);
    mem_free(s.users);
    pool_free(two);
    return 0;
}
