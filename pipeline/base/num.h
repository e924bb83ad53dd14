/* Strict, locale-free text-to-number and number-to-text. The whole text must be consumed; no
 * leading or trailing space, no hexadecimal, no "inf" or "nan" unless a caller handles them;
 * numbers of 1024 and more characters are refused. */
#ifndef NIGHTJAR_BASE_NUM_H
#define NIGHTJAR_BASE_NUM_H

#include "base/status.h"

/* All return false, leaving *out untouched, when the text is not such a value or overflows. */
bool num_parse_int64(const char *text, size_t length, int64_t *out);
bool num_parse_double(const char *text, size_t length, double *out); /* finite, e.g. 1e-3, .5 */
/* A duration in seconds: a number with s, m, h, d or w ("30d", "1.5h"); a bare
 * number and a negative one are refused. */
bool num_parse_duration(const char *text, size_t length, double *seconds);
/* A size in bytes: a whole number, or a decimal one with K, M, G or T (powers of 1024; what is left
 * below a byte is dropped). Negative sizes are refused. */
bool num_parse_bytes(const char *text, size_t length, int64_t *bytes);
/* Unix seconds of an ISO-8601 date or date-time: YYYY-MM-DD, then optionally `T` or a space and
 * hh:mm[:ss[.fraction]], then optionally Z, or + or - and hh, hhmm or hh:mm; without a zone it is
 * UTC. Validates ranges (leap years; 23:59:60 in UTC is taken as the next second). The fraction is
 * dropped. */
bool num_parse_iso8601(const char *text, size_t length, int64_t *unix_seconds);

enum { NUM_TEXT_MAX = 40 };
/* The shortest decimal text that reads back as the same value; '.' always. Returns its length. */
size_t num_format_double(double value, char out[NUM_TEXT_MAX]);
/* "1,956,000", "-12". */
size_t num_format_count(int64_t count, char out[NUM_TEXT_MAX]);
/* "1.5 GiB", "12 KiB"; for messages. */
size_t num_format_bytes(double bytes, char out[NUM_TEXT_MAX]);
/* "1 h 05 min", "3.2 s"; for messages. */
size_t num_format_duration(double seconds, char out[NUM_TEXT_MAX]);

bool num_multiply(size_t a, size_t b, size_t *product); /* false on overflow */

/* For qsort: by the first number, then by the second. */
static inline int num_compare_pairs(int64_t a, int64_t b, uint64_t a_tie, uint64_t b_tie)
{
    return a != b ? (a > b) - (a < b) : (a_tie > b_tie) - (a_tie < b_tie);
}
/* For qsort of uint64_t, ascending. */
static inline int num_compare_uint64(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

#endif
