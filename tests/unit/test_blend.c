/* The learned blend: the fit against a naive loss, and choices that follow a known rule. */
#include "evaluation/blend.h"

#include "base/mem.h"
#include "base/rng.h"
#include "evaluation/blend_steps.h"
#include "pairs/pair_artifact.h"
#include "pairs/ridge.h"
#include "pairs/transitions.h"
#include "search/paired.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* ---- the logit ---- */

enum { N_USERS = 400, N_ROWS = 30, N_SURE = 20, N_COLUMNS = 4 };
static const double true_weights[N_COLUMNS] = {1.5, 0, 2.5, 0.5};
static const double column_scales[N_COLUMNS] = {1, 3, 0.2, 10};

/* Every user's first row or two are drawn by the logit with the true weights. */
static int64_t case_offsets[N_USERS + 1]; /* a case a user */

static void logit_case(struct logit *logit, const struct pool *pool)
{
    struct status status = {0};
    for (size_t u = 0; u <= N_USERS; u++) {
        case_offsets[u] = (int64_t)u;
    }
    assert_int_equal(logit_init(logit, case_offsets, N_USERS, N_COLUMNS, &status), STATUS_OK);
    for (size_t u = 0; u < N_USERS; u++) {
        struct logit_choice *choice = &logit->choices[u];
        struct rng rng;
        double best = -INFINITY;
        size_t first = 0;
        rng_init(&rng, 5, "test", 0, u);
        assert_int_equal(MEM_NEW(&choice->x, N_ROWS * N_COLUMNS, &status), STATUS_OK);
        for (size_t i = 0; i < N_ROWS; i++) {
            double score = -log(-log(rng_double(&rng) + 1e-12)); /* Gumbel */
            for (size_t j = 0; j < N_COLUMNS; j++) {
                const double x = rng_normal(&rng);
                choice->x[i * N_COLUMNS + j] = (float)(x * column_scales[j]);
                score += true_weights[j] * x;
            }
            first = score > best ? i : first;
            best = fmax(best, score);
        }
        for (size_t j = 0; j < N_COLUMNS; j++) {
            const float x = choice->x[j];
            choice->x[j] = choice->x[first * N_COLUMNS + j];
            choice->x[first * N_COLUMNS + j] = x;
        }
        choice->n = N_ROWS;
        choice->n_chosen = u % 7 == 0 ? 2 : 1;
        choice->n_sure = u % 3 == 0 ? N_SURE : N_ROWS;
        choice->stands_for = 4;
        choice->n_relevant = choice->n_chosen;
    }
    assert_int_equal(logit_ready(logit, pool, &status), STATUS_OK);
}

/* As the comment of blend_fit.c has it; w in the units of x as it was filled in. */
static double naive_loss(const struct logit *logit, const double *w)
{
    double loss = 0;
    for (size_t u = 0; u < logit->n_users; u++) {
        const struct logit_choice *choice = &logit->choices[u];
        double others = 0, of_user = 0, scores[N_ROWS];
        for (size_t i = 0; i < choice->n; i++) {
            scores[i] = 0;
            for (size_t j = 0; j < N_COLUMNS; j++) {
                scores[i] += w[j] * logit->scale[j] * (double)choice->x[i * N_COLUMNS + j];
            }
            if (i >= choice->n_chosen) {
                others += (i >= choice->n_sure ? choice->stands_for : 1) * exp(scores[i]);
            }
        }
        for (size_t p = 0; p < choice->n_chosen; p++) {
            of_user += log(others + exp(scores[p])) - scores[p];
        }
        loss += of_user / (double)choice->n_chosen;
    }
    loss /= (double)logit->n_users;
    for (size_t j = 0; j < N_COLUMNS; j++) {
        loss += 1e-3 * pow(w[j] * logit->scale[j], 2);
    }
    return loss;
}

static void the_fit_is_the_minimum_of_the_naive_loss(void **state)
{
    (void)state;
    struct logit logit = {0};
    struct logit_fit fit = {.w = {0.1, 0.1, 0.1, 0.1}};
    logit_case(&logit, NULL);
    logit_fit(&logit, LOGIT_ALL, NULL, &fit);
    assert_true(fabs(fit.loss - naive_loss(&logit, fit.w)) < 1e-6);
    for (size_t j = 0; j < N_COLUMNS; j++) {
        const double step = 1e-3 / column_scales[j];
        double up[N_COLUMNS], down[N_COLUMNS];
        memcpy(up, fit.w, sizeof up);
        memcpy(down, fit.w, sizeof down);
        up[j] += step;
        down[j] -= step;
        const double slope = (naive_loss(&logit, up) - naive_loss(&logit, down)) / 2e-3;
        assert_true(fit.w[j] >= 0);
        assert_true(fit.w[j] > 0 ? fabs(slope) < 1e-4 : slope > -1e-4);
        /* the second row of some users was not chosen, so a little less than the truth */
        assert_true(fabs(fit.w[j] * column_scales[j] - true_weights[j]) < 0.45);
    }
    assert_true(fit.w[1] < 2 * fit.error[1] + 1e-12 && fit.w[2] > 8 * fit.error[2]);
    logit_release(&logit);
}

