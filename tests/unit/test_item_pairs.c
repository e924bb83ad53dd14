/* Item-item pairs against a dense table filled pair by pair. */
#include "base/mem.h"
#include "base/rng.h"
#include "pairs/item_pairs.h"
#include "pairs/pair_artifact.h"
#include "tests/support/random_matrix.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { USERS = 37, ITEMS = 29, N_WEIGHTINGS = 6 };

/* What one user's history counts with, oldest first. */
struct kept {
    size_t n;
    int32_t items[ITEMS];
    int64_t times[ITEMS];
};

struct reference {
    double counts[ITEMS][ITEMS], shares[ITEMS][ITEMS], weights[ITEMS][ITEMS];
    double item_users[ITEMS], partners[ITEMS], n_users;
};

static struct history random_history(uint64_t seed, bool with_times)
{
    struct history history = {0};
    struct status status = {0};
    struct rng rng;
    rng_init(&rng, seed, "test.pairs", 0, 0);
    history.matrix = random_sparse(&rng, USERS, ITEMS, 0.35, false);
    if (with_times) {
        const size_t n = sparse_entries(&history.matrix);
        assert_int_equal(MEM_NEW(&history.times, n, &status), STATUS_OK);
        for (size_t e = 0; e < n; e++) {
            history.times[e] = 1700000000 + (int64_t)rng_below(&rng, 40) * 10;
        }
    }
    return history;
}

/* The newest `cap` items by (time, item), by repeated search for the oldest. */
static struct kept keep(const struct history *history, size_t user, size_t cap)
{
    const size_t begin = (size_t)history->matrix.offsets[user];
    const size_t length = sparse_row_length(&history->matrix, user);
    struct kept all = {0}, kept = {0};
    bool used[ITEMS] = {false};
    for (size_t k = 0; k < length; k++) {
        size_t oldest = length;
        for (size_t c = 0; c < length; c++) {
            const int64_t time = history->times == NULL ? 0 : history->times[begin + c];
            if (!used[c] &&
                (oldest == length || time < all.times[k] ||
                 (time == all.times[k] &&
                  history_tie(0, user, (uint64_t)history->matrix.columns[begin + c]) <
                      history_tie(0, user, (uint64_t)history->matrix.columns[begin + oldest])))) {
                oldest = c;
                all.times[k] = time;
            }
        }
        used[oldest] = true;
        all.items[k] = history->matrix.columns[begin + oldest];
    }
    kept.n = cap > 0 && cap < length ? cap : length;
    for (size_t k = 0; k < kept.n; k++) {
        const size_t from = length - kept.n + k;
        kept.items[k] = all.items[from];
        kept.times[k] = all.times[from];
    }
    return kept;
}

static bool within(const struct pair_settings *settings, const struct kept *kept, size_t a,
                   size_t b)
{
    switch (settings->window) {
    case PAIR_TIME_GAP:
        return llabs(kept->times[a] - kept->times[b]) <= settings->max_gap;
    case PAIR_POSITIONS:
        return (a > b ? a - b : b - a) <= settings->max_positions;
    default:
        return true;
    }
}

static double naive_weight(const struct reference *r, const char *name, size_t i, size_t j)
{
    const double count = r->counts[i][j];
    const double lift = count * r->n_users / (r->item_users[i] * r->item_users[j]);
    const double root = sqrt(r->item_users[i] * r->item_users[j]);
    const double g_i = r->item_users[i] + r->partners[i], g_j = r->item_users[j] + r->partners[j];
    if (strcmp(name, "count") == 0) {
        return count;
    } else if (strcmp(name, "cosine") == 0) {
        return count / root;
    } else if (strcmp(name, "lift") == 0) {
        return lift;
    } else if (strcmp(name, "pmi") == 0) {
        return log(lift);
    } else if (strcmp(name, "ultragcn") == 0) {
        return count / (g_i - r->item_users[i]) * sqrt(g_i / g_j);
    }
    assert_string_equal(name, "degree_normalised");
    return r->shares[i][j] / root;
}

static void fill_reference(struct reference *r, const struct history *history,
                           const struct pair_settings *settings)
{
    memset(r, 0, sizeof *r);
    for (size_t u = 0; u < USERS; u++) {
        const struct kept kept = keep(history, u, settings->max_user_items);
        r->n_users += kept.n > 0;
        for (size_t a = 0; a < kept.n; a++) {
            r->item_users[kept.items[a]]++;
            for (size_t b = 0; b < kept.n; b++) {
                if (a != b && within(settings, &kept, a, b)) {
                    r->counts[kept.items[a]][kept.items[b]]++;
                    r->shares[kept.items[a]][kept.items[b]] += 1 / (double)kept.n;
                    r->partners[kept.items[a]]++;
                }
            }
        }
    }
    for (size_t i = 0; i < ITEMS; i++) {
        for (size_t j = 0; j < ITEMS; j++) {
            const bool seen = i != j && r->counts[i][j] >= fmax(settings->min_count, 1);
            r->weights[i][j] =
                seen ? naive_weight(r, pair_weighting_names[settings->weighting], i, j) : 0;
        }
    }
}

