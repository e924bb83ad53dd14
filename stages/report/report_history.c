/* Tables run, stage_run, run_metric and training_curve as tables and charts. */
#include "stages/report/report_history.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "stages/report/report_page.h"

#include <math.h>

enum { SERIES_MAX = 6, POINTS_MAX = 4096, METRICS_MAX = 4, NAME_MAX_BYTES = 64 };

/* Points of one line. */
struct series {
    char name[NAME_MAX_BYTES];
    size_t n;
    double x[POINTS_MAX], y[POINTS_MAX];
};

/* The query's columns are x and y; ?1 is the run, ?2 how many runs, ?3 and ?4 the texts. */
static enum status_code read_series(const struct report_history *history, const char *sql,
                                    const char *first, const char *second, struct series *out,
                                    struct status *status)
{
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    out->n = 0;
    TRY(db_prepare(history->work, sql, &query, status));
    TRY(db_bind_int64(query, 1, history->run, status));
    TRY(db_bind_int64(query, 2, history->n_runs, status));
    TRY(db_bind_text(query, 3, first, strlen(first), true, status));
    TRY(db_bind_text(query, 4, second, strlen(second), true, status));
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row || out->n == POINTS_MAX) {
            break;
        }
        out->x[out->n] = db_column_double(query, 0);
        out->y[out->n++] =
            db_column_type(query, 1) == DB_NULL ? (double)NAN : db_column_double(query, 1);
    }
done:
    db_finalize(query);
    return code;
}

static bool has_values(const struct series *series)
{
    for (size_t i = 0; i < series->n; i++) {
        if (isfinite(series->y[i])) {
            return true;
        }
    }
    return false;
}

/* A chart of the lines that have values, with its legend; nothing without any. */
static void add_chart(struct buf *out, const char *title, const char *x_label, const char *y_label,
                      struct series *const *series, size_t n, bool from_zero)
{
    static const double zero = 0;
    struct svg_chart chart = {
        .out = out, .x = svg_axis_empty(x_label, true), .y = svg_axis_empty(y_label, false)};
    const char *names[SERIES_MAX] = {NULL};
    size_t n_shown = 0;
    for (size_t s = 0; s < n; s++) {
        n_shown += has_values(series[s]);
    }
    if (n_shown == 0) {
        return;
    }
    n_shown = 0;
    svg_axis_hold(&chart.y, &zero, from_zero ? 1 : 0);
    for (size_t s = 0; s < n; s++) {
        if (has_values(series[s])) {
            svg_axis_hold(&chart.x, series[s]->x, series[s]->n);
            svg_axis_hold(&chart.y, series[s]->y, series[s]->n);
        }
    }
    buf_add_text(out, "<figure>");
    svg_begin(&chart, title);
    for (size_t s = 0; s < n; s++) {
        if (has_values(series[s])) {
            svg_line(&chart, series[s]->x, series[s]->y, series[s]->n, n_shown, series[s]->name);
            names[n_shown++] = series[s]->name;
        }
    }
    svg_end(&chart);
    svg_legend(out, names, n_shown);
    buf_add_text(out, "</figure>");
}

static enum status_code new_series(struct series *series[SERIES_MAX], struct status *status)
{
    enum status_code code = STATUS_OK;
    for (size_t s = 0; s < SERIES_MAX; s++) {
        TRY(MEM_NEW(&series[s], 1, status));
    }
done:
    return code;
}

static void free_series(struct series *series[SERIES_MAX])
{
    for (size_t s = 0; s < SERIES_MAX; s++) {
        mem_free(series[s]);
    }
}

/* ---- this run ---- */

enum status_code history_stages(const struct report_history *history, struct buf *out,
                                struct status *status)
{
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    TRY(db_prepare(history->work,
                   "SELECT label, state, seconds, n_rows, seconds / max(max(seconds) OVER (), 1e-9)"
                   " FROM stage_run WHERE run = ?1 ORDER BY position",
                   &query, status));
    TRY(db_bind_int64(query, 1, history->run, status));
    section_begin(out, "Stages of this run", NULL);
    buf_add_text(out, "<div class=\"scroll\"><table><tr><th>stage<th class=\"n\">time"
                      "<th class=\"n\">rows<th></tr>\n");
    for (;;) {
        char time[NUM_TEXT_MAX];
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        num_format_duration(db_column_double(query, 2), time);
        buf_add_text(out, "<tr><td>");
        html_add_text(out, db_column_text(query, 0, NULL));
        if (strcmp(db_column_text(query, 1, NULL), "skipped") == 0) {
            buf_add_text(out, "<td class=\"n\">unchanged<td class=\"n\"><td></tr>\n");
            continue;
        }
        buf_addf(out,
                 "<td class=\"n\">%s<td class=\"n\">%lld<td><span class=\"bar\" "
                 "style=\"width:%.0fpx\"></span></tr>\n",
                 time, (long long)db_column_int64(query, 3), 1 + 99 * db_column_double(query, 4));
    }
    buf_add_text(out, "</table></div>\n");
    section_end(out);
done:
    db_finalize(query);
    return code;
}

