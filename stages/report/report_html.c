/* Texts, numbers and times as they stand in the page. */
#include "stages/report/report_html.h"

#include "base/clock.h"
#include "base/num.h"

#include <math.h>
#include <stdlib.h>

void html_add(struct buf *out, const char *text, size_t length)
{
    for (const char *end = text + length; text < end; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '&') {
            buf_add_text(out, "&amp;");
        } else if (c == '<') {
            buf_add_text(out, "&lt;");
        } else if (c == '>') {
            buf_add_text(out, "&gt;");
        } else if (c == '"') {
            buf_add_text(out, "&quot;");
        } else if (c == '\n') {
            buf_add_text(out, "<br>");
        } else if (c >= 0x20 && c != 0x7f) {
            buf_add(out, text, 1);
        }
    }
}

void html_add_text(struct buf *out, const char *text)
{
    html_add(out, text, strlen(text));
}

void html_add_number(struct buf *out, double value)
{
    const double size = fabs(value);
    char text[NUM_TEXT_MAX];
    if (!isfinite(value)) {
        buf_add_text(out, "\xE2\x80\x93");
    } else if (size >= 1e7) {
        buf_addf(out, "%.4gM", value / 1e6);
    } else if (size >= 1000 || fabs(value - round(value)) < 1e-9) {
        num_format_count((int64_t)llround(value), text);
        buf_add_text(out, text);
    } else if (size >= 1) {
        buf_addf(out, "%.4g", value);
    } else {
        buf_addf(out, size < 0.00005 ? "%.2g" : "%.4f", value);
    }
}

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Where the month and day stand in the text of clock_format; NULL of a year that has none. */
static const char *month_of(const char *text, long *day)
{
    const long month =
        strlen(text) == strlen("2026-11-30T12:14:05Z") ? strtol(text + 5, NULL, 10) : 0;
    *day = month == 0 ? 0 : strtol(text + 8, NULL, 10);
    return month < 1 || month > 12 ? NULL : months[month - 1];
}

void html_add_time(struct buf *out, int64_t unix_seconds)
{
    char text[CLOCK_TEXT_MAX];
    long day;
    clock_format(unix_seconds, text);
    const char *month = month_of(text, &day);
    if (month == NULL) {
        buf_add_text(out, text);
    } else {
        buf_addf(out, "%ld %s %.4s, %.5s", day, month, text, text + strlen("2026-11-30T"));
    }
}

void html_format_date(int64_t unix_seconds, bool has_hours, bool has_seconds,
                      char out[HTML_DATE_MAX])
{
    char text[CLOCK_TEXT_MAX];
    long day;
    clock_format(unix_seconds, text);
    const char *month = month_of(text, &day);
    if (month == NULL) {
        snprintf(out, HTML_DATE_MAX, "%.20s", text);
    } else if (has_hours) {
        snprintf(out, HTML_DATE_MAX, "%.*s", has_seconds ? 8 : 5, text + strlen("2026-11-30T"));
    } else {
        snprintf(out, HTML_DATE_MAX, "%ld %s", day, month);
    }
}
