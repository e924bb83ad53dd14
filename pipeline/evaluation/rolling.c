/* One evening after the other: its dataset, its evaluation, and the means. */
#include "evaluation/rolling.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "evaluation/metrics.h"

#include <assert.h>
#include <math.h>

/* ---- the dataset of an evening ---- */

/* What the late events [first, end) of one pair are on an evening. */
struct late_pair {
    bool is_before; /* any event before the evening */
    bool is_asked;  /* any of the day behind it */
    int64_t newest; /* of those before it */
    double weight;  /* of those before it */
};

static struct late_pair pair_on(const struct late_events *events, size_t first, size_t end,
                                int64_t evening)
{
    struct late_pair pair = {.newest = INT64_MIN};
    for (size_t e = first; e < end; e++) {
        const int64_t time = events->times[e];
        if (time < evening) {
            pair.is_before = true;
            pair.newest = time > pair.newest ? time : pair.newest;
            pair.weight += (double)events->weights[e];
        }
        pair.is_asked = pair.is_asked || (time >= evening && time - evening < ROLLING_DAY);
    }
    return pair;
}

struct evening_build {
    const struct rolling_request *request;
    int64_t time;
    const int32_t *row_of, *column_of; /* of master codes, -1: none */
    struct evening *out;
    size_t n_train, n_test;
};

static void add_train(struct evening_build *build, int32_t column, double value, int64_t time)
{
    struct history *train = &build->out->dataset.train;
    train->matrix.columns[build->n_train] = column;
    train->matrix.values[build->n_train] = (float)value;
    train->times[build->n_train++] = time;
}

/* The late events [first, end) of one user, merged with the train row `row`, -1: there is none.
 * Returns whether anything is asked. */
static bool add_user(struct evening_build *build, size_t first, size_t end, int64_t row)
{
    const struct rolling_request *request = build->request;
    const struct dataset *basis = request->evaluation.dataset;
    const struct late_events *events = request->events;
    const struct sparse *matrix = &basis->train.matrix, *disliked;
    const struct sparse *barred = request->evaluation.barred;
    const int64_t end_of_row = row < 0 ? 0 : matrix->offsets[row + 1];
    int64_t t = row < 0 ? 0 : matrix->offsets[row];
    bool any = false;
    disliked = &request->interactions->disliked.matrix;
    for (size_t e = first, next; e < end; e = next) {
        const int32_t item = events->items[e], column = build->column_of[item];
        for (next = e + 1; next < end && events->items[next] == item;) {
            next++;
        }
        if (disliked->n_rows > 0 && sparse_has(disliked, (size_t)events->users[e], item)) {
            continue;
        }
        const struct late_pair pair = pair_on(events, e, next, build->time);
        bool had = pair.is_before || (events->parts[e] & PART_TRAIN) != 0;
        if (row >= 0 && column >= 0) {
            for (; t < end_of_row && matrix->columns[t] < column; t++) {
                add_train(build, matrix->columns[t], (double)matrix->values[t],
                          basis->train.times[t]);
            }
            const bool is_there = t < end_of_row && matrix->columns[t] == column;
            const double value = is_there ? (double)matrix->values[t] : 0;
            const int64_t time = is_there ? basis->train.times[t] : INT64_MIN;
            if (is_there || pair.is_before) {
                add_train(build, column, value + pair.weight,
                          time > pair.newest ? time : pair.newest);
            }
            t += is_there ? 1 : 0;
            had = had || is_there ||
                  (barred != NULL && barred->n_rows > 0 && sparse_has(barred, (size_t)row, column));
        }
        if (pair.is_asked && (basis->repeats || !had)) {
            any = true;
            if (row >= 0 && column >= 0) {
                build->out->dataset.test.matrix.columns[build->n_test++] = column;
            } else if (row >= 0) {
                build->out->unknown[row]++;
            }
        }
    }
    for (; t < end_of_row; t++) {
        add_train(build, matrix->columns[t], (double)matrix->values[t], basis->train.times[t]);
    }
    return any;
}

enum status_code evening_init(struct evening *evening, const struct rolling_request *request,
                              int64_t time, struct status *status)
{
    const struct dataset *basis = request->evaluation.dataset;
    const struct late_events *events = request->events;
    const size_t n_master_users = request->interactions->users.n;
    const size_t n_master_items = request->interactions->items.n;
    const size_t n_most = sparse_entries(&basis->train.matrix) + events->n;
    struct evening made = {.dataset = *basis};
    int32_t *row_of = NULL, *column_of = NULL;
    enum status_code code;
    made.dataset.train = made.dataset.test = (struct history){0};
    assert(basis->train.times != NULL && basis->train.matrix.values != NULL);
    TRY(sparse_init(&made.dataset.train.matrix, basis->n_users, basis->n_items, n_most, true,
                    status));
    TRY(MEM_NEW(&made.dataset.train.times, n_most, status));
    TRY(sparse_init(&made.dataset.test.matrix, basis->n_users, basis->n_items, events->n, false,
                    status));
    TRY(MEM_NEW(&made.unknown, basis->n_users, status));
    TRY(MEM_NEW(&row_of, n_master_users, status));
    TRY(MEM_NEW(&column_of, n_master_items, status));
    dataset_invert(basis->users, basis->n_users, n_master_users, row_of);
    dataset_invert(basis->items, basis->n_items, n_master_items, column_of);
    struct evening_build build = {request, time, row_of, column_of, &made, 0, 0};
    size_t e = 0;
    for (size_t user = 0; user < n_master_users; user++) {
        const size_t first = e;
        const int32_t row = row_of[user];
        while (e < events->n && events->users[e] == (int32_t)user) {
            e++;
        }
        const bool any = add_user(&build, first, e, row);
        made.unknown_users += any && row < 0 ? 1 : 0;
        if (row >= 0) {
            made.dataset.train.matrix.offsets[row + 1] = (int64_t)build.n_train;
            made.dataset.test.matrix.offsets[row + 1] = (int64_t)build.n_test;
        }
    }
    *evening = made;
    made = (struct evening){0};
done:
    mem_free(row_of);
    mem_free(column_of);
    evening_release(&made);
    return code;
}

