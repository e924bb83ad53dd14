/* evaluation/weight_half_life: against sums written out, and where there is nothing to choose on.
 */
#include "evaluation/weight_half_life.h"

#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { N_USERS = 40, N_ITEMS = 45, N_EVENTS = 900, LIST = 20, VALID_DAY = 240, N_DAYS = 300 };

static void assert_ok(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s", (int)code, status->message);
    }
}

/* Events of a year, the last of them validation. Items come and go, so that late events say more.
 */
static void fill(struct event_log *log, bool has_valid)
{
    struct rng rng;
    struct status status = {0};
    rng_init(&rng, 9, "test.weight_half_life", 0, 0);
    for (size_t e = 0; e < N_EVENTS; e++) {
        const size_t user = rng_below(&rng, N_USERS), day = rng_below(&rng, N_DAYS);
        const size_t item = (day / 8 + rng_below(&rng, 15)) % N_ITEMS;
        const bool is_valid = day >= VALID_DAY;
        int32_t u = 0, i = 0;
        assert_ok(vocabulary_add_integer(&log->users, (int64_t)user, &u, &status), &status);
        assert_ok(vocabulary_add_integer(&log->items, (int64_t)item, &i, &status), &status);
        if (is_valid && !has_valid) {
            continue;
        }
        assert_ok(event_log_add(log, u, i, (float)(0.5 + rng_double(&rng)),
                                1600000000 + (int64_t)day * 86400 + (int64_t)e,
                                is_valid ? PART_VALID : PART_TRAIN, &status),
                  &status);
    }
    log->has_times = true;
    assert_ok(event_log_sort(log, DUPLICATES_SUM, &status), &status);
}

/* w (users, items) of a part, decayed from its newest event; 0: no pair. */
static void weigh(const struct event_log *log, unsigned part, double days,
                  double w[N_USERS][N_ITEMS])
{
    bool found;
    const int64_t newest = event_log_newest(log, part, &found);
    memset(w, 0, N_USERS * sizeof *w);
    for (size_t e = 0; e < log->n; e++) {
        const double age = (double)(newest - log->times[e]) / 86400;
        if ((log->parts[e] & part) != 0) {
            w[log->user_codes[e]][log->item_codes[e]] +=
                (double)log->weights[e] * (days > 0 ? exp2(-age / days) : 1);
        }
    }
}

/* ndcg@20 of the user's neighbours; NAN: nothing is asked. */
static double judge(double w[N_USERS][N_ITEMS], double asked[N_USERS][N_ITEMS], size_t user)
{
    double of_user[N_USERS] = {0}, of_item[N_ITEMS] = {0}, s[N_ITEMS] = {0}, dcg = 0, ideal = 0;
    size_t n_had = 0, n_asked = 0;
    for (size_t v = 0; v < N_USERS; v++) {
        for (size_t i = 0; i < N_ITEMS; i++) {
            of_user[v] += w[v][i];
            of_item[i] += w[v][i];
        }
    }
    for (size_t i = 0; i < N_ITEMS; i++) {
        n_had += w[user][i] > 0;
        for (size_t v = 0; v < N_USERS; v++) {
            for (size_t h = 0; h < N_ITEMS; h++) {
                if (w[user][i] == 0 && w[user][h] > 0 && w[v][h] > 0 && w[v][i] > 0) {
                    s[i] += w[v][i] * w[v][h] / of_user[v] / sqrt(of_item[h] * of_item[i]);
                }
            }
        }
    }
    for (size_t i = 0; i < N_ITEMS; i++) {
        size_t rank = 1;
        if (w[user][i] > 0 || asked[user][i] == 0) {
            continue;
        }
        n_asked++;
        for (size_t j = 0; j < N_ITEMS; j++) {
            rank += s[j] > s[i];
        }
        dcg += s[i] > 0 && rank <= LIST ? 1 / log2(1.0 + (double)rank) : 0;
    }
    for (size_t r = 1; r <= n_asked && r <= LIST; r++) {
        ideal += 1 / log2(1.0 + (double)r);
    }
    return n_had > 0 && n_asked > 0 ? dcg / ideal : NAN;
}

static void values_and_choice_are_those_of_plain_sums(void **state)
{
    (void)state;
    static double w[N_USERS][N_ITEMS], asked[N_USERS][N_ITEMS];
    static double values[WEIGHT_HALF_LIVES][N_USERS];
    struct event_log log = {0};
    struct weight_half_life made = {0}, again = {0};
    struct status status = {0};
    struct pool *pool = NULL;
    size_t n = 0, best = 0, chosen = 0;
    fill(&log, true);
    assert_ok(weight_half_life_choose(&log, DUPLICATES_SUM, 1, NULL, &made, &status), &status);
    weigh(&log, PART_VALID, 0, asked);
    for (size_t k = 0; k < WEIGHT_HALF_LIVES; k++) {
        double sum = 0;
        n = 0;
        weigh(&log, PART_TRAIN, weight_half_lives[k], w);
        for (size_t u = 0; u < N_USERS; u++) {
            const double value = judge(w, asked, u);
            if (!isnan(value)) {
                values[k][n++] = value;
                sum += value;
            }
        }
        assert_true(fabs(sum / (double)n - made.values[k]) < 1e-6);
        best = made.values[k] > made.values[best] ? k : best;
    }
    assert_int_equal(made.n_users, n);
    for (; chosen < best; chosen++) { /* the longest within one standard error of the best */
        double sum = 0, squares = 0;
        for (size_t a = 0; a < n; a++) {
            const double d = values[best][a] - values[chosen][a];
            sum += d;
            squares += d * d;
        }
        const double mean = sum / (double)n;
        const double error = sqrt((squares / (double)n - mean * mean) / (double)(n - 1));
        if (mean <= error) {
            break;
        }
    }
    assert_int_equal(made.chosen, chosen);
    assert_true(chosen > 0);
    assert_ok(pool_new(3, &pool, &status), &status);
    assert_ok(weight_half_life_choose(&log, DUPLICATES_SUM, 1, pool, &again, &status), &status);
    assert_memory_equal(&made, &again, sizeof made);
    pool_free(pool);
    event_log_release(&log);
}

static void without_times_or_a_validation_part_nothing_decays(void **state)
{
    (void)state;
    for (int has_valid = 0; has_valid < 2; has_valid++) {
        struct event_log log = {0};
        struct weight_half_life made = {.chosen = 3, .n_users = 3};
        struct status status = {0};
        fill(&log, has_valid);
        log.has_times = !has_valid;
        assert_ok(weight_half_life_choose(&log, DUPLICATES_SUM, 1, NULL, &made, &status), &status);
        assert_int_equal(made.chosen, 0);
        assert_int_equal(made.n_users, 0);
        event_log_release(&log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_choice_are_those_of_plain_sums),
        cmocka_unit_test(without_times_or_a_validation_part_nothing_decays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
