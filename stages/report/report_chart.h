/* A chart of a few series with its legend, and the same figures as a table for those who cannot
 * point at a line. */
#ifndef NIGHTJAR_STAGES_REPORT_REPORT_CHART_H
#define NIGHTJAR_STAGES_REPORT_REPORT_CHART_H

#include "stages/report/report_axis.h"
#include "base/status.h"

enum { SERIES_MAX = 8, SERIES_POINTS_MAX = 1024, SERIES_NAME_MAX = 64 };

/* Points of one line, by rising x; y NAN: there is none. */
struct series {
    char name[SERIES_NAME_MAX];
    size_t color; /* and dash, and mark */
    size_t n;
    double x[SERIES_POINTS_MAX], y[SERIES_POINTS_MAX];
};

struct chart {
    const char *title; /* for a screen reader */
    const char *x_label, *y_label;
    enum axis_kind x_kind;
    bool from_zero;
    size_t n; /* series, of SERIES_MAX */
    struct series *series;
};

/* Room for SERIES_MAX series; free with chart_free. */
MUST_CHECK enum status_code chart_new(struct series **series, struct status *status);
/* Whether any of the series is a line, of two points at least. */
bool chart_has_lines(const struct chart *chart);
/* The lines that have values; nothing where none is a line. */
void chart_add(const struct chart *chart, struct buf *out);

#endif
