/* serving_run against naive lists, user by user, and the two artifacts around it. */
#include "serving/serving.h"

#include "base/mem.h"
#include "math/blas.h"
#include "tests/support/evidence_data.h"
#include "tests/support/ranking_data.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const double tolerance = 1e-5; /* scores are float products of 6 elements, of size 10 */

static struct serving_request request_of(const struct ranking_data *data)
{
    return (struct serving_request){
        .interactions = &data->interactions,
        .embeddings = &data->embeddings,
        .users = &data->users,
        .items = &data->items,
        .weights = {.beta = 0.4},
        .top = 12,
        .exclude_seen = true,
        .similar = 5,
        .popular = 10,
    };
}

static int32_t row_of(const int32_t *codes, size_t n, int32_t code)
{
    for (size_t i = 0; i < n; i++) {
        if (codes[i] == code) {
            return (int32_t)i;
        }
    }
    return -1;
}

/* The user's vector and source by the definition; false: served by popularity. */
static bool naive_vector(const struct serving_request *request, int32_t user, double *vector,
                         enum publish_source *source)
{
    const struct embeddings *embeddings = request->embeddings;
    const struct dataset *dataset = &request->interactions->basis[embeddings->basis];
    const struct sparse *log = &request->interactions->log.matrix;
    size_t d = embeddings->users.columns;
    int32_t row = row_of(dataset->users, dataset->n_users, user);
    double squares = 0.0;
    memset(vector, 0, d * sizeof *vector);
    *source = row >= 0 ? PUBLISH_MODEL : PUBLISH_COLD;
    for (size_t j = 0; j < d && row >= 0; j++) {
        vector[j] = (double)embeddings->users.data[(size_t)row * d + j];
    }
    for (int64_t e = log->offsets[user]; e < log->offsets[user + 1] && row < 0; e++) {
        int32_t item = row_of(dataset->items, dataset->n_items, log->columns[e]);
        for (size_t j = 0; j < d && item >= 0; j++) {
            vector[j] += (double)embeddings->items.data[(size_t)item * d + j];
        }
    }
    for (size_t j = 0; j < d; j++) {
        squares += vector[j] * vector[j];
    }
    for (size_t j = 0; j < d; j++) {
        vector[j] /= squares > 0.0 ? sqrt(squares) : 1.0;
    }
    return squares > 0.0;
}

static double naive_score(const struct serving_request *request, const double *vector, int32_t item)
{
    const struct embeddings *embeddings = request->embeddings;
    const struct dataset *dataset = &request->interactions->basis[embeddings->basis];
    int32_t row = row_of(dataset->items, dataset->n_items, item);
    double dot = 0.0, users = 0.0;
    assert_true(row >= 0);
    for (size_t j = 0; j < embeddings->items.columns; j++) {
        dot +=
            vector[j] * (double)embeddings->items.data[(size_t)row * embeddings->items.columns + j];
    }
    for (size_t u = 0; u < dataset->n_users; u++) {
        users += sparse_has(&dataset->train.matrix, u, row) ? 1.0 : 0.0;
    }
    return dot / embeddings->temperature + request->weights.beta * log(1.0 + users);
}

static double log_users(const struct serving_request *request, int32_t item)
{
    const struct sparse *log = &request->interactions->log.matrix;
    double users = 0.0;
    for (size_t u = 0; u < log->n_rows; u++) {
        users += sparse_has(log, u, item) ? 1.0 : 0.0;
    }
    return users;
}

/* What the user may get at all: every item of the log, or the unseen ones. */
static size_t n_eligible(const struct serving_request *request, int32_t user, bool with_vector)
{
    const struct dataset *dataset = &request->interactions->basis[request->embeddings->basis];
    size_t n = 0;
    for (size_t i = 0; i < request->interactions->items.n; i++) {
        bool has_vector = row_of(dataset->items, dataset->n_items, (int32_t)i) >= 0;
        bool seen = sparse_has(&request->interactions->log.matrix, (size_t)user, (int32_t)i);
        bool known = log_users(request, (int32_t)i) > 0.0;
        n += (known || has_vector) && (!with_vector || has_vector) &&
                     !(seen && request->exclude_seen)
                 ? 1
                 : 0;
    }
    return n;
}

/* Checks one row against the definitions and the row above it. */
static void check_row(const struct serving_request *request, const struct recommendations *made,
                      size_t entry, size_t rank, bool has_vector, const double *vector,
                      size_t n_with_vector, enum publish_source source)
{
    int32_t item = made->items[entry];
    bool by_towers = has_vector && rank < n_with_vector;
    double score =
        by_towers ? naive_score(request, vector, item) : log(1.0 + log_users(request, item));
    assert_int_equal(made->sources[entry], by_towers ? source : PUBLISH_POPULAR);
    assert_true(fabs((double)made->scores[entry] - score) < tolerance);
    if (rank > 0 && made->sources[entry - 1] == made->sources[entry]) {
        assert_true(
            made->scores[entry - 1] > made->scores[entry] ||
            (made->scores[entry - 1] == made->scores[entry] && made->items[entry - 1] < item));
    }
}