void evening_release(struct evening *evening)
{
    history_release(&evening->dataset.train);
    history_release(&evening->dataset.test);
    mem_free(evening->unknown);
    *evening = (struct evening){0};
}

static bool is_anybody_asked(const struct evening *evening)
{
    bool any = sparse_entries(&evening->dataset.test.matrix) > 0;
    for (size_t u = 0; u < evening->dataset.n_users; u++) {
        any = any || evening->unknown[u] > 0;
    }
    return any;
}

/* ---- lines ---- */

/* Line `line` of `from` as one of `group`; its name gets the suffix. */
static enum status_code copy_line(const struct metric_rows *from, size_t line, const char *suffix,
                                  const char *group, double value, struct metric_rows *rows,
                                  struct status *status)
{
    struct buf name = {0}, model = {0};
    size_t length;
    enum status_code code;
    const char *text = strings_get(&from->names, line, &length);
    buf_add(&name, text, length);
    buf_add_text(&name, suffix);
    text = strings_get(&from->models, line, &length);
    buf_add(&model, text, length);
    TRY(buf_check(&name, status));
    TRY(buf_check(&model, status));
    TRY(metric_rows_add(rows, buf_text(&name), buf_text(&model), group, value, status));
done:
    buf_release(&name);
    buf_release(&model);
    return code;
}

/* Under the group "evenings": of the lines of n evenings, each n_lines in the same order from
 * `first` on, the means and standard errors, and the sums of counts. */
static enum status_code add_means(struct metric_rows *rows, size_t first, size_t n_lines, size_t n,
                                  struct status *status)
{
    enum status_code code;
    assert(rows->n == first + n * n_lines);
    for (size_t line = first; line < first + n_lines; line++) {
        const bool is_count = strings_equal(&rows->models, line, "data");
        double value = 0, error = 0;
        if (is_count) {
            for (size_t j = 0; j < n; j++) {
                value += rows->values[line + j * n_lines];
            }
        } else {
            metric_mean_error(rows->values + line, n_lines, n, &value, &error);
        }
        TRY(copy_line(rows, line, "", "evenings", value, rows, status));
        if (!is_count && n > 1) {
            TRY(copy_line(rows, line, ":error", "evenings", error, rows, status));
        }
    }
    TRY(metric_rows_add(rows, "evenings", "data", "evenings", (double)n, status));
done:
    return code;
}

/* ---- one evening after the other ---- */

static enum status_code judge(const struct rolling_request *request, int64_t time,
                              const struct evening *evening, struct pool *pool,
                              struct metric_rows *rows, struct status *status)
{
    struct evaluation_request judged = request->evaluation;
    struct metric_rows all = {0};
    char date[CLOCK_TEXT_MAX], group[CLOCK_TEXT_MAX + 16];
    enum status_code code;
    judged.dataset = &evening->dataset;
    judged.held_out = &evening->dataset.test;
    judged.unknown = evening->unknown;
    judged.unknown_users = evening->unknown_users;
    judged.is_evening = true;
    judged.evening = time;
    TRY(evaluation_run(&judged, pool, &all, status));
    clock_format(time, date);
    snprintf(group, sizeof group, "evening:%.10s", date);
    for (size_t line = 0; line < all.n; line++) {
        const bool is_kept = strings_equal(&all.groups, line, "all") &&
                             !strings_equal(&all.names, line, METRIC_REPEATS);
        if (is_kept) {
            TRY(copy_line(&all, line, "", group, all.values[line], rows, status));
        }
    }
done:
    metric_rows_release(&all);
    return code;
}

enum status_code rolling_run(const struct rolling_request *request, struct pool *pool,
                             struct metric_rows *rows, size_t *n_evenings, struct status *status)
{
    const struct late_events *events = request->events;
    const size_t first = rows->n;
    struct evening evening = {0};
    size_t n = 0, n_lines = 0;
    int64_t newest = INT64_MIN;
    enum status_code code;
    *n_evenings = 0;
    if (events->n == 0) {
        return STATUS_OK;
    }
    for (size_t e = 0; e < events->n; e++) {
        newest = events->times[e] > newest ? events->times[e] : newest;
    }
    for (size_t day = request->days; day > 0; day--) {
        const int64_t time = newest + 1 - (int64_t)day * ROLLING_DAY;
        TRY(watch_step(&request->watch, (double)(request->days - day), (double)request->days,
                       status));
        if (time <= events->before) {
            continue;
        }
        evening_release(&evening);
        TRY(evening_init(&evening, request, time, status));
        if (is_anybody_asked(&evening)) {
            TRY(judge(request, time, &evening, pool, rows, status));
            n++;
            n_lines = n == 1 ? rows->n - first : n_lines;
        }
    }
    if (n > 0) {
        TRY(add_means(rows, first, n_lines, n, status));
    }
    *n_evenings = n;
done:
    evening_release(&evening);
    return code;
}
