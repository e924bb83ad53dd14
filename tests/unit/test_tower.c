/* Towers and the encoder: unit length, gradients of every table by finite differences, propagation
 * against dense products, row-sparse steps, checkpoints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "towers/encoder.h"
#include "tests/support/random_matrix.h"

#include <math.h>

enum { N_USERS = 40, N_ITEMS = 30, TOKENS = 9, D = 8 };

struct fixture {
    struct history train;
    struct token_source sources[TOWER_MAX_SOURCES];
    struct encoder encoder;
    float *weights; /* (N_USERS, D): L = sum of weights * vectors */
};

struct shape {
    bool history, features;
    enum pooling pooling;
    size_t layers;
    enum activation activation;
    double dropout;
    size_t hops;
    enum propagation_sides sides;
};

static void fill_sparse(struct sparse *m, size_t rows, size_t columns, struct rng *rng)
{
    struct status status = {0};
    assert_int_equal(sparse_init(m, rows, columns, rows * 4, true, &status), STATUS_OK);
    size_t n = 0;
    for (size_t r = 0; r < rows; r++) {
        size_t first = (size_t)rng_below(rng, columns - 3);
        for (size_t c = first; c < first + 1 + r % 3; c++) {
            m->columns[n] = (int32_t)c;
            m->values[n++] = (float)(0.5 + rng_double(rng));
        }
        m->offsets[r + 1] = (int64_t)n;
    }
}

static void fixture_init(struct fixture *f, const struct shape *shape, struct pool *pool)
{
    struct status status = {0};
    struct rng rng;
    *f = (struct fixture){0};
    rng_init(&rng, 5, "test.tower", 0, 0);
    fill_sparse(&f->train.matrix, N_USERS, N_ITEMS, &rng);
    f->weights = random_matrix(&rng, N_USERS, D, false);
    size_t n = 0;
    if (shape->history) {
        struct history_settings history = {
            .given = true, .pooling = shape->pooling, .half_life = 2.0, .newest = 50};
        assert_int_equal(token_source_history(&f->sources[n++], &f->train, &history, &status),
                         STATUS_OK);
    }
    if (shape->features) {
        fill_sparse(&f->sources[n++].matrix, N_USERS, TOKENS, &rng);
    }
    struct tower_settings settings = {
        .dimension = D,
        .init_scale = 0.5,
        .dropout = shape->dropout,
        .hidden = {.layers = shape->layers, .units = 5, .activation = shape->activation}};
    struct tower *towers = f->encoder.towers;
    assert_int_equal(tower_init(&towers[SIDE_USERS], N_USERS, &settings, f->sources, n, 3,
                                "test.users", pool, &status),
                     STATUS_OK);
    assert_int_equal(tower_init(&towers[SIDE_ITEMS], N_ITEMS, &settings, NULL, 0, 3, "test.items",
                                pool, &status),
                     STATUS_OK);
    if (shape->hops > 0) {
        struct propagation_settings graph = {
            .hops = shape->hops, .weight = 0.7, .sides = shape->sides};
        assert_int_equal(propagation_init(&f->encoder.propagation, &graph, &f->train.matrix, NULL,
                                          NULL, D, &status),
                         STATUS_OK);
    }
}

static void fixture_release(struct fixture *f)
{
    encoder_release(&f->encoder);
    for (size_t s = 0; s < TOWER_MAX_SOURCES; s++) {
        token_source_release(&f->sources[s]);
    }
    history_release(&f->train);
    mem_free(f->weights);
}

static const struct view training = {.training = true, .seed = 9, .change = VIEW_NONE};
static const int32_t rows[] = {7, 0, 39, 12, 20};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