/* ---- the gate, night by night ---- */

/* The colour of a run's state: good, nothing new, refused, went wrong. */
static int color_of(const char *state)
{
    return strcmp(state, "published") == 0 || strcmp(state, "running") == 0 ? 2
           : strcmp(state, "finished") == 0                                 ? 0
           : strcmp(state, "refused") == 0                                  ? 4
                                                                            : 1;
}

static void add_last_trouble(struct db_query *query, struct buf *out)
{
    char time[CLOCK_TEXT_MAX];
    clock_format(db_column_int64(query, 1), time);
    buf_addf(out, "<p>The last run that did not publish: run %lld of %s, ",
             (long long)db_column_int64(query, 0), time);
    html_add_text(out, db_column_text(query, 2, NULL));
    buf_add_text(out, ". ");
    html_add_text(out, db_column_text(query, 3, NULL));
    buf_add_text(out, "</p>\n");
}

/* A small box a run, and what its colours say. */
static enum status_code add_nights(const struct report_history *history, struct buf *out,
                                   struct status *status)
{
    static const char *const legend[] = {"nothing new", "failed", "published", NULL, "refused"};
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    TRY(db_prepare(history->work,
                   "SELECT run, started, state FROM (SELECT * FROM run WHERE run <= ?1"
                   " ORDER BY run DESC LIMIT ?2) ORDER BY run",
                   &query, status));
    TRY(db_bind_int64(query, 1, history->run, status));
    TRY(db_bind_int64(query, 2, history->n_runs, status));
    for (;;) {
        char time[CLOCK_TEXT_MAX];
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        const char *state = db_column_text(query, 2, NULL);
        clock_format(db_column_int64(query, 1), time);
        buf_addf(out, "<span class=\"night c%d\" title=\"run %lld, %s: %s\"></span>",
                 color_of(state), (long long)db_column_int64(query, 0), time,
                 strcmp(state, "running") == 0 ? "this run" : state);
    }
    buf_add_text(out, "<p class=\"legend\">oldest to newest:");
    for (int c = 0; c < 5; c++) {
        if (legend[c] != NULL) {
            buf_addf(out, "<span class=\"c%d\"></span>%s", c, legend[c]);
        }
    }
    buf_add_text(out, "</p>\n");
done:
    db_finalize(query);
    return code;
}

enum status_code history_nights(const struct report_history *history, const char *overruled,
                                struct buf *out, struct status *status)
{
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    section_begin(out, "Gate and nights", NULL);
    if (overruled[0] == '\0') {
        buf_add_text(out, "<p>This run passed every rule.</p>\n");
    } else {
        buf_add_text(out, "<p>This run was published although a rule refused it. ");
        html_add_text(out, overruled);
        buf_add_text(out, "</p>\n");
    }
    TRY(add_nights(history, out, status));
    TRY(db_prepare(history->work,
                   "SELECT run, started, state, coalesce(message, '') FROM run WHERE run < ?1"
                   " AND state NOT IN ('published', 'finished', 'running')"
                   " ORDER BY run DESC LIMIT 1",
                   &query, status));
    TRY(db_bind_int64(query, 1, history->run, status));
    TRY(db_step(query, &has_row, status));
    if (has_row) {
        add_last_trouble(query, out);
    }
    section_end(out);
done:
    db_finalize(query);
    return code;
}

/* ---- metrics over the runs ---- */

static const char metric_series[] =
    "SELECT r.run, m.value FROM (SELECT run FROM run WHERE run <= ?1 AND state IN ('published',"
    " 'finished', 'running') ORDER BY run DESC LIMIT ?2) AS r LEFT JOIN run_metric AS m"
    " ON m.run = r.run AND m.name = ?3 AND m.model = ?4 AND m.grp = 'all' ORDER BY r.run";