static void check_user(const struct serving_request *request, const struct recommendations *made,
                       int32_t user)
{
    double vector[16];
    enum publish_source source;
    bool has_vector = naive_vector(request, user, vector, &source);
    size_t expected = n_eligible(request, user, false);
    size_t n_with_vector = n_eligible(request, user, true);
    size_t first = (size_t)user * made->top;
    expected = expected < made->top ? expected : made->top;
    for (size_t r = 0; r < made->top; r++) {
        int32_t item = made->items[first + r];
        if (r >= expected) {
            assert_int_equal(item, -1);
            continue;
        }
        assert_true(item >= 0);
        for (size_t before = 0; before < r; before++) {
            assert_int_not_equal(made->items[first + before], item);
        }
        if (request->exclude_seen) {
            assert_false(sparse_has(&request->interactions->log.matrix, (size_t)user, item));
        }
        check_row(request, made, first + r, r, has_vector, vector, n_with_vector, source);
    }
}

/* No item left out scores better than the last one in. */
static void check_nothing_better_is_left_out(const struct serving_request *request,
                                             const struct recommendations *made, int32_t user)
{
    const struct dataset *dataset = &request->interactions->basis[request->embeddings->basis];
    double vector[16];
    enum publish_source source;
    size_t last = (size_t)user * made->top + made->top - 1;
    if (!naive_vector(request, user, vector, &source) || made->items[last] < 0 ||
        made->sources[last] == PUBLISH_POPULAR) {
        return;
    }
    for (size_t i = 0; i < dataset->n_items; i++) {
        int32_t item = dataset->items[i];
        bool seen = request->exclude_seen &&
                    sparse_has(&request->interactions->log.matrix, (size_t)user, item);
        if (!seen && row_of(made->items + (size_t)user * made->top, made->top, item) < 0) {
            assert_true(naive_score(request, vector, item) <
                        (double)made->scores[last] + tolerance);
        }
    }
}

static void check_all(const struct serving_request *request, struct pool *pool,
                      size_t n_sources[PUBLISH_N_SOURCES])
{
    struct status status = {0};
    struct recommendations made = {0};
    assert_int_equal(serving_run(request, pool, &made, &status), STATUS_OK);
    assert_int_equal(made.n_served, request->interactions->users.n);
    assert_int_equal(made.top, request->top);
    for (size_t u = 0; u < made.n_served; u++) {
        assert_int_equal(made.served[u], u);
        check_user(request, &made, (int32_t)u);
        check_nothing_better_is_left_out(request, &made, (int32_t)u);
    }
    for (size_t e = 0; e < made.n_served * made.top; e++) {
        n_sources[made.sources[e]] += made.items[e] >= 0 ? 1 : 0;
    }
    recommendations_release(&made);
}

static void every_user_gets_the_best_unseen_items(void **state)
{
    (void)state;
    for (int basis = BASIS_FIT; basis < N_BASES; basis++) {
        struct ranking_data data;
        size_t n_sources[PUBLISH_N_SOURCES] = {0};
        ranking_data_init(&data, 90, 50, 6, 0.15, (enum basis)basis, 21);
        struct serving_request request = request_of(&data);
        check_all(&request, NULL, n_sources);
        assert_true(n_sources[PUBLISH_MODEL] > 0);
        assert_true(n_sources[PUBLISH_COLD] > 0);
        assert_true(n_sources[PUBLISH_POPULAR] > 0);
        ranking_data_release(&data);
    }
}

/* The log in tower rows, by the definition. */
static struct sparse naive_histories(const struct ranking_data *data, enum basis basis)
{
    struct status status = {0};
    const struct sparse *log = &data->interactions.log.matrix;
    const struct dataset *dataset = &data->interactions.basis[basis];
    struct sparse out = {0};
    assert_int_equal(
        sparse_init(&out, log->n_rows, dataset->n_items, sparse_entries(log), false, &status),
        STATUS_OK);
    int64_t n = 0;
    for (size_t u = 0; u < log->n_rows; u++) {
        for (size_t i = 0; i < dataset->n_items; i++) {
            if (sparse_has(log, u, dataset->items[i])) {
                out.columns[n++] = (int32_t)i;
            }
        }
        out.offsets[u + 1] = n;
    }
    return out;
}

