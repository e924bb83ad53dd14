/* Text for the page: escaped, with separators, with line ends that a browser shows. */
#ifndef NIGHTJAR_STAGES_REPORT_REPORT_HTML_H
#define NIGHTJAR_STAGES_REPORT_REPORT_HTML_H

#include "base/buf.h"

/* Adds the bytes (UTF-8) with &, <, > and quotes escaped; a line end becomes <br>, other control
 * characters are left out. */
void html_add(struct buf *out, const char *text, size_t length);
void html_add_text(struct buf *out, const char *text); /* ended by a NUL */

/* "1,956", "0.0903", "1.25", "12.5M": as many digits as mean something; of NAN a dash. */
void html_add_number(struct buf *out, double value);
/* "30 Nov 2026, 12:14", UTC. */
void html_add_time(struct buf *out, int64_t unix_seconds);

enum { HTML_DATE_MAX = 32 };
/* "30 Nov"; with hours: "12:14"; with seconds: "12:14:05". */
void html_format_date(int64_t unix_seconds, bool has_hours, bool has_seconds,
                      char out[HTML_DATE_MAX]);

#endif
