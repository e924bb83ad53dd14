/* The search for the popularity weight: against one ranking per weight, and on data whose answer is
 * known. */
#include "model/calibration.h"

#include "base/mem.h"
#include "math/blas.h"
#include "tests/support/ranking_data.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct calibration_case {
    struct ranking_data data;
    struct validation validation;
};

static void case_init(struct calibration_case *c, double bias_weight)
{
    struct status status = {0};
    *c = (struct calibration_case){0};
    ranking_data_init(&c->data, 150, 60, 6, 0.15, BASIS_FIT, 9);
    assert_int_equal(validation_init(&c->validation, &c->data.interactions.basis[BASIS_FIT],
                                     "ndcg@10", 100, bias_weight, 1, &status),
                     STATUS_OK);
    assert_true(c->validation.n_users > 50);
}

static void case_release(struct calibration_case *c)
{
    validation_release(&c->validation);
    ranking_data_release(&c->data);
}

/* The metric at one weight through validation_run, which ranks with a single bias. */
static double value_at(double beta)
{
    struct status status = {0};
    struct calibration_case c;
    double value = 0.0;
    float *users = NULL;
    case_init(&c, beta);
    size_t d = c.data.towers.users.columns;
    assert_int_equal(MEM_NEW(&users, c.validation.n_users * d, &status), STATUS_OK);
    for (size_t a = 0; a < c.validation.n_users; a++) {
        memcpy(users + a * d, c.data.towers.users.data + (size_t)c.validation.users[a] * d,
               d * sizeof *users);
    }
    assert_int_equal(validation_run(&c.validation, const_matrix_of(users, c.validation.n_users, d),
                                    c.data.towers.items, c.data.towers.temperature, NULL, &value,
                                    &status),
                     STATUS_OK);
    mem_free(users);
    case_release(&c);
    return value;
}

static void every_grid_point_has_the_value_of_a_ranking_of_its_own(void **state)
{
    (void)state;
    struct status status = {0};
    struct calibration_case c;
    struct calibration found = {0};
    struct calibration_grid grid = {0.0, 1.0, 0.25};
    case_init(&c, 0.0);
    assert_int_equal(
        calibration_search(&c.validation, &c.data.towers, &grid, NULL, NULL, NULL, &found, &status),
        STATUS_OK);
    assert_true(found.n_grid >= 5 + 4);
    assert_true(found.grid_beta[0] == 0.0 && found.grid_beta[found.n_grid - 1] == 1.0);
    double best = -1.0, best_beta = 0.0;
    for (size_t i = 0; i < found.n_grid; i++) {
        assert_true(i == 0 || found.grid_beta[i] > found.grid_beta[i - 1]);
        assert_true(fabs(found.grid_value[i] - value_at(found.grid_beta[i])) < 1e-12);
        if (found.grid_value[i] > best) {
            best = found.grid_value[i];
            best_beta = found.grid_beta[i];
        }
    }
    assert_true(found.value == best && found.beta == best_beta);
    assert_true(found.alpha == 0.5);
    calibration_release(&found);
    case_release(&c);
}

/* Vectors that hold the held-out items' answer exactly: popularity can only disturb. */
static void zero_is_a_legal_answer(void **state)
{
    (void)state;
    struct status status = {0};
    struct calibration_case c;
    struct calibration found = {0};
    struct calibration_grid grid = {0.0, 1.4, 0.1};
    case_init(&c, 0.0);
    const struct dataset *dataset = c.validation.dataset;
    /* item i is the i-th axis of a space with one axis an item; a user the mean of the held-out */
    size_t d = dataset->n_items;
    float *users = NULL, *items = NULL;
    assert_int_equal(MEM_NEW(&users, dataset->n_users * d, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&items, d * d, &status), STATUS_OK);
    for (size_t i = 0; i < d; i++) {
        items[i * d + i] = 1.0f;
    }
    for (size_t u = 0; u < dataset->n_users; u++) {
        size_t n = sparse_row_length(&dataset->valid.matrix, u);
        for (int64_t e = dataset->valid.matrix.offsets[u]; e < dataset->valid.matrix.offsets[u + 1];
             e++) {
            users[u * d + (size_t)dataset->valid.matrix.columns[e]] = 1.0f / sqrtf((float)n);
        }
    }
    struct towers towers = c.data.towers;
    towers.users = const_matrix_of(users, dataset->n_users, d);
    towers.items = const_matrix_of(items, d, d);
    assert_int_equal(
        calibration_search(&c.validation, &towers, &grid, NULL, NULL, NULL, &found, &status),
        STATUS_OK);
    assert_true(found.beta == 0.0);
    assert_true(found.value > 0.6);
    calibration_release(&found);
    mem_free(users);
    mem_free(items);
    case_release(&c);
}