/* Warm and cold users alike get the evidence of what the whole log knows of them. */
static void evidence_of_the_log_is_added_for_every_user_with_a_vector(void **state)
{
    (void)state;
    struct status status = {0};
    struct ranking_data data;
    struct evidence_data evidence;
    struct recommendations plain = {0}, made = {0};
    size_t n_checked[PUBLISH_N_SOURCES] = {0};
    ranking_data_init(&data, 90, 50, 6, 0.15, BASIS_FIT, 21);
    const struct dataset *dataset = &data.interactions.basis[BASIS_FIT];
    struct sparse histories = naive_histories(&data, BASIS_FIT);
    struct serving_request request = request_of(&data);
    evidence_data_init(&evidence, dataset, BASIS_FIT, 20);
    request.sources.evidence = &evidence.evidence;
    assert_int_equal(serving_run(&request, NULL, &plain, &status), STATUS_OK);
    request.weights.gamma = 3;
    request.weights.exponent = 0.25;
    assert_int_equal(serving_run(&request, NULL, &made, &status), STATUS_OK);
    assert_true(made.weights.gamma == 3 && made.weights.exponent == 0.25);
    assert_memory_equal(made.item_bias, plain.item_bias, made.n_vectors * sizeof *made.item_bias);
    for (size_t e = 0; e < made.n_served * made.top; e++) {
        double vector[16];
        enum publish_source source;
        if (made.items[e] < 0 || made.sources[e] == PUBLISH_POPULAR) {
            continue;
        }
        size_t user = e / made.top;
        int32_t row = row_of(dataset->items, dataset->n_items, made.items[e]);
        assert_true(naive_vector(&request, (int32_t)user, vector, &source));
        double score = naive_score(&request, vector, made.items[e]) +
                       3 * naive_share(&evidence, dataset, &histories, user, (size_t)row, 0.25);
        assert_true(fabs((double)made.scores[e] - score) < tolerance);
        n_checked[made.sources[e]]++;
    }
    assert_true(n_checked[PUBLISH_MODEL] > 0 && n_checked[PUBLISH_COLD] > 0);
    sparse_release(&histories);
    recommendations_release(&plain);
    recommendations_release(&made);
    evidence_data_release(&evidence);
    ranking_data_release(&data);
}

/* Weight times value of a row's parts, which is its score. */
static double sum_of_parts(const struct recommendations *made, size_t entry)
{
    struct score_term terms[SCORE_TERMS_MAX];
    double sum = 0;
    assert_int_equal(score_terms(&made->weights, made->temperature, terms), made->n_parts);
    for (size_t p = 0; p < made->n_parts; p++) {
        sum += terms[p].weight * (double)made->part_values[entry * made->n_parts + p];
    }
    return sum;
}

static void the_parts_of_a_row_sum_to_its_score(void **state)
{
    (void)state;
    enum { N_ITEMS = 50 };
    struct status status = {0};
    struct ranking_data data;
    struct evidence_data evidence;
    struct evidence own = {0};
    struct serving_rules rules = {0};
    struct recommendations made = {0};
    struct score_term terms[SCORE_TERMS_MAX];
    static const char *const names[] = {"cosine",        "popularity", "evidence", "evidence:30d",
                                        "transitions:4", "own:14d:2",  "ridge:8",  "boost"};
    enum { N_TERMS = sizeof names / sizeof *names };
    size_t n_with[N_TERMS] = {0};
    ranking_data_init(&data, 90, N_ITEMS, 6, 0.15, BASIS_FIT, 27);
    const struct dataset *dataset = &data.interactions.basis[BASIS_FIT];
    struct history *log = &data.interactions.log;
    evidence_data_init(&evidence, dataset, BASIS_FIT, 20);
    assert_int_equal(evidence_of_own(&own, dataset->n_items, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&rules.boosts, N_ITEMS, &status), STATUS_OK);
    rules.boosts[7] = 0.5F;
    assert_int_equal(MEM_NEW(&log->times, sparse_entries(&log->matrix), &status), STATUS_OK);
    for (size_t e = 0; e < sparse_entries(&log->matrix); e++) {
        log->times[e] = (int64_t)(e * 7919 % 100) * 86400;
    }
    struct serving_request request = request_of(&data);
    request.exclude_seen = false;
    request.parts = true;
    request.rules = &rules;
    request.sources =
        (struct score_sources){&evidence.evidence, &evidence.evidence, &own, &evidence.evidence};
    request.weights.gamma = 3;
    request.weights.exponent = 0.25;
    request.weights.n_parts = 5;
    request.weights.parts[0] = (struct score_part){SCORE_EVIDENCE, 30, 0, 1.5};
    request.weights.parts[1] = (struct score_part){SCORE_EVIDENCE, 0, 0, 0};
    request.weights.parts[2] = (struct score_part){SCORE_TRANSITIONS, 0, 4, 2};
    request.weights.parts[3] = (struct score_part){SCORE_OWN, 14, 2, 0.75};
    request.weights.parts[4] = (struct score_part){SCORE_RIDGE, 0, 8, 0.5};
    assert_int_equal(serving_run(&request, NULL, &made, &status), STATUS_OK);
    assert_int_equal(score_terms(&made.weights, made.temperature, terms), N_TERMS);
    for (size_t e = 0; e < made.n_served * made.top; e++) {
        const bool scored = made.items[e] >= 0 && made.sources[e] != PUBLISH_POPULAR;
        assert_true(fabs(sum_of_parts(&made, e) - (scored ? (double)made.scores[e] : 0)) <
                    tolerance);
        for (size_t p = 0; p < N_TERMS; p++) {
            n_with[p] += made.part_values[e * N_TERMS + p] != 0;
        }
    }
    for (size_t p = 0; p < N_TERMS; p++) {
        assert_string_equal(terms[p].name, names[p]);
        assert_true(n_with[p] > 0);
    }
    recommendations_release(&made);
    mem_free(log->times);
    serving_rules_release(&rules);
    evidence_release(&own);
    evidence_data_release(&evidence);
    ranking_data_release(&data);
}

