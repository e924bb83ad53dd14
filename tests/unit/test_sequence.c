/* Steps of users, the tower that reads them against a naive one and finite differences, and its
 * training: the same bytes at any number of threads and behind a checkpoint. */
#include "base/mem.h"
#include "config/option.h"
#include "math/blas.h"
#include "math/vec.h"
#include "sequence/sequence_scale.h"
#include "sequence/sequence_step.h"
#include "sequence/sequence_trainer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { N_USERS = 30, N_ITEMS = 19, D = 8 };

/* Everything goes through each set of kernels that this CPU runs: the linker puts this function in
 * the place of vec_ops (Makefile). */
static const struct vec_ops *kernels;
const struct vec_ops *__wrap_vec_ops(void);

const struct vec_ops *__wrap_vec_ops(void)
{
    return kernels;
}

static int use_kernels(void **state)
{
    kernels = *state;
    return 0;
}

/* ---- a log ---- */

struct log {
    struct history train;
    struct sequences sequences;
    int64_t counts[N_ITEMS];
};

/* Users with 0 to 12 events, some of one and the same time; what comes next depends on what was. */
static void log_init(struct log *log)
{
    struct status status = {0};
    struct rng rng;
    rng_init(&rng, 5, "test.sequence", 0, 0);
    *log = (struct log){0};
    assert_int_equal(
        sparse_init(&log->train.matrix, N_USERS, N_ITEMS, N_USERS * N_ITEMS, true, &status),
        STATUS_OK);
    assert_int_equal(MEM_NEW(&log->train.times, N_USERS * N_ITEMS, &status), STATUS_OK);
    int64_t entry = 0;
    for (size_t u = 0; u < N_USERS; u++) {
        const uint64_t start = rng_below(&rng, N_ITEMS), n = u == 3 ? 0 : 1 + rng_below(&rng, 12);
        for (int32_t i = 0; i < N_ITEMS; i++) {
            const uint64_t place = ((uint64_t)i + N_ITEMS - start) % N_ITEMS;
            if (place < n) {
                log->train.matrix.columns[entry] = i;
                log->train.matrix.values[entry] = 1.0f;
                log->train.times[entry++] = (int64_t)(place / (1 + u % 2) * 1000);
                log->counts[i]++;
            }
        }
        log->train.matrix.offsets[u + 1] = entry;
    }
    assert_int_equal(sequences_init(&log->sequences, &log->train, NULL, 10, &status), STATUS_OK);
}

static void log_release(struct log *log)
{
    sequences_release(&log->sequences);
    history_release(&log->train);
}

static struct sequence_settings settings_of(size_t layers, double dropout)
{
    return (struct sequence_settings){.given = true,
                                      .length = 10,
                                      .layers = layers,
                                      .dimension = D,
                                      .dropout = dropout,
                                      .hide = dropout / 2.0,
                                      .temperature = 0.3,
                                      .learning_rate = 0.02,
                                      .epochs = 6,
                                      .batch = 40,
                                      .negatives = 100,
                                      .reach = 2,
                                      .decay = 0.5};
}

static const struct negative_settings negatives = {
    .strategy = NEGATIVES_MIXED, .count = 8, .alpha = 0.5, .shared = true, .correct = true};

/* ---- by the size of the log ---- */

static struct sequence_settings scaled(const struct sequences *sequences, double rate, size_t batch)
{
    struct sequence_settings settings = settings_of(1, 0.0);
    settings.learning_rate = rate;
    settings.batch = batch;
    settings.weight_decay = settings.dropout = NAN;
    settings.dimension = OPTION_AUTO_COUNT;
    sequence_settings_scale(&settings, sequences);
    return settings;
}

static void an_epoch_forgets_as_much_however_many_steps_it_has(void **state)
{
    (void)state;
    enum { USERS = 1000, STEPS = 100 };
    static int64_t first[USERS + 2];
    struct sequences s = {.n_users = USERS + 1, .first = first};
    for (size_t u = 0; u <= USERS; u++) { /* the last user has one step, which teaches nothing */
        first[u + 1] = u < USERS ? (int64_t)(STEPS * (u + 1)) : first[u] + 1;
    }
    const double once = scaled(&s, 0.006, 1000).weight_decay;
    assert_true(fabs(once * 0.006 * 100.0 - 1.0) < 1e-9); /* 100 steps at .006 */
    assert_true(fabs(scaled(&s, 0.006, 250).weight_decay - once / 4.0) < 1e-9);
    assert_true(fabs(scaled(&s, 0.012, 1000).weight_decay - once / 2.0) < 1e-9);
    s.n_users = USERS / 2;
    assert_true(fabs(scaled(&s, 0.006, 1000).weight_decay - once * 2.0) < 1e-9);
    s.n_users = 1;
    assert_true(fabs(scaled(&s, 0.006, 1000).weight_decay - 16.0) < 1e-9);
    struct sequence_settings asked = settings_of(1, 0.3);
    asked.weight_decay = 2.0; /* what was asked for stays */
    sequence_settings_scale(&asked, &s);
    assert_true(asked.weight_decay >= 2.0 && asked.weight_decay <= 2.0);
    assert_true(asked.dropout >= 0.3 && asked.dropout <= 0.3);
    assert_int_equal(asked.dimension, D);
}

