/* Transitions against a dense table filled pair by pair. */
#include "base/mem.h"
#include "base/rng.h"
#include "pairs/transitions.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { MOST_ITEMS = 160, STEP_MOST = 64 };

/* Each user has about `share` of the items, at one of n_times times. Item i of it stands in column
 * order[i]; NULL: i. */
static struct history random_history(uint64_t seed, size_t n_users, size_t n_items, double share,
                                     uint64_t n_times, const int32_t *order)
{
    struct history history = {0};
    struct status status = {0};
    struct rng rng;
    rng_init(&rng, seed, "test.transitions", 0, 0);
    assert_true(n_items <= MOST_ITEMS);
    assert_int_equal(
        sparse_init(&history.matrix, n_users, n_items, n_users * n_items, false, &status),
        STATUS_OK);
    assert_int_equal(MEM_NEW(&history.times, n_users * n_items, &status), STATUS_OK);
    int64_t n = 0;
    for (size_t u = 0; u < n_users; u++) {
        int64_t times[MOST_ITEMS];
        for (size_t i = 0; i < n_items; i++) {
            const bool has = rng_double(&rng) < share;
            const int64_t time = 1700000000 + (int64_t)rng_below(&rng, n_times);
            times[order == NULL ? (int32_t)i : order[i]] = has ? time : 0;
        }
        for (size_t c = 0; c < n_items; c++) {
            if (times[c] > 0) {
                history.matrix.columns[n] = (int32_t)c;
                history.times[n++] = times[c];
            }
        }
        history.matrix.offsets[u + 1] = n;
    }
    return history;
}

/* Whether the entry counts in its step, which is all of it up to STEP_MOST events. */
static bool counts(const struct history *history, size_t user, int64_t entry)
{
    const struct sparse *m = &history->matrix;
    const uint64_t tie = history_tie(0, user, (uint64_t)m->columns[entry]);
    size_t before = 0;
    for (int64_t e = m->offsets[user]; e < m->offsets[user + 1]; e++) {
        before += history->times[e] == history->times[entry] &&
                  history_tie(0, user, (uint64_t)m->columns[e]) < tie;
    }
    return before < STEP_MOST;
}

/* What the pair of two entries of a user adds to T. */
static double naive_pair(const struct history *history, const struct transition_settings *settings,
                         size_t user, int64_t a, int64_t b)
{
    const struct sparse *m = &history->matrix;
    const int64_t *times = history->times;
    size_t n_a = 0, n_b = 0, passed = 0, distance = 1;
    if (times[b] <= times[a] || !counts(history, user, a) || !counts(history, user, b)) {
        return 0;
    }
    for (int64_t e = m->offsets[user]; e < m->offsets[user + 1]; e++) {
        if (!counts(history, user, e)) {
            continue;
        }
        bool is_first = true;
        for (int64_t f = m->offsets[user]; f < e; f++) {
            is_first = is_first && (times[f] != times[e] || !counts(history, user, f));
        }
        n_a += times[e] == times[a];
        n_b += times[e] == times[b];
        passed += times[e] > times[a] && times[e] < times[b];
        distance += is_first && times[e] > times[a] && times[e] < times[b];
    }
    if (distance > settings->reach || (distance > 3 && passed >= settings->reach)) {
        return 0;
    }
    return pow(settings->decay, (double)distance - 1) / sqrt((double)n_a * (double)n_b);
}

/* values (n_items, n_items) */
static void naive(const struct history *history, const struct transition_settings *settings,
                  double values[MOST_ITEMS][MOST_ITEMS])
{
    const struct sparse *m = &history->matrix;
    static double out[MOST_ITEMS], in[MOST_ITEMS];
    memset(values, 0, sizeof(double[MOST_ITEMS][MOST_ITEMS]));
    memset(out, 0, sizeof out);
    memset(in, 0, sizeof in);
    for (size_t u = 0; u < m->n_rows; u++) {
        for (int64_t a = m->offsets[u]; a < m->offsets[u + 1]; a++) {
            for (int64_t b = m->offsets[u]; b < m->offsets[u + 1]; b++) {
                const double weight = naive_pair(history, settings, u, a, b);
                values[m->columns[a]][m->columns[b]] += weight;
                out[m->columns[a]] += weight;
                in[m->columns[b]] += weight;
            }
        }
    }
    for (size_t h = 0; h < m->n_columns; h++) {
        for (size_t i = 0; i < m->n_columns; i++) {
            values[h][i] = values[h][i] <= 0 ? 0
                                             : values[h][i] / pow(out[h], settings->out_exponent) /
                                                   pow(fmax(in[i], 1), settings->in_exponent);
        }
    }
}

/* Values agree to 1e-6 relative (double sums in another order, rounded to float); what was left out
 * is no stronger than what was kept. */
