/* The search for the score's weights: against one ranking per setting, and on data whose answer is
 * known. */
#include "evaluation/calibration.h"

#include "base/mem.h"
#include "base/rng.h"
#include "evaluation/calibration_choice.h"
#include "math/blas.h"
#include "ranking/score.h"
#include "search/paired.h"
#include "tests/support/evidence_data.h"
#include "tests/support/naive_popularity.h"
#include "tests/support/ranking_data.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct calibration_case {
    struct ranking_data data;
    struct validation validation;
    struct exam exam; /* of it, as it stands */
};

static void take_exam(struct calibration_case *c, const struct validation *validation)
{
    struct status status = {0};
    exam_release(&c->exam);
    assert_int_equal(exam_init(&c->exam, validation, NULL, &status), STATUS_OK);
}

static void case_init(struct calibration_case *c, double bias_weight)
{
    struct status status = {0};
    *c = (struct calibration_case){0};
    ranking_data_init(&c->data, 150, 60, 6, 0.15, BASIS_FIT, 9);
    assert_int_equal(validation_init(&c->validation, &c->data.interactions.basis[BASIS_FIT], NULL,
                                     "ndcg@10", 100, 1, &status),
                     STATUS_OK);
    assert_int_equal(validation_set_bias(&c->validation, bias_weight, &status), STATUS_OK);
    assert_true(c->validation.n_users > 50);
    take_exam(c, &c->validation);
}

static void case_release(struct calibration_case *c)
{
    exam_release(&c->exam);
    validation_release(&c->validation);
    ranking_data_release(&c->data);
}

/* Everything auto, without evidence. */
static struct calibration_request request_of(const struct calibration_case *c,
                                             struct calibration_grid grid)
{
    return (struct calibration_request){.exam = &c->exam,
                                        .embeddings = &c->data.embeddings,
                                        .popularity = grid,
                                        .given = {.beta = (double)NAN,
                                                  .gamma = (double)NAN,
                                                  .exponent = (double)NAN,
                                                  .half_life = (double)NAN}};
}

