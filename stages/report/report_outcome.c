/* What became of the lists that were shown before: as publish has judged them. */
#include "stages/report/report_history.h"

#include "base/mem.h"

/* The groups of the run ?1; the popular items have no source. */
static const char group_rows[] =
    "SELECT m.grp, m.value, p.value, max(m.value) OVER () FROM run_metric AS m"
    " LEFT JOIN run_metric AS p ON p.run = m.run AND p.name = m.name AND p.grp = m.grp"
    "  AND p.model = 'popularity'"
    " WHERE m.run = ?1 AND m.name = 'outcome_share' AND m.model = 'lists'"
    " ORDER BY m.grp <> 'all', m.grp GLOB 'source:*', m.grp GLOB 'users:*',"
    "  CAST(substr(m.grp, 7) AS INTEGER), m.grp";

static const char points[] =
    "SELECT r.started, 100 * m.value FROM (SELECT run, started FROM run WHERE run <= ?1"
    " ORDER BY run DESC LIMIT ?2) AS r JOIN run_metric AS m USING (run)"
    " WHERE m.name = ?3 AND m.model = ?4 AND m.grp = 'all' ORDER BY r.run";

static const char *group_name(const char *group)
{
    static const char *const names[][2] = {
        {"all", "all rows"},
        {"ranks:1-5", "ranks 1 to 5"},
        {"ranks:6-10", "ranks 6 to 10"},
        {"ranks:11-20", "ranks 11 to 20"},
        {"ranks:21-50", "ranks 21 to 50"},
        {"ranks:51+", "ranks from 51 on"},
        {"source:model", "from the model"},
        {"source:cold", "of users or items that are new"},
        {"source:popular", "filled up with popular items"},
        {"source:relaxed", "where a limit gave way"},
        {"users:1-4", "users who have 1 to 4 items"},
        {"users:5-19", "users who have 5 to 19"},
        {"users:20-99", "users who have 20 to 99"},
        {"users:100+", "users who have 100 or more"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i][0], group) == 0) {
            return names[i][1];
        }
    }
    return group;
}

static enum status_code add_groups(const struct report_history *history, struct buf *out,
                                   struct status *status)
{
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    TRY(db_prepare(history->work, group_rows, &query, status));
    TRY(db_bind_int64(query, 1, history->run, status));
    table_begin(out, "rows that came true, by groups");
    buf_add_text(out, "<thead><tr><th scope=\"col\">of<th scope=\"col\" class=\"n\">lists"
                      "<td class=\"bars\"><th scope=\"col\" class=\"n\">popular items</thead>"
                      "<tbody>\n");
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        const double value = db_column_double(query, 1);
        buf_add_text(out, "<tr><th scope=\"row\">");
        html_add_text(out, group_name(db_column_text(query, 0, NULL)));
        buf_addf(out, "<td class=\"n\">%.2f %%", 100 * value);
        page_add_bar(value, db_column_double(query, 3), out);
        buf_add_text(out, "<td class=\"n\">");
        if (db_column_type(query, 2) != DB_NULL) {
            buf_addf(out, "%.2f %%", 100 * db_column_double(query, 2));
        }
        buf_add_text(out, "\n");
    }
    buf_add_text(out, "</tbody>");
    table_end(out);
done:
    db_finalize(query);
    return code;
}

/* A line each for the lists and the popular items, over the runs. */
static enum status_code add_runs(const struct report_history *history, struct figures *figures,
                                 struct status *status)
{
    static const char *const models[][2] = {{"lists", "lists"}, {"popularity", "popular items"}};
    struct series *series = NULL;
    enum status_code code;
    TRY(chart_new(&series, status));
    struct chart chart = {.title = "Rows that came true",
                          .x_label = "run of",
                          .y_label = "% of rows",
                          .x_kind = AXIS_TIME,
                          .from_zero = true,
                          .series = series,
                          .n = sizeof models / sizeof *models};
    for (size_t m = 0; m < chart.n; m++) {
        history_name_model(&series[m], m == 0 ? "nightjar" : models[m][0]);
        snprintf(series[m].name, sizeof series[m].name, "%s", models[m][1]);
        TRY(history_series(history, points, "outcome_share", models[m][0], &series[m], status));
    }
    if (chart_has_lines(&chart)) {
        figure_begin(figures, NULL);
        chart_add(&chart, &figures->html);
        figure_end(figures);
    }
done:
    mem_free(series);
    return code;
}

enum status_code history_outcome(const struct report_history *history, struct buf *out,
                                 struct status *status)
{
    struct figures figures = {0};
    struct buf sentence = {0}, variants = {0};
    enum status_code code = STATUS_OK;
    findings_add_outcome(&history->outcome, &sentence);
    if (sentence.length == 0) {
        goto done;
    }
    TRY(buf_check(&sentence, status));
    TRY(add_runs(history, &figures, status));
    figure_begin(&figures, "Of whom, and where in the list");
    TRY(add_groups(history, &figures.html, status));
    figure_end(&figures);
    TRY(findings_add_variants(history->work, history->run, &variants, status));
    section_begin(out, "What became of the lists", buf_text(&sentence));
    figures_end(&figures, out);
    if (variants.length > 0) {
        buf_add_text(out, "<p class=\"hint\">Variants, by chance: ");
        html_add_text(out, buf_text(&variants));
        buf_add_text(out, ".</p>\n");
    }
    section_end(out);
done:
    buf_release(&figures.html);
    buf_release(&sentence);
    buf_release(&variants);
    return code;
}