static void what_is_out_or_has_a_least_weight_keeps_it(void **state)
{
    (void)state;
    struct logit logit = {0};
    struct logit_fit fit = {.w = {0}, .least = {0, 0.5, 0, 0}, .is_out = {false, false, true}};
    logit_case(&logit, NULL);
    logit_fit(&logit, LOGIT_ALL, NULL, &fit);
    assert_true(fit.w[2] == 0 && fit.error[2] == 0);
    assert_true(fabs(fit.w[1] - 0.5) < 1e-12);
    assert_true(fit.w[0] > 0);
    logit_release(&logit);
}

static void a_choice_without_its_values_is_no_memory(void **state)
{
    (void)state;
    struct status status = {0};
    struct logit logit = {0};
    assert_int_equal(logit_init(&logit, case_offsets, N_USERS, N_COLUMNS, &status), STATUS_OK);
    logit.choices[N_USERS - 1].n = N_ROWS;
    assert_int_equal(logit_ready(&logit, NULL, &status), STATUS_NO_MEMORY);
    logit_release(&logit);
}

static void halves_and_threads(void **state)
{
    (void)state;
    struct status status = {0};
    struct logit logit = {0};
    struct logit_fit even = {.w = {0}}, odd = even, threads = even;
    struct pool *pool = NULL;
    assert_int_equal(pool_new(3, &pool, &status), STATUS_OK);
    logit_case(&logit, pool);
    logit_fit(&logit, LOGIT_EVEN, NULL, &even);
    logit_fit(&logit, LOGIT_ODD, NULL, &odd);
    assert_true(memcmp(even.w, odd.w, sizeof even.w) != 0);
    logit_fit(&logit, LOGIT_EVEN, pool, &threads);
    assert_memory_equal(even.w, threads.w, sizeof even.w);
    assert_memory_equal(even.error, threads.error, sizeof even.error);
    pool_free(pool);
    logit_release(&logit);
}

/* The metric of lists made by the weights, which are in the units of x as it was filled in. */
static double naive_value(const struct logit *logit, const struct metric *metric, size_t k,
                          const double *w)
{
    double sum = 0;
    for (size_t u = 0; u < logit->n_users; u++) {
        const struct logit_choice *choice = &logit->choices[u];
        double scores[N_ROWS];
        uint8_t hits[N_ROWS] = {0};
        for (size_t i = 0; i < N_ROWS; i++) {
            scores[i] = 0;
            for (size_t j = 0; j < N_COLUMNS; j++) {
                scores[i] += w[j] * logit->scale[j] * (double)choice->x[i * N_COLUMNS + j];
            }
        }
        for (size_t r = 0; r < k; r++) {
            size_t best = 0;
            for (size_t i = 1; i < N_ROWS; i++) {
                best = scores[i] > scores[best] ? i : best;
            }
            hits[r] = best < choice->n_chosen ? 1 : 0;
            scores[best] = -INFINITY;
        }
        sum += metric->of_user(hits, k, choice->n_relevant);
    }
    return sum / (double)logit->n_users;
}

static void steps_lead_to_better_lists(void **state)
{
    (void)state;
    struct status status = {0};
    struct logit logit = {0};
    struct steps_request request = {.logit = &logit, .users = LOGIT_ALL, .n_knobs = N_COLUMNS};
    struct pool *pool = NULL;
    double w[N_COLUMNS] = {1.5, 1.5, 2.5, 0.5}, threads[N_COLUMNS];
    assert_int_equal(pool_new(3, &pool, &status), STATUS_OK);
    logit_case(&logit, pool);
    assert_true(metric_parse("ndcg@5", 6, &request.metric, &request.k));
    for (size_t j = 0; j < N_COLUMNS; j++) {
        request.knobs[j] = 1U << j;
    }
    const double before = naive_value(&logit, request.metric, 5, w);
    memcpy(threads, w, sizeof w);
    assert_int_equal(steps_take(&request, NULL, w, &status), STATUS_OK);
    assert_true(w[1] < 0.8); /* it is noise */
    assert_true(naive_value(&logit, request.metric, 5, w) > before + 0.02);
    assert_int_equal(steps_take(&request, pool, threads, &status), STATUS_OK);
    assert_memory_equal(w, threads, sizeof w);
    pool_free(pool);
    logit_release(&logit);
}