/* L over the vectors of `rows`; with `gradient` gathers its slopes in the tables. */
static double loss(struct fixture *f, bool gradient)
{
    struct status status = {0};
    struct encoder_view view = {0};
    struct tower_pass pass = {0};
    float slopes[N_ROWS * D];
    double sum = 0.0;
    assert_int_equal(encoder_view_begin(&f->encoder, &view, &training, 0.0, NULL, &status),
                     STATUS_OK);
    assert_int_equal(
        encoder_forward(&f->encoder, SIDE_USERS, &view, rows, N_ROWS, 0.0, &pass, NULL, &status),
        STATUS_OK);
    const float *unit = pass.vectors;
    for (size_t i = 0; i < N_ROWS * D; i++) {
        sum += (double)f->weights[i] * unit[i];
        slopes[i] = f->weights[i];
    }
    if (gradient) {
        assert_int_equal(
            encoder_backward(&f->encoder, SIDE_USERS, &view, &pass, slopes, NULL, &status),
            STATUS_OK);
        assert_int_equal(encoder_view_end(&f->encoder, &view, NULL, &status), STATUS_OK);
    }
    tower_pass_release(&pass);
    encoder_view_release(&view);
    return sum;
}

/* Every parameter of a table against the slope of L. */
static void check_table(struct fixture *f, struct embedding_table *table)
{
    const float step = 2e-3f;
    for (size_t i = 0; i < table->n * table->dimension; i++) {
        float kept = table->weights[i];
        table->weights[i] = kept + step;
        double up = loss(f, false);
        table->weights[i] = kept - step;
        double down = loss(f, false);
        table->weights[i] = kept;
        double slope = (up - down) / (2.0 * (double)step), found = 0.0;
        int32_t slot = table->slot_of[i / table->dimension];
        if (slot >= 0) {
            found = table->gradient[(size_t)slot * table->dimension + i % table->dimension];
        }
        assert_true(fabs(found - slope) < 4e-3 * (1.0 + fabs(slope)));
    }
}

static void check_shape(const struct shape *shape)
{
    struct fixture f;
    struct embedding_table *tables[TOWER_MAX_TABLES];
    fixture_init(&f, shape, NULL);
    (void)loss(&f, true);
    size_t n = tower_tables(&f.encoder.towers[SIDE_USERS], tables);
    for (size_t t = 0; t < n; t++) {
        check_table(&f, tables[t]);
    }
    if (shape->hops > 0) {
        check_table(&f, &f.encoder.towers[SIDE_ITEMS].ids);
    }
    fixture_release(&f);
}

static void gradients_of_ids_histories_and_features_match_finite_differences(void **state)
{
    (void)state;
    check_shape(&(struct shape){0});
    check_shape(&(struct shape){.history = true, .features = true});
    check_shape(&(struct shape){.history = true, .pooling = POOLING_DECAY});
    check_shape(&(struct shape){.features = true, .dropout = 0.3});
}

static void gradients_through_attention_match_finite_differences(void **state)
{
    (void)state;
    check_shape(&(struct shape){.history = true, .pooling = POOLING_ATTENTION});
    check_shape(&(struct shape){.history = true, .features = true, .pooling = POOLING_ATTENTION});
}

static void gradients_through_hidden_layers_match_finite_differences(void **state)
{
    (void)state;
    for (size_t layers = 1; layers <= HIDDEN_MAX_LAYERS; layers++) {
        check_shape(
            &(struct shape){.features = true, .layers = layers, .activation = ACTIVATION_GELU});
    }
    check_shape(&(struct shape){.layers = 1, .activation = ACTIVATION_GELU, .dropout = 0.2});
}

static void gradients_through_the_graph_match_finite_differences(void **state)
{
    (void)state;
    for (size_t hops = 1; hops <= 3; hops++) {
        check_shape(&(struct shape){.hops = hops, .sides = PROPAGATE_BOTH});
        check_shape(&(struct shape){.hops = hops, .sides = PROPAGATE_USERS, .features = true});
        check_shape(&(struct shape){.hops = hops, .sides = PROPAGATE_ITEMS});
    }
}