static void a_single_point_is_measured_and_taken(void **state)
{
    (void)state;
    struct status status = {0};
    struct calibration_case c;
    struct calibration found = {0};
    struct calibration_grid grid = {0.7, 0.7, 1.0};
    case_init(&c, 0.0);
    assert_int_equal(
        calibration_search(&c.validation, &c.data.towers, &grid, NULL, NULL, NULL, &found, &status),
        STATUS_OK);
    assert_int_equal(found.n_grid, 1);
    assert_true(found.beta == 0.7);
    assert_true(fabs(found.value - value_at(0.7)) < 1e-12);
    calibration_release(&found);
    case_release(&c);
}

static enum status_code stop_at_once(void *data, double done, double total, struct status *status)
{
    (void)data;
    assert_true(done > 0.0 && done <= total);
    return status_set(status, STATUS_SIGNAL, "stopped");
}

static void a_stop_leaves_the_output_untouched(void **state)
{
    (void)state;
    struct status status = {0};
    struct calibration_case c;
    struct calibration found = {.beta = 42.0};
    struct calibration_grid grid = {0.0, 1.0, 0.5};
    case_init(&c, 0.0);
    assert_int_equal(calibration_search(&c.validation, &c.data.towers, &grid, stop_at_once, NULL,
                                        NULL, &found, &status),
                     STATUS_SIGNAL);
    assert_true(found.beta == 42.0);
    assert_null(found.grid_beta);
    case_release(&c);
}

static void the_artifact_gives_the_calibration_back(void **state)
{
    (void)state;
    struct status status = {0};
    double beta[] = {0.0, 0.5}, value[] = {0.1, 0.2}, weight = 0.0;
    struct towers towers = {.alpha = 0.25};
    struct calibration saved = {.beta = 0.5,
                                .alpha = 0.3,
                                .value = 0.2,
                                .n_grid = 2,
                                .grid_beta = beta,
                                .grid_value = value};
    struct calibration loaded = {0};
    struct artifact artifact = {0};
    assert_int_equal(calibration_save(&saved, "ndcg@20", &artifact, &status), STATUS_OK);
    assert_int_equal(calibration_load(&loaded, &artifact, &status), STATUS_OK);
    assert_true(loaded.beta == 0.5 && loaded.alpha == 0.3 && loaded.value == 0.2);
    assert_int_equal(loaded.n_grid, 2);
    assert_memory_equal(loaded.grid_value, value, sizeof value);
    calibration_release(&loaded);
    assert_int_equal(calibration_weight(&artifact, &towers, &weight, &status), STATUS_OK);
    assert_true(weight == 0.5);
    assert_int_equal(calibration_weight(NULL, &towers, &weight, &status), STATUS_OK);
    assert_true(weight == 0.25);
    artifact_release(&artifact);
    saved.n_grid = 0;
    saved.value = (double)NAN;
    assert_int_equal(calibration_save(&saved, "ndcg@20", &artifact, &status), STATUS_OK);
    assert_int_equal(calibration_load(&loaded, &artifact, &status), STATUS_OK);
    assert_true(isnan(loaded.value));
    artifact_release(&artifact);
}

static void a_damaged_calibration_is_refused(void **state)
{
    (void)state;
    struct status status = {0};
    struct calibration loaded = {.beta = 42.0};
    struct artifact artifact = {0};
    artifact_init(&artifact, "calibration");
    assert_int_equal(artifact_set_number(&artifact, "beta", 1.0, &status), STATUS_OK);
    assert_int_equal(calibration_load(&loaded, &artifact, &status), STATUS_INTERNAL);
    assert_true(loaded.beta == 42.0);
    artifact_release(&artifact);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_grid_point_has_the_value_of_a_ranking_of_its_own),
        cmocka_unit_test(zero_is_a_legal_answer),
        cmocka_unit_test(a_single_point_is_measured_and_taken),
        cmocka_unit_test(a_stop_leaves_the_output_untouched),
        cmocka_unit_test(the_artifact_gives_the_calibration_back),
        cmocka_unit_test(a_damaged_calibration_is_refused),
    };
    return cmocka_run_group_tests_name("calibration", tests, NULL, NULL);
}
