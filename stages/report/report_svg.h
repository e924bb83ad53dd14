/* Charts as inline SVG: axes, lines, marks, legends. A series is told by colour and by its dash and
 * mark; colours are classes of the page (report_styles.c), so that light and dark come from one
 * place. */
#ifndef NIGHTJAR_STAGES_REPORT_REPORT_SVG_H
#define NIGHTJAR_STAGES_REPORT_REPORT_SVG_H

#include "stages/report/report_axis.h"

enum { SVG_COLORS = 8 }; /* classes c0 .. c7; the last one stands for "the rest" */

struct svg_chart {
    struct buf *out;
    struct axis x, y; /* settled by svg_begin */
};

/* `title` is what a screen reader says. */
void svg_begin(struct svg_chart *chart, const char *title);
/* A line through the points; it breaks where y is not finite. Few points get marks that tell x and
 * y on hover. */
void svg_line(struct svg_chart *chart, const double *x, const double *y, size_t n, size_t color,
              const char *name);
/* `tip` is shown on hover. */
void svg_mark(struct svg_chart *chart, double x, double y, size_t color, const char *tip);
void svg_end(struct svg_chart *chart);

/* An entry of a legend: a piece of the line, or the mark alone, and the name. */
void svg_key(struct buf *out, size_t color, bool is_line, const char *name);

#endif
