/* Lists of several ranks, each of its own users, against those that one rank makes of all. One rank
 * when started by itself; tests/fault/ranks.sh starts it as several. */
#include "serving/serving.h"

#include "base/mem.h"
#include "dataset/dataset_ranks.h"
#include "math/blas.h"
#include "tests/support/own_users.h"
#include "tests/support/ranked.h"
#include "tests/support/ranking_data.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { N_USERS = 90, N_ITEMS = 40, DIMENSION = 6, FIRST_ID = 1000 };

/* Days between the pairs of a user and an item and the log's beginning, by their codes. */
static void add_times(struct history *history, const int32_t *users, const int32_t *items)
{
    struct status status = {0};
    const struct sparse *m = &history->matrix;
    assert_int_equal(MEM_NEW(&history->times, sparse_entries(m), &status), STATUS_OK);
    for (size_t u = 0; u < m->n_rows; u++) {
        for (int64_t e = m->offsets[u]; e < m->offsets[u + 1]; e++) {
            const int64_t user = users == NULL ? (int64_t)u : users[u];
            const int64_t item = items == NULL ? m->columns[e] : items[m->columns[e]];
            history->times[e] = (user * 31 + item * 17) % 60 * 86400;
        }
    }
}

/* Of all users, or of this rank's. */
static void data_init(struct ranking_data *data, bool is_part)
{
    struct status status = {0};
    struct interactions *interactions = &data->interactions;
    int32_t ids[N_USERS]; /* of the towers' rows */
    ranking_data_init(data, N_USERS, N_ITEMS, DIMENSION, 0.2, BASIS_ALL, 7);
    struct dataset *all = &interactions->basis[BASIS_ALL];
    add_times(&interactions->log, NULL, NULL);
    add_times(&all->train, all->users, all->items);
    interactions->has_times = true;
    interactions->newest_time = history_newest(&interactions->log);
    if (!is_part) {
        return;
    }
    const size_t n_before = all->n_users;
    memcpy(ids, all->users, n_before * sizeof *ids);
    assert_int_equal(own_users_keep(ranks, interactions, &status), STATUS_OK);
    assert_int_equal(interactions_add_up(ranks, interactions, &status), STATUS_OK);
    for (size_t row = 0, before = 0; row < all->n_users; row++, before++) {
        const int64_t id = interactions->users.integers[all->users[row]];
        while (ids[before] + FIRST_ID != id) {
            before++;
        }
        memmove(data->user_vectors + row * DIMENSION, data->user_vectors + before * DIMENSION,
                DIMENSION * sizeof *data->user_vectors);
    }
    data->embeddings.users = const_matrix_of(data->user_vectors, all->n_users, DIMENSION);
    served_ids_release(&data->users);
    assert_int_equal(served_ids_init(&data->users, &interactions->users, NULL, NULL, 0, &status),
                     STATUS_OK);
}

static void data_release(struct ranking_data *data)
{
    mem_free(data->interactions.log.times);
    mem_free(data->interactions.basis[BASIS_ALL].train.times);
    mem_free((void *)(uintptr_t)data->interactions.basis[BASIS_ALL].totals.counts);
    mem_free((void *)(uintptr_t)data->interactions.basis[BASIS_FIT].totals.counts);
    ranking_data_release(data);
}

/* Three segments, and users of none. */
static void rules_init(struct serving_rules *rules, const struct ranking_data *data)
{
    static const char *const names[] = {"at", "de", "ch"};
    struct status status = {0};
    int32_t code;
    for (size_t s = 0; s < 3; s++) {
        assert_int_equal(vocabulary_add_text(&rules->segments, names[s], 2, &code, &status),
                         STATUS_OK);
    }
    assert_int_equal(MEM_NEW(&rules->segment_of, data->users.n_codes, &status), STATUS_OK);
    for (size_t u = 0; u < data->users.n_codes; u++) {
        rules->segment_of[u] = (int32_t)(data->interactions.users.integers[u] % 4) - 1;
    }
}