static void short_lists_are_filled_up_from_the_rest_of_the_catalogue(void **state)
{
    (void)state;
    struct status status = {0};
    struct ranking_data data;
    struct pool *pool = NULL;
    assert_int_equal(pool_new(2, &pool, &status), STATUS_OK);
    ranking_data_init(&data, 60, 30, 6, 0.3, BASIS_ALL, 22);
    struct serving_request request = request_of(&data);
    static const size_t tops[] = {1, 20, 29, 30, 45};
    for (size_t t = 0; t < sizeof tops / sizeof *tops; t++) {
        for (int exclude = 0; exclude < 2; exclude++) {
            size_t n_sources[PUBLISH_N_SOURCES] = {0};
            request.top = tops[t];
            request.exclude_seen = exclude == 1;
            check_all(&request, pool, n_sources);
        }
    }
    pool_free(pool);
    ranking_data_release(&data);
}

static void similar_items_are_the_nearest_without_the_item_itself(void **state)
{
    (void)state;
    struct status status = {0};
    struct ranking_data data;
    struct recommendations made = {0};
    ranking_data_init(&data, 40, 50, 6, 0.2, BASIS_ALL, 23);
    struct serving_request request = request_of(&data);
    const struct dataset *dataset = &data.interactions.basis[BASIS_ALL];
    const float *vectors = data.item_vectors;
    assert_int_equal(serving_run(&request, NULL, &made, &status), STATUS_OK);
    assert_int_equal(made.n_similar_anchors, dataset->n_items);
    for (size_t i = 0; i < dataset->n_items; i++) {
        assert_int_equal(made.similar_anchors[i], dataset->items[i]);
        size_t above = 0; /* items nearer than the last one shown */
        float last = made.similar_scores[i * 5 + 4];
        for (size_t j = 0; j < dataset->n_items; j++) {
            double cosine = 0.0;
            for (size_t x = 0; x < 6; x++) {
                cosine += (double)vectors[i * 6 + x] * (double)vectors[j * 6 + x];
            }
            above += j != i && cosine > (double)last + tolerance ? 1 : 0;
            int32_t place = row_of(made.similar_items + i * 5, 5, dataset->items[j]);
            assert_true(j != i || place < 0);
            assert_true(place < 0 || fabs((double)made.similar_scores[i * 5 + (size_t)place] -
                                          cosine) < tolerance);
        }
        assert_true(above <= 4);
    }
    recommendations_release(&made);
    request.similar = 0;
    request.popular = 0;
    assert_int_equal(serving_run(&request, NULL, &made, &status), STATUS_OK);
    assert_int_equal(made.n_similar_anchors, 0);
    assert_int_equal(made.n_popular, 0);
    recommendations_release(&made);
    ranking_data_release(&data);
}

static void similar_users_are_the_nearest_without_the_user_himself(void **state)
{
    (void)state;
    struct status status = {0};
    struct ranking_data data;
    struct recommendations made = {0};
    ranking_data_init(&data, 40, 50, 6, 0.2, BASIS_ALL, 23);
    struct serving_request request = request_of(&data);
    const struct dataset *dataset = &data.interactions.basis[BASIS_ALL];
    const struct const_matrix users = data.embeddings.users;
    request.similar_users = 3;
    assert_int_equal(serving_run(&request, NULL, &made, &status), STATUS_OK);
    assert_int_equal(made.n_similar_users, dataset->n_users);
    for (size_t u = 0; u < dataset->n_users; u++) {
        assert_int_equal(made.similar_user_anchors[u], dataset->users[u]);
        const float last = made.similar_user_scores[u * 3 + 2];
        size_t above = 0;
        for (size_t v = 0; v < dataset->n_users; v++) {
            double cosine = 0.0;
            for (size_t x = 0; x < 6; x++) {
                cosine += (double)users.data[u * 6 + x] * (double)users.data[v * 6 + x];
            }
            above += v != u && cosine > (double)last + tolerance ? 1 : 0;
            int32_t place = row_of(made.similar_users + u * 3, 3, dataset->users[v]);
            assert_true(v != u || place < 0);
            assert_true(place < 0 || fabs((double)made.similar_user_scores[u * 3 + (size_t)place] -
                                          cosine) < tolerance);
        }
        assert_true(above <= 2);
    }
    recommendations_release(&made);
    ranking_data_release(&data);
}

