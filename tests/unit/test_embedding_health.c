/* Diagnostics of embeddings against naive loops and on shapes whose answer is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "math/blas.h"
#include "training/embedding_health.h"
#include "tests/support/random_matrix.h"

#include <math.h>

enum { USERS = 300, ITEMS = 500, D = 8 };

struct fixture {
    float *users, *items;
    struct embedding_health_input input;
};

static void fixture_init(struct fixture *f, size_t dimension)
{
    struct rng rng;
    rng_init(&rng, 21, "test.health", 0, dimension);
    f->users = random_matrix(&rng, USERS, dimension, true);
    f->items = random_matrix(&rng, ITEMS, dimension, true);
    f->input = (struct embedding_health_input){
        .users = const_matrix_of(f->users, USERS, dimension),
        .items = const_matrix_of(f->items, ITEMS, dimension),
        .seed = 3,
    };
}

static void fixture_release(struct fixture *f)
{
    mem_free(f->users);
    mem_free(f->items);
}

static struct embedding_health measure(const struct embedding_health_input *input)
{
    struct status status = {0};
    struct embedding_health health;
    memset(&health, 0, sizeof health);
    assert_int_equal(embedding_health_measure(input, &health, &status), STATUS_OK);
    return health;
}

static double square_between(const float *x, const float *y, size_t n)
{
    double sum = 0.0;
    for (size_t j = 0; j < n; j++) {
        sum += ((double)x[j] - (double)y[j]) * ((double)x[j] - (double)y[j]);
    }
    return sum;
}

/* Over all pairs of different rows, not a sample. */
static double full_uniformity(const float *x, size_t rows)
{
    double sum = 0.0;
    for (size_t a = 0; a < rows; a++) {
        for (size_t b = 0; b < rows; b++) {
            sum += a == b ? 0.0 : exp(-2.0 * square_between(x + a * D, x + b * D, D));
        }
    }
    return log(sum / ((double)rows * (double)(rows - 1)));
}

static void alignment_is_the_mean_squared_distance_of_the_positives(void **state)
{
    (void)state;
    struct fixture f;
    const int32_t pairs[] = {0, 4, 299, 499, 17, 0};
    double want = 0.0;
    fixture_init(&f, D);
    f.input.positives = pairs;
    f.input.n_positives = 3;
    for (size_t i = 0; i < 3; i++) {
        want += square_between(f.users + pairs[2 * i] * D, f.items + pairs[2 * i + 1] * D, D) / 3.0;
    }
    assert_true(fabs(measure(&f.input).alignment - want) < 1e-12);
    fixture_release(&f);
}

static void uniformity_of_a_sample_is_near_that_of_all_pairs(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, D);
    struct embedding_health health = measure(&f.input);
    assert_true(fabs(health.uniformity_users - full_uniformity(f.users, USERS)) < 0.1);
    assert_true(fabs(health.uniformity_items - full_uniformity(f.items, ITEMS)) < 0.1);
    assert_true(fabs(health.cosine_items) < 0.05 && fabs(health.cosine_users) < 0.05);
    fixture_release(&f);
}

/* trace^2 / |C|_F^2 by plain loops in double. */
static double naive_participation(const float *x, size_t rows, double *variances)
{
    double mean[D] = {0}, trace = 0.0, squares = 0.0;
    for (size_t i = 0; i < rows * D; i++) {
        mean[i % D] += (double)x[i] / (double)rows;
    }
    for (size_t j = 0; j < D; j++) {
        for (size_t k = 0; k < D; k++) {
            double c = 0.0;
            for (size_t i = 0; i < rows; i++) {
                c += ((double)x[i * D + j] - mean[j]) * ((double)x[i * D + k] - mean[k]);
            }
            squares += c * c;
            trace += j == k ? c : 0.0;
            variances[j] = j == k ? c : variances[j];
        }
    }
    return trace * trace / squares;
}

static void participation_and_dead_dimensions_match_plain_loops(void **state)
{
    (void)state;
    struct fixture f;
    double variances[D];
    fixture_init(&f, D);
    for (size_t i = 0; i < ITEMS; i++) {
        f.items[i * D + 3] = 0.5f;    /* dead: constant */
        f.items[i * D + 6] *= 0.005f; /* dead: hardly varies */
        f.items[i * D + 1] *= 0.5f;
    }
    struct embedding_health health = measure(&f.input);
    double want = naive_participation(f.items, ITEMS, variances);
    assert_true(fabs(health.participation - want) < 1e-4 * want);
    assert_true(health.dead_dimensions == 2.0 / D);
    assert_true(want > 4.5 && want < 6.0);
    assert_false(health.collapsed);
    fixture_release(&f);
}

static void norms_are_those_of_both_tables_and_strides_are_kept(void **state)
{
    (void)state;
    struct fixture f;
    const float user_weights[] = {3.0f, 4.0f, 100.0f, 0.0f, 0.0f, 100.0f}; /* (2, 2), stride 3 */
    const float item_weights[] = {6.0f, 8.0f};
    fixture_init(&f, D);
    assert_true(isnan(measure(&f.input).norm));
    f.input.user_weights = (struct const_matrix){user_weights, 2, 2, 3};
    f.input.item_weights = const_matrix_of(item_weights, 1, 2);
    assert_true(fabs(measure(&f.input).norm - 5.0) < 1e-6);
    /* the same items, seen as part of wider rows */
    struct embedding_health packed = measure(&f.input);
    float *wide = NULL;
    struct status status = {0};
    assert_int_equal(MEM_NEW(&wide, ITEMS * (D + 2), &status), STATUS_OK);
    for (size_t i = 0; i < ITEMS; i++) {
        memcpy(wide + i * (D + 2), f.items + i * D, D * sizeof *wide);
        wide[i * (D + 2) + D] = 9.0f;
    }
    f.input.items = (struct const_matrix){wide, ITEMS, D, D + 2};
    struct embedding_health strided = measure(&f.input);
    assert_memory_equal(&packed, &strided, sizeof packed);
    mem_free(wide);
    fixture_release(&f);
}