/* ---- the blend ---- */

enum { USERS = 1700, ITEMS = 80, SEEN = 6, D = 8 };

/* Users, more of them than weights are fitted on, walk over the items; what they choose next is the
 * next item, or any one. */
struct walk {
    struct dataset dataset;
    int64_t times[USERS * SEEN], valid_times[USERS];
    float user_vectors[USERS * D], item_vectors[ITEMS * D];
    struct embeddings embeddings;
    struct artifact artifact;
    struct evidence transitions;
    struct validation validation;
    struct exam exam;
};

static void unit_vectors(struct rng *rng, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double squares = 0;
        for (size_t j = 0; j < D; j++) {
            out[i * D + j] = (float)rng_normal(rng);
            squares += pow((double)out[i * D + j], 2);
        }
        for (size_t j = 0; j < D; j++) {
            out[i * D + j] /= (float)sqrt(squares);
        }
    }
}

static void walk_init(struct walk *w, bool follows)
{
    struct status status = {0};
    struct rng rng;
    struct sparse product = {0};
    struct history *train = &w->dataset.train, *valid = &w->dataset.valid;
    const struct transition_settings settings = {.reach = 10, .decay = 0.7, .top = 50};
    bool found;
    *w = (struct walk){0};
    rng_init(&rng, 3, "walk", 0, 0);
    w->dataset.n_users = USERS;
    w->dataset.n_items = ITEMS;
    assert_int_equal(sparse_init(&train->matrix, USERS, ITEMS, USERS * SEEN, true, &status),
                     STATUS_OK);
    assert_int_equal(sparse_init(&valid->matrix, USERS, ITEMS, USERS, true, &status), STATUS_OK);
    train->times = w->times;
    valid->times = w->valid_times;
    for (size_t u = 0; u < USERS; u++) {
        const size_t start = rng_below(&rng, ITEMS - SEEN - 1);
        const size_t aside = start == 0 ? ITEMS - 1 : start - 1;
        for (size_t s = 0; s < SEEN; s++) {
            train->matrix.columns[u * SEEN + s] = (int32_t)(start + s);
            train->matrix.values[u * SEEN + s] = 1;
            w->times[u * SEEN + s] = (int64_t)(100 * u + s);
        }
        train->matrix.offsets[u + 1] = (int64_t)((u + 1) * SEEN);
        valid->matrix.columns[u] = (int32_t)(follows ? start + SEEN : aside);
        valid->matrix.values[u] = 1;
        valid->matrix.offsets[u + 1] = (int64_t)(u + 1);
    }
    unit_vectors(&rng, w->user_vectors, USERS);
    unit_vectors(&rng, w->item_vectors, ITEMS);
    w->embeddings = (struct embeddings){.users = const_matrix_of(w->user_vectors, USERS, D),
                                        .items = const_matrix_of(w->item_vectors, ITEMS, D),
                                        .temperature = 0.2};
    assert_int_equal(transitions_count(train, &settings, NULL, &product, &status), STATUS_OK);
    artifact_init(&w->artifact, "transitions");
    assert_int_equal(
        sparse_save(&product, &w->artifact, pairs_transition_slots[BASIS_FIT], &status), STATUS_OK);
    assert_int_equal(evidence_load(&w->transitions, EVIDENCE_TRANSITIONS, &w->artifact, BASIS_FIT,
                                   &w->dataset, &found, &status),
                     STATUS_OK);
    assert_true(found);
    assert_int_equal(
        validation_init(&w->validation, &w->dataset, NULL, "ndcg@10", USERS, 1, &status),
        STATUS_OK);
    assert_int_equal(exam_init(&w->exam, &w->validation, NULL, &status), STATUS_OK);
}

static void walk_release(struct walk *w)
{
    exam_release(&w->exam);
    validation_release(&w->validation);
    evidence_release(&w->transitions);
    artifact_release(&w->artifact);
    sparse_release(&w->dataset.train.matrix);
    sparse_release(&w->dataset.valid.matrix);
}

