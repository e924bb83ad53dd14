/* Strict, locale-free text-to-number and number-to-text. */
#include "base/num.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>

/* Longer numbers are refused: no honest value needs as many digits. */
enum { NUM_PARSE_MAX = 1024 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool num_multiply(size_t a, size_t b, size_t *product)
{
    if (b != 0 && a > SIZE_MAX / b) {
        return false;
    }
    *product = a * b;
    return true;
}

bool num_parse_int64(const char *text, size_t length, int64_t *out)
{
    size_t i = 0;
    bool negative = length > 0 && text[0] == '-';
    if (negative || (length > 0 && text[0] == '+')) {
        i = 1;
    }
    if (i == length) {
        return false;
    }
    /* Counting downwards reaches INT64_MIN, which has no positive twin. */
    int64_t value = 0;
    for (; i < length; i++) {
        if (!is_digit(text[i])) {
            return false;
        }
        int digit = text[i] - '0';
        if (value < (INT64_MIN + digit) / 10) {
            return false;
        }
        value = value * 10 - digit;
    }
    if (!negative && value == INT64_MIN) {
        return false;
    }
    *out = negative ? value : -value;
    return true;
}

/* A decimal number taken apart: digits * 10^exponent, while the digits fit 64 bits. */
struct decimal {
    bool negative;
    bool exact;      /* `digits` holds every digit */
    uint64_t digits; /* the first 19 significant digits */
    int64_t exponent;
};

/* [+-] digits [. digits] [e [+-] digits], with a digit before or after the point. */
static bool scan_decimal(const char *text, size_t length, struct decimal *out)
{
    struct decimal d = {.exact = true};
    size_t i = 0;
    size_t n_digits = 0;
    bool point = false;

    if (length > 0 && (text[0] == '-' || text[0] == '+')) {
        d.negative = text[0] == '-';
        i = 1;
    }
    for (; i < length && (is_digit(text[i]) || (text[i] == '.' && !point)); i++) {
        if (text[i] == '.') {
            point = true;
            continue;
        }
        n_digits++;
        if (d.digits > (UINT64_MAX - 9) / 10) {
            d.exact = false;
        } else {
            d.digits = d.digits * 10 + (uint64_t)(text[i] - '0');
            d.exponent -= point ? 1 : 0;
        }
    }
    if (n_digits == 0) {
        return false;
    }
    if (i < length && (text[i] == 'e' || text[i] == 'E')) {
        int64_t exponent = 0;
        if (i + 1 == length || (!is_digit(text[i + 1]) && i + 2 == length) ||
            !num_parse_int64(text + i + 1, length - i - 1, &exponent)) {
            return false;
        }
        /* far outside the range of double either way; keeps the sum from overflowing */
        exponent = exponent > 100000 ? 100000 : exponent < -100000 ? -100000 : exponent;
        d.exponent += exponent;
        i = length;
    }
    *out = d;
    return i == length;
}

/* strtod and printf follow the locale of the process, which a host program may have set: they are
 * called in the C locale of this thread only. */
static locale_t enter_c_locale(locale_t *c_locale)
{
    *c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return uselocale(*c_locale);
}

static void leave_c_locale(locale_t before, locale_t c_locale)
{
    (void)uselocale(before);
    if (c_locale != (locale_t)0) {
        freelocale(c_locale);
    }
}

bool num_parse_double(const char *text, size_t length, double *out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal d = {0};
    if (length >= NUM_PARSE_MAX || !scan_decimal(text, length, &d)) {
        return false;
    }
    double value = 0.0;
    if (d.exact && d.digits <= UINT64_C(1) << 53 && d.exponent >= -22 && d.exponent <= 22) {
        /* Both factors are exact doubles, so one operation rounds correctly (Clinger 1990). */
        value = (double)d.digits;
        value = d.exponent < 0 ? value / powers[-d.exponent] : value * powers[d.exponent];
        value = d.negative ? -value : value;
    } else {
        char copy[NUM_PARSE_MAX];
        memcpy(copy, text, length);
        copy[length] = '\0';
        locale_t c_locale = (locale_t)0;
        locale_t before = enter_c_locale(&c_locale);
        value = strtod(copy, NULL);
        leave_c_locale(before, c_locale);
    }
    if (!isfinite(value)) {
        return false;
    }
    *out = value;
    return true;
}

bool num_parse_duration(const char *text, size_t length, double *seconds)
{
    static const char units[] = "smhdw";
    static const double unit_seconds[] = {1, 60, 3600, 86400, 604800};
    if (length < 2) {
        return false;
    }
    const char *unit = memchr(units, text[length - 1], sizeof units - 1);
    double value = 0.0;
    if (unit == NULL || !num_parse_double(text, length - 1, &value) || value < 0.0) {
        return false;
    }
    value *= unit_seconds[unit - units];
    if (!isfinite(value)) {
        return false;
    }
    *seconds = value;
    return true;
}

bool num_parse_bytes(const char *text, size_t length, int64_t *bytes)
{
    static const char units[] = "KMGT";
    const char *unit = length > 0 ? memchr(units, text[length - 1], sizeof units - 1) : NULL;
    int64_t whole = 0;
    if (unit == NULL) {
        if (!num_parse_int64(text, length, &whole) || whole < 0) {
            return false;
        }
        *bytes = whole;
        return true;
    }
    double factor = ldexp(1.0, 10 * (int)(unit - units + 1));
    double value = 0.0;
    if (!num_parse_double(text, length - 1, &value) || value < 0.0 || value * factor >= 0x1p63) {
        return false;
    }
    *bytes = (int64_t)(value * factor);
    return true;
}

/* Exactly `n` digits at *at; moves *at behind them. */
static bool take_digits(const char **at, const char *end, size_t n, int *out)
{
    int value = 0;
    if ((size_t)(end - *at) < n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_digit((*at)[i])) {
            return false;
        }
        value = value * 10 + ((*at)[i] - '0');
    }
    *at += n;
    *out = value;
    return true;
}