/* How many users took the item last within so many days. */
static int32_t naive_trend(const struct interactions *interactions, int32_t item, int32_t days)
{
    const struct history *log = &interactions->log;
    int32_t n = 0;
    for (size_t e = 0; e < sparse_entries(&log->matrix); e++) {
        n += log->matrix.columns[e] == item &&
             log->times[e] > interactions->newest_time - days * 86400;
    }
    return n;
}

static void trending_items_are_counted_by_window_and_category(void **state)
{
    (void)state;
    enum { N_ITEMS = 50, TOP = 4 };
    struct status status = {0};
    struct ranking_data data;
    struct recommendations made = {0};
    struct serving_rules rules = {0};
    int32_t code, n_rows[31][3] = {{0}}; /* of a window, of all items and of two categories */
    ranking_data_init(&data, 40, N_ITEMS, 6, 0.2, BASIS_ALL, 23);
    struct history *log = &data.interactions.log;
    const size_t n_entries = sparse_entries(&log->matrix);
    int64_t *times = calloc(n_entries, sizeof *times), *before = log->times;
    assert_non_null(times);
    for (size_t e = 0; e < n_entries; e++) { /* some as old as a window: not within it */
        times[e] = 5000000 - (int64_t)(e * e % 60) * 43200;
    }
    log->times = times;
    data.interactions.newest_time = 5000000;
    assert_int_equal(sparse_init(&rules.categories, N_ITEMS, 2, N_ITEMS, false, &status), 0);
    for (int32_t i = 0; i < N_ITEMS; i++) {
        rules.categories.columns[i] = i % 2;
        rules.categories.offsets[i + 1] = i + 1;
    }
    assert_int_equal(vocabulary_add_text(&rules.category_names, "even", 4, &code, &status), 0);
    assert_int_equal(vocabulary_add_text(&rules.category_names, "odd", 3, &code, &status), 0);
    struct serving_request request = request_of(&data);
    request.rules = &rules;
    request.popular = TOP;
    assert_int_equal(serving_run(&request, NULL, &made, &status), STATUS_OK);
    assert_int_equal(made.n_category_offsets, 3);
    assert_memory_equal(made.category_bytes, "evenodd", 7);
    assert_int_equal(made.n_trending, 3 * 3 * TOP);
    for (size_t r = 0; r < made.n_trending; r++) {
        const int32_t item = data.items.source_of[made.trending_items[r]];
        const int32_t days = made.trending_days[r], category = made.trending_categories[r];
        const int32_t users = naive_trend(&data.interactions, item, days);
        int32_t above = 0;
        assert_int_equal(made.trending_users[r], users);
        assert_true(category < 0 || item % 2 == category);
        for (int32_t i = 0; i < N_ITEMS; i++) {
            const int32_t other = naive_trend(&data.interactions, i, days);
            above += (category < 0 || i % 2 == category) &&
                     (other > users || (other == users && i < item));
        }
        assert_int_equal(made.trending_ranks[r], above + 1);
        n_rows[days][category + 1]++;
    }
    for (int c = 0; c < 3; c++) {
        assert_true(n_rows[1][c] == TOP && n_rows[7][c] == TOP && n_rows[30][c] == TOP);
    }
    recommendations_release(&made);
    log->times = before;
    free(times);
    serving_rules_release(&rules);
    ranking_data_release(&data);
}

/* Users of segment s with the item, each worth 2^(-age / half_life days); s -1: of all. 0: 1 each.
 */
static double naive_count(const struct serving_request *request, int32_t s, int32_t item,
                          double half_life)
{
    const struct history *log = &request->interactions->log;
    double n = 0;
    for (size_t u = 0; u < log->matrix.n_rows; u++) {
        for (int64_t e = log->matrix.offsets[u]; e < log->matrix.offsets[u + 1]; e++) {
            if (log->matrix.columns[e] == item && (s < 0 || request->rules->segment_of[u] == s)) {
                n += half_life > 0 ? pow(2, -(double)(3000000 - log->times[e]) / 86400 / half_life)
                                   : 1;
            }
        }
    }
    return n;
}