static void make(const struct ranking_data *data, const struct serving_rules *rules,
                 struct ranks *by, enum serving_index index, struct recommendations *made)
{
    struct status status = {0};
    const struct serving_request request = {.ranks = by,
                                            .interactions = &data->interactions,
                                            .embeddings = &data->embeddings,
                                            .users = &data->users,
                                            .items = &data->items,
                                            .weights = {.beta = 0.4, .half_life = 9},
                                            .popular_half_life = 12,
                                            .rules = rules,
                                            .top = 8,
                                            .exclude_seen = true,
                                            .similar = 5,
                                            .popular = 10,
                                            .index = index,
                                            .min_recall = 0.5,
                                            .seed = 3};
    *made = (struct recommendations){0};
    if (serving_run(&request, NULL, made, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
}

#define assert_same(part, whole, n) assert_memory_equal(part, whole, (n) * sizeof *(part))

static void compare(const struct ranking_data *data, const struct recommendations *part,
                    const struct recommendations *whole)
{
    const size_t top = whole->top, similar = whole->similar_top;
    for (size_t s = 0, all = 0; s < part->n_served; s++, all++) {
        while (whole->served[all] + FIRST_ID !=
               data->interactions.users.integers[part->served[s]]) {
            all++;
        }
        assert_same(part->items + s * top, whole->items + all * top, top);
        assert_same(part->scores + s * top, whole->scores + all * top, top);
        assert_same(part->sources + s * top, whole->sources + all * top, top);
    }
    for (size_t s = 0, all = 0; s < part->n_similar_anchors; s++, all++) {
        while (whole->similar_anchors[all] != part->similar_anchors[s]) {
            all++;
        }
        assert_same(part->similar_items + s * similar, whole->similar_items + all * similar,
                    similar);
        assert_same(part->similar_scores + s * similar, whole->similar_scores + all * similar,
                    similar);
    }
    assert_int_equal(part->n_popular, whole->n_popular);
    assert_same(part->popular_items, whole->popular_items, whole->n_popular);
    assert_same(part->popular_scores, whole->popular_scores, whole->n_popular);
    assert_int_equal(part->n_segment_rows, whole->n_segment_rows);
    assert_same(part->segment_items, whole->segment_items, whole->n_segment_rows);
    assert_same(part->segment_scores, whole->segment_scores, whole->n_segment_rows);
    assert_int_equal(part->n_trending, whole->n_trending);
    assert_true(whole->n_trending > 0);
    assert_same(part->trending_items, whole->trending_items, whole->n_trending);
    assert_same(part->trending_users, whole->trending_users, whole->n_trending);
    assert_same(part->item_bias, whole->item_bias, whole->n_vectors);
    assert_memory_equal(&part->users_index, &whole->users_index, sizeof whole->users_index);
    assert_memory_equal(&part->similar_index, &whole->similar_index, sizeof whole->similar_index);
}

/* How many lists all ranks have. */
static int64_t count_all(size_t n)
{
    struct status status = {0};
    int64_t sum = (int64_t)n;
    assert_int_equal(ranks_sum_int64(ranks, &sum, 1, &status), STATUS_OK);
    return sum;
}

static void lists_are_those_of_one_rank(void **state)
{
    (void)state;
    static const enum serving_index indexes[] = {INDEX_EXACT, INDEX_IVF};
    struct ranking_data of_all, of_part;
    struct serving_rules for_all = {0}, for_part = {0};
    data_init(&of_all, false);
    data_init(&of_part, true);
    rules_init(&for_all, &of_all);
    rules_init(&for_part, &of_part);
    for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++) {
        struct recommendations whole, part;
        make(&of_all, &for_all, NULL, indexes[i], &whole);
        make(&of_part, &for_part, ranks, indexes[i], &part);
        compare(&of_part, &part, &whole);
        assert_int_equal(count_all(part.n_served), whole.n_served);
        assert_int_equal(count_all(part.n_similar_anchors), whole.n_similar_anchors);
        recommendations_release(&whole);
        recommendations_release(&part);
    }
    serving_rules_release(&for_all);
    serving_rules_release(&for_part);
    data_release(&of_all);
    data_release(&of_part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists_are_those_of_one_rank)};
    blas_init();
    return cmocka_run_group_tests(tests, ranked_open, ranked_close);
}
