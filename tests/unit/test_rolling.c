/* rolling_run, evening_init and the exam of calibrate against evenings that are put together by a
 * plain loop over events, pair by pair. */
#include "evaluation/exam.h"
#include "evaluation/rolling.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "math/blas.h"
#include "tests/support/naive_popularity.h"
#include "tests/support/ranking_data.h"
#include "search/paired.h"

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
        train->times[e] = before - (int64_t)rng_below(&rng, 20) * CLOCK_DAY / 2;
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
                    before + 1 + (int64_t)day * CLOCK_DAY + (int64_t)rng_below(&rng, CLOCK_DAY);
                problem->weights[n] = 1 + (float)e;
                problem->parts[n++] = (uint8_t)(PART_TEST | (is_trained ? PART_TRAIN : 0));
            }
        }
    }
    problem->times[0] = before + DAYS * CLOCK_DAY; /* the newest: six whole days */
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
        } else if (problem->times[e] < evening + CLOCK_DAY) {
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
    const struct evening_source source = {.dataset = dataset,
                                          .interactions = &problem.data.interactions,
                                          .events = &problem.events,
                                          .seconds = CLOCK_DAY};
    dataset_invert(dataset->items, dataset->n_items, N_ITEMS, columns);
    for (int64_t round = 0; round < 2 * DAYS; round++) {
        const int64_t day = round % DAYS, time = before + 1 + day * CLOCK_DAY;
        problem.data.interactions.basis[BASIS_FIT].repeats = round >= DAYS;
        struct evening evening = {0};
        size_t n_asked = 0;
        assert_int_equal(evening_init(&evening, &source, time, &status), STATUS_OK);
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

/* Those of the wanted who are asked, with the rows of the whole evening, and everybody's
 * popularity. */
static void who_is_not_asked_counts_in_popularity_alone(void **state)
{
    (void)state;
    struct status status = {0};
    struct problem problem;
    uint8_t wanted[N_USERS];
    double whole_p[N_ITEMS], p[N_ITEMS];
    problem_init(&problem);
    const struct dataset *dataset = &problem.data.interactions.basis[BASIS_FIT];
    struct evening_source source = {.dataset = dataset,
                                    .interactions = &problem.data.interactions,
                                    .events = &problem.events,
                                    .seconds = CLOCK_DAY};
    int64_t trained = INT64_MIN;
    for (size_t e = 0; e < sparse_entries(&dataset->train.matrix); e++) {
        trained = dataset->train.times[e] > trained ? dataset->train.times[e] : trained;
    }
    for (size_t u = 0; u < N_USERS; u++) {
        wanted[u] = u % 3 != 0;
    }
    for (int64_t day = 0; day < DAYS; day++) {
        const int64_t time = before + 1 + day * CLOCK_DAY;
        struct evening whole = {0}, few = {0};
        source.wanted = NULL;
        assert_int_equal(evening_init(&whole, &source, time, &status), STATUS_OK);
        source.wanted = wanted;
        assert_int_equal(evening_init(&few, &source, time, &status), STATUS_OK);
        size_t at = 0;
        for (size_t row = 0; row < dataset->n_users; row++) {
            size_t n_whole, n;
            const int32_t *of_whole = sparse_row(&whole.dataset.test.matrix, row, &n_whole);
            if (n_whole == 0 || !wanted[row]) {
                continue;
            }
            assert_int_equal(few.rows[at], row);
            assert_int_equal(few.unknown[at], whole.unknown[row]);
            const int32_t *columns = sparse_row(&few.dataset.test.matrix, at, &n);
            assert_int_equal(n, n_whole);
            assert_memory_equal(columns, of_whole, n * sizeof *columns);
            of_whole = sparse_row(&whole.dataset.train.matrix, row, &n_whole);
            columns = sparse_row(&few.dataset.train.matrix, at, &n);
            assert_int_equal(n, n_whole);
            assert_memory_equal(columns, of_whole, n * sizeof *columns);
            assert_memory_equal(few.dataset.train.times + few.dataset.train.matrix.offsets[at],
                                whole.dataset.train.times + whole.dataset.train.matrix.offsets[row],
                                n * sizeof(int64_t));
            at++;
        }
        assert_int_equal(at, few.dataset.n_users);
        for (int half_life = 0; half_life < 4; half_life++) {
            naive_popularity(&dataset->train, half_life, p);
            assert_int_equal(evening_popularity(&few, half_life, trained, p, &status), STATUS_OK);
            naive_popularity(&whole.dataset.train, half_life, whole_p);
            for (size_t i = 0; i < dataset->n_items; i++) {
                assert_true(fabs(p[i] - whole_p[i]) < 1e-9);
            }
        }
        evening_release(&whole);
        evening_release(&few);
    }
    problem_release(&problem);
}

/* ---- the exam ---- */

static struct evening_source source_of(const struct problem *problem)
{
    return (struct evening_source){.dataset = &problem->data.interactions.basis[BASIS_FIT],
                                   .barred =
                                       &problem->data.interactions.basis[BASIS_FIT].valid_barred,
                                   .interactions = &problem->data.interactions,
                                   .events = &problem->events,
                                   .seconds = CLOCK_DAY};
}

/* The late events are the validation part, of which everybody may be asked. */
static void validation_of(struct problem *problem, struct validation *validation)
{
    struct status status = {0};
    struct dataset *fit = &problem->data.interactions.basis[BASIS_FIT];
    for (size_t e = 0; e < problem->events.n; e++) {
        problem->parts[e] = (uint8_t)((problem->parts[e] & PART_TRAIN) | PART_VALID);
    }
    assert_int_equal(validation_init(validation, fit, NULL, "ndcg@5", SIZE_MAX, 1, &status),
                     STATUS_OK);
    validation->n_users = validation->n_all = fit->n_users;
    for (size_t u = 0; u < fit->n_users; u++) {
        validation->users[u] = (int32_t)u;
    }
}

/* Sum over the cases of a sitting of the metric of lists that are made for each alone. */
static double naive_sum(const struct validation *validation, const struct embeddings *embeddings,
                        const struct evening *evening, const struct exam_sitting *sitting,
                        const struct score_weights *weights)
{
    struct status status = {0};
    const struct dataset *dataset = &evening->dataset;
    const struct score_sources sources = {0};
    struct score score = {0};
    double sum = 0;
    assert_int_equal(
        score_init(&score, NULL, embeddings, dataset, &sources, &dataset->train, weights, &status),
        STATUS_OK);
    for (size_t a = 0; a < sitting->n; a++) {
        const int32_t row = sitting->users[a];
        int32_t list[5];
        float scores[5];
        double value;
        struct ranking ranking = {
            .anchors =
                const_matrix_of(embeddings->users.data + (size_t)row * embeddings->users.stride, 1,
                                embeddings->users.columns),
            .candidates = embeddings->items,
            .exclude = dataset->repeats ? NULL : &dataset->train.matrix,
            .exclude_rows = &row,
            .tie_rank = validation->tie_rank,
            .k = 5};
        score_apply(&score, &row, &ranking);
        assert_int_equal(ranking_run(&ranking, NULL, list, scores, &status), STATUS_OK);
        metric_per_user(validation->metric, 5, list, 5, &row, 1, &dataset->test.matrix,
                        evening->unknown, &value);
        sum += value;
    }
    score_release(&score);
    return sum;
}

static void an_exam_on_evenings_is_that_of_each_alone(void **state)
{
    (void)state;
    struct status status = {0};
    const struct score_weights settings[] = {
        {.beta = 0.2}, {.beta = 0.7}, {.beta = 0.7, .half_life = 2}, {.beta = 0.2, .half_life = 9}};
    for (int repeats = 0; repeats < 2; repeats++) {
        struct problem problem;
        struct validation validation = {0};
        struct exam exam = {0};
        struct exam_progress progress = {.total = 1};
        double *values = NULL;
        problem_init(&problem);
        problem.data.interactions.basis[BASIS_FIT].repeats = repeats == 1;
        validation_of(&problem, &validation);
        const struct evening_source source = source_of(&problem);
        const struct exam_scoring scoring = {.embeddings = &problem.data.embeddings};
        assert_int_equal(exam_init(&exam, &validation, &source, &status), STATUS_OK);
        assert_int_equal(exam.n_sittings, DAYS - 1); /* nobody comes on the third */
        assert_int_equal(exam.offsets[exam.n_users], exam.n_cases);
        assert_true(exam.n_cases >= exam.n_users && exam.n_cases < 2 * N_USERS);
        assert_int_equal(MEM_NEW(&values, 4 * exam.n_users, &status), STATUS_OK);
        assert_int_equal(
            exam_measure(&exam, &scoring, settings, 4, NULL, &progress, values, &status),
            STATUS_OK);
        for (size_t v = 0; v < 4; v++) {
            double sum = 0;
            for (int64_t day = 0, s = 0; day < DAYS; day++) {
                struct evening evening = {0};
                assert_int_equal(
                    evening_init(&evening, &source, before + 1 + day * CLOCK_DAY, &status),
                    STATUS_OK);
                if (day != 2) {
                    sum += naive_sum(&validation, scoring.embeddings, &evening, &exam.sittings[s++],
                                     &settings[v]);
                }
                evening_release(&evening);
            }
            const double mean = paired_mean(values + v * exam.n_users, exam.n_users);
            assert_true(fabs(mean - sum / (double)exam.n_cases) < 1e-9);
        }
        mem_free(values);
        exam_release(&exam);
        validation_release(&validation);
        problem_release(&problem);
    }
}

static void what_came_later_changes_no_evening_before(void **state)
{
    (void)state;
    struct status status = {0};
    struct problem problem;
    struct validation validation = {0};
    struct exam exams[2] = {{0}};
    const int64_t known = before + 1 + 2 * CLOCK_DAY, newest = before + DAYS * CLOCK_DAY;
    problem_init(&problem);
    validation_of(&problem, &validation);
    const struct evening_source source = source_of(&problem);
    for (size_t round = 0; round < 2; round++) {
        assert_int_equal(exam_init(&exams[round], &validation, &source, &status), STATUS_OK);
        for (size_t e = 0; e < problem.events.n; e++) {
            const bool is_later = problem.times[e] >= known && problem.times[e] < newest;
            problem.times[e] = is_later ? known + newest - problem.times[e] : problem.times[e];
            problem.weights[e] *= is_later ? 3 : 1;
        }
    }
    for (size_t s = 0; s < 2; s++) {
        const struct exam_sitting *a = &exams[0].sittings[s], *b = &exams[1].sittings[s];
        const size_t n = sparse_entries(&a->histories->matrix);
        assert_int_equal(n, sparse_entries(&b->histories->matrix));
        assert_memory_equal(a->histories->matrix.columns, b->histories->matrix.columns,
                            n * sizeof(int32_t));
        assert_memory_equal(a->histories->times, b->histories->times, n * sizeof(int64_t));
        double p[2][N_ITEMS];
        for (size_t round = 0; round < 2; round++) {
            assert_int_equal(
                exam_popularity(&exams[round], &exams[round].sittings[s], 2, p[round], &status),
                STATUS_OK);
        }
        assert_memory_equal(p[0], p[1], sizeof p[0]);
    }
    exam_release(&exams[0]);
    exam_release(&exams[1]);
    validation_release(&validation);
    problem_release(&problem);
}

static void halves_of_an_exam_are_its_users(void **state)
{
    (void)state;
    struct status status = {0};
    struct problem problem;
    struct validation validation = {0};
    struct exam exam = {0}, even = {0}, odd = {0}, few = {0};
    problem_init(&problem);
    validation_of(&problem, &validation);
    const struct evening_source source = source_of(&problem);
    assert_int_equal(exam_init(&exam, &validation, &source, &status), STATUS_OK);
    assert_int_equal(exam_thin(&exam, SIZE_MAX, EXAM_EVEN, &even, &status), STATUS_OK);
    assert_int_equal(exam_thin(&exam, SIZE_MAX, EXAM_ODD, &odd, &status), STATUS_OK);
    assert_int_equal(exam_thin(&exam, exam.n_cases / 2, EXAM_ALL, &few, &status), STATUS_OK);
    assert_int_equal(even.n_users + odd.n_users, exam.n_users);
    assert_int_equal(even.n_cases + odd.n_cases, exam.n_cases);
    assert_true(few.n_users < exam.n_users && few.n_cases < exam.n_cases);
    for (size_t s = 0; s < exam.n_sittings; s++) {
        const struct exam_sitting *all = &exam.sittings[s];
        for (size_t a = 0, e = 0, o = 0; a < all->n; a++) {
            const struct exam_sitting *half =
                all->places[a] % 2 == 0 ? &even.sittings[s] : &odd.sittings[s];
            const size_t at = all->places[a] % 2 == 0 ? e++ : o++;
            assert_int_equal(half->users[at], all->users[a]);
            assert_int_equal(half->rows[at], all->rows[a]);
            assert_int_equal(half->places[at], all->places[a] / 2);
        }
    }
    exam_release(&few);
    exam_release(&odd);
    exam_release(&even);
    exam_release(&exam);
    validation_release(&validation);
    problem_release(&problem);
}

/* ---- rolling_run ---- */

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
            clock_format(before + 1 + day * CLOCK_DAY, date);
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
        cmocka_unit_test(who_is_not_asked_counts_in_popularity_alone),
        cmocka_unit_test(an_exam_on_evenings_is_that_of_each_alone),
        cmocka_unit_test(what_came_later_changes_no_evening_before),
        cmocka_unit_test(halves_of_an_exam_are_its_users),
        cmocka_unit_test(empty_and_missing_days_are_skipped_and_threads_change_nothing),
        cmocka_unit_test(without_late_events_there_is_no_evening),
    };
    return cmocka_run_group_tests_name("rolling", tests, NULL, NULL);
}