/* Leave-one-out likelihood of both segments. */
static double naive_likelihood(const struct serving_request *request, double mu)
{
    double sum = 0, total = 0, own[2] = {0};
    for (int32_t i = 0; i < (int32_t)request->interactions->items.n; i++) {
        own[0] += naive_count(request, 0, i, 0);
        own[1] += naive_count(request, 1, i, 0);
        total += naive_count(request, -1, i, 0);
    }
    for (int32_t i = 0; i < (int32_t)request->interactions->items.n; i++) {
        const double share = (naive_count(request, -1, i, 0) - 1) / (total - 1);
        for (int32_t s = 0; s < 2; s++) {
            const double n = naive_count(request, s, i, 0);
            sum += n > 0 && share > 0 ? n * log((n - 1 + mu * share) / (own[s] - 1 + mu)) : 0;
        }
    }
    return sum;
}

/* Segment 1 has the first items; users of none and segment 0 whatever there is. */
static void popular_items_of_a_segment_are_shrunk_to_the_whole(void **state)
{
    (void)state;
    enum { N_USERS = 60, N_ITEMS = 30 };
    struct status status = {0};
    struct ranking_data data;
    struct recommendations made = {0};
    struct serving_rules rules = {0};
    int32_t code;
    double total = 0, sum[2] = {0};
    ranking_data_init(&data, N_USERS, N_ITEMS, 6, 0.3, BASIS_ALL, 31);
    struct history *history = &data.interactions.log;
    const size_t n_entries = sparse_entries(&history->matrix);
    int64_t *times = calloc(n_entries, sizeof *times), *before = history->times;
    assert_non_null(times);
    for (size_t e = 0; e < n_entries; e++) {
        times[e] = 3000000 - (int64_t)(e * 7 % 50) * 43200;
    }
    history->times = times;
    rules.n_items = N_ITEMS;
    assert_int_equal(MEM_NEW(&rules.segment_of, N_USERS, &status), STATUS_OK);
    for (size_t u = 0; u < N_USERS; u++) {
        rules.segment_of[u] = u % 4 == 0 ? -1 : u % 4 == 1;
        size_t n;
        sparse_row(&history->matrix, u, &n);
        for (size_t e = 0; rules.segment_of[u] == 1 && e < n; e++) {
            const int64_t at = history->matrix.offsets[u] + (int64_t)e;
            history->matrix.columns[at] = (int32_t)e;
        }
    }
    assert_int_equal(vocabulary_add_text(&rules.segments, "plain", 5, &code, &status), 0);
    assert_int_equal(vocabulary_add_text(&rules.segments, "first", 5, &code, &status), 0);
    struct serving_request request = request_of(&data);
    request.rules = &rules;
    request.popular_half_life = 5;
    request.exclude_seen = false;
    assert_int_equal(serving_run(&request, NULL, &made, &status), STATUS_OK);
    for (double mu = 10; mu < 2e6; mu *= sqrt(10)) {
        assert_true(naive_likelihood(&request, mu) <=
                    naive_likelihood(&request, made.segment_prior) + tolerance);
    }
    assert_true(made.segment_prior > 9 && made.segment_prior < 2000); /* they differ */
    for (int32_t i = 0; i < N_ITEMS; i++) {
        total += naive_count(&request, -1, i, 5);
        sum[0] += naive_count(&request, 0, i, 5);
        sum[1] += naive_count(&request, 1, i, 5);
    }
    assert_memory_equal(made.segment_bytes, "plainfirst", 10);
    assert_int_equal(made.n_segment_rows, 2 * request.popular);
    for (size_t r = 0; r < made.n_segment_rows; r++) {
        const int32_t s = made.segment_codes[r];
        double better = 0, score[N_ITEMS];
        for (int32_t i = 0; i < N_ITEMS; i++) {
            const double own = naive_count(&request, s, i, 5);
            const double whole = naive_count(&request, -1, i, 5) / total;
            score[i] =
                log(1 + total * (own + made.segment_prior * whole) / (sum[s] + made.segment_prior));
        }
        const double mine = score[data.items.source_of[made.segment_items[r]]];
        for (int32_t i = 0; i < N_ITEMS; i++) {
            better += score[i] > mine + 1e-9;
        }
        assert_true(fabs((double)made.segment_scores[r] - mine) < tolerance);
        assert_int_equal(made.segment_ranks[r], better + 1);
    }
    /* nobody knows anything of user 3, of segment 0: he gets its list */
    for (size_t u = 0; u < made.n_served; u++) {
        const int32_t user = data.users.source_of[made.served[u]];
        const bool has_list = made.sources[u * made.top] == PUBLISH_POPULAR;
        for (size_t r = 0; r < 10 && has_list && user == 3; r++) {
            assert_int_equal(made.items[u * made.top + r], made.segment_items[r]);
        }
        assert_true(has_list || user != 3);
    }
    recommendations_release(&made);
    history->times = before;
    free(times);
    serving_rules_release(&rules);
    ranking_data_release(&data);
}