/* The metric at one weight through validation_run, which ranks with a single bias. */
static double value_at(double beta)
{
    struct status status = {0};
    struct calibration_case c;
    double value = 0.0;
    float *users = NULL;
    case_init(&c, beta);
    size_t d = c.data.embeddings.users.columns;
    assert_int_equal(MEM_NEW(&users, c.validation.n_users * d, &status), STATUS_OK);
    for (size_t a = 0; a < c.validation.n_users; a++) {
        memcpy(users + a * d, c.data.embeddings.users.data + (size_t)c.validation.users[a] * d,
               d * sizeof *users);
    }
    assert_int_equal(validation_run(&c.validation, const_matrix_of(users, c.validation.n_users, d),
                                    c.data.embeddings.items, NULL, c.data.embeddings.temperature,
                                    NULL, &value, &status),
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
    case_init(&c, 0.0);
    struct calibration_request request = request_of(&c, (struct calibration_grid){0.0, 1.0, 0.25});
    assert_int_equal(calibration_search(&request, NULL, &found, &status), STATUS_OK);
    assert_true(found.n_grid >= 5 + 4);
    assert_true(found.grid_beta[0] == 0.0 && found.grid_beta[4] == 1.0);
    double best = -1.0;
    for (size_t i = 0; i < found.n_grid; i++) {
        assert_true(fabs(found.grid_value[i] - value_at(found.grid_beta[i])) < 1e-12);
        assert_true(found.grid_gamma[i] == 0.0 && found.grid_exponent[i] == 0.0);
        assert_true(found.grid_users[i] == (double)c.validation.n_users);
        best = fmax(best, found.grid_value[i]);
    }
    assert_true(found.weights.beta == 0.0 || found.value == best);
    assert_true(found.towers_beta == found.weights.beta && found.towers_value == found.value);
    assert_true(found.weights.gamma == 0.0);
    assert_true(found.alpha == 0.5);
    calibration_release(&found);
    case_release(&c);
}

/* ---- with evidence ---- */

/* Lists under one set of weights, ranked with a single variant. */
static void rank_with(const struct calibration_request *request,
                      const struct validation *validation, const struct score_weights *weights,
                      int32_t *lists)
{
    struct status status = {0};
    const struct dataset *dataset = validation->dataset;
    const size_t d = request->embeddings->users.columns, n = validation->n_users;
    struct score score = {0};
    float *anchors = NULL, *scores = NULL;
    assert_int_equal(MEM_NEW(&anchors, n * d, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&scores, n * validation->k, &status), STATUS_OK);
    for (size_t a = 0; a < n; a++) {
        memcpy(anchors + a * d, request->embeddings->users.data + (size_t)validation->users[a] * d,
               d * sizeof *anchors);
    }
    assert_int_equal(score_init(&score, NULL, request->embeddings, dataset, &request->sources,
                                &dataset->train, weights, &status),
                     STATUS_OK);
    struct ranking ranking = {.anchors = const_matrix_of(anchors, n, d),
                              .candidates = request->embeddings->items,
                              .exclude = &dataset->train.matrix,
                              .exclude_rows = validation->users,
                              .tie_rank = validation->tie_rank,
                              .k = validation->k};
    score_apply(&score, validation->users, &ranking);
    assert_int_equal(ranking_run(&ranking, NULL, lists, scores, &status), STATUS_OK);
    score_release(&score);
    mem_free(anchors);
    mem_free(scores);
}

/* Makes the lists under `planted` the validation part. */
static struct sparse plant(const struct calibration_request *request,
                           const struct validation *validation, const struct score_weights *planted)
{
    struct status status = {0};
    const struct dataset *dataset = validation->dataset;
    const size_t k = validation->k;
    struct sparse valid = {0};
    int32_t *lists = NULL;
    int64_t n = 0;
    assert_int_equal(MEM_NEW(&lists, validation->n_users * k, &status), STATUS_OK);
    rank_with(request, validation, planted, lists);
    assert_int_equal(sparse_init(&valid, dataset->n_users, dataset->n_items,
                                 validation->n_users * k, false, &status),
                     STATUS_OK);
    for (size_t u = 0, a = 0; u < dataset->n_users; u++) {
        const bool takes_part = a < validation->n_users && (size_t)validation->users[a] == u;
        for (int32_t i = 0; takes_part && i < (int32_t)dataset->n_items; i++) {
            for (size_t r = 0; r < k; r++) {
                if (lists[a * k + r] == i) {
                    valid.columns[n++] = i;
                }
            }
        }
        a += takes_part ? 1 : 0;
        valid.offsets[u + 1] = n;
    }
    mem_free(lists);
    return valid;
}

struct planted_case {
    struct calibration_case base;
    struct evidence_data evidence, little; /* the latter: one partner an item */
    struct dataset dataset;                /* with the planted validation part */
    struct validation validation;
    struct calibration_request request;
};

static void planted_init(struct planted_case *c, const struct score_weights *planted)
{
    struct status status = {0};
    *c = (struct planted_case){0};
    ranking_data_init(&c->base.data, 300, 120, 6, 0.1, BASIS_FIT, 13);
    c->dataset = c->base.data.interactions.basis[BASIS_FIT];
    assert_int_equal(
        validation_init(&c->base.validation, &c->dataset, NULL, "ndcg@10", 1000, 1, &status),
        STATUS_OK);
    evidence_data_init(&c->evidence, &c->dataset, BASIS_FIT, 60);
    c->request = request_of(&c->base, (struct calibration_grid){0, 1.4, 0.1});
    c->request.sources.evidence = &c->evidence.evidence;
    if (planted->n_parts > 0) { /* ridge is what knows */
        evidence_data_init(&c->little, &c->dataset, BASIS_FIT, 1);
        c->request.sources.evidence = &c->little.evidence;
        c->request.sources.ridge = &c->evidence.evidence;
        c->request.blends = true;
    }
    c->dataset.valid.matrix = plant(&c->request, &c->base.validation, planted);
    c->dataset.valid_unknown = NULL;
    c->validation = c->base.validation;
    c->validation.dataset = &c->dataset;
    take_exam(&c->base, &c->validation);
}

static void planted_release(struct planted_case *c)
{
    sparse_release(&c->dataset.valid.matrix);
    evidence_data_release(&c->evidence);
    evidence_data_release(&c->little);
    case_release(&c->base);
}

static void planted_weights_are_found(void **state)
{
    (void)state;
    struct status status = {0};
    struct planted_case c;
    struct calibration found = {0};
    const struct score_weights planted = {
        .beta = 0.4, .gamma = 4, .exponent = 0.25, .half_life = 0};
    planted_init(&c, &planted);
    assert_int_equal(calibration_search(&c.request, NULL, &found, &status), STATUS_OK);
    assert_true(found.value > 0.97 && found.value > found.towers_value + 0.1);
    assert_true(found.weights.gamma > 2.5 && found.weights.gamma < 6);
    assert_true(fabs(found.weights.beta - 0.4) < 0.25);
    assert_true(fabs(found.weights.exponent - 0.25) < 0.2);
    calibration_release(&found);
    planted_release(&c);
}

static void ridge_takes_the_place_of_evidence_where_it_ranks_better(void **state)
{
    (void)state;
    struct status status = {0};
    struct planted_case c;
    struct calibration found = {0};
    const struct score_weights planted = {
        .beta = 0.4, .n_parts = 1, .parts = {{SCORE_RIDGE, 0, 0, 5}}};
    planted_init(&c, &planted);
    assert_int_equal(calibration_search(&c.request, NULL, &found, &status), STATUS_OK);
    assert_true(found.value > 0.95 && found.value > found.towers_value + 0.1);
    assert_true(found.weights.gamma == 0 && found.weights.n_parts >= 1);
    assert_int_equal(found.weights.parts[0].kind, SCORE_RIDGE);
    assert_true(found.weights.parts[0].weight > 3.5 && found.weights.parts[0].weight < 7);
    calibration_release(&found);
    planted_release(&c);
}

static void evidence_is_weighed_beside_ridge(void **state)
{
    (void)state;
    struct status status = {0};
    struct planted_case c;
    struct calibration found = {0};
    const struct score_weights planted = {
        .beta = 0.4, .gamma = 3, .exponent = 0.25, .n_parts = 1, .parts = {{SCORE_RIDGE, 0, 0, 4}}};
    planted_init(&c, &planted);
    assert_int_equal(calibration_search(&c.request, NULL, &found, &status), STATUS_OK);
    assert_true(found.value > 0.93);
    assert_true(found.weights.gamma > 1.5 && found.weights.gamma < 6);
    assert_int_equal(found.weights.n_parts, 1);
    assert_true(found.weights.parts[0].weight > 2.5 && found.weights.parts[0].weight < 7);
    calibration_release(&found);
    planted_release(&c);
}

static void ridge_has_to_be_clearly_better(void **state)
{
    (void)state;
    const struct exam exam = {.n_users = 4};
    const struct calibration_request request = {.exam = &exam};
    struct score_weights weights[] = {
        {0},
        {.gamma = 2},
        {.n_parts = 1, .parts = {{SCORE_RIDGE, 0, 0, 4}}},
        {.gamma = 2, .n_parts = 1, .parts = {{SCORE_RIDGE, 0, 0, 4}}}};
    double user_values[] = {0, 0, 0, 0, 0.4, 0.5, 0.6, 0.5, 0.6, 0.4, 0.6, 0.5, 0.6, 0.4, 0.6, 0.5};
    double values[4];
    struct trials trials = {.request = &request,
                            .n = 4,
                            .weights = weights,
                            .values = values,
                            .user_values = user_values};
    for (size_t t = 0; t < 4; t++) {
        values[t] = paired_mean(user_values + 4 * t, 4);
    }
    assert_int_equal(trials_choose(&trials, true), 1);
    assert_int_equal(trials_choose(&trials, false), 0);
    user_values[9] = 0.7;
    values[2] = paired_mean(user_values + 8, 4);
    assert_int_equal(trials_choose(&trials, true), 2);
    user_values[13] = 0.8; /* and both together than either */
    user_values[15] = 0.6;
    values[3] = paired_mean(user_values + 12, 4);
    assert_int_equal(trials_choose(&trials, true), 3);
}

static void each_part_is_measured_once_more_without_it(void **state)
{
    (void)state;
    static const char *const names[] = {"cosine", "popularity", "evidence"};
    struct status status = {0};
    struct planted_case c;
    struct calibration found = {0};
    const struct score_weights planted = {.beta = 0.4, .gamma = 4, .exponent = 0.25};
    planted_init(&c, &planted);
    assert_int_equal(calibration_search(&c.request, NULL, &found, &status), STATUS_OK);
    assert_int_equal(found.worth.n, 3);
    const size_t n = c.validation.n_users, k = c.validation.k;
    int32_t *lists = NULL;
    double *values = NULL;
    assert_int_equal(MEM_NEW(&lists, n * k, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&values, n, &status), STATUS_OK);
    for (size_t p = 0; p < found.worth.n; p++) {
        struct score_weights weights = found.weights;
        weights.beta *= p == 0 ? 1e6 : p == 1 ? 0 : 1;
        weights.gamma *= p == 0 ? 1e6 : p == 2 ? 0 : 1;
        rank_with(&c.request, &c.validation, &weights, lists);
        metric_per_user(c.validation.metric, k, lists, k, c.validation.users, n,
                        &c.dataset.valid.matrix, NULL, values);
        assert_string_equal(found.worth.parts[p].name, names[p]);
        assert_true(fabs(paired_mean(values, n) - found.worth.parts[p].without) <
                    (p == 0 ? 0.005 : 1e-12));
    }
    mem_free(lists);
    mem_free(values);
    calibration_release(&found);
    planted_release(&c);
}

static void every_setting_has_the_value_of_a_ranking_of_its_own(void **state)
{
    (void)state;
    struct status status = {0};
    struct planted_case c;
    struct calibration found = {0};
    const struct score_weights planted = {.beta = 0.2, .gamma = 2, .exponent = 0.5, .half_life = 0};
    planted_init(&c, &planted);
    assert_int_equal(calibration_search(&c.request, NULL, &found, &status), STATUS_OK);
    const size_t n = c.validation.n_users, k = c.validation.k;
    int32_t *lists = NULL;
    double *values = NULL;
    assert_int_equal(MEM_NEW(&lists, n * k, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&values, n, &status), STATUS_OK);
    for (size_t t = 0; t < found.n_grid; t += 3) {
        const struct score_weights weights = {.beta = found.grid_beta[t],
                                              .gamma = found.grid_gamma[t],
                                              .exponent = found.grid_exponent[t],
                                              .half_life = found.grid_half_life[t]};
        rank_with(&c.request, &c.validation, &weights, lists);
        metric_per_user(c.validation.metric, k, lists, k, c.validation.users, n,
                        &c.dataset.valid.matrix, NULL, values);
        assert_true(fabs(paired_mean(values, n) - found.grid_value[t]) < 1e-12);
    }
    mem_free(lists);
    mem_free(values);
    calibration_release(&found);
    planted_release(&c);
}

static void evidence_is_left_out_where_the_towers_know_everything(void **state)
{
    (void)state;
    struct status status = {0};
    struct planted_case c;
    struct calibration found = {0};
    const struct score_weights planted = {.beta = 0, .gamma = 0, .exponent = 0, .half_life = 0};
    planted_init(&c, &planted);
    assert_int_equal(calibration_search(&c.request, NULL, &found, &status), STATUS_OK);
    assert_true(found.weights.gamma == 0 && found.weights.beta == 0);
    assert_true(found.weights.exponent == 0);
    assert_true(found.value > 1 - 1e-12 && found.towers_value == found.value);
    calibration_release(&found);
    planted_release(&c);
}

static void given_weights_are_not_argued_with(void **state)
{
    (void)state;
    struct status status = {0};
    struct planted_case c;
    struct calibration found = {0};
    const struct score_weights planted = {.beta = 0, .gamma = 0, .exponent = 0, .half_life = 0};
    planted_init(&c, &planted);
    c.request.given = (struct score_weights){
        .beta = 0.3, .gamma = 1.5, .exponent = (double)NAN, .half_life = (double)NAN};
    assert_int_equal(calibration_search(&c.request, NULL, &found, &status), STATUS_OK);
    assert_true(found.weights.beta == 0.3 && found.weights.gamma == 1.5);
    assert_true(found.towers_beta == 0.3);
    calibration_release(&found);
    c.request.given = (struct score_weights){
        .beta = (double)NAN, .gamma = 0, .exponent = (double)NAN, .half_life = (double)NAN};
    assert_int_equal(calibration_search(&c.request, NULL, &found, &status), STATUS_OK);
    assert_true(found.weights.gamma == 0);
    calibration_release(&found);
    planted_release(&c);
}

/* What comes next is, for everybody, the item that most users took in the last days. */
static void the_half_life_of_a_trend_is_found(void **state)
{
    (void)state;
    struct status status = {0};
    struct calibration_case c;
    struct calibration found = {0};
    case_init(&c, 0);
    struct dataset *dataset = &c.data.interactions.basis[BASIS_FIT];
    const size_t n_entries = sparse_entries(&dataset->train.matrix);
    double *popularity = NULL;
    struct rng rng;
    assert_int_equal(MEM_NEW(&dataset->train.times, n_entries, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&popularity, dataset->n_items, &status), STATUS_OK);
    rng_init(&rng, 3, "trend", 0, 0);
    for (size_t e = 0; e < n_entries; e++) {
        dataset->train.times[e] = 1000000000 + (int64_t)(rng_double(&rng) * 86400.0 * 100.0);
    }
    naive_popularity(&dataset->train, 4, popularity);
    const struct sparse valid_before = dataset->valid.matrix;
    struct sparse valid = {0};
    assert_int_equal(
        sparse_init(&valid, dataset->n_users, dataset->n_items, dataset->n_users, false, &status),
        STATUS_OK);
    for (size_t u = 0; u < dataset->n_users; u++) {
        int32_t best = -1;
        for (size_t i = 0; i < dataset->n_items; i++) {
            if (!sparse_has(&dataset->train.matrix, u, (int32_t)i) &&
                (best < 0 || popularity[i] > popularity[best])) {
                best = (int32_t)i;
            }
        }
        valid.columns[u] = best;
        valid.offsets[u + 1] = (int64_t)u + 1;
    }
    dataset->valid.matrix = valid;
    struct calibration_request request = request_of(&c, (struct calibration_grid){0, 1.4, 0.1});
    assert_int_equal(calibration_search(&request, NULL, &found, &status), STATUS_OK);
    assert_true(found.weights.half_life >= 2 && found.weights.half_life <= 7);
    assert_true(found.weights.beta > 1.4);
    assert_true(found.popular_half_life >= 2 && found.popular_half_life <= 7);
    calibration_release(&found);
    request.given.half_life = 30;
    assert_int_equal(calibration_search(&request, NULL, &found, &status), STATUS_OK);
    assert_true(found.popular_half_life == 30);
    assert_true(found.weights.half_life == 30 || found.weights.beta == 0);
    calibration_release(&found);
    dataset->valid.matrix = valid_before;
    sparse_release(&valid);
    mem_free(popularity);
    mem_free(dataset->train.times);
    dataset->train.times = NULL;
    case_release(&c);
}

static void one_lucky_user_is_not_clearly_better(void **state)
{
    (void)state;
    const double of[5][4] = {{0.1, 0.2, 0.3, 0.4},
                             {0.11, 0.22, 0.31, 0.42},     /* a little better for everybody */
                             {0.1, 0.2, 0.3, 0.9},         /* for one alone */
                             {0.1, (double)NAN, 0.3, 0.4}, /* one does not count */
                             {NAN, NAN, NAN, NAN}};        /* the trial failed */
    assert_true(paired_clearly_better(of[1], of[0], 4));
    assert_false(paired_clearly_better(of[0], of[1], 4));
    assert_false(paired_clearly_better(of[2], of[0], 4));
    assert_false(paired_clearly_better(of[0], of[0], 4));
    assert_false(paired_clearly_better(of[3], of[0], 4));
    assert_true(paired_clearly_better(of[0], of[4], 4));
    assert_false(paired_clearly_better(of[4], of[0], 4));
    assert_int_equal(paired_choose(of[0], 1, 4), 0);
    assert_int_equal(paired_choose(of[0], 2, 4), 1);
    assert_int_equal(paired_choose(of[0], 5, 4), 0); /* the best one is that of one user */
}

/* Vectors that hold the held-out items' answer exactly: popularity can only disturb. */
static void zero_is_a_legal_answer(void **state)
{
    (void)state;
    struct status status = {0};
    struct calibration_case c;
    struct calibration found = {0};
    case_init(&c, 0.0);
    struct calibration_request request = request_of(&c, (struct calibration_grid){0.0, 1.4, 0.1});
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
    struct embeddings embeddings = c.data.embeddings;
    embeddings.users = const_matrix_of(users, dataset->n_users, d);
    embeddings.items = const_matrix_of(items, d, d);
    request.embeddings = &embeddings;
    assert_int_equal(calibration_search(&request, NULL, &found, &status), STATUS_OK);
    assert_true(found.weights.beta == 0.0);
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
    case_init(&c, 0.0);
    struct calibration_request request = request_of(&c, (struct calibration_grid){0.7, 0.7, 1.0});
    assert_int_equal(calibration_search(&request, NULL, &found, &status), STATUS_OK);
    assert_int_equal(found.n_grid, 1);
    assert_true(found.weights.beta == 0.7);
    assert_true(fabs(found.value - value_at(0.7)) < 1e-12);
    calibration_release(&found);
    case_release(&c);
}

static void see_progress(void *data, double done, double total)
{
    (void)data;
    assert_true(done > 0.0 && done <= total);
}

static enum status_code stop_at_once(void *data, struct status *status)
{
    (void)data;
    return status_set(status, STATUS_SIGNAL, "stopped");
}

static void a_stop_leaves_the_output_untouched(void **state)
{
    (void)state;
    struct status status = {0};
    struct calibration_case c;
    struct calibration found = {.weights.beta = 42.0};
    case_init(&c, 0.0);
    struct calibration_request request = request_of(&c, (struct calibration_grid){0.0, 1.0, 0.5});
    request.watch = (struct watch){stop_at_once, see_progress, NULL};
    assert_int_equal(calibration_search(&request, NULL, &found, &status), STATUS_SIGNAL);
    assert_true(found.weights.beta == 42.0);
    assert_null(found.grid_beta);
    case_release(&c);
}

static void the_artifact_gives_the_calibration_back(void **state)
{
    (void)state;
    struct status status = {0};
    double beta[] = {0.0, 0.5}, gamma[] = {0, 3}, exponent[] = {0, 0.25}, value[] = {0.1, 0.2};
    double users[] = {7, 5}, half_life[] = {0, 7};
    struct embeddings embeddings = {.alpha = 0.25};
    struct calibration saved = {
        .weights = {.beta = 0.5, .gamma = 3, .exponent = 0.25, .half_life = 7},
        .towers_half_life = 14,
        .popular_half_life = 1,
        .towers_beta = 0.75,
        .alpha = 0.3,
        .value = 0.2,
        .towers_value = 0.1,
        .n_grid = 2,
        .grid_beta = beta,
        .grid_half_life = half_life,
        .grid_gamma = gamma,
        .grid_exponent = exponent,
        .grid_ridge = gamma,
        .grid_value = value,
        .grid_users = users};
    struct calibration loaded = {0};
    struct artifact artifact = {0};
    assert_int_equal(calibration_save(&saved, "ndcg@20", &artifact, &status), STATUS_OK);
    assert_int_equal(calibration_load(&loaded, &artifact, &embeddings, &status), STATUS_OK);
    assert_memory_equal(&loaded.weights, &saved.weights, sizeof saved.weights);
    assert_true(loaded.towers_beta == 0.75 && loaded.alpha == 0.3);
    assert_true(loaded.value == 0.2 && loaded.towers_value == 0.1);
    assert_int_equal(loaded.n_grid, 2);
    assert_memory_equal(loaded.grid_value, value, sizeof value);
    assert_true(loaded.towers_half_life == 14 && loaded.popular_half_life == 1);
    assert_memory_equal(loaded.grid_half_life, half_life, sizeof half_life);
    assert_memory_equal(loaded.grid_gamma, gamma, sizeof gamma);
    assert_memory_equal(loaded.grid_users, users, sizeof users);
    calibration_release(&loaded);
    artifact_release(&artifact);
    saved.n_grid = 0;
    saved.value = saved.towers_value = (double)NAN;
    assert_int_equal(calibration_save(&saved, "ndcg@20", &artifact, &status), STATUS_OK);
    assert_int_equal(calibration_load(&loaded, &artifact, &embeddings, &status), STATUS_OK);
    assert_true(isnan(loaded.value) && isnan(loaded.towers_value));
    artifact_release(&artifact);
}

static void without_an_artifact_the_training_decides(void **state)
{
    (void)state;
    struct status status = {0};
    struct embeddings embeddings = {.alpha = 0.25};
    struct calibration loaded = {0};
    assert_int_equal(calibration_load(&loaded, NULL, &embeddings, &status), STATUS_OK);
    assert_true(loaded.weights.beta == 0.25 && loaded.towers_beta == 0.25);
    assert_true(loaded.weights.gamma == 0 && isnan(loaded.value));
    calibration_release(&loaded);
}

static void a_damaged_calibration_is_refused(void **state)
{
    (void)state;
    struct status status = {0};
    const struct embeddings embeddings = {.alpha = 0.5};
    struct calibration loaded = {.weights.beta = 42.0};
    const struct calibration negative = {.weights.gamma = -1};
    struct artifact artifact = {0};
    artifact_init(&artifact, "calibration");
    assert_int_equal(artifact_set_number(&artifact, "beta", 1.0, &status), STATUS_OK);
    assert_int_equal(calibration_load(&loaded, &artifact, &embeddings, &status), STATUS_DATA);
    artifact_release(&artifact);
    status_clear(&status);
    assert_int_equal(calibration_save(&negative, "ndcg@20", &artifact, &status), STATUS_OK);
    assert_int_equal(calibration_load(&loaded, &artifact, &embeddings, &status), STATUS_DATA);
    assert_non_null(strstr(status.message, "gamma -1"));
    assert_true(loaded.weights.beta == 42.0);
    artifact_release(&artifact);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_grid_point_has_the_value_of_a_ranking_of_its_own),
        cmocka_unit_test(planted_weights_are_found),
        cmocka_unit_test(ridge_takes_the_place_of_evidence_where_it_ranks_better),
        cmocka_unit_test(evidence_is_weighed_beside_ridge),
        cmocka_unit_test(ridge_has_to_be_clearly_better),
        cmocka_unit_test(each_part_is_measured_once_more_without_it),
        cmocka_unit_test(every_setting_has_the_value_of_a_ranking_of_its_own),
        cmocka_unit_test(evidence_is_left_out_where_the_towers_know_everything),
        cmocka_unit_test(given_weights_are_not_argued_with),
        cmocka_unit_test(the_half_life_of_a_trend_is_found),
        cmocka_unit_test(one_lucky_user_is_not_clearly_better),
        cmocka_unit_test(without_an_artifact_the_training_decides),
        cmocka_unit_test(zero_is_a_legal_answer),
        cmocka_unit_test(a_single_point_is_measured_and_taken),
        cmocka_unit_test(a_stop_leaves_the_output_untouched),
        cmocka_unit_test(the_artifact_gives_the_calibration_back),
        cmocka_unit_test(a_damaged_calibration_is_refused),
    };
    return cmocka_run_group_tests_name("calibration", tests, NULL, NULL);
}
