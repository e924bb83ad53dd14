/* rolling_run and evening_init against evenings that are put together by a plain loop over events,
 * pair by pair. */
#include "evaluation/rolling.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "math/blas.h"
#include "tests/support/ranking_data.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { N_USERS = 40, N_ITEMS = 30, LATE_MAX = 400, DAYS = 6 };
static const int64_t before = 1000000; /* the train part ends here */
static const char *const asked[] = {"recall@5"};

struct problem {
    struct ranking_data data;
    struct late_events events;
    int32_t users[LATE_MAX], items[LATE_MAX];
    int64_t times[LATE_MAX];
    float weights[LATE_MAX];
    uint8_t parts[LATE_MAX];
};

/* Events of DAYS days behind the train part, none on the third of them; of some pairs two. */
static void problem_init(struct problem *problem)
{
    struct status status = {0};
    struct rng rng;
    *problem = (struct problem){0};
    ranking_data_init(&problem->data, N_USERS, N_ITEMS, 4, 0.1, BASIS_FIT, 5);
    rng_init(&rng, 7, "test.rolling", 0, 0);
    struct history *train = &problem->data.interactions.basis[BASIS_FIT].train;
    const size_t n_train = sparse_entries(&train->matrix);
    assert_int_equal(MEM_NEW(&train->times, n_train, &status), STATUS_OK);
    for (size_t e = 0; e < n_train; e++) {
        train->times[e] = before - (int64_t)rng_below(&rng, 20) * ROLLING_DAY / 2;
    }
    size_t n = 0;
    for (int32_t u = 0; u < N_USERS; u++) {
        for (int32_t i = 0; i < N_ITEMS; i++) {
            const uint64_t n_events = rng_below(&rng, 6) == 0 ? 1 + rng_below(&rng, 2) : 0;
            const bool is_trained = rng_below(&rng, 8) == 0;
            for (uint64_t e = 0; e < n_events && n < LATE_MAX; e++) {
                uint64_t day = rng_below(&rng, DAYS - 1);
                day += day >= 2 ? 1 : 0;
                problem->users[n] = u;
                problem->items[n] = i;
                problem->times[n] =
                    before + 1 + (int64_t)day * ROLLING_DAY + (int64_t)rng_below(&rng, ROLLING_DAY);
                problem->weights[n] = 1 + (float)e;
                problem->parts[n++] = (uint8_t)(PART_TEST | (is_trained ? PART_TRAIN : 0));
            }
        }
    }
    problem->times[0] = before + DAYS * ROLLING_DAY; /* the newest: six whole days */
    problem->events = (struct late_events){
        n,     problem->users, problem->items, problem->times, problem->weights, problem->parts,
        before};
}

static void problem_release(struct problem *problem)
{
    mem_free(problem->data.interactions.basis[BASIS_FIT].train.times);
    ranking_data_release(&problem->data);
}

static struct rolling_request request_of(const struct problem *problem, size_t days)
{
    const struct dataset *dataset = &problem->data.interactions.basis[BASIS_FIT];
    return (struct rolling_request){.evaluation = {.dataset = dataset,
                                                   .max_users = SIZE_MAX,
                                                   .embeddings = &problem->data.embeddings,
                                                   .weights = {.beta = 0.3},
                                                   .popular_half_life = 2,
                                                   .prefix = "",
                                                   .n_metrics = 1,
                                                   .metrics = asked,
                                                   .seed = 11},
                                    .interactions = &problem->data.interactions,
                                    .events = &problem->events,
                                    .days = days};
}

/* What a pair of master codes is on an evening, by looking at every event. */
struct naive_pair {
    double value; /* in the history; 0: it is not there */
    int64_t newest;
    bool is_asked;
};

static struct naive_pair naive(const struct problem *problem, int32_t user, int32_t item,
                               size_t row, int32_t column, int64_t evening)
{
    const struct history *train = &problem->data.interactions.basis[BASIS_FIT].train;
    struct naive_pair pair = {.newest = INT64_MIN};
    bool was_trained = false, came = false;
    for (int64_t e = train->matrix.offsets[row]; column >= 0 && e < train->matrix.offsets[row + 1];
         e++) {
        if (train->matrix.columns[e] == column) {
            pair.value = (double)train->matrix.values[e];
            pair.newest = train->times[e];
        }
    }
    for (size_t e = 0; e < problem->events.n; e++) {
        if (problem->users[e] != user || problem->items[e] != item) {
            continue;
        }
        was_trained = was_trained || (problem->parts[e] & PART_TRAIN) != 0;
        if (problem->times[e] < evening) {
            pair.value += (double)problem->weights[e];
            pair.newest = problem->times[e] > pair.newest ? problem->times[e] : pair.newest;
        } else if (problem->times[e] < evening + ROLLING_DAY) {
            came = true;
        }
    }
    pair.is_asked = came && (problem->data.interactions.basis[BASIS_FIT].repeats ||
                             (pair.value <= 0 && !was_trained));
    return pair;
}