static void popular_items_and_cold_vectors_are_complete(void **state)
{
    (void)state;
    struct status status = {0};
    struct ranking_data data;
    struct recommendations made = {0};
    double vector[16];
    enum publish_source source;
    ranking_data_init(&data, 60, 30, 6, 0.2, BASIS_ALL, 24);
    struct serving_request request = request_of(&data);
    request.popular = 1000;
    assert_int_equal(serving_run(&request, NULL, &made, &status), STATUS_OK);
    size_t n_known = 0;
    for (int32_t i = 0; i < 30; i++) {
        n_known += log_users(&request, i) > 0.0 ? 1 : 0;
    }
    assert_true(n_known < 30); /* the last item, for one, has no event */
    assert_int_equal(made.n_popular, n_known);
    for (size_t p = 0; p < made.n_popular; p++) {
        double users = log_users(&request, made.popular_items[p]);
        assert_true(fabs((double)made.popular_scores[p] - log(1.0 + users)) < tolerance);
        assert_true(p == 0 || made.popular_scores[p - 1] > made.popular_scores[p] ||
                    (made.popular_scores[p - 1] == made.popular_scores[p] &&
                     made.popular_items[p - 1] < made.popular_items[p]));
    }
    size_t n_cold = 0;
    for (int32_t u = 0; u < 60; u++) {
        if (!naive_vector(&request, u, vector, &source) || source != PUBLISH_COLD) {
            continue;
        }
        assert_int_equal(made.cold_users[n_cold], u);
        for (size_t j = 0; j < 6; j++) {
            assert_true(fabs((double)made.cold_vectors[n_cold * 6 + j] - vector[j]) < tolerance);
        }
        n_cold++;
    }
    assert_true(n_cold > 0);
    assert_int_equal(made.n_cold, n_cold);
    recommendations_release(&made);
    ranking_data_release(&data);
}

static void assert_same(const struct recommendations *a, const struct recommendations *b)
{
    size_t rows = a->n_served * a->top, similar = a->n_similar_anchors * a->similar_top;
    assert_int_equal(a->n_served, b->n_served);
    assert_int_equal(a->top, b->top);
    assert_int_equal(a->n_similar_anchors, b->n_similar_anchors);
    assert_int_equal(a->n_popular, b->n_popular);
    assert_int_equal(a->n_cold, b->n_cold);
    assert_int_equal(a->n_vectors, b->n_vectors);
    assert_memory_equal(a->items, b->items, rows * sizeof *a->items);
    assert_memory_equal(a->scores, b->scores, rows * sizeof *a->scores);
    assert_memory_equal(a->sources, b->sources, rows);
    assert_memory_equal(a->similar_items, b->similar_items, similar * sizeof *a->similar_items);
    assert_memory_equal(a->similar_scores, b->similar_scores, similar * sizeof *a->similar_scores);
    assert_memory_equal(a->popular_items, b->popular_items,
                        a->n_popular * sizeof *a->popular_items);
    assert_memory_equal(a->cold_vectors, b->cold_vectors,
                        a->n_cold * a->dimension * sizeof *a->cold_vectors);
    assert_int_equal(a->n_parts, b->n_parts);
    assert_memory_equal(a->part_values, b->part_values, rows * a->n_parts * sizeof(float));
    assert_memory_equal(a->item_bias, b->item_bias, a->n_vectors * sizeof *a->item_bias);
    assert_true(a->temperature == b->temperature && a->weights.beta == b->weights.beta &&
                a->weights.gamma == b->weights.gamma && a->weights.exponent == b->weights.exponent);
}

static void threads_and_the_artifact_change_nothing(void **state)
{
    (void)state;
    struct status status = {0};
    struct ranking_data data;
    struct pool *pool = NULL;
    struct recommendations one = {0}, three = {0}, loaded = {0};
    struct artifact artifact = {0};
    ranking_data_init(&data, 300, 50, 6, 0.15, BASIS_ALL, 25);
    struct serving_request request = request_of(&data);
    request.parts = true;
    assert_int_equal(pool_new(3, &pool, &status), STATUS_OK);
    assert_int_equal(serving_run(&request, NULL, &one, &status), STATUS_OK);
    assert_int_equal(serving_run(&request, pool, &three, &status), STATUS_OK);
    assert_same(&one, &three);
    assert_int_equal(recommendations_save(&three, &artifact, &status), STATUS_OK);
    assert_same(&one, &three);
    recommendations_release(&three);
    assert_int_equal(recommendations_load(&loaded, &artifact, &status), STATUS_OK);
    assert_same(&one, &loaded);
    recommendations_release(&loaded);
    artifact_release(&artifact);
    recommendations_release(&one);
    pool_free(pool);
    ranking_data_release(&data);
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
    struct ranking_data data;
    struct recommendations made = {0};
    ranking_data_init(&data, 40, 30, 6, 0.2, BASIS_FIT, 26);
    struct serving_request request = request_of(&data);
    request.watch = (struct watch){stop_at_once, see_progress, NULL};
    assert_int_equal(serving_run(&request, NULL, &made, &status), STATUS_SIGNAL);
    assert_null(made.items);
    assert_int_equal(made.n_served, 0);
    ranking_data_release(&data);
}

