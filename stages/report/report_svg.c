/* Charts drawn into a view of 420 x 250 units, which a phone shows nearly as they are. */
#include "stages/report/report_svg.h"

#include "stages/report/report_html.h"

#include <math.h>

enum { WIDTH = 420, HEIGHT = 250, LEFT = 60, RIGHT = 14, TOP = 10, BOTTOM = 46 };
enum { MARKS_MAX = 40, TICKS_MAX = 12 };

/* Paths of the marks, drawn from their middle. */
static const char *const marks[SVG_COLORS] = {
    "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",                          /* a dot */
    "m-2.8-2.8h5.6v5.6h-5.6z",                                     /* a square */
    "m0-3.8l3.6 6.2h-7.2z",                                        /* a triangle */
    "m0-4l4 4-4 4-4-4z",                                           /* a diamond */
    "m0 3.8l3.6-6.2h-7.2z",                                        /* a triangle on its head */
    "m-1.2-3.8h2.4v2.6h2.6v2.4h-2.6v2.6h-2.4v-2.6h-2.6v-2.4h2.6z", /* a plus */
    "m-4-1.3h8v2.6h-8z",                                           /* a bar */
    "m-1.8 0a1.8 1.8 0 1 0 3.6 0a1.8 1.8 0 1 0-3.6 0z",            /* a small dot */
};

/* Axes that are not drawn need no room. */
static double place_x(const struct svg_chart *chart, double x)
{
    const double left = chart->y.label != NULL ? LEFT : RIGHT;
    return left + (x - chart->x.from) / (chart->x.to - chart->x.from) * (WIDTH - left - RIGHT);
}

static double place_y(const struct svg_chart *chart, double y)
{
    const double bottom = HEIGHT - (chart->x.label != NULL ? BOTTOM : TOP);
    return bottom - (y - chart->y.from) / (chart->y.to - chart->y.from) * (bottom - TOP);
}

static void add_ticks(struct svg_chart *chart, bool is_x)
{
    const struct axis *axis = is_x ? &chart->x : &chart->y;
    struct buf *out = chart->out;
    double tick = axis_first_tick(axis);
    for (int i = 0; i < TICKS_MAX && tick <= axis->to + axis->step * 1e-9;
         i++, tick += axis->step) {
        if (is_x) {
            buf_addf(out, "<text class=\"t\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">",
                     place_x(chart, tick), HEIGHT - BOTTOM + 17);
        } else {
            const double y = place_y(chart, tick);
            buf_addf(out, "<path class=\"g\" d=\"M%d %.1fH%d\"/>", LEFT, y, WIDTH - RIGHT);
            buf_addf(out, "<text class=\"t\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", LEFT - 6,
                     y + 4);
        }
        axis_add_tick(axis, tick, out);
        buf_add_text(out, "</text>");
    }
}

static void add_labels(struct svg_chart *chart)
{
    struct buf *out = chart->out;
    const int middle = TOP + (HEIGHT - TOP - BOTTOM) / 2;
    buf_addf(out, "<text class=\"l\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">",
             LEFT + (WIDTH - LEFT - RIGHT) / 2, HEIGHT - 8);
    html_add_text(out, chart->x.label);
    axis_add_day(&chart->x, out);
    buf_addf(out,
             "</text><text class=\"l\" x=\"12\" y=\"%d\" text-anchor=\"middle\" "
             "transform=\"rotate(-90 12 %d)\">",
             middle, middle);
    html_add_text(out, chart->y.label);
    buf_add_text(out, "</text>");
}

void svg_begin(struct svg_chart *chart, const char *title)
{
    struct buf *out = chart->out;
    axis_settle(&chart->x);
    axis_settle(&chart->y);
    buf_addf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
    html_add_text(out, title);
    buf_add_text(out, "\">");
    if (chart->y.label != NULL) {
        add_ticks(chart, false);
        add_ticks(chart, true);
        add_labels(chart);
    }
}

void svg_line(struct svg_chart *chart, const double *x, const double *y, size_t n, size_t color,
              const char *name)
{
    struct buf *out = chart->out;
    bool open = false;
    buf_addf(out, "<path class=\"s c%zu\" d=\"", color % SVG_COLORS);
    for (size_t i = 0; i < n; i++) {
        if (isfinite(y[i])) {
            buf_addf(out, "%c%.1f %.1f", open ? 'L' : 'M', place_x(chart, x[i]),
                     place_y(chart, y[i]));
        }
        open = isfinite(y[i]);
    }
    buf_add_text(out, "\"/>");
    for (size_t i = 0; i < n && n <= MARKS_MAX; i++) {
        if (isfinite(y[i])) {
            struct buf tip = {0};
            buf_addf(&tip, "%s: ", name);
            html_add_number(&tip, y[i]);
            buf_add_text(&tip, ", ");
            if (chart->x.kind == AXIS_TIME) {
                html_add_time(&tip, (int64_t)x[i]);
            } else {
                html_add_number(&tip, x[i]);
            }
            svg_mark(chart, x[i], y[i], color, buf_text(&tip));
            buf_release(&tip);
        }
    }
}

void svg_mark(struct svg_chart *chart, double x, double y, size_t color, const char *tip)
{
    buf_addf(chart->out, "<path class=\"d c%zu\" d=\"M%.1f %.1f%s\"><title>", color % SVG_COLORS,
             place_x(chart, x), place_y(chart, y), marks[color % SVG_COLORS]);
    html_add_text(chart->out, tip);
    buf_add_text(chart->out, "</title></path>");
}

void svg_end(struct svg_chart *chart)
{
    buf_add_text(chart->out, "</svg>\n");
}

void svg_key(struct buf *out, size_t color, bool is_line, const char *name)
{
    const size_t c = color % SVG_COLORS;
    buf_addf(out, "<li><svg class=\"key\" viewBox=\"0 0 %d 10\" aria-hidden=\"true\">",
             is_line ? 30 : 12);
    if (is_line) {
        buf_addf(out, "<path class=\"s c%zu\" d=\"M0 5H30\"/>", c);
    }
    buf_addf(out, "<path class=\"d c%zu\" d=\"M%d 5%s\"/></svg>", c, is_line ? 15 : 6, marks[c]);
    html_add_text(out, name);
    buf_add_text(out, "</li>");
}
