/* The log that was read, the training, the stages. */
#include "stages/report/report_history.h"

#include "base/mem.h"
#include "base/num.h"

#include <math.h>

static const char rows_series[] =
    "SELECT r.started, s.n_rows FROM (SELECT run, started FROM run WHERE run <= ?1"
    " ORDER BY run DESC LIMIT ?2) AS r JOIN stage_run AS s ON s.run = r.run AND s.label = ?3"
    " AND s.state <> 'failed' AND ?4 = ?4 ORDER BY r.run";
static const char data_series[] =
    "SELECT r.started, m.value FROM (SELECT run, started FROM run WHERE run <= ?1"
    " ORDER BY run DESC LIMIT ?2) AS r JOIN run_metric AS m ON m.run = r.run AND m.name = ?3"
    " AND m.model = 'data' AND m.grp = 'all' AND ?4 = ?4 ORDER BY r.run";
static const char curve_series[] =
    "SELECT epoch, CASE ?4 WHEN 'loss' THEN loss ELSE validation END FROM training_curve"
    " WHERE stage = ?3 AND run = (SELECT max(run) FROM training_curve WHERE stage = ?3"
    "  AND run <= ?1) AND ?2 > 0 ORDER BY epoch";

/* A line of a chart. */
struct line {
    const char *name, *sql, *first, *second;
};

/* A figure with a chart of the lines that have values; none without any. */
static enum status_code add_lines(const struct report_history *history, const char *heading,
                                  struct chart chart, const struct line *lines,
                                  struct figures *figures, struct status *status)
{
    enum status_code code = STATUS_OK;
    for (size_t l = 0; l < chart.n; l++) {
        struct series *series = &chart.series[l];
        snprintf(series->name, sizeof series->name, "%s", lines[l].name);
        series->color = l;
        TRY(history_series(history, lines[l].sql, lines[l].first, lines[l].second, series, status));
    }
    if (chart_has_lines(&chart)) {
        chart.title = heading;
        figure_begin(figures, heading);
        chart_add(&chart, &figures->html);
        figure_end(figures);
    }
done:
    return code;
}

static enum status_code add_charts(const struct report_history *history, struct series *series,
                                   struct figures *figures, struct status *status)
{
    static const struct line rows[] = {{"rows read", rows_series, "interactions", ""}};
    static const struct line people[] = {{"users", data_series, "log_users", ""},
                                         {"items", data_series, "log_items", ""}};
    static const struct line bad[] = {
        {"rejected rows", data_series, "log_rejected", ""},
        {"rows of unknown event types", data_series, "log_unknown_events", ""}};
    static const struct line loss[] = {
        {"train, to find the best epoch", curve_series, "train", "loss"},
        {"refit, on all events", curve_series, "refit", "loss"},
        {"train, reading sequences", curve_series, "train.sequence", "loss"},
        {"refit, reading sequences", curve_series, "refit.sequence", "loss"}};
    static const struct line valid[] = {
        {"validation", curve_series, "train", "validation"},
        {"validation, of sequences alone", curve_series, "train.sequence", "validation"}};
    struct chart by_run = {.x_label = "run of",
                           .y_label = "rows",
                           .x_kind = AXIS_TIME,
                           .from_zero = true,
                           .n = 1,
                           .series = series};
    struct chart by_epoch = {.x_label = "epoch",
                             .y_label = "mean loss of a positive",
                             .x_kind = AXIS_WHOLE,
                             .n = 4,
                             .series = series};
    enum status_code code;
    TRY(add_lines(history, "Rows of the log", by_run, rows, figures, status));
    by_run.n = 2;
    TRY(add_lines(history, "Rows left out", by_run, bad, figures, status));
    by_run.y_label = "count";
    TRY(add_lines(history, "Users and items in the log", by_run, people, figures, status));
    TRY(add_lines(history, "Training: the loss", by_epoch, loss, figures, status));
    by_epoch.y_label = "validation metric";
    by_epoch.from_zero = true;
    by_epoch.n = 2;
    TRY(add_lines(history, "Training: what chooses the epoch", by_epoch, valid, figures, status));
done:
    return code;
}

static enum status_code add_stages(const struct report_history *history, struct figures *figures,
                                   struct status *status)
{
    struct buf *out = &figures->html;
    struct db_query *query = NULL;
    char title[64] = "Stages of this run";
    bool has_row;
    enum status_code code;
    TRY(db_prepare(history->work,
                   "SELECT label, state, seconds, n_rows FROM stage_run WHERE run = ?1"
                   " ORDER BY position",
                   &query, status));
    TRY(db_bind_int64(query, 1, history->run, status));
    if (history->n_ranks > 1) {
        snprintf(title, sizeof title, "Stages of this run, rows of all %zu ranks",
                 history->n_ranks);
    }
    figure_begin(figures, title);
    table_begin(out, "stages of this run");
    buf_add_text(out, "<thead><tr><th scope=\"col\">stage<th scope=\"col\" class=\"n\">took"
                      "<th scope=\"col\" class=\"n\">rows</thead><tbody>\n");
    for (;;) {
        char time[NUM_TEXT_MAX];
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        const char *state = db_column_text(query, 1, NULL);
        num_format_duration(db_column_double(query, 2), time);
        buf_add_text(out, "<tr><th scope=\"row\">");
        html_add_text(out, db_column_text(query, 0, NULL));
        buf_addf(out, "<td class=\"n\">%s<td class=\"n\">",
                 strcmp(state, "skipped") == 0  ? "unchanged"
                 : strcmp(state, "failed") == 0 ? "failed"
                                                : time);
        if (db_column_int64(query, 3) > 0 && strcmp(state, "done") == 0) {
            html_add_number(out, db_column_double(query, 3));
        }
        buf_add_text(out, "\n");
    }
    buf_add_text(out, "</tbody>");
    table_end(out);
    figure_end(figures);
done:
    db_finalize(query);
    return code;
}

enum status_code history_work(const struct report_history *history, struct buf *out,
                              struct status *status)
{
    struct figures figures = {0};
    struct series *series = NULL;
    enum status_code code;
    TRY(chart_new(&series, status));
    TRY(add_charts(history, series, &figures, status));
    TRY(add_stages(history, &figures, status));
    section_begin(out, "The log and the work", NULL);
    figures_end(&figures, out);
    section_end(out);
done:
    buf_release(&figures.html);
    mem_free(series);
    return code;
}