/* Row i of m against the reference. Weights agree to 1e-6 relative (double sums in another order,
 * rounded to float); what was left out is no stronger than what was kept. */
static void assert_row(const struct sparse *m, size_t i, const double *weights, size_t top)
{
    size_t n_positive = 0;
    double weakest = INFINITY, strongest_left = 0;
    bool taken[ITEMS] = {false};
    for (size_t j = 0; j < ITEMS; j++) {
        n_positive += weights[j] > 1e-9;
    }
    assert_int_equal(sparse_row_length(m, i), n_positive < top ? n_positive : top);
    for (int64_t e = m->offsets[i]; e < m->offsets[i + 1]; e++) {
        const double expected = weights[m->columns[e]];
        assert_true(e == m->offsets[i] || m->columns[e] > m->columns[e - 1]);
        assert_true(fabs((double)m->values[e] - expected) <= 1e-6 * expected);
        taken[m->columns[e]] = true;
        weakest = fmin(weakest, expected);
    }
    for (size_t j = 0; j < ITEMS; j++) {
        strongest_left = taken[j] ? strongest_left : fmax(strongest_left, weights[j]);
    }
    assert_true(strongest_left <= weakest * (1 + 1e-6));
}

static void assert_agrees(const struct history *history, const struct pair_settings *settings)
{
    static struct reference reference;
    struct status status = {0};
    struct sparse m = {0};
    fill_reference(&reference, history, settings);
    assert_int_equal(pairs_item_item(history, settings, NULL, &m, &status), STATUS_OK);
    assert_int_equal(m.n_rows, ITEMS);
    assert_int_equal(m.n_columns, ITEMS);
    for (size_t i = 0; i < ITEMS; i++) {
        assert_row(&m, i, reference.weights[i], settings->top);
    }
    sparse_release(&m);
}

static void every_weighting_agrees_with_the_reference_in_every_window(void **state)
{
    (void)state;
    for (int weighting = 0; weighting < N_WEIGHTINGS; weighting++) {
        for (uint64_t seed = 0; seed < 3; seed++) {
            struct history history = random_history(seed, true);
            struct pair_settings s = {.weighting = weighting, .min_count = 1, .top = ITEMS};
            assert_agrees(&history, &s);
            s.top = 5;
            assert_agrees(&history, &s);
            s.min_count = 3;
            assert_agrees(&history, &s);
            s.window = PAIR_TIME_GAP;
            s.min_count = 1;
            s.max_gap = 60;
            assert_agrees(&history, &s);
            s.max_gap = 0;
            assert_agrees(&history, &s);
            s.window = PAIR_POSITIONS;
            s.max_positions = 2;
            assert_agrees(&history, &s);
            s.max_positions = ITEMS;
            assert_agrees(&history, &s);
            history_release(&history);
        }
    }
    assert_null(pair_weighting_names[N_WEIGHTINGS]);
}

static void a_capped_history_counts_with_its_newest_items(void **state)
{
    (void)state;
    for (int weighting = 0; weighting < N_WEIGHTINGS; weighting++) {
        struct history timed = random_history(7, true), plain = random_history(8, false);
        struct pair_settings s = {
            .weighting = weighting, .min_count = 1, .top = 6, .max_user_items = 4};
        assert_agrees(&timed, &s);
        assert_agrees(&plain, &s);
        s.window = PAIR_POSITIONS;
        s.max_positions = 1;
        assert_agrees(&timed, &s);
        history_release(&timed);
        history_release(&plain);
    }
}

static void equal_weights_are_kept_by_lower_column(void **state)
{
    (void)state;
    /* one user with all items: every count is 1 */
    struct status status = {0};
    struct history history = {0};
    struct sparse m = {0};
    const struct pair_settings s = {
        .weighting = pair_weighting_named("count"), .min_count = 1, .top = 3};
    assert_int_equal(sparse_init(&history.matrix, 1, 6, 6, false, &status), STATUS_OK);
    history.matrix.offsets[1] = 6;
    for (int32_t c = 0; c < 6; c++) {
        history.matrix.columns[c] = c;
    }
    assert_int_equal(pairs_item_item(&history, &s, NULL, &m, &status), STATUS_OK);
    const int32_t expected[6][3] = {{1, 2, 3}, {0, 2, 3}, {0, 1, 3},
                                    {0, 1, 2}, {0, 1, 2}, {0, 1, 2}};
    assert_int_equal(sparse_entries(&m), 18);
    assert_memory_equal(m.columns, expected, sizeof expected);
    sparse_release(&m);
    history_release(&history);
}

