/* Reading and checking times of events. */
#include "events/event_time.h"

#include "base/num.h"

#include <math.h>

const char *const time_unit_names[N_TIME_UNITS + 1] = {
    [TIME_AUTO] = "auto",
    [TIME_SECONDS] = "seconds",
    [TIME_MILLISECONDS] = "milliseconds",
    [TIME_ISO8601] = "iso8601",
};

static int64_t floor_divide(int64_t value, int64_t divisor)
{
    int64_t quotient = value / divisor;

    return value % divisor < 0 ? quotient - 1 : quotient;
}

/* The unit in which a number is a believable date, TIME_AUTO when there is none. */
static enum time_unit unit_of_number(int64_t number)
{
    if (number >= TIME_FIRST && number < TIME_END) {
        return TIME_SECONDS;
    }
    int64_t seconds = floor_divide(number, 1000);
    return seconds >= TIME_FIRST && seconds < TIME_END ? TIME_MILLISECONDS : TIME_AUTO;
}

/* A whole number out of any of the types; numbers that stand as text count as numbers, since a
 * column imported from CSV has no other. */
static bool as_number(const struct db_cell *cell, int64_t *number)
{
    double real = cell->real;

    if (cell->type == DB_INTEGER) {
        *number = cell->integer;
        return true;
    }
    if (cell->type == DB_TEXT) {
        if (num_parse_int64(cell->text, cell->length, number)) {
            return true;
        }
        if (!num_parse_double(cell->text, cell->length, &real)) {
            return false;
        }
    }
    if (!(fabs(real) < 9e18)) {
        *number = INT64_MAX; /* a number, but no date */
        return true;
    }
    *number = (int64_t)floor(real);
    return true;
}

static enum status_code refuse_unit(const struct event_clock *clock, enum time_unit looks_like,
                                    const struct db_cell *cell, int64_t number,
                                    const struct row_place *place, struct status *status)
{
    struct buf text = {0};

    row_place_add(place, &text);
    if (cell->type == DB_TEXT) {
        buf_addf(&text, ": time " PRIVATE_BEGIN "'%.*s'" PRIVATE_END,
                 (int)(cell->length < 40 ? cell->length : 40), cell->text);
    } else {
        buf_addf(&text, ": time " PRIVATE_BEGIN "%lld" PRIVATE_END, (long long)number);
    }
    buf_addf(&text, " looks like %s, but ", time_unit_names[looks_like]);
    if (clock->is_declared) {
        buf_addf(&text, "time_unit is %s; write time_unit: %s, or convert it in the query",
                 time_unit_names[clock->unit], time_unit_names[looks_like]);
    } else {
        buf_addf(&text, "the column was taken as %s from ", time_unit_names[clock->unit]);
        row_place_add(&clock->decided_by, &text);
        buf_add_text(&text, "; one column has one unit: convert it in the query");
    }
    enum status_code code = status_set(status, STATUS_DATA, "%s", buf_text(&text));
    buf_release(&text);
    return code;
}

enum status_code event_clock_read(struct event_clock *clock, const struct db_cell *cell,
                                  const struct row_place *place, enum row_fault *fault,
                                  int64_t *unix_seconds, struct status *status)
{
    enum time_unit unit = TIME_AUTO;
    int64_t number = 0, seconds = 0;

    *fault = cell->type == DB_NULL ? FAULT_TIME_NULL : FAULT_TIME_TYPE;
    if (cell->type == DB_NULL || cell->type == DB_BLOB) {
        return STATUS_OK;
    }
    if (as_number(cell, &number)) {
        unit = unit_of_number(number);
        seconds = unit == TIME_MILLISECONDS ? floor_divide(number, 1000) : number;
    } else if (num_parse_iso8601(cell->text, cell->length, &seconds)) {
        unit = seconds >= TIME_FIRST && seconds < TIME_END ? TIME_ISO8601 : TIME_AUTO;
    } else {
        return STATUS_OK;
    }
    if (unit == TIME_AUTO) {
        *fault = FAULT_TIME_RANGE;
        return STATUS_OK;
    }
    if (clock->unit == TIME_AUTO) {
        clock->unit = unit;
        clock->decided_by = *place;
    } else if (clock->unit != unit) {
        return refuse_unit(clock, unit, cell, number, place, status);
    }
    *fault = N_ROW_FAULTS;
    *unix_seconds = seconds;
    return STATUS_OK;
}