static void large_logs_get_more_dimensions_and_less_dropout(void **state)
{
    (void)state;
    static const struct {
        int64_t places;
        size_t dimension;
        double dropout;
    } rows[] = {{2, 64, 0.5},        {50000, 64, 0.5},   {158114, 64, 0.35}, {199999, 64, -1.0},
                {200000, 128, -1.0}, {500000, 128, 0.2}, {5000000, 128, 0.2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t first[] = {0, rows[i].places};
        const struct sequences s = {.n_users = 1, .first = first};
        const struct sequence_settings got = scaled(&s, 0.006, 1024);
        assert_int_equal(got.dimension, rows[i].dimension);
        assert_true(rows[i].dropout < 0.0 || fabs(got.dropout - rows[i].dropout) < 1e-4);
    }
}

/* ---- steps ---- */

static void events_of_one_time_are_one_step_and_only_the_newest_are_read(void **state)
{
    (void)state;
    struct status status = {0};
    int64_t offsets[] = {0, 5, 6}, times[] = {30, 10, 30, 20, 40, 7};
    int32_t columns[] = {0, 2, 3, 5, 6, 1}, map[] = {4, 0, -1, 3, -1, 2, 1};
    const struct history history = {
        .matrix = {.n_rows = 2, .n_columns = 7, .offsets = offsets, .columns = columns},
        .times = times};
    struct sequences s = {0};
    assert_int_equal(sequences_init(&s, &history, NULL, 3, &status), STATUS_OK);
    assert_int_equal(s.first[1], 3); /* {5}, {0, 3}, {6}: 2 is older */
    assert_int_equal(s.first[2], 4);
    const int32_t items[] = {5, 0, 3, 6, 1};
    const int64_t ends[] = {0, 1, 3, 4, 5};
    assert_memory_equal(s.items, items, sizeof items);
    assert_memory_equal(s.offsets, ends, sizeof ends);
    assert_int_equal(s.ages[0], 0);
    assert_int_equal(s.ages[1], sequence_age(10));
    assert_int_equal(s.ages[3], 0);
    sequences_release(&s);

    const int32_t rows[] = {-1, 1, 0};
    const struct sequence_view view = {.rows = rows, .n_rows = 3, .columns = map};
    assert_int_equal(sequences_init(&s, &history, &view, 100, &status), STATUS_OK);
    assert_int_equal(sequence_steps(&s, 0), 0);
    assert_int_equal(sequence_steps(&s, 1), 1);
    assert_int_equal(sequence_steps(&s, 2), 3);
    const int32_t mapped[] = {0, 2, 3, 4, 1}; /* 2 has no column there */
    assert_memory_equal(s.items, mapped, sizeof mapped);
    sequences_release(&s);
}

static void ages_grow_with_the_logarithm_of_time(void **state)
{
    (void)state;
    assert_int_equal(sequence_age(-5), 0);
    assert_int_equal(sequence_age(0), 0);
    assert_int_equal(sequence_age(1), 1);
    assert_int_equal(sequence_age(86400), 16);
    assert_int_equal(sequence_age(INT64_MAX), SEQUENCE_AGES - 1);
}

static void hidden_events_are_a_share_of_each_epoch_its_own_and_all_are_still_foretold(void **state)
{
    (void)state;
    enum { USERS = 40, STEPS = 50, EVENTS = USERS * STEPS * 2 };
    struct status status = {0};
    int64_t first[USERS + 1], offsets[USERS * STEPS + 1];
    static int32_t items[EVENTS];
    uint8_t ages[USERS * STEPS] = {0};
    uint64_t keys[USERS];
    int32_t users[USERS], one = 7;
    for (int32_t e = 0; e < EVENTS; e++) {
        items[e] = e % 90;
    }
    for (int32_t s = 0; s <= USERS * STEPS; s++) {
        offsets[s] = 2 * s;
    }
    for (int32_t u = 0; u <= USERS; u++) {
        first[u] = u * STEPS;
    }
    for (int32_t u = 0; u < USERS; u++) {
        keys[u] = (uint64_t)u * 1000;
        users[u] = u;
    }
    const struct sequences sequences = {
        .n_users = USERS, .first = first, .offsets = offsets, .items = items, .ages = ages};
    struct sequence_hiding hiding = {.share = 0.3, .seed = 3, .epoch = 1, .keys = keys};
    struct sequence_places all = {0}, own = {0}, later = {0};
    assert_int_equal(sequence_places_set(&all, &sequences, 90, users, USERS, &hiding, &status),
                     STATUS_OK);
    assert_int_equal(sequence_places_set(&own, &sequences, 90, &one, 1, &hiding, &status),
                     STATUS_OK);
    hiding.epoch = 2;
    assert_int_equal(sequence_places_set(&later, &sequences, 90, users, USERS, &hiding, &status),
                     STATUS_OK);
    assert_memory_equal(all.steps.columns, items, sizeof items);
    const double seen = (double)sparse_entries(&all.read) / EVENTS;
    assert_true(seen > 0.67 && seen < 0.73);
    size_t both = 0; /* seen in both epochs: .7 of .7 */
    for (size_t p = 0; p < all.n; p++) {
        size_t n, n_later;
        const int32_t *read = sparse_row(&all.read, p, &n);
        const int32_t *then = sparse_row(&later.read, p, &n_later);
        for (size_t i = 0; i < n; i++) {
            assert_true(read[i] == items[2 * p] || read[i] == items[2 * p + 1]);
            assert_true(fabsf(all.read.values[all.read.offsets[p] + (int64_t)i] - 1.0f / (float)n) <
                        1e-6f);
            for (size_t j = 0; j < n_later; j++) {
                both += read[i] == then[j];
            }
        }
    }
    assert_true((double)both / EVENTS > 0.45 && (double)both / EVENTS < 0.53);
    for (size_t p = 0; p < STEPS; p++) { /* whoever is beside him in the batch */
        size_t n, n_own;
        const int32_t *read = sparse_row(&all.read, (size_t)one * STEPS + p, &n);
        const int32_t *alone = sparse_row(&own.read, p, &n_own);
        assert_int_equal(n, n_own);
        assert_memory_equal(read, alone, n * sizeof *read);
    }
    sequence_places_release(&all);
    sequence_places_release(&own);
    sequence_places_release(&later);
}

/* ---- the tower against a naive one ---- */

static double sigma(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

/* out (n_out) = W x + w. */
static void multiply(const struct sequence_model *m, size_t layer, enum sequence_product p,
                     const double *x, double *out)
{
    const struct embedding_table *w = &m->layers[layer].weights[p];
    const float *bias = m->layers[layer].biases[p].weights;
    for (size_t i = 0; i < w->n; i++) {
        out[i] = bias == NULL ? 0.0 : (double)bias[i];
        for (size_t j = 0; j < w->dimension; j++) {
            out[i] += (double)w->weights[i * w->dimension + j] * x[j];
        }
    }
}

static void over_rms(const double *x, double *out)
{
    double square = 0.0;
    for (size_t j = 0; j < D; j++) {
        square += x[j] * x[j];
    }
    for (size_t j = 0; j < D; j++) {
        out[j] = x[j] / sqrt(square / D + 1e-6);
    }
}

/* The state behind each step of a user, (steps, D). */
static void naive_states(const struct sequence_model *m, const struct sequences *s, size_t user,
                         double *out)
{
    double recurrence[SEQUENCE_LAYERS_MAX][D] = {{0}};
    for (int64_t t = s->first[user]; t < s->first[user + 1]; t++, out += D) {
        double x[D], h[D], mixed[3 * D], wide[2 * D], added[D], length = 0.0;
        const double n = (double)(s->offsets[t + 1] - s->offsets[t]);
        for (size_t j = 0; j < D; j++) {
            x[j] = (double)m->ages.weights[s->ages[t] * D + j];
            for (int64_t e = s->offsets[t]; e < s->offsets[t + 1]; e++) {
                x[j] += (double)m->items.weights[(size_t)s->items[e] * D + j] / n;
            }
        }
        for (size_t l = 0; l < m->n_layers; l++) {
            over_rms(x, h);
            multiply(m, l, PRODUCT_MIX, h, mixed);
            for (size_t j = 0; j < D; j++) {
                double *now = &recurrence[l][j];
                *now += sigma(mixed[j]) * (mixed[D + j] - *now);
                h[j] = *now * mixed[2 * D + j] * sigma(mixed[2 * D + j]);
            }
            multiply(m, l, PRODUCT_OUT, h, added);
            for (size_t j = 0; j < D; j++) {
                x[j] += added[j];
            }
            over_rms(x, h);
            multiply(m, l, PRODUCT_WIDE, h, wide);
            for (size_t j = 0; j < 2 * D; j++) {
                wide[j] *= sigma(wide[j]);
            }
            multiply(m, l, PRODUCT_NARROW, wide, added);
            for (size_t j = 0; j < D; j++) {
                x[j] += added[j];
            }
        }
        for (size_t j = 0; j < D; j++) {
            length += x[j] * x[j];
        }
        for (size_t j = 0; j < D; j++) {
            out[j] = x[j] / sqrt(length);
        }
    }
}

static void states_are_those_of_naive_loops_and_users_do_not_see_one_another(void **state)
{
    (void)state;
    struct status status = {0};
    struct log log;
    struct sequence_model model = {0};
    const struct sequence_settings settings = settings_of(3, 0.4);
    float vectors[N_USERS * D];
    log_init(&log);
    assert_int_equal(sequence_model_init(&model, &settings, N_ITEMS, 1, NULL, &status), STATUS_OK);
    model.layers[1].biases[PRODUCT_MIX].weights[2] = 0.7f;
    assert_int_equal(
        sequence_encode(&model, &log.sequences, NULL, N_USERS, vectors, NULL, NULL, NULL, &status),
        STATUS_OK);
    for (size_t u = 0; u < N_USERS; u++) {
        double expected[10 * D];
        const size_t n = sequence_steps(&log.sequences, u);
        naive_states(&model, &log.sequences, u, expected);
        for (size_t j = 0; j < D; j++) {
            const double value = n == 0 ? 0.0 : expected[(n - 1) * D + j];
            assert_true(fabs((double)vectors[u * D + j] - value) < 2e-5);
        }
    }
    const int32_t few[] = {7, 2};
    float two[2 * D];
    assert_int_equal(
        sequence_encode(&model, &log.sequences, few, 2, two, NULL, NULL, NULL, &status), STATUS_OK);
    for (size_t j = 0; j < 2 * D; j++) {
        assert_true(fabsf(two[j] - vectors[(size_t)few[j / D] * D + j % D]) < 1e-5f);
    }
    sequence_model_release(&model);
    log_release(&log);
}

/* The log up to a moment. */
static void past_init(struct history *past, const struct history *history, int64_t until)
{
    struct status status = {0};
    const struct sparse *m = &history->matrix;
    *past = (struct history){0};
    assert_int_equal(sparse_init(&past->matrix, N_USERS, N_ITEMS, N_USERS * N_ITEMS, true, &status),
                     STATUS_OK);
    assert_int_equal(MEM_NEW(&past->times, N_USERS * N_ITEMS, &status), STATUS_OK);
    int64_t to = 0;
    for (size_t u = 0; u < N_USERS; u++) {
        for (int64_t e = m->offsets[u]; e < m->offsets[u + 1]; e++) {
            if (history->times[e] <= until) {
                past->matrix.columns[to] = m->columns[e];
                past->times[to++] = history->times[e];
            }
        }
        past->matrix.offsets[u + 1] = to;
    }
}

/* Every third user is forgotten, every fifth has another past than was read. */
static void reading_on_gives_what_reading_all_gives_and_other_pasts_are_read_anew(void **state)
{
    (void)state;
    enum { LAYERS = 2, LENGTH = 20 };
    struct status status = {0};
    struct log log;
    struct history past;
    struct sequences before = {0}, all = {0}, on = {0};
    struct sequence_model model = {0};
    const struct sequence_settings settings = settings_of(LAYERS, 0.4);
    float vectors[N_USERS * D], whole[N_USERS * D], states[N_USERS * LAYERS * D];
    int32_t rows[N_USERS];
    size_t n_on = 0, n_steps = 0, n_changed = 0;
    log_init(&log);
    past_init(&past, &log.train, 1000);
    assert_int_equal(sequence_model_init(&model, &settings, N_ITEMS, 1, NULL, &status), STATUS_OK);
    assert_int_equal(sequences_init(&before, &past, NULL, LENGTH, &status), STATUS_OK);
    assert_int_equal(sequences_init(&all, &log.train, NULL, LENGTH, &status), STATUS_OK);
    assert_int_equal(
        sequence_encode(&model, &before, NULL, N_USERS, vectors, states, NULL, NULL, &status),
        STATUS_OK);
    assert_int_equal(sequence_encode(&model, &all, NULL, N_USERS, whole, NULL, NULL, NULL, &status),
                     STATUS_OK);
    for (size_t u = 0; u < N_USERS; u++) {
        rows[u] = u % 3 == 0 ? -1 : (int32_t)u;
        before.read[u] += u % 5 == 0;
    }
    const struct sequence_memory memory = {N_USERS, states, before.newest, before.read};
    const struct sequence_view view = {.memory = &memory, .remembered = rows};
    assert_int_equal(sequences_init(&on, &log.train, &view, LENGTH, &status), STATUS_OK);
    assert_int_equal(
        sequence_encode(&model, &on, NULL, N_USERS, vectors, NULL, NULL, NULL, &status), STATUS_OK);
    for (size_t u = 0; u < N_USERS; u++) {
        const size_t n_new = sequence_steps(&all, u) - sequence_steps(&before, u);
        if (on.goes_on[u] >= 0) {
            assert_true(u % 3 != 0 && u % 5 != 0);
            n_on++;
            n_steps += sequence_steps(&on, u);
            assert_int_equal(on.ages[on.first[u]], sequence_age(1000));
        } else {
            assert_int_equal(sequence_steps(&on, u), sequence_steps(&all, u));
            n_changed += u % 5 == 0 && n_new > 0;
        }
        for (size_t j = 0; j < D; j++) {
            assert_true(fabsf(vectors[u * D + j] - whole[u * D + j]) < 1e-5f);
        }
    }
    assert_true(n_on > 8 && n_steps > n_on && n_changed > 1);
    sequences_release(&on);
    sequences_release(&before);
    /* whoever has as many new steps as are read needs no older ones */
    assert_int_equal(sequences_init(&before, &past, NULL, 2, &status), STATUS_OK);
    const struct sequence_memory brief = {N_USERS, states, before.newest, before.read};
    const struct sequence_view newest = {.memory = &brief, .remembered = rows};
    assert_int_equal(sequences_init(&on, &log.train, &newest, 2, &status), STATUS_OK);
    for (size_t u = n_on = 0; u < N_USERS; u++) {
        n_on += on.goes_on[u] >= 0;
        assert_true(sequence_steps(&on, u) <= (on.goes_on[u] < 0 ? 2 : 1));
    }
    assert_true(n_on > 0);
    sequences_release(&on);
    sequences_release(&before);
    sequences_release(&all);
    history_release(&past);
    sequence_model_release(&model);
    log_release(&log);
}

/* ---- gradients ---- */

struct asked {
    struct sequence_step step;
    struct sequence_model model;
    struct sequence_settings settings;
    struct log log;
    int32_t users[N_USERS];
    size_t n_users;
};

static void asked_init(struct asked *a, size_t layers, double dropout)
{
    struct status status = {0};
    *a = (struct asked){.settings = settings_of(layers, dropout)};
    log_init(&a->log);
    for (int32_t u = 0; u < N_USERS; u++) {
        if (sequence_steps(&a->log.sequences, (size_t)u) > 0) {
            a->users[a->n_users++] = u;
        }
    }
    assert_int_equal(sequence_model_init(&a->model, &a->settings, N_ITEMS, 2, NULL, &status),
                     STATUS_OK);
    assert_int_equal(sequence_step_init(&a->step, &a->settings, &a->log.sequences, &negatives,
                                        a->log.counts, N_ITEMS, &a->model, NULL, &status),
                     STATUS_OK);
    a->step.strip_bytes = 1 << 20;
}

static void asked_release(struct asked *a)
{
    sequence_step_release(&a->step);
    sequence_model_release(&a->model);
    log_release(&a->log);
}

/* The loss of one step, always with the same draws; its gradients are left in the tables. */
static double loss_of(struct asked *a)
{
    struct status status = {0};
    struct sequence_outcome outcome;
    const struct sequence_noise noise = {.training = true, .seed = 4, .epoch = 1, .step = 2};
    sequence_model_step(&a->model, 0.0, NULL); /* forgets what was gathered, moves nothing */
    sampler_start_epoch(&a->step.sampler);
    assert_int_equal(sequence_step_gradients(&a->step, a->users, a->n_users, &noise, 0.0, false,
                                             &outcome, &status),
                     STATUS_OK);
    return outcome.loss;
}

/* holds: the vectors of items stay, and have no gradient; all others have the same. */
static void check_gradients(size_t layers, double dropout, bool holds)
{
    struct asked a;
    struct sequence_table tables[SEQUENCE_TABLES_MAX];
    const float step = 2e-3f;
    asked_init(&a, layers, dropout);
    a.model.holds_items = holds;
    const size_t n = sequence_model_tables(&a.model, tables);
    for (size_t t = holds ? 1 : 0; t < n; t++) {
        struct embedding_table *table = tables[t].table;
        const size_t size = table->n * table->dimension;
        for (size_t i = 0; i < size; i += 1 + size / 12) {
            const float kept = table->weights[i];
            (void)loss_of(&a);
            const int32_t slot = table->slot_of[i / table->dimension];
            const double found =
                slot < 0 || table->is_empty[slot]
                    ? 0.0
                    : (double)
                          table->gradient[(size_t)slot * table->dimension + i % table->dimension];
            table->weights[i] = kept + step;
            const double up = loss_of(&a);
            table->weights[i] = kept - step;
            const double down = loss_of(&a);
            table->weights[i] = kept;
            const double slope = (up - down) / (2.0 * (double)step);
            if (!(fabs(found - slope) < 1e-2 * (1.0 + fabs(slope)))) {
                fail_msg("%s[%zu]: %g, by differences %g", tables[t].name, i, found, slope);
            }
        }
    }
    asked_release(&a);
}

static void gradients_through_every_layer_match_finite_differences(void **state)
{
    (void)state;
    check_gradients(1, 0.0, false);
    check_gradients(2, 0.3, false);
    check_gradients(3, 0.0, false);
    check_gradients(1, 0.0, true);
}

static void held_items_change_no_byte_of_the_other_gradients(void **state)
{
    (void)state;
    struct asked moving, held;
    asked_init(&moving, 1, 0.3);
    asked_init(&held, 1, 0.3);
    held.model.holds_items = true;
    assert_true(loss_of(&held) == loss_of(&moving));
    for (enum sequence_product p = PRODUCT_MIX; p < SEQUENCE_PRODUCTS; p++) {
        const struct embedding_table *a = &held.model.layers[0].weights[p];
        assert_memory_equal(a->gradient, moving.model.layers[0].weights[p].gradient,
                            a->n * a->dimension * sizeof(float));
    }
    assert_memory_equal(held.model.ages.gradient, moving.model.ages.gradient,
                        (size_t)SEQUENCE_AGES * D * sizeof(float));
    asked_release(&moving);
    asked_release(&held);
}

/* Asks for a stop behind so many questions. */
static enum status_code stop_after(void *data, struct status *status)
{
    int *left = data;
    return (*left)-- > 0 ? STATUS_OK : status_set(status, STATUS_SIGNAL, "stopped");
}

static void a_step_in_parts_is_the_same_step_and_may_be_left_between_them(void **state)
{
    (void)state;
    struct asked whole, parts;
    struct status status = {0};
    struct sequence_outcome outcome;
    const struct sequence_noise noise = {.training = true, .seed = 4, .epoch = 1, .step = 2};
    asked_init(&whole, 2, 0.3);
    asked_init(&parts, 2, 0.3);
    parts.step.part_entries = 150; /* five anchors or so */
    const double loss = loss_of(&whole);
    assert_true(fabs(loss_of(&parts) - loss) < 1e-4 * loss);
    const struct embedding_table *a = &whole.model.items, *b = &parts.model.items;
    for (size_t i = 0; i < N_ITEMS; i++) {
        assert_int_equal(a->slot_of[i], b->slot_of[i]);
        for (size_t j = 0; j < D && a->slot_of[i] >= 0; j++) {
            const size_t at = (size_t)a->slot_of[i] * D + j;
            assert_true(fabsf(a->gradient[at] - b->gradient[at]) <
                        1e-4f * (1.0f + fabsf(a->gradient[at])));
        }
    }
    int left = 2;
    const struct watch watch = {.check_stop = stop_after, .data = &left};
    parts.step.watch = &watch;
    assert_int_equal(sequence_step_gradients(&parts.step, parts.users, parts.n_users, &noise, 0.0,
                                             true, &outcome, &status),
                     STATUS_SIGNAL);
    asked_release(&whole);
    asked_release(&parts);
}

/* ---- training ---- */

/* Keeps the checkpoint of epoch `keep_at` and stops behind it. */
struct saved {
    struct artifact artifact;
    size_t keep_at, n_saved;
    bool loads;
};

static bool is_due(void *data)
{
    (void)data;
    return true;
}

static enum status_code save(void *data, const struct artifact *artifact, struct status *status)
{
    struct saved *saved = data;
    enum status_code code = STATUS_OK;
    if (++saved->n_saved == saved->keep_at) {
        artifact_init(&saved->artifact, "checkpoint");
        for (size_t a = 0; a < artifact->n_arrays; a++) {
            const struct array *array = &artifact->arrays[a];
            TRY(artifact_copy(&saved->artifact, array->name, array->type, array->rows,
                              array->columns, array->data, status));
        }
        code = status_set(status, STATUS_SIGNAL, "stopped");
    }
done:
    return code;
}

static enum status_code load(void *data, struct artifact *artifact, bool *found,
                             struct status *status)
{
    struct saved *saved = data;
    (void)status;
    *found = saved->loads;
    if (saved->loads) {
        *artifact = saved->artifact;
        saved->artifact = (struct artifact){0};
    }
    return STATUS_OK;
}

static enum status_code train_from(const struct log *log, size_t epochs,
                                   const struct sequence_start *start, struct const_matrix items,
                                   struct saved *saved, struct pool *pool,
                                   struct sequence_result *result)
{
    struct status status = {0};
    const struct sequence_settings settings = settings_of(2, 0.2);
    const struct sequence_input input = {.settings = &settings,
                                         .sequences = &log->sequences,
                                         .negatives = &negatives,
                                         .item_counts = log->counts,
                                         .n_items = N_ITEMS,
                                         .stop_after = epochs,
                                         .start = start,
                                         .items = items,
                                         .strip_bytes = 1 << 20,
                                         .seed = 8};
    struct trainer_hooks hooks = {.data = saved};
    if (saved != NULL) {
        hooks.checkpoint_due = is_due;
        hooks.checkpoint_save = save;
        hooks.checkpoint_load = load;
    }
    return sequence_train(&input, &hooks, pool, result, &status);
}

static enum status_code train_for(const struct log *log, size_t epochs,
                                  const struct sequence_start *start, struct saved *saved,
                                  struct pool *pool, struct sequence_result *result)
{
    return train_from(log, epochs, start, (struct const_matrix){0}, saved, pool, result);
}

static enum status_code train(const struct log *log, struct saved *saved, struct pool *pool,
                              struct sequence_result *result)
{
    return train_for(log, 6, NULL, saved, pool, result);
}

static void assert_equal_models(struct sequence_model *a, struct sequence_model *b)
{
    struct sequence_table left[SEQUENCE_TABLES_MAX], right[SEQUENCE_TABLES_MAX];
    const size_t n = sequence_model_tables(a, left);
    assert_int_equal(sequence_model_tables(b, right), n);
    for (size_t t = 0; t < n; t++) {
        assert_memory_equal(left[t].table->weights, right[t].table->weights,
                            left[t].table->n * left[t].table->dimension * sizeof(float));
    }
}

static void training_learns_the_same_bytes_with_any_threads_and_behind_a_checkpoint(void **state)
{
    (void)state;
    struct status status = {0};
    struct log log;
    struct pool *pool = NULL;
    struct sequence_result one = {0}, three = {0}, resumed = {0};
    struct saved saved = {.keep_at = 3};
    log_init(&log);
    assert_int_equal(pool_new(3, &pool, &status), STATUS_OK);
    assert_int_equal(train(&log, NULL, NULL, &one), STATUS_OK);
    assert_true(one.curve[5].loss < 0.8 * one.curve[0].loss);
    assert_int_equal(train(&log, NULL, pool, &three), STATUS_OK);
    assert_equal_models(&one.model, &three.model);
    assert_int_equal(train(&log, &saved, NULL, &resumed), STATUS_SIGNAL);
    saved.loads = true;
    saved.keep_at = 0;
    assert_int_equal(train(&log, &saved, NULL, &resumed), STATUS_OK);
    assert_equal_models(&one.model, &resumed.model);
    assert_int_equal(resumed.n_curve, 6);
    assert_true(resumed.curve[1].loss >= one.curve[1].loss &&
                resumed.curve[1].loss <= one.curve[1].loss);
    sequence_result_release(&one);
    sequence_result_release(&three);
    sequence_result_release(&resumed);
    pool_free(pool);
    log_release(&log);
}

static void training_goes_on_from_other_weights_and_new_items_start_from_nothing(void **state)
{
    (void)state;
    struct status status = {0};
    struct log log;
    struct sequence_result before = {0}, fresh = {0}, at = {0}, on = {0}, resumed = {0};
    struct saved saved = {.keep_at = 3};
    struct artifact weights;
    int32_t rows[N_ITEMS];
    log_init(&log);
    assert_int_equal(train(&log, NULL, NULL, &before), STATUS_OK);
    artifact_init(&weights, "sequence");
    assert_int_equal(sequence_weights_keep(&before.model, &weights, &status), STATUS_OK);
    for (int32_t i = 0; i < N_ITEMS; i++) {
        rows[i] = i == 4 ? -1 : (i + 1) % N_ITEMS;
    }
    const struct sequence_start start = {&weights, N_ITEMS, rows};
    assert_int_equal(train_for(&log, 0, NULL, NULL, NULL, &fresh), STATUS_OK);
    assert_int_equal(train_for(&log, 0, &start, NULL, NULL, &at), STATUS_OK);
    for (size_t i = 0; i < N_ITEMS; i++) {
        const float *from = rows[i] < 0 ? fresh.model.items.weights + i * D
                                        : before.model.items.weights + (size_t)rows[i] * D;
        assert_memory_equal(at.model.items.weights + i * D, from, D * sizeof(float));
    }
    assert_memory_equal(at.model.layers[1].weights[PRODUCT_OUT].weights,
                        before.model.layers[1].weights[PRODUCT_OUT].weights, D * D * sizeof(float));
    assert_int_equal(train_for(&log, 6, &start, NULL, NULL, &on), STATUS_OK);
    assert_int_equal(train_for(&log, 6, &start, &saved, NULL, &resumed), STATUS_SIGNAL);
    saved.loads = true;
    saved.keep_at = 0;
    assert_int_equal(train_for(&log, 6, &start, &saved, NULL, &resumed), STATUS_OK);
    assert_equal_models(&on.model, &resumed.model);
    const struct sequence_start misfit = {&weights, N_ITEMS + 1, rows};
    assert_int_equal(train_for(&log, 6, &misfit, NULL, NULL, &fresh), STATUS_DATA);
    sequence_result_release(&before);
    sequence_result_release(&fresh);
    sequence_result_release(&at);
    sequence_result_release(&on);
    sequence_result_release(&resumed);
    artifact_release(&weights);
    log_release(&log);
}

/* Vectors of more components than there are here, of fewer, and the same bytes by any way. */
static void items_that_are_given_hold_until_the_layers_can_read_them(void **state)
{
    (void)state;
    struct status status = {0};
    struct log log;
    struct pool *pool = NULL;
    struct sequence_result held = {0}, one = {0}, three = {0}, resumed = {0}, few = {0},
                           drawn = {0};
    struct saved saved = {.keep_at = 2};
    float given[N_ITEMS * (D + 3)];
    log_init(&log);
    assert_int_equal(pool_new(3, &pool, &status), STATUS_OK);
    for (size_t i = 0; i < N_ITEMS * (D + 3); i++) {
        given[i] = (float)(i * i % 17) - 8.2f;
    }
    const struct const_matrix wide = const_matrix_of(given, N_ITEMS, D + 3);
    const struct const_matrix narrow = const_matrix_of(given, N_ITEMS, D - 2);
    assert_int_equal(train_from(&log, 3, NULL, wide, NULL, NULL, &held), STATUS_OK);
    assert_int_equal(train_from(&log, 6, NULL, wide, NULL, NULL, &one), STATUS_OK);
    assert_int_equal(train_from(&log, 0, NULL, narrow, NULL, NULL, &few), STATUS_OK);
    assert_int_equal(train_for(&log, 0, NULL, NULL, NULL, &drawn), STATUS_OK);
    for (size_t i = 0; i < N_ITEMS; i++) {
        float expected[D];
        memcpy(expected, given + i * (D + 3), sizeof expected);
        (void)vec_unit(vec_ops(), expected, D);
        assert_memory_equal(held.model.items.weights + i * D, expected, sizeof expected);
        assert_memory_not_equal(one.model.items.weights + i * D, expected, sizeof expected);
        const float *row = few.model.items.weights + i * D;
        assert_true(fabsf(vec_ops()->dot(row, row, D - 2) - 1.0f) < 1e-5f);
        assert_memory_equal(row + D - 2, drawn.model.items.weights + i * D + D - 2,
                            2 * sizeof *row);
    }
    assert_int_equal(train_from(&log, 6, NULL, wide, NULL, pool, &three), STATUS_OK);
    assert_equal_models(&one.model, &three.model);
    assert_int_equal(train_from(&log, 6, NULL, wide, &saved, NULL, &resumed), STATUS_SIGNAL);
    saved.loads = true;
    saved.keep_at = 0;
    assert_int_equal(train_from(&log, 6, NULL, wide, &saved, NULL, &resumed), STATUS_OK);
    assert_equal_models(&one.model, &resumed.model);
    sequence_result_release(&held);
    sequence_result_release(&one);
    sequence_result_release(&three);
    sequence_result_release(&resumed);
    sequence_result_release(&few);
    sequence_result_release(&drawn);
    pool_free(pool);
    log_release(&log);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_epoch_forgets_as_much_however_many_steps_it_has),
        cmocka_unit_test(large_logs_get_more_dimensions_and_less_dropout),
        cmocka_unit_test(events_of_one_time_are_one_step_and_only_the_newest_are_read),
        cmocka_unit_test(ages_grow_with_the_logarithm_of_time),
        cmocka_unit_test(
            hidden_events_are_a_share_of_each_epoch_its_own_and_all_are_still_foretold),
        cmocka_unit_test(states_are_those_of_naive_loops_and_users_do_not_see_one_another),
        cmocka_unit_test(reading_on_gives_what_reading_all_gives_and_other_pasts_are_read_anew),
        cmocka_unit_test(gradients_through_every_layer_match_finite_differences),
        cmocka_unit_test(held_items_change_no_byte_of_the_other_gradients),
        cmocka_unit_test(a_step_in_parts_is_the_same_step_and_may_be_left_between_them),
        cmocka_unit_test(training_learns_the_same_bytes_with_any_threads_and_behind_a_checkpoint),
        cmocka_unit_test(training_goes_on_from_other_weights_and_new_items_start_from_nothing),
        cmocka_unit_test(items_that_are_given_hold_until_the_layers_can_read_them),
    };
    enum { N_TESTS = sizeof tests / sizeof tests[0] };
    const struct vec_ops *sets[VEC_SETS_MAX];
    const size_t n_sets = vec_ops_all(sets);
    static char names[VEC_SETS_MAX * N_TESTS][160];
    struct CMUnitTest all[VEC_SETS_MAX * N_TESTS] = {{0}};
    for (size_t i = 0; i < n_sets * N_TESTS; i++) {
        const struct vec_ops *set = sets[i / N_TESTS];
        all[i] = tests[i % N_TESTS];
        all[i].setup_func = use_kernels;
        all[i].initial_state = (void *)(uintptr_t)set;
        snprintf(names[i], sizeof names[i], "%s (%s)", all[i].name, set->name);
        all[i].name = names[i];
    }
    return cmocka_run_group_tests_name("sequence", all, NULL, NULL);
}
