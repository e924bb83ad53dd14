/* How good the lists are: the judged metric over the last runs beside the baselines, the others
 * smaller, and what all of them were in this run. */
#include "stages/report/report_history.h"

#include "base/mem.h"

#include <math.h>

enum { OTHERS_MAX = 3 };

static const char metric_series[] =
    "SELECT r.started, m.value FROM (SELECT run, started FROM run WHERE run <= ?1"
    " ORDER BY run DESC LIMIT ?2) AS r JOIN run_metric AS m ON m.run = r.run AND m.name = ?3"
    " AND m.model = ?4 AND m.grp = 'all' ORDER BY r.run";

/* ---- over the runs ---- */

static enum status_code add_metric_chart(const struct report_history *history, const char *metric,
                                         struct series *series, struct figures *figures,
                                         struct status *status)
{
    static const char *const models[] = {"nightjar", "item_item", "popularity", "recent_popularity",
                                         "own"};
    enum { N_MODELS = sizeof models / sizeof *models };
    struct buf title = {0};
    const struct chart chart = {.title = "",
                                .x_label = "run of",
                                .y_label = metric,
                                .x_kind = AXIS_TIME,
                                .from_zero = true,
                                .n = N_MODELS,
                                .series = series};
    struct chart named = chart;
    enum status_code code = STATUS_OK;
    for (size_t m = 0; m < N_MODELS; m++) {
        history_name_model(&series[m], models[m]);
        TRY(history_series(history, metric_series, metric, models[m], &series[m], status));
    }
    buf_addf(&title, "%s over the last runs", metric);
    TRY(buf_check(&title, status));
    named.title = buf_text(&title);
    if (chart_has_lines(&named)) {
        figure_begin(figures, buf_text(&title));
        chart_add(&named, &figures->html);
        figure_end(figures);
    }
done:
    buf_release(&title);
    return code;
}

/* Charts of a few other metrics of users. */
static enum status_code add_others(const struct report_history *history, struct series *series,
                                   struct figures *figures, struct status *status)
{
    struct db_query *query = NULL;
    char names[OTHERS_MAX][FINDINGS_NAME_MAX];
    size_t n = 0;
    bool has_row;
    enum status_code code;
    TRY(db_prepare(history->work,
                   "SELECT name FROM run_metric WHERE run = ?1 AND model = 'nightjar'"
                   " AND grp = 'all' AND label LIKE 'evaluate%' AND name <> ?2"
                   " ORDER BY name NOT LIKE 'recall%', name NOT LIKE 'ndcg%', name NOT LIKE 'hit%',"
                   " name",
                   &query, status));
    TRY(db_bind_int64(query, 1, history->judged, status));
    TRY(db_bind_string(query, 2, history->findings.metric, status));
    while (n < OTHERS_MAX) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        snprintf(names[n++], sizeof names[0], "%s", db_column_text(query, 0, NULL));
    }
    for (size_t i = 0; i < n; i++) {
        TRY(add_metric_chart(history, names[i], series, figures, status));
    }
done:
    db_finalize(query);
    return code;
}

/* ---- this run ---- */

/* Of what is published; the others are what it has to beat. */
#define PARTS "'towers', 'evidence', 'ridge'"

static const char model_rows[] =
    "SELECT model, value, error, model = 'nightjar', model IN (" PARTS "),"
    " max(iif(model = 'nightjar', value, NULL)) OVER (), max(value) OVER () FROM run_metric"
    " WHERE run = ?1 AND name = ?2 AND grp = 'all'"
    " ORDER BY model <> 'nightjar', model IN (" PARTS "), value DESC, model";

/* Two cells: "1.18 times" and "no accident" of nightjar against another model; its own error. */
static void add_comparison(struct db_query *query, struct buf *out)
{
    const double value = db_column_double(query, 1), own = db_column_double(query, 5);
    const double error = db_column_double(query, 2); /* 0: unknown */
    const bool is_own = db_column_int64(query, 3) != 0;
    buf_add_text(out, "<td class=\"n\">");
    if (!is_own && value > 0) {
        buf_addf(out, "%.2f times", own / value);
    }
    buf_add_text(out, "<td>");
    if (is_own && error > 0) {
        buf_addf(out, "\xC2\xB1 %.4f", error);
    } else if (error > 0) {
        buf_add_text(out,
                     findings_is_clear(own - value, error) ? "no accident" : "could be chance");
    }
}

