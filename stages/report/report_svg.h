/* Charts as inline SVG: axes with round ticks, lines, dots, bars, legends. Colours are classes of
 * the page (report_page.c), so that light and dark come from one place. */
#ifndef NIGHTJAR_STAGES_REPORT_REPORT_SVG_H
#define NIGHTJAR_STAGES_REPORT_REPORT_SVG_H

#include "base/buf.h"

enum { SVG_COLORS = 8 }; /* classes c0 .. c7; the last one stands for "the rest" */

struct svg_axis {
    double from, to;   /* equal: widened by svg_begin */
    const char *label; /* with its unit; NULL: the axis is not drawn */
    bool whole;        /* ticks at whole numbers alone */
};

struct svg_chart {
    struct buf *out;
    struct svg_axis x, y;
};

/* Widens the axis to hold the finite ones of the values. */
void svg_axis_hold(struct svg_axis *axis, const double *values, size_t n);
/* An axis that holds nothing yet. */
struct svg_axis svg_axis_empty(const char *label, bool whole);

/* `title` is what a screen reader says. */
void svg_begin(struct svg_chart *chart, const char *title);
/* A line through the points; it breaks where y is not finite. Few points get dots that tell x and
 * y on hover. */
void svg_line(struct svg_chart *chart, const double *x, const double *y, size_t n, size_t color,
              const char *name);
/* `tip` is shown on hover. */
void svg_dot(struct svg_chart *chart, double x, double y, size_t color, const char *tip);
void svg_end(struct svg_chart *chart);

/* Names of colours 0, 1, ... */
void svg_legend(struct buf *out, const char *const *names, size_t n);

/* Adds the bytes (UTF-8) with &, <, > and quotes escaped and control characters left out. */
void html_add(struct buf *out, const char *text, size_t length);
void html_add_text(struct buf *out, const char *text); /* ended by a NUL */

#endif
