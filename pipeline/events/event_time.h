/* Times of events: in which unit a column counts, declared or found out from the first row, and
 * checked on every row. */
#ifndef NIGHTJAR_EVENTS_EVENT_TIME_H
#define NIGHTJAR_EVENTS_EVENT_TIME_H

#include "events/row_report.h"

enum time_unit { TIME_AUTO, TIME_SECONDS, TIME_MILLISECONDS, TIME_ISO8601, N_TIME_UNITS };
extern const char *const time_unit_names[N_TIME_UNITS + 1]; /* ends with NULL */

/* Dates from 1980 on and before 2200 are believed. Read as seconds and as milliseconds these are
 * two ranges of numbers without a common value, so that a number says its unit. */
#define TIME_FIRST INT64_C(315532800)
#define TIME_END   INT64_C(7258118400)

/* The unit of one column. */
struct event_clock {
    enum time_unit unit; /* TIME_AUTO until the first sound row */
    bool is_declared;    /* by the time_unit option; else found in the row `decided_by` */
    struct row_place decided_by;
};

/* *unix_seconds = the time of one row (fractions dropped downwards), with *fault N_ROW_FAULTS; or
 * what is wrong with the row. A sound time of another unit than the column's is STATUS_DATA, naming
 * the row: the whole column would be read wrongly. */
MUST_CHECK enum status_code event_clock_read(struct event_clock *clock, const struct db_cell *cell,
                                             const struct row_place *place, enum row_fault *fault,
                                             int64_t *unix_seconds, struct status *status);

#endif
