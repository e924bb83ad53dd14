/* A whole step of training against finite differences of its loss. Plain SGD at rate 1 moves a
 * weight by its gradient, so the step itself tells what it took the gradient to be. What a step
 * takes as given is held fixed: drawn negatives, changed looks, hard lists, and the
 * weights that slk gives to positives. */
#include "base/mem.h"
#include "math/blas.h"
#include "pairs/item_pairs.h"
#include "training/train_batch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { USERS = 12, ITEMS = 16, SEEN = 5, D = 6, PROBES = 40 };

struct problem {
    struct history train;
    int64_t counts[ITEMS];
    struct sparse item_pairs, dislikes;
    struct hard_negatives hard;
    struct trainer_settings settings;
    struct negative_settings negatives;
    struct trainer_input input;
    struct train_step step;
    int32_t users[USERS], items[ITEMS];
};

/* (rows, columns) with least, least + 1 or least + 2 random entries of weight 1 in each row. */
static void fill_random(struct sparse *m, size_t rows, size_t columns, size_t least,
                        const char *purpose)
{
    struct status status = {0};
    uint32_t order[64];
    size_t at = 0;
    assert_true(columns <= 64);
    assert_int_equal(sparse_init(m, rows, columns, rows * (least + 2), true, &status), STATUS_OK);
    for (size_t r = 0; r < rows; r++) {
        bool taken[64] = {false};
        struct rng rng;
        rng_init(&rng, 3, purpose, r, 0);
        rng_permutation(&rng, columns, order);
        for (size_t k = 0; k < least + r % 3; k++) {
            taken[order[k]] = true;
        }
        for (size_t c = 0; c < columns; c++) {
            if (taken[c]) {
                m->columns[at] = (int32_t)c;
                m->values[at++] = 1.0f;
            }
        }
        m->offsets[r + 1] = (int64_t)at;
    }
}

/* Leaves out of `m` what `other` has: a positive is no dislike. */
static void subtract(struct sparse *m, const struct sparse *other)
{
    size_t kept = 0;
    int64_t first = 0;
    for (size_t r = 0; r < m->n_rows; r++) {
        int64_t end = m->offsets[r + 1];
        for (int64_t e = first; e < end; e++) {
            bool stays = true;
            for (int64_t o = other->offsets[r]; o < other->offsets[r + 1]; o++) {
                stays = stays && other->columns[o] != m->columns[e];
            }
            if (stays) {
                m->columns[kept] = m->columns[e];
                m->values[kept++] = m->values[e];
            }
        }
        first = end;
        m->offsets[r + 1] = (int64_t)kept;
    }
}

static void problem_init(struct problem *p)
{
    memset(p, 0, sizeof *p);
    assert_string_equal(optimizer_names[3], "sgd");
    fill_random(&p->train.matrix, USERS, ITEMS, SEEN, "test.train");
    fill_random(&p->item_pairs, ITEMS, ITEMS, 3, "test.items");
    fill_random(&p->dislikes, USERS, ITEMS, 4, "test.dislikes");
    subtract(&p->dislikes, &p->train.matrix);
    sparse_column_counts(&p->train.matrix, p->counts);
    p->settings = (struct trainer_settings){
        .dimension = D,
        .loss_settings = {.denominators = DENOMINATORS_DECOUPLED, .t2 = 1.0},
        .temperature = 0.5,
        .optimizer = {.rule = 3},
        .learning_rate = 1.0,
        .epochs = 1,
        .batch_users = USERS,
        .init_scale = 0.5,
        .co_items = {.temperature = 0.5, .share = 1.0, .samples = 2},
        .strip_bytes = 1 << 20};
    p->negatives = (struct negative_settings){.strategy = NEGATIVES_ALL,
                                              .count = 10,
                                              .alpha = 0.5,
                                              .shared = true,
                                              .exclude_own = true,
                                              .correct = true};
    p->input = (struct trainer_input){.settings = &p->settings,
                                      .negatives = &p->negatives,
                                      .train = &p->train,
                                      .item_counts = p->counts,
                                      .item_pairs = &p->item_pairs,
                                      .stop_after = 1,
                                      .seed = 9};
    for (int32_t i = 0; i < ITEMS; i++) {
        p->items[i] = i;
    }
    for (int32_t u = 0; u < USERS; u++) {
        p->users[u] = u;
    }
    p->step = (struct train_step){.users = p->users,
                                  .n_users = USERS,
                                  .items = p->items,
                                  .n_items = ITEMS,
                                  .rate = 1.0,
                                  .temperature = p->settings.temperature};
}