static bool take_char(const char **at, const char *end, char c)
{
    if (*at == end || **at != c) {
        return false;
    }
    (*at)++;
    return true;
}

/* Days from 1970-01-01 to a date; false when there is no such day. */
static bool days_of_civil(int year, int month, int day, int64_t *days)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month < 1 || month > 12 || day < 1 ||
        day > month_days[month - 1] + (month == 2 && leap ? 1 : 0)) {
        return false;
    }
    int64_t total = day - 1;
    for (int m = 1; m < month; m++) {
        total += month_days[m - 1] + (m == 2 && leap ? 1 : 0);
    }
    /* leap days before 1 January of `year`, year 0 being one */
    int64_t before = year == 0 ? 0 : (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1;
    *days = total + (int64_t)year * 365 + before - 719528; /* 0000-01-01 to 1970-01-01 */
    return true;
}

/* hh:mm[:ss[.fraction]] */
static bool take_time_of_day(const char **at, const char *end, int *minutes, int *seconds)
{
    int hour = 0, minute = 0, second = 0;
    if (!take_digits(at, end, 2, &hour) || !take_char(at, end, ':') ||
        !take_digits(at, end, 2, &minute) || hour > 23 || minute > 59) {
        return false;
    }
    if (take_char(at, end, ':')) {
        if (!take_digits(at, end, 2, &second) || second > 60) {
            return false;
        }
        if (take_char(at, end, '.')) {
            const char *first = *at;
            while (*at < end && is_digit(**at)) {
                (*at)++;
            }
            if (*at == first) {
                return false;
            }
        }
    }
    *minutes = hour * 60 + minute;
    *seconds = second;
    return true;
}