static void assert_agrees(const struct history *history, const struct transition_settings *settings)
{
    static double values[MOST_ITEMS][MOST_ITEMS];
    struct status status = {0};
    struct sparse m = {0};
    size_t n_found = 0;
    naive(history, settings, values);
    assert_int_equal(transitions_count(history, settings, NULL, &m, &status), STATUS_OK);
    assert_int_equal(m.n_rows, history->matrix.n_columns);
    assert_int_equal(m.n_columns, history->matrix.n_columns);
    for (size_t h = 0; h < m.n_rows; h++) {
        size_t n_positive = 0;
        double weakest = INFINITY;
        for (size_t i = 0; i < m.n_columns; i++) {
            n_positive += values[h][i] > 0;
        }
        assert_int_equal(sparse_row_length(&m, h),
                         n_positive < settings->top ? n_positive : settings->top);
        for (int64_t e = m.offsets[h]; e < m.offsets[h + 1]; e++) {
            const double expected = values[h][m.columns[e]];
            assert_true(e == m.offsets[h] || m.columns[e] > m.columns[e - 1]);
            assert_true(expected > 0 && fabs((double)m.values[e] - expected) <= 1e-6 * expected);
            weakest = fmin(weakest, expected);
            values[h][m.columns[e]] = 0;
        }
        for (size_t i = 0; i < m.n_columns; i++) {
            assert_true(values[h][i] <= weakest * (1 + 1e-6));
        }
        n_found += sparse_row_length(&m, h);
    }
    assert_true(n_found > 100);
    sparse_release(&m);
}

static const struct transition_settings usual = {
    .reach = 10, .decay = 0.7, .out_exponent = 0.5, .in_exponent = 0.25, .top = 200};

static void transitions_agree_with_the_definition(void **state)
{
    (void)state;
    /* times that nearly all differ, baskets, and a few large ones */
    static const uint64_t n_times[] = {1000, 9, 4};
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct history history = random_history(seed, 30, 40, 0.6, n_times[seed], NULL);
        struct transition_settings s = usual;
        assert_agrees(&history, &s);
        s.top = 6;
        assert_agrees(&history, &s);
        s.reach = 2;
        s.decay = 0.3;
        assert_agrees(&history, &s);
        s.reach = 5;
        s.decay = 1;
        s.in_exponent = 0;
        s.out_exponent = 1;
        assert_agrees(&history, &s);
        history_release(&history);
    }
}

static void a_large_step_counts_with_the_events_that_the_tie_puts_first(void **state)
{
    (void)state;
    struct history history = random_history(5, 4, MOST_ITEMS, 0.9, 2, NULL);
    assert_agrees(&history, &usual);
    history_release(&history);
}

static void assert_same(const struct sparse *a, const struct sparse *b)
{
    const size_t n = sparse_entries(a);
    assert_int_equal(n, sparse_entries(b));
    assert_memory_equal(a->offsets, b->offsets, (a->n_rows + 1) * sizeof *a->offsets);
    assert_memory_equal(a->columns, b->columns, n * sizeof *a->columns);
    assert_memory_equal(a->values, b->values, n * sizeof *a->values);
}

static void the_number_of_threads_changes_no_byte(void **state)
{
    (void)state;
    struct status status = {0};
    struct history history = random_history(6, 900, MOST_ITEMS, 0.3, 12, NULL);
    struct transition_settings s = usual;
    s.top = 20;
    struct sparse m[3] = {{0}};
    for (size_t t = 0; t < 3; t++) {
        struct pool *pool = NULL;
        assert_int_equal(pool_new(1 + 2 * t, &pool, &status), STATUS_OK);
        assert_int_equal(transitions_count(&history, &s, pool, &m[t], &status), STATUS_OK);
        pool_free(pool);
    }
    assert_int_equal(sparse_entries(&m[0]), 20 * MOST_ITEMS);
    for (size_t t = 0; t < 3; t++) {
        assert_same(&m[0], &m[t]);
    }
    for (size_t t = 0; t < 3; t++) {
        sparse_release(&m[t]);
    }
    history_release(&history);
}

static void other_numbers_for_the_items_change_no_byte_of_a_value(void **state)
{
    (void)state;
    struct status status = {0};
    int32_t order[MOST_ITEMS];
    struct sparse m[2] = {{0}};
    for (int32_t i = 0; i < MOST_ITEMS; i++) {
        order[i] = i * 63 % MOST_ITEMS; /* a permutation: 63 and 160 have no common divisor */
    }
    for (size_t v = 0; v < 2; v++) {
        struct history history = random_history(7, 50, MOST_ITEMS, 0.3, 5, v == 0 ? NULL : order);
        assert_int_equal(transitions_count(&history, &usual, NULL, &m[v], &status), STATUS_OK);
        history_release(&history);
    }
    assert_int_equal(sparse_entries(&m[0]), sparse_entries(&m[1]));
    assert_true(sparse_entries(&m[0]) > 10000);
    for (size_t h = 0; h < MOST_ITEMS; h++) {
        float row[MOST_ITEMS] = {0};
        const size_t other = (size_t)order[h];
        for (int64_t e = m[1].offsets[other]; e < m[1].offsets[other + 1]; e++) {
            row[m[1].columns[e]] = m[1].values[e];
        }
        for (int64_t e = m[0].offsets[h]; e < m[0].offsets[h + 1]; e++) {
            assert_memory_equal(&row[order[m[0].columns[e]]], &m[0].values[e], sizeof(float));
        }
    }
    sparse_release(&m[0]);
    sparse_release(&m[1]);
}

