/* Series to a chart and to a table. */
#include "stages/report/report_chart.h"

#include "base/mem.h"
#include "stages/report/report_page.h"
#include "stages/report/report_svg.h"

#include <math.h>

enum { TABLE_ROWS = 60 };

enum status_code chart_new(struct series **series, struct status *status)
{
    return MEM_NEW(series, SERIES_MAX, status);
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

bool chart_has_lines(const struct chart *chart)
{
    for (size_t s = 0; s < chart->n; s++) {
        size_t n = 0;
        for (size_t i = 0; i < chart->series[s].n; i++) {
            n += isfinite(chart->series[s].y[i]) ? 1 : 0;
        }
        if (n > 1) {
            return true;
        }
    }
    return false;
}

/* The value of a series at x; NAN: it has none. */
static double value_at(const struct series *series, double x)
{
    for (size_t i = series->n; i-- > 0;) {
        if (fabs(series->x[i] - x) < 1e-9) {
            return series->y[i];
        }
    }
    return (double)NAN;
}

static void add_x(const struct chart *chart, double x, struct buf *out)
{
    if (chart->x_kind == AXIS_TIME) {
        html_add_time(out, (int64_t)x);
    } else {
        html_add_number(out, x);
    }
}

/* A row for each x of the series with most points, the newest first. */
static void add_table(const struct chart *chart, struct buf *out)
{
    const struct series *longest = &chart->series[0];
    for (size_t s = 1; s < chart->n; s++) {
        longest = chart->series[s].n > longest->n ? &chart->series[s] : longest;
    }
    buf_add_text(out, "<details><summary>The figures as a table</summary>");
    table_begin(out, chart->title);
    buf_add_text(out, "<thead><tr><th scope=\"col\">");
    html_add_text(out, chart->x_label);
    for (size_t s = 0; s < chart->n; s++) {
        if (has_values(&chart->series[s])) {
            buf_add_text(out, "<th scope=\"col\" class=\"n\">");
            html_add_text(out, chart->series[s].name);
        }
    }
    buf_add_text(out, "</thead><tbody>\n");
    for (size_t i = longest->n, shown = 0; i-- > 0 && shown < TABLE_ROWS; shown++) {
        buf_add_text(out, "<tr><th scope=\"row\">");
        add_x(chart, longest->x[i], out);
        for (size_t s = 0; s < chart->n; s++) {
            if (has_values(&chart->series[s])) {
                buf_add_text(out, "<td class=\"n\">");
                html_add_number(out, value_at(&chart->series[s], longest->x[i]));
            }
        }
        buf_add_text(out, "\n");
    }
    buf_add_text(out, "</tbody>");
    table_end(out);
    buf_add_text(out, "</details>");
}

void chart_add(const struct chart *chart, struct buf *out)
{
    static const double zero = 0;
    struct svg_chart svg = {.out = out,
                            .x = axis_empty(chart->x_label, chart->x_kind),
                            .y = axis_empty(chart->y_label, AXIS_NUMBER)};
    if (!chart_has_lines(chart)) {
        return;
    }
    axis_hold(&svg.y, &zero, chart->from_zero ? 1 : 0);
    for (size_t s = 0; s < chart->n; s++) {
        if (has_values(&chart->series[s])) {
            axis_hold(&svg.x, chart->series[s].x, chart->series[s].n);
            axis_hold(&svg.y, chart->series[s].y, chart->series[s].n);
        }
    }
    svg_begin(&svg, chart->title);
    for (size_t s = chart->n; s-- > 0;) { /* the first on top */
        const struct series *line = &chart->series[s];
        if (has_values(line)) {
            svg_line(&svg, line->x, line->y, line->n, line->color, line->name);
        }
    }
    svg_end(&svg);
    buf_add_text(out, "<ul class=\"legend\">");
    for (size_t s = 0; s < chart->n; s++) {
        if (has_values(&chart->series[s])) {
            svg_key(out, chart->series[s].color, true, chart->series[s].name);
        }
    }
    buf_add_text(out, "</ul>");
    add_table(chart, out);
}
