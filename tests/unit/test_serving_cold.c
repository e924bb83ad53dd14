/* serving_run with cold users, cold items and dislikes, every list against a full naive ranking. */
#include "serving/serving.h"

#include "base/mem.h"
#include "math/blas.h"
#include "tests/support/evidence_data.h"
#include "tests/support/random_matrix.h"
#include "tests/support/ranking_data.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { D = 6, N_USERS = 60, N_ITEMS = 40, N_COLD_ITEMS = 5, N_COLD_USERS = 4 };

static const double tolerance = 1e-5; /* scores are float products of 6 elements, of size 10 */

/* Item ids are 500.., user ids 1000..; side data have ids before and behind them. Of the log's
 * items without a row two have a vector, of those of side data alone all but the second. */
static const int64_t extra_items[] = {7, 2000, 2001}, extra_users[] = {5, 3000};
static const int32_t cold_items[N_COLD_ITEMS] = {4, 9, 39, 40, 42};
static const int32_t cold_users[N_COLD_USERS] = {3, 10, 60, 61};

struct cold_shop {
    struct ranking_data data;
    struct feature_table side[N_FEATURE_SIDES];
    struct served_ids users, items;
    float *user_vectors, *item_vectors;
    struct sparse history; /* (N_USERS, items of the basis) by the definition */
    struct evidence_data evidence;
};

static void add_ids(struct vocabulary *vocabulary, const int64_t *ids, size_t n)
{
    struct status status = {0};
    int32_t code;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(vocabulary_add_integer(vocabulary, ids[i], &code, &status), STATUS_OK);
    }
}

static struct sparse some_dislikes(struct rng *rng)
{
    struct status status = {0};
    struct sparse m = {0};
    int64_t n = 0;
    assert_int_equal(sparse_init(&m, N_USERS, N_ITEMS, N_USERS * N_ITEMS, false, &status),
                     STATUS_OK);
    for (size_t u = 0; u < N_USERS; u++) {
        for (int32_t i = 0; i < N_ITEMS; i++) {
            if (rng_double(rng) < 0.15) {
                m.columns[n++] = i;
            }
        }
        m.offsets[u + 1] = n;
    }
    return m;
}

static void make_history(struct cold_shop *shop)
{
    struct status status = {0};
    const struct interactions *interactions = &shop->data.interactions;
    const struct dataset *dataset = &interactions->basis[BASIS_ALL];
    int64_t n = 0;
    assert_int_equal(
        sparse_init(&shop->history, N_USERS, dataset->n_items, N_USERS * N_ITEMS, false, &status),
        STATUS_OK);
    for (size_t u = 0; u < N_USERS; u++) {
        for (size_t i = 0; i < dataset->n_items; i++) {
            if (sparse_has(&interactions->log.matrix, u, dataset->items[i]) &&
                !sparse_has(&interactions->disliked.matrix, u, dataset->items[i])) {
                shop->history.columns[n++] = (int32_t)i;
            }
        }
        shop->history.offsets[u + 1] = n;
    }
}

static void cold_shop_init(struct cold_shop *shop)
{
    struct status status = {0};
    struct rng rng;
    *shop = (struct cold_shop){0};
    ranking_data_init(&shop->data, N_USERS, N_ITEMS, D, 0.15, BASIS_ALL, 31);
    rng_init(&rng, 31, "test.serving_cold", 0, 0);
    struct interactions *interactions = &shop->data.interactions;
    struct embeddings *embeddings = &shop->data.embeddings;
    interactions->disliked.matrix = some_dislikes(&rng);
    shop->user_vectors = random_matrix(&rng, N_COLD_USERS, D, true);
    shop->item_vectors = random_matrix(&rng, N_COLD_ITEMS, D, true);
    embeddings->cold_user_codes = cold_users;
    embeddings->cold_item_codes = cold_items;
    embeddings->cold_users = const_matrix_of(shop->user_vectors, N_COLD_USERS, D);
    embeddings->cold_items = const_matrix_of(shop->item_vectors, N_COLD_ITEMS, D);
    shop->side[FEATURE_USERS].n_master = N_USERS;
    shop->side[FEATURE_ITEMS].n_master = N_ITEMS;
    add_ids(&shop->side[FEATURE_USERS].extra, extra_users, 2);
    add_ids(&shop->side[FEATURE_ITEMS].extra, extra_items, 3);
    assert_int_equal(served_ids_init(&shop->users, &interactions->users, &shop->side[FEATURE_USERS],
                                     cold_users, N_COLD_USERS, &status),
                     STATUS_OK);
    assert_int_equal(served_ids_init(&shop->items, &interactions->items, &shop->side[FEATURE_ITEMS],
                                     cold_items, N_COLD_ITEMS, &status),
                     STATUS_OK);
    make_history(shop);
    evidence_data_init(&shop->evidence, &interactions->basis[BASIS_ALL], BASIS_ALL, 20);
}