static enum status_code add_models(const struct report_history *history, struct buf *out,
                                   struct status *status)
{
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    TRY(db_prepare(history->work, model_rows, &query, status));
    TRY(db_bind_int64(query, 1, history->judged, status));
    TRY(db_bind_string(query, 2, history->findings.metric, status));
    table_begin(out, "nightjar beside simple lists");
    buf_add_text(out, "<thead><tr><th scope=\"col\">lists of<th scope=\"col\" class=\"n\">");
    html_add_text(out, history->findings.metric);
    buf_add_text(out, "<td class=\"bars\"><th scope=\"col\" class=\"n\">nightjar has"
                      "<th scope=\"col\">the difference</thead><tbody>\n");
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        buf_addf(out, "<tr%s><th scope=\"row\">",
                 db_column_int64(query, 3) != 0 ? " class=\"own\"" : "");
        buf_add_text(out, db_column_int64(query, 4) != 0 ? "its part: " : "");
        html_add_text(out, findings_model(db_column_text(query, 0, NULL)));
        buf_addf(out, "<td class=\"n\">%.4f", db_column_double(query, 1));
        page_add_bar(db_column_double(query, 1), db_column_double(query, 6), out);
        add_comparison(query, out);
        buf_add_text(out, "\n");
    }
    buf_add_text(out, "</tbody>");
    table_end(out);
done:
    db_finalize(query);
    return code;
}

static const char all_metrics[] =
    "SELECT name, model, value FROM run_metric WHERE run = ?1 AND grp = 'all'"
    " AND label LIKE 'evaluate%' AND model <> 'data' ORDER BY name, model <> 'nightjar', model";

/* Every metric of the run, a line each with all models. */
static enum status_code add_all(const struct report_history *history, struct buf *out,
                                struct status *status)
{
    struct db_query *query = NULL;
    struct buf name = {0};
    bool has_row;
    enum status_code code;
    TRY(db_prepare(history->work, all_metrics, &query, status));
    TRY(db_bind_int64(query, 1, history->judged, status));
    buf_add_text(out, "<details><summary>Every metric of this run</summary>");
    table_begin(out, "every metric of this run");
    buf_add_text(out, "<thead><tr><th scope=\"col\">metric<th scope=\"col\">lists of"
                      "<th scope=\"col\" class=\"n\">value</thead><tbody>\n");
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        const char *text = db_column_text(query, 0, NULL);
        const bool is_own = strcmp(text, buf_text(&name)) != 0;
        buf_clear(&name);
        buf_add_text(&name, text);
        TRY(buf_check(&name, status));
        buf_addf(out, "<tr%s><th scope=\"row\">", is_own ? " class=\"own\"" : "");
        html_add_text(out, buf_text(&name));
        buf_add_text(out, "<td>");
        html_add_text(out, findings_model(db_column_text(query, 1, NULL)));
        buf_add_text(out, "<td class=\"n\">");
        html_add_number(out, db_column_double(query, 2));
        buf_add_text(out, "\n");
    }
    buf_add_text(out, "</tbody>");
    table_end(out);
    buf_add_text(out, "</details>");
done:
    buf_release(&name);
    db_finalize(query);
    return code;
}

enum status_code history_quality(const struct report_history *history, struct buf *out,
                                 struct status *status)
{
    struct figures figures = {0};
    struct series *series = NULL;
    enum status_code code = STATUS_OK;
    if (history->findings.metric[0] == '\0') {
        goto done;
    }
    TRY(chart_new(&series, status));
    TRY(add_metric_chart(history, history->findings.metric, series, &figures, status));
    TRY(add_others(history, series, &figures, status));
    section_begin(out, "How good the lists are",
                  "What users chose and training did not see, found in lists that were made "
                  "without it: the higher, the better. Simple lists are judged on the same users.");
    if (figures.n == 1) { /* the only chart has it beside it */
        figure_begin(&figures, NULL);
        TRY(add_models(history, &figures.html, status));
        figure_end(&figures);
    } else {
        TRY(add_models(history, out, status));
    }
    figures_end(&figures, out);
    TRY(add_all(history, out, status));
    section_end(out);
done:
    buf_release(&figures.html);
    mem_free(series);
    return code;
}