/* The names of the metrics of this run, over all users; the first is the one to look at. */
static enum status_code metric_names(const struct report_history *history,
                                     char names[METRICS_MAX][NAME_MAX_BYTES], size_t *n,
                                     struct status *status)
{
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    *n = 0;
    TRY(db_prepare(history->work,
                   "SELECT name FROM run_metric WHERE run = ?1 AND model = 'nightjar'"
                   " AND grp = 'all' AND label LIKE 'evaluate%'"
                   " ORDER BY name NOT LIKE 'recall%', name NOT LIKE 'ndcg%', name",
                   &query, status));
    TRY(db_bind_int64(query, 1, history->run, status));
    while (*n < METRICS_MAX) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        snprintf(names[(*n)++], NAME_MAX_BYTES, "%s", db_column_text(query, 0, NULL));
    }
done:
    db_finalize(query);
    return code;
}

enum status_code history_metrics(const struct report_history *history, struct buf *out,
                                 struct status *status)
{
    static const char *const models[] = {"nightjar", "popularity", "item_item"};
    enum { N_MODELS = sizeof models / sizeof *models };
    char names[METRICS_MAX][NAME_MAX_BYTES];
    struct series *series[SERIES_MAX] = {0};
    size_t n = 0;
    enum status_code code;
    TRY(new_series(series, status));
    TRY(metric_names(history, names, &n, status));
    for (size_t i = 0; i < n; i++) {
        struct buf title = {0};
        for (size_t m = 0; m < N_MODELS; m++) {
            snprintf(series[m]->name, sizeof series[m]->name, "%s", models[m]);
            TRY(read_series(history, metric_series, names[i], models[m], series[m], status));
        }
        buf_addf(&title, "%s over the last runs", names[i]);
        section_begin(out, buf_text(&title),
                      i == 0 ? "Held-out events, beside two baselines on the same ones" : NULL);
        add_chart(out, buf_text(&title), "run", names[i], series, N_MODELS, true);
        section_end(out);
        buf_release(&title);
    }
done:
    free_series(series);
    return code;
}

/* ---- training ---- */

static const char curve_series[] =
    "SELECT epoch, CASE ?4 WHEN 'loss' THEN loss ELSE validation END FROM training_curve"
    " WHERE stage = ?3 AND run = (SELECT max(run) FROM training_curve WHERE stage = ?3"
    "  AND run <= ?1) AND ?2 > 0 ORDER BY epoch";

enum status_code history_curves(const struct report_history *history, struct buf *out,
                                struct status *status)
{
    struct series *series[SERIES_MAX] = {0};
    enum status_code code;
    TRY(new_series(series, status));
    for (size_t s = 0; s < 2; s++) {
        static const char *const stages[] = {"train", "refit"};
        snprintf(series[s]->name, sizeof series[s]->name, "%s", stages[s]);
        TRY(read_series(history, curve_series, stages[s], "loss", series[s], status));
    }
    snprintf(series[2]->name, sizeof series[2]->name, "validation");
    TRY(read_series(history, curve_series, "train", "validation", series[2], status));
    if (has_values(series[0]) || has_values(series[1])) {
        section_begin(out, "Training: loss",
                      "train looks for the best epoch, refit trains on all events");
        add_chart(out, "loss by epoch", "epoch", "mean loss of a positive", series, 2, false);
        section_end(out);
    }
    if (has_values(series[2])) {
        section_begin(out, "Training: validation", "The metric that chooses the epoch");
        add_chart(out, "validation by epoch", "epoch", "validation metric", &series[2], 1, true);
        section_end(out);
    }
done:
    free_series(series);
    return code;
}

/* ---- groups ---- */

static const char group_rows[] =
    "SELECT m.grp, m.value, p.value, i.value, u.value, max(m.value) OVER ()"
    " FROM run_metric AS m"
    " LEFT JOIN run_metric AS p ON p.run = m.run AND p.name = m.name AND p.grp = m.grp"
    "  AND p.model = 'popularity'"
    " LEFT JOIN run_metric AS i ON i.run = m.run AND i.name = m.name AND i.grp = m.grp"
    "  AND i.model = 'item_item'"
    " LEFT JOIN run_metric AS u ON u.run = m.run AND u.name = 'users' AND u.grp = m.grp"
    "  AND u.model = 'data'"
    " WHERE m.run = ?1 AND m.name = ?2 AND m.model = 'nightjar' AND m.grp != 'all'"
    " ORDER BY m.grp LIKE 'users:%' DESC, m.grp LIKE 'items:%' DESC,"
    "  CAST(substr(m.grp, 7) AS INTEGER), m.grp";