static void towers_survive_the_artifact(void **state)
{
    (void)state;
    struct status status = {0};
    struct ranking_data data;
    struct artifact artifact = {0};
    struct embeddings loaded = {0};
    ranking_data_init(&data, 40, 30, 6, 0.2, BASIS_ALL, 27);
    assert_int_equal(embeddings_save(&data.embeddings, &artifact, &status), STATUS_OK);
    assert_int_equal(embeddings_load(&loaded, &artifact, &status), STATUS_OK);
    assert_int_equal(loaded.basis, BASIS_ALL);
    assert_int_equal(loaded.users.rows, data.embeddings.users.rows);
    assert_int_equal(loaded.items.columns, 6);
    assert_memory_equal(loaded.items.data, data.item_vectors,
                        loaded.items.rows * 6 * sizeof(float));
    assert_true(loaded.temperature == 0.25 && loaded.alpha == 0.5 && loaded.epochs == 3.0);
    artifact_release(&artifact);
    artifact_init(&artifact, "towers");
    loaded.alpha = 42.0;
    assert_int_equal(embeddings_load(&loaded, &artifact, &status), STATUS_DATA);
    assert_true(loaded.alpha == 42.0);
    artifact_release(&artifact);
    ranking_data_release(&data);
}

/* An index serves what it finds, says how much that is, and gives way where it is too little. */
static void an_index_is_held_to_its_floor(void **state)
{
    (void)state;
    struct status status = {0};
    struct ranking_data data;
    struct recommendations truth = {0}, strict = {0}, loose = {0};
    size_t n_sources[PUBLISH_N_SOURCES] = {0};
    ranking_data_init(&data, 300, 400, 6, 0.05, BASIS_ALL, 23);
    struct serving_request request = request_of(&data);
    assert_int_equal(serving_run(&request, NULL, &truth, &status), STATUS_OK);
    assert_true(truth.users_index.n_lists == 0.0 && truth.users_index.recall == 1.0);
    request.index = INDEX_AUTO; /* nothing here takes minutes */
    request.min_recall = 0.9999;
    assert_int_equal(serving_run(&request, NULL, &strict, &status), STATUS_OK);
    assert_true(strict.users_index.n_lists == 0.0);
    recommendations_release(&strict);
    request.index = INDEX_IVF;
    check_all(&request, NULL, n_sources);
    assert_int_equal(serving_run(&request, NULL, &strict, &status), STATUS_OK);
    assert_true(strict.users_index.n_probes > 0.0 && strict.users_index.recall == 1.0);
    assert_true(strict.similar_index.n_lists > 0.0 && strict.similar_index.n_probes == 0.0);
    assert_true(strict.similar_index.recall < 0.9999);
    assert_memory_equal(strict.similar_items, truth.similar_items,
                        truth.n_similar_anchors * truth.similar_top * sizeof *truth.similar_items);
    request.min_recall = 0.5;
    assert_int_equal(serving_run(&request, NULL, &loose, &status), STATUS_OK);
    assert_true(loose.similar_index.n_probes > 0.0 && loose.similar_index.recall >= 0.5);
    for (size_t e = 0; e < loose.n_similar_anchors * loose.similar_top; e++) {
        assert_true(loose.similar_items[e] >= 0);
        assert_true(loose.similar_scores[e] <= truth.similar_scores[e] + 1e-5f);
    }
    recommendations_release(&truth);
    recommendations_release(&strict);
    recommendations_release(&loose);
    ranking_data_release(&data);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_user_gets_the_best_unseen_items),
        cmocka_unit_test(evidence_of_the_log_is_added_for_every_user_with_a_vector),
        cmocka_unit_test(the_parts_of_a_row_sum_to_its_score),
        cmocka_unit_test(short_lists_are_filled_up_from_the_rest_of_the_catalogue),
        cmocka_unit_test(similar_items_are_the_nearest_without_the_item_itself),
        cmocka_unit_test(similar_users_are_the_nearest_without_the_user_himself),
        cmocka_unit_test(trending_items_are_counted_by_window_and_category),
        cmocka_unit_test(popular_items_of_a_segment_are_shrunk_to_the_whole),
        cmocka_unit_test(popular_items_and_cold_vectors_are_complete),
        cmocka_unit_test(threads_and_the_artifact_change_nothing),
        cmocka_unit_test(a_stop_leaves_the_output_untouched),
        cmocka_unit_test(an_index_is_held_to_its_floor),
        cmocka_unit_test(towers_survive_the_artifact),
    };
    return cmocka_run_group_tests_name("serving", tests, NULL, NULL);
}
