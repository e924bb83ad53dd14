/* One evening after the other: its dataset, its evaluation, and the means. */
#include "evaluation/rolling.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "evaluation/metrics.h"

#include <assert.h>
#include <math.h>

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
    const struct evening_source source = {.dataset = request->evaluation.dataset,
                                          .crowd = request->evaluation.crowd,
                                          .barred = request->evaluation.barred,
                                          .interactions = request->interactions,
                                          .events = events,
                                          .seconds = CLOCK_DAY};
    struct evening evening = {0};
    size_t n = 0, n_lines = 0;
    int64_t newest = INT64_MIN;
    enum status_code code;
    *n_evenings = 0;
    for (size_t e = 0; e < events->n; e++) {
        newest = events->times[e] > newest ? events->times[e] : newest;
    }
    TRY(ranks_max_int64(source.crowd.ranks, &newest, 1, status));
    for (size_t day = newest == INT64_MIN ? 0 : request->days; day > 0; day--) {
        const int64_t time = newest + 1 - (int64_t)day * CLOCK_DAY;
        TRY(watch_step(&request->watch, (double)(request->days - day), (double)request->days,
                       status));
        if (time <= events->before) {
            continue;
        }
        evening_release(&evening);
        TRY(evening_init(&evening, &source, time, status));
        if (evening.asks_anybody) {
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