static void add_group(struct db_query *query, struct buf *out)
{
    const double value = db_column_double(query, 1), most = fmax(db_column_double(query, 5), 1e-12);
    buf_add_text(out, "<tr><td>");
    html_add_text(out, db_column_text(query, 0, NULL));
    buf_addf(out, "<td class=\"n\">%.4f<td><span class=\"bar\" style=\"width:%.0fpx\"></span>",
             value, 1 + 99 * value / most);
    for (int column = 2; column <= 4; column++) {
        buf_add_text(out, "<td class=\"n\">");
        if (db_column_type(query, column) != DB_NULL) {
            buf_addf(out, column == 4 ? "%.0f" : "%.4f", db_column_double(query, column));
        }
    }
    buf_add_text(out, "</tr>\n");
}

enum status_code history_groups(const struct report_history *history, struct buf *out,
                                struct status *status)
{
    char names[METRICS_MAX][NAME_MAX_BYTES];
    struct db_query *query = NULL;
    size_t n = 0;
    bool has_row;
    enum status_code code;
    TRY(metric_names(history, names, &n, status));
    if (n == 0) {
        goto done;
    }
    TRY(db_prepare(history->work, group_rows, &query, status));
    TRY(db_bind_int64(query, 1, history->run, status));
    TRY(db_bind_text(query, 2, names[0], strlen(names[0]), true, status));
    TRY(db_step(query, &has_row, status));
    if (!has_row) {
        goto done;
    }
    section_begin(out, "By groups of users and items",
                  "Users by the length of their history, items by popularity; how many users were "
                  "asked");
    buf_addf(out,
             "<div class=\"scroll\"><table><tr><th>group<th class=\"n\">%s<th><th "
             "class=\"n\">popularity<th class=\"n\">item-item<th class=\"n\">users</tr>\n",
             names[0]);
    while (has_row) {
        add_group(query, out);
        TRY(db_step(query, &has_row, status));
    }
    buf_add_text(out, "</table></div>\n");
    section_end(out);
done:
    db_finalize(query);
    return code;
}

/* ---- the log ---- */

static const char rows_series[] =
    "SELECT r.run, s.n_rows FROM (SELECT run FROM run WHERE run <= ?1 ORDER BY run DESC LIMIT ?2)"
    " AS r LEFT JOIN stage_run AS s ON s.run = r.run AND s.label = ?3 AND ?4 = ?4 ORDER BY r.run";
static const char data_series[] =
    "SELECT r.run, m.value FROM (SELECT run FROM run WHERE run <= ?1 ORDER BY run DESC LIMIT ?2)"
    " AS r LEFT JOIN run_metric AS m ON m.run = r.run AND m.name = ?3 AND m.model = 'data'"
    " AND m.grp = 'all' AND ?4 = ?4 ORDER BY r.run";

enum status_code history_data(const struct report_history *history, struct buf *out,
                              struct status *status)
{
    static const struct {
        const char *metric, *name;
    } lines[] = {{"log_users", "users"},
                 {"log_items", "items"},
                 {"log_rejected", "rejected rows"},
                 {"log_unknown_events", "rows of unknown event types"}};
    enum { N_LINES = sizeof lines / sizeof *lines };
    struct series *series[SERIES_MAX] = {0};
    enum status_code code;
    TRY(new_series(series, status));
    snprintf(series[0]->name, sizeof series[0]->name, "rows read");
    TRY(read_series(history, rows_series, "interactions", "", series[0], status));
    for (size_t l = 0; l < N_LINES; l++) {
        snprintf(series[1 + l]->name, sizeof series[1 + l]->name, "%s", lines[l].name);
        TRY(read_series(history, data_series, lines[l].metric, "", series[1 + l], status));
    }
    section_begin(out, "The log, run by run",
                  has_values(series[1]) ? NULL : "A stage `checks` adds users, items and bad rows");
    add_chart(out, "rows read by run", "run", "rows", &series[0], 1, true);
    add_chart(out, "users and items by run", "run", "count", &series[1], 2, true);
    add_chart(out, "bad rows by run", "run", "rows", &series[3], 2, true);
    section_end(out);
done:
    free_series(series);
    return code;
}
