/* Axes of charts: ranges that contain their data and begin and end at a tick, ticks at round
 * numbers or at round times. */
#ifndef NIGHTJAR_STAGES_REPORT_REPORT_AXIS_H
#define NIGHTJAR_STAGES_REPORT_REPORT_AXIS_H

#include "base/buf.h"

enum axis_kind {
    AXIS_NUMBER,
    AXIS_WHOLE, /* ticks at whole numbers alone */
    AXIS_TIME   /* Unix seconds; it ends where its data do */
};

struct axis {
    double from, to;   /* settled by axis_settle */
    double step;       /* between ticks */
    const char *label; /* with its unit; NULL: the axis is not drawn */
    enum axis_kind kind;
};

/* An axis that holds nothing yet. */
struct axis axis_empty(const char *label, enum axis_kind kind);
/* Widens the axis to hold the finite ones of the values. */
void axis_hold(struct axis *axis, const double *values, size_t n);
/* Once it holds all: from < to, both at a tick (but for times, and where it is not drawn). One
 * value alone gets room around it, zeros alone 0 to 1. */
void axis_settle(struct axis *axis);
/* The first tick, at `from` or behind it. */
double axis_first_tick(const struct axis *axis);
/* "1,500", "0.05", "28 Nov", "14:05". */
void axis_add_tick(const struct axis *axis, double tick, struct buf *out);
/* What has to be said beside ticks that are times of the day: "28 Nov, UTC"; else "". */
void axis_add_day(const struct axis *axis, struct buf *out);

#endif