static void problem_release(struct problem *p)
{
    sparse_release(&p->train.matrix);
    sparse_release(&p->item_pairs);
    sparse_release(&p->dislikes);
    hard_negatives_release(&p->hard);
}

static void make_encoder(const struct problem *p, struct encoder *encoder)
{
    static const char *const purposes[N_SIDES] = {"tower.user", "tower.item"};
    const size_t n[N_SIDES] = {USERS, ITEMS};
    struct status status = {0};
    const struct tower_settings tower = {
        .dimension = D, .optimizer = p->settings.optimizer, .init_scale = p->settings.init_scale};
    *encoder = (struct encoder){0};
    for (size_t s = 0; s < N_SIDES; s++) {
        assert_int_equal(tower_init(&encoder->towers[s], n[s], &tower, NULL, 0, p->input.seed,
                                    purposes[s], NULL, &status),
                         STATUS_OK);
    }
    if (p->settings.propagation.hops > 0) {
        assert_int_equal(propagation_init(&encoder->propagation, &p->settings.propagation,
                                          &p->train.matrix, NULL, NULL, D, &status),
                         STATUS_OK);
    }
    if (p->settings.learn_bias) {
        assert_int_equal(embedding_table_init(&encoder->bias, ITEMS, 1, &p->settings.optimizer,
                                              p->input.seed, "tower.bias", 0.1, NULL, &status),
                         STATUS_OK);
    }
}

static struct embedding_table *table_of(struct encoder *encoder, size_t which)
{
    return which < N_SIDES ? &encoder->towers[which].ids : &encoder->bias;
}

/* One step from the same start, with weight (table, entry) moved by `by`. Returns the loss;
 * *moved = how far that weight went. */