static void equal_values_are_kept_by_lower_column(void **state)
{
    (void)state;
    struct status status = {0};
    struct history history = {0};
    struct sparse m = {0};
    struct transition_settings s = usual;
    s.top = 2;
    assert_int_equal(sparse_init(&history.matrix, 1, 6, 6, false, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&history.times, 6, &status), STATUS_OK);
    history.matrix.offsets[1] = 6;
    for (int32_t c = 0; c < 6; c++) {
        history.matrix.columns[c] = c;
        history.times[c] = c == 5 ? 1 : 2;
    }
    assert_int_equal(transitions_count(&history, &s, NULL, &m, &status), STATUS_OK);
    assert_int_equal(sparse_entries(&m), 2);
    assert_int_equal(m.offsets[5], 0);
    assert_true(m.columns[0] == 0 && m.columns[1] == 1);
    sparse_release(&m);
    history_release(&history);
}

static void note_total(void *data, double done, double total)
{
    (void)done;
    *(double *)data = total;
}

/* 5,000 events of one time before, and as many behind 10 single ones. */
static void a_huge_step_costs_no_more_than_what_counts_of_it(void **state)
{
    (void)state;
    enum { HUGE = 5000, SINGLE = 10, N = 2 * HUGE + SINGLE, CAP = 1000 };
    struct status status = {0};
    struct history history = {0};
    struct sparse m = {0};
    double total = 0;
    struct transition_settings s = usual;
    s.watch = (struct watch){.progress = note_total, .data = &total};
    assert_int_equal(sparse_init(&history.matrix, 1, N, N, false, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&history.times, N, &status), STATUS_OK);
    history.matrix.offsets[1] = N;
    for (int32_t c = 0; c < N; c++) {
        history.matrix.columns[c] = c;
        history.times[c] = c < HUGE ? 1 : c < HUGE + SINGLE ? c : N;
    }
    assert_int_equal(transitions_count(&history, &s, NULL, &m, &status), STATUS_OK);
    /* the first step sees the 10 single ones, those each other, and all but none the last step */
    const double expected = STEP_MOST * SINGLE + SINGLE * (SINGLE - 1) / 2.0 + SINGLE * STEP_MOST;
    assert_true(total == expected && (double)sparse_entries(&m) == expected);
    sparse_release(&m);

    s.max_user_items = CAP; /* all of one step: nothing follows */
    assert_int_equal(transitions_count(&history, &s, NULL, &m, &status), STATUS_OK);
    assert_int_equal(sparse_entries(&m), 0);
    sparse_release(&m);
    s.max_user_items = HUGE + 1; /* and the newest single one */
    assert_int_equal(transitions_count(&history, &s, NULL, &m, &status), STATUS_OK);
    assert_int_equal(sparse_entries(&m), STEP_MOST);
    assert_int_equal(sparse_row_length(&m, HUGE + SINGLE - 1), STEP_MOST);
    sparse_release(&m);
    history_release(&history);
}

static void without_times_nothing_is_made(void **state)
{
    (void)state;
    struct status status = {0};
    struct sparse m = {0};
    struct history history = random_history(1, 5, 6, 0.5, 3, NULL), nothing = {0};
    mem_free(history.times);
    history.times = NULL;
    assert_int_equal(transitions_count(&history, &usual, NULL, &m, &status), STATUS_CONFIG);
    assert_null(m.offsets);
    assert_int_equal(transitions_count(&nothing, &usual, NULL, &m, &status), STATUS_OK);
    assert_int_equal(sparse_entries(&m), 0);
    sparse_release(&m);
    history_release(&history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transitions_agree_with_the_definition),
        cmocka_unit_test(a_large_step_counts_with_the_events_that_the_tie_puts_first),
        cmocka_unit_test(the_number_of_threads_changes_no_byte),
        cmocka_unit_test(other_numbers_for_the_items_change_no_byte_of_a_value),
        cmocka_unit_test(equal_values_are_kept_by_lower_column),
        cmocka_unit_test(a_huge_step_costs_no_more_than_what_counts_of_it),
        cmocka_unit_test(without_times_nothing_is_made),
    };
    return cmocka_run_group_tests_name("transitions", tests, NULL, NULL);
}