static void cold_shop_release(struct cold_shop *shop)
{
    evidence_data_release(&shop->evidence);
    sparse_release(&shop->history);
    sparse_release(&shop->data.interactions.disliked.matrix);
    served_ids_release(&shop->users);
    served_ids_release(&shop->items);
    vocabulary_release(&shop->side[FEATURE_USERS].extra);
    vocabulary_release(&shop->side[FEATURE_ITEMS].extra);
    mem_free(shop->user_vectors);
    mem_free(shop->item_vectors);
    ranking_data_release(&shop->data);
}

static struct serving_request request_of(const struct cold_shop *shop)
{
    return (struct serving_request){
        .interactions = &shop->data.interactions,
        .embeddings = &shop->data.embeddings,
        .users = &shop->users,
        .items = &shop->items,
        .weights = {.beta = 0.2, .gamma = 1.5, .exponent = 0.25},
        .sources.evidence = &shop->evidence.evidence,
        .top = 15,
        .exclude_seen = true,
        .exclude_disliked = true,
        .cold_items = true,
        .cold_users = true,
        .similar = 5,
        .popular = 10,
    };
}

static int32_t place_of(const int32_t *codes, size_t n, int32_t code)
{
    for (size_t i = 0; i < n; i++) {
        if (codes[i] == code) {
            return (int32_t)i;
        }
    }
    return -1;
}

/* The item's vector, NULL: none. *row: among the towers' items, -1: cold. */
static const float *item_vector(const struct serving_request *request, int32_t item, int32_t *row)
{
    const struct embeddings *embeddings = request->embeddings;
    const struct dataset *dataset = &request->interactions->basis[BASIS_ALL];
    int32_t cold = place_of(cold_items, N_COLD_ITEMS, item);
    *row = place_of(dataset->items, dataset->n_items, item);
    if (*row >= 0) {
        return embeddings->items.data + (size_t)*row * D;
    }
    return cold >= 0 && request->cold_items ? embeddings->cold_items.data + (size_t)cold * D : NULL;
}

/* False: no vector. */
static bool user_vector(const struct cold_shop *shop, int32_t user, double *vector, bool *cold)
{
    const struct embeddings *embeddings = &shop->data.embeddings;
    const struct dataset *dataset = &shop->data.interactions.basis[BASIS_ALL];
    int32_t row = place_of(dataset->users, dataset->n_users, user);
    int32_t encoded = place_of(cold_users, N_COLD_USERS, user);
    double squares = 0.0;
    *cold = row < 0;
    for (size_t j = 0; j < D; j++) {
        vector[j] = 0.0;
        if (row >= 0) {
            vector[j] = (double)embeddings->users.data[(size_t)row * D + j];
        } else if (encoded >= 0) {
            vector[j] = (double)shop->user_vectors[(size_t)encoded * D + j];
        } else {
            const struct sparse *h = &shop->history;
            for (int64_t e = h->offsets[user]; e < h->offsets[user + 1]; e++) {
                vector[j] += (double)embeddings->items.data[(size_t)h->columns[e] * D + j];
            }
        }
        squares += vector[j] * vector[j];
    }
    for (size_t j = 0; j < D; j++) {
        vector[j] /= squares > 0.0 ? sqrt(squares) : 1.0;
    }
    return squares > 0.0;
}

static bool is_barred(const struct serving_request *request, int32_t user, int32_t item)
{
    const struct interactions *interactions = request->interactions;
    return user < N_USERS && item < N_ITEMS &&
           ((request->exclude_seen && sparse_has(&interactions->log.matrix, (size_t)user, item)) ||
            (request->exclude_disliked &&
             sparse_has(&interactions->disliked.matrix, (size_t)user, item)));
}

