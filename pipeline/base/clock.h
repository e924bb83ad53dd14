/* The only file that asks the time. Wall-clock time is for records and reports; nothing that ends
 * in an output row depends on it. */
#ifndef NIGHTJAR_BASE_CLOCK_H
#define NIGHTJAR_BASE_CLOCK_H

#include "base/status.h"

double clock_monotonic(void); /* seconds since an arbitrary start */
double clock_cpu(void);       /* CPU seconds of the process so far, all threads */
int64_t clock_unix(void);     /* Unix seconds now */
int64_t clock_peak_rss(void); /* bytes: the process's peak resident size */

enum { CLOCK_DAY = 86400 }; /* seconds */
enum { CLOCK_TEXT_MAX = 40 };
/* "2026-11-23T04:00:00Z"; years outside 0..9999 print as the number of seconds. */
void clock_format(int64_t unix_seconds, char out[CLOCK_TEXT_MAX]);

#endif