static struct blend_request request_of(const struct walk *w)
{
    return (struct blend_request){.exam = &w->exam,
                                  .exponent = 0.5,
                                  .embeddings = &w->embeddings,
                                  .sources = {.transitions = &w->transitions},
                                  .seed = 1};
}

static void choices_that_follow_the_last_one_are_learned(void **state)
{
    (void)state;
    struct status status = {0};
    struct walk *w = NULL;
    struct blend blend = {0}, threads = {0};
    struct pool *pool = NULL;
    double *values = NULL;
    assert_int_equal(MEM_NEW(&w, 1, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&values, USERS, &status), STATUS_OK);
    walk_init(w, true);
    const struct blend_request request = request_of(w);
    assert_int_equal(blend_fit(&request, NULL, &blend, &status), STATUS_OK);
    assert_true(blend.is_better && blend.value > 0.9 && blend.base_value < 0.5);
    assert_true(blend.weights.n_parts >= 1);
    for (size_t p = 0; p < blend.weights.n_parts; p++) {
        assert_int_equal(blend.weights.parts[p].kind, SCORE_TRANSITIONS);
        assert_true(blend.weights.parts[p].weight > 0);
    }
    const struct exam_scoring scoring = {request.embeddings, request.sources};
    struct exam_progress progress = {0};
    assert_int_equal(
        exam_measure(request.exam, &scoring, &blend.weights, 1, NULL, &progress, values, &status),
        STATUS_OK);
    assert_true(paired_mean(values, USERS) > 0.9);
    assert_int_equal(
        exam_measure(request.exam, &scoring, &request.base, 1, NULL, &progress, values, &status),
        STATUS_OK);
    assert_true(fabs(paired_mean(values, USERS) - blend.base_value) < 1e-12); /* everybody's */
    assert_int_equal(pool_new(3, &pool, &status), STATUS_OK);
    assert_int_equal(blend_fit(&request, pool, &threads, &status), STATUS_OK);
    assert_memory_equal(blend.weights.parts, threads.weights.parts,
                        blend.weights.n_parts * sizeof *blend.weights.parts);
    pool_free(pool);
    walk_release(w);
    mem_free(values);
    mem_free(w);
}

/* What partners foretell needs no times; parts that look at them are not offered without. */
static void without_times_learned_evidence_is_weighed(void **state)
{
    (void)state;
    const double strength = 3;
    const struct ridge_settings settings = {
        .partners = 10, .strengths = &strength, .n_strengths = 1};
    struct status status = {0};
    struct walk *w = NULL;
    struct blend blend = {0};
    struct ridge ridge = {0};
    struct sparse pairs = {0};
    struct artifact artifact = {0};
    struct evidence evidence = {0};
    bool found;
    assert_int_equal(MEM_NEW(&w, 1, &status), STATUS_OK);
    walk_init(w, true);
    w->dataset.train.times = w->dataset.valid.times = NULL;
    assert_int_equal(ridge_init(&ridge, &w->dataset.train, &settings, NULL, &status), STATUS_OK);
    assert_int_equal(ridge_pairs(&ridge, 0, &pairs, &status), STATUS_OK);
    artifact_init(&artifact, "ridge");
    assert_int_equal(sparse_save(&pairs, &artifact, pairs_ridge_slots[BASIS_FIT], &status),
                     STATUS_OK);
    assert_int_equal(evidence_load(&evidence, EVIDENCE_RIDGE, &artifact, BASIS_FIT, &w->dataset,
                                   &found, &status),
                     STATUS_OK);
    assert_true(found);
    struct blend_request request = request_of(w);
    request.sources = (struct score_sources){.ridge = &evidence};
    assert_int_equal(blend_fit(&request, NULL, &blend, &status), STATUS_OK);
    assert_true(blend.is_better && blend.value > 0.3 && blend.base_value < 0.2);
    assert_int_equal(blend.weights.n_parts, 1);
    assert_int_equal(blend.weights.parts[0].kind, SCORE_RIDGE);
    assert_true(blend.weights.parts[0].half_places == 0 && blend.weights.parts[0].weight > 0);
    evidence_release(&evidence);
    artifact_release(&artifact);
    ridge_release(&ridge);
    walk_release(w);
    mem_free(w);
}