static double naive_score(const struct cold_shop *shop, const struct serving_request *request,
                          int32_t user, const double *vector, const float *other, int32_t row)
{
    const struct dataset *dataset = &request->interactions->basis[BASIS_ALL];
    double dot = 0.0, users = 0.0;
    for (size_t j = 0; j < D; j++) {
        dot += vector[j] * (double)other[j];
    }
    double score = dot / request->embeddings->temperature;
    if (row < 0) {
        return score;
    }
    for (size_t u = 0; u < dataset->n_users; u++) {
        users += sparse_has(&dataset->train.matrix, u, row) ? 1.0 : 0.0;
    }
    score += request->weights.beta * log(1.0 + users);
    return user >= N_USERS
               ? score
               : score + request->weights.gamma *
                             naive_share(&shop->evidence, dataset, &shop->history, (size_t)user,
                                         (size_t)row, request->weights.exponent);
}

/* One user's list: sources, scores, order, nothing better left out. Returns rows of cold items. */
static size_t check_list(const struct cold_shop *shop, const struct serving_request *request,
                         const struct recommendations *made, size_t list, int32_t user)
{
    double vector[D];
    bool cold_user;
    const int32_t *items = made->items + list * made->top;
    const float *scores = made->scores + list * made->top;
    bool has_vector = user_vector(shop, user, vector, &cold_user);
    size_t n_cold = 0, n_scored = 0;
    for (size_t r = 0; r < made->top && items[r] >= 0; r++) {
        int32_t row, item = shop->items.source_of[items[r]];
        const float *other = item_vector(request, item, &row);
        uint8_t source = made->sources[list * made->top + r];
        assert_false(is_barred(request, user, item));
        assert_int_equal(place_of(items, r, items[r]), -1);
        if (source == PUBLISH_POPULAR) {
            assert_true(!has_vector || other == NULL);
            continue;
        }
        assert_true(has_vector && other != NULL && n_scored == r);
        assert_int_equal(source, cold_user || row < 0 ? PUBLISH_COLD : PUBLISH_MODEL);
        assert_true(fabs((double)scores[r] - naive_score(shop, request, user, vector, other, row)) <
                    tolerance);
        assert_true(r == 0 || scores[r - 1] >= scores[r]);
        n_cold += row < 0;
        n_scored++;
    }
    for (int32_t item = 0; has_vector && item < N_ITEMS + 3; item++) {
        int32_t row;
        const float *other = item_vector(request, item, &row);
        if (other == NULL || is_barred(request, user, item) ||
            place_of(items, made->top, shop->items.served_of[item]) >= 0) {
            continue;
        }
        assert_int_equal(n_scored, made->top);
        assert_true(naive_score(shop, request, user, vector, other, row) <
                    (double)scores[made->top - 1] + tolerance);
    }
    return n_cold;
}

static void every_list_is_the_best_of_known_and_cold_items(void **state)
{
    (void)state;
    struct cold_shop shop;
    cold_shop_init(&shop);
    for (unsigned choice = 0; choice < 16; choice++) {
        struct status status = {0};
        struct recommendations made = {0};
        size_t n_cold = 0;
        struct serving_request request = request_of(&shop);
        request.exclude_seen = (choice & 1u) != 0;
        request.exclude_disliked = (choice & 2u) != 0;
        request.cold_items = (choice & 4u) != 0;
        request.cold_users = (choice & 8u) != 0;
        assert_int_equal(serving_run(&request, NULL, &made, &status), STATUS_OK);
        assert_int_equal(made.n_served, request.cold_users ? N_USERS + 2 : N_USERS);
        for (size_t list = 0; list < made.n_served; list++) {
            assert_true(list == 0 || made.served[list - 1] < made.served[list]);
            n_cold +=
                check_list(&shop, &request, &made, list, shop.users.source_of[made.served[list]]);
        }
        assert_true(request.cold_items ? n_cold > 0 : n_cold == 0);
        recommendations_release(&made);
    }
    cold_shop_release(&shop);
}

static void users_and_items_with_a_vector_are_handed_on_whatever_the_lists(void **state)
{
    (void)state;
    struct status status = {0};
    struct cold_shop shop;
    struct recommendations made = {0};
    cold_shop_init(&shop);
    struct serving_request request = request_of(&shop);
    request.cold_items = request.cold_users = false;
    assert_int_equal(serving_run(&request, NULL, &made, &status), STATUS_OK);
    const struct dataset *dataset = &shop.data.interactions.basis[BASIS_ALL];
    size_t at = 0;
    for (size_t s = 0; s < shop.users.ids.n; s++) {
        double vector[D];
        bool cold;
        if (!user_vector(&shop, shop.users.source_of[s], vector, &cold) || !cold) {
            continue;
        }
        assert_int_equal(made.cold_users[at], s);
        for (size_t j = 0; j < D; j++) {
            assert_true(fabs((double)made.cold_vectors[at * D + j] - vector[j]) < tolerance);
        }
        at++;
    }
    assert_true(at > N_COLD_USERS); /* some by the mean of their items */
    assert_int_equal(made.n_cold, at);
    assert_int_equal(made.n_vectors, dataset->n_items + N_COLD_ITEMS);
    for (size_t i = dataset->n_items; i < made.n_vectors; i++) {
        assert_true(made.item_bias[i] == 0.0f);
    }
    recommendations_release(&made);
    cold_shop_release(&shop);
}