static void the_number_of_threads_changes_no_byte(void **state)
{
    (void)state;
    struct status status = {0};
    struct history history = {0};
    struct rng rng;
    rng_init(&rng, 3, "test.pairs.threads", 0, 0);
    history.matrix = random_sparse(&rng, 900, 400, 0.03, false);
    for (int weighting = 0; weighting < N_WEIGHTINGS; weighting++) {
        const struct pair_settings s = {.weighting = weighting, .min_count = 1, .top = 20};
        struct sparse m[2] = {{0}};
        for (size_t t = 0; t < 2; t++) {
            struct pool *pool = NULL;
            assert_int_equal(pool_new(t + 1, &pool, &status), STATUS_OK);
            assert_int_equal(pairs_item_item(&history, &s, pool, &m[t], &status), STATUS_OK);
            pool_free(pool);
        }
        const size_t n = sparse_entries(&m[0]);
        assert_true(n > 5000 && n == sparse_entries(&m[1]));
        assert_memory_equal(m[0].offsets, m[1].offsets, 401 * sizeof *m[0].offsets);
        assert_memory_equal(m[0].columns, m[1].columns, n * sizeof *m[0].columns);
        assert_memory_equal(m[0].values, m[1].values, n * sizeof *m[0].values);
        sparse_release(&m[0]);
        sparse_release(&m[1]);
    }
    history_release(&history);
}

/* Of `done` against `total` in settings.watch. */
struct calls {
    size_t n;
    double done, total;
    enum status_code answer;
};

static void note_call(void *data, double done, double total)
{
    struct calls *calls = data;
    calls->n++;
    calls->done = done;
    calls->total = total;
}

static enum status_code answer_call(void *data, struct status *status)
{
    const struct calls *calls = data;
    return calls->answer == STATUS_OK ? STATUS_OK : status_set(status, calls->answer, "stop");
}

static void one_huge_user_costs_no_more_than_the_cap(void **state)
{
    (void)state;
    enum { HUGE = 100000, CAP = 50 };
    struct status status = {0};
    struct history history = {0};
    struct sparse m = {0};
    struct calls calls = {0};
    const struct pair_settings s = {.weighting = pair_weighting_named("count"),
                                    .min_count = 1,
                                    .top = 1000,
                                    .max_user_items = CAP,
                                    .watch = {answer_call, note_call, &calls}};
    assert_int_equal(sparse_init(&history.matrix, 1, HUGE, HUGE, false, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&history.times, HUGE, &status), STATUS_OK);
    history.matrix.offsets[1] = HUGE;
    for (int32_t c = 0; c < HUGE; c++) {
        history.matrix.columns[c] = c;
        history.times[c] = (int64_t)c * 7919 % HUGE; /* a permutation of the times */
    }
    assert_int_equal(pairs_item_item(&history, &s, NULL, &m, &status), STATUS_OK);
    assert_int_equal(sparse_entries(&m), CAP * (CAP - 1));
    assert_true(calls.n > 0 && calls.total == CAP * (CAP - 1) && calls.done == calls.total);
    for (size_t i = 0; i < HUGE; i++) {
        assert_true((sparse_row_length(&m, i) > 0) == (history.times[i] >= HUGE - CAP));
    }
    sparse_release(&m);
    history_release(&history);
}

static void a_stop_request_abandons_and_leaves_the_output_alone(void **state)
{
    (void)state;
    struct status status = {0};
    struct history history = random_history(1, false);
    struct sparse m = {0};
    struct calls calls = {.answer = STATUS_SIGNAL};
    const struct pair_settings s = {
        .min_count = 1, .top = 5, .watch = {answer_call, note_call, &calls}};
    assert_int_equal(pairs_item_item(&history, &s, NULL, &m, &status), STATUS_SIGNAL);
    assert_null(m.offsets);
    assert_int_equal(m.n_rows, 0);
    history_release(&history);
}

static void a_window_without_times_is_a_configuration_error(void **state)
{
    (void)state;
    const enum pair_window windows[] = {PAIR_TIME_GAP, PAIR_POSITIONS};
    for (size_t w = 0; w < 2; w++) {
        struct status status = {0};
        struct history history = random_history(1, false);
        struct sparse m = {0};
        const struct pair_settings s = {
            .window = windows[w], .max_gap = 5, .max_positions = 5, .min_count = 1, .top = 5};
        assert_int_equal(pairs_item_item(&history, &s, NULL, &m, &status), STATUS_CONFIG);
        assert_non_null(strstr(status.message, "time of each interaction"));
        assert_null(m.offsets);
        history_release(&history);
    }
}