/* Nothing, Z, or a sign and hh, hhmm or hh:mm. */
static bool take_zone(const char **at, const char *end, int *offset_minutes)
{
    int hours = 0, minutes = 0;
    *offset_minutes = 0;
    if (*at == end || take_char(at, end, 'Z')) {
        return true;
    }
    bool west = take_char(at, end, '-');
    if ((!west && !take_char(at, end, '+')) || !take_digits(at, end, 2, &hours)) {
        return false;
    }
    if (*at < end) {
        (void)take_char(at, end, ':');
        if (!take_digits(at, end, 2, &minutes)) {
            return false;
        }
    }
    if (hours > 23 || minutes > 59) {
        return false;
    }
    *offset_minutes = (hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

bool num_parse_iso8601(const char *text, size_t length, int64_t *unix_seconds)
{
    const char *at = text, *end = text + length;
    int year = 0, month = 0, day = 0, minutes = 0, seconds = 0, offset = 0;
    int64_t days = 0;

    if (!take_digits(&at, end, 4, &year) || !take_char(&at, end, '-') ||
        !take_digits(&at, end, 2, &month) || !take_char(&at, end, '-') ||
        !take_digits(&at, end, 2, &day) || !days_of_civil(year, month, day, &days)) {
        return false;
    }
    if (at < end) {
        if ((!take_char(&at, end, 'T') && !take_char(&at, end, ' ')) ||
            !take_time_of_day(&at, end, &minutes, &seconds) || !take_zone(&at, end, &offset) ||
            at != end) {
            return false;
        }
    }
    int utc_minutes = minutes - offset;
    /* leap seconds are put in at the end of a UTC day, whatever the local clock shows */
    if (seconds == 60 && (utc_minutes + 2 * 1440) % 1440 != 1439) {
        return false;
    }
    *unix_seconds = days * 86400 + (int64_t)utc_minutes * 60 + seconds;
    return true;
}

size_t num_format_double(double value, char out[NUM_TEXT_MAX])
{
    if (!isfinite(value)) {
        return (size_t)snprintf(out, NUM_TEXT_MAX, "%s",
                                isnan(value) ? "nan" : (value > 0 ? "inf" : "-inf"));
    }
    /* 15 digits survive the way to a normal double and back, and %g drops trailing zeros: what
     * reads back after 15 is the shortest. Subnormals carry fewer digits: start at one. */
    int precision = fabs(value) < DBL_MIN ? 1 : DBL_DIG;
    int length = 0;
    locale_t c_locale = (locale_t)0;
    locale_t before = enter_c_locale(&c_locale);
    for (; precision <= DBL_DECIMAL_DIG; precision++) {
        length = snprintf(out, NUM_TEXT_MAX, "%.*g", precision, value);
        double back = strtod(out, NULL);
        if (memcmp(&back, &value, sizeof back) == 0) {
            break;
        }
    }
    leave_c_locale(before, c_locale);
    return (size_t)length;
}

size_t num_format_count(int64_t count, char out[NUM_TEXT_MAX])
{
    char digits[NUM_TEXT_MAX];
    const int n = snprintf(digits, sizeof digits, "%" PRIu64,
                           count < 0 ? 0 - (uint64_t)count : (uint64_t)count);
    size_t length = 0;
    if (count < 0) {
        out[length++] = '-';
    }
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0) {
            out[length++] = ',';
        }
        out[length++] = digits[i];
    }
    out[length] = '\0';
    return length;
}

/* "%.*f unit", always with a point. */
static size_t format_fixed(double value, int decimals, const char *unit, char *out)
{
    locale_t c_locale = (locale_t)0;
    locale_t before = enter_c_locale(&c_locale);
    int length = snprintf(out, NUM_TEXT_MAX, "%.*f %s", decimals, value, unit);
    leave_c_locale(before, c_locale);
    return length < NUM_TEXT_MAX ? (size_t)length : NUM_TEXT_MAX - 1;
}

size_t num_format_bytes(double bytes, char out[NUM_TEXT_MAX])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;
    /* 1023.95 would be printed as 1024.0 */
    while (fabs(bytes) >= (unit == 0 ? 1023.5 : 1023.95) &&
           unit + 1 < sizeof units / sizeof *units) {
        bytes /= 1024.0;
        unit++;
    }
    bool whole = unit == 0 || fabs(bytes - round(bytes)) < 0.05;
    return format_fixed(bytes, whole ? 0 : 1, units[unit], out);
}

size_t num_format_duration(double seconds, char out[NUM_TEXT_MAX])
{
    int length = 0;
    if (!(fabs(seconds) < 1e12)) {
        length = snprintf(out, NUM_TEXT_MAX, "a very long time");
    } else if (seconds < 0.0995) {
        return format_fixed(seconds * 1000.0, 0, "ms", out);
    } else if (seconds < 59.95) {
        return format_fixed(seconds, 1, "s", out);
    } else {
        long long whole = (long long)(seconds + 0.5);
        if (whole < 3600) {
            length = snprintf(out, NUM_TEXT_MAX, "%lld min %02lld s", whole / 60, whole % 60);
        } else if (whole < 2 * 86400) {
            length =
                snprintf(out, NUM_TEXT_MAX, "%lld h %02lld min", whole / 3600, whole / 60 % 60);
        } else {
            length =
                snprintf(out, NUM_TEXT_MAX, "%lld d %02lld h", whole / 86400, whole / 3600 % 24);
        }
    }
    return (size_t)length;
}