/* <P x, y> against <x, P^T y>, where P is all that propagation_run does. */
static void the_backward_propagation_is_the_transpose_also_with_edges_left_out(void **state)
{
    (void)state;
    struct status status = {0};
    const enum view_change changes[] = {VIEW_NONE, VIEW_EDGES, VIEW_NODES};
    for (size_t c = 0; c < 3; c++) {
        for (int sides = PROPAGATE_BOTH; sides <= PROPAGATE_USERS; sides++) {
            struct fixture f;
            struct rng rng;
            struct view view = {.seed = 4, .number = 1, .change = changes[c], .strength = 0.4};
            fixture_init(&f, &(struct shape){.hops = 3, .sides = (enum propagation_sides)sides},
                         NULL);
            rng_init(&rng, 6, "test.transpose", 0, 0);
            float *x = random_matrix(&rng, N_USERS + N_ITEMS, D, false);
            float *y = random_matrix(&rng, N_USERS + N_ITEMS, D, false);
            float *px = NULL, *py = NULL;
            size_t n = (N_USERS + N_ITEMS) * D, users = N_USERS * D;
            assert_int_equal(MEM_NEW(&px, n, &status), STATUS_OK);
            assert_int_equal(MEM_NEW(&py, n, &status), STATUS_OK);
            memcpy(px, x, n * sizeof *x);
            memcpy(py, y, n * sizeof *y);
            assert_int_equal(propagation_run(&f.encoder.propagation, &view, false, px, px + users,
                                             NULL, &status),
                             STATUS_OK);
            assert_int_equal(
                propagation_run(&f.encoder.propagation, &view, true, py, py + users, NULL, &status),
                STATUS_OK);
            double forward = 0.0, backward = 0.0;
            for (size_t i = 0; i < n; i++) {
                forward += (double)px[i] * y[i];
                backward += (double)x[i] * py[i];
            }
            assert_true(fabs(forward - backward) < 1e-3 * (1.0 + fabs(forward)));
            mem_free(x);
            mem_free(y);
            mem_free(px);
            mem_free(py);
            fixture_release(&f);
        }
    }
}

static void one_hop_to_the_items_is_the_normalised_sum_over_their_users(void **state)
{
    (void)state;
    struct status status = {0};
    struct fixture f;
    fixture_init(&f, &(struct shape){.hops = 1, .sides = PROPAGATE_ITEMS}, NULL);
    const struct sparse *m = &f.train.matrix;
    float users[N_USERS * D], items[N_ITEMS * D];
    double expected[N_ITEMS * D];
    int64_t counts[N_ITEMS];
    memcpy(users, f.encoder.towers[SIDE_USERS].ids.weights, sizeof users);
    memcpy(items, f.encoder.towers[SIDE_ITEMS].ids.weights, sizeof items);
    sparse_column_counts(m, counts);
    for (size_t i = 0; i < N_ITEMS * D; i++) {
        expected[i] = items[i];
    }
    for (size_t u = 0; u < N_USERS; u++) {
        for (int64_t e = m->offsets[u]; e < m->offsets[u + 1]; e++) {
            size_t item = (size_t)m->columns[e];
            double norm = sqrt((double)sparse_row_length(m, u) * (double)counts[item]);
            for (size_t j = 0; j < D; j++) {
                expected[item * D + j] += 0.7 * users[u * D + j] / norm;
            }
        }
    }
    struct view plain = {.change = VIEW_NONE};
    assert_int_equal(
        propagation_run(&f.encoder.propagation, &plain, false, users, items, NULL, &status),
        STATUS_OK);
    for (size_t i = 0; i < N_ITEMS * D; i++) {
        assert_true(fabs(items[i] - expected[i]) < 1e-5);
    }
    assert_memory_equal(users, f.encoder.towers[SIDE_USERS].ids.weights, sizeof users);
    fixture_release(&f);
}