static double step_from(const struct problem *p, size_t table, size_t entry, float by,
                        double *moved)
{
    struct status status = {0};
    struct encoder encoder;
    struct train_batch *batch = NULL;
    struct item_rows items;
    struct train_outcome outcome = {0};
    make_encoder(p, &encoder);
    assert_int_equal(item_rows_init(&items, NULL, ITEMS, D, RANKS_FLOAT32, &status), STATUS_OK);
    float *weight = table_of(&encoder, table)->weights + entry;
    *weight += by;
    const float before = *weight;
    assert_int_equal(train_batch_new(&p->input, &encoder, &items, NULL, &batch, &status),
                     STATUS_OK);
    train_batch_start_epoch(batch);
    if (train_batch_step(batch, &p->step, NULL, &outcome, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
    *moved = (double)before - (double)*weight;
    train_batch_free(batch);
    item_rows_release(&items);
    encoder_release(&encoder);
    return outcome.loss;
}

static void assert_gradient(const struct problem *p, const char *what)
{
    const float by = 2e-3f;
    const size_t entries[] = {USERS * D, ITEMS * D, ITEMS};
    const size_t n_tables = p->settings.learn_bias ? 3 : 2;
    double largest = 0.0, worst = 0.0;
    struct rng rng;
    rng_init(&rng, 1, "test.probe", 0, 0);
    for (size_t i = 0; i < PROBES; i++) {
        double gradient, ignored;
        size_t table = i % n_tables, entry = (size_t)rng_below(&rng, entries[table]);
        step_from(p, table, entry, 0.0f, &gradient);
        double difference =
            (step_from(p, table, entry, by, &ignored) - step_from(p, table, entry, -by, &ignored)) /
            (2.0 * (double)by);
        largest = fmax(largest, fabs(difference));
        worst = fmax(worst, fabs(difference - gradient));
    }
    if (!(largest > 0.1 && worst < 0.01 * largest)) {
        fail_msg("%s: gradients differ by %g from differences of up to %g", what, worst, largest);
    }
}

/* ---- switches, each alone on top of the problem ---- */

static void with_nothing(struct problem *p)
{
    (void)p;
}

static void with_item_bias(struct problem *p)
{
    p->settings.learn_bias = true;
}

static void with_user_weights_by_degree(struct problem *p)
{
    p->settings.degree_exponent = 0.5;
}

static void with_item_partners(struct problem *p)
{
    p->settings.co_items.weight = 0.7;
}

static void with_drawn_negatives(struct problem *p)
{
    p->negatives.strategy = NEGATIVES_UNIFORM;
}

/* Without the correction, which makes all positives of all users weigh what every item does. */
static void with_queued_negatives(struct problem *p)
{
    p->negatives.strategy = NEGATIVES_QUEUE;
    p->negatives.correct = false;
}

static void with_negatives_for_each_positive(struct problem *p)
{
    p->negatives.strategy = NEGATIVES_POPULARITY;
    p->negatives.shared = false;
}

static void with_stored_negatives(struct problem *p)
{
    static int32_t stored[USERS * (SEEN + 2) * 2];
    for (size_t i = 0; i < sizeof stored / sizeof *stored; i++) {
        stored[i] = (int32_t)(i * 7 % ITEMS);
    }
    p->input.stored_negatives = stored;
    p->input.n_stored = 2;
}

static void with_a_cut_loss(struct problem *p)
{
    while (loss_table[p->settings.loss].kind != LOSS_MARGIN) {
        p->settings.loss++;
    }
}

static void with_dislikes(struct problem *p)
{
    p->negatives.dislike_weight = 2.0;
    p->input.dislikes = &p->dislikes;
}

/* The lists of a ranking by fixed vectors: they do not move with the weights. */
static void with_fixed_hard_negatives(struct problem *p)
{
    struct status status = {0};
    float users[USERS * D], items[ITEMS * D];
    struct rng rng;
    rng_init(&rng, 4, "test.vectors", 0, 0);
    for (size_t i = 0; i < ITEMS * D; i++) {
        items[i] = (float)rng_below(&rng, 1000) / 1000.0f - 0.5f;
        users[i % (USERS * D)] = (float)rng_below(&rng, 1000) / 1000.0f - 0.5f;
    }
    const struct hard_scores scores = {.users = const_matrix_of(users, USERS, D),
                                       .items = const_matrix_of(items, ITEMS, D),
                                       .scale = 2.0f,
                                       .excluded = &p->train.matrix};
    p->negatives.hard =
        (struct hard_settings){.count = 3, .pool = 5, .from_epoch = 1, .every = 1, .share = 0.3};
    assert_int_equal(hard_negatives_init(&p->hard, &p->negatives.hard, USERS, ITEMS, 0, &status),
                     STATUS_OK);
    assert_int_equal(hard_negatives_refresh(&p->hard, &scores, NULL, &status), STATUS_OK);
    p->step.hard = &p->hard;
}

/* The length of the noise, a share of the vector's, counts as a constant: with little of it that is
 * no difference. */
static void with_noisy_looks(struct problem *p)
{
    p->settings.views = (struct view_settings){true, 0.5, 0.5, VIEW_NOISE, 0.02};
}

static void with_looks_of_fewer_components(struct problem *p)
{
    p->settings.views = (struct view_settings){true, 0.5, 0.5, VIEW_DROPOUT, 0.3};
}

static void with_the_graph_and_looks_of_fewer_edges(struct problem *p)
{
    p->settings.propagation = (struct propagation_settings){true, 2, 0.5, PROPAGATE_BOTH};
    p->settings.views = (struct view_settings){true, 0.5, 0.5, VIEW_EDGES, 0.3};
}

static const struct {
    const char *name;
    void (*set)(struct problem *);
} switches[] = {
    {"nothing", with_nothing},
    {"item bias", with_item_bias},
    {"degree exponent", with_user_weights_by_degree},
    {"item partners", with_item_partners},
    {"drawn negatives", with_drawn_negatives},
    {"queue", with_queued_negatives},
    {"negatives of each positive", with_negatives_for_each_positive},
    {"stored negatives", with_stored_negatives},
    {"cut loss", with_a_cut_loss},
    {"dislikes", with_dislikes},
    {"hard negatives", with_fixed_hard_negatives},
    {"noise", with_noisy_looks},
    {"dropout looks", with_looks_of_fewer_components},
    {"edges", with_the_graph_and_looks_of_fewer_edges},
};

static void a_step_moves_weights_by_the_gradient_of_its_loss(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof switches / sizeof *switches; s++) {
        struct problem p;
        problem_init(&p);
        switches[s].set(&p);
        assert_gradient(&p, switches[s].name);
        problem_release(&p);
    }
}

static void every_switch_changes_the_loss(void **state)
{
    (void)state;
    double plain = 0.0, ignored;
    for (size_t s = 0; s < sizeof switches / sizeof *switches; s++) {
        struct problem p;
        problem_init(&p);
        switches[s].set(&p);
        double loss = step_from(&p, 0, 0, 0.0f, &ignored);
        plain = s == 0 ? loss : plain;
        if (s > 0 && fabs(loss - plain) < 1e-5 * plain) {
            fail_msg("%s leaves the loss at %g", switches[s].name, loss);
        }
        problem_release(&p);
    }
}

enum { STEPS = 3, STEP_USERS = USERS / STEPS, EPOCHS = 2, WEIGHTS = (USERS + ITEMS) * D };

/* Two epochs of three steps each; weights (WEIGHTS) = those after them. */
static void train_epochs(const struct problem *p, bool plans_ahead, struct pool *pool,
                         float *weights)
{
    struct status status = {0};
    struct encoder encoder;
    struct train_batch *batch = NULL;
    struct item_rows items;
    struct train_outcome outcome;
    make_encoder(p, &encoder);
    assert_int_equal(item_rows_init(&items, NULL, ITEMS, D, RANKS_FLOAT32, &status), STATUS_OK);
    assert_int_equal(train_batch_new(&p->input, &encoder, &items, pool, &batch, &status),
                     STATUS_OK);
    for (size_t n = 0; n < EPOCHS * STEPS; n++) {
        struct train_step steps[2] = {p->step, p->step};
        for (size_t k = 0; k < 2; k++) {
            steps[k].epoch = n / STEPS;
            steps[k].number = n % STEPS + k;
            steps[k].users = p->users + (n % STEPS + k) % STEPS * STEP_USERS;
            steps[k].n_users = STEP_USERS;
        }
        if (n % STEPS == 0) {
            train_batch_start_epoch(batch);
        }
        bool is_last = n % STEPS == STEPS - 1;
        assert_int_equal(train_batch_step(batch, &steps[0],
                                          plans_ahead && !is_last ? &steps[1] : NULL, &outcome,
                                          &status),
                         STATUS_OK);
    }
    memcpy(weights, encoder.towers[SIDE_USERS].ids.weights, USERS * D * sizeof *weights);
    memcpy(weights + USERS * D, encoder.towers[SIDE_ITEMS].ids.weights,
           ITEMS * D * sizeof *weights);
    train_batch_free(batch);
    item_rows_release(&items);
    encoder_release(&encoder);
}

static void a_step_planned_ahead_moves_weights_as_one_that_was_not(void **state)
{
    (void)state;
    struct status status = {0};
    struct pool *pool = NULL;
    assert_int_equal(pool_new(2, &pool, &status), STATUS_OK);
    for (size_t s = 0; s < sizeof switches / sizeof *switches; s++) {
        float plain[WEIGHTS], ahead[WEIGHTS], beside[WEIGHTS];
        struct problem p;
        problem_init(&p);
        switches[s].set(&p);
        p.step.rate = 0.01;
        train_epochs(&p, false, NULL, plain);
        train_epochs(&p, true, NULL, ahead);
        train_epochs(&p, true, pool, beside);
        if (memcmp(plain, ahead, sizeof plain) != 0 || memcmp(plain, beside, sizeof plain) != 0) {
            fail_msg("%s: weights differ", switches[s].name);
        }
        problem_release(&p);
    }
    pool_free(pool);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_moves_weights_by_the_gradient_of_its_loss),
        cmocka_unit_test(every_switch_changes_the_loss),
        cmocka_unit_test(a_step_planned_ahead_moves_weights_as_one_that_was_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