static void cold_items_have_and_are_similar_items(void **state)
{
    (void)state;
    struct status status = {0};
    struct cold_shop shop;
    struct recommendations made = {0};
    cold_shop_init(&shop);
    struct serving_request request = request_of(&shop);
    const struct dataset *dataset = &shop.data.interactions.basis[BASIS_ALL];
    assert_int_equal(serving_run(&request, NULL, &made, &status), STATUS_OK);
    assert_int_equal(made.n_similar_anchors, dataset->n_items + N_COLD_ITEMS);
    size_t n_cold = 0;
    for (size_t a = 0; a < made.n_similar_anchors; a++) {
        int32_t row, item = shop.items.source_of[made.similar_anchors[a]];
        const float *own = item_vector(&request, item, &row);
        assert_true(a == 0 || made.similar_anchors[a - 1] < made.similar_anchors[a]);
        assert_non_null(own);
        for (size_t r = 0; r < 5; r++) {
            int32_t other = shop.items.source_of[made.similar_items[a * 5 + r]];
            const float *vector = item_vector(&request, other, &row);
            double cosine = 0.0;
            assert_non_null(vector);
            assert_int_not_equal(other, item);
            n_cold += row < 0;
            for (size_t j = 0; j < D; j++) {
                cosine += (double)own[j] * (double)vector[j];
            }
            assert_true(fabs(cosine - (double)made.similar_scores[a * 5 + r]) < tolerance);
        }
    }
    assert_true(n_cold > 0);
    recommendations_release(&made);
    request.cold_items = false;
    assert_int_equal(serving_run(&request, NULL, &made, &status), STATUS_OK);
    assert_int_equal(made.n_similar_anchors, dataset->n_items);
    recommendations_release(&made);
    cold_shop_release(&shop);
}

static void an_item_nobody_has_gets_the_least_learned_popularity(void **state)
{
    (void)state;
    static const float learned[] = {0.5f, -1.25f, 2.0f};
    assert_true(embeddings_cold_bias(NULL, 3, 2.0) == 0.0f);
    assert_true(embeddings_cold_bias(learned, 3, 2.0) == -2.5f);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    struct status status = {0};
    struct cold_shop shop;
    struct pool *pool = NULL;
    struct recommendations one = {0}, three = {0};
    cold_shop_init(&shop);
    struct serving_request request = request_of(&shop);
    assert_int_equal(pool_new(3, &pool, &status), STATUS_OK);
    assert_int_equal(serving_run(&request, NULL, &one, &status), STATUS_OK);
    assert_int_equal(serving_run(&request, pool, &three, &status), STATUS_OK);
    size_t n = one.n_served * one.top, similar = one.n_similar_anchors * one.similar_top;
    assert_int_equal(n, three.n_served * three.top);
    assert_memory_equal(one.items, three.items, n * sizeof *one.items);
    assert_memory_equal(one.scores, three.scores, n * sizeof *one.scores);
    assert_memory_equal(one.sources, three.sources, n);
    assert_memory_equal(one.similar_items, three.similar_items, similar * sizeof *one.items);
    assert_memory_equal(one.cold_vectors, three.cold_vectors, one.n_cold * D * sizeof(float));
    recommendations_release(&one);
    recommendations_release(&three);
    pool_free(pool);
    cold_shop_release(&shop);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_list_is_the_best_of_known_and_cold_items),
        cmocka_unit_test(users_and_items_with_a_vector_are_handed_on_whatever_the_lists),
        cmocka_unit_test(cold_items_have_and_are_similar_items),
        cmocka_unit_test(an_item_nobody_has_gets_the_least_learned_popularity),
        cmocka_unit_test(threads_change_nothing),
    };
    return cmocka_run_group_tests_name("serving_cold", tests, NULL, NULL);
}