static void an_evening_has_what_a_plain_loop_finds(void **state)
{
    (void)state;
    struct status status = {0};
    struct problem problem;
    int32_t columns[N_ITEMS];
    problem_init(&problem);
    const struct dataset *dataset = &problem.data.interactions.basis[BASIS_FIT];
    const struct rolling_request request = request_of(&problem, DAYS);
    dataset_invert(dataset->items, dataset->n_items, N_ITEMS, columns);
    for (int64_t round = 0; round < 2 * DAYS; round++) {
        const int64_t day = round % DAYS, time = before + 1 + day * ROLLING_DAY;
        problem.data.interactions.basis[BASIS_FIT].repeats = round >= DAYS;
        struct evening evening = {0};
        size_t n_asked = 0;
        assert_int_equal(evening_init(&evening, &request, time, &status), STATUS_OK);
        const struct history *train = &evening.dataset.train;
        for (size_t row = 0; row < dataset->n_users; row++) {
            int64_t e = train->matrix.offsets[row];
            int32_t unknown = 0;
            for (int32_t item = 0; item < N_ITEMS; item++) {
                const int32_t c = columns[item];
                const struct naive_pair pair =
                    naive(&problem, dataset->users[row], item, row, c, time);
                unknown += c < 0 && pair.is_asked ? 1 : 0;
                n_asked += pair.is_asked ? 1 : 0;
                if (c >= 0 && pair.value > 0) {
                    assert_true(e < train->matrix.offsets[row + 1]);
                    assert_int_equal(train->matrix.columns[e], c);
                    assert_true(fabs((double)train->matrix.values[e] - pair.value) < 1e-6);
                    assert_int_equal(train->times[e++], pair.newest);
                }
                if (c >= 0) {
                    assert_int_equal(sparse_has(&evening.dataset.test.matrix, row, c),
                                     pair.is_asked);
                }
            }
            assert_int_equal(e, train->matrix.offsets[row + 1]);
            assert_int_equal(evening.unknown[row], unknown);
        }
        assert_true(day == 2 ? n_asked == 0 : n_asked > 0 && evening.unknown_users > 0);
        evening_release(&evening);
    }
    problem_release(&problem);
}

static void empty_and_missing_days_are_skipped_and_threads_change_nothing(void **state)
{
    (void)state;
    struct status status = {0};
    struct problem problem;
    struct metric_rows rows[2] = {{0}, {0}};
    problem_init(&problem);
    for (size_t r = 0; r < 2; r++) {
        struct pool *pool = NULL;
        const struct rolling_request request = request_of(&problem, 14);
        size_t n = 0;
        assert_int_equal(pool_new(1 + 2 * r, &pool, &status), STATUS_OK);
        assert_int_equal(rolling_run(&request, pool, &rows[r], &n, &status), STATUS_OK);
        assert_int_equal(n, DAYS - 1);
        pool_free(pool);
    }
    assert_int_equal(rows[0].n, rows[1].n);
    assert_memory_equal(rows[0].values, rows[1].values, rows[0].n * sizeof *rows[0].values);
    static const char *const models[] = {"nightjar", "popularity", "recent_popularity", "item_item",
                                         "item_item_recent"};
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        double mean = -1, error = -1, sum = 0, squares = 0;
        size_t n = 0;
        assert_true(metric_rows_find(&rows[0], asked[0], models[m], "evenings", &mean));
        assert_true(metric_rows_find(&rows[0], "recall@5:error", models[m], "evenings", &error));
        for (int64_t day = 0; day < DAYS; day++) {
            char date[CLOCK_TEXT_MAX], group[64];
            double value;
            clock_format(before + 1 + day * ROLLING_DAY, date);
            snprintf(group, sizeof group, "evening:%.10s", date);
            if (metric_rows_find(&rows[0], asked[0], models[m], group, &value)) {
                sum += value;
                squares += value * value;
                n++;
            }
        }
        assert_int_equal(n, DAYS - 1);
        assert_true(fabs(mean - sum / (double)n) < 1e-12);
        assert_true(fabs(error * error * (double)(n * (n - 1)) + sum * sum / (double)n - squares) <
                    1e-12);
    }
    metric_rows_release(&rows[0]);
    metric_rows_release(&rows[1]);
    problem_release(&problem);
}

static void without_late_events_there_is_no_evening(void **state)
{
    (void)state;
    struct status status = {0};
    struct problem problem;
    struct metric_rows rows = {0};
    size_t n = 1;
    problem_init(&problem);
    problem.events.n = 0;
    const struct rolling_request request = request_of(&problem, DAYS);
    assert_int_equal(rolling_run(&request, NULL, &rows, &n, &status), STATUS_OK);
    assert_true(n == 0 && rows.n == 0);
    problem_release(&problem);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_evening_has_what_a_plain_loop_finds),
        cmocka_unit_test(empty_and_missing_days_are_skipped_and_threads_change_nothing),
        cmocka_unit_test(without_late_events_there_is_no_evening),
    };
    return cmocka_run_group_tests_name("rolling", tests, NULL, NULL);
}