static void what_does_not_help_is_left_out(void **state)
{
    (void)state;
    struct status status = {0};
    struct walk *w = NULL;
    struct blend blend = {0};
    assert_int_equal(MEM_NEW(&w, 1, &status), STATUS_OK);
    walk_init(w, false);
    struct blend_request request = request_of(w);
    request.base.beta = 0.25;
    assert_int_equal(blend_fit(&request, NULL, &blend, &status), STATUS_OK);
    assert_true(!blend.is_better && blend.value <= blend.base_value);
    assert_true(blend.weights.n_parts == 0 && blend.weights.beta == 0.25);
    struct exam few = {0};
    assert_int_equal(exam_thin(&w->exam, 50, EXAM_ALL, &few, &status), STATUS_OK);
    request.exam = &few;
    assert_int_equal(blend_fit(&request, NULL, &blend, &status), STATUS_OK);
    assert_true(!blend.is_better && blend.base_value == 0);
    exam_release(&few);
    walk_release(w);
    mem_free(w);
}

static void what_people_come_back_to_is_learned_where_repeats_count(void **state)
{
    (void)state;
    struct status status = {0};
    struct walk *w = NULL;
    struct evidence own = {0};
    struct blend blend = {0};
    assert_int_equal(MEM_NEW(&w, 1, &status), STATUS_OK);
    walk_init(w, false);
    for (size_t u = 0; u < USERS; u++) { /* to what they had last but one */
        w->dataset.valid.matrix.columns[u] = w->dataset.train.matrix.columns[u * SEEN + SEEN - 2];
    }
    exam_release(&w->exam);
    validation_release(&w->validation);
    w->dataset.repeats = true;
    assert_int_equal(
        validation_init(&w->validation, &w->dataset, NULL, "ndcg@10", USERS, 1, &status),
        STATUS_OK);
    assert_int_equal(exam_init(&w->exam, &w->validation, NULL, &status), STATUS_OK);
    assert_int_equal(evidence_of_own(&own, ITEMS, &status), STATUS_OK);
    struct blend_request request = request_of(w);
    request.sources.own = &own;
    assert_int_equal(blend_fit(&request, NULL, &blend, &status), STATUS_OK);
    assert_true(blend.is_better && blend.value > 0.5 && blend.base_value < 0.5);
    double of_own = 0;
    for (size_t p = 0; p < blend.weights.n_parts; p++) {
        const struct score_part *part = &blend.weights.parts[p];
        of_own += part->kind == SCORE_OWN || part->kind == SCORE_HAD ? part->weight : 0;
    }
    assert_true(of_own > 0);
    evidence_release(&own);
    walk_release(w);
    mem_free(w);
}

/* ---- what an entry of a history counts ---- */

static void items_of_one_time_share_the_mean_of_their_places(void **state)
{
    (void)state;
    struct status status = {0};
    int32_t columns[6] = {0, 1, 2, 3, 0, 3};
    int64_t offsets[3] = {0, 4, 6}, times[6] = {172800, 86400, 86400, 0, 5, 6};
    float values[6] = {1, 1, 3, 1, 1, 1}, out[6];
    const struct history histories = {.matrix = {.n_rows = 2,
                                                 .n_columns = 4,
                                                 .offsets = offsets,
                                                 .columns = columns,
                                                 .values = values},
                                      .times = times};
    struct score_part part = {SCORE_EVIDENCE, 0, 2, 1};
    const double places[6] = {0, 1.5, 1.5, 3, 1, 0};
    assert_int_equal(score_entry_weights(&part, &histories, 172800, out, &status), STATUS_OK);
    for (size_t e = 0; e < 6; e++) {
        assert_true(fabs((double)out[e] - exp2(-places[e] / 2)) < 1e-6);
    }
    part = (struct score_part){SCORE_OWN, 1, 0, 1};
    assert_int_equal(score_entry_weights(&part, &histories, 172800, out, &status), STATUS_OK);
    assert_true(fabs((double)out[0] - log(2)) < 1e-6);
    assert_true(fabs((double)out[2] - log1p(3 * 0.5)) < 1e-6);
    assert_true(fabs((double)out[3] - log1p(0.25)) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fit_is_the_minimum_of_the_naive_loss),
        cmocka_unit_test(what_is_out_or_has_a_least_weight_keeps_it),
        cmocka_unit_test(a_choice_without_its_values_is_no_memory),
        cmocka_unit_test(halves_and_threads),
        cmocka_unit_test(steps_lead_to_better_lists),
        cmocka_unit_test(choices_that_follow_the_last_one_are_learned),
        cmocka_unit_test(without_times_learned_evidence_is_weighed),
        cmocka_unit_test(what_does_not_help_is_left_out),
        cmocka_unit_test(what_people_come_back_to_is_learned_where_repeats_count),
        cmocka_unit_test(items_of_one_time_share_the_mean_of_their_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