static void vectors_have_unit_length_and_a_row_of_zeros_stays_zero(void **state)
{
    (void)state;
    struct status status = {0};
    struct fixture f;
    struct tower_pass pass = {0};
    fixture_init(&f, &(struct shape){0}, NULL);
    struct tower *tower = &f.encoder.towers[SIDE_USERS];
    memset(tower->ids.weights + 4 * D, 0, D * sizeof(float));
    struct tower_input input = {.count = N_USERS, .view = {.change = VIEW_NONE}};
    assert_int_equal(tower_forward(tower, &input, 0.0, &pass, NULL, &status), STATUS_OK);
    const float *unit = pass.vectors;
    for (size_t i = 0; i < N_USERS; i++) {
        double square = 0.0;
        for (size_t j = 0; j < D; j++) {
            square += (double)unit[i * D + j] * unit[i * D + j];
        }
        assert_true(fabs(square - (i == 4 ? 0.0 : 1.0)) < 1e-5);
    }
    tower_pass_release(&pass);
    fixture_release(&f);
}

static void without_ids_only_the_sources_speak(void **state)
{
    (void)state;
    struct status status = {0};
    struct fixture f;
    float out[N_USERS * D];
    fixture_init(&f, &(struct shape){.features = true}, NULL);
    f.sources[0].matrix.offsets[1] = 0; /* nothing to read for the first */
    assert_int_equal(
        encoder_encode_cold(&f.encoder, SIDE_USERS, f.sources, N_USERS, out, NULL, &status),
        STATUS_OK);
    const float *tokens = f.encoder.towers[SIDE_USERS].parts[0].table.weights;
    const struct sparse *m = &f.sources[0].matrix;
    for (size_t j = 0; j < D; j++) {
        assert_true(out[j] == 0.0f);
    }
    double expected[D] = {0}, square = 0.0;
    for (int64_t e = m->offsets[5]; e < m->offsets[6]; e++) {
        for (size_t j = 0; j < D; j++) {
            expected[j] += (double)m->values[e] * tokens[(size_t)m->columns[e] * D + j];
        }
    }
    for (size_t j = 0; j < D; j++) {
        square += expected[j] * expected[j];
    }
    for (size_t j = 0; j < D; j++) {
        assert_true(fabs(out[5 * D + j] - expected[j] / sqrt(square)) < 1e-5);
    }
    fixture_release(&f);
}

static void a_step_moves_only_the_rows_in_play(void **state)
{
    (void)state;
    struct status status = {0};
    struct fixture f;
    fixture_init(&f, &(struct shape){0}, NULL);
    struct embedding_table *ids = &f.encoder.towers[SIDE_USERS].ids;
    float before[N_USERS * D];
    memcpy(before, ids->weights, sizeof before);
    (void)loss(&f, true);
    assert_int_equal(encoder_step(&f.encoder, 0.01, NULL, &status), STATUS_OK);
    for (size_t u = 0; u < N_USERS; u++) {
        bool in_play = false;
        for (size_t i = 0; i < N_ROWS; i++) {
            in_play = in_play || (size_t)rows[i] == u;
        }
        assert_int_equal(memcmp(before + u * D, ids->weights + u * D, D * sizeof *before) != 0,
                         in_play);
    }
    assert_int_equal(ids->n_touched, 0);
    fixture_release(&f);
}

static void a_clipped_step_scales_the_whole_gradient(void **state)
{
    (void)state;
    struct status status = {0};
    struct fixture f;
    fixture_init(&f, &(struct shape){.features = true}, NULL);
    struct embedding_table *tables[TOWER_MAX_TABLES];
    size_t n = tower_tables(&f.encoder.towers[SIDE_USERS], tables);
    double square = 0.0, clipped = 0.0;
    (void)loss(&f, true);
    for (size_t t = 0; t < n; t++) {
        const float *gradient = embedding_table_gradient(tables[t]);
        for (size_t i = 0; i < tables[t]->n_touched * tables[t]->dimension; i++) {
            square += (double)gradient[i] * (double)gradient[i];
        }
    }
    f.encoder.clip = 0.5 * sqrt(square);
    struct embedding_table *ids = tables[0];
    float gradient = ids->gradient[0];
    assert_int_equal(encoder_step(&f.encoder, 0.0, NULL, &status), STATUS_OK);
    /* the gathered gradient was scaled in place before it was used */
    clipped = ids->gradient[0];
    assert_true(fabs(clipped - 0.5 * (double)gradient) < 1e-6);
    fixture_release(&f);
}

