/* What lists made every evening are worth on the next day: as evaluate's `roll` has judged them,
 * and as `nightjar backtest` has. */
#include "stages/report/report_history.h"

#include "base/mem.h"

#include <math.h>

/* Where evenings stand. ?1 is the run. */
struct evenings {
    const char *heading, *hint;
    const char *made;   /* Unix seconds of when; NULL: by the run */
    const char *metric; /* one metric; ?2 is the one that the page is about */
    const char *models; /* model, mean and the square of its error; ?2 is the metric */
    const char *points; /* evening and value; ?2 as of history_series, ?3 metric, ?4 model */
};

static const struct evenings judged_by_evaluate = {
    .heading = "Evening by evening",
    .hint = "Lists as of the evening before, judged on what came in the 24 hours behind it. The "
            "vectors are those of the training data.",
    .metric = "SELECT name FROM run_metric WHERE run = ?1 AND model = 'nightjar'"
              " AND grp = 'evenings' AND name NOT LIKE '%:error' ORDER BY name <> ?2, name LIMIT 1",
    .models = "SELECT m.model, m.value, e.value * e.value FROM run_metric AS m"
              " LEFT JOIN run_metric AS e ON e.run = m.run AND e.model = m.model"
              "  AND e.grp = m.grp AND e.name = m.name || ':error'"
              " WHERE m.run = ?1 AND m.name = ?2 AND m.grp = 'evenings'"
              "  AND m.model NOT IN ('data', 'towers', 'evidence', 'ridge')"
              " ORDER BY m.model <> 'nightjar', m.value DESC, m.model",
    .points = "SELECT CAST(strftime('%s', substr(grp, 9)) AS INTEGER), value FROM run_metric"
              " WHERE run = ?1 AND ?2 > 0 AND name = ?3 AND model = ?4 AND grp GLOB 'evening:*'"
              " ORDER BY grp",
};

static const struct evenings judged_by_backtest = {
    .heading = "What the lists would have been worth",
    .hint =
        "Each of these nights was run anew on what had happened by then, training included, and "
        "its lists judged on the 24 hours behind it",
    .made = "SELECT max(made) FROM backtest",
    .metric = "SELECT name FROM backtest WHERE model = 'nightjar' AND ?1 = ?1"
              " ORDER BY name <> ?2, name LIMIT 1",
    .models = "SELECT model, avg(value), (sum(value * value) - sum(value) * avg(value))"
              "  / nullif(count(*) - 1, 0) / count(*) FROM backtest WHERE ?1 = ?1 AND name = ?2"
              " GROUP BY model ORDER BY model <> 'nightjar', avg(value) DESC, model",
    .points = "SELECT CAST(strftime('%s', date(evening, 'unixepoch')) AS INTEGER), value"
              " FROM backtest WHERE ?1 = ?1 AND ?2 = ?2 AND name = ?3"
              " AND model = ?4 ORDER BY evening",
};

static enum status_code bind(struct db *work, const char *sql, int64_t run, const char *text,
                             struct db_query **query, struct status *status)
{
    enum status_code code;
    TRY(db_prepare(work, sql, query, status));
    TRY(db_bind_int64(*query, 1, run, status));
    TRY(db_bind_string(*query, 2, text, status));
done:
    return code;
}

/* A line of the table, and the series of its model. */
static enum status_code add_model(const struct report_history *history,
                                  const struct evenings *evenings, const char *metric,
                                  struct db_query *query, struct series *series, struct buf *table,
                                  struct status *status)
{
    const char *model = db_column_text(query, 0, NULL);
    history_name_model(series, model);
    buf_addf(table, "<tr%s><th scope=\"row\">",
             strcmp(model, "nightjar") == 0 ? " class=\"own\"" : "");
    html_add_text(table, series->name);
    buf_addf(table, "<td class=\"n\">%.4f<td class=\"n\">", db_column_double(query, 1));
    if (db_column_type(query, 2) != DB_NULL) {
        buf_addf(table, "\xC2\xB1 %.4f", sqrt(fmax(db_column_double(query, 2), 0)));
    }
    return history_series(history, evenings->points, metric, model, series, status);
}

static enum status_code add_hint(const struct report_history *history,
                                 const struct evenings *evenings, struct buf *out,
                                 struct status *status)
{
    int64_t made;
    bool found = false;
    enum status_code code = STATUS_OK;
    buf_add_text(out, evenings->hint);
    if (evenings->made != NULL) {
        TRY(db_get_int64(history->work, evenings->made, &made, &found, status));
    }
    if (found) {
        buf_add_text(out, ": nightjar backtest of ");
        html_add_time(out, made);
        buf_add_text(out, " UTC.");
    }
    TRY(buf_check(out, status));
done:
    return code;
}

/* The curves where there are some, and the table of their means. */
static void add_figures(const struct chart *chart, const char *metric, const struct buf *table,
                        struct figures *figures)
{
    if (chart_has_lines(chart)) {
        figure_begin(figures, NULL);
        chart_add(chart, &figures->html);
        figure_end(figures);
    }
    figure_begin(figures, "The mean over the evenings");
    table_begin(&figures->html, "the mean over the evenings");
    buf_addf(&figures->html,
             "<thead><tr><th scope=\"col\">lists of<th scope=\"col\" class=\"n\">%s"
             "<th scope=\"col\" class=\"n\">standard error</thead><tbody>\n%s</tbody>",
             metric, buf_text(table));
    table_end(&figures->html);
    figure_end(figures);
}

static enum status_code add_evenings(const struct report_history *history,
                                     const struct evenings *evenings, struct buf *out,
                                     struct status *status)
{
    struct report_history judged = *history;
    struct figures figures = {0};
    struct series *series = NULL;
    struct db_query *query = NULL;
    struct buf table = {0}, hint = {0};
    char metric[FINDINGS_NAME_MAX] = "";
    bool has_row;
    enum status_code code;
    judged.run = history->judged;
    TRY(bind(history->work, evenings->metric, judged.run, history->findings.metric, &query,
             status));
    TRY(db_step(query, &has_row, status));
    if (!has_row) {
        goto done;
    }
    snprintf(metric, sizeof metric, "%s", db_column_text(query, 0, NULL));
    db_finalize(query);
    query = NULL;
    TRY(chart_new(&series, status));
    struct chart chart = {.title = evenings->heading,
                          .x_label = "evening of",
                          .y_label = metric,
                          .x_kind = AXIS_TIME,
                          .from_zero = true,
                          .series = series};
    TRY(bind(history->work, evenings->models, judged.run, metric, &query, status));
    while (chart.n < SERIES_MAX) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        TRY(add_model(&judged, evenings, metric, query, &series[chart.n], &table, status));
        chart.n++;
    }
    add_figures(&chart, metric, &table, &figures);
    TRY(add_hint(history, evenings, &hint, status));
    section_begin(out, evenings->heading, buf_text(&hint));
    figures_end(&figures, out);
    section_end(out);
done:
    out->failed = out->failed || table.failed;
    buf_release(&table);
    buf_release(&hint);
    buf_release(&figures.html);
    db_finalize(query);
    mem_free(series);
    return code;
}

enum status_code history_evenings(const struct report_history *history, struct buf *out,
                                  struct status *status)
{
    enum status_code code;
    TRY(add_evenings(history, &judged_by_evaluate, out, status));
    TRY(add_evenings(history, &judged_by_backtest, out, status));
done:
    return code;
}