static void empty_histories_make_empty_rows(void **state)
{
    (void)state;
    struct status status = {0};
    const struct pair_settings s = {.min_count = 1, .top = 5};
    struct history nothing = {0};
    struct sparse m = {0};
    assert_int_equal(pairs_item_item(&nothing, &s, NULL, &m, &status), STATUS_OK);
    assert_int_equal(sparse_entries(&m), 0);
    sparse_release(&m);
    assert_int_equal(sparse_init(&nothing.matrix, 4, 3, 0, false, &status), STATUS_OK);
    for (int weighting = 0; weighting < N_WEIGHTINGS; weighting++) {
        const struct pair_settings each = {.weighting = weighting, .min_count = 1, .top = 5};
        assert_int_equal(pairs_item_item(&nothing, &each, NULL, &m, &status), STATUS_OK);
        assert_int_equal(m.n_rows, 3);
        assert_int_equal(sparse_entries(&m), 0);
        sparse_release(&m);
    }
    history_release(&nothing);
}

static void a_sparse_matrix_survives_an_artifact(void **state)
{
    (void)state;
    struct status status = {0};
    for (int with_values = 0; with_values < 2; with_values++) {
        struct artifact artifact = {0};
        struct rng rng;
        struct sparse back = {0}, empty = {0};
        bool found = true;
        rng_init(&rng, 5, "test.pairs.artifact", 0, 0);
        struct sparse m = random_sparse(&rng, 9, 11, 0.3, with_values == 1);
        const size_t n = sparse_entries(&m);
        artifact_init(&artifact, "pairs");
        assert_int_equal(sparse_save(&m, &artifact, "fit.item_item", &status), STATUS_OK);
        assert_int_equal(sparse_save(&empty, &artifact, "fit.empty", &status), STATUS_OK);
        assert_int_equal(sparse_load(&back, &artifact, "fit.item_item", &found, &status),
                         STATUS_OK);
        assert_true(found && back.n_rows == 9 && back.n_columns == 11);
        assert_true(back.offsets == m.offsets && back.columns == m.columns);
        assert_true(back.values == m.values && (back.values != NULL) == (with_values == 1));
        assert_int_equal(sparse_entries(&back), n);
        assert_int_equal(sparse_load(&back, &artifact, "fit.empty", &found, &status), STATUS_OK);
        assert_true(found && back.n_rows == 0 && sparse_entries(&back) == 0);
        assert_int_equal(sparse_load(&back, &artifact, "all.item_item", &found, &status),
                         STATUS_OK);
        assert_false(found);
        assert_null(back.offsets);
        artifact_release(&artifact);
    }
}

static void positive_weights_of_another_length_are_refused(void **state)
{
    (void)state;
    struct status status = {0};
    struct artifact artifact = {0};
    const float three[3] = {1, 2, 3};
    const float *weights = three;
    artifact_init(&artifact, "pairs");
    assert_int_equal(pairs_positive_weights(&artifact, BASIS_FIT, 3, &weights, &status), STATUS_OK);
    assert_null(weights);
    assert_int_equal(artifact_copy(&artifact, "all.user_item", ARRAY_F32, 3, 1, three, &status),
                     STATUS_OK);
    assert_int_equal(pairs_positive_weights(&artifact, BASIS_ALL, 3, &weights, &status), STATUS_OK);
    assert_memory_equal(weights, three, sizeof three);
    weights = NULL;
    assert_int_equal(pairs_positive_weights(&artifact, BASIS_ALL, 4, &weights, &status),
                     STATUS_DATA);
    assert_null(weights);
    artifact_release(&artifact);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_weighting_agrees_with_the_reference_in_every_window),
        cmocka_unit_test(a_capped_history_counts_with_its_newest_items),
        cmocka_unit_test(equal_weights_are_kept_by_lower_column),
        cmocka_unit_test(the_number_of_threads_changes_no_byte),
        cmocka_unit_test(one_huge_user_costs_no_more_than_the_cap),
        cmocka_unit_test(a_stop_request_abandons_and_leaves_the_output_alone),
        cmocka_unit_test(a_window_without_times_is_a_configuration_error),
        cmocka_unit_test(empty_histories_make_empty_rows),
        cmocka_unit_test(a_sparse_matrix_survives_an_artifact),
        cmocka_unit_test(positive_weights_of_another_length_are_refused),
    };
    return cmocka_run_group_tests_name("pairs", tests, NULL, NULL);
}