static void any_number_of_threads_gives_the_same_bytes(void **state)
{
    (void)state;
    struct status status = {0};
    struct shape shape = {.history = true, .features = true, .layers = 1, .hops = 2};
    float vectors[2][(N_USERS + N_ITEMS) * D];
    for (size_t run = 0; run < 2; run++) {
        struct fixture f;
        struct pool *pool = NULL;
        assert_int_equal(pool_new(run == 0 ? 1 : 3, &pool, &status), STATUS_OK);
        fixture_init(&f, &shape, pool);
        for (size_t step = 0; step < 3; step++) {
            (void)loss(&f, true);
            assert_int_equal(encoder_step(&f.encoder, 0.05, pool, &status), STATUS_OK);
        }
        encoder_settle(&f.encoder, 0.05, pool);
        assert_int_equal(
            encoder_encode(&f.encoder, vectors[run], vectors[run] + N_USERS * D, pool, &status),
            STATUS_OK);
        fixture_release(&f);
        pool_free(pool);
    }
    assert_memory_equal(vectors[0], vectors[1], sizeof vectors[0]);
}

static void a_saved_encoder_comes_back_and_another_shape_is_refused(void **state)
{
    (void)state;
    struct status status = {0};
    struct shape shape = {.history = true, .layers = 1};
    struct fixture f, other, plain;
    struct artifact artifact;
    float a[(N_USERS + N_ITEMS) * D], b[(N_USERS + N_ITEMS) * D];
    fixture_init(&f, &shape, NULL);
    fixture_init(&other, &shape, NULL);
    fixture_init(&plain, &(struct shape){.history = true, .layers = 2}, NULL);
    (void)loss(&f, true);
    assert_int_equal(encoder_step(&f.encoder, 0.05, NULL, &status), STATUS_OK);
    encoder_settle(&f.encoder, 0.05, NULL);
    artifact_init(&artifact, "checkpoint");
    assert_int_equal(encoder_save(&f.encoder, &artifact, &status), STATUS_OK);
    assert_int_equal(encoder_restore(&other.encoder, &artifact, &status), STATUS_OK);
    assert_int_equal(encoder_encode(&f.encoder, a, a + N_USERS * D, NULL, &status), STATUS_OK);
    assert_int_equal(encoder_encode(&other.encoder, b, b + N_USERS * D, NULL, &status), STATUS_OK);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(encoder_restore(&plain.encoder, &artifact, &status), STATUS_DATA);
    artifact_release(&artifact);
    fixture_release(&f);
    fixture_release(&other);
    fixture_release(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_ids_histories_and_features_match_finite_differences),
        cmocka_unit_test(gradients_through_attention_match_finite_differences),
        cmocka_unit_test(gradients_through_hidden_layers_match_finite_differences),
        cmocka_unit_test(gradients_through_the_graph_match_finite_differences),
        cmocka_unit_test(the_backward_propagation_is_the_transpose_also_with_edges_left_out),
        cmocka_unit_test(one_hop_to_the_items_is_the_normalised_sum_over_their_users),
        cmocka_unit_test(vectors_have_unit_length_and_a_row_of_zeros_stays_zero),
        cmocka_unit_test(without_ids_only_the_sources_speak),
        cmocka_unit_test(a_step_moves_only_the_rows_in_play),
        cmocka_unit_test(a_clipped_step_scales_the_whole_gradient),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bytes),
        cmocka_unit_test(a_saved_encoder_comes_back_and_another_shape_is_refused),
    };
    return cmocka_run_group_tests_name("tower", tests, NULL, NULL);
}
