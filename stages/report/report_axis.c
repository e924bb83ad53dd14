/* Round numbers and round times. */
#include "stages/report/report_axis.h"
#include "base/clock.h"

#include "stages/report/report_html.h"

#include <math.h>

enum { TICKS = 5 };

struct axis axis_empty(const char *label, enum axis_kind kind)
{
    return (struct axis){.from = INFINITY, .to = -INFINITY, .label = label, .kind = kind};
}

void axis_hold(struct axis *axis, const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (isfinite(values[i])) {
            axis->from = fmin(axis->from, values[i]);
            axis->to = fmax(axis->to, values[i]);
        }
    }
}

/* 1, 2 or 5 times a power of ten, so that about TICKS of them fit the range. */
static double step_of_numbers(const struct axis *axis)
{
    const double rough = (axis->to - axis->from) / TICKS;
    const double power = pow(10, floor(log10(rough)));
    const double scaled = rough / power;
    const double step = power * (scaled <= 1 ? 1 : scaled <= 2 ? 2 : scaled <= 5 ? 5 : 10);
    return axis->kind == AXIS_WHOLE ? fmax(1, ceil(step)) : step;
}

static double step_of_times(const struct axis *axis)
{
    static const double steps[] = {1,
                                   5,
                                   15,
                                   60,
                                   300,
                                   900,
                                   3600,
                                   3 * 3600,
                                   6 * 3600,
                                   12 * 3600,
                                   CLOCK_DAY,
                                   2 * CLOCK_DAY,
                                   7 * CLOCK_DAY,
                                   14 * CLOCK_DAY,
                                   30 * CLOCK_DAY,
                                   91 * CLOCK_DAY,
                                   365 * CLOCK_DAY};
    enum { N_STEPS = sizeof steps / sizeof *steps };
    size_t s = 0;
    while (s + 1 < N_STEPS && (axis->to - axis->from) / steps[s] > TICKS) {
        s++;
    }
    return steps[s];
}

void axis_settle(struct axis *axis)
{
    if (!isfinite(axis->from) || !isfinite(axis->to)) {
        axis->from = 0;
        axis->to = 1;
    }
    if (axis->kind == AXIS_TIME) {
        const double room = fmax(0.03 * (axis->to - axis->from), 1);
        axis->from -= room;
        axis->to += room;
        axis->step = step_of_times(axis);
        return;
    }
    if (axis->to - axis->from < 1e-9 * fmax(fabs(axis->to), 1e-9)) {
        const double value = axis->to;
        const double room = axis->kind == AXIS_WHOLE ? 1 : fabs(value) / 5;
        axis->from = value > 0 ? fmax(0, value - room) : value - room;
        axis->to = fabs(value) < 1e-12 ? 1 : value + room;
    }
    axis->step = step_of_numbers(axis);
    if (axis->label == NULL) {
        return;
    }
    axis->from = floor(axis->from / axis->step + 1e-9) * axis->step;
    axis->to = ceil(axis->to / axis->step - 1e-9) * axis->step;
}

double axis_first_tick(const struct axis *axis)
{
    return ceil(axis->from / axis->step - 1e-9) * axis->step;
}

void axis_add_tick(const struct axis *axis, double tick, struct buf *out)
{
    if (axis->kind == AXIS_TIME) {
        char text[HTML_DATE_MAX];
        html_format_date((int64_t)llround(tick), axis->step < CLOCK_DAY, axis->step < 60, text);
        buf_add_text(out, text);
    } else if (fabs(tick) < axis->step / 2) {
        buf_add_char(out, '0');
    } else if (fabs(tick) >= 1000) {
        html_add_number(out, tick);
    } else {
        buf_addf(out, "%.4g", tick);
    }
}

void axis_add_day(const struct axis *axis, struct buf *out)
{
    if (axis->kind == AXIS_TIME && axis->step < CLOCK_DAY) {
        char text[HTML_DATE_MAX];
        html_format_date((int64_t)llround(axis->to), false, false, text);
        buf_addf(out, " (UTC, the last on %s)", text);
    }
}