static void more_rows_than_the_limit_are_looked_at_evenly(void **state)
{
    (void)state;
    enum { MANY = 3 * HEALTH_ROWS };
    struct fixture f;
    struct rng rng;
    double variances[D];
    rng_init(&rng, 8, "test.many", 0, 0);
    fixture_init(&f, D);
    float *many = random_matrix(&rng, MANY, D, true);
    f.input.items = const_matrix_of(many, MANY, D);
    double want = naive_participation(many, MANY, variances);
    assert_true(fabs(measure(&f.input).participation - want) < 0.01 * want);
    mem_free(many);
    fixture_release(&f);
}

static void vectors_that_are_all_one_are_called_collapsed(void **state)
{
    (void)state;
    for (size_t t = 0; t < 2; t++) {
        struct fixture f;
        fixture_init(&f, D);
        float *table = t == 0 ? f.users : f.items;
        for (size_t i = 0; i < (t == 0 ? USERS : ITEMS); i++) {
            memset(table + i * D, 0, D * sizeof *table);
            table[i * D] = 1.0f;
        }
        struct embedding_health health = measure(&f.input);
        assert_true(health.collapsed);
        assert_non_null(strstr(health.reason, t == 0 ? "the user vectors" : "the item vectors"));
        assert_non_null(strstr(health.reason, "1.0000"));
        if (t == 1) {
            assert_true(health.participation == 0.0 && health.dead_dimensions == 1.0);
        }
        fixture_release(&f);
    }
}

/* Items on an arc of the circle of dimensions 0 and 1, `width` radians to either side. */
static void lay_on_arc(struct fixture *f, double width)
{
    for (size_t i = 0; i < ITEMS; i++) {
        double angle = width * (2.0 * (double)i / (ITEMS - 1) - 1.0);
        memset(f->items + i * D, 0, D * sizeof *f->items);
        f->items[i * D] = (float)cos(angle);
        f->items[i * D + 1] = (float)sin(angle);
    }
}

static void items_on_a_short_arc_are_called_collapsed_and_on_a_long_one_not(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, D);
    lay_on_arc(&f, 0.4);
    struct embedding_health health = measure(&f.input);
    assert_true(health.cosine_items > 0.9 && health.cosine_items < 0.99);
    assert_true(health.collapsed);
    assert_non_null(strstr(health.reason, "onto a line"));
    lay_on_arc(&f, 1.5);
    assert_false(measure(&f.input).collapsed);
    fixture_release(&f);
}

static void two_opposite_groups_are_a_right_answer(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, D);
    for (size_t i = 0; i < ITEMS; i++) {
        memset(f.items + i * D, 0, D * sizeof *f.items);
        f.items[i * D] = i % 3 == 0 ? 1.0f : -1.0f;
    }
    struct embedding_health health = measure(&f.input);
    assert_true(fabs(health.participation - 1.0) < 1e-5);
    assert_false(health.collapsed);
    fixture_release(&f);
}

static void tiny_tables_are_measured_and_not_judged(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, D);
    lay_on_arc(&f, 0.0);
    f.input.items.rows = HEALTH_MIN_ROWS;
    assert_true(measure(&f.input).collapsed);
    f.input.items.rows = HEALTH_MIN_ROWS - 1;
    assert_false(measure(&f.input).collapsed);
    f.input.items.rows = 1;
    struct embedding_health health = measure(&f.input);
    assert_true(isnan(health.uniformity_items) && isnan(health.cosine_items));
    assert_true(isnan(health.alignment));
    fixture_release(&f);
}

static void vectors_that_are_not_numbers_give_no_verdict(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, D);
    for (size_t i = 0; i < ITEMS * D; i++) {
        f.items[i] = NAN;
    }
    struct embedding_health health = measure(&f.input);
    assert_false(health.collapsed);
    assert_true(isnan(health.uniformity_items));
    fixture_release(&f);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alignment_is_the_mean_squared_distance_of_the_positives),
        cmocka_unit_test(uniformity_of_a_sample_is_near_that_of_all_pairs),
        cmocka_unit_test(participation_and_dead_dimensions_match_plain_loops),
        cmocka_unit_test(norms_are_those_of_both_tables_and_strides_are_kept),
        cmocka_unit_test(more_rows_than_the_limit_are_looked_at_evenly),
        cmocka_unit_test(vectors_that_are_all_one_are_called_collapsed),
        cmocka_unit_test(items_on_a_short_arc_are_called_collapsed_and_on_a_long_one_not),
        cmocka_unit_test(two_opposite_groups_are_a_right_answer),
        cmocka_unit_test(tiny_tables_are_measured_and_not_judged),
        cmocka_unit_test(vectors_that_are_not_numbers_give_no_verdict),
    };
    return cmocka_run_group_tests_name("embedding_health", tests, NULL, NULL);
}
