/* The only file that asks the time. */
#include "base/clock.h"

#include <sys/resource.h>
#include <time.h>

static double seconds_of(clockid_t id)
{
    struct timespec now = {0};
    (void)clock_gettime(id, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double clock_monotonic(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

double clock_cpu(void)
{
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t clock_unix(void)
{
    return (int64_t)time(NULL);
}

int64_t clock_peak_rss(void)
{
    struct rusage usage = {0};
    (void)getrusage(RUSAGE_SELF, &usage);
    return (int64_t)usage.ru_maxrss * 1024; /* Linux reports KiB */
}

/* Days since 1970-01-01 to a date of the proleptic Gregorian calendar, by 400-year cycles of
 * 146097 days that begin on 1 March, so that the leap day comes last. */
static void civil_of_days(int64_t days, int64_t *year, int *month, int *day)
{
    const int64_t days_to_epoch = 719468; /* from 0000-03-01 to 1970-01-01 */
    int64_t shifted = days + days_to_epoch;
    int64_t cycle = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_cycle = shifted - cycle * 146097;
    int64_t year_of_cycle =
        (of_cycle - of_cycle / 1460 + of_cycle / 36524 - of_cycle / 146096) / 365;
    int64_t of_year = of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    int64_t month_from_march = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * month_from_march + 2) / 5 + 1);
    *month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *year = year_of_cycle + cycle * 400 + (*month <= 2 ? 1 : 0);
}

void clock_format(int64_t unix_seconds, char out[CLOCK_TEXT_MAX])
{
    const int64_t first = INT64_C(-62167219200); /* 0000-01-01T00:00:00Z */
    const int64_t last = INT64_C(253402300799);  /* 9999-12-31T23:59:59Z */
    if (unix_seconds < first || unix_seconds > last) {
        (void)snprintf(out, CLOCK_TEXT_MAX, "%lld", (long long)unix_seconds);
        return;
    }
    int64_t days = unix_seconds / CLOCK_DAY;
    int64_t seconds = unix_seconds % CLOCK_DAY;
    if (seconds < 0) {
        seconds += CLOCK_DAY;
        days--;
    }
    int64_t year = 0;
    int month = 0;
    int day = 0;
    civil_of_days(days, &year, &month, &day);
    (void)snprintf(out, CLOCK_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)year, month, day,
                   (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60));
}
