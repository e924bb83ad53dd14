/* Charts drawn into a view of 420 x 260 units, which a phone shows nearly as they are. */
#include "stages/report/report_svg.h"

#include <math.h>

enum { WIDTH = 420, HEIGHT = 260, LEFT = 58, RIGHT = 12, TOP = 10, BOTTOM = 44 };
enum { TICKS = 5, DOTS_MAX = 80, TICKS_MAX = 12 };

void html_add(struct buf *out, const char *text, size_t length)
{
    for (const char *end = text + length; text < end; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '&') {
            buf_add_text(out, "&amp;");
        } else if (c == '<') {
            buf_add_text(out, "&lt;");
        } else if (c == '>') {
            buf_add_text(out, "&gt;");
        } else if (c == '"') {
            buf_add_text(out, "&quot;");
        } else if (c >= 0x20 && c != 0x7f) {
            buf_add(out, text, 1);
        }
    }
}

void html_add_text(struct buf *out, const char *text)
{
    html_add(out, text, strlen(text));
}

struct svg_axis svg_axis_empty(const char *label, bool whole)
{
    return (struct svg_axis){.from = INFINITY, .to = -INFINITY, .label = label, .whole = whole};
}

void svg_axis_hold(struct svg_axis *axis, const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (isfinite(values[i])) {
            axis->from = fmin(axis->from, values[i]);
            axis->to = fmax(axis->to, values[i]);
        }
    }
}

/* 1, 2 or 5 times a power of ten, so that about TICKS of them fit the range. */
static double tick_step(const struct svg_axis *axis)
{
    const double rough = (axis->to - axis->from) / TICKS;
    const double power = pow(10, floor(log10(rough)));
    const double scaled = rough / power;
    const double step = power * (scaled <= 1 ? 1 : scaled <= 2 ? 2 : scaled <= 5 ? 5 : 10);
    return axis->whole ? fmax(1, ceil(step)) : step;
}

static void settle(struct svg_axis *axis)
{
    if (!isfinite(axis->from) || !isfinite(axis->to)) {
        axis->from = 0;
        axis->to = 1;
    }
    if (axis->to - axis->from < 1e-12 * fmax(1, fabs(axis->to))) {
        const double half = axis->whole ? 1 : fmax(0.05 * fabs(axis->to), 1e-6);
        axis->from -= half;
        axis->to += half;
    }
}

static double place_x(const struct svg_chart *chart, double x)
{
    return LEFT + (x - chart->x.from) / (chart->x.to - chart->x.from) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const struct svg_chart *chart, double y)
{
    return HEIGHT - BOTTOM -
           (y - chart->y.from) / (chart->y.to - chart->y.from) * (HEIGHT - TOP - BOTTOM);
}

/* "1200", "12k", "0.0125": short, and exact for a tick. */
static void add_number(struct buf *out, double value)
{
    const double size = fabs(value);
    if (size >= 1e6) {
        buf_addf(out, "%.4gM", value / 1e6);
    } else if (size >= 1e4) {
        buf_addf(out, "%.4gk", value / 1e3);
    } else {
        buf_addf(out, "%.4g", size < 1e-12 ? 0.0 : value);
    }
}

static void add_ticks(struct svg_chart *chart, bool is_x)
{
    const struct svg_axis *axis = is_x ? &chart->x : &chart->y;
    struct buf *out = chart->out;
    const double step = tick_step(axis);
    double tick = ceil(axis->from / step - 1e-9) * step;
    for (int i = 0; i < TICKS_MAX && tick <= axis->to + step * 1e-9; i++, tick += step) {
        if (is_x) {
            const double x = place_x(chart, tick);
            buf_addf(out, "<text class=\"t\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", x,
                     HEIGHT - BOTTOM + 16);
        } else {
            const double y = place_y(chart, tick);
            buf_addf(out, "<line class=\"g\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT,
                     WIDTH - RIGHT, y, y);
            buf_addf(out, "<text class=\"t\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", LEFT - 6,
                     y + 4);
        }
        add_number(out, tick);
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
    settle(&chart->x);
    settle(&chart->y);
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
    for (size_t i = 0; i < n && n <= DOTS_MAX; i++) {
        if (isfinite(y[i])) {
            struct buf tip = {0};
            buf_addf(&tip, "%s: %.4g at %.6g", name, y[i], x[i]);
            svg_dot(chart, x[i], y[i], color, buf_text(&tip));
            buf_release(&tip);
        }
    }
}

void svg_dot(struct svg_chart *chart, double x, double y, size_t color, const char *tip)
{
    buf_addf(chart->out, "<circle class=\"d c%zu\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.4\"><title>",
             color % SVG_COLORS, place_x(chart, x), place_y(chart, y));
    html_add_text(chart->out, tip);
    buf_add_text(chart->out, "</title></circle>");
}

void svg_end(struct svg_chart *chart)
{
    buf_add_text(chart->out, "</svg>\n");
}

void svg_legend(struct buf *out, const char *const *names, size_t n)
{
    buf_add_text(out, "<p class=\"legend\">");
    for (size_t i = 0; i < n; i++) {
        buf_addf(out, "<span class=\"c%zu\"></span>", i % SVG_COLORS);
        html_add_text(out, names[i]);
        buf_add_text(out, " ");
    }
    buf_add_text(out, "</p>\n");
}
